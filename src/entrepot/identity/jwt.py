"""Signed tokens in compact form. The algorithm follows from the key; what a header says only has to agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from entrepot.identity.keys import PublicKey, Signer, from_base64url, to_base64url, verify_signature
from entrepot.values import Did, KeyId, MalformedError, TooLargeError, TrustError, UtcTime, canonical
from entrepot.values.canonical import Json

MAX_TOKEN: Final = 64 << 10
LEEWAY: Final = timedelta(seconds=5)
_LATEST: Final = 1 << 37
"""The year 6325: what a calendar can still hold, with room for leeways."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart. **Nothing in it is to be believed before `check_token_signature`.**"""

    header: Mapping[str, Json]
    claims: Mapping[str, Json] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def key_id(self) -> KeyId | None:
        """The key that the token says it is signed with, if it says so."""
        return KeyId(_text(self.header, "kid")) if "kid" in self.header else None


def sign_token(signer: Signer, claims: dict[str, Json], kind: str = "JWT", content: str = "") -> str:
    """Write and sign a token of a kind, and where that is said, of a content (RFC 7515, `typ` and `cty`)."""
    header: dict[str, Json] = {"alg": signer.public.algorithm, "kid": signer.key_id, "typ": kind}
    if content:
        header["cty"] = content
    signed = f"{to_base64url(canonical.encode(header))}.{to_base64url(canonical.encode(claims))}"
    return f"{signed}.{to_base64url(signer.sign(signed.encode()))}"


def parse_token(raw: str) -> Token:
    """Take a token apart; it must be well-formed and bounded in size."""
    if len(raw) > MAX_TOKEN:
        raise TooLargeError(f"a token of more than {MAX_TOKEN} characters")
    parts = raw.split(".")
    if len(parts) != 3:
        raise MalformedError("a token has three parts")
    header, claims = (_object(from_base64url(part)) for part in parts[:2])
    if "crit" in header:
        raise MalformedError("a token with critical extensions is not understood here")
    return Token(header, claims, f"{parts[0]}.{parts[1]}".encode(), from_base64url(parts[2]))


def check_token_signature(token: Token, public: PublicKey) -> None:
    """Check that `public` signed the token, with the one algorithm that this key may be used with."""
    if token.header.get("alg") != public.algorithm:
        raise TrustError(f"the token says {token.header.get('alg')}, its key is for {public.algorithm}")
    verify_signature(public, token.signed, token.signature)


def check_times(token: Token, now: UtcTime) -> None:
    """Check `exp`, which there must be, `nbf` and `iat` with a small leeway."""
    expires, not_before, issued = (time_claim(token, name) for name in ("exp", "nbf", "iat"))
    if expires is None:
        raise TrustError("the token has no expiry")
    if now > expires + LEEWAY:
        raise TrustError("the token has expired")
    for time in (not_before, issued):
        if time is not None and now < time - LEEWAY:
            raise TrustError("the token is not valid yet")


def time_claim(token: Token, name: str) -> UtcTime | None:
    value = token.claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LATEST:
        raise MalformedError(f"{name}: expected seconds since 1970")
    return datetime.fromtimestamp(value, UTC)


def text_claim(token: Token, name: str) -> str:
    return _text(token.claims, name)


def audience_of(token: Token) -> str:
    """The one reader that a token is meant for; one that several may read could be passed on by each."""
    named = token.claims.get("aud")
    only = named[0] if isinstance(named, list) and len(named) == 1 else named
    return _text({"aud": only}, "aud")


def did_claim(token: Token, name: str) -> Did:
    value = text_claim(token, name)
    if not value.startswith("did:"):
        raise MalformedError(f"{name}: expected a DID")
    return Did(value)


def _text(values: Mapping[str, Json], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value or len(value) > 4096:
        raise MalformedError(f"{name}: expected text")
    return value


def _object(raw: bytes) -> dict[str, Json]:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError("a token's parts are JSON") from error
    if not isinstance(value, dict):
        raise MalformedError("a token's parts are objects")
    return value
