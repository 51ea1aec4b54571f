"""Verifiable credentials as signed tokens, in the two forms that DCP 1.0 names (Profiles).

`vc20-bssl/jwt` is the VC Data Model 2.0 enveloped by JOSE: the claims of the token are the credential
(VC-JOSE-COSE, 3.1). `vc11-sl2021/jwt` is the VC Data Model 1.1: the credential is the claim `vc` beside the
registered ones (6.3.1), and each that says the same must say the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from entrepot.identity.jwt import LEEWAY, Token, check_token_signature, parse_token, time_claim
from entrepot.identity.keys import PublicKey
from entrepot.values import Did, MalformedError, TrustError, UtcTime, parse_time
from entrepot.values.canonical import Json

BASE: Final = "VerifiableCredential"
MAX_URL: Final = 1000
OF_SUBJECT: Final = "JsonSchemaValidator2018"
"""The kind of schema that is about the subject alone; the newer one is about the whole credential."""
_MOST: Final = 16
_LONGEST: Final = 500
_PURPOSES: Final = ("revocation", "suspension")
_SCHEMAS: Final = ("JsonSchema", OF_SUBJECT)


class CredentialForm(StrEnum):
    """Data model, status list and proof, by the one name that DCP gives the three."""

    VC20 = "vc20-bssl/jwt"
    VC11 = "vc11-sl2021/jwt"

    @property
    def context(self) -> str:
        """What the contexts of a credential or presentation of this form begin with."""
        path = "ns/credentials/v2" if self is CredentialForm.VC20 else "2018/credentials/v1"
        return "https://www.w3.org/" + path

    @property
    def status_type(self) -> str:
        """What a status entry of this form is called."""
        return "BitstringStatusListEntry" if self is CredentialForm.VC20 else "StatusList2021Entry"


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """Where an issuer writes down whether a credential still holds."""

    url: str
    index: int
    purpose: str = "revocation"


@dataclass(frozen=True, slots=True)
class Schema:
    """What the claims of a credential have to keep to."""

    url: str
    of_subject: bool = False
    """Whether it is about the subject alone."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What an issuer says of somebody, and where more is said."""

    form: CredentialForm
    issuer: Did
    subject: Did
    types: tuple[str, ...]
    """Without the one that all have."""
    claims: Mapping[str, Json]
    """Of the subject, without its id."""
    valid_from: UtcTime | None
    valid_until: UtcTime | None
    status: tuple[StatusEntry, ...] = ()
    schemas: tuple[Schema, ...] = ()
    id: str = ""
    body: Mapping[str, Json] = field(default_factory=dict, repr=False, compare=False)
    """The credential as it was written, where it was read."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What every credential has, whatever it is about."""

    form: CredentialForm
    issuer: Did
    types: tuple[str, ...]
    valid_from: UtcTime | None
    """The later of what the token and the credential say."""
    valid_until: UtcTime | None
    """The sooner of them."""
    body: Mapping[str, Json] = field(repr=False)


def claimed_issuer(raw: str) -> tuple[Token, Did]:
    """Who a credential claims to be from, to look for that party's keys. **Believe nothing of it yet.**"""
    token = parse_token(raw)
    return token, _issuer(token, _body(token)[1])


def verify_credential(
    raw: str, holder: Did, issuer: Did, public: PublicKey, now: UtcTime, *, insecure_shape: bool = False
) -> Credential:
    """Turn a token into what its issuer says of the holder, or raise (DCP 1.0, 5.4.3).

    **Whether the issuer is one to believe, whether the status lists say otherwise, and whether the claims
    keep to their schemas, is for the caller.** `insecure_shape` lets a credential pass that breaks the rules
    of its own data model, as test suites once sent them.
    """
    token = parse_token(raw)  # (1) well-formed and bounded
    check_token_signature(token, public)  # (2) signed by the issuer's key
    found = read_credential(token, insecure_shape=insecure_shape)
    if found.issuer != issuer:  # (3) by the issuer whose key that is
        raise TrustError("the credential is another issuer's")
    if found.subject != holder:  # (4) about the one who shows it
        raise TrustError("the credential is another holder's")
    check_validity(found, now)  # (5) inside its time
    return found


def check_validity(credential: Credential | Statement, now: UtcTime) -> None:
    """Check both ends of a credential's time, with a small leeway; one that is not given is open."""
    if credential.valid_until is not None and now > credential.valid_until + LEEWAY:
        raise TrustError("the credential has expired")
    if credential.valid_from is not None and now < credential.valid_from - LEEWAY:
        raise TrustError("the credential is not valid yet")


def read_credential(token: Token, *, insecure_shape: bool = False) -> Credential:
    """Read what a credential says. **Whose it is and whether it holds, `verify_credential` says.**"""
    said = read_statement(token, insecure_shape=insecure_shape)
    subject = _one(said.body.get("credentialSubject"))
    # In the older form `sub` may stand for the id (VC Data Model 1.1, 6.3.1).
    instead = token.claims.get("sub") if said.form is CredentialForm.VC11 else None
    holder = _did(subject.get("id", instead), "credentialSubject.id")
    if not insecure_shape and token.claims.get("sub", holder) != holder:
        raise TrustError("the credential's sub is not its subject")
    return Credential(
        form=said.form,
        issuer=said.issuer,
        subject=holder,
        types=said.types,
        claims={name: value for name, value in subject.items() if name != "id"},
        valid_from=said.valid_from,
        valid_until=said.valid_until,
        status=tuple(_status(entry) for entry in _many(said.body, "credentialStatus")),
        schemas=tuple(_schema(entry) for entry in _many(said.body, "credentialSchema")),
        id=str(said.body.get("id") or ""),
        body=said.body,
    )


def read_statement(token: Token, *, insecure_shape: bool = False) -> Statement:
    """Read what every credential has, and hold it to its data model."""
    form, body = _body(token)
    kinds, contexts = _texts(body.get("type"), "type"), body.get("@context")
    if not insecure_shape and (not isinstance(contexts, list) or contexts[:1] != [form.context]):
        raise MalformedError(f"@context: expected {form.context} first")
    if not insecure_shape and BASE not in kinds:
        raise MalformedError(f"type: expected {BASE} among others")
    starts = [time_claim(token, "nbf"), time_claim(token, "iat"), _time(body, "validFrom", "issuanceDate")]
    ends = [time_claim(token, "exp"), _time(body, "validUntil", "expirationDate")]
    return Statement(
        form=form,
        issuer=_issuer(token, body),
        types=tuple(kind for kind in kinds if kind != BASE),
        valid_from=max((time for time in starts if time is not None), default=None),
        valid_until=min((time for time in ends if time is not None), default=None),
        body=body,
    )


def _body(token: Token) -> tuple[CredentialForm, Mapping[str, Json]]:
    if "vc" not in token.claims:
        return CredentialForm.VC20, token.claims
    body = token.claims["vc"]
    if not isinstance(body, dict):
        raise MalformedError("vc: expected an object")
    return CredentialForm.VC11, body


def _issuer(token: Token, body: Mapping[str, Json]) -> Did:
    """The issuer, which the token and the credential may both name, and must name alike."""
    named = body.get("issuer")
    inside = named.get("id") if isinstance(named, dict) else named
    outside = token.claims.get("iss")
    if inside is not None and outside is not None and inside != outside:
        raise TrustError("the credential names two issuers")
    return _did(outside if inside is None else inside, "issuer")


def _status(entry: Mapping[str, Json]) -> StatusEntry:
    """Read a status entry; what we could not judge is refused, not passed over."""
    kind, purpose = entry.get("type"), entry.get("statusPurpose")
    index, url = entry.get("statusListIndex"), entry.get("statusListCredential")
    if isinstance(index, int) and not isinstance(index, bool):  # Eclipse's IssuerService writes no text
        index = str(index)
    if kind not in [form.status_type for form in CredentialForm]:
        raise MalformedError("credentialStatus: of a kind that is not understood here")
    if purpose not in _PURPOSES or entry.get("statusSize", 1) != 1:
        raise MalformedError("credentialStatus: expected one bit for revocation or suspension")
    if not isinstance(index, str) or not index.isascii() or not index.isdigit() or len(index) > 9:
        raise MalformedError("statusListIndex: expected a number of at most nine digits")
    if not isinstance(url, str) or not 0 < len(url) <= MAX_URL:
        raise MalformedError("statusListCredential: expected an address")
    return StatusEntry(url, int(index), str(purpose))


def _schema(entry: Mapping[str, Json]) -> Schema:
    url, kind = entry.get("id"), entry.get("type")
    if kind not in _SCHEMAS:
        raise MalformedError("credentialSchema: of a kind that is not understood here")
    if not isinstance(url, str) or not 0 < len(url) <= MAX_URL:
        raise MalformedError("credentialSchema.id: expected an address")
    return Schema(url, kind == OF_SUBJECT)


def _time(body: Mapping[str, Json], *names: str) -> UtcTime | None:
    found = next((body[name] for name in names if body.get(name) is not None), None)
    if found is None:
        return None
    if not isinstance(found, str):
        raise MalformedError(f"{' or '.join(names)}: expected a time")
    return parse_time(found)


def _many(body: Mapping[str, Json], name: str) -> Sequence[Mapping[str, Json]]:
    """One object or a few of them, as both data models let it be written."""
    value = body.get(name)
    found = [] if value is None else value if isinstance(value, list) else [value]
    if len(found) > _MOST or not all(isinstance(entry, dict) for entry in found):
        raise MalformedError(f"{name}: expected at most {_MOST} objects")
    return [entry for entry in found if isinstance(entry, dict)]


def _one(value: Json) -> Mapping[str, Json]:
    found = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(found, dict):
        raise MalformedError("credentialSubject: expected one")
    return found


def _texts(value: Json, name: str) -> Sequence[str]:
    found = value if isinstance(value, list) else [value]
    if len(found) > _MOST or not all(isinstance(text, str) for text in found):
        raise MalformedError(f"{name}: expected at most {_MOST} names")
    return [str(text) for text in found]


def _did(value: Json, name: str) -> Did:
    if not isinstance(value, str) or not value.startswith("did:") or len(value) > _LONGEST:
        raise MalformedError(f"{name}: expected a DID")
    return Did(value)
