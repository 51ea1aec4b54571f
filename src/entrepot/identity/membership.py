"""Membership credentials: W3C verifiable credentials as signed tokens (VC Data Model 2.0, JOSE).

The platform hands one out at admission. It says who the member is, in which roles, and which evidence
key is bound to it on the ledger; whether it still holds is said by the status list.
"""

from dataclasses import dataclass
from typing import Final

from entrepot.identity.jwt import (
    check_times,
    check_token_signature,
    did_claim,
    parse_token,
    sign_token,
    time_claim,
)
from entrepot.identity.keys import PublicKey, Signer
from entrepot.identity.status import MAX_URL
from entrepot.values import Did, KeyId, MalformedError, TrustError, UtcTime
from entrepot.values.canonical import Json

TYPE: Final = "MembershipCredential"


@dataclass(frozen=True, slots=True)
class Membership:
    """What the platform says of a member."""

    did: Did
    issuer: Did
    connector_code: str
    subject_code: str
    region: str
    roles: tuple[str, ...]
    evidence_key_id: KeyId
    evidence_key: PublicKey
    status_url: str
    status_index: int
    valid_from: UtcTime
    valid_until: UtcTime


def issue_membership(signer: Signer, membership: Membership) -> str:
    """Sign a membership credential."""
    return sign_token(
        signer,
        {
            "iss": membership.issuer,
            "sub": membership.did,
            "iat": int(membership.valid_from.timestamp()),
            "nbf": int(membership.valid_from.timestamp()),
            "exp": int(membership.valid_until.timestamp()),
            "vc": {
                "@context": ["https://www.w3.org/ns/credentials/v2"],
                "type": ["VerifiableCredential", TYPE],
                "issuer": membership.issuer,
                "credentialSubject": {
                    "id": membership.did,
                    "connectorCode": membership.connector_code,
                    "subjectCode": membership.subject_code,
                    "region": membership.region,
                    "roles": [*membership.roles],
                    "evidenceKey": {"id": membership.evidence_key_id, **membership.evidence_key.jwk()},
                },
                "credentialStatus": {
                    "type": "BitstringStatusListEntry",
                    "statusPurpose": "revocation",
                    "statusListCredential": membership.status_url,
                    "statusListIndex": str(membership.status_index),
                },
            },
        },
        "vc+jwt",
    )


def verify_membership(raw: str, holder: Did, issuer: Did, public: PublicKey, now: UtcTime) -> Membership:
    """Turn a credential into a membership, or raise. **Whether it was revoked, the status list says.**"""
    token = parse_token(raw)  # (1) well-formed and bounded
    check_token_signature(token, public)  # (2) signed by the platform's key
    if did_claim(token, "iss") != issuer:  # (3) by the issuer that this space trusts
        raise TrustError("the credential is another issuer's")
    if did_claim(token, "sub") != holder:  # (4) for the one who shows it
        raise TrustError("the credential is another holder's")
    check_times(token, now)  # (5) inside its time
    return _membership(
        token.claims.get("vc"), holder, issuer, time_claim(token, "nbf"), time_claim(token, "exp")
    )


def read_membership(raw: str) -> Membership:
    """Read a credential of our own store. **It was verified before it was kept, and is not verified now.**"""
    token = parse_token(raw)
    holder, issuer = did_claim(token, "sub"), did_claim(token, "iss")
    return _membership(
        token.claims.get("vc"), holder, issuer, time_claim(token, "nbf"), time_claim(token, "exp")
    )


def _membership(
    credential: Json, holder: Did, issuer: Did, valid_from: UtcTime | None, valid_until: UtcTime | None
) -> Membership:
    if not isinstance(credential, dict) or valid_from is None or valid_until is None:
        raise MalformedError("the credential says nothing, or has no times")
    kinds, subject, status = (credential.get(k) for k in ("type", "credentialSubject", "credentialStatus"))
    if not isinstance(kinds, list) or TYPE not in kinds:
        raise MalformedError(f"expected a {TYPE}")
    if not isinstance(subject, dict) or not isinstance(status, dict) or subject.get("id") != holder:
        raise MalformedError("the credential has no subject or no status")
    roles, key = subject.get("roles"), subject.get("evidenceKey")
    index, url = status.get("statusListIndex"), status.get("statusListCredential")
    if not (
        isinstance(roles, list)
        and all(isinstance(r, str) for r in roles)
        and isinstance(key, dict)
        and isinstance(key.get("id"), str)
        and isinstance(index, str)
        and index.isascii()
        and index.isdigit()
        and len(index) <= 9
        and isinstance(url, str)
        and len(url) <= MAX_URL
        and status.get("type") == "BitstringStatusListEntry"
        and status.get("statusPurpose") == "revocation"
    ):
        raise MalformedError("the credential lacks roles, evidence key or status entry")
    texts = [subject.get(k) for k in ("connectorCode", "subjectCode", "region")]
    if not all(isinstance(t, str) and len(t) <= 100 for t in texts):
        raise MalformedError("the credential lacks its codes")
    connector, code, region = (str(t) for t in texts)
    return Membership(
        did=holder,
        issuer=issuer,
        connector_code=connector,
        subject_code=code,
        region=region,
        roles=tuple(str(r) for r in roles),
        evidence_key_id=KeyId(str(key["id"])),
        evidence_key=PublicKey.from_jwk(key),
        status_url=url,
        status_index=int(index),
        valid_from=valid_from,
        valid_until=valid_until,
    )
