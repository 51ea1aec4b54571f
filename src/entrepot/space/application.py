"""An application for membership, and the proof that it comes from whom it names.

The applicant signs the application, which holds the digest of its invitation, with its identity key and
with its evidence key. So nobody can apply with another's key, and a signature of one application is of no
use with another invitation.
"""

import re
import secrets
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from entrepot.identity import (
    DidDocument,
    PublicKey,
    Signer,
    from_base64url,
    to_base64url,
    verify_signature,
)
from entrepot.space.model import PLACE, MemberRole
from entrepot.space.statement import domain
from entrepot.values import (
    Did,
    Digest,
    KeyId,
    MalformedError,
    TrustError,
    canonical,
    is_social_credit_code,
    parse_digest,
    render_digest,
    sha256,
)

MAX_APPLICATION: Final = 16 << 10
_WHAT: Final = "application"
_RELATIONS: Final = ("authentication", "capabilityInvocation")
_KEY_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

Text = Annotated[str, Meta(min_length=1, max_length=500)]


class ApplicationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed."""

    did: Text
    evidence_key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    evidence_key_id: Text
    invitation: Text
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    origins: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=16)]
    region: Text
    roles: Annotated[tuple[MemberRole, ...], Meta(min_length=1, max_length=4)]
    subject_code: Text


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    application: str
    evidence_sig: str
    identity_keyid: str
    identity_sig: str
    invitation: Text


@dataclass(frozen=True, slots=True)
class Application:
    """An application that was read strictly. **Believe nothing of it before `verify_application`.**"""

    body: ApplicationBody
    payload: bytes
    code_digest: Digest
    identity_key_id: KeyId
    identity_signature: bytes
    evidence_signature: bytes

    @property
    def did(self) -> Did:
        return Did(self.body.did)

    @property
    def digest(self) -> Digest:
        return sha256(self.payload)

    @property
    def evidence_key(self) -> PublicKey:
        return PublicKey("ed25519", bytes.fromhex(self.body.evidence_key))


def new_invitation_code() -> str:
    """A fresh code; whoever knows it may apply once."""
    return secrets.token_urlsafe(24)


def digest_of_code(code: str) -> Digest:
    return sha256(b"entrepot/invitation/v1\n" + code.encode("utf-8", "surrogatepass"))


def make_application(
    code: str,
    identity: Signer,
    evidence: Signer,
    *,
    did: Did,
    name: str,
    subject_code: str,
    region: str,
    roles: tuple[MemberRole, ...],
    origins: tuple[str, ...],
) -> bytes:
    """Write an application and sign it with both keys; the same facts give the same bytes to send."""
    body = ApplicationBody(
        did=did,
        evidence_key=evidence.public.raw.hex(),
        evidence_key_id=evidence.key_id,
        invitation=render_digest(digest_of_code(code)),
        name=name,
        origins=tuple(sorted(set(origins))),
        region=region,
        roles=tuple(sorted(set(roles))),
        subject_code=subject_code,
    )
    payload = canonical.encode_struct(body)
    return canonical.encode_struct(
        _Signed(
            application=to_base64url(payload),
            evidence_sig=to_base64url(evidence.sign(domain(_WHAT) + payload)),
            identity_keyid=identity.key_id,
            identity_sig=to_base64url(identity.sign(domain(_WHAT) + payload)),
            invitation=code,
        )
    )


def read_application(raw: bytes) -> Application:
    """Read an application strictly, and check what can be checked without knowing anybody."""
    signed = canonical.decode_struct(raw, _Signed, max_bytes=MAX_APPLICATION)
    payload = from_base64url(signed.application)
    if canonical.has_zero(payload):
        raise MalformedError("text without zero characters was expected")
    body = canonical.decode_struct(payload, ApplicationBody, max_bytes=MAX_APPLICATION)
    faults = [reason for is_fault, reason in _faults(body) if is_fault]
    if faults:
        raise MalformedError("; ".join(faults))
    code = digest_of_code(signed.invitation)
    if parse_digest(body.invitation) != code:
        raise TrustError("the application was signed for another invitation")
    return Application(
        body=body,
        payload=payload,
        code_digest=code,
        identity_key_id=KeyId(signed.identity_keyid),
        identity_signature=from_base64url(signed.identity_sig),
        evidence_signature=from_base64url(signed.evidence_sig),
    )


def verify_application(application: Application, document: DidDocument) -> None:
    """Check that the applicant holds both keys, or raise `TrustError`.

    **Says nothing of the invitation**; `apply_for_membership` does.
    """
    if document.id != application.did:  # (1) the document is the applicant's
        raise TrustError("the DID document is another party's")
    found = [document.key(application.identity_key_id, relation) for relation in _RELATIONS]
    identity = next((key for key in found if key is not None), None)
    if identity is None:  # (2) its identity key is one that its DID document lists
        raise TrustError("the application is signed by a key that the DID document does not list")
    signed = domain(_WHAT) + application.payload
    verify_signature(identity, signed, application.identity_signature)  # (3) it holds its identity key
    evidence = application.evidence_key
    listed = document.key(KeyId(application.body.evidence_key_id), "assertionMethod")
    if listed is not None and listed != evidence:  # (4) its document does not speak against the evidence key
        raise TrustError("the DID document lists another key under the name of the evidence key")
    verify_signature(evidence, signed, application.evidence_signature)  # (5) it holds that key too


def _faults(body: ApplicationBody) -> tuple[tuple[bool, str], ...]:
    key_did, _, key_name = body.evidence_key_id.partition("#")
    return (
        (not body.did.startswith("did:web:"), "did: expected did:web:..."),
        (
            key_did != body.did or not _KEY_NAME.fullmatch(key_name),
            "evidence_key_id: expected the applicant's DID, # and a short name",
        ),
        (
            not is_social_credit_code(body.subject_code),
            "subject_code: expected a unified social credit code of 18 characters with its check character",
        ),
        (not PLACE.fullmatch(body.region), "region: expected four digits"),
        (len(set(body.roles)) != len(body.roles), "roles: one is there twice"),
        (
            any(not _is_origin(o) for o in body.origins),
            "origins: expected scheme, host and port, such as https://node.example:443",
        ),
    )


def _is_origin(text: str) -> bool:
    """Whether `text` is an origin and nothing else: no path, no password, a port that is one."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    written = f"{parts.scheme}://{shown}" + ("" if port is None else f":{port}")
    return parts.scheme in {"http", "https"} and bool(host) and text == written
