"""Negotiation, filing, contract, transfer and acquisition together, in any order of events.

Two members and a platform on wires that lose, repeat and leave unanswered; each is killed at any moment,
gives up, ends or is ordered to stop. Whatever happens, no state goes back, nothing is used before it is filed
or after it is over, and when everything has arrived all of them say the same.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from entrepot_space_world import ALICE, BOB, OPERATOR, REGULATOR, Party
from entrepot_tds_net import Net, url_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from entrepot import contracts, space, use
from entrepot.catalogue import offering_of
from entrepot.contracts import EndReason, Move, Next, Reason, State, Status
from entrepot.protocols import dsp, tds
from entrepot.space import FilingState
from entrepot.use import Acquisition, AcquisitionState
from entrepot.values import EntrepotError, UseId, canonical

EXAMPLES: Final = max(settings().max_examples // 10, 1)
NO: Final = Next(Move.TERMINATE, Reason("changed", ("we have changed our mind",)))
PARTS: Final = (
    "operator.example/tds/platform/contractCreate",
    "/contractRegistrate",
    "/contractSignature",
    "/contractFiled",
    "/contractTerminate",
    "/negotiations",
    "/transfers",
)
NEGOTIATED: Final = [
    [State.INITIAL],
    [State.REQUESTED, State.OFFERED],
    [State.ACCEPTED],
    [State.AGREED],
    [State.VERIFIED],
    [State.FINALIZED],
    [State.TERMINATED],
]
HELD: Final = [[Status.SIGNED], [Status.PERFORMING], [Status.ENDED]]
FILED: Final = [[state] for state in FilingState]
ACQUIRED: Final = [
    [AcquisitionState.LOOKING],
    [AcquisitionState.NEGOTIATING],
    [AcquisitionState.OPENING],
    [AcquisitionState.FETCHING],
    [AcquisitionState.RECEIVED, AcquisitionState.FAILED],
]
FINAL: Final = {
    State.FINALIZED,
    State.TERMINATED,
    Status.ENDED,
    FilingState.ENDED,
    AcquisitionState.RECEIVED,
    AcquisitionState.FAILED,
}


def place(order: list[list[Any]], state: Any) -> int:
    return next(i for i, among in enumerate(order) if state in among)


class Street(RuleBasedStateMachine):
    """What a consumer wants, from the first question to the data, while everything goes wrong."""

    found: Callable[[], Net]
    """Gives a network of members that have nothing to do with each other yet."""

    @initialize()
    def founded(self) -> None:
        self.net = type(self).found()
        self.product = self.net.world.product()
        self.net.node(ALICE).products[self.product.id] = self.product
        self.seen: dict[tuple[str, str], Any] = {}
        self.orders = 0
        self.stopped: set[str] = set()
        self.begin()

    @property
    def bob(self) -> Any:
        return self.net.node(BOB)

    def acquisitions(self) -> list[Acquisition]:
        return self.bob.journal.read_now(lambda c: use.acquisition.newest(c, 10))

    def try_to(self, act: Callable[[], object]) -> None:
        """A refusal is an answer; anything else is a fault."""
        try:
            act()
        except EntrepotError:
            return

    @rule()
    def begin(self) -> None:
        if len(self.acquisitions()) < 3:
            target = self.net.folder / "data"
            self.bob.journal.write_now(lambda tx: use.acquisition.begin(tx, self.product.id, None, target))

    @rule(slow=st.booleans(), fails=st.sampled_from([False, False, False, True]))
    def the_consumer_goes_on(self, slow: bool, fails: bool) -> None:  # noqa: FBT001 (drawn)
        """Each acquisition makes its next step, perhaps on what it had read before another one made it."""
        known = self.acquisitions()
        if slow:
            for acquisition in known:
                self.try_to(lambda a=acquisition: self.step(a))
        for acquisition in known:
            if fails:
                self.try_to(
                    lambda a=acquisition: self.bob.journal.write_now(
                        lambda tx: use.acquisition.fail(tx, a, "a person had enough")
                    )
                )
            else:
                self.try_to(lambda a=acquisition: self.step(a))

    def step(self, acquisition: Acquisition) -> None:
        bob, address = self.bob, url_of(ALICE) + dsp.PATH
        match acquisition.state:
            case AcquisitionState.LOOKING:
                offering = offering_of(self.product)
                bob.journal.write_now(
                    lambda tx: use.acquisition.found(tx, bob.desk, bob.rail, acquisition, offering, address)
                )
            case AcquisitionState.FETCHING:
                of = UseId(f"urn:uuid:use {acquisition.id}")
                bob.journal.write_now(lambda tx: use.acquisition.received(tx, acquisition, of))
            case _:
                bob.journal.write_now(lambda tx: use.acquisition.look_again(tx, bob.rail, acquisition))

    @rule(rounds=st.integers(1, 4))
    def everybody_works(self, rounds: int) -> None:
        self.net.run(rounds=rounds)

    @rule(part=st.sampled_from(PARTS), fault=st.sampled_from(["lost", "unanswered", "twice"]))
    def the_wire_breaks(self, part: str, fault: str) -> None:
        """Until another part of it does; what is answered by the ledger's news is never sent in pairs."""
        if (part, fault) != ("/contractRegistrate", "twice"):
            self.net.broken = [lambda _m, url: fault if part in url else None]

    @rule()
    def the_wire_is_mended(self) -> None:
        self.net.broken = []

    @rule(party=st.sampled_from([ALICE, BOB, OPERATOR]))
    def somebody_is_killed(self, party: Party) -> None:
        if party is OPERATOR:
            self.net.kill_platform()
        else:
            self.net.node(party).kill()

    @rule(party=st.sampled_from([ALICE, BOB]))
    def somebody_gives_up(self, party: Party) -> None:
        node = self.net.node(party)
        for n in node.journal.read_now(contracts.negotiations):
            self.try_to(
                lambda of=n.exchange.id: node.journal.write_now(
                    lambda tx: contracts.move(tx, node.desk, of, NO)
                )
            )

    @rule(party=st.sampled_from([ALICE, BOB]))
    def somebody_ends_a_contract(self, party: Party) -> None:
        node = self.net.node(party)
        for c in node.journal.read_now(contracts.contracts_held):
            notice = node.ends.notice(c.contract_id, EndReason.AGREEMENT)

            def end(tx: Any, c: Any = c, notice: bytes = notice) -> None:
                if contracts.end_contract(tx, c.agreement.id, EndReason.AGREEMENT):
                    node.ends.tell(tx, c.contract_id, c.others, notice)

            node.journal.write_now(end)

    @rule()
    def a_supervisor_orders_a_stop(self) -> None:
        for c in self.net.world.journal.read_now(space.contracts):
            self.orders += 1
            of, now = f"o{self.orders}", self.net.now
            order = tds.sign_stop(c.contract_id, "risk", now, of, REGULATOR.evidence)
            if self.net.post(REGULATOR, OPERATOR, "platform/abnormalTermination", order).status == 200:
                self.stopped.add(c.contract_id)

    @rule(minutes=st.sampled_from([1, 30, 60 * 25]))
    def time_goes_on(self, minutes: int) -> None:
        self.net.world.later(minutes=minutes)

    def follow(self, kind: str, of: str, state: Any, order: list[list[Any]]) -> None:
        before = self.seen.get((kind, of), state)
        assert place(order, before) <= place(order, state), (kind, before, state)
        assert before == state or before not in FINAL, (kind, before, state)
        self.seen[kind, of] = state

    @invariant()
    def no_state_goes_back(self) -> None:
        if not hasattr(self, "net"):
            return
        for party in (ALICE, BOB):
            journal = self.net.node(party).journal
            for n in journal.read_now(contracts.negotiations):
                self.follow(party.name, n.exchange.id, n.exchange.state, NEGOTIATED)
            for c in journal.read_now(contracts.contracts_held):
                self.follow(f"{party.name}'s contract", c.contract_id, c.status, HELD)
        for f in self.net.world.journal.read_now(space.contracts):
            self.follow("filing", f.contract_id, f.state, FILED)
        for a in self.acquisitions():
            self.follow("acquisition", a.id, a.state, ACQUIRED)

    @invariant()
    def nothing_is_used_that_is_not_filed(self) -> None:
        """A contract in force, and a process that was started, stand on the ledger."""
        if not hasattr(self, "net"):
            return
        for party in (ALICE, BOB):
            journal = self.net.node(party).journal
            held = {c.agreement.id: c for c in journal.read_now(contracts.contracts_held)}
            for c in held.values():
                if c.status is Status.PERFORMING:
                    assert self.on_ledger(c.contract_id) is not None
                    assert c.receipt
            for p in journal.read_now(use.process.processes):
                if p.exchange.state is State.STARTED:
                    assert held[p.agreement_id].status in {Status.PERFORMING, Status.ENDED}

    def on_ledger(self, contract_id: str) -> Any:
        raw = self.net.world.head.state.get(f"contracts/{contract_id}")
        return None if raw is None else canonical.decode(raw)

    def teardown(self) -> None:
        if not hasattr(self, "net"):
            return
        try:
            self.all_arrives()
        finally:
            self.net.close()
            shutil.rmtree(self.net.folder)

    def all_arrives(self) -> None:
        """The wire is mended and everybody works until nothing is left: then they agree."""
        self.net.broken = []
        for _ in range(3):
            self.net.world.later(hours=2)
            self.net.run(rounds=60)
        self.no_state_goes_back()
        self.nothing_is_used_that_is_not_filed()
        ours, theirs = (
            {n.exchange.id: n for n in self.net.node(p).journal.read_now(contracts.negotiations)}
            for p in (ALICE, BOB)
        )
        for n in ours.values():
            peer = theirs[n.exchange.peer_pid]
            assert n.exchange.state is peer.exchange.state
            assert n.exchange.state in {State.FINALIZED, State.TERMINATED}
        held = [
            {c.contract_id: c.status for c in self.net.node(p).journal.read_now(contracts.contracts_held)}
            for p in (ALICE, BOB)
        ]
        for f in self.net.world.journal.read_now(space.contracts):
            statuses = {h.get(f.contract_id, Status.ENDED) for h in held}
            if f.state is FilingState.FILED:
                assert statuses == {Status.PERFORMING}
                assert f.contract_id not in self.stopped
            else:
                assert f.state is FilingState.ENDED
                assert statuses == {Status.ENDED}
                there = self.on_ledger(f.contract_id)
                assert there is None or there["ended"] is not None


@pytest.mark.hypothesis  # so that `make fuzz` finds it
def test_no_order_of_events_sets_the_parties_the_platform_and_the_ledger_apart(
    peopled: tuple[Path, object], tmp_path: Path
) -> None:
    """Somebody would use, or believe filed, what the others hold for ended."""
    folder, head = peopled
    numbers = iter(range(1 << 20))

    def found() -> Net:
        mine = tmp_path / f"{next(numbers)}"
        shutil.copytree(folder, mine)
        return Net(mine, head)

    class OnSqlite(Street):
        pass

    OnSqlite.found = staticmethod(found)
    run_state_machine_as_test(
        OnSqlite,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
