"""Our control plane drives another product's data plane (Data Plane Signaling 1.0-RC3).

The transfer process stays the protocol's: it moves as ever, and each of its moves becomes a word to the
data plane, queued in the same transaction. What waits for the data plane is the protocol's start, and a
consumer's request; both go out when it has answered. One start of a flow is one use: the gate is asked
before the data plane is; what the data plane then sends, nobody here sees.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from entrepot.contracts import (
    Content,
    Contract,
    DoorAddress,
    Move,
    Next,
    Party,
    Reason,
    State,
    TransferRequest,
    agreement_of,
)
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.use import store as processes
from entrepot.use.flow import store
from entrepot.use.flow.model import FlowState, Plane, PlaneKind, Step
from entrepot.use.flow.rules import FINAL
from entrepot.use.gate import admit, settle
from entrepot.use.model import Denied, Door, House, Knock, Outcome, TransferProcess
from entrepot.use.process import (
    PUSH,
    TRANSFER,
    Rail,
    give_up,
    move,
    new_process,
    note,
    request,
    token_digest,
)
from entrepot.values import FORMATS, NotFoundError, ProcessId, ProtocolError, UseId


class Event(StrEnum):
    ERRORED = "use:flow:error"


@dataclass(frozen=True, slots=True)
class Driven:
    """A transfer process of ours whose bytes another product's data plane carries."""

    process: TransferProcess
    contract: Contract
    plane: Plane
    flow_id: str
    """Its name there; empty until its data plane has named it."""
    state: FlowState
    """How far it is there, as far as we have said and heard."""
    use_id: UseId


Tell = Callable[[Transaction, Driven, Step, DoorAddress | None], None]
"""Queues a word to a data plane."""


@dataclass(frozen=True, slots=True)
class Helm:
    """What driving needs to know of its node."""

    rail: Rail
    house: House
    tell: Tell


def is_elsewhere(connection: Connection, process: TransferProcess) -> bool:
    """Whether another product's data plane carries a process."""
    return store.driven(connection, process.exchange.id) is not None


def driven_process(connection: Connection, process_id: ProcessId) -> Driven | None:
    """What is known of a process that another data plane carries."""
    process = processes.read(connection, process_id)
    return None if process is None else _driven(connection, process)


def request_through(
    tx: Transaction, helm: Helm, contract: Contract, address: str, format_name: str, plane_id: str
) -> TransferProcess:
    """As consumer: open a use whose data another product's data plane takes in; it is asked first."""
    plane = store.read_plane(tx.connection, PlaneKind.DATA, plane_id)
    if plane is None or plane.profile(format_name) is None:
        raise NotFoundError(f"no data plane of that name serves {format_name}")
    process = new_process(tx, contract, address, format_name)
    store.drive(tx, process.exchange.id, plane.id, FlowState.PREPARING, UseId(""))
    driven = Driven(process, contract, plane, "", FlowState.PREPARING, UseId(""))
    helm.tell(tx, driven, Step.PREPARE, None)
    return process


def moved(tx: Transaction, helm: Helm, process: TransferProcess, by: Party, content: Content) -> None:
    """A transfer process has moved, or is to stop: tell its data plane, where that is not ours."""
    if process.exchange.state is State.REQUESTED and by is Party.CONSUMER:
        _take_on(tx, process)
    driven = _driven(tx.connection, process)
    step = None if driven is None else _word(driven, by)
    if driven is None or step is None:
        return
    address = content if isinstance(content, DoorAddress) else None
    if step is Step.START and isinstance(content, TransferRequest):
        address = content.destination
    if process.exchange.party is Party.PROVIDER:
        driven = _through_the_gate(tx, helm, driven, step)
    waits = process.exchange.party is Party.PROVIDER and step is Step.RESUME
    _keep(tx, replace(driven, state=FlowState.STARTING if waits else _REACHED[step]))
    helm.tell(tx, driven, step, address)


def reached(
    tx: Transaction,
    helm: Helm,
    process_id: ProcessId,
    state: FlowState,
    flow_id: str,
    address: DoorAddress | None,
) -> None:
    """The data plane says how far it is, in its answer or later on: go on with what waited for that."""
    driven = _existing(tx, process_id)
    driven = replace(driven, flow_id=flow_id or driven.flow_id)
    process, before = driven.process, driven.state
    match state, before:
        case FlowState.PREPARED, FlowState.PREPARING:
            if process.format == PUSH and address is None:
                give_up(tx, helm.rail, process_id, Reason("dataPlane", ("it named no address to push to",)))
                return
            _keep(tx, replace(driven, state=state))
            request(tx, helm.rail, process, address if process.format == PUSH else None)
        case FlowState.STARTED, FlowState.STARTING:
            _keep(tx, replace(driven, state=state))
            move(tx, helm.rail, process_id, Next(Move.START, address))
        case FlowState.COMPLETED, FlowState.STARTED:
            _keep(tx, replace(driven, state=state))
            move(tx, helm.rail, process_id, Next(Move.COMPLETE))
        case FlowState.TERMINATED, _ if before not in FINAL:
            refused(tx, helm, process_id, "the data plane has terminated the flow")
        case _:
            _keep(tx, driven)


def refused(tx: Transaction, helm: Helm, process_id: ProcessId, why: str) -> None:
    """The data plane does not do what the process needs: end it, and say why."""
    driven = _existing(tx, process_id)
    at = driven.process.exchange
    if not TRANSFER.is_final(at.state):
        give_up(tx, helm.rail, process_id, Reason("dataPlane", (why[:500],)))


def errored(tx: Transaction, process_id: ProcessId, why: str) -> None:
    """The data plane met an error for good. The peer is not told; what becomes of it our owner decides."""
    _existing(tx, process_id)
    note(tx, process_id, f"data plane: {why}")
    audit(tx, AuditEvent(Event.ERRORED, {"process": process_id}))


def _word(driven: Driven, by: Party) -> Step | None:
    """What the data plane must be told, seen from where it is; nothing where it knows already."""
    here, state = driven.state, driven.process.exchange.state
    if here in FINAL:
        return None
    if state is State.REQUESTED:
        return Step.START if here is FlowState.INITIALIZED else None
    if state is State.STARTED:
        return _word_of_start(driven, by)
    if state is State.SUSPENDED and here is FlowState.SUSPENDED:
        return None
    return _STOPS.get(state)


def _word_of_start(driven: Driven, by: Party) -> Step | None:
    is_suspended = driven.state is FlowState.SUSPENDED
    if driven.process.exchange.party is Party.PROVIDER:
        return Step.RESUME if is_suspended else None
    # A consumer's own start has no address; the provider's answer to it has.
    if by is Party.CONSUMER and driven.process.format != PUSH:
        return None
    return Step.RESUME if is_suspended else Step.STARTED


def _take_on(tx: Transaction, process: TransferProcess) -> None:
    """A process of a product that another data plane serves is carried there from the beginning."""
    contract = agreement_of(tx.connection, process.agreement_id)
    plane_id = None if contract is None else store.server_of(tx.connection, contract.agreement.target)
    if plane_id is None or process.exchange.party is not Party.PROVIDER:
        return
    plane = store.read_plane(tx.connection, PlaneKind.DATA, plane_id)
    if plane is None or plane.profile(process.format) is None:
        raise ProtocolError(f"the format {process.format} is not served for this product")
    store.drive(tx, process.exchange.id, plane_id, FlowState.INITIALIZED, UseId(""))


def _through_the_gate(tx: Transaction, helm: Helm, driven: Driven, step: Step) -> Driven:
    """A start is a use: it is admitted before the data plane hears of it, and settled when it stops."""
    process_id, process = driven.process.exchange.id, driven.process
    if step not in {Step.START, Step.RESUME}:
        if driven.use_id:
            outcome = Outcome.SENT if step is Step.COMPLETE else Outcome.INTERRUPTED
            settle(tx, helm.house, driven.use_id, outcome)
        return driven
    # The token never leaves: it is how the node itself comes to the gate, as in a push.
    token = helm.rail.door_token(process_id, process.epoch)
    door = Door(process_id, process.agreement_id, process.counterparty, process.format, process.epoch)
    processes.open_door(tx, door, token_digest(token))
    admitted = admit(tx, Knock(process_id, token, FORMATS[process.format]), helm.house)
    if isinstance(admitted, Denied):
        raise ProtocolError("; ".join(admitted.reasons))
    return replace(driven, use_id=admitted.use.id)


def _driven(connection: Connection, process: TransferProcess) -> Driven | None:
    row = store.driven(connection, process.exchange.id)
    if row is None:
        return None
    plane = store.read_plane(connection, PlaneKind.DATA, row.plane)
    contract = agreement_of(connection, process.agreement_id)
    if plane is None or contract is None:
        return None  # it was dropped: nobody is there to be told
    return Driven(process, contract, plane, row.flow_id, FlowState(row.state), UseId(row.use_id))


def _existing(tx: Transaction, process_id: ProcessId) -> Driven:
    driven = driven_process(tx.connection, process_id)
    if driven is None:
        raise NotFoundError("no data plane carries such a process")
    return driven


def _keep(tx: Transaction, driven: Driven) -> None:
    store.move_driven(tx, driven.process.exchange.id, driven.flow_id, driven.state, driven.use_id)


_STOPS: Final = MappingProxyType(
    {State.SUSPENDED: Step.SUSPEND, State.COMPLETED: Step.COMPLETE, State.TERMINATED: Step.TERMINATE}
)
_REACHED: Final = MappingProxyType(
    {
        Step.START: FlowState.STARTING,
        Step.STARTED: FlowState.STARTED,
        Step.SUSPEND: FlowState.SUSPENDED,
        Step.RESUME: FlowState.STARTED,
        Step.COMPLETE: FlowState.COMPLETED,
        Step.TERMINATE: FlowState.TERMINATED,
    }
)
