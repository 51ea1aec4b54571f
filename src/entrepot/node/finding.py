"""The owner's search: in the catalogue of the space, wherever it lies."""

from collections.abc import Awaitable, Callable

from entrepot import catalogue
from entrepot.catalogue import Found, Product, Search
from entrepot.journal import Journal
from entrepot.node import rows
from entrepot.node.api import answer, owner_route
from entrepot.node.node import Loop
from entrepot.protocols import Call, Response, Route, tds
from entrepot.values import render_digest, render_time


def owner_search(find: Callable[[Search], Awaitable[Found]]) -> Route:
    """The route by which an owner searches; `find` asks the catalogue."""

    async def handle(call: Call) -> Response:
        found = await find(catalogue.parse_search(call.query))
        products, refused = tds.judged(found)
        return answer(
            {
                "total": found.total,
                "nextOffset": found.next_offset,
                "products": [found_product(p) for p in products],
                "notAcceptable": [
                    {"id": u.id, "title": u.title, "reasons": list(u.reasons)} for u in refused
                ],
            }
        )

    return owner_route("GET", "/owner/search", handle, rows.FoundRow, asks=tds.SEARCH)


def found_here(journal: Journal) -> Callable[[Search], Awaitable[Found]]:
    """Search our own catalogue: the space's, where we are its platform."""

    async def find(wanted: Search) -> Found:
        return await journal.read(lambda c: catalogue.search(c, wanted))

    return find


def shelf_loop(journal: Journal) -> Loop:
    """After a start: puts what is on offer on the shelf as this release makes it, some products at a time."""

    async def run() -> bool:
        return bool(await journal.write(catalogue.restock))

    return Loop("shelf", 3_600.0, run)


def found_product(p: Product) -> rows.FoundProduct:
    """A product of the space, as a search shows it."""
    return {
        "id": p.id,
        "version": p.version,
        "title": p.title,
        "description": p.description,
        "keywords": [*p.keywords],
        "provider": p.provider,
        "grade": str(p.grade),
        "kinds": sorted(p.kinds),
        "mediaType": p.media_type,
        "size": p.size,
        "publishedAt": render_time(p.published_at),
        "digest": render_digest(catalogue.product_digest(p)),
    }
