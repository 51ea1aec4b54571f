"""Status lists: one bit a member, signed with its time, so that any node may relay it.

W3C Bitstring Status List 1.0, as a signed token.
"""

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from entrepot.identity.jwt import (
    LEEWAY,
    check_token_signature,
    did_claim,
    parse_token,
    sign_token,
    text_claim,
    time_claim,
)
from entrepot.identity.keys import PublicKey, Signer, from_base64url, to_base64url
from entrepot.values import Did, MalformedError, TrustError, UtcTime

ENTRIES: Final = 131_072
"""The least that the standard allows, so that one entry hides among many."""
_BYTES: Final = ENTRIES // 8
MAX_URL: Final = 1000


@dataclass(frozen=True, slots=True)
class StatusList:
    """Who is revoked, as the issuer knew it at `signed_at`."""

    issuer: Did
    url: str
    signed_at: UtcTime
    bits: bytes

    def is_revoked(self, index: int) -> bool:
        """Whether the entry is set; an index beyond the list counts as revoked."""
        if not 0 <= index < len(self.bits) * 8:
            return True
        return bool(self.bits[index // 8] >> (7 - index % 8) & 1)

    def revoked_too(self, other: "StatusList") -> bytes:
        """The entries that are set here or there."""
        return (int.from_bytes(self.bits) | int.from_bytes(other.bits)).to_bytes(len(self.bits))


def issue_status_list(signer: Signer, issuer: Did, url: str, revoked: Iterable[int], now: UtcTime) -> str:
    """Sign the list as it stands at `now`."""
    bits = bytearray(_BYTES)
    for index in revoked:
        bits[index // 8] |= 1 << (7 - index % 8)
    return sign_token(
        signer,
        {
            "iss": issuer,
            "sub": url,
            "iat": int(now.timestamp()),
            "signedAtMicros": int(now.timestamp() * 1_000_000),
            "vc": {
                "@context": ["https://www.w3.org/ns/credentials/v2"],
                "type": ["VerifiableCredential", "BitstringStatusListCredential"],
                "credentialSubject": {
                    "type": "BitstringStatusList",
                    "statusPurpose": "revocation",
                    "encodedList": "u" + to_base64url(gzip.compress(bytes(bits), mtime=0)),
                },
            },
        },
        "vc+jwt",
    )


def verify_status_list(raw: str, issuer: Did, public: PublicKey, now: UtcTime) -> StatusList:
    """Turn a signed list into what it says, or raise. **Its age is for the caller to judge.**"""
    token = parse_token(raw)  # (1) well-formed and bounded
    check_token_signature(token, public)  # (2) signed by the issuer's key
    if did_claim(token, "iss") != issuer:  # (3) by the issuer that we asked for
        raise TrustError("the status list is another issuer's")
    signed_at = time_claim(token, "iat")  # (4) at a time that has come
    if signed_at is None or signed_at > now + LEEWAY + timedelta(seconds=1):
        raise TrustError("the status list has no time, or one that has not come")
    micros = token.claims.get("signedAtMicros")
    if isinstance(micros, int) and micros // 1_000_000 == int(signed_at.timestamp()):
        signed_at += timedelta(microseconds=micros % 1_000_000)
    credential = token.claims.get("vc")
    subject = credential.get("credentialSubject") if isinstance(credential, dict) else None
    if not isinstance(subject, dict) or subject.get("statusPurpose") != "revocation":  # (5) about revocation
        raise MalformedError("statusPurpose: expected a list of revocations")
    encoded, url = subject.get("encodedList"), text_claim(token, "sub")
    if not isinstance(encoded, str) or not encoded.startswith("u") or len(url) > MAX_URL:
        raise MalformedError("encodedList: expected multibase base64url, and an address in sub")
    return StatusList(issuer, url, signed_at, _inflate(from_base64url(encoded[1:])))


def _inflate(packed: bytes) -> bytes:
    """Decompress at most as much as a list may hold: a small token must not become a large one here."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        bits = inflater.decompress(packed, _BYTES + 1)
    except zlib.error as error:
        raise MalformedError("encodedList is not gzip") from error
    if len(bits) != _BYTES or not inflater.eof or inflater.unused_data:
        raise MalformedError(f"encodedList: expected {_BYTES} bytes")
    return bits
