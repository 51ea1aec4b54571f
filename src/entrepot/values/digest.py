"""SHA-256 digests, and how they are written: `sha256:` and 64 lower-case hexadecimal digits."""

import hashlib
import re
from typing import Final, NewType

from entrepot.values.errors import MalformedError

Digest = NewType("Digest", bytes)
"""32 bytes of SHA-256."""

_WRITTEN: Final = re.compile(r"sha256:([0-9a-f]{64})")


def sha256(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).digest())


def render_digest(digest: Digest) -> str:
    return f"sha256:{digest.hex()}"


def parse_digest(text: str) -> Digest:
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise MalformedError(f"expected sha256: and 64 hexadecimal digits, got {text[:80]!r}")
    return Digest(bytes.fromhex(match[1]))
