"""Our control plane drives a foreign data plane: what it is told, and what becomes of the process."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

_SPEC = importlib.util.spec_from_file_location("gate_world", Path(__file__).parents[1] / "gate_world.py")
assert _SPEC is not None
assert _SPEC.loader is not None
gate_world = sys.modules.setdefault("gate_world", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(gate_world)

from entrepot.contracts import (  # noqa: E402 (after the world is loaded)
    DoorAddress,
    Message,
    Move,
    Next,
    Reason,
    State,
    TransferRequest,
)
from entrepot.journal import Transaction, claim, settle  # noqa: E402
from entrepot.use import TransferProcess, UseState, close_due, uses  # noqa: E402
from entrepot.use import process as transfers  # noqa: E402
from entrepot.use.flow import driving, planes  # noqa: E402
from entrepot.use.flow.driving import Driven, Helm  # noqa: E402
from entrepot.use.flow.model import HTTP_PULL, FlowState, Plane, PlaneKind, Step  # noqa: E402
from entrepot.values import ConflictError, MessageId, ProcessId, ProductId, ProtocolError  # noqa: E402

ADDRESS = DoorAddress("https://lake.example/data", "their token", HTTP_PULL, (("expiresIn", "300"),))
LAKE = Plane("lake", PlaneKind.DATA, "https://lake.example/signaling", (HTTP_PULL,))


class Helmsman:
    """A provider whose product another product's data plane serves."""

    def __init__(self, folder: Path) -> None:
        self.world = gate_world.World(folder)
        self.told: list[tuple[Step, DoorAddress | None]] = []
        self.rail = transfers.Rail(
            render=lambda message, base: (base, str(message.content).encode()),
            respond=transfers.start_when_in_force,
            door_token=lambda pid, epoch: f"token {pid} {epoch}",
            door_endpoint=lambda pid: f"https://us.example/door/{pid}",
            elsewhere=driving.is_elsewhere,
            moved=lambda tx, p, by, content: driving.moved(tx, self.helm, p, by, content),
        )
        self.helm = Helm(self.rail, self.world.house, self._tell)

        def serve(tx: Transaction) -> None:
            planes.register(tx, LAKE)
            planes.serve_elsewhere(tx, ProductId("6PRODUCT"), "lake")

        self.write(serve)

    def _tell(self, _tx: Transaction, _driven: Driven, step: Step, address: DoorAddress | None) -> None:
        self.told.append((step, address))

    def write(self, use_case: Any) -> Any:
        return self.world.journal.write_now(use_case)

    def request(self, pid: str = "urn:uuid:theirs") -> ProcessId:
        wanted = TransferRequest(gate_world.AGREEMENT, "HttpData-PULL")
        message = Message(
            MessageId(f"request {pid}"), Move.REQUEST, ProcessId(pid), None, wanted, "https://them"
        )
        process: TransferProcess = self.write(
            lambda tx: transfers.receive(tx, self.rail, message, gate_world.CONSUMER, lambda *_: ())
        )
        return process.exchange.id

    def hear(self, process_id: ProcessId, move: Move) -> None:
        """A later message of the consumer's."""
        content = Reason("enough") if move is Move.TERMINATE else None
        message = Message(
            MessageId(f"{move} {self.world.now}"), move, ProcessId("urn:uuid:theirs"), process_id, content
        )
        self.write(lambda tx: transfers.receive(tx, self.rail, message, gate_world.CONSUMER, lambda *_: ()))

    def answer(self, process_id: ProcessId, state: FlowState, address: DoorAddress | None = None) -> None:
        """The data plane says how far it is."""
        self.write(lambda tx: driving.reached(tx, self.helm, process_id, state, "their flow", address))

    def sent(self) -> list[bytes]:
        """What goes out to the consumer now, and that it arrives."""
        self.world.now += timedelta(seconds=1)
        messages = self.write(lambda tx: claim(tx, "test", ("dsp",), 1))
        for message in messages:
            self.write(lambda tx, of=message: self._arrived(tx, of.id))
        return [m.body for m in messages]

    def _arrived(self, tx: Transaction, message_id: MessageId) -> None:
        settle(tx, message_id)
        transfers.delivered(tx, self.rail, message_id, None)

    def process(self, process_id: ProcessId) -> TransferProcess:
        found = self.world.journal.read_now(lambda c: transfers.read_process(c, process_id))
        assert found is not None
        return found

    def steps(self) -> list[Step]:
        return [step for step, _ in self.told]

    def uses(self) -> list[UseState]:
        return [u.state for u in self.world.journal.read_now(lambda c: uses(c, 10))]


@pytest.fixture
def helmsman(tmp_path: Path) -> Iterator[Helmsman]:
    made = Helmsman(tmp_path)
    yield made
    made.world.close()


def test_the_start_waits_for_the_data_plane_and_carries_its_address(helmsman: Helmsman) -> None:
    """A consumer told too early finds nothing there; told of our own door, it finds the wrong data."""
    pid = helmsman.request()
    before = helmsman.sent()
    helmsman.answer(pid, FlowState.STARTED, ADDRESS)
    (start,) = helmsman.sent()

    assert (helmsman.steps(), before) == ([Step.START], [])
    assert b"https://lake.example/data" in start
    assert helmsman.process(pid).exchange.state is State.STARTED


def test_a_start_is_a_use_that_the_gate_has_let_in(helmsman: Helmsman) -> None:
    """What another data plane gives out is counted and recorded as what we give out ourselves."""
    helmsman.request()

    assert helmsman.uses() == [UseState.OPEN]


def test_what_the_gate_refuses_the_data_plane_never_hears_of(helmsman: Helmsman) -> None:
    """No door leads around the policy, not even one in another house."""
    for number in range(gate_world.LIMIT):
        helmsman.request(f"urn:uuid:{number}")
    with pytest.raises(ProtocolError, match="count"):
        helmsman.request("urn:uuid:one-too-many")

    assert helmsman.steps() == [Step.START] * gate_world.LIMIT


def test_a_data_plane_that_refuses_ends_the_process_with_its_reason(helmsman: Helmsman) -> None:
    """Else the consumer would wait for ever, and nobody would know why."""
    pid = helmsman.request()
    helmsman.write(lambda tx: driving.refused(tx, helmsman.helm, pid, "lake answered 403: no such data"))
    (termination,) = helmsman.sent()

    assert b"no such data" in termination
    assert "no such data" in helmsman.process(pid).problem
    assert helmsman.process(pid).exchange.state is State.TERMINATED


def test_a_pause_is_told_at_once_and_the_resumption_has_a_new_address(helmsman: Helmsman) -> None:
    """A suspension that waited for the consumer's answer would let data flow on."""
    pid = helmsman.request()
    helmsman.answer(pid, FlowState.STARTED, ADDRESS)
    helmsman.sent()
    helmsman.write(lambda tx: transfers.move(tx, helmsman.rail, pid, Next(Move.SUSPEND, Reason("rest"))))
    at_once = helmsman.steps()
    helmsman.sent()
    helmsman.write(lambda tx: transfers.move(tx, helmsman.rail, pid, Next(Move.START)))
    helmsman.answer(pid, FlowState.STARTED, replace(ADDRESS, token="another"))
    (start,) = helmsman.sent()

    assert at_once == [Step.START, Step.SUSPEND]
    assert helmsman.steps() == [Step.START, Step.SUSPEND, Step.RESUME]
    assert b"lake.example" in start
    assert helmsman.process(pid).exchange.state is State.STARTED


def test_a_resumption_waits_until_the_pause_was_answered(helmsman: Helmsman) -> None:
    """Else data would flow again before the consumer has heard that it stops."""
    pid = helmsman.request()
    helmsman.answer(pid, FlowState.STARTED, ADDRESS)
    helmsman.sent()
    helmsman.hear(pid, Move.SUSPEND)
    helmsman.write(lambda tx: transfers.move(tx, helmsman.rail, pid, Next(Move.TERMINATE, Reason("end"))))
    with pytest.raises(ConflictError):
        helmsman.write(lambda tx: transfers.move(tx, helmsman.rail, pid, Next(Move.START)))

    assert helmsman.steps() == [Step.START, Step.SUSPEND, Step.TERMINATE]


def test_an_error_of_the_data_plane_is_told_to_nobody_but_the_owner(helmsman: Helmsman) -> None:
    """Data Plane Signaling, Errored: it must not be propagated to the counterparty."""
    pid = helmsman.request()
    helmsman.answer(pid, FlowState.STARTED, ADDRESS)
    helmsman.sent()
    helmsman.write(lambda tx: driving.errored(tx, pid, "the disk is gone"))

    assert helmsman.sent() == []
    assert helmsman.process(pid).exchange.state is State.STARTED
    assert "the disk is gone" in helmsman.process(pid).problem


def test_an_answer_that_comes_twice_or_too_late_starts_nothing(helmsman: Helmsman) -> None:
    """Callbacks are repeated; a process that has ended stays ended."""
    pid = helmsman.request()
    helmsman.answer(pid, FlowState.STARTED, ADDRESS)
    helmsman.sent()
    helmsman.answer(pid, FlowState.STARTED, ADDRESS)
    again = helmsman.sent()
    helmsman.hear(pid, Move.COMPLETE)
    helmsman.answer(pid, FlowState.STARTED, ADDRESS)

    assert (again, helmsman.sent()) == ([], [])
    assert helmsman.steps() == [Step.START, Step.COMPLETE]
    assert helmsman.process(pid).exchange.state is State.COMPLETED


def test_a_use_that_runs_elsewhere_goes_on_until_it_stops(helmsman: Helmsman) -> None:
    """Nobody here sees it move; closing it after an hour of silence would say what is not so."""
    pid = helmsman.request()
    helmsman.answer(pid, FlowState.STARTED, ADDRESS)
    helmsman.sent()
    helmsman.world.now += timedelta(hours=3)
    helmsman.write(lambda tx: close_due(tx, helmsman.world.house))
    running = helmsman.uses()
    helmsman.hear(pid, Move.COMPLETE)
    helmsman.world.now += timedelta(minutes=5)
    helmsman.write(lambda tx: close_due(tx, helmsman.world.house))

    assert (running, helmsman.uses()) == ([UseState.OPEN], [UseState.CLOSED])
