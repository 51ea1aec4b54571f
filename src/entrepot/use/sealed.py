"""Encrypted delivery: an artefact in a form that only its one receiver can read.

A header (chunk size, size of the artefact, a public key of ours, the digest of theirs), then the artefact
in chunks of 64 KiB under AES-256-GCM. The nonce of a chunk is its number and a mark on the last one (the
STREAM construction), its associated data the whole header: no chunk can be changed, left out, moved or
appended. The key is made for one transfer process and one artefact, and made again the same, so that any
range can be sent again. The bytes are in docs/reference/encrypted-delivery.md.
"""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from entrepot.identity import PublicKey, key_for
from entrepot.values import Digest, ProcessId, TrustError, sha256

MEDIA_TYPE: Final = "application/vnd.entrepot.sealed"
_MAGIC: Final = b"entrepot/sealed/v1\n"
_FIELDS: Final = struct.Struct(">IQ32s32s")
CHUNK: Final = 64 << 10
TAG: Final = 16
HEADER: Final = len(_MAGIC) + _FIELDS.size


class SealError(TrustError):
    """What came cannot be opened."""

    def remedy(self) -> str:
        return "Fetch it anew; nothing of what came was kept. If it fails again, ask the provider."


def context_of(process_id: ProcessId, artefact: Digest) -> bytes:
    """What a key is for: this artefact, in the transfer process as its consumer names it."""
    return b"entrepot/sealed/v1\n" + artefact + process_id.encode()


def sealed_size(size: int) -> int:
    """How long an artefact is once it is sealed; even an empty one has a chunk."""
    return HEADER + size + TAG * max(-(-size // CHUNK), 1)


@dataclass(frozen=True, slots=True)
class Seal:
    """How one artefact is sealed: the header that goes with it, and the key under which it is read."""

    header: bytes
    key: bytes
    size: int

    def __repr__(self) -> str:
        return f"Seal({self.size} bytes)"

    def chunk(self, number: int, plain: bytes) -> bytes:
        return AESGCM(self.key).encrypt(_nonce(number, self._last), plain, self.header)

    def open_chunk(self, number: int, sealed: bytes) -> bytes:
        try:
            return AESGCM(self.key).decrypt(_nonce(number, self._last), sealed, self.header)
        except InvalidTag as error:
            raise SealError(f"chunk {number} is not what the provider sealed, or not for our key") from error

    @property
    def _last(self) -> int:
        return max(-(-self.size // CHUNK), 1) - 1


def seal_for(receiver: PublicKey, secret: bytes, process_id: ProcessId, artefact: Digest, size: int) -> Seal:
    """Make the seal of an artefact for its receiver. `secret`: ours, the same for the same process."""
    public, key = key_for(receiver, secret, context_of(process_id, artefact))
    return Seal(_MAGIC + _FIELDS.pack(CHUNK, size, public, sha256(receiver.raw)), key, size)


def read_sealed(seal: Seal, file: BinaryIO, start: int, length: int) -> bytes:
    """Any part of the sealed form of an open artefact, up to its end; the artefact is read as needed."""
    found = bytearray(seal.header[start : start + length])
    at = max(start, HEADER)
    whole = CHUNK + TAG
    while len(found) < length and at < sealed_size(seal.size):
        number, skipped = divmod(at - HEADER, whole)
        file.seek(number * CHUNK)
        plain = file.read(min(CHUNK, seal.size - number * CHUNK))
        if len(plain) != min(CHUNK, seal.size - number * CHUNK):
            break  # the file became shorter: what is missing is not made up
        piece = seal.chunk(number, plain)[skipped : skipped + length - len(found)]
        found += piece
        at += len(piece)
    return bytes(found)


Agree = Callable[[bytes, bytes], bytes]
"""Gives the key that a sender's public key and a context lead to (`Receiver.key_from`)."""


def unseal(
    source: Path, target: Path, agree: Agree, our_key: PublicKey, process_id: ProcessId, artefact: Digest
) -> None:
    """Open a sealed file into another one, chunk by chunk, and check that it is the artefact; or `SealError`.

    Nothing is left of what does not open: what has come out before a bad chunk is nobody's data.
    """
    try:
        with source.open("rb") as file, target.open("wb") as out:
            seal = _read_header(file.read(HEADER), agree, our_key, process_id, artefact)
            _open_chunks(seal, file, out, artefact)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _open_chunks(seal: Seal, file: BinaryIO, out: BinaryIO, artefact: Digest) -> None:
    digest = hashlib.sha256()
    left = seal.size
    for number in range(max(-(-seal.size // CHUNK), 1)):
        plain = seal.open_chunk(number, file.read(min(CHUNK, left) + TAG))
        digest.update(plain)
        out.write(plain)
        left -= len(plain)
    if file.read(1):
        raise SealError("something follows the last chunk")
    if digest.digest() != artefact:
        raise SealError("what was sealed is not the artefact that the contract names")


def _read_header(
    raw: bytes, agree: Agree, our_key: PublicKey, process_id: ProcessId, artefact: Digest
) -> Seal:
    if len(raw) != HEADER or not raw.startswith(_MAGIC):
        raise SealError("what came is not sealed as the contract says")
    chunk, size, public, whose = _FIELDS.unpack(raw.removeprefix(_MAGIC))
    if whose != sha256(our_key.raw):
        raise SealError("it was sealed to a key that is not ours")
    if chunk != CHUNK:
        raise SealError(f"it was sealed in chunks of {chunk} bytes; this version has {CHUNK}")
    return Seal(raw, agree(public, context_of(process_id, artefact)), size)


def _nonce(number: int, last: int) -> bytes:
    return number.to_bytes(11) + (b"\x01" if number == last else b"\x00")
