"""Membership credentials: what the platform says of a member, believed for that member only."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from entrepot_identity_world import (
    ALICE,
    BOB,
    EVE,
    PLATFORM,
    SECOND,
    START,
    Party,
    credential_of,
    membership_of,
    signer_of,
    write_token,
)
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identity import (
    CredentialForm,
    Membership,
    issue_credential,
    issue_membership,
    membership_credential,
    older_list,
    parse_token,
    verify_membership,
)
from entrepot.values import EntrepotError, MalformedError, TrustError, UtcTime

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def verify(raw: str, holder: Party = ALICE, issuer: Party = PLATFORM, now: UtcTime = START) -> Membership:
    return verify_membership(raw, holder.did, issuer.did, issuer.identity.public, now)


@given(
    roles=st.lists(TEXTS, max_size=4),
    code=TEXTS,
    region=TEXTS,
    index=st.integers(0, 131_071),
    form=st.sampled_from(CredentialForm),
)
def test_a_membership_is_read_as_it_was_issued(
    roles: list[str], code: str, region: str, index: int, form: CredentialForm
) -> None:
    """Roles, codes and the evidence key that contracts are verified with arrive unchanged.

    In the older form it names another list, of 2021, and is judged by the one that the space follows.
    """
    given_ = membership_of(
        ALICE, roles=tuple(roles), connector_code=code, subject_code=code, region=region, status_index=index
    )

    credential = membership_credential(given_, form)
    assert verify(issue_credential(PLATFORM.identity, credential)) == given_
    (status,) = credential.status
    is_newer = form is CredentialForm.VC20
    assert status.url == (given_.status_url if is_newer else older_list(given_.status_url))


def test_a_credential_of_another_holder_is_refused() -> None:
    """Who shows a friend's membership is no member."""
    with pytest.raises(TrustError, match="another holder"):
        verify(credential_of(BOB), holder=ALICE)


def test_a_credential_of_a_foreign_issuer_is_refused() -> None:
    """Anybody can issue memberships; this space believes one issuer."""
    foreign = credential_of(ALICE, issuer=EVE)
    in_our_name = issue_membership(EVE.identity, membership_of(ALICE))
    under_our_key = issue_membership(
        signer_of("eve identity", "es256", PLATFORM.identity.key_id), membership_of(ALICE)
    )
    for raw in (foreign, in_our_name, under_our_key):
        with pytest.raises(TrustError):
            verify(raw)
    with pytest.raises(TrustError, match="another issuer"):
        verify_membership(foreign, ALICE.did, PLATFORM.did, EVE.identity.public, START)


def test_a_membership_holds_in_its_time_only() -> None:
    raw = credential_of(ALICE, valid_from=START, valid_until=START + timedelta(days=1))

    verify(raw, now=START)
    verify(raw, now=START + timedelta(days=1))
    for now in (START - 6 * SECOND, START + timedelta(days=1) + 6 * SECOND):
        with pytest.raises(TrustError):
            verify(raw, now=now)


def test_an_unsigned_credential_is_refused() -> None:
    claims = parse_token(credential_of(ALICE)).claims
    for name in ("none", "ES256"):
        with pytest.raises(TrustError):
            verify(write_token(None, claims, {"alg": name, "kid": PLATFORM.identity.key_id}))


CHANGES: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("the other form inside", lambda c: c.update(vc={**c})),
    ("no context", lambda c: c.pop("@context")),
    ("the context of the older model", lambda c: c.update({"@context": [CredentialForm.VC11.context]})),
    ("no base type", lambda c: c.update(type=["MembershipCredential"])),
    ("two issuers", lambda c: c.update(iss=EVE.did)),
    ("two subjects in one", lambda c: c.update(sub=EVE.did)),
    ("no start", lambda c: (c.pop("validFrom"), c.pop("iat"))),
    ("no end", lambda c: (c.pop("validUntil"), c.pop("exp"))),
    ("a start that is no time", lambda c: c.update(validFrom="yesterday")),
    ("another type", lambda c: c.update(type=["VerifiableCredential"])),
    ("subject of another", lambda c: c["credentialSubject"].update(id=EVE.did)),
    ("no subject", lambda c: c.pop("credentialSubject")),
    ("no status", lambda c: c.pop("credentialStatus")),
    ("status that only suspends", lambda c: c["credentialStatus"][0].update(statusPurpose="suspension")),
    ("status of another kind", lambda c: c["credentialStatus"][0].update(type="RevocationList2020Status")),
    ("index as truth", lambda c: c["credentialStatus"][0].update(statusListIndex=True)),
    ("index with a fraction", lambda c: c["credentialStatus"][0].update(statusListIndex=7.0)),
    ("index below nothing", lambda c: c["credentialStatus"][0].update(statusListIndex=-7)),
    ("negative index", lambda c: c["credentialStatus"][0].update(statusListIndex="-1")),
    ("index in other digits", lambda c: c["credentialStatus"][0].update(statusListIndex="٧")),
    ("index that is no number", lambda c: c["credentialStatus"][0].update(statusListIndex="²")),
    ("large index", lambda c: c["credentialStatus"][0].update(statusListIndex="9" * 5000)),
    ("long address", lambda c: c["credentialStatus"][0].update(statusListCredential="h" * 1001)),
    ("roles as text", lambda c: c["credentialSubject"].update(roles="provider")),
    ("roles as numbers", lambda c: c["credentialSubject"].update(roles=[1])),
    ("no region", lambda c: c["credentialSubject"].pop("region")),
    ("long code", lambda c: c["credentialSubject"].update(connectorCode="1" * 101)),
    ("no evidence key", lambda c: c["credentialSubject"].pop("evidenceKey")),
    ("private evidence key", lambda c: c["credentialSubject"]["evidenceKey"].update(d="AAAA")),
]


@pytest.mark.parametrize("change", [c for _, c in CHANGES], ids=[n for n, _ in CHANGES])
def test_a_credential_that_lacks_something_is_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    """Even with the platform's signature: nothing is guessed, nothing defaults."""
    claims = _claims()
    change(claims)

    with pytest.raises((MalformedError, TrustError)):
        verify(write_token(PLATFORM.identity, claims))


@given(
    place=st.sampled_from(["credential", "credentialSubject", "credentialStatus", "evidenceKey"]),
    value=JSON,
    data=st.data(),
)
def test_any_value_anywhere_is_read_or_refused(place: str, value: Any, data: st.DataObject) -> None:
    """No shape of JSON in a credential raises anything but a refusal."""
    claims = _claims()
    subject = claims["credentialSubject"]
    inside = {"credential": claims, "credentialSubject": subject, "evidenceKey": subject["evidenceKey"]}
    target = inside.get(place, claims["credentialStatus"][0])
    target[data.draw(st.sampled_from(sorted(target)))] = value

    try:
        found = verify(write_token(PLATFORM.identity, claims))
    except EntrepotError:
        return
    assert found.did == ALICE.did
    assert found.status_index >= 0


def _claims() -> dict[str, Any]:
    claims: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(parse_token(credential_of(ALICE)).claims)
    )
    return claims
