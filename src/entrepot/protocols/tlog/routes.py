"""Endpoints of a ledger, of whoever keeps a copy of one, and of a witness.

Reading follows c2sp.org/tlog-tiles, with proofs and ranges served ready-made beside the tiles, since most
readers are no caches; `add-checkpoint` is c2sp.org/tlog-witness. Submitting and asking what became of a
transaction are our own. What is read needs no proof of membership: it is digests, DIDs and counts of
blocks, meant for every auditor; what is written is signed by a member or by the log.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from entrepot.ledger import (
    Chronicle,
    EmbeddedLedger,
    EntryProof,
    Genesis,
    InconsistentError,
    ProofError,
    SignatureError,
    SizeConflictError,
    Standing,
    Status,
    UnknownLogError,
    Witness,
    decode_note,
    encode_proof,
    parse_checkpoint,
)
from entrepot.protocols.route import BINARY, Asked, Call, Content, Handler, Proof, Response, Route, Shape
from entrepot.protocols.tlog import codec
from entrepot.values import (
    Digest,
    EntrepotError,
    MalformedError,
    NotFoundError,
    TooLargeError,
    TransactionId,
    canonical,
    parse_digest,
)

MAX_RANGE: Final = 1_024
_REFUSALS: Final[Mapping[type[EntrepotError], int]] = {
    UnknownLogError: 404,
    ProofError: 422,
    InconsistentError: 409,
    SignatureError: 403,
    MalformedError: 400,
    TooLargeError: 400,
}
"""What the standard answers; a size conflict has a body besides."""

_BYTES: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"
_SIZE: Final = "text/x.tlog.size"
_NAMED: Final = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}


@dataclass(frozen=True, slots=True)
class Copy:
    """A log that can be read here: the ledger's own, or a follower's."""

    genesis: Genesis
    log: Chronicle
    published: Callable[[], bytes | None]
    """The checkpoint for strangers."""


Find: TypeAlias = Callable[[], Copy]


def ledger_routes(ledger: EmbeddedLedger, genesis: Genesis, base: str) -> list[Route]:
    """All of a ledger: submitting, following a transaction, and reading, under the path `base`."""
    return [
        Route(
            "POST",
            f"{base}/transactions",
            Proof.LOG_SIGNATURE,
            _submit(ledger),
            max_bytes=32 << 10,
            shape=Shape({202: (Content(_NAMED),)}, BINARY),
        ),
        Route("GET", f"{base}/transactions/{{id}}", Proof.NONE, _status(ledger), shape=_gives(Status)),
        Route("GET", f"{base}/standing", Proof.NONE, _standing(ledger), shape=_gives(Standing)),
        *reading_routes(lambda: Copy(genesis, ledger.log, ledger.published), base),
    ]


def reading_routes(find: Find, base: str) -> list[Route]:
    """What a ledger and a follower serve alike, so that either can be read, audited or refilled from.

    `find` gives the copy, or raises `UnavailableError` while there is none.
    """
    raw, note = Content({}, _BYTES), Content({"type": "string"}, _TEXT)
    paths: dict[str, tuple[Handler, Shape]] = {
        "genesis": (_genesis(find), _gives(Genesis)),
        "checkpoint": (_checkpoint(find), _gives(note)),
        "entries": (_entries(find), _gives(raw, "start", "end")),
        "tile/entries/{tile:path}": (_entry_tile(find), _gives(raw)),
        "tile/{level}/{tile:path}": (_tile(find), _gives(raw)),
        "proof/inclusion": (_inclusion(find), _gives(note, "number", "size")),
        "proof/consistency": (_consistency(find), _gives(note, "old", "size")),
        "proof/transaction/{id}": (_transaction_proof(find), _gives(note)),
    }
    return [
        Route("GET", f"{base}/{path}", Proof.NONE, handle, shape=shape)
        for path, (handle, shape) in paths.items()
    ]


def witness_routes(witness: Witness, base: str) -> list[Route]:
    """A witness's one endpoint, under its submission prefix `base`."""
    text = Content({"type": "string"}, _TEXT)
    refused: dict[int, tuple[Content, ...]] = dict.fromkeys(_REFUSALS.values(), (text,))
    refused[409] = (text, Content({"type": "string"}, _SIZE))
    shape = Shape({200: (text,)}, text, fails=refused)
    path = f"{base}/add-checkpoint"
    return [Route("POST", path, Proof.LOG_SIGNATURE, _add_checkpoint(witness), shape=shape)]


def _submit(ledger: EmbeddedLedger) -> Handler:
    async def submit(call: Call) -> Response:
        name = ledger.submit(call.body)
        return Response(202, canonical.encode({"id": name}))

    return submit


def _status(ledger: EmbeddedLedger) -> Handler:
    async def status(call: Call) -> Response:
        return _json(ledger.status(_transaction(call)))

    return status


def _standing(ledger: EmbeddedLedger) -> Handler:
    async def standing(_call: Call) -> Response:
        return _json(ledger.standing())

    return standing


def _genesis(find: Find) -> Handler:
    async def genesis(_call: Call) -> Response:
        return Response(200, canonical.encode_struct(find().genesis))

    return genesis


def _checkpoint(find: Find) -> Handler:
    async def checkpoint(_call: Call) -> Response:
        return Response(200, _note(find()), _TEXT)

    return checkpoint


def _entries(find: Find) -> Handler:
    async def entries(call: Call) -> Response:
        start, end = _number(call, "start"), _number(call, "end")
        if end - start > MAX_RANGE:
            raise MalformedError(f"at most {MAX_RANGE} entries at once")
        return Response(200, codec.encode_bundle(find().log.entries(start, end)), _BYTES)

    return entries


def _entry_tile(find: Find) -> Handler:
    async def entry_tile(call: Call) -> Response:
        tile = codec.parse_tile(call.path["tile"])
        start = tile.index * codec.TILE
        return Response(200, codec.encode_bundle(find().log.entries(start, start + tile.width)), _BYTES)

    return entry_tile


def _tile(find: Find) -> Handler:
    async def tile(call: Call) -> Response:
        level, wanted = call.path["level"], codec.parse_tile(call.path["tile"])
        if level not in map(str, range(8)):
            raise NotFoundError("no tile at that level")
        start = wanted.index * codec.TILE
        hashes = find().log.hashes(8 * int(level), start, start + wanted.width)
        return Response(200, b"".join(hashes), _BYTES)

    return tile


def _inclusion(find: Find) -> Handler:
    async def inclusion(call: Call) -> Response:
        number, size = _number(call, "number"), _number(call, "size")
        return _proved(lambda: find().log.prove_inclusion(number, size))

    return inclusion


def _consistency(find: Find) -> Handler:
    async def consistency(call: Call) -> Response:
        old, size = _number(call, "old"), _number(call, "size")
        return _proved(lambda: find().log.prove_consistency(old, size))

    return consistency


def _transaction_proof(find: Find) -> Handler:
    async def transaction_proof(call: Call) -> Response:
        copy = find()
        place = copy.log.find(_transaction(call))
        note = (None if place is None else copy.log.first_note(place[0])) or _note(copy)
        size = parse_checkpoint(decode_note(note).text).size
        if place is None or place[0] >= size:
            raise NotFoundError("the transaction is not under the published checkpoint, or not yet")
        proof = EntryProof(place[0], copy.log.prove_inclusion(place[0], size), note)
        return Response(200, encode_proof(proof), _TEXT)

    return transaction_proof


def _add_checkpoint(witness: Witness) -> Handler:
    async def add_checkpoint(call: Call) -> Response:
        # Durable before it answers, so off the event loop: a disk takes its milliseconds.
        try:
            return Response(200, await asyncio.to_thread(witness.add_checkpoint, call.body), _TEXT)
        except SizeConflictError as conflict:
            return Response(409, f"{conflict.size}\n".encode(), _SIZE)
        except tuple(_REFUSALS) as error:
            return Response(
                next(_REFUSALS[kind] for kind in _REFUSALS if isinstance(error, kind)), b"", _TEXT
            )

    return add_checkpoint


def _gives(holds: Any, *numbers: str) -> Shape:  # noqa: ANN401 (a type that msgspec reads, or a content)
    """What is read with one call; `numbers` are the names that its query must have."""
    content = holds if isinstance(holds, Content) else Content(holds)
    whole = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
    return Shape({200: (content,)}, asks=tuple(Asked(name, whole, required=True) for name in numbers))


def _proved(prove: Callable[[], tuple[Digest, ...]]) -> Response:
    """A proof between sizes that a reader has named. Where there is none, its numbers are wrong."""
    try:
        return Response(200, codec.encode_hashes(prove()), _TEXT)
    except ProofError as error:
        raise NotFoundError(str(error)) from error


def _note(copy: Copy) -> bytes:
    note = copy.published()
    if note is None:
        raise NotFoundError("no checkpoint yet")
    return note


def _transaction(call: Call) -> TransactionId:
    parse_digest(call.path["id"])
    return TransactionId(call.path["id"])


def _number(call: Call, name: str) -> int:
    text = call.query.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise MalformedError(f"expected a number as {name}")
    return int(text)


def _json(value: object) -> Response:
    return Response(200, msgspec.json.encode(value))
