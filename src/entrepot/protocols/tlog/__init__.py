"""Transparency logs after C2SP: reading a ledger, submitting to it, and asking a witness to cosign it."""

from entrepot.protocols.tlog.client import LedgerClient, ask_witnesses, audit, follow, refill
from entrepot.protocols.tlog.codec import (
    Tile,
    decode_bundle,
    decode_hashes,
    encode_bundle,
    encode_hashes,
    parse_tile,
    render_tile,
)
from entrepot.protocols.tlog.routes import Copy, ledger_routes, reading_routes, witness_routes

__all__ = [
    "Copy",
    "LedgerClient",
    "Tile",
    "ask_witnesses",
    "audit",
    "decode_bundle",
    "decode_hashes",
    "encode_bundle",
    "encode_hashes",
    "follow",
    "ledger_routes",
    "parse_tile",
    "reading_routes",
    "refill",
    "render_tile",
    "witness_routes",
]
