"""Routes as values: what is asked for before a handler runs is written beside the route.

A handler takes a `Call` and gives a `Response`; the node's HTTP application reads the one and writes the
other, so a protocol can be tested without a server. `Outgoing` is the way out, with the node's rules on
which addresses may be called.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias

from entrepot.values import Did


class Proof(StrEnum):
    """What a route asks for before anything else happens."""

    NONE = "none"
    MEMBERSHIP = "membership"
    """A self-issued token of a member in force; the handler learns who it is."""
    DOOR_TOKEN = "door token"  # noqa: S105 (the name of a proof, not a secret)
    INBOX_TOKEN = "inbox token"  # noqa: S105 (the name of a proof, not a secret)
    """The token that we gave for one push to us."""
    LOG_SIGNATURE = "log signature"
    """The content is signed by the log or a member; whoever brings it does not matter."""
    ACCESS_TOKEN = "access token"  # noqa: S105 (the name of a proof, not a secret)
    """A self-issued token that carries the access token we gave that party."""
    PLANE_TOKEN = "plane token"  # noqa: S105 (the name of a proof, not a secret)
    """What the owner has agreed on with another product's control or data plane."""
    ID_TOKEN = "id token"  # noqa: S105 (the name of a proof, not a secret)
    """A self-issued token of whoever calls; what that party may do, the handler says."""
    CLIENT_SECRET = "client secret"  # noqa: S105 (the name of a proof, not a secret)
    """The secret of a client that the owner made for software of its own."""
    INVITATION = "invitation"
    OWNER = "owner"
    """The owner's token, on the owner's port only."""
    SESSION = "session"
    """The owner signed in to the console; on the owner's port only."""


_QUOTED: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, its body read and bounded."""

    path: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]
    """By lower-case name."""
    query: Mapping[str, str] = field(default_factory=dict)
    caller: Did | None = None
    """Who is asking, where the route asks for membership."""
    request_id: str = ""
    """What the log calls this request; a person who meets an error is told it."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Content:
    """A body as it is described: what it holds, and its media type."""

    holds: Any
    """A type that msgspec reads, or a JSON schema."""
    media_type: str = JSON
    optional: bool = False


BINARY: Final = Content({}, "application/octet-stream")
TEXT: Final = Content({"type": "string"}, "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Asked:
    """One name of a query, with the JSON schema of its value."""

    name: str
    schema: Mapping[str, Any]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What a route takes and gives. The description of a node is made of these and of nothing else."""

    gives: Mapping[int, tuple[Content, ...]] = field(default_factory=dict)
    """What it answers where all is well, by status; none where that answer has no body."""
    takes: Content | None = None
    asks: tuple[Asked, ...] = ()
    fails: Mapping[int, tuple[Content, ...]] = field(default_factory=dict)
    """How it says no where that is not, or not always, a problem document with one of the usual statuses."""


UNDESCRIBED: Final = Shape()
"""Of a page for people."""


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: how it is reached, the proof it asks for, and what handles it."""

    method: str
    path: str
    proof: Proof
    handle: Handler
    max_bytes: int = 1 << 20
    shape: Shape = UNDESCRIBED


@dataclass(frozen=True, slots=True)
class Reply:
    """What another node answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Outgoing(Protocol):
    """Calls another node, or raises `UnavailableError` where it cannot be reached or must not be."""

    async def __call__(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
    ) -> Reply: ...


def unquoted(text: str) -> str:
    """An error text without what it quotes: what a stranger sent is not said back, nor logged."""
    return _QUOTED.sub("…", text)
