"""The gate: what it lets through, what it refuses, what it writes down, and that no step can be left out."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

_SPEC = importlib.util.spec_from_file_location("gate_world", Path(__file__).with_name("gate_world.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
gate_world = sys.modules.setdefault("gate_world", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(gate_world)

from entrepot.contracts import EndReason, end_contract  # noqa: E402 (after the world is loaded)
from entrepot.ledger import RecordKind  # noqa: E402
from entrepot.use import Denied, Outcome, steps  # noqa: E402
from entrepot.use import gate as the_gate  # noqa: E402
from entrepot.use.model import Cleared  # noqa: E402
from entrepot.values import Digest, render_digest  # noqa: E402

World, admitted, denied = gate_world.World, gate_world.admitted, gate_world.denied


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def a_use_is_opened_and_closed_by_its_receipt(world: World) -> None:
    use = admitted(world.knock()).use
    assert world.kinds(use.id) == [RecordKind.OPENED]
    world.settle(use.id, Outcome.SENT, use.size)
    world.settle(use.id, Outcome.RECEIVED)
    assert world.kinds(use.id) == [RecordKind.OPENED, RecordKind.CLOSED]


def a_closed_use_is_metered_once(world: World) -> None:
    use = admitted(world.knock()).use
    world.settle(use.id, Outcome.SENT, use.size)
    world.settle(use.id, Outcome.RECEIVED)
    assert world.settle(use.id, Outcome.LAPSED) is None
    rows = world.journal.read_now(lambda c: c.execute(text("SELECT uses, bytes FROM meter")).all())
    assert [tuple(r) for r in rows] == [(1, use.size)]


def the_limit_holds(world: World) -> None:
    for process in (gate_world.PROCESS, gate_world.OTHER):
        use = admitted(world.knock(process)).use
        world.settle(use.id, Outcome.SENT, use.size)
        world.settle(use.id, Outcome.RECEIVED)
    reasons = denied(world.knock()).reasons
    assert any("count" in r for r in reasons)


def all_ranges_of_one_process_are_one_use(world: World) -> None:
    first = admitted(world.knock()).use
    world.settle(first.id, Outcome.SENT, 3)
    assert admitted(world.knock()).use.id == first.id
    assert admitted(world.knock(gate_world.OTHER)).use.id != first.id


def a_broken_connection_is_written_down_and_resumed_without_cost(world: World) -> None:
    use = admitted(world.knock()).use
    world.settle(use.id, Outcome.INTERRUPTED, 3)
    world.reboot()
    assert admitted(world.knock()).use.id == use.id
    kinds = [RecordKind.OPENED, RecordKind.INTERRUPTED, RecordKind.RESUMED]
    assert world.kinds(use.id) == kinds
    admitted(world.knock(gate_world.OTHER))


def what_never_touched_data_is_given_back(world: World) -> None:
    for _ in range(2 * gate_world.LIMIT):
        use = admitted(world.knock()).use
        world.settle(use.id, Outcome.REFUSED, 0)


def what_touched_data_is_not_given_back(world: World) -> None:
    use = admitted(world.knock()).use
    world.settle(use.id, Outcome.REFUSED, 1)
    assert world.kinds(use.id)[-1] is RecordKind.INTERRUPTED


def a_call_is_closed_by_its_answer(world: World) -> None:
    use = admitted(world.ask()).use
    world.settle(use.id, Outcome.ANSWERED, 20, rows=2, answer=Digest(b"a" * 32), size=20, environment="tier")
    closed = world.records(use.id)[-1]
    assert (closed.kind, closed.outcome, closed.environment) == (RecordKind.CLOSED, "answered", "tier")
    assert (closed.artefact, closed.size) == (render_digest(Digest(b"a" * 32)), 20)
    assert (closed.units.rows, closed.units.bytes) == (2, 20)
    assert admitted(world.ask()).use.id != use.id


def a_call_that_broke_off_is_closed_and_counted(world: World) -> None:
    for _ in range(gate_world.LIMIT):
        use = admitted(world.ask()).use
        world.settle(use.id, Outcome.INTERRUPTED)
        assert world.kinds(use.id) == [RecordKind.OPENED, RecordKind.CLOSED]
    assert any("count" in r for r in denied(world.ask()).reasons)


def a_door_serves_its_own_kind_of_use_only(world: World) -> None:
    assert any("EntrepotQuery-PULL" in r for r in denied(world.knock(gate_world.ASKING)).reasons)


def a_stranger_is_told_nothing(world: World) -> None:
    found = denied(world.knock(token="another token"))
    assert not found.known


def a_denial_is_audited_once_a_minute_and_never_a_record(world: World) -> None:
    for _ in range(3):
        denied(world.knock(purpose="marketing"))
    query = text("SELECT count(*) FROM audit_event WHERE name = 'use:use:deny'")
    assert world.journal.read_now(lambda c: c.execute(query).scalar_one()) == 1
    assert (
        world.journal.read_now(lambda c: c.execute(text("SELECT count(*) FROM ledger_record")).scalar_one())
        == 0
    )


def a_purpose_not_promised_is_refused(world: World) -> None:
    reasons = denied(world.knock(purpose="marketing")).reasons
    assert any("purpose" in r for r in reasons)


def an_ended_contract_admits_nothing(world: World) -> None:
    admitted(world.knock())
    world.journal.write_now(lambda tx: end_contract(tx, gate_world.AGREEMENT, EndReason.ORDER))
    assert any("06" in r for r in denied(world.knock()).reasons)


SCENARIOS: tuple[Callable[[World], None], ...] = (
    a_use_is_opened_and_closed_by_its_receipt,
    a_closed_use_is_metered_once,
    the_limit_holds,
    all_ranges_of_one_process_are_one_use,
    a_broken_connection_is_written_down_and_resumed_without_cost,
    what_never_touched_data_is_given_back,
    what_touched_data_is_not_given_back,
    a_call_is_closed_by_its_answer,
    a_call_that_broke_off_is_closed_and_counted,
    a_door_serves_its_own_kind_of_use_only,
    a_stranger_is_told_nothing,
    a_denial_is_audited_once_a_minute_and_never_a_record,
    a_purpose_not_promised_is_refused,
    an_ended_contract_admits_nothing,
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_the_gate_keeps_its_promises(world: World, scenario: Callable[[World], None]) -> None:
    """One promise of the gate; the name says which."""
    scenario(world)


STEPS: dict[str, Callable[..., object]] = {
    "identify": lambda _tx, knock: gate_world.Door(
        knock.process_id, gate_world.AGREEMENT, gate_world.CONSUMER, "HttpData-PULL", 1
    ),
    "find_agreement": lambda _tx, _door: None,
    "find_live_use": lambda *_: None,
    "decide": lambda tx, _house, _knock, _door, contract, **_: Cleared(
        steps.plan_of(contract.agreement.policy).decide({}),
        steps.goods_of(tx.connection, contract),
        timedelta(0),
    ),
    "deny": lambda _tx, _house, _door, reasons: Denied(reasons),
    "resume": lambda _tx, _house, use: use,
    "reserve": lambda *_: True,
    "open_use": lambda *_: None,
    "find_use": lambda tx, use_id: steps.store.read_use(tx.connection, use_id),
    "check_output": lambda _use, outcome, _sent: outcome,
    "release": lambda *_: None,
    "write_down": lambda _tx, _house, use, _outcome, _sent: use,
    "meter": lambda *_: None,
}  # fmt: skip
"""Each named step of the gate, and what the gate would be without it."""


@pytest.mark.parametrize("step", STEPS)
def test_no_step_of_the_gate_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Removing any one step breaks at least one promise: none of them is decoration."""
    monkeypatch.setattr(steps, step, STEPS[step])
    broken = 0
    for number, scenario in enumerate(SCENARIOS):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = World(folder)
        try:
            scenario(world)
        except Exception:  # noqa: BLE001 (whatever goes wrong, the promise is broken)
            broken += 1
        finally:
            world.close()
        if broken:
            break
    assert broken


def test_the_gate_is_short_enough_to_be_read_at_once() -> None:
    """A newcomer reads the whole product in under eighty lines."""
    lines = Path(the_gate.__file__).read_text().splitlines()
    assert len(lines) < 80


def test_every_named_step_is_tested() -> None:
    """A step that is added to the gate is added here."""
    named = set(Path(the_gate.__file__).read_text().replace("(", " ").replace(".", " . ").split())
    assert {s for s in dir(steps) if s in named and callable(getattr(steps, s)) and s in STEPS} == set(STEPS)


def test_knowledge_that_is_too_old_is_refused_after_the_grace(world: World) -> None:
    """Without a newer status list uses under contracts in force go on for a day at this grade, no longer."""
    world.now += timedelta(hours=23)
    use = admitted(world.knock()).use
    world.settle(use.id, Outcome.SENT, use.size)
    world.now += timedelta(hours=2)
    assert any("old" in r for r in denied(world.knock()).reasons)


def test_a_revoked_member_is_refused_for_good(world: World) -> None:
    """A later list that shows the member again does not undo what was known."""
    world.now += timedelta(seconds=10)
    world.learn_status(revoked=True)
    assert any("revoked" in r for r in denied(world.knock()).reasons)
    world.now += timedelta(seconds=10)
    world.learn_status()
    assert any("revoked" in r for r in denied(world.knock()).reasons)


def test_records_that_the_ledger_does_not_get_close_the_gate(world: World) -> None:
    """A node that is cut off from the ledger opens nothing new once its records are too old."""
    use = admitted(world.knock()).use
    world.settle(use.id, Outcome.SENT, use.size)
    world.now += timedelta(minutes=61)
    world.learn_status()
    assert any("ledger" in r for r in denied(world.knock(gate_world.OTHER)).reasons)


@pytest.mark.parametrize("outcome", [Outcome.RECEIVED, Outcome.INTERRUPTED, Outcome.FAILED, Outcome.REFUSED])
def test_a_clock_that_is_set_back_leaves_records_that_can_be_read(world: World, outcome: Outcome) -> None:
    """A use that lasted less than no time had a record that its own reader refused, and so no evidence."""
    use = admitted(world.knock()).use
    world.now -= timedelta(hours=2)
    world.settle(use.id, outcome, 0)

    assert [record.units.seconds for record in world.records(use.id)][-1] == 0


def test_a_clock_that_is_set_back_opens_no_window_again_that_has_not_begun(world: World) -> None:
    """What is judged is the time at which it is asked: before the contract's begin and after its end, no."""
    begun = world.now
    for moved, is_in in ((-2, False), (0, True), (24 * 365, False), (1, True), (-3, False)):
        world.now = begun + timedelta(hours=moved)
        world.learn_status()
        assert isinstance(world.knock(), Denied) is not is_in, moved


@pytest.mark.parametrize("how", ["a crash", "a cut", "a cut and a crash"])
def test_a_use_that_broke_off_is_not_given_back_to_who_refuses_later(world: World, how: str) -> None:
    """A node died in a push: what had left was in no count, and a receiver that then said no got it free."""
    use = admitted(world.knock()).use
    if "cut" in how:
        world.settle(use.id, Outcome.INTERRUPTED)
    if "crash" in how:
        world.house = replace(world.house, boot="boot-2")
    admitted(world.knock())
    world.settle(use.id, Outcome.REFUSED)

    assert RecordKind.CLOSED not in world.kinds(use.id)
    admitted(world.knock(gate_world.OTHER))
    assert any("count" in reason for reason in denied(world.ask()).reasons)
