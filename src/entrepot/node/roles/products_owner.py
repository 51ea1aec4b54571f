"""The owner's API of products: what I offer, a page at a time, and taking it off the shelf."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from entrepot import catalogue
from entrepot.catalogue import ColumnRole, Place, Protection
from entrepot.node import rows
from entrepot.node.api import answer, number_of, owner_route, read_body
from entrepot.policy import assured, parse_policy, sentences
from entrepot.protocols import Asked, Call, Response, Route
from entrepot.values import (
    Grade,
    KindOfUse,
    NotFoundError,
    ProductId,
    render_digest,
    render_time,
)

if TYPE_CHECKING:
    from entrepot.node.roles.connector import Connector

_LARGEST: Final = (1 << 63) - 1
_PLACE: Final = (
    Asked("after", {"type": "integer", "minimum": 0, "description": "From `nextAfter` of another page."}),
    Asked("limit", {"type": "integer", "minimum": 1, "maximum": catalogue.PAGE}),
)


class AttachBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of this machine to be attached."""

    path: str
    media_type: str = "application/octet-stream"


class ProtectionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be asked about a table that never leaves."""

    table: str
    subject: str
    k: int
    roles: dict[str, ColumnRole]

    @property
    def protection(self) -> Protection:
        return Protection(self.table, self.subject, self.k, tuple(sorted(self.roles.items())))


class ProductBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product to be offered over an attached resource."""

    id: str
    resource: str
    title: str
    description: str
    rights: str
    policy: Any
    kinds: tuple[KindOfUse, ...]
    grade: Grade | None = None
    keywords: tuple[str, ...] = ()
    protection: ProtectionBody | None = None
    """For a table that is queried in place."""


def product_routes(connector: Connector) -> list[Route]:
    api = _Api(connector)
    return [
        owner_route("POST", "/owner/resources", api.attach, rows.AttachedRow, AttachBody),
        owner_route("POST", "/owner/products", api.offer, rows.OfferedRow, ProductBody),
        owner_route("GET", "/owner/products", api.page, rows.ProductPage, asks=_PLACE),
        owner_route("GET", "/owner/products/{id:path}", api.one, rows.ProductRow),
        owner_route("POST", "/owner/products/{id:path}/withdraw", api.withdraw, rows.WithdrawnRow),
    ]


class _Api:
    """One method a route."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._node = connector.node
        self._journal = connector.node.journal

    async def attach(self, call: Call) -> Response:
        body = read_body(call, AttachBody)
        measured = await asyncio.to_thread(catalogue.measure, Path(body.path), body.media_type)
        resource = catalogue.named(measured, lambda facts: self._node.vault.derive("resource", facts))
        await self._journal.write(lambda tx: catalogue.attach_resource(tx, resource))
        return answer(
            {"resource": resource.id, "size": resource.size, "digest": render_digest(resource.digest)}
        )

    async def offer(self, call: Call) -> Response:
        body = read_body(call, ProductBody)
        described = catalogue.Description(
            body.title,
            body.description,
            body.rights,
            body.grade,
            frozenset(body.kinds),
            parse_policy(body.policy),
            body.keywords,
            None if body.protection is None else body.protection.protection,
        )
        product = await self._connector.offer(ProductId(body.id), body.resource, described)
        against = await self._journal.read(lambda c: catalogue.tensions_of(c, product))
        return answer({**_shown(product), "tensions": list(against)})

    async def page(self, call: Call) -> Response:
        """What I offer, the newest first; `nextAfter` is where the next page begins."""
        place = _place(call)
        found = await self._journal.read(lambda c: catalogue.stock(c, self._node.me, place))
        return answer(
            {
                "total": found.total,
                "nextAfter": found.next_after,
                "previousAfter": found.previous_after,
                "products": [_shown(p) for p in found.products],
            }
        )

    async def one(self, call: Call) -> Response:
        """One product of mine, as its newest version says, on offer or not."""
        found = await self._journal.read(lambda c: catalogue.versions(c, ProductId(call.path["id"])))
        if not found or found[0].product.provider != self._node.me:
            raise NotFoundError("there is no such product of ours")
        return answer({**_shown(found[0].product), "onOffer": found[0].is_on_offer})

    async def withdraw(self, call: Call) -> Response:
        product_id = ProductId(call.path["id"])
        await self._connector.withdraw(product_id)
        return answer({"product": product_id, "listed": False})


def _place(call: Call) -> Place:
    after = number_of(call, "after", 0, 0, _LARGEST)
    return Place(after=after, size=number_of(call, "limit", catalogue.PAGE, 1, catalogue.PAGE))


def _shown(p: catalogue.Product) -> rows.ProductRow:
    return {
        "id": p.id,
        "version": p.version,
        "title": p.title,
        "description": p.description,
        "keywords": list(p.keywords),
        "rights": p.rights,
        "publishedAt": render_time(p.published_at),
        "provider": p.provider,
        "grade": str(p.grade),
        "kinds": sorted(p.kinds),
        "size": p.size,
        "digest": render_digest(catalogue.product_digest(p)),
        "artefact": render_digest(p.artefact),
        "text": {"en": sentences(p.policy, "en"), "zh": sentences(p.policy, "zh")},
        "assured": {
            str(kind): {"en": assured(p.policy, kind, "en"), "zh": assured(p.policy, kind, "zh")}
            for kind in sorted(p.kinds)
        },
    }
