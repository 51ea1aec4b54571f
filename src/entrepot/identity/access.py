"""Access tokens: which of our credentials one party may see, and until when (DCP 1.0, 5.3).

A token is opaque to everybody but us. It says who may use it, for what and how long, under a key that only
this node has, so nothing is kept of it; whoever else shows it shows it in vain.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec

from entrepot.identity.jwt import LEEWAY
from entrepot.identity.keys import from_base64url, to_base64url
from entrepot.values import Did, EntrepotError, TrustError, UtcTime, canonical

ACCESS_LIFETIME: Final = timedelta(minutes=10)
_MOST: Final = 8 << 10


@dataclass(frozen=True, slots=True)
class Access:
    """What a token grants: to one reader, these scopes, until then."""

    reader: Did
    scopes: tuple[str, ...]
    expires_at: UtcTime


class _Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    aud: str
    exp: int
    scope: tuple[str, ...]


def write_access_token(key: bytes, access: Access) -> str:
    """Write what is granted under our key; it holds in whole seconds."""
    claims = _Claims(aud=access.reader, exp=int(access.expires_at.timestamp()), scope=access.scopes)
    said = canonical.encode_struct(claims)
    return f"{to_base64url(said)}.{to_base64url(hmac.digest(key, said, sha256))}"


def verify_access_token(key: bytes, raw: str, reader: Did, now: UtcTime) -> Access:
    """Say what a token of ours grants to this reader, or raise `TrustError`.

    **That the reader is who it says it is, is for the caller to know.**
    """
    said, _, proof = raw[:_MOST].partition(".")
    try:
        body, shown = from_base64url(said), from_base64url(proof)
    except EntrepotError as error:
        raise TrustError("no access token of ours") from error
    if not hmac.compare_digest(hmac.digest(key, body, sha256), shown):  # (1) written by us
        raise TrustError("no access token of ours")
    claims = canonical.decode_struct(body, _Claims)
    if claims.aud != reader:  # (2) for the one who shows it
        raise TrustError("the access token was given to somebody else")
    expires_at = datetime.fromtimestamp(claims.exp, UTC)
    if now > expires_at + LEEWAY:  # (3) inside its time
        raise TrustError("the access token has expired")
    return Access(reader, claims.scope, expires_at)
