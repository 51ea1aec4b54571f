"""The inbox: where what is pushed to us is taken in, for whoever has the token that we gave for it.

    HEAD /inbox/{process}   how much is here, in `entrepot-received`
    POST /inbox/{process}   the artefact, or with `content-range` the rest of it

It is taken into the file that the acquisition names, as a fetch would: it grows beside its final name, and
gets it when all of it is there and is what the contract names. A repeat of what is here is answered so.
"""

import asyncio
import fcntl
import hmac
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from sqlalchemy import Connection

from entrepot.contracts import agreement_of
from entrepot.identity import Receiver
from entrepot.journal import Journal
from entrepot.policy import terms_of
from entrepot.use import acquisition as acquisitions
from entrepot.use.doors import UNKNOWN, Receive, Scope, Send, answer, complain, refuse
from entrepot.use.fetch import (
    MAX_UNNAMED,
    SYNC_EVERY,
    finish,
    length_of,
    part_of,
    take_as_it_is,
    unsealing,
    use_named,
)
from entrepot.use.model import Acquisition, AcquisitionState
from entrepot.use.process import PUSH
from entrepot.use.sealed import sealed_size
from entrepot.values import KindOfUse, MalformedError, ProcessId, TrustError, UseId, header_fields

RECEIVED_HEADER: Final = "entrepot-received"
_RANGE: Final = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What is expected: for whom, and how long it is as it travels."""

    acquisition: Acquisition
    is_encrypted: bool

    @property
    def is_named(self) -> bool:
        """Whether the contract says what comes; another make of connector promises no digest."""
        return self.acquisition.artefact is not None

    @property
    def size(self) -> int:
        """How long it is as it travels; how long it may be, where nobody has said."""
        if not self.is_named:
            return MAX_UNNAMED
        return sealed_size(self.acquisition.size) if self.is_encrypted else self.acquisition.size

    @property
    def part(self) -> Path:
        return part_of(self.acquisition.target)

    @property
    def is_here(self) -> bool:
        return self.acquisition.use_id is not None

    @property
    def received(self) -> int:
        return self.size if self.is_here else length_of(self.part)


class Inbox:
    """Takes in what is pushed, as an ASGI handler of `/inbox/{process}`."""

    def __init__(
        self,
        journal: Journal,
        token_of: Callable[[ProcessId], str],
        receiver: Receiver,
    ) -> None:
        self._journal = journal
        self._token_of = token_of
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: Mapping[str, str]) -> None:
        headers = header_fields(scope["headers"])
        process_id = ProcessId(path["process"])
        token = headers.get("authorization", "")
        token = token[7:] if token[:7].lower() == "bearer " else token
        if not hmac.compare_digest(token.encode(), self._token_of(process_id).encode()):
            await refuse(send, UNKNOWN)
            return
        parcel = await self._journal.read(lambda c: _expected(c, process_id))
        if parcel is None:
            await refuse(send, UNKNOWN)
        elif scope["method"] != "POST" or parcel.is_here:
            await _say(send, 200, parcel.received)
        elif parcel.acquisition.state.is_over:
            await complain(send, 410, (parcel.acquisition.problem,), "It is not waited for any more.")
        else:
            await self._take_in(parcel, headers, receive, send)

    async def _take_in(
        self, parcel: _Parcel, headers: Mapping[str, str], receive: Receive, send: Send
    ) -> None:
        try:
            start, use_id = _start_of(headers, parcel), use_named(headers)
        except MalformedError as error:
            await complain(send, 400, (str(error),), "")
            return
        with parcel.part.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await _say(send, 423, parcel.received)
                return
            if start > parcel.received:
                await _say(send, 409, parcel.received)
                return
            file.truncate(start)
            written = await self._write(parcel, file, start, receive)
            if written is None:
                return  # the sender has gone; what came is kept
            if written > parcel.size:
                await self._refuse(parcel, "more came than the contract names", send)
            elif written < parcel.size and parcel.is_named:
                await _say(send, 202, written)
            else:
                await self._finish(parcel, use_id or UseId(""), send)

    async def _write(self, parcel: _Parcel, file: BinaryIO, start: int, receive: Receive) -> int | None:
        """Write what comes, synced; gives how much is there now, nothing where the sender went away."""
        written = synced = start
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                await asyncio.to_thread(_sync, file)
                return None
            piece = event.get("body", b"")
            if written + len(piece) > parcel.size:
                return written + len(piece)
            file.write(piece)
            written += len(piece)
            if written - synced >= SYNC_EVERY or not event.get("more_body"):
                await asyncio.to_thread(_sync, file)
                synced = written
            if not event.get("more_body"):
                return written

    async def _finish(self, parcel: _Parcel, use_id: UseId, send: Send) -> None:
        """Give it its name, if it is what the contract names; write down that it is here; then say so."""
        acquisition = parcel.acquisition
        if acquisition.artefact is None:
            came, size = await asyncio.to_thread(take_as_it_is, acquisition.target)
            ours = use_id or UseId(acquisition.id)
            await self._journal.write(lambda tx: acquisitions.arrived(tx, acquisition.id, ours, came, size))
            await _say(send, 201, size)
            return
        if acquisition.process_id is None:
            raise AssertionError("an acquisition that is waited for names its process")
        unseal = (
            unsealing(self._receiver, acquisition.process_id, acquisition.artefact)
            if parcel.is_encrypted
            else None
        )
        try:
            await asyncio.to_thread(
                finish, acquisition.target, acquisition.artefact, acquisition.size, unseal
            )
        except TrustError as error:
            await self._refuse(parcel, str(error), send)
            return
        came, size = acquisition.artefact, acquisition.size
        await self._journal.write(lambda tx: acquisitions.arrived(tx, acquisition.id, use_id, came, size))
        await _say(send, 201, parcel.size)

    async def _refuse(self, parcel: _Parcel, problem: str, send: Send) -> None:
        parcel.part.unlink(missing_ok=True)
        await self._journal.write(lambda tx: acquisitions.fail_waiting(tx, parcel.acquisition.id, problem))
        await complain(send, 422, (problem,), "Offer the product anew.")


def _expected(connection: Connection, process_id: ProcessId) -> _Parcel | None:
    """What is waited for under a process of ours; also what has come already, or is not wanted any more."""
    acquisition = acquisitions.of_process(connection, process_id)
    if acquisition is None or acquisition.format != PUSH or acquisition.agreement_id is None:
        return None
    contract = agreement_of(connection, acquisition.agreement_id)
    if contract is None or acquisition.state is AcquisitionState.LOOKING:
        return None
    terms = terms_of(contract.agreement.policy, KindOfUse.DELIVERY)
    return _Parcel(acquisition, terms.is_encrypted)


def _start_of(headers: Mapping[str, str], parcel: _Parcel) -> int:
    """Where what comes begins, or `MalformedError` where the header cannot be meant."""
    said = headers.get("content-range")
    if said is None:
        return 0
    match = _RANGE.fullmatch(said.strip())
    if match is None or int(match[3]) != parcel.size:
        raise MalformedError("content-range does not fit what is waited for")
    return parcel.size if match[1] is None else int(match[1])


async def _say(send: Send, status: int, received: int) -> None:
    await answer(send, status, {RECEIVED_HEADER: str(received), "content-length": "0"})


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fdatasync(file.fileno())
