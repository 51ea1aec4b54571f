"""The other end of a ledger, a follower's copy and a witness: what a node asks of them over HTTP.

What comes back is a stranger's bytes: checkpoints are verified before anything is built on them, sizes are
bounded, and nothing is taken from a witness but a cosignature that holds or a size.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from entrepot.ledger import (
    AddCheckpoint,
    Audit,
    Checkpoint,
    Difference,
    EmbeddedLedger,
    EntryProof,
    Follower,
    Genesis,
    InconsistentError,
    NoteKey,
    Standing,
    Status,
    decode_note,
    decode_proof,
    decode_signatures,
    encode_add_checkpoint,
    parse_checkpoint,
    parse_size,
    verify_checkpoint,
)
from entrepot.protocols.route import Outgoing, Reply
from entrepot.protocols.tlog import codec
from entrepot.protocols.tlog.routes import MAX_RANGE
from entrepot.values import (
    EntrepotError,
    MalformedError,
    NotFoundError,
    RefusedError,
    TransactionId,
    UnavailableError,
    canonical,
)

T = TypeVar("T")

MAX_BUNDLE: Final = 20 << 20


@dataclass(frozen=True, slots=True)
class LedgerClient:
    """A ledger, or a follower's copy of it, at a base address, with the log key it must be signed with."""

    call: Outgoing
    url: str
    key: NoteKey

    async def submit(self, raw: bytes) -> TransactionId:
        """Send a signed transaction; `RefusedError` carries the machine's reason."""
        reply = await self.call("POST", f"{self.url}/transactions", raw)
        _require(reply, 202)
        return TransactionId(_decode(reply.body, dict[str, str])["id"])

    async def status(self, name: TransactionId) -> Status:
        return _decode((await self._get(f"transactions/{name}")).body, Status)

    async def standing(self) -> Standing:
        return _decode((await self._get("standing")).body, Standing)

    async def genesis(self) -> Genesis:
        """What the ledger says it began with; a wrong one shows in the first state root of a follower."""
        return canonical.decode_struct((await self._get("genesis")).body, Genesis)

    async def checkpoint(self) -> bytes:
        """The published checkpoint, whose log signature holds."""
        note = (await self._get("checkpoint")).body
        verify_checkpoint(decode_note(note), self.key)
        return note

    async def entries(self, start: int, end: int) -> list[bytes]:
        """Entries as they are served; **verify them against a checkpoint.**"""
        found: list[bytes] = []
        while start < end:
            upper = min(start + MAX_RANGE, end)
            page = codec.decode_bundle((await self._get(f"entries?start={start}&end={upper}")).body)
            if not page or len(page) > upper - start:
                raise MalformedError(f"{len(page)} entries where {upper - start} were asked for")
            found += page
            start += len(page)
        return found

    async def proof(self, name: TransactionId) -> EntryProof:
        """The proof of a transaction under the published checkpoint; `NotFoundError` until it is there."""
        return decode_proof((await self._get(f"proof/transaction/{name}")).body)

    async def _get(self, path: str) -> Reply:
        reply = await self.call("GET", f"{self.url}/{path}", max_bytes=MAX_BUNDLE)
        _require(reply, 200)
        return reply


async def follow(follower: Follower, ledger: LedgerClient) -> Checkpoint:
    """Bring a follower up to the published checkpoint, or raise what is wrong with the log's history."""
    note = await ledger.checkpoint()
    start, checkpoint = follower.size, follower.judge(note)
    entries = await ledger.entries(start, checkpoint.size)
    return await asyncio.to_thread(follower.follow, note, entries, start)


async def audit(follower: Follower, ledger: LedgerClient) -> Audit:
    """Read every stored entry of the ledger again and compare it with the follower's."""
    size = follower.size
    differences: list[Difference] = []
    async for start, end, page in _pages(ledger, size):
        differences += follower.compare(start, end, page)
    return Audit(size, tuple(differences))


async def refill(ledger: EmbeddedLedger, copy: LedgerClient) -> Checkpoint:
    """Take back from a follower's copy what a restored backup has lost."""
    note = await copy.checkpoint()
    checkpoint = parse_checkpoint(decode_note(note).text)
    entries = await copy.entries(ledger.standing().size, checkpoint.size)
    await asyncio.to_thread(ledger.refill, entries, note)
    return checkpoint


async def ask_witnesses(ledger: EmbeddedLedger, call: Outgoing, urls: Mapping[str, str]) -> dict[str, str]:
    """One round: ask every witness (name and submission prefix) to cosign the ledger's head.

    What went wrong comes back by witness; all that cosigned are missing there. A witness that names
    another size is asked again from it in the next round.
    """
    head = ledger.head()
    size = parse_checkpoint(decode_note(head).text).size
    answers = await asyncio.gather(
        *(_ask(ledger, call, name, url, head, size) for name, url in urls.items()), return_exceptions=True
    )
    problems: dict[str, str] = {}
    for name, answer in zip(urls, answers, strict=True):
        if isinstance(answer, EntrepotError):
            problems[name] = str(answer)
        elif isinstance(answer, BaseException):
            raise answer
    return problems


async def _ask(ledger: EmbeddedLedger, call: Outgoing, name: str, url: str, head: bytes, size: int) -> None:
    old = ledger.size_known_to(name)
    if old > size:
        raise UnavailableError(f"the witness has cosigned {old} leaves, this ledger holds {size}: refill it")
    request = AddCheckpoint(old, ledger.log.prove_consistency(old, size), head)
    reply = await call("POST", f"{url}/add-checkpoint", encode_add_checkpoint(request))
    if reply.status == 409 and reply.headers.get("content-type", "").startswith("text/x.tlog.size"):
        named = parse_size(reply.body.decode("ascii", "replace").removesuffix("\n"))
        ledger.named(name, named)
        raise UnavailableError(f"the witness has cosigned {named} leaves; it is asked again from there")
    if reply.status in {409, 422}:
        raise InconsistentError(f"the witness holds another history than these {size} leaves")
    _require(reply, 200)
    await asyncio.to_thread(ledger.cosigned, head, decode_signatures(reply.body))
    if name in ledger.standing().waiting_for:
        raise UnavailableError(
            "the witness's cosignature is older than this ledger's start: compare the clocks"
        )


async def _pages(ledger: LedgerClient, size: int) -> AsyncIterator[tuple[int, int, list[bytes]]]:
    for start in range(0, size, MAX_RANGE):
        end = min(start + MAX_RANGE, size)
        yield start, end, await ledger.entries(start, end)


def _require(reply: Reply, status: int) -> None:
    """Turn another status into the error it stands for."""
    if reply.status == status:
        return
    match reply.status:
        case 404:
            raise NotFoundError("the ledger has nothing there")
        case 400 | 413:
            raise MalformedError(f"the ledger did not understand the request ({reply.status})")
        case code if 400 <= code < 500:
            raise RefusedError(*_reasons(reply.body))
    raise UnavailableError(f"the ledger answered {reply.status}")


def _reasons(body: bytes) -> tuple[str, ...]:
    try:
        document = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return document.reasons


class _Problem(msgspec.Struct):
    reasons: tuple[str, ...] = ()


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"the ledger's answer is no {kind}") from error
