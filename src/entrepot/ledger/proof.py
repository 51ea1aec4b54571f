"""One entry's proof in one short text: index, audit path, and the checkpoint it leads to.

Implements c2sp.org/tlog-proof, without the unauthenticated `extra` line. Whether the checkpoint's
signatures are enough is the verifier's policy.
"""

from dataclasses import dataclass
from typing import Final

from entrepot.ledger.errors import NoteError
from entrepot.ledger.merkle import MAX_PATH, leaf_hash, verify_inclusion
from entrepot.ledger.note import (
    MAX_NOTE,
    Checkpoint,
    NoteKey,
    decode_hash,
    decode_note,
    encode_base64,
    parse_size,
    verify_checkpoint,
)
from entrepot.values import Digest, TooLargeError

_HEADER: Final = "c2sp.org/tlog-proof@v1"
_MAX: Final = MAX_NOTE + 64 * (MAX_PATH + 3)


@dataclass(frozen=True, slots=True)
class EntryProof:
    """That an entry is number `index` of the log whose checkpoint is `note`."""

    index: int
    path: tuple[Digest, ...]
    note: bytes


def encode_proof(proof: EntryProof) -> bytes:
    lines = [_HEADER, f"index {proof.index}", *map(encode_base64, proof.path), ""]
    return "\n".join(lines).encode() + b"\n" + proof.note


def decode_proof(raw: bytes) -> EntryProof:
    """Read a proof; anything that would be written otherwise is refused.

    **Verifies nothing.**
    """
    if len(raw) > _MAX:
        raise TooLargeError(f"proof of {len(raw)} bytes where at most {_MAX} are allowed")
    head, empty_line, note = raw.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise NoteError("expected a header, an index and hashes in ASCII") from error
    if not empty_line or len(lines) < 2 or lines[0] != _HEADER or not lines[1].startswith("index "):
        raise NoteError(f"expected {_HEADER}, an index, hashes, an empty line and a checkpoint")
    if len(lines) > MAX_PATH + 2:
        raise NoteError(f"a proof is at most {MAX_PATH} hashes")
    decode_note(note)
    return EntryProof(parse_size(lines[1][6:]), tuple(map(decode_hash, lines[2:])), note)


def verify_entry(entry: bytes, proof: EntryProof, key: NoteKey) -> Checkpoint:
    """The log's checkpoint under which `entry` stands, or `TrustError`.

    **Says nothing of witnesses.**
    """
    checkpoint = verify_checkpoint(decode_note(proof.note), key)
    verify_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint
