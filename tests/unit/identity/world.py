"""Parties with real keys, made from their names so that runs repeat, and a way to write false tokens."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec

from entrepot.identity import (
    SUITES,
    DidDocument,
    KeyJob,
    Membership,
    Signer,
    issue_membership,
    read_did_document,
    to_base64url,
    write_did_document,
)
from entrepot.values import Did, KeyId, UtcTime

START = datetime(2026, 11, 25, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
STATUS_URL = "https://platform.example/status/1"


def signer_of(name: str, suite: str = "es256", key_id: str = "") -> Signer:
    secret = sha256(name.encode()).digest()
    return Signer(KeyId(key_id or f"did:web:{name}#key"), suite, SUITES[suite].load(secret))


@dataclass
class Party:
    """Somebody with a DID, an identity key and an evidence key."""

    name: str
    suite: str = "es256"
    services: dict[str, str] = field(default_factory=dict)

    @property
    def did(self) -> Did:
        return Did(f"did:web:{self.name}.example")

    @property
    def identity(self) -> Signer:
        return signer_of(f"{self.name} identity", self.suite, f"{self.did}#identity-1")

    @property
    def evidence(self) -> Signer:
        return signer_of(f"{self.name} evidence", "ed25519", f"{self.did}#evidence-1")

    @property
    def raw_document(self) -> bytes:
        signers = {KeyJob.IDENTITY: self.identity, KeyJob.EVIDENCE: self.evidence}
        return write_did_document(self.did, signers, self.services)

    @property
    def document(self) -> DidDocument:
        return read_did_document(self.raw_document, self.did)


ALICE, BOB, EVE, PLATFORM = Party("alice"), Party("bob"), Party("eve"), Party("platform")


def membership_of(holder: Party, issuer: Party = PLATFORM, **changes: Any) -> Membership:
    return replace(
        Membership(
            did=holder.did,
            issuer=issuer.did,
            connector_code="91350211M000100Y43-C01",
            subject_code="91350211M000100Y43",
            region="350200",
            roles=("provider", "consumer"),
            evidence_key_id=holder.evidence.key_id,
            evidence_key=holder.evidence.public,
            status_url=STATUS_URL,
            status_index=7,
            valid_from=START - timedelta(days=1),
            valid_until=START + timedelta(days=365),
        ),
        **changes,
    )


def credential_of(holder: Party, issuer: Party = PLATFORM, **changes: Any) -> str:
    return issue_membership(issuer.identity, membership_of(holder, issuer, **changes))


def write_token(
    signer: Signer | None, claims: Any, header: Any = None, signature: bytes | None = None
) -> str:
    """Write a token by hand: any header, any claims, signed, unsigned, or signed with something else."""
    if header is None and signer is not None:
        header = {"alg": signer.public.algorithm, "kid": signer.key_id, "typ": "JWT"}
    signed = f"{to_base64url(msgspec.json.encode(header))}.{to_base64url(msgspec.json.encode(claims))}"
    if signature is None:
        signature = b"" if signer is None else signer.sign(signed.encode())
    return f"{signed}.{to_base64url(signature)}"


def seconds(time: UtcTime) -> int:
    return int(time.timestamp())


def id_claims(party: Party = ALICE, audience: Party = BOB, **changes: Any) -> dict[str, Any]:
    """The claims of a good self-issued token; a change to None leaves a claim out."""
    claims = {
        "iss": party.did,
        "sub": party.did,
        "aud": audience.did,
        "jti": "a-token",
        "iat": seconds(START),
        "exp": seconds(START + timedelta(minutes=5)),
        "token": "an-access-token",
        **changes,
    }
    return {k: v for k, v in claims.items() if v is not None}
