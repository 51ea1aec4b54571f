"""The owner's API for versions of a product: what there was, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from entrepot import catalogue
from entrepot.node import rows
from entrepot.node.api import answer, owner_route, read_body
from entrepot.protocols import Call, Response, Route
from entrepot.values import NotFoundError, ProductId, render_digest, render_time

if TYPE_CHECKING:
    from entrepot.node.roles.connector import Connector


class RollBackBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which version's content is to be on offer again."""

    version: int


def version_routes(connector: Connector) -> list[Route]:
    """The routes for versions."""

    async def history(call: Call) -> Response:
        product_id = ProductId(call.path["id"])
        found = await connector.node.journal.read(lambda c: catalogue.versions(c, product_id))
        if not found:
            raise NotFoundError("there is no such product here")
        return answer([{**_shown(v.product), "onOffer": v.is_on_offer} for v in found])

    async def roll_back(call: Call) -> Response:
        version = read_body(call, RollBackBody).version
        return answer(_shown(await connector.roll_back(ProductId(call.path["id"]), version)))

    return [
        owner_route("GET", "/owner/products/{id:path}/versions", history, list[rows.VersionRow]),
        owner_route("POST", "/owner/products/{id:path}/rollback", roll_back, rows.VersionRow, RollBackBody),
    ]


def _shown(p: catalogue.Product) -> rows.VersionRow:
    return {
        "id": p.id,
        "version": p.version,
        "title": p.title,
        "grade": str(p.grade),
        "size": p.size,
        "publishedAt": render_time(p.published_at),
        "artefact": render_digest(p.artefact),
        "digest": render_digest(catalogue.product_digest(p)),
    }
