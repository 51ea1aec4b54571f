"""Taking data in at a control plane's word: fetched from where it names, or pushed to us.

It is written to a file of its own, a piece at a time, and gets its name when all of it is there and synced.
What it should be nobody has promised us: only how much it may have at most is known. An attempt that broke
off begins anew.
"""

import asyncio
import fcntl
import hmac
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Connection

from entrepot.contracts import DoorAddress, Party
from entrepot.journal import Journal, OutboxMessage, Transaction, enqueue, postpone
from entrepot.journal import settle as drop
from entrepot.use.doors import UNKNOWN, Receive, Scope, Send, answer, complain, refuse
from entrepot.use.fetch import SYNC_EVERY, Answer, length_of, part_of
from entrepot.use.flow import store
from entrepot.use.flow.model import Flow, FlowState, Quay
from entrepot.use.inbox import RECEIVED_HEADER
from entrepot.values import (
    MessageId,
    ProcessId,
    RefusedError,
    UnavailableError,
    UtcTime,
    header_fields,
)

FETCHING: Final = "use.flow.fetch"
FETCH_LIFE: Final = timedelta(hours=24)
_LEASE: Final = timedelta(seconds=60)
_FIRST_PAUSE: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = timedelta(minutes=5)
_LOOK_EVERY: Final = 1.0
_HEARTBEAT: Final = 20.0
_OUT_OF_TIME: Final = frozenset({401, 403, 404})
"""What a door says whose token has lapsed."""


class Replied(Protocol):
    @property
    def status(self) -> int: ...

    @property
    def body(self) -> bytes: ...


class Outgoing(Protocol):
    """The way out: a call whose answer is whole, and one whose answer is read piece by piece."""

    async def __call__(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], /
    ) -> Replied: ...

    def stream(
        self, method: str, url: str, headers: Mapping[str, str], /
    ) -> AbstractAsyncContextManager[Answer]: ...


class _Stopped(Exception):  # noqa: N818 (no error: the flow was suspended or ended)
    """The flow does not run any more."""


def begin_fetch(tx: Transaction, flow: Flow) -> None:
    """Queue the fetching of a flow, in a lane of its own."""
    enqueue(
        tx,
        OutboxMessage(
            id=MessageId(tx.new_id()),
            kind=FETCHING,
            lane=f"fetch {flow.id}",
            address="",
            body=flow.id.encode(),
            not_before=tx.now,
            deadline=tx.now + FETCH_LIFE,
        ),
    )


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Carries fetches; `send` is the sender of their outbox messages."""

    journal: Journal
    quay: Quay
    finished: Callable[[Transaction, Flow], object]
    failed: Callable[[Transaction, Flow, tuple[str, ...]], object]
    folder: Path
    outgoing: Outgoing
    client_token: Callable[[str, str], str]
    """Our proof to a provider, by its DID, that we may renew this access token."""

    async def send(self, message: OutboxMessage, now: UtcTime) -> None:
        """Fetch what a flow is about; it is tried again until it is here, the flow ends or time is up."""
        flow = await self.journal.read(lambda c: running(c, ProcessId(message.body.decode())))
        if flow is None:
            await self.journal.write(lambda tx: drop(tx, message.id))
            return
        beating = asyncio.create_task(self._hold(message))
        try:
            await self._fetch(flow, message.deadline - now)
        except UnavailableError:
            pause = min(_FIRST_PAUSE * (1 << min(message.attempts, 16)), _LONGEST_PAUSE)
            beating.cancel()
            await self.journal.write(lambda tx: postpone(tx, message.id, tx.now + pause))
        except _Stopped:
            await self.journal.write(lambda tx: drop(tx, message.id))
        except RefusedError as error:
            reasons = error.reasons
            await self.journal.write(lambda tx: self._end(tx, message, flow.id, reasons))
        else:
            await self.journal.write(lambda tx: self._end(tx, message, flow.id, ()))
        finally:
            beating.cancel()

    def _end(
        self, tx: Transaction, message: OutboxMessage, flow_id: ProcessId, reasons: tuple[str, ...]
    ) -> None:
        drop(tx, message.id)
        flow = running(tx.connection, flow_id)
        if flow is not None:
            self.failed(tx, flow, reasons) if reasons else self.finished(tx, flow)

    async def _fetch(self, flow: Flow, left: timedelta) -> None:
        if left <= timedelta(0):
            raise RefusedError("the source was not reached before the deadline")
        source = self.quay.read(flow)
        try:
            await self._once(flow, source)
        except RefusedError:
            renewed = await self._renewed(flow, source)
            if renewed is None:
                raise
            await self._once(flow, renewed)

    async def _once(self, flow: Flow, source: DoorAddress) -> None:
        most = await self.journal.read(lambda c: most_of(c, self.quay, flow))
        target = file_of(self.folder, flow.id)
        await asyncio.to_thread(target.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        head = {"authorization": f"Bearer {source.token}"} if source.token else {}
        async with self.outgoing.stream("GET", source.endpoint, head) as came:
            if came.status >= 500 or came.status in {408, 425, 429}:
                raise UnavailableError(f"the source answered {came.status}")
            if came.status != 200:
                raise RefusedError(f"the source answered {came.status}")
            with part_of(target).open("wb") as file:
                await self._write(flow, file, came.chunks(), most)
        await asyncio.to_thread(part_of(target).replace, target)

    async def _write(self, flow: Flow, file: BinaryIO, pieces: AsyncIterator[bytes], most: int) -> None:
        written = synced = 0
        looked = time.monotonic()
        async for piece in pieces:
            written += len(piece)
            if written > most:
                raise RefusedError(f"more came than the {most} bytes that the owner allows")
            file.write(piece)
            if written - synced >= SYNC_EVERY:
                await asyncio.to_thread(_sync, file)
                synced = written
            if time.monotonic() - looked > _LOOK_EVERY:
                looked = time.monotonic()
                if await self.journal.read(lambda c: running(c, flow.id)) is None:
                    raise _Stopped
        await asyncio.to_thread(_sync, file)

    async def _renewed(self, flow: Flow, source: DoorAddress) -> DoorAddress | None:
        """The source with a new token; None where it has nothing to renew it with, or is refused one."""
        said = dict(source.more)
        refresh = said.get("refreshToken")
        if refresh is None:
            return None
        form = urlencode({"grant_type": "refresh_token", "refresh_token": refresh}).encode()
        head = {
            "authorization": "Bearer " + self.client_token(flow.order.counterparty, source.token),
            "content-type": "application/x-www-form-urlencoded",
        }
        reply = await self.outgoing("POST", said.get("refreshEndpoint") or source.endpoint, form, head)
        granted = read_grant(reply.body) if reply.status == 200 else None
        if granted is None:
            return None
        token, newer = granted
        more = tuple((n, newer if n == "refreshToken" and newer else v) for n, v in source.more)
        renewed = replace(source, token=token, more=more)
        kept = self.quay.keep(renewed)
        await self.journal.write(lambda tx: _keep_source(tx, flow.id, kept))
        return renewed

    async def _hold(self, message: OutboxMessage) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT)
            await self.journal.write(lambda tx: postpone(tx, message.id, tx.now + _LEASE))


class Basin:
    """Takes in what is pushed to us in a flow, as an ASGI handler of `/basin/{flow}`."""

    def __init__(self, journal: Journal, quay: Quay, folder: Path) -> None:
        self._journal = journal
        self._quay = quay
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: Mapping[str, str]) -> None:
        headers = header_fields(scope["headers"])
        flow_id = ProcessId(path["flow"])
        token = headers.get("authorization", "")
        token = token[7:] if token[:7].lower() == "bearer " else token
        if not hmac.compare_digest(token.encode(), self._quay.basin(flow_id).token.encode()):
            await refuse(send, UNKNOWN)
            return
        flow = await self._journal.read(lambda c: store.read(c, flow_id))
        # A provider may begin before its consumer's data plane is told that it has.
        if flow is None or not flow.is_push or flow.state not in {FlowState.PREPARED, FlowState.STARTED}:
            await refuse(send, UNKNOWN)
            return
        target = file_of(self._folder, flow_id)
        here = await asyncio.to_thread(length_of, target)
        if scope["method"] != "POST" or here:
            await _say(send, 200, here)
            return
        most = await self._journal.read(lambda c: most_of(c, self._quay, flow))
        await self._take_in(target, most, receive, send)

    async def _take_in(self, target: Path, most: int, receive: Receive, send: Send) -> None:
        await asyncio.to_thread(target.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        with part_of(target).open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await _say(send, 423, 0)
                return
            file.truncate(0)
            written = synced = 0
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    return  # the sender has gone; it begins anew
                piece = event.get("body", b"")
                written += len(piece)
                if written > most:
                    await complain(send, 413, (f"more than {most} bytes",), "Ask the owner to allow more.")
                    return
                file.write(piece)
                if written - synced >= SYNC_EVERY or not event.get("more_body"):
                    await asyncio.to_thread(_sync, file)
                    synced = written
                if not event.get("more_body"):
                    break
            await asyncio.to_thread(part_of(target).replace, target)
        await _say(send, 201, written)


def running(connection: Connection, flow_id: ProcessId) -> Flow | None:
    """A flow that we take data in by, while it is started."""
    flow = store.read(connection, flow_id)
    takes = flow is not None and flow.party is Party.CONSUMER and flow.state is FlowState.STARTED
    return flow if takes else None


def most_of(connection: Connection, quay: Quay, flow: Flow) -> int:
    """How much of a flow may come; nothing where it was shut meanwhile."""
    opening = quay.opening(connection, flow.order, flow.plane)
    return 0 if opening is None else opening.most_bytes


def file_of(folder: Path, flow_id: ProcessId) -> Path:
    """Where what came in a flow lies. The id is one that we have made."""
    return folder / flow_id.rpartition(":")[2]


def read_grant(raw: bytes) -> tuple[str, str] | None:
    """The new access token of an answer (RFC 6749, 5.1), and the new refresh token where there is one."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    token = document.get("access_token") if isinstance(document, dict) else None
    newer = document.get("refresh_token") if isinstance(document, dict) else None
    if not isinstance(token, str) or not 0 < len(token) <= 8192 or not token.isprintable():
        return None
    if not isinstance(newer, str) or len(newer) > 8192 or not newer.isprintable():
        newer = ""
    return token, newer


def _keep_source(tx: Transaction, flow_id: ProcessId, sealed: bytes) -> None:
    flow = running(tx.connection, flow_id)
    if flow is not None:
        store.save(tx, replace(flow, sealed_address=sealed, version=flow.version + 1))


async def _say(send: Send, status: int, received: int) -> None:
    await answer(send, status, {RECEIVED_HEADER: str(received), "content-length": "0"})


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fdatasync(file.fileno())
