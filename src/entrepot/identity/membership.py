"""Membership credentials: what a platform says of its members (VC Data Model 2.0, enveloped by JOSE).

The platform hands one out at admission. It says who the member is, in which roles, and which evidence
key is bound to it on the ledger; whether it still holds is said by the status list.
"""

from dataclasses import dataclass
from typing import Final

from entrepot.identity.credential import (
    Credential,
    CredentialForm,
    StatusEntry,
    read_credential,
    verify_credential,
)
from entrepot.identity.issuing import issue_credential
from entrepot.identity.jwt import parse_token
from entrepot.identity.keys import PublicKey, Signer
from entrepot.values import Did, KeyId, MalformedError, UtcTime

TYPE: Final = "MembershipCredential"
_OLDER: Final = "/2021"
"""What the address of the list that VC 1.1 names has behind that of the list it repeats."""


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
    """Of the list that the space follows, whichever list the credential names."""
    status_index: int
    valid_from: UtcTime
    valid_until: UtcTime


def issue_membership(signer: Signer, membership: Membership) -> str:
    """Sign a membership credential; it holds in whole seconds."""
    return issue_credential(signer, membership_credential(membership))


def membership_credential(membership: Membership, form: CredentialForm = CredentialForm.VC20) -> Credential:
    """What a platform's credential says, in one of its forms, of which is the status list that it names."""
    newer = form is CredentialForm.VC20
    status_url = membership.status_url if newer else older_list(membership.status_url)
    return Credential(
        form=form,
        issuer=membership.issuer,
        subject=membership.did,
        types=(TYPE,),
        claims={
            "connectorCode": membership.connector_code,
            "subjectCode": membership.subject_code,
            "region": membership.region,
            "roles": [*membership.roles],
            "evidenceKey": {"id": membership.evidence_key_id, **membership.evidence_key.jwk()},
        },
        valid_from=membership.valid_from,
        valid_until=membership.valid_until,
        status=(StatusEntry(status_url, membership.status_index),),
    )


def older_list(status_url: str) -> str:
    """Where the same list lies in the form of 2021, which credentials of VC 1.1 name."""
    return status_url + _OLDER


def verify_membership(raw: str, holder: Did, issuer: Did, public: PublicKey, now: UtcTime) -> Membership:
    """Turn a credential into a membership, or raise. **Whether it was revoked, the status list says.**"""
    return membership_in(verify_credential(raw, holder, issuer, public, now))


def read_membership(raw: str) -> Membership:
    """Read a credential of our own store. **It was verified before it was kept, and is not verified now.**"""
    return membership_in(read_credential(parse_token(raw)))


def membership_in(credential: Credential) -> Membership:
    """What a verified credential says of a member; one that leaves something out is no membership."""
    if TYPE not in credential.types:
        raise MalformedError(f"expected a {TYPE}")
    if credential.valid_from is None or credential.valid_until is None:
        raise MalformedError("the credential has no times")
    entry = next((e for e in credential.status if e.purpose == "revocation"), None)
    roles, key = credential.claims.get("roles"), credential.claims.get("evidenceKey")
    if not (
        entry is not None
        and isinstance(roles, list)
        and all(isinstance(r, str) for r in roles)
        and isinstance(key, dict)
        and isinstance(key.get("id"), str)
    ):
        raise MalformedError("the credential lacks roles, evidence key or status entry")
    texts = [credential.claims.get(k) for k in ("connectorCode", "subjectCode", "region")]
    if not all(isinstance(t, str) and len(t) <= 100 for t in texts):
        raise MalformedError("the credential lacks its codes")
    connector, code, region = (str(t) for t in texts)
    return Membership(
        did=credential.subject,
        issuer=credential.issuer,
        connector_code=connector,
        subject_code=code,
        region=region,
        roles=tuple(str(r) for r in roles),
        evidence_key_id=KeyId(str(key["id"])),
        evidence_key=PublicKey.from_jwk(key),
        status_url=entry.url if credential.form is CredentialForm.VC20 else entry.url.removesuffix(_OLDER),
        status_index=entry.index,
        valid_from=credential.valid_from,
        valid_until=credential.valid_until,
    )
