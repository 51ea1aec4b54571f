"""Finding products of the space: the platform's search, and how it is asked.

The Dataspace Protocol leaves filters to each implementation; this is ours. A question is a query string,
several values of one name stand beside each other with commas. An answer holds datasets as the catalogue
shows them.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from entrepot import catalogue
from entrepot.catalogue import Found, Search
from entrepot.journal import Journal
from entrepot.protocols.route import Asked, Call, Content, Proof, Response, Route, Shape
from entrepot.protocols.tds import codec
from entrepot.values import (
    Did,
    EntrepotError,
    Grade,
    KindOfUse,
    MalformedError,
    canonical,
    parse_time,
    render_time,
)

PRODUCTS: Final = "products"

SEARCH: Final = tuple(
    Asked(name, schema)
    for name, schema in (
        ("words", {"type": "string", "maxLength": 200}),
        ("grade", {"type": "string", "description": "Grades, with commas between them."}),
        ("kind", {"type": "string", "description": "Kinds of use, with commas between them."}),
        ("provider", {"type": "string"}),
        ("keyword", {"type": "string", "description": "Keywords, with commas between them."}),
        ("mediaType", {"type": "string"}),
        ("since", {"type": "string", "format": "date-time"}),
        ("until", {"type": "string", "format": "date-time"}),
        ("offset", {"type": "integer", "minimum": 0}),
        ("limit", {"type": "integer", "minimum": 1}),
    )
)
"""What a search may ask for."""
_FOUND: Final = {
    "type": "object",
    "required": ["dataset", "nextOffset", "total"],
    "properties": {
        "dataset": {"type": "array", "items": {"type": "object"}},
        "nextOffset": {"type": ["integer", "null"]},
        "total": {"type": "integer"},
    },
}
"""Datasets as the catalogue shows them, and where the next page begins."""
_NAMES: Final = frozenset(asked.name for asked in SEARCH)


def search_route(journal: Journal) -> Route:
    """The platform's search, for members."""

    async def handle(call: Call) -> Response:
        wanted = parse_search(call.query)
        return Response(200, render_found(await journal.read(lambda c: catalogue.search(c, wanted))))

    shape = Shape({200: (Content(_FOUND),)}, asks=SEARCH)
    return Route("GET", f"{codec.PATH}{codec.PLATFORM}/{PRODUCTS}", Proof.MEMBERSHIP, handle, shape=shape)


def parse_search(query: Mapping[str, str]) -> Search:
    """Read a question; what it does not know it refuses by name."""
    if unknown := set(query) - _NAMES:
        raise MalformedError(f"a search has no {min(unknown)!r}; it has {', '.join(sorted(_NAMES))}")
    try:
        wanted = Search(
            words=query.get("words", ""),
            grades=frozenset(Grade(g) for g in _several(query, "grade")),
            kinds=frozenset(KindOfUse(k) for k in _several(query, "kind")),
            provider=Did(query["provider"]) if query.get("provider") else None,
            keywords=_several(query, "keyword"),
            media_type=query.get("mediaType", ""),
            since=parse_time(query["since"]) if query.get("since") else None,
            until=parse_time(query["until"]) if query.get("until") else None,
            offset=int(query.get("offset", "0")),
            limit=int(query.get("limit", "20")),
        )
    except ValueError as error:
        raise MalformedError(f"search: {error}") from error
    wanted.check()
    return wanted


def render_search(wanted: Search) -> str:
    """Write a question, only what differs from an empty one."""
    several = {
        "grade": sorted(str(g) for g in wanted.grades),
        "kind": sorted(str(k) for k in wanted.kinds),
        "keyword": [*wanted.keywords],
    }
    query = {
        "words": wanted.words,
        **{name: ",".join(values) for name, values in several.items()},
        "provider": wanted.provider or "",
        "mediaType": wanted.media_type,
        "since": "" if wanted.since is None else render_time(wanted.since),
        "until": "" if wanted.until is None else render_time(wanted.until),
        "offset": str(wanted.offset) if wanted.offset else "",
        "limit": str(wanted.limit),
    }
    return urlencode({name: value for name, value in query.items() if value})


def render_found(found: Found) -> bytes:
    """Write an answer; the datasets are bytes already."""
    head = {"nextOffset": found.next_offset, "total": found.total}
    return b'{"dataset":[' + b",".join(found.datasets) + b"]," + canonical.encode({**head})[1:]


class _Answer(msgspec.Struct, frozen=True):
    dataset: list[msgspec.Raw]
    nextOffset: int | None  # noqa: N815 (as the other names of this interface)
    total: int


def parse_found(raw: bytes, most: int) -> Found:
    """Read a platform's answer; **what its datasets say is still to be read and judged.**"""
    try:
        answer = msgspec.json.decode(raw, type=_Answer)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError("the platform's answer to a search cannot be read") from error
    if len(answer.dataset) > most:
        raise MalformedError(f"the platform answered with more than the {most} products asked for")
    return Found(answer.total, tuple(bytes(d) for d in answer.dataset), answer.nextOffset)


def readable(found: Found) -> list[catalogue.Product]:
    """The products of an answer. One that this release cannot read is passed over, the others are shown."""
    products = []
    for dataset in found.datasets:
        try:
            product, _ = catalogue.parse_dataset(canonical.decode(dataset))
        except EntrepotError:
            continue
        products.append(product)
    return products


def _several(query: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(v.strip() for v in query.get(name, "").split(",") if v.strip())
