"""An answer as it leaves: its table, the digest of it, the smallest group, and where it was computed.

The body is canonical JSON, so the same answer is the same bytes; numbers that JSON does not hold exactly are
text. The digest is of columns and rows alone: it is the same whoever computes it, in whatever tier.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from entrepot.use.query.cage.model import Result
from entrepot.values import Digest, TrustError, canonical, parse_digest, render_digest, sha256

MEDIA_TYPE: Final = "application/vnd.entrepot.answer+json"
_DOMAIN: Final = b"entrepot/query-answer/v1\n"


class _Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    type: str


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    columns: tuple[_Shown, ...]
    cut: bool
    digest: str
    rows: tuple[tuple[bool | int | str | None, ...], ...]
    smallest_group: int
    tier: str


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """What was answered. Numbers of type `decimal` and `number` are exact texts."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[bool | int | str | None, ...], ...]
    cut: bool
    """Whether there were more rows than may leave at once."""
    digest: Digest
    smallest_group: int
    tier: str


def encode_answer(result: Result, k: int, tier: str) -> bytes:
    """The bytes of an answer."""
    columns: list[canonical.Json] = [{"name": c.name, "type": c.type} for c in result.columns]
    rows: list[canonical.Json] = [[*row] for row in result.rows]
    return canonical.encode(
        {
            "columns": columns,
            "cut": result.cut,
            "digest": render_digest(_digest(columns, rows)),
            "rows": rows,
            "smallestGroup": k,
            "tier": tier,
        }
    )


def read_answer(raw: bytes) -> QueryAnswer:
    """Read an answer, or refuse one whose digest is not that of what stands in it."""
    body = canonical.decode_struct(raw, _Body, max_bytes=len(raw))
    columns: list[canonical.Json] = [{"name": c.name, "type": c.type} for c in body.columns]
    found = _digest(columns, [[*row] for row in body.rows])
    if found != parse_digest(body.digest):
        raise TrustError("the answer's digest is not that of its rows")
    names, types = tuple(c.name for c in body.columns), tuple(c.type for c in body.columns)
    return QueryAnswer(names, types, body.rows, body.cut, found, body.smallest_group, body.tier)


def _digest(columns: list[canonical.Json], rows: list[canonical.Json]) -> Digest:
    return sha256(_DOMAIN + canonical.encode({"columns": columns, "rows": rows}))
