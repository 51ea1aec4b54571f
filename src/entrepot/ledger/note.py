"""Signed notes, checkpoints and cosignatures, byte for byte as C2SP writes them.

Implements c2sp.org/signed-note, tlog-checkpoint and tlog-cosignature (`cosignature/v1`, Ed25519). Decoding
is strict: encoding what was decoded gives the same bytes. Which keys count is the caller's policy.
"""

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from entrepot.identity import Signer
from entrepot.ledger.errors import NoteError, SignatureError
from entrepot.values import Digest, TooLargeError

MAX_NOTE: Final = 64 << 10
MAX_SIGNATURES: Final = 64
MAX_SIZE: Final = 2**63 - 1
_DASH: Final = "\u2014"
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_COSIGNED: Final = "cosignature/v1\ntime {}\n"


class SignatureType(IntEnum):
    """The identifier byte that enters a key's id."""

    ED25519 = 0x01
    COSIGNATURE = 0x04


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A verifier's key: a name, what its signatures mean, and 32 bytes of Ed25519."""

    name: str
    type: SignatureType
    raw: bytes

    @property
    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + bytes((self.type,)) + self.raw).digest()[:4]


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: whose, and the bytes after the key's id."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and the signatures below it."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree head: which log, how many leaves, which root."""

    origin: str
    size: int
    root: Digest

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's statement: at `time` (POSIX seconds) this was the largest tree it had seen."""

    name: str
    time: int


def encode_note(note: Note) -> bytes:
    return f"{note.text}\n{''.join(map(render_signature, note.signatures))}".encode()


def decode_note(raw: bytes) -> Note:
    """Read a note; anything that would be written otherwise is refused.

    **Verifies no signature.**
    """
    if len(raw) > MAX_NOTE:
        raise TooLargeError(f"note of {len(raw)} bytes where at most {MAX_NOTE} are allowed")
    text, lines = _split_note(_decode_text(raw))
    signatures = tuple(map(_parse_signature, lines))
    if not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise NoteError(f"expected 1 to {MAX_SIGNATURES} signatures, got {len(signatures)}")
    return Note(text, signatures)


def decode_signatures(raw: bytes) -> tuple[NoteSignature, ...]:
    """Read bare signature lines, as a witness answers them."""
    if len(raw) > MAX_NOTE:
        raise TooLargeError(f"{len(raw)} bytes of signatures where at most {MAX_NOTE} are allowed")
    text = _decode_text(raw)
    if not text.endswith("\n"):
        raise NoteError("a signature line ends in a newline")
    return tuple(map(_parse_signature, text[:-1].split("\n")))


def render_signature(signature: NoteSignature) -> str:
    return f"{_DASH} {signature.name} {encode_base64(signature.key_id + signature.signature)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint; extension lines, which nobody can audit, are refused."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise NoteError(f"expected a checkpoint of three lines, got {len(lines) - 1}")
    origin, size, root = lines[:3]
    if not is_name(origin):
        raise NoteError("the origin of a checkpoint is a name without spaces and plus signs")
    return Checkpoint(origin, parse_size(size), decode_hash(root))


def parse_size(text: str) -> int:
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise NoteError(f"expected a decimal number below 2^63 without leading zeroes, got {text[:24]!r}")
    return int(text)


def decode_hash(text: str) -> Digest:
    raw = decode_base64(text)
    if len(raw) != 32:
        raise NoteError(f"expected a hash of 32 bytes, got {len(raw)}")
    return Digest(raw)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer, key: NoteKey) -> NoteSignature:
    """The log's own signature over its tree head.

    **Never sign two that are inconsistent.**
    """
    return NoteSignature(key.name, key.id, signer.sign(checkpoint.text.encode()))


def cosign_checkpoint(checkpoint: Checkpoint, time: int, signer: Signer, key: NoteKey) -> NoteSignature:
    """A witness's `cosignature/v1`.

    **Persist what is cosigned before handing this out.**
    """
    signature = signer.sign((_COSIGNED.format(time) + checkpoint.text).encode())
    return NoteSignature(key.name, key.id, time.to_bytes(8, "big") + signature)


def verify_checkpoint(note: Note, key: NoteKey) -> Checkpoint:
    """The checkpoint that the log's `key` signed, or `SignatureError`."""
    checkpoint = parse_checkpoint(note.text)  # bounded before anything is believed
    found = [s for s in note.signatures if (s.name, s.key_id) == (key.name, key.id)]
    if key.type is not SignatureType.ED25519 or not found:
        raise SignatureError(f"checkpoint is not signed by {key.name}")
    for signature in found:
        verify_ed25519(key.raw, note.text.encode(), signature.signature)
    return checkpoint


def verify_cosignature(text: str, signature: NoteSignature, key: NoteKey) -> Cosignature:
    """What the witness with `key` said about the checkpoint `text`, or `SignatureError`."""
    if key.type is not SignatureType.COSIGNATURE or (signature.name, signature.key_id) != (key.name, key.id):
        raise SignatureError(f"signature line is not of witness {key.name}")
    if len(signature.signature) != 72:
        raise SignatureError(f"cosignature of {len(signature.signature)} bytes, expected 72")
    time = int.from_bytes(signature.signature[:8], "big")
    if time > MAX_SIZE:
        raise SignatureError("cosignature with a time beyond 2^63 - 1")
    verify_ed25519(key.raw, (_COSIGNED.format(time) + text).encode(), signature.signature[8:])
    return Cosignature(key.name, time)


def render_note_key(key: NoteKey) -> str:
    """The verifier key as one line (`name+id+key`), for policy files."""
    return f"{key.name}+{key.id.hex()}+{encode_base64(bytes((key.type,)) + key.raw)}"


def parse_note_key(text: str) -> NoteKey:
    """Read a verifier key; its id must be the one that name, type and key give."""
    name, *rest = text.split("+", 2)
    if len(rest) != 2 or not is_name(name):
        raise NoteError("expected a verifier key name+id+base64")
    material = decode_base64(rest[1])
    if len(material) != 33 or material[0] not in set(SignatureType):
        raise NoteError("expected a verifier key of Ed25519")
    key = NoteKey(name, SignatureType(material[0]), material[1:])
    if key.id.hex() != rest[0]:
        raise NoteError(f"verifier key has id {rest[0][:16]!r}, expected {key.id.hex()}")
    return key


def verify_ed25519(public: bytes, data: bytes, signature: bytes) -> None:
    """Check one Ed25519 signature with libsodium, twice as fast as `cryptography`."""
    if len(signature) != 64 or len(public) != 32:
        raise SignatureError(f"Ed25519 signature of {len(signature)} bytes, key of {len(public)}")
    try:
        crypto_sign_open(signature + data, public)
    except BadSignatureError as error:
        raise SignatureError("Ed25519 signature does not hold") from error


def is_name(text: str) -> bool:
    """Say whether `text` may name a key or a log: not empty, no spaces, no plus, no control characters."""
    return bool(text) and "+" not in text and text.isprintable() and not any(c.isspace() for c in text)


def encode_base64(data: bytes) -> str:
    return b64encode(data).decode()


def decode_base64(text: str) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("not base64") from error
    if encode_base64(raw) != text:  # stray bits after the last byte
        raise NoteError("base64 is not in canonical form")
    return raw


def _decode_text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise NoteError("a note is UTF-8 text") from error
    if _CONTROL.search(text):
        raise NoteError("a note holds no control characters but newlines")
    return text


def _split_note(whole: str) -> tuple[str, list[str]]:
    cut = whole.rfind("\n\n")
    if cut < 0 or not whole.endswith("\n"):
        raise NoteError("expected text, an empty line and signature lines")
    return whole[: cut + 1], whole[cut + 2 : -1].split("\n")


def _parse_signature(line: str) -> NoteSignature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _DASH or not is_name(parts[1]):
        raise NoteError("expected a signature line of dash, name and base64")
    raw = decode_base64(parts[2])
    if len(raw) < 5:
        raise NoteError("signature is shorter than its key id")
    return NoteSignature(parts[1], raw[:4], raw[4:])
