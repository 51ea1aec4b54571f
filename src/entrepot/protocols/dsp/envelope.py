"""The envelope of a message of the Dataspace Protocol: JSON-LD in its compact form, and nothing else.

Short, prefixed and full names of the known terms are read; foreign keys of a known context are passed over;
a context outside the list is refused by name and none is ever fetched.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from entrepot.values import MalformedError, named
from entrepot.values.canonical import Json

CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"
DSPACE: Final = "https://w3id.org/dspace/2025/1/"
KNOWN_CONTEXTS: Final = frozenset({CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"})
MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
_TERMS: Final = (
    (
        ("dspace:", DSPACE),
        (
            "agreement agreementId callbackAddress code consumerPid dataAddress dataset endpoint "
            "endpointProperties endpointType eventType filter name offer participantId providerPid reason "
            "state timestamp value"
        ),
    ),
    (("odrl:", "http://www.w3.org/ns/odrl/2/"), "assignee assigner target"),
    (("dct:", "http://purl.org/dc/terms/"), "format"),
)
_NAMES: Final = {prefix + t: t for prefixes, terms in _TERMS for prefix in prefixes for t in terms.split()}
"""The prefixed and the full name of every term of an envelope, and its short one."""


def decode(raw: bytes, contexts: Collection[str] = KNOWN_CONTEXTS) -> dict[str, Json]:
    """Read a body into an object whose keys of the protocol are in their short form."""
    if len(raw) > MAX_BYTES:
        raise MalformedError(f"{len(raw)} bytes where at most {MAX_BYTES} are allowed")
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedError("expected an object")
    short = short_names(document, MAX_DEPTH)
    if not isinstance(short, dict):
        raise MalformedError("expected an object")
    check_context(short.get("@context"), contexts)
    for part in short.values():
        _check_below(part, contexts)
    return short


def check_context(context: Json, contexts: Collection[str] = KNOWN_CONTEXTS) -> None:
    """Refuse a context that is not known, and a message without the protocol's."""
    names = context if isinstance(context, list) else [context]
    if CONTEXT not in names:
        raise MalformedError(f"@context must name {CONTEXT}")
    _check_known(names, contexts)


def type_of(document: Mapping[str, Json]) -> str:
    value = document.get("@type")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return short_term(value) if isinstance(value, str) else ""


def short_term(term: str) -> str:
    """The short name of a term that stands as a value."""
    return term.removeprefix(DSPACE).removeprefix("dspace:")


def short_names(value: Json, depth: int) -> Json:
    """Give every key of an envelope its short name; what else there is keeps its own."""
    if depth == 0:
        raise MalformedError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list):
        return [short_names(v, depth - 1) for v in value]
    if not isinstance(value, dict):
        return value
    short: dict[str, Json] = {}
    for key, item in value.items():
        name = _NAMES.get(key, key)
        if name in short:  # two readers might take a different one of them
            raise MalformedError(f"{name} is there twice")
        short[name] = short_names(item, depth - 1)
    return short


def _check_below(value: Json, contexts: Collection[str]) -> None:
    """Refuse an unknown context inside: it may say of a part that its words mean something else."""
    if isinstance(value, dict) and "@context" in value:
        context = value["@context"]
        _check_known(context if isinstance(context, list) else [context], contexts)
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_below(part, contexts)


def _check_known(names: Sequence[Json], contexts: Collection[str]) -> None:
    for name in names:
        if not isinstance(name, str) or name not in contexts:
            raise MalformedError(f"the context {named(name)} is not known here, and none is fetched")
