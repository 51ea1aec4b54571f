"""How do strangers talk to us? One package a standard; each translates, and decides nothing."""

from entrepot.protocols.route import (
    BINARY,
    JSON,
    TEXT,
    UNDESCRIBED,
    Asked,
    Call,
    Content,
    Handler,
    Outgoing,
    Proof,
    Reply,
    Response,
    Route,
    Shape,
    unquoted,
)

__all__ = [
    "BINARY",
    "JSON",
    "TEXT",
    "UNDESCRIBED",
    "Asked",
    "Call",
    "Content",
    "Handler",
    "Outgoing",
    "Proof",
    "Reply",
    "Response",
    "Route",
    "Shape",
    "unquoted",
]
