"""Fetching what was delivered: resumable after any crash, verified, then acknowledged.

The file grows beside its final name; what is there is asked for no second time. Only when all of it is
there, its digest is the promised one, and both file and folder are synced, does it get its name.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec

from entrepot.identity import Receiver
from entrepot.use.model import Acquisition, AcquisitionState
from entrepot.use.sealed import sealed_size, unseal
from entrepot.values import (
    Digest,
    EntrepotError,
    MalformedError,
    ProcessId,
    RefusedError,
    TrustError,
    UnavailableError,
    UseId,
)

SYNC_EVERY: Final = 16 << 20
MAX_ANSWER: Final = 256 << 20
MAX_UNNAMED: Final = 64 << 30
"""Of a delivery whose size no contract names."""
USE_HEADER: Final = "entrepot-use"
_USE: Final = re.compile(r"[A-Za-z0-9:._-]{1,100}", re.ASCII)
_MOST_OF_A_REFUSAL: Final = 64 << 10


class Answer(Protocol):
    """A streaming answer."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def chunks(self) -> AsyncIterator[bytes]: ...


Open = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Answer]]
"""Opens the door anew, with these headers."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was received under which use."""

    path: Path
    use_id: UseId
    digest: Digest
    size: int


Unseal = Callable[[Path, Path], None]
"""Opens a sealed file into another one, or raises `TrustError`."""


class ShutError(RefusedError):
    """No door opens to our token: perhaps it was shut a moment ago, and the word of it is on its way."""


class ArtefactError(TrustError):
    """What came is not what the contract names."""

    def remedy(self) -> str:
        return "The provider must offer the product anew; nothing of what came was kept."


async def fetch(
    open_door: Open,
    target: Path,
    artefact: Digest,
    size: int,
    *,
    purpose: str | None = None,
    attempts: int = 5,
    unseal: Unseal | None = None,
) -> Fetched:
    """Fetch the artefact into `target`, going on where an earlier attempt ended.

    With `unseal`, what comes is the sealed form of it, and nothing else will do.
    """
    part = part_of(target)
    whole = size if unseal is None else sealed_size(size)
    use_id = UseId("")
    failures = 0
    while True:
        before = length_of(part)
        try:
            use_id = await _once(open_door, part, whole, purpose) or use_id
            if length_of(part) >= whole:
                break
        except (UnavailableError, ShutError):
            # A connection that broke after it brought something is no failure to count.
            failures = 0 if length_of(part) > before else failures + 1
            if failures >= attempts:
                raise
            await asyncio.sleep(min(0.1 * 2**failures, 5))
        else:
            failures = 0 if length_of(part) > before else failures + 1
            if failures >= attempts:
                raise UnavailableError("the door gives nothing more")
    await asyncio.to_thread(finish, target, artefact, size, unseal)
    return Fetched(target, use_id, artefact, size)


async def fetch_unnamed(doors: Sequence[Open], target: Path, attempts: int = 5) -> Fetched:
    """Fetch what no contract names by its digest: whole, as it comes, and not resumed; by the first door.

    One that refuses may have been shut a moment ago, and the word of it is on its way.
    """
    refusal = RefusedError("there is no door")
    for failures in range(1, attempts + 1):
        for open_door in doors:
            try:
                return await ask(open_door({}), target, MAX_UNNAMED)
            except RefusedError as error:
                refusal = error
        await asyncio.sleep(0.1 * 2**failures)
    raise refusal


def take_as_it_is(target: Path) -> tuple[Digest, int]:
    """Give what has come its name, whatever it is; gives what it turned out to be."""
    part = part_of(target)
    came, size = _digest_of(part), length_of(part)
    _keep(part, target)
    return came, size


def finish(target: Path, artefact: Digest, size: int, unseal: Unseal | None) -> None:
    """Give what has come its name, if it is the artefact; else nothing of it is kept."""
    part = clear = part_of(target)
    try:
        if unseal is not None:
            clear = target.with_name(target.name + ".clear")
            unseal(part, clear)
        if length_of(clear) != size or (unseal is None and _digest_of(clear) != artefact):
            raise ArtefactError("the bytes that came are not those that the contract names")
    except TrustError:
        part.unlink()
        clear.unlink(missing_ok=True)
        raise
    _keep(clear, target)
    part.unlink(missing_ok=True)


def unsealing(receiver: Receiver, process_id: ProcessId, artefact: Digest) -> Unseal:
    """How what was sealed to us in a process of ours is opened."""
    return lambda part, clear: unseal(part, clear, receiver.key_from, receiver.public, process_id, artefact)


def part_of(target: Path) -> Path:
    """Where a file grows before it gets its name."""
    return target.with_name(target.name + ".part")


async def _once(open_door: Open, part: Path, size: int, purpose: str | None) -> UseId | None:
    offset = length_of(part)
    headers = {"range": f"bytes={offset}-"} if 0 < offset < size else {}
    if purpose is not None:
        headers["entrepot-purpose"] = purpose
    async with open_door(headers) as answer:
        if answer.status not in {200, 206}:
            raise await _refusal(answer)
        start = offset if answer.status == 206 else 0
        use_id = use_named(answer.headers)
        with part.open("r+b" if offset else "wb") as file:
            file.seek(start)
            file.truncate()
            written, synced = start, start
            async for chunk in answer.chunks():
                if written + len(chunk) > size:
                    raise ArtefactError("more came than the contract names")
                file.write(chunk)
                written += len(chunk)
                if written - synced >= SYNC_EVERY:
                    await asyncio.to_thread(_sync, file.fileno())
                    synced = written
            file.flush()
            await asyncio.to_thread(_sync, file.fileno())
    return use_id


async def ask(door: AbstractAsyncContextManager[Answer], target: Path, most: int = MAX_ANSWER) -> Fetched:
    """Make one call and keep its answer in `target`, synced. **It is not repeated: each call is a use.**"""
    part = part_of(target)
    size = 0
    async with door as answer:
        if answer.status != 200:
            raise await _refusal(answer)
        use_id = use_named(answer.headers)
        with part.open("wb") as file:
            async for chunk in answer.chunks():
                size += len(chunk)
                if size > most:
                    raise ArtefactError(f"the answer has more than {most} bytes")
                file.write(chunk)
            file.flush()
            await asyncio.to_thread(_sync, file.fileno())
    digest = await asyncio.to_thread(_digest_of, part)
    await asyncio.to_thread(_keep, part, target)
    return Fetched(target, use_id or UseId(""), digest, size)


def use_named(headers: Mapping[str, str]) -> UseId | None:
    """The use that the other side names, for our receipt and our records; a stranger to uses names none."""
    said = headers.get(USE_HEADER)
    if said is not None and not _USE.fullmatch(said):
        raise MalformedError("the other side calls its use by a name that no use has")
    return None if said is None else UseId(said)


async def _refusal(answer: Answer) -> EntrepotError:
    """What a door's no means here. A rate of the contract names itself; any other 429 is a busy server."""
    status, body = answer.status, b""
    async for chunk in answer.chunks():
        body += chunk
        if len(body) > _MOST_OF_A_REFUSAL:
            break  # whoever says no without end is not listened to
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        document = None
    reasons = document.get("reasons") if isinstance(document, dict) else None
    listed = [str(r)[:500] for r in reasons[:16]] if isinstance(reasons, list) else []
    if status >= 500 or status == 408 or (status == 429 and not listed):
        return UnavailableError(f"the door answered {status}")
    if status == 404:
        return ShutError("no door opens to our token any more")
    return RefusedError(*(listed or [f"the door answered {status}"]))


def received_so_far(acquisition: Acquisition) -> int:
    """Bytes that have come: read from the disk, so that every worker of a node says the same."""
    if acquisition.state is AcquisitionState.RECEIVED:
        return acquisition.size
    return min(length_of(part_of(acquisition.target)), acquisition.size)


def length_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _digest_of(path: Path) -> Digest:
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").digest())


def _sync(descriptor: int) -> None:
    os.fdatasync(descriptor)


def _keep(part: Path, target: Path) -> None:
    """Rename, durably: the content first, then the name."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
