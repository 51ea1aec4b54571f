"""The owner's API: typed in, JSON out, and each route with the shape of both."""

from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from entrepot.journal import PAGE, Page, Place
from entrepot.protocols import Asked, Call, Content, Handler, Proof, Response, Route, Shape
from entrepot.values import AgreementId, MalformedError

S = TypeVar("S", bound=msgspec.Struct)

MOST: Final = 1_000
PLACE: Final = (
    Asked("after", {"type": "string", "description": "From `nextAfter` or `previousAfter` of another page."}),
    Asked("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": PAGE}),
)
UNDER: Final = (*PLACE, Asked("agreement", {"type": "string", "description": "Only those under this one."}))


def owner_route(
    method: str,
    path: str,
    handle: Handler,
    gives: Any,  # noqa: ANN401 (types that msgspec reads, or a `Content`)
    takes: Any = None,  # noqa: ANN401 (as `gives`)
    asks: tuple[Asked, ...] = (),
) -> Route:
    """A route of the owner's API, with what it gives where all is well (None: 204), and what it takes."""
    given = gives if isinstance(gives, tuple) else (gives,)
    well = {204: ()} if gives is None else {200: tuple(map(_content, given))}
    shape = Shape(well, None if takes is None else _content(takes), asks)
    return Route(method, path, Proof.OWNER, handle, shape=shape)


def read_body(call: Call, kind: type[S]) -> S:
    """Read a body strictly; the message names the place of a fault, never its content."""
    try:
        return msgspec.json.decode(call.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"{kind.__name__}: {error}") from error


def answer(value: Any) -> Response:  # noqa: ANN401 (whatever JSON can hold)
    return Response(200, msgspec.json.encode(value))


def place_of(call: Call) -> Place:
    """Which page is asked for."""
    return Place(call.query.get("after", ""), number_of(call, "limit", PAGE, 1, MOST))


def agreement_in(call: Call) -> AgreementId | None:
    """The one agreement that is asked about, if any."""
    said = call.query.get("agreement")
    return AgreementId(said) if said else None


def number_of(call: Call, name: str, usual: int, least: int, most: int) -> int:
    text = call.query.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise MalformedError(f"{name}: expected a number from {least} to {most}")
    return int(text)


def answer_page(call: Call, name: str, page: Page[Any]) -> Response:
    """One page of rows under their name, and where the pages around it begin (RFC 8288 says so too)."""
    body = {"nextAfter": page.next_after, "previousAfter": page.previous_after, name: page.items}
    links = [
        f'<?{urlencode({**call.query, "after": after})}>; rel="{relation}"'
        for relation, after in (("next", page.next_after), ("prev", page.previous_after))
        if after is not None
    ]
    return Response(200, msgspec.json.encode(body), headers={"link": ", ".join(links)} if links else {})


def _content(holds: Any) -> Content:  # noqa: ANN401 (a type, or a content already)
    return holds if isinstance(holds, Content) else Content(holds)
