"""Transfer processes: how a use is opened, and the door through which it goes.

The table is that of the Dataspace Protocol 2025-1; the moves are exchanged as in a negotiation. A
process that is *started* has a door: an endpoint and a token bound to the agreement. The token is
derived from process and epoch and not stored; the door keeps its digest. Suspending, ending or starting
again shuts the old door.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

from sqlalchemy import Connection

from entrepot.contracts import (
    Content,
    Contract,
    DoorAddress,
    Exchange,
    Machine,
    Message,
    Move,
    Next,
    Party,
    Reason,
    Render,
    State,
    TransferRequest,
    agreement_of,
    exchange,
    identified,
    in_force,
    meant,
    post,
)
from entrepot.journal import (
    AuditEvent,
    OutboxMessage,
    Page,
    Place,
    Transaction,
    audit,
    enqueue,
    is_untried,
    withdraw_lane,
    withdraw_unsent,
)
from entrepot.use import store
from entrepot.use.model import Door, TransferProcess
from entrepot.values import (
    AgreementId,
    Did,
    Digest,
    MessageId,
    NotFoundError,
    ProcessId,
    ProtocolError,
    UtcTime,
    canonical,
    sha256,
)
from entrepot.values.canonical import Json

TRANSFER: Final = Machine(
    "transfer process",
    MappingProxyType(
        {
            (State.INITIAL, Move.REQUEST, Party.CONSUMER): State.REQUESTED,
            (State.REQUESTED, Move.START, Party.PROVIDER): State.STARTED,
            (State.REQUESTED, Move.TERMINATE, Party.CONSUMER): State.TERMINATED,
            (State.REQUESTED, Move.TERMINATE, Party.PROVIDER): State.TERMINATED,
            # A consumer's start carries no door, so the provider answers it with a start of its own.
            (State.STARTED, Move.START, Party.PROVIDER): State.STARTED,
            (State.STARTED, Move.SUSPEND, Party.CONSUMER): State.SUSPENDED,
            (State.STARTED, Move.SUSPEND, Party.PROVIDER): State.SUSPENDED,
            (State.STARTED, Move.COMPLETE, Party.CONSUMER): State.COMPLETED,
            (State.STARTED, Move.COMPLETE, Party.PROVIDER): State.COMPLETED,
            (State.STARTED, Move.TERMINATE, Party.CONSUMER): State.TERMINATED,
            (State.STARTED, Move.TERMINATE, Party.PROVIDER): State.TERMINATED,
            (State.SUSPENDED, Move.START, Party.CONSUMER): State.STARTED,
            (State.SUSPENDED, Move.START, Party.PROVIDER): State.STARTED,
            (State.SUSPENDED, Move.TERMINATE, Party.CONSUMER): State.TERMINATED,
            (State.SUSPENDED, Move.TERMINATE, Party.PROVIDER): State.TERMINATED,
        }
    ),
)

Respond: TypeAlias = Callable[[Connection, TransferProcess, UtcTime], Next | None]
Moved: TypeAlias = Callable[[Transaction, TransferProcess, Party, Content], None]
"""Is told that a process has moved, or is about to stop: by whom, and with what content."""


PUSH: Final = "HttpData-PUSH"
PUSHING: Final = "use.push"
"""Kind of the outbox message behind which a push goes on until it is done."""


class Event(StrEnum):
    MOVED = "use:process:move"
    REFUSED = "use:process:refuse"


@dataclass(frozen=True, slots=True)
class Rail:
    """What the use cases of transfer processes need to know of their node."""

    render: Render
    respond: Respond
    door_token: Callable[[ProcessId, int], str]
    """Derives the token of a process and epoch; the same every time."""
    door_endpoint: Callable[[ProcessId], str]
    inbox: Callable[[ProcessId], DoorAddress | None] = lambda _pid: None
    """As consumer: where what is pushed to us is taken in, and the token that we give for it."""
    callback: str = ""
    seal: Callable[[bytes], bytes] = bytes
    """Seals a token that we received before it is written down."""
    elsewhere: Callable[[Connection, TransferProcess], bool] = lambda _connection, _process: False
    """Whether another product's data plane carries a process; then it has no door of ours."""
    moved: Moved = lambda _tx, _process, _by, _content: None
    follow_up: timedelta = timedelta(milliseconds=200)
    deadline: timedelta = timedelta(hours=24)
    deadline_waiting: timedelta = timedelta(minutes=10)
    """For a first request: somebody waits for its answer."""


def start_when_in_force(connection: Connection, process: TransferProcess, now: UtcTime) -> Next | None:
    """The product's responder: a provider starts what was requested. Whether it may was judged before."""
    del connection, now
    if process.exchange.party is Party.PROVIDER and process.exchange.state is State.REQUESTED:
        return Next(Move.START)
    return None


def request_transfer(
    tx: Transaction, rail: Rail, contract: Contract, address: str, format_name: str
) -> TransferProcess:
    """Ask the provider to open a use under `contract`."""
    process = new_process(tx, contract, address, format_name)
    destination = rail.inbox(process.exchange.id) if format_name == PUSH else None
    return request(tx, rail, process, destination)


def new_process(tx: Transaction, contract: Contract, address: str, format_name: str) -> TransferProcess:
    """A process of ours as consumer, of which the provider has not heard yet."""
    process = TransferProcess(
        exchange=Exchange(ProcessId(tx.new_id()), Party.CONSUMER),
        counterparty=contract.counterparty,
        address=address,
        agreement_id=contract.agreement.id,
        format=format_name,
    )
    store.create(tx, process)
    return process


def request(
    tx: Transaction, rail: Rail, process: TransferProcess, destination: DoorAddress | None
) -> TransferProcess:
    """Ask the provider; for a push, name where to."""
    wanted = TransferRequest(process.agreement_id, process.format, destination)
    return _move(tx, rail, process, Next(Move.REQUEST, wanted))


def started_process(connection: Connection, agreement_id: AgreementId, format_name: str) -> ProcessId | None:
    """As consumer: a process of this format whose door is open to us."""
    for process in store.of_agreement(connection, agreement_id):
        open_now = process.exchange.state is State.STARTED and process.exchange.pending is None
        if open_now and process.format == format_name and process.endpoint:
            return process.exchange.id
    return None


def receive(
    tx: Transaction,
    rail: Rail,
    message: Message,
    sender: Did,
    may_open: Callable[[Transaction, Contract, str], tuple[str, ...]],
) -> TransferProcess:
    """Take in one message. `may_open` says why a requested use may not be opened, nothing if it may."""
    if message.move is Move.REQUEST:
        return _receive_request(tx, rail, message, sender, may_open)
    process = meant(TRANSFER, message, sender, partial(store.read, tx.connection))
    before = identified(TRANSFER, process.exchange, message)
    if message.move is Move.START and before.party is Party.PROVIDER:
        contract = agreement_of(tx.connection, process.agreement_id)
        why = ("no such agreement",) if contract is None else may_open(tx, contract, process.format)
        if why:
            raise ProtocolError("; ".join(why))
    pending = before.pending
    sent = pending is None or not is_untried(tx, pending.message_id)
    after = exchange.receive(TRANSFER, before, message.move, before.party.other, sent=sent)
    if pending is not None and after.pending is None:
        withdraw_lane(tx, before.id)  # it has arrived, or comes too late
    process = replace(process, exchange=after)
    match message.content:
        case DoorAddress() as door if before.party is Party.CONSUMER:
            process = replace(process, endpoint=door.endpoint, sealed_token=rail.seal(door.token.encode()))
        case Reason() as reason:
            process = replace(process, problem=_said(reason))
        case _:
            pass
    if message.move is Move.START:
        process = replace(process, problem="")  # why it was suspended is told no longer
    process = _proceed(
        tx, rail, process, process.exchange, before, by=before.party.other, content=message.content
    )
    resumes = message.move is Move.START and before.party is Party.PROVIDER
    # Where another data plane carries it, the start that answers comes when that has answered.
    if resumes and process.exchange.pending is None and not rail.elsewhere(tx.connection, process):
        return _move(tx, rail, process, Next(Move.START))  # the consumer needs a new door
    return process


def _receive_request(
    tx: Transaction,
    rail: Rail,
    message: Message,
    sender: Did,
    may_open: Callable[[Transaction, Contract, str], tuple[str, ...]],
) -> TransferProcess:
    request = message.content
    if not isinstance(request, TransferRequest) or message.consumer_pid is None or not message.callback:
        raise ProtocolError("a transfer request names agreement, format, consumerPid and callbackAddress")
    if store.find_by_peer(tx.connection, sender, Party.PROVIDER, message.consumer_pid) is not None:
        raise ProtocolError("this process id is in use by another transfer process of yours")
    contract = agreement_of(tx.connection, request.agreement_id)
    if contract is None or contract.counterparty != sender or contract.party is not Party.PROVIDER:
        raise NotFoundError("there is no such agreement with you")
    why = may_open(tx, contract, request.format)
    if why:
        audit(tx, AuditEvent(Event.REFUSED, {"agreement": contract.agreement.id, "reasons": list(why)}))
        raise ProtocolError("; ".join(why))
    new = Exchange(ProcessId(tx.new_id()), Party.PROVIDER, peer_pid=message.consumer_pid)
    after = exchange.receive(TRANSFER, new, Move.REQUEST, Party.CONSUMER)
    process = TransferProcess(after, sender, message.callback, request.agreement_id, request.format)
    if request.format == PUSH:
        if request.destination is None or not request.destination.endpoint:
            raise ProtocolError("a transfer request for a push names in dataAddress where to push")
        sealed = rail.seal(request.destination.token.encode())
        process = replace(process, endpoint=request.destination.endpoint, sealed_token=sealed)
    store.create(tx, process)
    return _proceed(tx, rail, process, after, new, by=Party.CONSUMER, saved=True, content=request)


def move(tx: Transaction, rail: Rail, process_id: ProcessId, wanted: Next) -> TransferProcess:
    """Make a move that our owner or a rule of ours wants: suspend, start again, complete, terminate."""
    process = existing(tx.connection, process_id)
    at = process.exchange
    is_resumed = wanted.move is Move.START and wanted.content is None and at.party is Party.PROVIDER
    if is_resumed and at.state is State.SUSPENDED and rail.elsewhere(tx.connection, process):
        exchange.propose(TRANSFER, at, wanted.move, MessageId(""))  # refused where another is on its way
        _tell(tx, rail, process, State.STARTED, at.party, None)
        return process
    if isinstance(wanted.content, Reason):
        process = replace(process, problem="")  # why it was suspended is told no longer
    return _move(tx, rail, process, wanted)


def give_up(tx: Transaction, rail: Rail, process_id: ProcessId, why: Reason) -> TransferProcess:
    """Nothing can come of a process: end it, and tell the peer where that has heard of it."""
    process = existing(tx.connection, process_id)
    process = replace(process, problem=_said(why))
    before = process.exchange
    if before.state is not State.INITIAL:
        return _move(tx, rail, process, Next(Move.TERMINATE, why))
    after = replace(before, state=State.TERMINATED, version=before.version + 1)
    process = _saved(tx, replace(process, exchange=after), before)
    rail.moved(tx, process, before.party, None)
    return process


def note(tx: Transaction, process_id: ProcessId, problem: str) -> None:
    """Write down what our owner should know of a process; it goes on as it was."""
    process = existing(tx.connection, process_id)
    before = process.exchange
    after = replace(before, version=before.version + 1)
    _saved(tx, replace(process, exchange=after, problem=problem[:1000]), before)


def delivered(
    tx: Transaction, rail: Rail, message_id: MessageId, peer_pid: ProcessId | None
) -> TransferProcess | None:
    """The peer answered 2xx. None where nothing waited for it: then the peer's state should be read."""
    process = store.find_by_message(tx.connection, message_id)
    if process is None or (after := exchange.delivered(TRANSFER, process.exchange, message_id)) is None:
        return None
    if after.peer_pid is None:
        after = replace(after, peer_pid=peer_pid)
    return _proceed(tx, rail, process, after, process.exchange, by=after.party)


def refused(
    tx: Transaction, rail: Rail, message_id: MessageId, peer_state: State | None, why: str
) -> TransferProcess | None:
    """The peer refused our message for good, or it could not be brought to it before its deadline."""
    process = store.find_by_message(tx.connection, message_id)
    if process is None or process.exchange.pending is None:
        return None
    before, ours = process.exchange, process.exchange.pending.move
    after = exchange.refused(TRANSFER, before, message_id, peer_state)
    process = replace(process, problem=why[:1000])
    if after.pending is None and not TRANSFER.is_final(after.state):
        if ours is Move.TERMINATE or (ours is Move.COMPLETE and peer_state is None):
            # We are through with it, whether the peer has heard or not.
            after = replace(after, state=State.COMPLETED if ours is Move.COMPLETE else State.TERMINATED)
        elif peer_state is None or after.state is State.REQUESTED:
            # The peer knows nothing of it, or refused its start: nothing can come of this process.
            process = _saved(tx, replace(process, exchange=after), before)
            return _move(tx, rail, process, Next(Move.TERMINATE, Reason("refused")))
    return _proceed(tx, rail, process, after, before, by=after.party)


def adopt(tx: Transaction, process_id: ProcessId, peer_state: State | None) -> None:
    """The peer was asked for its state; take over what suspends or ends the process."""
    process = existing(tx.connection, process_id)
    after = exchange.adopted(TRANSFER, process.exchange, peer_state)
    if after is not process.exchange:
        _shut_if_closed(tx, after)
        _saved(tx, replace(process, exchange=after), process.exchange)


def find_door(connection: Connection, process_id: ProcessId, token: str) -> Door | None:
    """Find the open door of a process that this token opens; None for any other token."""
    return store.read_door(connection, process_id, token_digest(token))


def token_digest(token: str) -> Digest:
    return sha256(b"entrepot/door/v1\n" + token.encode())


def existing(connection: Connection, process_id: ProcessId) -> TransferProcess:
    process = store.read(connection, process_id)
    if process is None:
        raise NotFoundError("there is no such transfer process here")
    return process


def read_process(connection: Connection, process_id: ProcessId) -> TransferProcess | None:
    return store.read(connection, process_id)


def processes(connection: Connection, most: int = 200) -> list[TransferProcess]:
    """The newest of them."""
    return list(process_page(connection, Place(size=most)).items)


def process_page(
    connection: Connection, place: Place, agreement_id: AgreementId | None = None
) -> Page[TransferProcess]:
    """A page of all processes, or of those under one agreement."""
    return store.page(connection, place, agreement_id)


def agreements_over(connection: Connection, now: UtcTime) -> list[AgreementId]:
    """Agreements that no longer hold, though a process under them is not over."""
    found = ((a, agreement_of(connection, a)) for a in store.open_agreements(connection))
    return [a for a, contract in found if contract is None or in_force(contract, now)]


def end_processes(tx: Transaction, rail: Rail, agreement_id: AgreementId) -> int:
    """Terminate every process under an agreement that no longer holds; its doors shut at once."""
    ended = 0
    for process in store.of_agreement(tx.connection, agreement_id):
        at = process.exchange
        is_ending = at.pending is not None and at.pending.move is Move.TERMINATE
        if not is_ending and TRANSFER.after(at.state, Move.TERMINATE, at.party) is not None:
            why = Reason("contract", ("the contract is no longer in force",))
            _move(tx, rail, replace(process, problem=""), Next(Move.TERMINATE, why))
            ended += 1
    return ended


def is_held(process: TransferProcess) -> bool:
    """As consumer: whether its door is shut for now: suspended, or about to be, or resumed a moment ago."""
    at = process.exchange
    suspending = at.pending is not None and at.pending.move is Move.SUSPEND
    over = TRANSFER.is_final(at.state)
    return not over and (suspending or at.state is not State.STARTED or not process.endpoint)


def consumers_at_doors(connection: Connection) -> list[Did]:
    """As provider: everybody to whom a door stands open."""
    return store.consumers_at_doors(connection)


def is_ended(process: TransferProcess) -> bool:
    """Whether a process is over, or ended by us, though the peer has not heard of it yet."""
    at = process.exchange
    ending = at.pending is not None and at.pending.move is Move.TERMINATE
    return ending or TRANSFER.is_final(at.state)


def has_door(connection: Connection, process_id: ProcessId) -> bool:
    """Say whether a process has an open door."""
    return store.has_door(connection, process_id)


def may_flow(connection: Connection, process_id: ProcessId) -> bool:
    """Whether what a process carries may go on: as provider its door is open, as consumer it is started."""
    if has_door(connection, process_id):
        return True
    process = store.read(connection, process_id)
    if process is None or process.exchange.party is Party.PROVIDER:
        return False
    return not is_held(process) and not is_ended(process)


def _proceed(
    tx: Transaction,
    rail: Rail,
    process: TransferProcess,
    after: Exchange,
    before: Exchange,
    *,
    by: Party,
    saved: bool = False,
    content: Content = None,
) -> TransferProcess:
    """Save, open or shut the door, then do what the responder wants next."""
    process = _without_old_token(replace(process, exchange=after))
    overtaken = before.pending is not None and before.pending.behind is not None
    if overtaken and after.pending is None:
        withdraw_unsent(tx, after.id)  # the move that waited behind has nothing left to do
    if not saved:
        if after.version == before.version:
            process = replace(process, exchange=replace(after, version=after.version + 1))
        _saved(tx, process, before)
    if after.state is not before.state:
        facts: dict[str, Json] = {
            "process": after.id,
            "agreement": process.agreement_id,
            "from": str(before.state),
            "to": str(after.state),
            "by": str(by),
        }
        audit(tx, AuditEvent(Event.MOVED, facts))
    _shut_if_closed(tx, after)
    rail.moved(tx, process, by, content)
    if process.exchange.pending is None:
        wanted = rail.respond(tx.connection, process, tx.now)
        if wanted is not None and not rail.elsewhere(tx.connection, process):
            return _move(tx, rail, process, wanted)
    return process


def _move(tx: Transaction, rail: Rail, process: TransferProcess, wanted: Next) -> TransferProcess:
    before = process.exchange
    message_id = MessageId(tx.new_id())
    sent = before.pending is not None and withdraw_unsent(tx, before.id) == 0
    after = exchange.propose(TRANSFER, before, wanted.move, message_id, sent=sent)
    content = wanted.content
    if wanted.move in {Move.SUSPEND, Move.COMPLETE, Move.TERMINATE}:
        store.shut_door(tx, before.id)  # at once, whether the peer has heard or not
        stopped = TRANSFER.after(before.state, wanted.move, before.party)
        if stopped is not None:
            _tell(tx, rail, process, stopped, before.party, None)
    is_provided = wanted.move is Move.START and before.party is Party.PROVIDER
    if is_provided and not rail.elsewhere(tx.connection, process):
        process = replace(process, epoch=process.epoch + 1)
        process = _with_door(tx, rail, process)
        if process.format == PUSH:
            # Its door is for us alone: the consumer has named its own.
            begin_push(tx, before.id, process.endpoint, process.epoch, rail.follow_up, rail.deadline)
        else:
            token = rail.door_token(before.id, process.epoch)
            content = DoorAddress(rail.door_endpoint(before.id), token)
    if isinstance(content, Reason):
        process = replace(process, problem=process.problem or _said(content))
    elif wanted.move is Move.START:
        process = replace(process, problem="")
    process = replace(process, exchange=after)
    _saved(tx, process, before)
    post(tx, rail, before, wanted.move, message_id, content, process.address)
    return process


def _said(reason: Reason) -> str:
    return ", ".join(t for t in (reason.code, *reason.texts) if t)[:1000]


def _tell(
    tx: Transaction, rail: Rail, process: TransferProcess, state: State, by: Party, content: Content
) -> None:
    """Tell of a move as soon as it is wanted: what carries the data must not wait for the peer's answer."""
    rail.moved(tx, replace(process, exchange=replace(process.exchange, state=state)), by, content)


def _without_old_token(process: TransferProcess) -> TransferProcess:
    """A token lives as long as its process is started; a new one comes with the next start."""
    if process.exchange.party is Party.PROVIDER or process.exchange.state is State.STARTED:
        return process
    return replace(process, endpoint="", sealed_token=b"")


def _with_door(tx: Transaction, rail: Rail, process: TransferProcess) -> TransferProcess:
    """Hang the door before its token goes out: whoever has the token finds it open, not sooner."""
    process_id = process.exchange.id
    token = rail.door_token(process_id, process.epoch)
    store.open_door(
        tx,
        Door(process_id, process.agreement_id, process.counterparty, process.format, process.epoch),
        token_digest(token),
    )
    return process


def begin_push(
    tx: Transaction, process_id: ProcessId, endpoint: str, epoch: int, after: timedelta, life: timedelta
) -> None:
    """Queue a push, in a lane of its own: messages of its process do not wait behind it."""
    enqueue(
        tx,
        OutboxMessage(
            id=MessageId(tx.new_id()),
            kind=PUSHING,
            lane=f"push {process_id}",
            address=endpoint,
            body=canonical.encode({"epoch": epoch, "process": process_id}),
            not_before=tx.now + after,
            deadline=tx.now + life,
        ),
    )


def _shut_if_closed(tx: Transaction, after: Exchange) -> None:
    if after.party is Party.PROVIDER and (TRANSFER.is_final(after.state) or after.state is State.SUSPENDED):
        store.shut_door(tx, after.id)


def _saved(tx: Transaction, process: TransferProcess, before: Exchange) -> TransferProcess:
    store.save(tx, process, expected_version=before.version)
    return process
