"""Bodies of the owner's API: typed in, JSON out."""

from typing import Any, TypeVar

import msgspec

from entrepot.protocols import Call, Response
from entrepot.values import MalformedError

S = TypeVar("S", bound=msgspec.Struct)


def read_body(call: Call, kind: type[S]) -> S:
    """Read a body strictly; the message names the place of a fault, never its content."""
    try:
        return msgspec.json.decode(call.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"{kind.__name__}: {error}") from error


def answer(value: Any) -> Response:  # noqa: ANN401 (whatever JSON can hold)
    return Response(200, msgspec.json.encode(value))
