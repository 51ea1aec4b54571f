"""The owner's API of sources: attach one, look at what stands in it, keep what lets us in.

Reading a source may take minutes, so it runs in a thread; its artefact lies in the node's data folder.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from entrepot import catalogue
from entrepot.catalogue import Resource, Source, SourceKind
from entrepot.node import rows
from entrepot.node.api import answer, owner_route, read_body
from entrepot.node.node import Loop
from entrepot.protocols import Asked, Call, Response, Route
from entrepot.use import Answered, ApiDoor, House, Streams
from entrepot.values import AgreementId, NotFoundError, render_digest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from entrepot.node.node import Node

ARTEFACTS: Final = "artefacts"
_HOUR: Final = 3600.0
_UNUSED: Final = timedelta(days=1)
"""How long an attachment waits to be offered."""
_SENSITIVE: Final = (Asked("sensitive", {"type": "string"}),)
"""Columns, with commas between them, of which no value is shown."""


class SourceBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A source to be attached."""

    kind: SourceKind
    where: str
    table: str = ""
    secret: str = ""
    encoding: str = "utf-8"
    paths: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    """Columns of which the answer shows no value."""


class SecretBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lets us in at a source: a password, or the whole of an `Authorization`."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    value: Annotated[str, Meta(max_length=8_000, pattern=r"^[^\x00-\x1f]+\Z")]
    """On one line: it becomes a header, or a password."""

    def __repr__(self) -> str:
        return f"SecretBody({self.name!r})"


def source_routes(node: Node) -> list[Route]:
    api = _Api(node)
    return [
        owner_route("POST", "/owner/secrets", api.keep, rows.SecretRow, SecretBody),
        owner_route("POST", "/owner/sources", api.attach, rows.ResourceRow, SourceBody),
        owner_route("GET", "/owner/resources/{id}", api.look, rows.ResourceRow, asks=_SENSITIVE),
    ]


def api_door(node: Node, house: House, streams: Streams) -> ApiDoor:
    """The door of open APIs; it reaches live services by the node's own way out and no other."""

    async def call(url: str, headers: Mapping[str, str], most: int) -> Answered:
        reply = await node.outgoing("GET", url, headers=headers, max_bytes=most)
        return Answered(reply.status, reply.headers.get("content-type", ""), reply.body)

    async def let_in(source: Source) -> str:
        return await _secret_of(node, source)

    def key_of(agreement_id: AgreementId) -> bytes:
        return node.vault.derive("cursor", agreement_id.encode())

    return ApiDoor(node.journal, house, streams, call, let_in, key_of)


@asynccontextmanager
async def artefacts_held(node: Node) -> AsyncIterator[None]:
    """Nothing of the node's artefacts is cleared away meanwhile."""
    handle = await asyncio.to_thread(catalogue.hold, node.folder / ARTEFACTS)
    try:
        yield
    finally:
        os.close(handle)


def clearing_loop(node: Node) -> Loop:
    """Removes every hour artefacts that nothing has named for a day."""
    folder = node.folder / ARTEFACTS

    async def run() -> None:
        with catalogue.alone(folder) as is_ours:
            if is_ours:
                old = await asyncio.to_thread(catalogue.untouched_since, folder, node.clock() - _UNUSED)
                gone = await node.journal.write(lambda tx: catalogue.forget_unused(tx, folder, old))
                await asyncio.to_thread(catalogue.remove, folder, gone)

    return Loop("clearing", _HOUR, run, alone=True)


class _Api:
    """One method a route."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def keep(self, call: Call) -> Response:
        body = read_body(call, SecretBody)
        sealed = self._node.vault.seal(body.value.encode())
        await self._node.journal.write(lambda tx: catalogue.keep_secret(tx, body.name, sealed))
        return answer({"secret": body.name})

    async def attach(self, call: Call) -> Response:
        body = read_body(call, SourceBody)
        source = Source(
            body.kind, body.where, body.table, body.secret, body.encoding, body.paths, body.parameters
        )
        password = await _secret_of(self._node, source)
        folder = self._node.folder / ARTEFACTS
        async with artefacts_held(self._node):
            made = await asyncio.to_thread(catalogue.prepare, source, password, folder)
            resource = catalogue.named(made, lambda facts: self._node.vault.derive("resource", facts))
            row = await _row(resource, body.sensitive)
            await self._node.journal.write(lambda tx: catalogue.attach_resource(tx, resource))
        return answer(row)

    async def look(self, call: Call) -> Response:
        found = await self._node.journal.read(lambda c: catalogue.resource(c, call.path["id"]))
        if found is None:
            raise NotFoundError("there is no such resource here")
        sensitive = tuple(name for name in call.query.get("sensitive", "").split(",") if name)
        return answer(await _row(found, sensitive))


async def _secret_of(node: Node, source: Source) -> str:
    """What lets us in there; nothing where the source names no secret."""
    if not source.secret:
        return ""
    sealed = await node.journal.read(lambda c: catalogue.sealed_secret(c, source.secret))
    return node.vault.unseal(sealed).decode()


async def _row(resource: Resource, sensitive: tuple[str, ...]) -> rows.ResourceRow:
    """A resource, with what stands in its table."""
    source = resource.source
    row: rows.ResourceRow = {
        "resource": resource.id,
        "mediaType": resource.media_type,
        "size": resource.size,
        "digest": render_digest(resource.digest),
        "kind": None if source is None else str(source.kind),
        "where": str(resource.path) if source is None else source.where,
        "table": "" if source is None else source.table,
    }
    if not resource.columns:
        return row
    found = await asyncio.to_thread(catalogue.inspect, resource, sensitive)
    row["rows"] = found.rows
    row["columns"] = [
        {
            "name": s.column.name,
            "type": str(s.column.type),
            "nulls": s.nulls,
            "distinct": s.distinct,
            "least": s.least,
            "greatest": s.greatest,
        }
        for s in found.columns
    ]
    row["preview"] = found.preview
    return row
