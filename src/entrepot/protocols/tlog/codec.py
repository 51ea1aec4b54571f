"""How a log is written on the wire: tile paths, entry bundles, and lists of hashes.

Implements the encodings of c2sp.org/tlog-tiles. Entries of any range are served in the same bundles.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.ledger import decode_hash, encode_base64
from entrepot.values import Digest, MalformedError

TILE: Final = 256
_INDEX: Final = re.compile(r"((?:x\d{3}/)*)(\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tile:
    """The `index`-th tile of a level, or its first `width` items."""

    index: int
    width: int = TILE


def parse_tile(text: str) -> Tile:
    """Read `x001/x234/067` or `x001/x234/067.p/112`; every tile has one path."""
    match = _INDEX.fullmatch(text)
    if match is None or len(text) > 40:
        raise MalformedError("expected a tile's index in groups of three digits")
    index = int(match[1].replace("x", "").replace("/", "") + match[2])
    tile = Tile(index, int(match[3] or TILE))
    if render_tile(tile) != text:
        raise MalformedError("a tile's path has no leading groups of zeroes, and a width from 1 to 255")
    return tile


def render_tile(tile: Tile) -> str:
    digits = f"{tile.index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return path if tile.width >= TILE else f"{path}.p/{tile.width}"


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(raw: bytes) -> list[bytes]:
    """Read entries, each after its length in two bytes."""
    entries, at = [], 0
    while at < len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
        if at + 2 > len(raw) or end > len(raw):
            raise MalformedError("a bundle ends inside an entry")
        entries.append(raw[at + 2 : end])
        at = end
    return entries


def encode_hashes(hashes: Sequence[Digest]) -> bytes:
    return "".join(f"{encode_base64(item)}\n" for item in hashes).encode()


def decode_hashes(raw: bytes) -> tuple[Digest, ...]:
    """Read base64 hashes, one a line."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedError("expected hashes in base64") from error
    if text and not text.endswith("\n"):
        raise MalformedError("a line of hashes ends in a newline")
    return tuple(map(decode_hash, text.split("\n")[:-1]))
