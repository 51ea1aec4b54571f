"""Push: an artefact sent to where its consumer wants it, through the gate (`HttpData-PUSH`).

The consumer names an address and a token in its transfer request. The push goes on behind a message of
the outbox until it is done, over any crash on either side: the receiver is asked how much it has, and only
what is missing is sent. The process has a door as every other; its token never leaves, it is how the node
itself comes to the gate. All attempts of one start are one use, as all ranges of a pull are.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

import anyio
import msgspec
from sqlalchemy import Connection

from entrepot import catalogue
from entrepot.contracts import Move, Next, Party, Reason, State, agreement_of
from entrepot.journal import Journal, OutboxMessage, Transaction, postpone
from entrepot.journal import settle as drop
from entrepot.use.cargo import Cargo, Consignment, Sealer, consignment, seen_of
from entrepot.use.delivery import CHANGED
from entrepot.use.doors import USE_HEADER
from entrepot.use.flow import serving
from entrepot.use.flow import store as flow_store
from entrepot.use.flow.behind import to_push
from entrepot.use.flow.model import FlowState, Quay
from entrepot.use.gate import admit, settle
from entrepot.use.inbox import RECEIVED_HEADER
from entrepot.use.model import Admitted, Denied, House, Knock, Outcome, Spent, TransferProcess, Use
from entrepot.use.process import TRANSFER, Rail, existing, has_door, move, read_process
from entrepot.use.streams import Stream, Streams
from entrepot.use.upkeep import GoingOn
from entrepot.values import KindOfUse, ProcessId, RefusedError, TransitionError, UnavailableError, UtcTime

_KEPT: Final = timedelta(seconds=60)
_HEARTBEAT: Final = 20.0
_FIRST_PAUSE: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = timedelta(minutes=5)
_AT_ONCE: Final = struct.pack("ii", 1, 0)
_MOST_DIGITS: Final = 18
_AGAIN: Final = frozenset({408, 409, 423, 425, 429})


class Replied(Protocol):
    """What a receiver answered, whole."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...


Ask = Callable[[str, Mapping[str, str]], Awaitable[Replied]]
"""Asks an address for its head; raises `UnavailableError` where nobody answers."""
Pour = Callable[
    [str, Mapping[str, str], AsyncIterator[bytes], Callable[[socket.socket], None]], Awaitable[Replied]
]
"""Posts a body piece by piece over a connection of its own, whose socket it shows."""


class _Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an outbox message says: which start of which process is pushed."""

    epoch: int
    process: str


@dataclass(frozen=True, slots=True)
class Pusher:
    """Carries pushes; `send` is the sender of their outbox messages."""

    journal: Journal
    house: House
    streams: Streams
    rail: Rail
    sealer: Sealer
    unseal: Callable[[bytes], bytes]
    """Opens a token that `rail.seal` has sealed."""
    ask: Ask
    pour: Pour
    quay: Quay | None = None
    """What data flows stand on, where another control plane may start a push."""

    async def send(self, message: OutboxMessage, now: UtcTime) -> None:
        """Push what a message is about, as far as it goes; it stays until the receiver has everything."""
        wanted = msgspec.json.decode(message.body, type=_Wanted)
        process_id = ProcessId(wanted.process)
        process = await self.journal.read(lambda c: _to_push(c, self.quay, process_id, wanted.epoch))
        if process is None:  # it was suspended, ended or started again: another message stands for that
            await self.journal.write(lambda tx: drop(tx, message.id))
            return
        if now >= message.deadline:
            await self._give_up(message, process_id, ("the receiver was not reached before the deadline",))
            return
        if process.exchange.pending is not None:
            # Our start is not answered yet: what completes the process could not follow it.
            pause = self.rail.follow_up * (1 << min(message.attempts - 1, 4))
            await self.journal.write(lambda tx: postpone(tx, message.id, tx.now + pause))
            return
        beating = asyncio.create_task(self._hold(message))
        try:
            await self._push(process)
        except UnavailableError:
            pause = min(_FIRST_PAUSE * (1 << min(message.attempts, 16)), _LONGEST_PAUSE)
            beating.cancel()
            await self.journal.write(lambda tx: postpone(tx, message.id, tx.now + pause))
        except RefusedError as error:
            await self._give_up(message, process_id, error.reasons)
        else:
            await self.journal.write(lambda tx: self._done(tx, message, process_id))
        finally:
            beating.cancel()

    async def _push(self, process: TransferProcess) -> None:
        process_id = process.exchange.id
        found = await self.journal.read(lambda c: consignment(c, process))
        if found is None:
            raise RefusedError("the product of this contract is not here")
        seal = await self.sealer.seal(process, found)
        cargo = found.cargo(seal)
        head = _let_in(self.unseal(process.sealed_token).decode())
        offset = await self._offset(process, head, cargo)
        token = self.rail.door_token(process_id, process.epoch)
        knock = Knock(process_id, token, KindOfUse.DELIVERY, None, seen_of(seal))
        cut = _Cut()
        # Registered before the gate is asked, as at a door.
        with self.streams.registered(process.agreement_id, process_id, cut) as stream:
            use = await self._admitted(knock, found)
            stream.begin()
            await self._pour(process, use, cargo, offset, head, stream, cut)

    def _done(self, tx: Transaction, message: OutboxMessage, process_id: ProcessId) -> None:
        """The receiver has everything. It completes the process with its receipt; without `tds` we do.

        Of a flow that is the end.
        """
        drop(tx, message.id)
        if self.quay is not None and (flow := flow_store.read(tx.connection, process_id)) is not None:
            if flow.state is FlowState.STARTED:
                serving.finished(tx, self.quay, flow)
            return
        process = existing(tx.connection, process_id)
        contract = agreement_of(tx.connection, process.agreement_id)
        if contract is not None and contract.one_sided:
            with contextlib.suppress(TransitionError):  # it is over already
                move(tx, self.rail, process_id, Next(Move.COMPLETE))

    async def _offset(self, process: TransferProcess, head: Mapping[str, str], cargo: Cargo) -> int:
        """How much the receiver has already; nothing, where it does not say."""
        reply = await self.ask(process.endpoint, head)
        said = reply.headers.get(RECEIVED_HEADER, "")
        if not 200 <= reply.status < 300 or not said.isascii() or not said.isdigit():
            return 0
        if len(said) > _MOST_DIGITS or int(said) > cargo.size:
            raise RefusedError("the receiver claims to have more than there is")
        return int(said)

    async def _admitted(self, knock: Knock, found: Consignment) -> Use:
        admitted: Admitted | Denied = await self.journal.write(lambda tx: admit(tx, knock, self.house))
        if isinstance(admitted, Denied):
            raise RefusedError(*admitted.reasons)
        if not await asyncio.to_thread(catalogue.is_unchanged, found.resource):
            await self._settle(admitted.use, Outcome.REFUSED, 0)
            raise RefusedError(*CHANGED.reasons)
        return admitted.use

    async def _pour(
        self,
        process: TransferProcess,
        use: Use,
        cargo: Cargo,
        offset: int,
        head: Mapping[str, str],
        stream: Stream,
        cut: "_Cut",
    ) -> None:
        told = {
            **head,
            "content-type": cargo.media_type,
            "content-length": str(cargo.size - offset),
            "etag": cargo.etag,
            USE_HEADER: use.id,
        }
        if offset:
            span = f"{offset}-{cargo.size - 1}" if offset < cargo.size else "*"
            told["content-range"] = f"bytes {span}/{cargo.size}"
        going_on = GoingOn(self.journal, self.house, use.id)
        counted = _Counted(cargo.pieces(offset, cargo.size), stream, going_on)
        outcome = Outcome.INTERRUPTED
        try:
            cut.task = asyncio.create_task(self._poured(process.endpoint, told, counted, cut))
            if stream.is_cut:
                cut()
            reply = await cut.task
            outcome = _judged(reply, counted.sent)
        except asyncio.CancelledError:
            if not stream.is_cut:
                raise
            raise UnavailableError("the push was cut") from None
        finally:
            cut.task = None
            with anyio.CancelScope(shield=True):
                await self._settle(use, outcome, counted.sent)
        if _is_final(reply.status):
            raise RefusedError(*_reasons(reply))
        if outcome is not Outcome.SENT:
            raise UnavailableError(f"the receiver answered {reply.status}")

    async def _poured(
        self, url: str, headers: Mapping[str, str], counted: "_Counted", cut: "_Cut"
    ) -> Replied:
        return await self.pour(url, headers, counted.pieces(), cut.connected)

    async def _settle(self, use: Use, outcome: Outcome, sent: int) -> None:
        spent = Spent(bytes=sent)
        await self.journal.write(lambda tx: settle(tx, self.house, use.id, outcome, spent))

    async def _hold(self, message: OutboxMessage) -> None:
        """Keep the message ours while the push goes on: it may take hours, a claim lasts a minute."""
        while True:
            await asyncio.sleep(_HEARTBEAT)
            await self.journal.write(lambda tx: postpone(tx, message.id, tx.now + _KEPT))

    async def _give_up(self, message: OutboxMessage, process_id: ProcessId, reasons: tuple[str, ...]) -> None:
        """Nothing can come of this push: end the process, and say why."""

        def end(tx: Transaction) -> None:
            drop(tx, message.id)
            if self.quay is not None and (flow := flow_store.read(tx.connection, process_id)) is not None:
                serving.failed(tx, self.quay, flow, reasons)
                return
            process = read_process(tx.connection, process_id)
            if process is not None and TRANSFER.after(process.exchange.state, Move.TERMINATE, Party.PROVIDER):
                move(tx, self.rail, process_id, Next(Move.TERMINATE, Reason("push", reasons)))

        await self.journal.write(end)


class _Cut:
    """How a push is cut: its task ends, and what the kernel still holds for the receiver is thrown away."""

    def __init__(self) -> None:
        self.task: asyncio.Task[Replied] | None = None
        self._socket: socket.socket | None = None

    def connected(self, opened: socket.socket) -> None:
        self._socket = opened

    def __call__(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it was closed a moment ago
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        if self.task is not None:
            self.task.cancel()


class _Counted:
    """Pieces on their way, and how many bytes of them have gone."""

    def __init__(self, pieces: AsyncIterator[bytes], stream: Stream, going_on: GoingOn) -> None:
        self._pieces = pieces
        self._stream = stream
        self._going_on = going_on
        self.sent = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            if self._stream.is_cut:
                return
            await self._going_on.tick()
            self.sent += len(piece)  # now: a receiver may take all of it and refuse before we hear of it
            yield piece


def _to_push(
    connection: Connection, quay: Quay | None, process_id: ProcessId, epoch: int
) -> TransferProcess | None:
    """The process, where this start of it is still the one that holds."""
    process = to_push(connection, quay, process_id)
    if process is None or process.epoch != epoch or not has_door(connection, process_id):
        return None
    at = process.exchange  # of one that is suspended a door is open only where a start is on its way
    return None if at.state is State.SUSPENDED and at.pending is None else process


def _let_in(token: str) -> dict[str, str]:
    """The header that opens the receiver's address; a consumer need not ask for one."""
    return {"authorization": f"Bearer {token}"} if token else {}


def _judged(reply: Replied, sent: int) -> Outcome:
    """What a receiver's answer makes of the use."""
    if reply.status in {200, 201, 204}:
        return Outcome.SENT
    return Outcome.REFUSED if _is_final(reply.status) and sent == 0 else Outcome.INTERRUPTED


def _is_final(status: int) -> bool:
    """Whether a receiver will not take it, however often it is asked."""
    return 300 <= status < 500 and status not in _AGAIN


def _reasons(reply: Replied) -> tuple[str, ...]:
    """Why a receiver did not take it, in its own words, bounded: they are shown to both owners."""
    try:
        document = msgspec.json.decode(reply.body)
        said = document.get("reasons") if isinstance(document, dict) else None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        said = None
    listed = [str(r)[:200] for r in said[:5]] if isinstance(said, list) else []
    return (f"the receiver answered {reply.status}", *listed)
