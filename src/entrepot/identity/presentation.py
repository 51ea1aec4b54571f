"""Who is calling: self-issued tokens and presentations, shaped as DCP 1.0 shapes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from entrepot.identity.credential import CredentialForm
from entrepot.identity.did import DidDocument
from entrepot.identity.jwt import (
    Token,
    audience_of,
    check_times,
    check_token_signature,
    did_claim,
    parse_token,
    sign_token,
    text_claim,
    time_claim,
)
from entrepot.identity.keys import Signer
from entrepot.journal import Transaction, first_seen
from entrepot.values import Did, MalformedError, TrustError, UtcTime
from entrepot.values.canonical import Json

LIFETIME: Final = timedelta(minutes=5)
LONGEST: Final = timedelta(hours=1)
_SCOPE: Final = "id-token"
_ENVELOPE: Final = "data:application/vc+jwt,"
_OF_PRESENTATION: Final = "data:application/vp+jwt,"
_ENVELOPED: Final = "EnvelopedVerifiablePresentation"
_MOST: Final = 16
_OF_OTHERS: Final = ("vp", "vc", "verifiableCredential", "credentialSubject")
"""Claims of tokens that the same key signs for other purposes."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a self-issued token, its one-time id, and the access token for the caller's credentials."""

    did: Did
    jti: str
    expires_at: UtcTime
    access_token: str = field(repr=False)


def issue_id_token(
    signer: Signer, did: Did, audience: Did, now: UtcTime, jti: str, access_token: str = ""
) -> str:
    """Write a token that says who we are, for one reader and a short time (DCP 1.0, 4.3.1)."""
    claims: dict[str, str | int] = {
        "iss": did,
        "sub": did,
        "aud": audience,
        "jti": jti,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
    }
    if access_token:
        claims["token"] = access_token
    return sign_token(signer, {**claims})


def claimed_did(raw: str) -> tuple[Token, Did]:
    """Who a token claims to be from, to look for that party's document. **Believe nothing of it yet.**"""
    token = parse_token(raw)
    return token, did_claim(token, "iss")


def verify_id_token(token: Token, document: DidDocument, audience: Did, now: UtcTime) -> Caller:
    """Turn a token into its caller, or raise `TrustError` (DCP 1.0, 4.3.3).

    **The caller of this function must still let each `jti` pass only once (`use_once`).**
    """
    issuer = did_claim(token, "iss")  # (1) issuer and subject are the same
    if did_claim(token, "sub") != issuer or document.id != issuer:
        raise TrustError("the token's issuer is not its subject")
    if any(name in token.claims for name in _OF_OTHERS):
        raise TrustError("a presentation or credential is no identity token")
    key = document.key(token.key_id, "capabilityInvocation")  # (2) signed by a key that may invoke
    if key is None:
        raise TrustError("the token is signed by a key that the DID document does not list for it")
    check_token_signature(token, key)
    if audience_of(token) != audience:  # (3) meant for us
        raise TrustError("the token is meant for somebody else")
    check_times(token, now)  # (4) inside its time
    expires = time_claim(token, "exp")
    if time_claim(token, "iat") is None:
        raise TrustError("the token does not say when it was issued")
    if expires is None or expires > now + LONGEST:
        raise TrustError(f"the token lives longer than {LONGEST}")
    jti = text_claim(token, "jti")  # (5) with an id of its own
    if len(jti) > 200:
        raise MalformedError("jti: expected at most 200 characters")
    access = token.claims.get("token")
    return Caller(issuer, jti, expires, access if isinstance(access, str) else "")


def use_once(tx: Transaction, caller: Caller) -> None:
    """Let a token pass the first time only; what was seen is remembered until it has expired."""
    if not first_seen(tx, _SCOPE, f"{caller.did} {caller.jti}", caller.expires_at + timedelta(minutes=1)):
        raise TrustError("the token was used before")


@dataclass(frozen=True, slots=True)
class Presentation:
    """What a holder showed to one reader: credentials of one form."""

    form: CredentialForm
    credentials: tuple[str, ...] = field(repr=False)


def issue_presentation(
    signer: Signer,
    holder: Did,
    audience: Did,
    credentials: tuple[str, ...],
    now: UtcTime,
    jti: str,
    form: CredentialForm = CredentialForm.VC20,
) -> str:
    """Show credentials of one form to one reader (DCP 1.0, Profiles: homogeneity)."""
    claims: dict[str, Json] = {
        "iss": holder,
        "sub": holder,
        "aud": audience,
        "jti": jti,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
    }
    body: dict[str, Json] = {"@context": [form.context], "type": ["VerifiablePresentation"], "holder": holder}
    if form is CredentialForm.VC11:
        return sign_token(signer, claims | {"vp": body | {"verifiableCredential": [*credentials]}})
    enveloped: list[Json] = [
        {"@context": [form.context], "id": _ENVELOPE + raw, "type": "EnvelopedVerifiableCredential"}
        for raw in credentials
    ]
    return sign_token(signer, claims | body | {"verifiableCredential": enveloped}, "vp+jwt", "vp")


def verify_presentation(
    raw: str, document: DidDocument, audience: Did, now: UtcTime, *, unbound: bool = False
) -> Presentation:
    """Give the credentials that the holder showed us, or raise. **Verify each of them for this holder.**

    `unbound` also lets pass, in the form of data model 2.0, what names no reader and no end, and what lies
    in a token of its own that is an envelope and nothing else: Eclipse's IdentityHub writes no other.
    """
    token = _signed(raw, document)
    names = [token.claims.get("iss")]
    if unbound and token.claims.get("type") == _ENVELOPED:
        _check_bounds(token, audience, now, unbound=True)
        token = _signed(unwrap_presentation(token.claims), document)
        names.append(token.claims.get("iss"))
    form = CredentialForm.VC11 if "vp" in token.claims else CredentialForm.VC20
    parts = _parts(token.claims.get("vp", {**token.claims}))
    names += [_holder(part) for part in parts]
    if {name == document.id for name in names if name is not None} != {True}:  # (3) by the holder itself
        raise TrustError("the presentation is another holder's")
    _check_bounds(token, audience, now, unbound=unbound and form is CredentialForm.VC20)
    read = _embedded if form is CredentialForm.VC11 else _enveloped
    shown = [read(credential) for part in parts for credential in _credentials(part)]
    if len(shown) > _MOST:
        raise MalformedError(f"the presentation shows more than {_MOST} credentials")
    return Presentation(form, tuple(shown))


def unwrap_presentation(envelope: Mapping[str, Json]) -> str:
    """The signed presentation inside of an `EnvelopedVerifiablePresentation` (VC Data Model 2.0, 4.13)."""
    where = envelope.get("id")
    if envelope.get("type") != _ENVELOPED or not isinstance(where, str):
        raise MalformedError(f"presentation: expected signed tokens, or objects of type {_ENVELOPED}")
    if not where.startswith(_OF_PRESENTATION):
        raise MalformedError(f"presentation: expected an id that begins with {_OF_PRESENTATION}")
    return where.removeprefix(_OF_PRESENTATION)


def _signed(raw: str, document: DidDocument) -> Token:
    token = parse_token(raw)  # (1) well-formed and bounded
    key = document.key(token.key_id, "authentication")  # (2) signed by the holder
    if key is None:
        raise TrustError("the presentation is signed by a key that is not the holder's")
    check_token_signature(token, key)
    return token


def _check_bounds(token: Token, audience: Did, now: UtcTime, *, unbound: bool) -> None:
    has_reader, has_end = ("aud" in token.claims or not unbound, "exp" in token.claims or not unbound)
    if has_reader and audience_of(token) != audience:  # (4) meant for us
        raise TrustError("the presentation is meant for somebody else")
    if has_end:
        check_times(token, now)  # (5) inside its time


def _parts(body: Json) -> list[Mapping[str, Json]]:
    """One presentation, or several under one signature."""
    parts = body if isinstance(body, list) and body else [body]
    if not all(isinstance(part, dict) for part in parts):
        raise MalformedError("the presentation is no object")
    return [part for part in parts if isinstance(part, dict)]


def _holder(part: Mapping[str, Json]) -> Json:
    named = part.get("holder")
    return named.get("id") if isinstance(named, dict) else named


def _credentials(part: Mapping[str, Json]) -> list[Json]:
    found = part.get("verifiableCredential")
    if not isinstance(found, list):
        raise MalformedError("the presentation shows no list of credentials")
    return found


def _embedded(credential: Json) -> str:
    if not isinstance(credential, str):
        raise MalformedError("the presentation shows a credential that is no signed token")
    return credential


def _enveloped(credential: Json) -> str:
    """A credential in its envelope (VC Data Model 2.0, 4.13)."""
    where = credential.get("id") if isinstance(credential, dict) else None
    if not isinstance(where, str) or not where.startswith(_ENVELOPE):
        raise MalformedError(f"the presentation shows a credential that is no {_ENVELOPE}...")
    return where.removeprefix(_ENVELOPE)
