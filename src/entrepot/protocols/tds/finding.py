"""Finding products of the space: the platform's search, and how it is asked.

A question is a query string (`catalogue.parse_search`). An answer holds datasets as the catalogue shows them.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from entrepot import catalogue
from entrepot.catalogue import SEARCH_TERMS, Found
from entrepot.journal import Journal
from entrepot.policy import PolicyError
from entrepot.protocols.route import Asked, Call, Content, Proof, Response, Route, Shape
from entrepot.protocols.tds import codec
from entrepot.values import (
    EntrepotError,
    MalformedError,
    canonical,
)

PRODUCTS: Final = "products"
DCT_TITLE: Final = "http://purl.org/dc/terms/title"
MAX_OFFSET: Final = 1_000_000
_MOST_REASONS: Final = 16

SEARCH: Final = tuple(Asked(name, schema) for name, schema in SEARCH_TERMS.items())
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


def search_route(journal: Journal) -> Route:
    """The platform's search, for members."""

    async def handle(call: Call) -> Response:
        wanted = catalogue.parse_search(call.query)
        return Response(200, render_found(await journal.read(lambda c: catalogue.search(c, wanted))))

    shape = Shape({200: (Content(_FOUND),)}, asks=SEARCH)
    return Route("GET", f"{codec.PATH}{codec.PLATFORM}/{PRODUCTS}", Proof.MEMBERSHIP, handle, shape=shape)


def render_found(found: Found) -> bytes:
    """Write an answer; the datasets are bytes already."""
    head = {"nextOffset": found.next_offset, "total": found.total}
    return b'{"dataset":[' + b",".join(found.datasets) + b"]," + canonical.encode({**head})[1:]


class _Answer(msgspec.Struct, frozen=True):
    dataset: list[msgspec.Raw]
    nextOffset: Annotated[int, Meta(ge=0, le=MAX_OFFSET)] | None  # noqa: N815 (as the others here)
    total: Annotated[int, Meta(ge=0, le=canonical.MAX_INTEGER)]


def parse_found(raw: bytes, most: int) -> Found:
    """Read a platform's answer; **what its datasets say is still to be read and judged.**"""
    try:
        answer = msgspec.json.decode(raw, type=_Answer)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError("the platform's answer to a search cannot be read") from error
    if len(answer.dataset) > most:
        raise MalformedError(f"the platform answered with more than the {most} products asked for")
    return Found(answer.total, tuple(bytes(d) for d in answer.dataset), answer.nextOffset)


@dataclass(frozen=True, slots=True)
class Unacceptable:
    """An offer that this release cannot accept, and why: it asks for something that is not known here."""

    id: str
    title: str
    reasons: tuple[str, ...]


def judged(found: Found) -> tuple[list[catalogue.Product], list[Unacceptable]]:
    """The products of an answer, and beside them what cannot be accepted; one does not hide the others."""
    products: list[catalogue.Product] = []
    refused: list[Unacceptable] = []
    for dataset in found.datasets:
        try:
            product, _ = catalogue.parse_dataset(canonical.decode(dataset))
        except EntrepotError as error:
            refused.append(_unacceptable(dataset, error))
        else:
            products.append(product)
    return products, refused


def _unacceptable(dataset: bytes, error: EntrepotError) -> Unacceptable:
    try:
        said = msgspec.json.decode(dataset)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        said = None
    known = said if isinstance(said, dict) else {}
    faults = error.faults if isinstance(error, PolicyError) else (str(error),)
    return Unacceptable(
        _plain(known.get("@id")), _plain(known.get(DCT_TITLE)), tuple(map(_plain, faults[:_MOST_REASONS]))
    )


def _plain(words: object) -> str:
    """A stranger's words, short and without control characters: they are shown to people."""
    return "".join(c if c.isprintable() else " " for c in words[:300]) if isinstance(words, str) else ""
