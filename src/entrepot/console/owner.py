"""The console's only way into the node: the owner's API, called in this process.

What the console shows and does, the owner's API shows and does, by the same handlers. There is no second
way in, and nothing that a person can do here cannot be done by a program.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from entrepot.console.model import Turned
from entrepot.node.api import MOST
from entrepot.node.node import Part
from entrepot.protocols import Call, Handler, Response, Route

T = TypeVar("T")
_NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})

CONNECTOR: Final = "/owner/negotiations"
PLATFORM: Final = "/owner/members"
OBSERVER: Final = "/owner/observer"
SIGNALING: Final = "/owner/signaling"
"""Routes that only this role has; two roles of one node may give one path different meanings."""
WAITS: Final[Mapping[str, str]] = MappingProxyType({"waits": "true"})
"""Asks for the negotiations that wait for a person of ours."""


class Owner:
    """The owner's API of one role."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._handlers: dict[tuple[str, str], Handler] = {(r.method, r.path): r.handle for r in routes}

    def can(self, method: str, path: str) -> bool:
        return (method, path) in self._handlers

    async def read(self, kind: type[T], path: str, query: Mapping[str, str] | None = None, **names: str) -> T:
        """What the API answers, read as what the console expects of it."""
        reply = await self._handlers["GET", path](Call(names, b"", {}, query or {}))
        return self.decode(reply, kind)

    async def every(self, kind: type[Turned[T]], path: str, query: Mapping[str, str] = _NO_QUERY) -> list[T]:
        """All that the API lists there, page after page."""
        found: list[T] = []
        after: str | None = ""
        while after is not None:
            page = await self.read(kind, path, {**query, "after": after, "limit": str(MOST)})
            found += page.rows
            after = page.next_after
        return found

    @staticmethod
    def decode(reply: Response, kind: type[T]) -> T:
        return msgspec.json.decode(reply.body, type=kind)

    async def ask(self, method: str, path: str, body: object = None, **names: str) -> Response:
        """Call one route by its path in the table of routes; its refusals are raised."""
        raw = b"" if body is None else msgspec.json.encode(body)
        return await self._handlers[method, path](Call(names, raw, {}))


def role_of(parts: Sequence[Part], only: str) -> Owner | None:
    """The owner's API of the role that has this route, where the node has that role."""
    for part in parts:
        if any(route.path == only for route in part.owner):
            return Owner(part.owner)
    return None
