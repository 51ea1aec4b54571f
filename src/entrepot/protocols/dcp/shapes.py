"""What the endpoints of the Decentralized Claims Protocol take and give, in our own words (DCP 1.0)."""

from typing import Final

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
