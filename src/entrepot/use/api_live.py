"""Live services: a call goes on to the service that the owner named, and to nothing else.

The address is the owner's, the path one of those that it allows, the parameters too. Redirects are not
followed, an answer is bounded, and what a service says of its own faults is not passed on.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlencode

from entrepot.catalogue import Source
from entrepot.use.api_ask import parse_query
from entrepot.values import MalformedError, UnavailableError

PREFIX: Final = "service"
MAX_ANSWER: Final = 4 << 20
_MEDIA_TYPES: Final = frozenset({"application/json", "application/geo+json", "text/csv", "text/plain"})


@dataclass(frozen=True, slots=True)
class Answered:
    """What a service answered."""

    status: int
    media_type: str
    body: bytes


Call: TypeAlias = Callable[[str, Mapping[str, str], int], Awaitable[Answered]]
"""Gets an address with these headers, and an answer of at most so many bytes; by the node's own way out."""
LetIn: TypeAlias = Callable[[Source], Awaitable[str]]
"""The secret that lets us in at a service; nothing where it asks for none."""


def address_of(source: Source, below: str, query: bytes) -> str:
    """The address of a call, or say what is wrong with it. **Before the gate: nothing is counted yet.**"""
    path = below.removeprefix(PREFIX)
    if path not in source.paths:
        raise MalformedError("the contract's service has no such path; openapi.json lists those it has")
    sent = parse_query(query, source.parameters)
    return source.where.rstrip("/") + path + ("?" + urlencode(sent) if sent else "")


async def ask_service(source: Source, address: str, call: Call, let_in: LetIn) -> Answered:
    """What the service answers, or `UnavailableError` where that is nothing to pass on."""
    headers = {"accept": "application/json"}
    secret = await let_in(source)
    if secret:
        headers["authorization"] = secret
    answered = await call(address, headers, MAX_ANSWER)
    media_type = answered.media_type.partition(";")[0].strip().lower()
    if answered.status != 200 or media_type not in _MEDIA_TYPES:
        raise UnavailableError("the service behind this product did not answer as it should")
    return Answered(200, media_type, answered.body)
