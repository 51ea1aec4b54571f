"""Finding products of the space: the platform's search, and how it is asked.

A question is a query string (`catalogue.parse_search`). An answer holds datasets as the catalogue shows them.
"""

from typing import Final

import msgspec

from entrepot import catalogue
from entrepot.catalogue import SEARCH_TERMS, Found
from entrepot.journal import Journal
from entrepot.protocols.route import Asked, Call, Content, Proof, Response, Route, Shape
from entrepot.protocols.tds import codec
from entrepot.values import (
    EntrepotError,
    MalformedError,
    canonical,
)

PRODUCTS: Final = "products"

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
