"""Credentials in both forms: what an issuer says is read as it was said, and every false one is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from entrepot_identity_world import ALICE, EVE, PLATFORM, SECOND, START, seconds, signer_of, write_token
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.identity import (
    Credential,
    CredentialForm,
    Schema,
    StatusEntry,
    claimed_issuer,
    issue_credential,
    parse_token,
    verify_credential,
)
from entrepot.values import Did, EntrepotError, MalformedError, TrustError, UtcTime

VC20, VC11 = CredentialForm.VC20, CredentialForm.VC11
FORMS = st.sampled_from(CredentialForm)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.characters(codec="ascii"), min_size=1, max_size=12).filter(lambda t: t != "id")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def said(form: CredentialForm = VC20, **changes: Any) -> Credential:
    return replace(
        Credential(
            form=form,
            issuer=PLATFORM.did,
            subject=ALICE.did,
            types=("PassportCredential",),
            claims={"colour": "red"},
            valid_from=START - timedelta(days=1),
            valid_until=START + timedelta(days=1),
            status=(StatusEntry("https://platform.example/status/1", 7),),
            schemas=(Schema("https://platform.example/schema/1"),),
            id="urn:uuid:1",
        ),
        **changes,
    )


def issued(form: CredentialForm = VC20, **changes: Any) -> str:
    return issue_credential(PLATFORM.identity, said(form, **changes))


def verify(raw: str, now: UtcTime = START, **options: bool) -> Credential:
    return verify_credential(raw, ALICE.did, PLATFORM.did, PLATFORM.identity.public, now, **options)


@settings(max_examples=40)
@given(
    form=FORMS,
    types=st.lists(NAMES.filter(lambda t: t != "VerifiableCredential"), max_size=4),
    claims=st.dictionaries(NAMES, JSON, max_size=4),
    status=st.lists(
        st.builds(
            StatusEntry, NAMES, st.integers(0, 10**9 - 1), st.sampled_from(["revocation", "suspension"])
        ),
        max_size=3,
    ),
    schemas=st.lists(st.builds(Schema, NAMES, st.booleans()), max_size=3),
    start=st.none() | st.integers(0, 10**6).map(lambda n: START - n * SECOND),
    end=st.none() | st.integers(0, 10**6).map(lambda n: START + n * SECOND),
)
def test_a_credential_is_read_as_it_was_issued(
    form: CredentialForm,
    types: list[str],
    claims: dict[str, Any],
    status: list[StatusEntry],
    schemas: list[Schema],
    start: UtcTime | None,
    end: UtcTime | None,
) -> None:
    """Whichever form a holder has it in, the same is said."""
    given_ = said(
        form,
        types=tuple(types),
        claims=claims,
        status=tuple(status),
        schemas=tuple(schemas),
        valid_from=start,
        valid_until=end,
    )

    assert verify(issue_credential(PLATFORM.identity, given_)) == given_


def test_each_form_is_written_as_its_standard_says() -> None:
    """VC-JOSE-COSE, 3.1: the claims are the credential; VC Data Model 1.1, 6.3.1: `vc` holds it."""
    newer, older = parse_token(issued(VC20)), parse_token(issued(VC11))

    assert (newer.header["typ"], newer.header["cty"]) == ("vc+jwt", "vc")
    assert newer.claims["@context"] == ["https://www.w3.org/ns/credentials/v2"]
    assert newer.claims["validFrom"] == "2026-11-24T08:00:00Z"
    assert "vc" not in newer.claims
    inside: Any = older.claims["vc"]
    assert inside["@context"][0] == "https://www.w3.org/2018/credentials/v1"
    assert inside["issuanceDate"] == "2026-11-24T08:00:00Z"
    assert inside["credentialStatus"][0]["type"] == "StatusList2021Entry"
    assert older.claims["nbf"] == seconds(START) - 86_400
    assert older.claims["sub"] == ALICE.did


@pytest.mark.parametrize("form", CredentialForm)
def test_only_its_issuers_key_makes_a_credential(form: CredentialForm) -> None:
    """A stranger's signature, or none, under the issuer's name."""
    claims = parse_token(issued(form)).claims
    header = {"alg": "ES256", "kid": PLATFORM.identity.key_id}
    forged = signer_of("eve identity", "es256", PLATFORM.identity.key_id)
    for raw in (
        issue_credential(forged, said(form)),
        write_token(None, claims, header),
        write_token(None, claims, {**header, "alg": "none"}),
        write_token(PLATFORM.identity, claims, {**header, "alg": "ES384"}),
    ):
        with pytest.raises(TrustError):
            verify(raw)


@pytest.mark.parametrize("form", CredentialForm)
def test_a_credential_is_believed_of_its_holder_and_issuer_only(form: CredentialForm) -> None:
    with pytest.raises(TrustError, match="another holder"):
        verify(issued(form, subject=EVE.did))
    with pytest.raises(TrustError, match="another issuer"):
        verify(issued(form, issuer=EVE.did))


@pytest.mark.parametrize("form", CredentialForm)
def test_a_credential_holds_in_its_time_only(form: CredentialForm) -> None:
    raw = issued(form, valid_from=START, valid_until=START + 60 * SECOND)

    for now in (START - 5 * SECOND, START, START + 65 * SECOND):
        verify(raw, now)
    with pytest.raises(TrustError, match="not valid yet"):
        verify(raw, START - 6 * SECOND)
    with pytest.raises(TrustError, match="expired"):
        verify(raw, START + 66 * SECOND)


def changed(form: CredentialForm, change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> str:
    """The issuer's own signature over a credential that something was changed in; `b` is its body."""
    claims: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(parse_token(issued(form)).claims))
    change(claims, claims.get("vc", claims))
    return write_token(PLATFORM.identity, claims)


def test_in_the_older_form_the_token_may_name_the_subject() -> None:
    """VC Data Model 1.1, 6.3.1: `sub` stands for the id. In the newer one the claims are the credential."""
    raw = changed(VC11, lambda _, b: b["credentialSubject"].pop("id"))

    assert verify(raw).subject == ALICE.did
    with pytest.raises(TrustError, match="another holder"):
        verify(changed(VC11, lambda c, b: (b["credentialSubject"].pop("id"), c.update(sub=EVE.did))))
    with pytest.raises(MalformedError):
        verify(changed(VC20, lambda _, b: b["credentialSubject"].pop("id")))


def test_an_index_may_be_a_number() -> None:
    """The standards want text; Eclipse's IssuerService writes a number, which says the same."""
    raw = changed(VC20, lambda _, b: b["credentialStatus"][0].update(statusListIndex=7))

    assert verify(raw).status[0].index == 7


PAST, FUTURE = "2026-11-25T07:00:00Z", "2026-11-25T09:00:00Z"
WRONG: list[tuple[str, Callable[[dict[str, Any], dict[str, Any]], Any]]] = [
    ("no context", lambda _, b: b.pop("@context")),
    ("a context that is text", lambda _, b: b.update({"@context": b["@context"][0]})),
    ("another context first", lambda _, b: b["@context"].insert(0, "https://eve.example")),
    ("no type", lambda _, b: b.pop("type")),
    ("no base type", lambda _, b: b.update(type=["PassportCredential"])),
    ("too many types", lambda _, b: b.update(type=["VerifiableCredential"] * 17)),
    ("a type that is a number", lambda _, b: b["type"].append(7)),
    ("two issuers", lambda c, _: c.update(iss=EVE.did)),
    ("no issuer", lambda c, b: (c.pop("iss"), b.pop("issuer"))),
    ("an issuer that is no DID", lambda c, b: (c.pop("iss"), b.update(issuer="https://platform.example"))),
    ("two subjects in one", lambda c, _: c.update(sub=EVE.did)),
    ("no subject", lambda _, b: b.pop("credentialSubject")),
    ("two subjects", lambda _, b: b.update(credentialSubject=[b["credentialSubject"]] * 2)),
    ("a subject without id", lambda c, b: (b["credentialSubject"].pop("id"), c.pop("sub"))),
    ("expired inside", lambda _, b: b.update(validUntil=PAST, expirationDate=PAST)),
    ("expired outside", lambda c, _: c.update(exp=seconds(START) - 60)),
    ("not yet inside", lambda _, b: b.update(validFrom=FUTURE, issuanceDate=FUTURE)),
    ("not yet outside", lambda c, _: c.update(nbf=seconds(START) + 60)),
    ("a time without a zone", lambda _, b: b.update(validFrom=PAST[:-1], issuanceDate=PAST[:-1])),
    ("a time that is a number", lambda _, b: b.update(validFrom=7, issuanceDate=7)),
    ("a status of no kind that we know", lambda _, b: b["credentialStatus"][0].update(type="Other")),
    ("a status that is text", lambda _, b: b.update(credentialStatus="good")),
    ("a status that refreshes", lambda _, b: b["credentialStatus"][0].update(statusPurpose="refresh")),
    ("a status of several bits", lambda _, b: b["credentialStatus"][0].update(statusSize=2)),
    ("a status without address", lambda _, b: b["credentialStatus"][0].pop("statusListCredential")),
    ("a status without index", lambda _, b: b["credentialStatus"][0].pop("statusListIndex")),
    ("a negative index", lambda _, b: b["credentialStatus"][0].update(statusListIndex="-1")),
    ("an index of other digits", lambda _, b: b["credentialStatus"][0].update(statusListIndex="٧")),
    ("too many statuses", lambda _, b: b.update(credentialStatus=b["credentialStatus"] * 17)),
    ("a schema of no kind that we know", lambda _, b: b["credentialSchema"][0].update(type="Shape")),
    ("a schema without address", lambda _, b: b["credentialSchema"][0].pop("id")),
]


@pytest.mark.parametrize("form", CredentialForm)
@pytest.mark.parametrize("change", [c for _, c in WRONG], ids=[n for n, _ in WRONG])
def test_a_credential_that_breaks_one_rule_is_refused(
    form: CredentialForm, change: Callable[[dict[str, Any], dict[str, Any]], Any]
) -> None:
    """What its issuer itself got wrong is refused too: nothing is guessed, what is not understood counts."""
    verify(changed(form, lambda *_: None))

    with pytest.raises((TrustError, MalformedError)):
        verify(changed(form, change))


def test_what_a_test_suite_once_sent_passes_only_where_that_is_said() -> None:
    """DCP suite 1.0.0-RC6: no context, no base type, `sub` names the credential; all else still counts."""

    def as_it_was(claims: dict[str, Any], body: dict[str, Any]) -> None:
        claims["sub"] = body["id"]
        body.update({"@context": body["id"], "type": ["MembershipCredential"], "expirationDate": None})

    raw = changed(VC11, as_it_was)

    with pytest.raises(MalformedError):
        verify(raw)
    assert verify(raw, insecure_shape=True).types == ("MembershipCredential",)
    with pytest.raises(TrustError, match="expired"):
        verify(raw, START + timedelta(days=2), insecure_shape=True)


@pytest.mark.parametrize("form", CredentialForm)
def test_an_issuer_is_read_before_its_key_is_known(form: CredentialForm) -> None:
    """Foreign credentials may name their issuer inside only, as text or as an object."""

    def inside_only(claims: dict[str, Any], body: dict[str, Any]) -> None:
        claims.pop("iss")
        body["issuer"] = {"id": PLATFORM.did, "name": "the platform"}

    raw = changed(form, inside_only)

    assert claimed_issuer(raw)[1] == PLATFORM.did
    assert verify(raw).issuer == PLATFORM.did


@given(
    form=FORMS,
    place=st.sampled_from(["claims", "body", "credentialSubject", "credentialStatus", "credentialSchema"]),
    value=JSON,
    data=st.data(),
)
def test_any_value_anywhere_is_read_or_refused(
    form: CredentialForm, place: str, value: Any, data: st.DataObject
) -> None:
    """A signed credential is still a stranger's bytes: nothing but a refusal comes of any shape."""

    def put(claims: dict[str, Any], body: dict[str, Any]) -> None:
        inner = body.get(place, claims if place == "claims" else body)
        target = inner[0] if isinstance(inner, list) else inner
        target[data.draw(st.sampled_from(sorted(target)))] = value

    try:
        found = verify(changed(form, put))
    except EntrepotError:
        return
    assert (found.issuer, found.subject) == (PLATFORM.did, ALICE.did)
    assert all(isinstance(kind, str) for kind in found.types)


@given(did=st.text(max_size=20), form=FORMS)
def test_any_issuer_is_read_or_refused(did: str, form: CredentialForm) -> None:
    def named(claims: dict[str, Any], body: dict[str, Any]) -> None:
        claims["iss"] = body["issuer"] = did

    try:
        _, found = claimed_issuer(changed(form, named))
    except MalformedError:
        assert not did.startswith("did:")
        return
    assert found == Did(did)
