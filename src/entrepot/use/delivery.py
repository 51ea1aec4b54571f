"""Delivery: a file as a stream with ranges, through the gate (`HttpData-PULL`).

All ranges of one artefact in one transfer process are one use, until it is closed by the receipt, by the
end of the process, or after the resume window. No byte leaves before the use is written down; memory
stays flat whatever the size; a stop cuts the socket whether the peer reads or not. Where the contract asks
for it, what travels is sealed to the consumer's key: ranges are then those of the sealed form.
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
from entrepot.journal import Journal
from entrepot.use.cargo import Cargo, Consignment, Sealer, consignment, seen_of
from entrepot.use.doors import UNKNOWN, USE_HEADER, Receive, Send, Visit, answer, complain, refuse, start
from entrepot.use.gate import admit, settle
from entrepot.use.model import Denied, House, Outcome, Spent, Use
from entrepot.use.process import find_door
from entrepot.use.streams import Stream, Streams
from entrepot.use.upkeep import GoingOn
from entrepot.values import EntrepotError, KindOfUse, RefusedError

CHANGED: Final = Denied(("the artefact is not what was offered; its owner must look",))
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

    def __init__(self, journal: Journal, house: House, streams: Streams, sealer: Sealer) -> None:
        self._journal = journal
        self._house = house
        self._streams = streams
        self._sealer = sealer

    async def __call__(self, visit: Visit) -> None:
        if visit.below or visit.method not in {"GET", "HEAD"}:
            await refuse(visit.send, UNKNOWN)
            return
        process = visit.process
        found = await self._journal.read(lambda c: _behind(c, visit))
        try:
            seal = None if found is None else await self._sealer.seal(process, found)
        except RefusedError as error:
            await complain(visit.send, 403, error.reasons, "Publish a receiving key in the DID document.")
            return
        except EntrepotError:
            await complain(visit.send, 503, ("the consumer's key cannot be read now",), "Ask again later.")
            return
        knock = visit.knock(KindOfUse.DELIVERY, seen_of(seal))
        # Registered before the gate is asked: a stop that becomes durable after the use was admitted
        # finds the handle, one that came before is seen by the gate.
        cutting = abort_of(visit.send)
        with self._streams.registered(process.agreement_id, process.exchange.id, cutting) as stream:
            admitted = await self._journal.write(lambda tx: admit(tx, knock, self._house))
            if isinstance(admitted, Denied):
                await refuse(visit.send, admitted)
                return
            stream.begin()
            if found is None or not await asyncio.to_thread(catalogue.is_unchanged, found.resource):
                await self._settle(admitted.use, Outcome.REFUSED)
                await refuse(visit.send, CHANGED)
                return
            leaving = asyncio.create_task(_left(visit.receive))
            try:
                await self._deliver(admitted.use, found.cargo(seal), visit, stream, leaving)
            finally:
                leaving.cancel()

    async def _deliver(
        self, use: Use, cargo: Cargo, visit: Visit, stream: Stream, leaving: asyncio.Task[None]
    ) -> None:
        send, headers = visit.send, visit.headers
        asked = headers.get("range") if headers.get("if-range", cargo.etag) == cargo.etag else None
        span = parse_range(asked, cargo.size)
        if span is None:
            await self._settle(use, Outcome.SENT)
            whole = {"content-range": f"bytes */{cargo.size}", "content-length": "0", USE_HEADER: use.id}
            await answer(send, 416, whole)
            return
        told = {
            "content-type": cargo.media_type,
            "content-length": str(span.end - span.start),
            "accept-ranges": "bytes",
            "etag": cargo.etag,
            USE_HEADER: use.id,
        }
        if span.is_part:
            told["content-range"] = f"bytes {span.start}-{span.end - 1}/{cargo.size}"
        sent = 0
        outcome = Outcome.INTERRUPTED
        try:
            if visit.method == "HEAD":
                await answer(send, 206 if span.is_part else 200, told)
                outcome = Outcome.SENT
                return
            await send(start(206 if span.is_part else 200, told))
            going_on = GoingOn(self._journal, self._house, use.id)
            async for piece in cargo.pieces(span.start, span.end):
                if stream.is_cut or leaving.done():
                    return
                await going_on.tick()
                sent += len(piece)  # now: the peer may have it before it is known to have left
                more = sent < span.end - span.start
                await send({"type": "http.response.body", "body": piece, "more_body": more})
            if sent == span.end - span.start and not stream.is_cut:
                outcome = Outcome.SENT
        finally:
            with anyio.CancelScope(shield=True):
                await self._settle(use, outcome, sent)

    async def _settle(self, use: Use, outcome: Outcome, sent: int = 0) -> None:
        spent = Spent(bytes=sent)
        await self._journal.write(lambda tx: settle(tx, self._house, use.id, outcome, spent))


def _behind(connection: Connection, visit: Visit) -> Consignment | None:
    """What lies behind a door, for whoever has its token; for anybody else nothing is looked up."""
    if find_door(connection, visit.process.exchange.id, visit.token) is None:
        return None
    return consignment(connection, visit.process)


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
