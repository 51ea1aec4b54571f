"""A contract's filing and the platform's wishes to its ledger, in any order of messages, answers and kills.

The machine is a platform as it runs: its use cases, its clerks, its journal and the ledger's own machine.
Only the wire between platform and ledger is ours, and it misbehaves: what is sent may never arrive, arrive
twice, or have its answer lost; a clerk may sign what it read long ago. What must never happen is said here.
"""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from entrepot import space
from entrepot.journal import claim, settle
from entrepot.ledger import Refusal, apply_block, register_on_ledger
from entrepot.ledger.machine import read_call
from entrepot.policy import OPERANDS, Atom, Operator, Policy, Rule
from entrepot.space import EndNotice, FilingState, MemberRole, PartyReason, StopOrder, operations
from entrepot.values import (
    EntrepotError,
    TransactionId,
    parse_digest,
    render_time,
)

_NAME = "entrepot_space_world"
if _NAME not in sys.modules:
    _SPEC = importlib.util.spec_from_file_location(
        _NAME, Path(__file__).parents[1] / "unit" / "space" / "world.py"
    )
    assert _SPEC is not None
    assert _SPEC.loader is not None
    sys.modules[_NAME] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(sys.modules[_NAME])
people: Any = sys.modules[_NAME]

ALICE, BOB, REGULATOR = people.ALICE, people.BOB, people.REGULATOR
ENDS: Final = people.START + timedelta(hours=6)
RUNS_OUT: Final = Policy(permissions=(Rule("use", (Atom(OPERANDS["dateTime"], Operator.LTEQ, ENDS),)),))
LATER: Final = MappingProxyType(
    {
        FilingState.GIVEN: {FilingState.FILING, FilingState.ENDED},
        FilingState.FILING: {FilingState.COMMITTED, FilingState.GIVEN},
        FilingState.COMMITTED: {FilingState.FILED},
        FilingState.FILED: {FilingState.ENDING},
        FilingState.ENDING: {FilingState.ENDED},
        FilingState.ENDED: set(),
    }
)
"""Where a filing may go from each state; back only where the ledger has refused it."""
WISHES: Final = MappingProxyType(
    {
        "wanted": {"sent"},
        "sent": {"committed", "refused", "wanted"},
        "committed": set(),
        "refused": set(),
    }
)
ALL_WISHES: Final = text("SELECT id, op, subject, state FROM space_operation")


def reachable(arrows: Any, before: Any, after: Any) -> bool:
    """Whether one state can follow another, over any others; a state follows itself."""
    known, waiting = {before}, [before]
    while waiting:
        fresh = arrows[waiting.pop()] - known
        known |= fresh
        waiting += fresh
    return after in known


class Filing(RuleBasedStateMachine):
    """Two contracts of two members on one platform; one of them runs out."""

    make: Callable[[], Any]
    """Gives a platform that nobody has used yet."""

    @initialize()
    def founded(self) -> None:
        self.world = type(self).make()
        self.product = self.world.product()
        self.envelopes: dict[int, bytes] = {}
        self.ids: dict[int, Any] = {}
        self.outcome: dict[str, str] = {}
        """What the ledger has made of a transaction: nothing is that it was taken."""
        self.stale: list[Callable[[], object]] = []
        """What clerks have signed and not written down yet."""
        self.seen: dict[Any, Any] = {}
        self.wished: dict[str, str] = {}
        self.said: dict[int, str] = {}
        self.count = 0
        for which in range(2):
            self.give(which)
            self.file(which, other=False)

    def try_to(self, act: Callable[[], object]) -> bool:
        """A refusal is an answer; anything else is a fault."""
        try:
            act()
        except EntrepotError:
            return False
        return True

    @rule(which=st.integers(0, 1))
    def give(self, which: int) -> None:
        """A repeat gives the same id."""
        given = self.world.contract_id(f"urn:uuid:n{which}")
        assert self.ids.setdefault(which, given) == given

    @rule(which=st.integers(0, 1), other=st.booleans())
    def file(self, which: int, other: bool) -> None:  # noqa: FBT001 (drawn)
        """The contract, or another envelope under its id, which has no luck once the first was taken."""
        if which not in self.ids:
            return
        policy = RUNS_OUT if which == 1 else people.OPEN
        key = which + 10 * other
        if key not in self.envelopes:
            if other:
                self.world.later(seconds=1)  # another agreement, of another second
            payload = self.world.payload(self.ids[which], self.product, policy=policy)
            self.envelopes[key] = people.both_sign(payload)
        self.try_to(lambda: self.world.file(self.envelopes[key]))

    @rule(which=st.integers(0, 1), party=st.sampled_from([ALICE, BOB]), again=st.booleans())
    def end(self, which: int, party: Any, again: bool) -> None:  # noqa: FBT001 (drawn)
        """A party ends it, perhaps by a notice that it has sent before."""
        if which not in self.ids:
            return
        self.count += not again
        content = EndNotice(
            at=render_time(people.START),
            contract=self.ids[which],
            id=f"{party.name} {which} {self.count}",
            reason=PartyReason.BREACH,
        )
        raw = space.sign_statement(space.END_NOTICE, content, party.evidence)
        statement = space.read_statement(raw, EndNotice)
        ended = self.try_to(
            lambda: self.world.journal.write_now(
                lambda tx: space.end_contract(tx, self.world.rules, statement, party.did)
            )
        )
        if ended:
            self.said.setdefault(which, "breach")

    @rule(which=st.integers(0, 1))
    def stop(self, which: int) -> None:
        if which not in self.ids:
            return
        self.count += 1
        content = StopOrder(
            at=render_time(people.START), contract=self.ids[which], id=f"{self.count}", reason="risk"
        )
        raw = space.sign_statement(space.STOP_ORDER, content, REGULATOR.evidence)
        statement = space.read_statement(raw, StopOrder)
        ordered = self.try_to(
            lambda: self.world.journal.write_now(
                lambda tx: space.order_stop(tx, self.world.rules, statement, REGULATOR.did)
            )
        )
        if ordered:
            self.said.setdefault(which, "order")

    @rule()
    def a_clerk_works(self) -> None:
        self.world.clerk_works()

    @rule()
    def a_clerk_signs_and_waits(self) -> None:
        """It writes down what it has signed only when others have done the same, or more."""
        world, clerk = self.world, self.world.clerk
        for wish in world.journal.read_now(operations.unsigned):
            raw = operations.sign_operation(wish, clerk.chain, clerk.height(), clerk.evidence)
            self.stale.append(
                lambda w=wish, r=raw: world.journal.write_now(
                    lambda tx: operations.signed(tx, world.rules, w, r)
                )
            )
        for found in world.journal.read_now(space.contracts):
            if found.state is FilingState.COMMITTED:
                receipt = space.filing.sign_receipt(found, world.rules, clerk.evidence)
                self.stale.append(
                    lambda f=found, r=receipt: world.journal.write_now(
                        lambda tx: space.service.receipt_signed(tx, f.contract_id, r)
                    )
                )

    @rule()
    def a_clerk_writes_at_last(self) -> None:
        while self.stale:
            self.try_to(self.stale.pop(0))

    @rule(fate=st.sampled_from(["heard", "heard", "unanswered", "twice", "lost", "expired"]))
    def the_ledger_is_asked(self, fate: str) -> None:
        journal = self.world.journal
        for message in journal.write_now(lambda tx: claim(tx, "ledger", (space.LEDGER,), 0)):
            if fate == "lost":
                continue
            name = TransactionId(message.id)
            if fate == "expired" and message.id not in self.outcome:
                # Nobody will ever take it again: it is forgotten there and signed anew here, later on.
                self.outcome[message.id] = "expired"
                head = self.world.head
                self.world.head = apply_block(head, head.height + 1, head.time + 1, []).head
            if message.id not in self.outcome:
                self.outcome[message.id] = self.order(message.body)
            if fate == "unanswered":
                continue
            for _ in range(2 if fate == "twice" else 1):
                journal.write_now(lambda tx, n=name: self.answer(tx, n))
            journal.write_now(lambda tx, m=message: settle(tx, m.id))

    def order(self, body: bytes) -> str:
        """Have it ordered; gives why it was refused, or nothing."""
        world = self.world
        block = apply_block(world.head, world.head.height + 1, world.head.time + 1, [read_call(body)])
        world.head = block.head
        world.entries += block.leaves
        result = block.results[0]
        return result.reason.value if isinstance(result, Refusal) else ""

    def answer(self, tx: Any, name: TransactionId) -> None:
        match self.outcome[name]:
            case "":
                space.ledger_committed(tx, name)
            case "expired":
                space.ledger_lost(tx, name)
            case reason:
                space.ledger_refused(tx, name, reason)

    @rule(by=st.sampled_from([1, 3600, 20_000]))
    def time_goes_on(self, by: int) -> None:
        self.world.later(seconds=by)

    @rule()
    def the_platform_is_killed(self) -> None:
        self.world.close()
        self.world.open()
        self.stale.clear()

    @invariant()
    def nothing_goes_back(self) -> None:
        if not hasattr(self, "world"):
            return
        for now in self.world.journal.read_now(space.contracts):
            before = self.seen.get(now.contract_id, now)
            assert reachable(LATER, before.state, now.state), (before.state, now.state)
            if before.state is FilingState.ENDED:
                assert now == before
            if before.receipt:
                assert now.receipt == before.receipt
            self.seen[now.contract_id] = now
        for of, _, _, state in self.world.journal.read_now(lambda c: c.execute(ALL_WISHES).all()):
            assert reachable(WISHES, self.wished.get(of, state), state)
            self.wished[of] = state

    @invariant()
    def nothing_is_asked_twice_at_a_time(self) -> None:
        if not hasattr(self, "world"):
            return
        rows = self.world.journal.read_now(lambda c: c.execute(ALL_WISHES).all())
        open_ones = [(op, subject) for _, op, subject, state in rows if state in {"wanted", "sent"}]
        assert len(open_ones) == len(set(open_ones))

    @invariant()
    def what_is_filed_is_what_the_ledger_has(self) -> None:
        if not hasattr(self, "world"):
            return
        on_ledger = register_on_ledger(self.world.entries).contracts
        for now in self.world.journal.read_now(space.contracts):
            there = on_ledger.get(now.contract_id)
            if now.receipt or now.state in {FilingState.COMMITTED, FilingState.FILED, FilingState.ENDING}:
                assert there is not None
                assert parse_digest(there.body.digest) == now.envelope_digest
            assert there is None or now.state is not FilingState.GIVEN
            if now.state is FilingState.ENDED:
                assert (there is None) == (now.envelope_digest is None)
                assert there is None or there.ended is not None
            if there is not None and there.ended is not None:
                assert now.state in {FilingState.ENDING, FilingState.ENDED}

    def teardown(self) -> None:
        """Let everything arrive: then nothing is under way, and what was ended or ordered to stop is over."""
        if not hasattr(self, "world"):
            return
        try:
            self.all_arrives()
        finally:
            self.world.close()
            type(self).forget(self.world)

    def all_arrives(self) -> None:
        for _ in range(30):
            self.a_clerk_writes_at_last()
            self.world.clerk_works()
            self.the_ledger_is_asked("heard")
        self.nothing_goes_back()
        self.what_is_filed_is_what_the_ledger_has()
        rows = self.world.journal.read_now(lambda c: c.execute(ALL_WISHES).all())
        assert {state for *_, state in rows} <= {"committed", "refused"}
        for which, contract_id in self.ids.items():
            now = self.world.contract(contract_id)
            assert now.state in {FilingState.GIVEN, FilingState.FILED, FilingState.ENDED}
            assert which not in self.said or now.state is FilingState.ENDED
            assert now.ends_at is None or now.ends_at > self.world.now or now.state is FilingState.ENDED

    @staticmethod
    def forget(_world: Any) -> None:
        """Where a machine leaves something behind, it is removed here."""


def run(machine: type[Filing], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


EXAMPLES: Final = max(settings().max_examples // 4, 1)


def peopled(made: Any) -> Any:
    for party in (ALICE, BOB):
        made.join(party)
    made.join(REGULATOR, MemberRole.REGULATOR)
    return made


@pytest.mark.hypothesis  # so that `make fuzz` finds it
def test_no_order_of_events_takes_a_filing_back_or_files_twice(tmp_path: Path) -> None:
    """A contract could be filed and ended, or refused and filed, in one party's books each."""
    first = peopled(people.World(tmp_path))
    first.close()
    numbers = iter(range(1 << 20))

    def make() -> Any:
        folder = tmp_path / f"{next(numbers)}"
        shutil.copytree(tmp_path, folder, ignore=lambda _d, names: [n for n in names if n.isdigit()])
        return people.World(folder, head=first.head, entries=[*first.entries])

    class OnSqlite(Filing):
        pass

    OnSqlite.make = staticmethod(make)
    OnSqlite.forget = staticmethod(lambda world: shutil.rmtree(world.folder))
    run(OnSqlite, EXAMPLES)


@pytest.mark.hypothesis
def test_no_order_of_events_does_so_on_postgresql(tmp_path: Path, postgresql: Any) -> None:
    """The guards of one database could be those of that database only."""
    first = people.World(tmp_path, url=postgresql.create_database("states_first"))
    peopled(first).close()
    numbers = iter(range(1 << 20))

    def make() -> Any:
        url = postgresql.create_database(f"states{next(numbers)}", "states_first")
        return people.World(tmp_path, head=first.head, entries=[*first.entries], url=url)

    class OnPostgresql(Filing):
        pass

    OnPostgresql.make = staticmethod(make)
    run(OnPostgresql, max(EXAMPLES // 4, 1))
