"""What the endpoints of the Decentralized Claims Protocol take and give, in our own words (DCP 1.0)."""

from typing import Any, Final

from entrepot.protocols.dcp.codec import CONTEXT, MAX_SCOPES
from entrepot.protocols.route import Content, Shape

_CONTEXT: Final = {"type": "array", "contains": {"const": CONTEXT}}
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}

DID_DOCUMENT: Final = Shape(
    {
        200: (
            Content(
                {
                    "type": "object",
                    "required": ["@context", "id", "verificationMethod", "service"],
                    "properties": {
                        "id": {"type": "string", "pattern": "^did:web:"},
                        "verificationMethod": {"type": "array", "items": {"type": "object"}},
                        "service": {"type": "array", "items": {"type": "object"}},
                    },
                },
                "application/did+json",
            ),
        )
    }
)
QUERY: Final = Shape(
    {
        200: (
            Content(
                {
                    "type": "object",
                    "required": ["@context", "type", "presentation"],
                    "properties": {
                        "@context": _CONTEXT,
                        "type": {"const": "PresentationResponseMessage"},
                        "presentation": _TEXTS,
                    },
                }
            ),
        )
    },
    Content(
        {
            "type": "object",
            "required": ["@context", "type", "scope"],
            "properties": {
                "@context": _CONTEXT,
                "type": {"const": "PresentationQueryMessage"},
                "scope": {**_TEXTS, "minItems": 1, "maxItems": MAX_SCOPES},
            },
        }
    ),
)
"""Presentation queries by scope (5.4.1); definitions of presentations are refused."""
_TEXT: Final = {"type": "string", "minLength": 1}
_OBJECTS: Final = {"type": "array", "minItems": 1, "items": {"type": "object"}}


def _message(kind: str, /, **properties: Any) -> Content:  # noqa: ANN401 (JSON schemas)
    """A message of the issuance protocol, by its type and what it must hold."""
    return Content(
        {
            "type": "object",
            "required": ["@context", "type", *properties],
            "properties": {"@context": _CONTEXT, "type": {"const": kind}, **properties},
        }
    )


def _taken(takes: Content) -> Shape:
    return Shape({200: (Content({"type": "object", "maxProperties": 0}),)}, takes)


DELIVERY: Final = _taken(
    _message("CredentialMessage", issuerPid=_TEXT, holderPid=_TEXT, status={"enum": ["ISSUED", "REJECTED"]})
)
"""Where an issuer brings what was asked for (6.5)."""
OFFER: Final = _taken(_message("CredentialOfferMessage", issuer=_TEXT, credentials=_OBJECTS))
"""Where an issuer offers (6.6)."""
METADATA: Final = Shape(
    {200: (_message("IssuerMetadata", issuer=_TEXT, credentialsSupported={"type": "array"}),)}
)
SCHEMA: Final = Shape({200: (Content({"type": "object"}, "application/schema+json"),)})
REQUEST: Final = Shape(
    {201: (Content({"type": "object", "maxProperties": 0}),)},
    _message("CredentialRequestMessage", holderPid=_TEXT, credentials=_OBJECTS),
)
"""A request for credentials (6.4); `location` in the answer says where its state is."""
STATUS: Final = Shape(
    {
        200: (
            _message(
                "CredentialStatus",
                issuerPid=_TEXT,
                holderPid=_TEXT,
                status={"enum": ["RECEIVED", "ISSUED", "REJECTED"]},
            ),
        )
    }
)
_OAUTH_ERROR: Final = Content(
    {
        "type": "object",
        "required": ["error"],
        "properties": {"error": _TEXT, "error_description": {"type": "string"}},
    }
)
TOKEN: Final = Shape(
    {
        200: (
            Content(
                {
                    "type": "object",
                    "required": ["access_token", "token_type", "expires_in"],
                    "properties": {
                        "access_token": _TEXT,
                        "token_type": {"const": "Bearer"},
                        "expires_in": {"type": "integer"},
                    },
                }
            ),
        )
    },
    Content(
        {
            "type": "object",
            "required": ["grant_type", "client_id", "client_secret", "audience"],
            "properties": {
                "grant_type": {"const": "client_credentials"},
                "client_id": _TEXT,
                "client_secret": _TEXT,
                "audience": _TEXT,
                "bearer_access_scope": {"type": "string"},
                "token": {"type": "string"},
            },
        },
        "application/x-www-form-urlencoded",
    ),
    fails={400: (_OAUTH_ERROR,), 401: (_OAUTH_ERROR,)},
)
"""A client credentials grant (RFC 6749, 4.4), and how it is refused (5.2)."""
