"""Delivery: a file as a stream with ranges, through the gate (`HttpData-PULL`).

All ranges of one artefact in one transfer process are one use, until it is closed by the receipt, by the
end of the process, or after the resume window. No byte leaves before the use is written down; memory
stays flat whatever the size; a stop cuts the socket whether the peer reads or not.
"""

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import anyio
from sqlalchemy import Connection

from entrepot import catalogue
from entrepot.catalogue import Resource
from entrepot.contracts import Contract
from entrepot.journal import Journal
from entrepot.use import steps
from entrepot.use.doors import UNKNOWN, USE_HEADER, Receive, Send, Visit, answer, refuse, start
from entrepot.use.gate import admit, settle
from entrepot.use.model import Admitted, Denied, House, Outcome, Spent, Use
from entrepot.use.streams import Stream, Streams
from entrepot.values import KindOfUse, render_digest

CHUNK: Final = 1 << 20
"""Bytes read and sent at a time; a stream that nobody reads holds no more than two of them."""
_AT_ONCE: Final = struct.pack("ii", 1, 0)
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Which bytes of an artefact are asked for: from `start` up to and without `end`."""

    start: int
    end: int
    is_part: bool


def parse_range(header: str | None, size: int) -> Span | None:
    """Read a Range header (RFC 9110, 14.2); None where it cannot be satisfied.

    One range only: a list of them, or another unit, is answered with the whole, as the standard allows.
    """
    match = None if header is None else _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return Span(0, size, is_part=False)
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size
        return None if int(last) == 0 or size == 0 else Span(start, end, is_part=True)
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    return None if start >= size or (last and int(last) < start) else Span(start, end, is_part=True)


class DeliveryDoor:
    """What serves the doors of deliveries."""

    def __init__(self, journal: Journal, house: House, streams: Streams) -> None:
        self._journal = journal
        self._house = house
        self._streams = streams

    async def __call__(self, visit: Visit) -> None:
        if visit.below or visit.method not in {"GET", "HEAD"}:
            await refuse(visit.send, UNKNOWN)
            return
        process, knock = visit.process, visit.knock(KindOfUse.DELIVERY)
        # Registered before the gate is asked: a stop that becomes durable after the use was admitted
        # finds the handle, one that came before is seen by the gate.
        cutting = abort_of(visit.send)
        with self._streams.registered(process.agreement_id, process.exchange.id, cutting) as stream:
            admitted = await self._journal.write(lambda tx: admit(tx, knock, self._house))
            if isinstance(admitted, Denied):
                await refuse(visit.send, admitted)
                return
            leaving = asyncio.create_task(_left(visit.receive))
            try:
                await self._deliver(admitted, visit, stream, leaving)
            finally:
                leaving.cancel()

    async def _deliver(
        self,
        admitted: Admitted,
        visit: Visit,
        stream: Stream,
        leaving: asyncio.Task[None],
    ) -> None:
        use, contract, send, headers = admitted.use, admitted.contract, visit.send, visit.headers
        resource = await self._journal.read(lambda c: _resource_of(c, contract))
        if resource is None or not await asyncio.to_thread(catalogue.is_unchanged, resource):
            await self._settle(use, Outcome.REFUSED)
            await refuse(send, Denied(("the artefact is not what was offered; its owner must look",)))
            return
        etag = f'"{render_digest(use.artefact)}"'
        asked = headers.get("range") if headers.get("if-range", etag) == etag else None
        span = parse_range(asked, use.size)
        if span is None:
            await self._settle(use, Outcome.SENT)
            await answer(send, 416, {"content-range": f"bytes */{use.size}", USE_HEADER: use.id})
            return
        told = {
            "content-type": resource.media_type,
            "content-length": str(span.end - span.start),
            "accept-ranges": "bytes",
            "etag": etag,
            USE_HEADER: use.id,
        }
        if span.is_part:
            told["content-range"] = f"bytes {span.start}-{span.end - 1}/{use.size}"
        sent = 0
        outcome = Outcome.INTERRUPTED
        try:
            if visit.method == "HEAD":
                await answer(send, 206 if span.is_part else 200, told)
                outcome = Outcome.SENT
                return
            await send(start(206 if span.is_part else 200, told))
            async with await anyio.open_file(resource.path, "rb") as file:
                await file.seek(span.start)
                while sent < span.end - span.start and not (stream.is_cut or leaving.done()):
                    chunk = await file.read(min(CHUNK, span.end - span.start - sent))
                    if not chunk:
                        return  # the file became shorter: what is missing is not made up
                    more = sent + len(chunk) < span.end - span.start
                    await send({"type": "http.response.body", "body": chunk, "more_body": more})
                    sent += len(chunk)
            if sent == span.end - span.start and not stream.is_cut:
                outcome = Outcome.SENT
        finally:
            with anyio.CancelScope(shield=True):
                await self._settle(use, outcome, sent)

    async def _settle(self, use: Use, outcome: Outcome, sent: int = 0) -> None:
        spent = Spent(bytes=sent)
        await self._journal.write(lambda tx: settle(tx, self._house, use.id, outcome, spent))


def _resource_of(connection: Connection, contract: Contract) -> Resource | None:
    goods = steps.goods_of(connection, contract)
    return None if goods is None else catalogue.resource(connection, goods.resource_id)


async def _left(receive: Receive) -> None:
    """Return when the peer has gone: what is sent afterwards goes nowhere, and the server says nothing."""
    while (await receive())["type"] != "http.disconnect":
        pass


def abort_of(send: Send) -> Callable[[], None]:
    """How this connection is cut: aborted, and what the kernel still holds for the peer thrown away."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)

    def abort() -> None:
        if transport is None:
            return
        connection = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # it was closed a moment ago
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        transport.abort()

    return abort
