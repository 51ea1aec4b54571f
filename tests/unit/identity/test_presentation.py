"""Who is calling: every false token of the standard's table is refused, and each good one passes once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

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
    id_claims,
    seconds,
    signer_of,
    write_token,
)
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identity import (
    Caller,
    CredentialForm,
    Presentation,
    claimed_did,
    issue_id_token,
    issue_presentation,
    use_once,
    verify_id_token,
    verify_presentation,
)
from entrepot.journal import Journal, forget_seen
from entrepot.values import EntrepotError, MalformedError, TrustError, UtcTime

JSON = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.lists(st.text(max_size=4), max_size=2)
)


def verify(raw: str, caller: Party = ALICE, reader: Party = BOB, now: UtcTime = START) -> Caller:
    token, did = claimed_did(raw)
    assert did == caller.did
    return verify_id_token(token, caller.document, reader.did, now)


@pytest.mark.parametrize("suite", ["es256", "ed25519"])
def test_a_self_issued_token_names_its_caller(suite: str) -> None:
    party = Party("carol", suite)
    raw = issue_id_token(party.identity, party.did, BOB.did, START, "one", "access")

    assert verify(raw, party) == Caller(party.did, "one", START + timedelta(minutes=5), "access")


def test_who_logs_a_caller_logs_no_secret() -> None:
    """The access token opens the caller's credentials, and the token itself is good for some minutes."""
    raw = issue_id_token(ALICE.identity, ALICE.did, BOB.did, START, "one", "access")
    token, _ = claimed_did(raw)
    shown = f"{token!r} {token} {verify(raw)!r} {verify(raw)}"

    assert "access'" not in shown
    assert raw.rpartition(".")[2] not in shown
    assert repr(token.signature) not in shown


def test_a_token_without_access_token_still_names_its_caller() -> None:
    raw = issue_id_token(ALICE.identity, ALICE.did, BOB.did, START, "one")

    assert verify(raw).access_token == ""


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("subject of another", {"sub": EVE.did}),
    ("no subject", {"sub": None}),
    ("audience of another", {"aud": EVE.did}),
    ("several audiences", {"aud": [BOB.did, EVE.did]}),
    ("no audience", {"aud": None}),
    ("expired", {"exp": seconds(START) - 6}),
    ("no expiry", {"exp": None}),
    ("expiry as text", {"exp": str(seconds(START) + 60)}),
    ("expiry beyond the calendar", {"exp": 300_000_000_000}),
    ("lives too long", {"exp": seconds(START) + 3601}),
    ("not valid yet", {"nbf": seconds(START) + 60}),
    ("issued in the future", {"iat": seconds(START) + 60}),
    ("issued at no time", {"iat": None}),
    ("no id", {"jti": None}),
    ("empty id", {"jti": ""}),
    ("long id", {"jti": "x" * 201}),
    ("id that is a number", {"jti": 1}),
    ("a presentation", {"vp": {}}),
    ("a credential", {"vc": {}}),
]


@pytest.mark.parametrize(("changes"), [c for _, c in WRONG], ids=[n for n, _ in WRONG])
def test_a_token_that_breaks_one_rule_is_refused(changes: dict[str, Any]) -> None:
    """DCP 1.0, 4.3.3: each rule alone is enough to refuse, though the signature holds."""
    verify(write_token(ALICE.identity, id_claims()))
    raw = write_token(ALICE.identity, id_claims(**changes))

    with pytest.raises((TrustError, MalformedError)) as caught:
        verify(raw)
    assert raw not in str(caught.value)
    assert "an-access-token" not in str(caught.value)


def test_a_token_signed_with_another_key_is_refused() -> None:
    """Neither a stranger's key under our key's name, nor our evidence key, nor a key of no document."""
    eve_as_alice = signer_of("eve identity", "es256", ALICE.identity.key_id)
    evidence, unknown = ALICE.evidence, signer_of("alice identity", "es256", f"{ALICE.did}#identity-2")
    for signer in (eve_as_alice, evidence, unknown, EVE.identity):
        with pytest.raises(TrustError):
            verify(write_token(signer, id_claims()))


@pytest.mark.parametrize("name", ["none", "HS256", "EdDSA", "ES384"])
def test_a_token_that_names_another_algorithm_is_refused(name: str) -> None:
    """The algorithm is fixed by the key, so a header can talk nobody into a weaker one."""
    header = {"alg": name, "kid": ALICE.identity.key_id}
    for raw in (
        write_token(ALICE.identity, id_claims(), header),
        write_token(None, id_claims(), header),
        write_token(None, id_claims(), header, ALICE.identity.public.raw),
    ):
        with pytest.raises(TrustError):
            verify(raw)


def test_a_token_of_another_document_is_refused() -> None:
    """A caller that points at its own document cannot speak for another issuer."""
    token, _ = claimed_did(write_token(EVE.identity, id_claims(iss=ALICE.did, sub=ALICE.did)))

    with pytest.raises(TrustError, match="not its subject"):
        verify_id_token(token, EVE.document, BOB.did, START)


@pytest.mark.parametrize("form", CredentialForm)
def test_a_presentation_shown_to_us_is_no_identity_token(form: CredentialForm) -> None:
    """Same key, same reader, same claims: without this rule a presentation would open our doors."""
    raw = issue_presentation(ALICE.identity, ALICE.did, BOB.did, (credential_of(ALICE),), START, "one", form)

    with pytest.raises(TrustError, match="no identity token"):
        verify(raw)


@given(name=st.sampled_from(["iss", "sub", "aud", "jti", "iat", "exp", "nbf", "token"]), value=JSON)
def test_any_claim_is_read_or_refused(name: str, value: Any) -> None:
    """A signed token is still a stranger's bytes."""
    raw = write_token(ALICE.identity, {**id_claims(), name: value})
    try:
        token, _ = claimed_did(raw)
        caller = verify_id_token(token, ALICE.document, BOB.did, START)
    except EntrepotError:
        return
    assert caller.did == ALICE.did
    assert START - 6 * SECOND < caller.expires_at <= START + timedelta(hours=1)


def test_a_token_passes_once_also_after_a_restart(tmp_path: Path) -> None:
    """Who copies a token from the wire gains nothing, not even by making the node restart."""
    caller = Caller(ALICE.did, "one", START + timedelta(minutes=5), "")
    url = f"sqlite:///{tmp_path}/node.db"
    with Journal.open(url, clock=lambda: START) as journal:
        journal.create_schema()
        journal.write_now(lambda tx: use_once(tx, caller))
        with pytest.raises(TrustError, match="used before"):
            journal.write_now(lambda tx: use_once(tx, caller))
    with Journal.open(url, clock=lambda: START) as journal:
        with pytest.raises(TrustError, match="used before"):
            journal.write_now(lambda tx: use_once(tx, caller))
        for other in (Caller(EVE.did, "one", caller.expires_at, ""), Caller(ALICE.did, "two", START, "")):
            journal.write_now(lambda tx, other=other: use_once(tx, other))  # type: ignore[misc]  # bound now


def test_a_token_is_remembered_for_as_long_as_it_would_pass(tmp_path: Path) -> None:
    """Forgetting a second too early would open the door once more."""
    now = [START]
    raw = write_token(ALICE.identity, id_claims())
    caller = verify(raw)
    with Journal.open(f"sqlite:///{tmp_path}/node.db", clock=lambda: now[0]) as journal:
        journal.create_schema()
        journal.write_now(lambda tx: use_once(tx, caller))
        for _ in range(40):
            now[0] += 10 * SECOND
            journal.write_now(forget_seen)
            try:
                again = verify(raw, now=now[0])
            except TrustError:
                break
            with pytest.raises(TrustError, match="used before"):
                journal.write_now(lambda tx, again=again: use_once(tx, again))  # type: ignore[misc]  # bound now
        assert now[0] > caller.expires_at


@pytest.mark.parametrize("form", CredentialForm)
def test_a_presentation_shows_its_credentials_to_its_reader(form: CredentialForm) -> None:
    shown = (credential_of(ALICE), "another")
    raw = issue_presentation(ALICE.identity, ALICE.did, BOB.did, shown, START, "one", form)

    assert verify_presentation(raw, ALICE.document, BOB.did, START) == Presentation(form, shown)


def _vp(**changes: Any) -> dict[str, Any]:
    vp = {"type": ["VerifiablePresentation"], "verifiableCredential": [credential_of(ALICE)]}
    claims = {**id_claims(token=None), "vp": vp, **changes}
    return {k: v for k, v in claims.items() if v is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": EVE.did},
        {"iss": None},
        {"aud": [BOB.did, EVE.did]},
        {"aud": EVE.did},
        {"aud": None},
        {"exp": seconds(START) - 6},
        {"exp": None},
        {"nbf": seconds(START) + 60},
        {"vp": None},
        {"vp": {"verifiableCredential": [], "holder": EVE.did}},
        {"vp": [{"verifiableCredential": []}, {"verifiableCredential": [], "holder": {"id": EVE.did}}]},
        {"vp": {"verifiableCredential": [7]}},
        {"vp": {"verifiableCredential": [{"id": "data:application/vc+jwt,one"}]}},
        {"vp": []},
        {"vp": {}},
        {"vp": {"verifiableCredential": "one"}},
        {"vp": {"verifiableCredential": ["c"] * 17}},
    ],
)
def test_a_presentation_that_breaks_one_rule_is_refused(changes: dict[str, Any]) -> None:
    """DCP 1.0, 5.4.3, though the holder signed it."""
    verify_presentation(write_token(ALICE.identity, _vp()), ALICE.document, BOB.did, START)

    with pytest.raises((TrustError, MalformedError)):
        verify_presentation(write_token(ALICE.identity, _vp(**changes)), ALICE.document, BOB.did, START)


def test_only_the_holder_presents() -> None:
    """A credential that was seen on the way cannot be shown by whoever saw it."""
    eve_as_alice = signer_of("eve identity", "es256", ALICE.identity.key_id)
    for signer in (EVE.identity, eve_as_alice, ALICE.evidence, PLATFORM.identity):
        with pytest.raises(TrustError):
            verify_presentation(write_token(signer, _vp()), ALICE.document, BOB.did, START)
    with pytest.raises(TrustError):
        verify_presentation(write_token(ALICE.identity, _vp()), EVE.document, BOB.did, START)


def test_several_presentations_may_stand_under_one_signature() -> None:
    """VC Data Model 1.1 lets `vp` be a list; the holder may be named in the token or inside."""
    vp = [{"verifiableCredential": ["one"]}, {"verifiableCredential": ["two"], "holder": ALICE.did}]
    for changes in ({"vp": vp}, {"vp": vp, "iss": None}):
        raw = write_token(ALICE.identity, _vp(**changes))
        assert verify_presentation(raw, ALICE.document, BOB.did, START).credentials == ("one", "two")


def test_an_envelope_holds_a_signed_credential_and_nothing_else() -> None:
    """VC Data Model 2.0, 4.13: what is not such an envelope is refused, not passed over."""
    for wrong in ("one", {}, {"id": 7}, {"id": "https://eve.example/vc"}, {"id": "data:text/plain,one"}):
        claims = {**id_claims(token=None), "verifiableCredential": [wrong]}
        with pytest.raises(MalformedError, match="credential"):
            verify_presentation(write_token(ALICE.identity, claims), ALICE.document, BOB.did, START)


def _unbound(**changes: Any) -> dict[str, Any]:
    """What Eclipse's IdentityHub puts into its inner envelope: no reader and no end."""
    shown = {"id": "data:application/vc+jwt,one", "type": "EnvelopedVerifiableCredential"}
    claims = {"type": "VerifiablePresentation", "holder": ALICE.did, "verifiableCredential": [shown]}
    return {k: v for k, v in {**claims, **changes}.items() if v is not None}


def _enveloped(inner: str, **changes: Any) -> str:
    outer = {"type": "EnvelopedVerifiablePresentation", "id": f"data:application/vp+jwt,{inner}"}
    return write_token(ALICE.identity, {**outer, **changes})


def test_a_presentation_in_two_envelopes_is_taken_where_the_owner_lets_it() -> None:
    """Eclipse's IdentityHub writes those of data model 2.0 so, for no reader and without an end."""
    inner = write_token(ALICE.identity, _unbound())
    expected = Presentation(CredentialForm.VC20, ("one",))

    for raw in (inner, _enveloped(inner)):
        assert verify_presentation(raw, ALICE.document, BOB.did, START, unbound=True) == expected
        with pytest.raises((TrustError, MalformedError)):
            verify_presentation(raw, ALICE.document, BOB.did, START)


@pytest.mark.parametrize(
    "raw",
    [
        write_token(ALICE.identity, _unbound(aud=EVE.did)),
        write_token(ALICE.identity, _unbound(exp=seconds(START) - 6)),
        write_token(ALICE.identity, _unbound(holder=EVE.did)),
        write_token(ALICE.identity, _unbound(holder=None)),
        write_token(ALICE.identity, _vp(aud=None)),
        write_token(ALICE.identity, _vp(exp=None)),
        _enveloped(write_token(ALICE.identity, _unbound()), aud=EVE.did),
        _enveloped(write_token(ALICE.identity, _unbound()), exp=seconds(START) - 6),
        _enveloped(write_token(ALICE.identity, _unbound()), iss=EVE.did),
        _enveloped(write_token(EVE.identity, _unbound())),
        _enveloped(write_token(None, _unbound(), {"alg": "none", "kid": ALICE.identity.key_id})),
        _enveloped(_enveloped(write_token(ALICE.identity, _unbound()))),
        _enveloped("", id="data:application/vc+jwt,one"),
        _enveloped("", id=7),
        _enveloped("one"),
    ],
)
def test_even_then_what_a_presentation_says_counts(raw: str) -> None:
    """Another reader, an end that has come, another holder inside or outside, envelopes without end."""
    with pytest.raises((TrustError, MalformedError)):
        verify_presentation(raw, ALICE.document, BOB.did, START, unbound=True)


@given(
    value=JSON | st.dictionaries(st.sampled_from(["verifiableCredential", "holder", "x"]), JSON, max_size=2)
)
def test_any_presentation_is_read_or_refused(value: Any) -> None:
    raw = write_token(ALICE.identity, {**_vp(), "vp": value})
    try:
        shown = verify_presentation(raw, ALICE.document, BOB.did, START).credentials
    except EntrepotError:
        return
    assert all(isinstance(c, str) for c in shown)
