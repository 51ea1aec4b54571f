"""Duties: done first, done by the gate, fallen due, performed, overdue; what each does to the next use."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text


def _load(name: str, path: Path) -> ModuleType:
    """Test folders are no packages; what several tests share is loaded by its path, once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


gate_world = _load("gate_world", Path(__file__).with_name("gate_world.py"))

from entrepot.identity import KeyJob, Signer, Vault, issue_membership, remember_membership  # noqa: E402
from entrepot.policy import Duty, Moment, Policy, Rule, parse_policy, render_policy  # noqa: E402
from entrepot.use import (  # noqa: E402
    Admitted,
    Denied,
    Outcome,
    Owed,
    decode_notice,
    duties,
    make_notice,
    seen,
    take_in_notice,
)
from entrepot.use.duties import DutyState, state_of  # noqa: E402
from entrepot.values import (  # noqa: E402
    Did,
    Grade,
    KindOfUse,
    MalformedError,
    Money,
    NotFoundError,
    ProtocolError,
    RefusedError,
    TrustError,
    UseId,
)

MONTH = timedelta(days=30)
DELETE = Duty("delete", Moment.AFTER, MONTH)
NAME = "delete within P30D"


@contextmanager
def world_under(
    folder: Path, *owed: Duty, constraint: Any = None, kind: KindOfUse = KindOfUse.DELIVERY
) -> Iterator[Any]:
    """A provider whose one contract owes this."""
    policy = Policy((Rule("use", (), owed),))
    document: Any = render_policy(policy)
    if constraint is not None:
        document["permission"][0]["constraint"] = [constraint]
    folder.mkdir(exist_ok=True)
    grade = Grade.L1 if kind is KindOfUse.API else Grade.L2
    world = gate_world.World(folder, parse_policy(document), frozenset({kind}), grade)
    world.house = replace(world.house, oldest_unanchored=timedelta(days=1_000))
    yield world
    world.close()


def use_once(world: Any, outcome: Outcome = Outcome.RECEIVED) -> UseId:
    found = world.knock()
    assert isinstance(found, Admitted), found
    world.settle(found.use.id, Outcome.SENT, found.use.size)
    world.settle(found.use.id, outcome)
    return found.use.id


def refused(world: Any) -> tuple[str, ...]:
    found = world.knock()
    assert isinstance(found, Denied), found
    return found.reasons


def owed(world: Any) -> list[Owed]:
    return world.journal.read_now(lambda c: duties.duties_of(c, gate_world.AGREEMENT))  # type: ignore[no-any-return]  # loaded by its path


def states(world: Any) -> list[tuple[str, DutyState]]:
    return [(o.name, state_of(o, world.now)) for o in owed(world)]


def perform(world: Any, name: str, use_id: UseId | None = None) -> Owed:
    return world.journal.write_now(  # type: ignore[no-any-return]  # loaded by its path
        lambda tx: duties.record_performance(tx, world.contract(tx.connection), name, use_id)
    )


def wait(world: Any, by: timedelta) -> None:
    world.now += by
    world.learn_status()


def audited(world: Any) -> list[str]:
    rows = text("SELECT name FROM audit_event WHERE name LIKE 'use:duty:%' ORDER BY row")
    return [row[0] for row in world.journal.read_now(lambda c: c.execute(rows).all())]


def test_what_is_owed_first_is_written_down_and_opens_the_door(tmp_path: Path) -> None:
    """A duty before use is a condition: shown, performed, recorded, and then the use goes on."""
    with world_under(tmp_path, Duty("inform"), Duty("compensate", amount=Money(10_000, "CNY"))) as world:
        assert refused(world) == ("do first: inform", "do first: compensate 100.00 CNY")
        perform(world, "inform")
        assert refused(world) == ("do first: compensate 100.00 CNY",)
        pay(world, Money(9_900, "CNY"))
        assert refused(world) == ("do first: compensate 100.00 CNY",)
        pay(world, Money(10_000, "CNY"))
        use_once(world)
        use_once(world)

        assert audited(world) == ["use:duty:perform"] * 3
        with pytest.raises(RefusedError, match="performed already"):
            perform(world, "inform")
        with pytest.raises(NotFoundError):
            perform(world, "delete")


def pay(world: Any, amount: Money) -> Owed:
    return world.journal.write_now(  # type: ignore[no-any-return]  # loaded by its path
        lambda tx: duties.record_payment(tx, world.contract(tx.connection), amount)
    )


def test_the_gate_does_itself_what_is_owed_alongside(tmp_path: Path) -> None:
    """Each use informs; an end that is not as it should be raises the alarm, a good one does not."""
    with world_under(tmp_path, Duty("inform", Moment.ALONGSIDE), Duty("alert", Moment.ALONGSIDE)) as world:
        first = use_once(world)
        second = use_once(world, Outcome.DIFFERS)

        assert [(o.action, o.use_id) for o in owed(world)] == [
            ("inform", first),
            ("inform", second),
            ("alert", second),
        ]
        assert {state for _, state in states(world)} == {DutyState.PERFORMED}


def test_what_a_door_must_do_alongside_is_asked_of_what_it_did(tmp_path: Path) -> None:
    """A contract that promises encryption lets nothing out in the clear."""
    with world_under(tmp_path, Duty("encrypt", Moment.ALONGSIDE)) as world:
        assert "treatment hasPart encrypt" in refused(world)[0]
        assert isinstance(world.knock(observed=seen(is_encrypted=True)), Admitted)


def test_a_deletion_falls_due_when_a_use_is_closed_and_bars_the_next_when_overdue(tmp_path: Path) -> None:
    """Due for a month, then overdue and against further use, until it is reported; late stays known."""
    with world_under(tmp_path, DELETE) as world:
        first = use_once(world)
        wait(world, timedelta(days=1))
        second = use_once(world)
        assert states(world) == [(NAME, DutyState.DUE)] * 2

        wait(world, timedelta(days=29))
        assert isinstance(world.knock(), Admitted)
        wait(world, timedelta(seconds=1))
        assert refused(world) == ("overdue since 2026-12-25 08:00 UTC: delete within P30D",)
        assert states(world)[0] == (NAME, DutyState.OVERDUE)

        done = perform(world, NAME)
        assert (done.use_id, done.performed_at) == (first, world.now)
        assert isinstance(world.knock(), Admitted)
        wait(world, timedelta(days=1))
        assert len(refused(world)) == 1
        perform(world, NAME, second)
        assert [state for _, state in states(world)] == [DutyState.PERFORMED] * 2
        assert owed(world)[0].performed_at > owed(world)[0].due_at  # type: ignore[operator]  # both are there


def test_a_use_that_never_touched_data_leaves_nothing_to_be_done(tmp_path: Path) -> None:
    """Who got nothing has nothing to delete."""
    with world_under(tmp_path, DELETE, Duty("alert", Moment.ALONGSIDE)) as world:
        found = world.knock()
        assert isinstance(found, Admitted)
        world.settle(found.use.id, Outcome.REFUSED)

        assert owed(world) == []


def test_a_storage_period_is_kept_like_a_duty_to_delete(tmp_path: Path) -> None:
    """The age of the oldest copy without a reported deletion is a fact, and the period its limit."""
    retention = {"leftOperand": "retention", "operator": "lteq", "rightOperand": "P30D"}
    with world_under(tmp_path, constraint=retention) as world:
        use_once(world)
        wait(world, MONTH)
        assert isinstance(world.knock(), Admitted)
        wait(world, timedelta(microseconds=1))
        assert [r.split(",")[0] for r in refused(world)] == [
            "overdue since 2026-12-25 08:00 UTC: delete within P30D",
            "permission[0].constraint[0]: asked retention lteq P30D",
        ]
        perform(world, NAME)
        assert isinstance(world.knock(), Admitted)


def test_calls_of_an_open_api_share_one_deletion(tmp_path: Path) -> None:
    """A thousand calls leave one thing to do, due from the first; who reported begins anew."""
    with world_under(tmp_path, DELETE, kind=KindOfUse.API) as world:

        def call() -> UseId:
            found = world.knock(gate_world.CALLING, kind=KindOfUse.API)
            assert isinstance(found, Admitted), found
            world.settle(found.use.id, Outcome.ANSWERED, 5)
            return found.use.id

        first, _, _ = call(), call(), call()
        assert [(o.use_id, o.due_at) for o in owed(world)] == [(first, gate_world.NOW + MONTH)]
        perform(world, NAME)
        later = call()
        assert [o.use_id for o in owed(world)] == [first, later]


def test_each_call_of_an_open_api_owes_its_own_payment(tmp_path: Path) -> None:
    """What is paid for each use is not paid for all by one."""
    price = Duty("compensate", Moment.AFTER, MONTH, Money(5, "CNY"))
    with world_under(tmp_path, price, kind=KindOfUse.API) as world:
        for _ in range(3):
            found = world.knock(gate_world.CALLING, kind=KindOfUse.API)
            world.settle(found.use.id, Outcome.ANSWERED, 5)

        assert [o.amount for o in owed(world)] == [Money(5, "CNY")] * 3


def test_a_payment_after_use_is_performed_by_paying_it(tmp_path: Path) -> None:
    """Each use owes its own payment; the amount decides, not the name."""
    with world_under(tmp_path, Duty("compensate", Moment.AFTER, MONTH, Money(500, "CNY"))) as world:
        first, second = use_once(world), use_once(world)
        assert pay(world, Money(500, "CNY")).use_id == first
        assert pay(world, Money(400, "CNY")).use_id is None
        assert pay(world, Money(500, "CNY")).use_id == second

        assert {state for _, state in states(world)} == {DutyState.PERFORMED}


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    vault = Vault.create(
        tmp_path / "consumer", "a passphrase for tests", gate_world.CONSUMER, (KeyJob.EVIDENCE,)
    )
    return vault.signer(KeyJob.EVIDENCE)


def knows(world: Any, signer: Signer) -> None:
    """The platform's credential names the consumer's evidence key."""
    member = replace(world.membership, evidence_key_id=signer.key_id, evidence_key=signer.public)
    vault = Vault.create(world.folder / "platform", "for tests", gate_world.PLATFORM, (KeyJob.IDENTITY,))
    credential = issue_membership(vault.signer(KeyJob.IDENTITY), member)
    world.journal.write_now(lambda tx: remember_membership(tx, credential, member))


def notice(
    world: Any, signer: Signer, name: str, use_id: UseId | None, *, me: Did = gate_world.CONSUMER
) -> bytes:
    contract = world.journal.read_now(world.contract)
    return make_notice(contract, name, use_id, me, world.now, signer)


def take_in(world: Any, raw: bytes, sender: Did = gate_world.CONSUMER) -> Owed:
    return world.journal.write_now(lambda tx: take_in_notice(tx, sender, decode_notice(raw)))  # type: ignore[no-any-return]  # as above


def test_a_signed_notice_is_the_proof_of_a_deletion(tmp_path: Path, signer: Signer) -> None:
    """Kept as the bytes that were signed; a repeat changes nothing, another one finds nothing due."""
    with world_under(tmp_path / "p", DELETE, Duty("inform")) as world:
        knows(world, signer)
        take_in(world, notice(world, signer, "inform", None))
        use_id = use_once(world)
        raw = notice(world, signer, NAME, use_id)
        taken = take_in(world, raw)
        wait(world, timedelta(days=1))

        assert take_in(world, raw) == taken
        assert (taken.proof, taken.use_id) == (raw, use_id)
        assert states(world) == [("inform", DutyState.PERFORMED), (NAME, DutyState.PERFORMED)]
        with pytest.raises(NotFoundError):
            take_in(world, notice(world, signer, NAME, use_id))


def test_a_notice_is_believed_of_the_consumer_alone(tmp_path: Path, signer: Signer) -> None:
    """Nobody reports for another, with another key, of another contract, or that it was paid itself."""
    with world_under(tmp_path / "p", DELETE, Duty("compensate", Moment.AFTER, MONTH)) as world:
        use_id = use_once(world)
        raw = notice(world, signer, NAME, use_id)
        with pytest.raises(TrustError):
            take_in(world, raw)
        knows(world, signer)
        with pytest.raises(NotFoundError):
            take_in(world, raw, Did("did:web:other"))
        with pytest.raises(TrustError):
            take_in(world, raw[:-1] + bytes([raw[-1] ^ 1]))
        with pytest.raises(MalformedError):
            notice(world, signer, NAME, use_id, me=Did("did:web:other"))
        with pytest.raises(NotFoundError):
            take_in(world, notice(world, signer, NAME, UseId("urn:uuid:none")))
        with pytest.raises(RefusedError, match="whoever was paid"):
            take_in(world, notice(world, signer, "compensate within P30D", use_id))

        assert {state for _, state in states(world)} == {DutyState.DUE}


@pytest.mark.parametrize("cut", [0, 10, 64, 65])
def test_what_is_no_notice_is_refused(cut: int, tmp_path: Path, signer: Signer) -> None:
    """Bytes of a stranger end in a fault of theirs, not of ours."""
    with world_under(tmp_path / "p", DELETE) as world:
        raw = notice(world, signer, NAME, None)
    with pytest.raises((MalformedError, ProtocolError)):
        decode_notice(raw[:cut])
    with pytest.raises(MalformedError):
        decode_notice(b"\xff" * 100)


def test_what_waits_is_listed_across_agreements(tmp_path: Path) -> None:
    """The owner sees what is due, the earliest first."""
    with world_under(tmp_path, DELETE, Duty("inform", Moment.AFTER, timedelta(days=1))) as world:
        use_once(world)
        waiting = world.journal.read_now(duties.duties_waiting)

        assert [o.name for o in waiting] == ["inform within P1D", NAME]
        assert isinstance(waiting[0].due_at, datetime)
