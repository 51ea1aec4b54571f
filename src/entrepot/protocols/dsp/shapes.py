"""What the endpoints of the Dataspace Protocol take and give, in our own words (Dataspace Protocol 2025-1).

Messages are described as they are read: short names; the prefixed and the full ones are read as well. A
policy is described only as far as it is an object, `docs/reference/policy.md` says what it may hold.
"""

from collections.abc import Mapping
from typing import Any, Final

from entrepot.catalogue import PAGE, SEARCH_TERMS
from entrepot.contracts import Move, State
from entrepot.protocols.dsp.codec import MAX_OFFSET, MAX_PAGE, SEARCH
from entrepot.protocols.dsp.envelope import CONTEXT, KNOWN_CONTEXTS
from entrepot.protocols.route import Asked, Content, Shape

_PROBLEM: Final = Content({"type": "object"}, "application/problem+json")
_ID: Final = {"type": "string", "minLength": 1, "maxLength": 500}
_CONTEXT: Final = {
    "type": "array",
    "items": {"enum": sorted(KNOWN_CONTEXTS)},
    "contains": {"const": CONTEXT},
    "minItems": 1,
}
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_POLICY: Final = {
    "permission": {"type": "array", "items": {"type": "object"}},
    "prohibition": {"type": "array", "items": {"type": "object"}},
    "obligation": {"type": "array", "items": {"type": "object"}},
}
_OFFER: Final = {
    "type": "object",
    "required": ["@id", "target"],
    "properties": {"@id": _ID, "@type": {"const": "Offer"}, "target": _ID, **_POLICY},
}
_AGREEMENT: Final = {
    "type": "object",
    "required": ["@id", "target", "assigner", "assignee", "timestamp"],
    "properties": {
        "@id": _ID,
        "@type": {"const": "Agreement"},
        "target": _ID,
        "assigner": _ID,
        "assignee": _ID,
        "timestamp": {"type": "string", "format": "date-time"},
        **_POLICY,
    },
}
_ADDRESS: Final = {
    "type": "object",
    "properties": {
        "endpoint": {"type": "string"},
        "endpointType": {"type": "string"},
        "endpointProperties": {"type": "array", "items": {"type": "object"}},
    },
}
_REASON: Final = {"code": {"type": "string"}, "reason": _TEXTS}
_PIDS: Final = {"consumerPid": _ID, "providerPid": _ID}

_NEGOTIATION: Final[Mapping[Move, tuple[str, Mapping[str, Any]]]] = {
    Move.REQUEST: ("ContractRequestMessage", {"offer": _OFFER}),
    Move.OFFER: ("ContractOfferMessage", {"offer": _OFFER}),
    Move.AGREE: ("ContractAgreementMessage", {"agreement": _AGREEMENT}),
    Move.VERIFY: ("ContractAgreementVerificationMessage", {}),
    Move.ACCEPT: ("ContractNegotiationEventMessage", {"eventType": {"enum": ["ACCEPTED", "FINALIZED"]}}),
    Move.TERMINATE: ("ContractNegotiationTerminationMessage", {}),
}
_TRANSFER: Final[Mapping[Move, tuple[str, Mapping[str, Any]]]] = {
    Move.REQUEST: ("TransferRequestMessage", {"agreementId": _ID, "format": _ID}),
    Move.START: ("TransferStartMessage", {}),
    Move.SUSPEND: ("TransferSuspensionMessage", {}),
    Move.COMPLETE: ("TransferCompletionMessage", {}),
    Move.TERMINATE: ("TransferTerminationMessage", {}),
}
_MAY: Final = {"dataAddress": _ADDRESS, **_REASON}


def post(kind: str, move: Move, *, first: bool = False) -> Shape:
    """The shape of an endpoint that takes one message; `kind` is what the process is called on the wire."""
    name, content = (_TRANSFER if kind == "TransferProcess" else _NEGOTIATION)[move]
    named: dict[str, Any] = {"callbackAddress": {"type": "string"}} if first else dict(_PIDS)
    if first:
        named |= {"providerPid" if move is Move.OFFER else "consumerPid": _ID}
    message = {
        "type": "object",
        "required": ["@context", "@type", *named, *content],
        "properties": {
            "@context": _CONTEXT,
            "@type": {"const": name},
            "@id": _ID,
            **named,
            **content,
            **(_MAY if kind == "TransferProcess" or move is Move.TERMINATE else {}),
        },
    }
    return Shape({201 if first else 200: (_state(kind),)}, Content(message), fails=_fails(kind))


def get(kind: str) -> Shape:
    return Shape({200: (_state(kind),)}, fails=_fails(kind))


def _state(kind: str) -> Content:
    states = sorted(str(s) for s in State if s is not State.INITIAL)
    return Content(
        {
            "type": "object",
            "required": ["@context", "@type", "consumerPid", "providerPid", "state"],
            "properties": {
                "@context": _CONTEXT,
                "@type": {"const": kind},
                **_PIDS,
                "state": {"enum": states},
            },
        }
    )


def _fails(kind: str) -> dict[int, tuple[Content, ...]]:
    """Errors in the protocol's shape; what is refused before a message is read, as a problem document."""
    name = f"{kind.removesuffix('Process')}Error"
    pids = [] if kind == "Catalog" else [*_PIDS]
    error = Content(
        {
            "type": "object",
            "required": ["@context", "@type", "code", *pids],
            "properties": {
                "@context": _CONTEXT,
                "@type": {"const": name},
                "code": {"type": "string"},
                "reason": _TEXTS,
                **({} if kind == "Catalog" else _PIDS),
            },
        }
    )
    return dict.fromkeys((400, 404, 409, 503), (error, _PROBLEM))


_CATALOG: Final = {
    "type": "object",
    "required": ["@context", "@id", "@type", "participantId"],
    "properties": {"@context": _CONTEXT, "@type": {"const": "Catalog"}, "participantId": _ID},
}
_DATASET: Final = {
    "type": "object",
    "required": ["@context", "@id", "@type", "hasPolicy", "distribution"],
    "properties": {"@context": _CONTEXT, "@id": _ID, "@type": {"const": "Dataset"}},
}
_TOKEN: Final = Asked("continuationToken", {"type": "string", "description": "From a link of another page."})
_QUERY: Final = {
    "type": "object",
    "properties": {
        "@type": {"const": "QuerySpec"},
        "offset": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET},
        "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE},
    },
}
_SEARCH: Final = {
    "type": "object",
    "required": ["@type"],
    "properties": {"@type": {"const": SEARCH}, **SEARCH_TERMS},
}
REQUEST: Final = Shape(
    {200: (Content(_CATALOG),)},
    Content(
        {
            "type": "object",
            "required": ["@context", "@type"],
            "properties": {
                "@context": _CONTEXT,
                "@type": {"const": "CatalogRequestMessage"},
                "filter": {"type": "array", "items": {"anyOf": [_QUERY, _SEARCH]}, "maxItems": 1},
            },
        }
    ),
    (_TOKEN,),
    _fails("Catalog"),
)
TURNED: Final = Shape({200: (Content(_CATALOG),)}, asks=(_TOKEN,), fails=_fails("Catalog"))
DATASET: Final = Shape({200: (Content(_DATASET),)}, fails=_fails("Catalog"))
VERSIONS: Final = Shape(
    {
        200: (
            Content(
                {
                    "type": "object",
                    "required": ["protocolVersions"],
                    "properties": {
                        "protocolVersions": {
                            "type": "array",
                            "items": {"type": "object", "required": ["version", "path", "binding"]},
                        }
                    },
                }
            ),
        )
    }
)
