"""Status lists: one bit a credential, signed with its time, so that any node may relay it.

W3C Bitstring Status List 1.0, and for what others issue its forerunner StatusList2021.
"""

import zlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from gzip import compress
from typing import Final

from entrepot.identity.credential import (
    BASE,
    MAX_URL,
    CredentialForm,
    Statement,
    check_validity,
    read_statement,
)
from entrepot.identity.jwt import check_token_signature, parse_token, sign_token
from entrepot.identity.keys import PublicKey, Signer, from_base64url, to_base64url
from entrepot.values import Did, MalformedError, TrustError, UtcTime, render_time
from entrepot.values.canonical import Json

ENTRIES: Final = 131_072
"""The least that the standards allow, so that one entry hides among many."""
_LEAST: Final = ENTRIES // 8
_MOST: Final = 1 << 20
_URL_SAFE: Final = str.maketrans("+/", "-_")


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
        size = max(len(self.bits), len(other.bits))
        here, there = (int.from_bytes(bits.ljust(size, b"\0")) for bits in (self.bits, other.bits))
        return (here | there).to_bytes(size)


def issue_status_list(signer: Signer, issuer: Did, url: str, revoked: Iterable[int], now: UtcTime) -> str:
    """Sign the list as it stands at `now`."""
    bits = bytearray(_LEAST)
    for index in revoked:
        bits[index // 8] |= 1 << (7 - index % 8)
    return sign_token(
        signer,
        {
            "@context": [CredentialForm.VC20.context],
            "id": url,
            "type": [BASE, "BitstringStatusListCredential"],
            "issuer": issuer,
            "validFrom": render_time(now),
            "credentialSubject": {
                "id": f"{url}#list",
                "type": "BitstringStatusList",
                "statusPurpose": "revocation",
                "encodedList": "u" + to_base64url(compress(bytes(bits), mtime=0)),
            },
            "iss": issuer,
            "iat": int(now.timestamp()),
        },
        "vc+jwt",
        "vc",
    )


def issue_status_list_2021(signer: Signer, newest: StatusList, url: str) -> str:
    """Sign what a list says in the form of 2021, which credentials of VC 1.1 name (W3C StatusList2021)."""
    at = newest.signed_at.replace(microsecond=0)
    subject: dict[str, Json] = {
        "id": f"{url}#list",
        "type": "StatusList2021",
        "statusPurpose": "revocation",
        # Base64, as the standard says: Eclipse connectors read no other alphabet here.
        "encodedList": b64encode(compress(newest.bits, mtime=0)).decode(),
    }
    body: dict[str, Json] = {
        "@context": [CredentialForm.VC11.context, "https://w3id.org/vc/status-list/2021/v1"],
        "id": url,
        "type": [BASE, "StatusList2021Credential"],
        "issuer": newest.issuer,
        "issuanceDate": render_time(at),
        "credentialSubject": subject,
    }
    return sign_token(signer, {"iss": newest.issuer, "jti": url, "nbf": int(at.timestamp()), "vc": body})


def verify_status_list(
    raw: str,
    issuer: Did,
    public: PublicKey,
    now: UtcTime,
    purpose: str = "revocation",
    *,
    insecure_shape: bool = False,
) -> StatusList:
    """Turn a signed list into what it says, or raise. **Its age is for the caller to judge.**

    `insecure_shape` lets one pass that is shorter than the standards allow, or no credential by its type.
    """
    token = parse_token(raw)  # (1) well-formed and bounded
    check_token_signature(token, public)  # (2) signed by the issuer's key
    said = read_statement(token, insecure_shape=insecure_shape)
    if said.issuer != issuer:  # (3) by the issuer that we asked for
        raise TrustError("the status list is another issuer's")
    if said.valid_from is None:  # (4) at a time that has come
        raise TrustError("the status list has no time")
    check_validity(said, now)
    url, subject = said.body.get("id"), said.body.get("credentialSubject")
    if not isinstance(url, str) or not 0 < len(url) <= MAX_URL or not isinstance(subject, dict):
        raise MalformedError("expected a status list with an id and a subject")
    _check_purpose(subject, purpose)  # (5) about what we ask
    least = 1 if insecure_shape else _LEAST
    return StatusList(issuer, url, said.valid_from, _inflate(_packed(said, subject), least))


def _check_purpose(subject: Mapping[str, Json], purpose: str) -> None:
    named = subject.get("statusPurpose")
    if purpose not in (named if isinstance(named, list) else [named]):
        raise MalformedError(f"statusPurpose: expected a list for {purpose}")


def _packed(said: Statement, subject: Mapping[str, Json]) -> bytes:
    """The list as it was compressed: multibase in the one standard, bare in its forerunner."""
    encoded = subject.get("encodedList")
    if not isinstance(encoded, str):
        raise MalformedError("encodedList: expected text")
    if "BitstringStatusListCredential" in said.types and encoded.startswith("u"):
        return from_base64url(encoded[1:])
    if "StatusList2021Credential" in said.types:
        return from_base64url(encoded.rstrip("=").translate(_URL_SAFE))
    raise MalformedError("encodedList: expected a BitstringStatusListCredential in multibase base64url")


def _inflate(packed: bytes, least: int) -> bytes:
    """Decompress at most as much as a list may hold: a small token must not become a large one here."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        bits = inflater.decompress(packed, _MOST + 1)
    except zlib.error as error:
        raise MalformedError("encodedList is not gzip") from error
    if not least <= len(bits) <= _MOST or not inflater.eof or inflater.unused_data:
        raise MalformedError(f"encodedList: expected {least} to {_MOST} bytes")
    return bits
