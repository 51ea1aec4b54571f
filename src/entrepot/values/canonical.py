"""Canonical JSON: one value, one sequence of bytes.

A profile of RFC 8785 small enough to leave no choice: keys are ASCII, numbers are integers of at most
2^53 - 1 in size, there are no floats. What is signed or digested in Entrepot is written this way.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeAlias, TypeVar

import msgspec

from entrepot.values.errors import MalformedError, TooLargeError

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

S = TypeVar("S", bound=msgspec.Struct)

MAX_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 64
MAX_BYTES: Final = 1 << 20

_ZERO: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_encoder: Final = msgspec.json.Encoder(order="sorted")


def encode(value: Json) -> bytes:
    """Give the canonical bytes of `value`, or refuse what the profile does not allow."""
    try:
        _check(value, MAX_DEPTH)
        return _encoder.encode(value)
    except UnicodeEncodeError as error:  # a lone surrogate has no UTF-8 form
        raise MalformedError("text holds a lone surrogate") from error
    except AttributeError as error:  # a key that is no text, from a caller that mypy did not see
        raise MalformedError("key is not text") from error


def encode_struct(value: msgspec.Struct | Sequence[msgspec.Struct]) -> bytes:
    """Give the canonical bytes of a struct, or of several, whose field types already keep to the profile.

    **Does not walk the value.** For structs of strings, bounded integers and lists of them.
    """
    return _encoder.encode(value)


def decode(raw: bytes, *, max_bytes: int = MAX_BYTES) -> Json:
    """Read canonical bytes; anything that would be written otherwise is refused."""
    if len(raw) > max_bytes:
        raise TooLargeError(f"{len(raw)} bytes where at most {max_bytes} are allowed")
    try:
        value: Json = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError(f"not JSON: {error}") from error
    if encode(value) != raw:
        raise MalformedError("JSON is not in canonical form")
    return value


def decode_struct(raw: bytes, kind: type[S], *, max_bytes: int = MAX_BYTES) -> S:
    """Read canonical bytes into `kind`; unknown, missing and non-canonical content is refused."""
    if len(raw) > max_bytes:
        raise TooLargeError(f"{len(raw)} bytes where at most {max_bytes} are allowed")
    try:
        value = msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError(f"not a {kind.__name__}: {error}") from error
    if _encoder.encode(value) != raw:
        raise MalformedError(f"{kind.__name__} is not in canonical form")
    return value


def has_zero(raw: bytes) -> bool:
    """Whether JSON holds a zero character: PostgreSQL keeps no such text, so no database of ours does."""
    return _ZERO.search(raw) is not None


def _check(value: Json, depth: int) -> None:
    if depth == 0:
        raise MalformedError(f"nested deeper than {MAX_DEPTH} levels")
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) > MAX_INTEGER:
                raise MalformedError("integer beyond 2^53 - 1")
        case list():
            for item in value:
                _check(item, depth - 1)
        case dict():
            for key, item in value.items():
                # RFC 8785 sorts by UTF-16 units; for ASCII every order is the same one.
                if not key.isascii():
                    raise MalformedError(f"key is not ASCII text: {key[:80]!r}")
                _check(item, depth - 1)
        case _:
            raise MalformedError(f"{type(value).__name__} has no canonical form")
