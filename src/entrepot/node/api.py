"""The owner's API: typed in, JSON out, and each route with the shape of both."""

from typing import Any, TypeVar

import msgspec

from entrepot.protocols import Asked, Call, Content, Handler, Proof, Response, Route, Shape
from entrepot.values import MalformedError

S = TypeVar("S", bound=msgspec.Struct)


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


def _content(holds: Any) -> Content:  # noqa: ANN401 (a type, or a content already)
    return holds if isinstance(holds, Content) else Content(holds)
