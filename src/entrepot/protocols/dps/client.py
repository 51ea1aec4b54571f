"""Words to another product's planes: queued with the move that they tell of, sent from the outbox.

2xx: it has heard. 404, 409 and a closed connection count as *too early* for a while; 5xx and silence are
repeated until the deadline, with growing pauses; any other answer is a refusal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import msgspec

from entrepot.contracts import DoorAddress
from entrepot.journal import Journal, OutboxMessage, Transaction, enqueue, postpone, settle
from entrepot.protocols.dps import codec
from entrepot.protocols.dsp import Meaning, judge, pause
from entrepot.protocols.dsp import codec as dsp
from entrepot.protocols.route import Outgoing, Reply
from entrepot.use.flow import driving, planes
from entrepot.use.flow.driving import Driven, Helm
from entrepot.use.flow.model import Flow, FlowState, Order, PlaneKind, Step
from entrepot.values import (
    Did,
    EntrepotError,
    MalformedError,
    MessageId,
    ProcessId,
    TrustError,
    UtcTime,
    canonical,
)

DPS: Final = "dps"
"""Kind of the outbox messages to planes."""
LIFE: Final = timedelta(hours=24)
_ORDERS: Final = frozenset({Step.PREPARE, Step.START})
_NEEDED: Final = frozenset({Step.PREPARE, Step.START, Step.STARTED, Step.RESUME})
"""What a process cannot go on without."""
_CALLBACKS: Final = {
    FlowState.PREPARED: "prepared",
    FlowState.STARTED: "started",
    FlowState.COMPLETED: "completed",
}


class _Parcel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the outbox holds: to which plane, about what, and the message itself."""

    kind: PlaneKind
    message: dict[str, Any]
    plane: str
    process: str
    step: str


def signal(tx: Transaction, flow: Flow, address: DoorAddress | None) -> None:
    """Tell the control plane of a flow where that stands (`quay.signal`)."""
    plane = planes.plane_of(tx.connection, PlaneKind.CONTROL, flow.plane)
    if plane is None:
        return
    word = "errored" if flow.problem else _CALLBACKS.get(flow.state, "errored")
    message_id = MessageId(tx.new_id())
    url = f"{plane.endpoint}/transfers/{dsp.path_step(flow.order.process_id)}/dataflow/{word}"
    message = codec.render_status(message_id, flow, address)
    _queue(tx, message_id, url, f"dps {flow.id}", _Parcel(PlaneKind.CONTROL, message, plane.id, "", word))


def teller(me: Did) -> driving.Tell:
    """How a data plane is told what to do (`helm.tell`)."""

    def tell(tx: Transaction, driven: Driven, step: Step, address: DoorAddress | None) -> None:
        process = driven.process
        process_id = process.exchange.id
        message_id = MessageId(tx.new_id())
        if step in _ORDERS:
            path = f"/dataflows/{step}"
            order = Order(
                process_id=process_id,
                participant=me,
                counterparty=process.counterparty,
                dataset=driven.contract.agreement.target,
                agreement=process.agreement_id,
                profile=driven.plane.profile(process.format) or process.format,
            )
            message = codec.render_order(message_id, order, address)
        else:
            # One that never named its flow calls it as we call the process.
            path = f"/dataflows/{dsp.path_step(driven.flow_id or process_id)}/{step}"
            message = {} if step is Step.COMPLETE else codec.render_word(message_id, address)
        parcel = _Parcel(PlaneKind.DATA, message, driven.plane.id, process_id, str(step))
        _queue(tx, message_id, driven.plane.endpoint + path, f"dps {process_id}", parcel)

    return tell


def _queue(tx: Transaction, message_id: MessageId, url: str, lane: str, parcel: _Parcel) -> None:
    enqueue(
        tx,
        OutboxMessage(
            id=message_id,
            kind=DPS,
            lane=lane,
            address=url,
            body=canonical.encode_struct(parcel),
            not_before=tx.now,
            deadline=tx.now + LIFE,
        ),
    )


@dataclass(frozen=True, slots=True)
class Signals:
    """What it takes to bring words to planes, and to take in what they answer."""

    journal: Journal
    helm: Helm
    outgoing: Outgoing
    unseal: Callable[[bytes], bytes]
    too_early: timedelta = timedelta(seconds=10)

    async def send(self, message: OutboxMessage, now: UtcTime) -> Meaning:
        parcel = msgspec.json.decode(message.body, type=_Parcel)
        address, reply = await self._post(message, parcel)
        age, expired = now - message.not_before + pause(message.attempts), now >= message.deadline
        status = None if reply is None else reply.status
        meaning = judge(status, age, self.too_early, expired=expired)
        if meaning is Meaning.AGAIN:
            await self.journal.write(lambda tx: postpone(tx, message.id, now + pause(message.attempts)))
            return meaning
        word = codec.Word("") if reply is None else _answered(reply)

        def take_in(tx: Transaction) -> None:
            settle(tx, message.id)
            if parcel.kind is PlaneKind.DATA:
                self._take_in(tx, parcel, meaning, word, f"{address} answered {status}")

        await self.journal.write(take_in)
        return meaning

    def _take_in(
        self, tx: Transaction, parcel: _Parcel, meaning: Meaning, word: codec.Word, answered: str
    ) -> None:
        process_id, step = ProcessId(parcel.process), Step(parcel.step)
        if driving.driven_process(tx.connection, process_id) is None or step not in _NEEDED:
            return
        if meaning is Meaning.REFUSED:
            why = f"{answered}: {word.reason}" if word.reason else answered
            driving.refused(tx, self.helm, process_id, why)
            return
        done = FlowState.PREPARED if step is Step.PREPARE else FlowState.STARTED
        driving.reached(tx, self.helm, process_id, word.state or done, word.flow_id, word.address)

    async def _post(self, message: OutboxMessage, parcel: _Parcel) -> tuple[str, Reply | None]:
        plane = await self.journal.read(lambda c: planes.plane_of(c, parcel.kind, parcel.plane))
        if plane is None:
            return "nobody", Reply(410, b"", {})
        try:
            headers = {"content-type": "application/json"}
            if plane.sealed:
                headers["authorization"] = self.unseal(plane.sealed).decode()
            body = canonical.encode(parcel.message)
            return plane.id, await self.outgoing("POST", message.address, body, headers)
        except TrustError:
            raise
        except EntrepotError:
            return plane.id, None  # it may be there again before the deadline


def _answered(reply: Reply) -> codec.Word:
    """What an answer says; of one that cannot be read, nothing."""
    try:
        return codec.parse_word(reply.body)
    except MalformedError:
        return codec.Word("")
