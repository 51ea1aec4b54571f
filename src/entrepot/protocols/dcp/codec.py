"""The messages of the presentation protocol (DCP 1.0, 5.4)."""

from typing import Final

import msgspec

from entrepot.identity import unwrap_presentation
from entrepot.protocols.dcp.errors import UnsupportedQueryError
from entrepot.values import MalformedError, canonical
from entrepot.values.canonical import Json

CONTEXT: Final = "https://w3id.org/dspace-dcp/v1.0/dcp.jsonld"
MAX_SCOPES: Final = 16


def render_query(scopes: tuple[str, ...]) -> bytes:
    return canonical.encode(
        {"@context": [CONTEXT], "@type": "PresentationQueryMessage", "type": "PresentationQueryMessage",
         "scope": [*scopes]}
    )  # fmt: skip


def parse_query(raw: bytes) -> tuple[str, ...]:
    """Read a query by scopes; one that asks in both ways, or in none, is malformed (DCP 1.0, 5.4.1)."""
    document = read_object(raw)
    scopes, definition = document.get("scope"), document.get("presentationDefinition")
    if definition is not None and scopes is not None:
        raise MalformedError("expected scope or presentationDefinition, got both")
    if isinstance(definition, dict) and definition:
        raise UnsupportedQueryError("presentation definitions are not supported here")
    if (
        not isinstance(scopes, list)
        or not 0 < len(scopes) <= MAX_SCOPES
        or not all(isinstance(s, str) for s in scopes)
    ):
        raise MalformedError(f"scope: expected 1 to {MAX_SCOPES} scopes")
    return tuple(str(s) for s in scopes)


def render_presentations(presentations: tuple[str, ...]) -> bytes:
    return canonical.encode(
        {"@context": [CONTEXT], "@type": "PresentationResponseMessage", "type": "PresentationResponseMessage",
         "presentation": [*presentations]}
    )  # fmt: skip


def parse_presentations(raw: bytes) -> tuple[str, ...]:
    """Read what a holder shows: signed tokens, bare or each in its envelope (DCP 1.0, 5.4.2)."""
    found = read_object(raw).get("presentation")
    items = found if isinstance(found, list) else [found]
    if len(items) > MAX_SCOPES:
        raise MalformedError(f"presentation: expected at most {MAX_SCOPES}")
    return tuple(unwrap_presentation(item) if isinstance(item, dict) else _token(item) for item in items)


def _token(item: Json) -> str:
    if not isinstance(item, str):
        raise MalformedError("presentation: expected signed tokens")
    return item


def read_object(raw: bytes) -> dict[str, Json]:
    """Read the object that every message is."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedError("expected an object")
    return document
