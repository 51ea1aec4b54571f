"""The owner's look at what others offer: one product of the space, or a party's catalogue, of any make."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from entrepot import catalogue
from entrepot.node import rows
from entrepot.node.api import answer, owner_route
from entrepot.node.finding import found_product
from entrepot.node.roles.negotiation_owner import terms
from entrepot.protocols import Call, Reply, Response, Route, dsp
from entrepot.values import Did, EntrepotError, ProductId, UnavailableError, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from entrepot.node.roles.connector import Connector
    from entrepot.values.canonical import Json

MOST: Final = 10_000
"""So many datasets are shown and no more."""
_PAGES: Final = 1_000
_MAX_BYTES: Final = 16 << 20
_NEXT: Final = re.compile(r'<([^<>]{1,2000})>\s*;[^,]*?rel="?next"?')
_REQUEST: Final = canonical.encode({"@context": [dsp.envelope.CONTEXT], "@type": "CatalogRequestMessage"})


def elsewhere_routes(connector: Connector) -> list[Route]:
    async def look(call: Call) -> Response:
        return answer(await offered_elsewhere(connector, Did(call.path["did"])))

    async def one(call: Call) -> Response:
        """A product of the space with its terms; the provider's must be those that are registered."""
        product, _ = await connector.acquirer.registered(ProductId(call.path["id"]))
        return answer({**found_product(product), "rights": product.rights, **terms(product.policy)})

    return [
        owner_route("GET", "/owner/search/{id:path}", one, rows.SpaceProduct),
        owner_route("GET", "/owner/catalogues/{did:path}", look, list[rows.ElsewhereRow]),
    ]


async def offered_elsewhere(connector: Connector, provider: Did) -> list[rows.ElsewhereRow]:
    """All that a party shows us, page by page; a page is asked for as the first one was (RFC 8288)."""
    base = await connector.acquirer.base_of(provider)
    url: str | None = f"{base.rstrip('/')}/catalog/request"
    found: list[rows.ElsewhereRow] = []
    for _ in range(_PAGES):
        if url is None or len(found) >= MOST:
            break
        reply = await _page(connector, provider, url)
        document = dsp.envelope.decode(reply.body)
        datasets = _datasets(document)
        found += [_row(dataset, provider) for dataset in datasets]
        # Some name a next page behind a last one that is full: that one is empty.
        url = _next(reply) if datasets else None
        if url is not None:
            await connector.check_callback(url, provider)
    return found[:MOST]


async def _page(connector: Connector, provider: Did, url: str) -> Reply:
    node = connector.node
    headers = {
        "authorization": await node.acquaintance.authorization(provider),
        "content-type": "application/json",
    }
    reply = await node.outgoing("POST", url, _REQUEST, headers, _MAX_BYTES)
    if reply.status != 200:
        raise UnavailableError(f"the catalogue answered {reply.status}")
    return reply


def _next(reply: Reply) -> str | None:
    match = _NEXT.search(reply.headers.get("link", ""))
    return None if match is None else match[1]


def _datasets(document: Mapping[str, Json]) -> list[dict[str, Json]]:
    value = document.get("dataset") or []
    return [d for d in (value if isinstance(value, list) else [value]) if isinstance(d, dict)]


def _row(document: dict[str, Json], provider: Did) -> rows.ElsewhereRow:
    """One dataset; where its terms cannot be agreed to, the reason stands beside it."""
    wanted = ProductId(str(document.get("@id", ""))[:500])
    try:
        if catalogue.is_of_this_space(document):
            offering = catalogue.offering_of(catalogue.parse_dataset(document)[0])
        else:
            offering = catalogue.parse_offering(document, provider, wanted)
    except EntrepotError as error:
        return {"product": wanted, "kinds": [], "graded": False, "problem": str(error)[:1000]}
    kinds = sorted(str(kind) for kind in offering.kinds)
    return {"product": wanted, "kinds": kinds, "graded": offering.artefact is not None, "problem": ""}
