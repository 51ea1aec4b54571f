"""Signed tokens: one algorithm a key, strict form, times that a calendar holds."""

import hmac
from datetime import timedelta
from typing import Any

import pytest
from entrepot_identity_world import ALICE, EVE, START, Party, seconds, write_token
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey, import_key

from entrepot.identity import parse_token, sign_token, to_base64url
from entrepot.identity.jwt import LEEWAY, check_times, check_token_signature, time_claim
from entrepot.values import EntrepotError, MalformedError, TooLargeError, TrustError, UtcTime

NOWHERE = 253_402_300_800
"""The first second of the year 10000, which no calendar here can hold."""
CLAIMS = st.dictionaries(
    st.text(st.characters(max_codepoint=127), max_size=8),
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    max_size=5,
)


@pytest.mark.parametrize("suite", ["es256", "ed25519"])
@given(claims=CLAIMS)
def test_a_token_says_what_was_signed(suite: str, claims: dict[str, Any]) -> None:
    signer = Party("alice", suite).identity
    token = parse_token(sign_token(signer, claims))

    check_token_signature(token, signer.public)
    assert token.claims == claims
    assert token.key_id == signer.key_id


def test_another_library_reads_our_tokens_and_we_read_its() -> None:
    """Tokens are those of RFC 7519, not of a dialect."""
    claims = {"iss": "did:web:alice.example", "exp": seconds(START)}
    ours = sign_token(ALICE.identity, {**claims})
    theirs_key = ECKey.generate_key("P-256", {"kid": "did:web:bob.example#key"})
    theirs = joserfc_jwt.encode({"alg": "ES256", "kid": "did:web:bob.example#key"}, claims, theirs_key)

    decoded = joserfc_jwt.decode(ours, import_key({**ALICE.identity.public.jwk()}), algorithms=["ES256"])
    assert decoded.claims == claims

    token = parse_token(theirs)
    public = type(ALICE.identity.public).from_jwk(theirs_key.as_dict(private=False))
    check_token_signature(token, public)
    assert token.claims == claims


@pytest.mark.parametrize(
    "name", ["none", "None", "HS256", "ES384", "EdDSA", "", "es256", None, 256, ["ES256"]]
)
def test_the_algorithm_follows_from_the_key_never_from_the_header(name: object) -> None:
    """`alg: none` and its kin (RFC 8725, 3.1) are refused though the signature itself would hold."""
    header = {"alg": name, "kid": ALICE.identity.key_id}
    token = parse_token(write_token(ALICE.identity, {"iss": ALICE.did}, header))

    with pytest.raises(TrustError, match="its key is for ES256"):
        check_token_signature(token, ALICE.identity.public)


def test_a_token_without_signature_is_refused() -> None:
    token = parse_token(write_token(None, {}, {"alg": "ES256", "kid": ALICE.identity.key_id}))

    with pytest.raises(TrustError):
        check_token_signature(token, ALICE.identity.public)


def test_a_public_key_is_no_shared_secret() -> None:
    """The oldest confusion of all: an HMAC made with the bytes of the public key."""
    header = {"alg": "HS256", "kid": ALICE.identity.key_id}
    unsigned = write_token(None, {}, header).rpartition(".")[0]
    mac = hmac.digest(ALICE.identity.public.raw, unsigned.encode(), "sha256")
    for name in ("HS256", "ES256"):
        token = parse_token(write_token(None, {}, {**header, "alg": name}, mac))
        with pytest.raises(TrustError):
            check_token_signature(token, ALICE.identity.public)


@given(place=st.integers(0, 10_000), letter=st.sampled_from("AQgw09_-."))
def test_a_changed_letter_is_noticed(place: int, letter: str) -> None:
    """Nobody on the way changes a token, in header, claims or signature."""
    raw = SIGNED
    changed = raw[: place % len(raw)] + letter + raw[place % len(raw) + 1 :]
    if changed == raw:
        return
    with pytest.raises(EntrepotError):
        check_token_signature(parse_token(changed), ALICE.identity.public)


@given(raw=st.text(max_size=60) | st.lists(st.text("eyJhbGciOi0_-", max_size=16), max_size=5).map(".".join))
def test_any_text_is_a_token_or_refused(raw: str) -> None:
    try:
        token = parse_token(raw)
    except EntrepotError:
        return
    assert raw.startswith(token.signed.decode() + ".")


def test_a_token_has_three_parts() -> None:
    """A good token with something behind it is another token, and would count as one not seen before."""
    for raw in (SIGNED.rpartition(".")[0], SIGNED + ".", SIGNED + ".AAAA", "." + SIGNED):
        with pytest.raises(MalformedError, match="three parts"):
            parse_token(raw)


@given(header=st.none() | st.integers() | st.lists(st.integers(), max_size=2), claims=st.none() | st.text())
def test_parts_that_are_no_objects_are_refused(header: object, claims: object) -> None:
    with pytest.raises(MalformedError):
        parse_token(write_token(ALICE.identity, claims, header or []))


def test_large_deep_and_critical_tokens_are_refused() -> None:
    """Bounded before anything is decoded; an extension that must be understood is not passed over."""
    with pytest.raises(TooLargeError):
        parse_token("a" * (64 << 10) + ".b.c")
    with pytest.raises(MalformedError):
        parse_token(
            write_token(EVE.identity, {}, {"alg": "ES256", "kid": "k", "crit": ["b64"], "b64": False})
        )
    part = to_base64url(b'{"a":' * 10_000 + b"1" + b"}" * 10_000)
    with pytest.raises(EntrepotError):
        parse_token(f"{part}.{part}.AAAA")


@pytest.mark.parametrize("kid", [None, "", 1, [], "k" * 5000])
def test_a_token_without_the_name_of_its_key_is_refused(kid: object) -> None:
    token = parse_token(write_token(ALICE.identity, {}, {"alg": "ES256", "kid": kid}))

    with pytest.raises(MalformedError, match="kid"):
        _ = token.key_id


@given(
    exp=st.none() | st.integers(-20, 20),
    nbf=st.none() | st.integers(-20, 20),
    iat=st.none() | st.integers(-20, 20),
)
def test_a_token_holds_from_its_start_to_its_end(exp: int | None, nbf: int | None, iat: int | None) -> None:
    """Within five seconds of what the issuer's clock says, and not a second longer."""
    leeway = int(LEEWAY.total_seconds())
    claims = {
        name: seconds(START) + offset
        for name, offset in (("exp", exp), ("nbf", nbf), ("iat", iat))
        if offset is not None
    }
    holds = exp is not None and exp >= -leeway and all(t is None or t <= leeway for t in (nbf, iat))

    assert _passes(claims, START) is holds


@given(
    value=st.integers() | st.integers(NOWHERE - 10, 1 << 41) | st.sampled_from([True, False, 1.5, "1", []])
)
def test_a_time_is_one_that_a_calendar_holds(value: Any) -> None:
    """A time beyond the year 9999 once raised what no refusal is (found by this test)."""
    token = parse_token(write_token(ALICE.identity, {"exp": value}))
    try:
        found = time_claim(token, "exp")
        check_times(token, START)
    except EntrepotError:
        return
    assert found is not None
    assert int(found.timestamp()) == value


def _passes(claims: dict[str, int], now: UtcTime) -> bool:
    try:
        check_times(parse_token(write_token(ALICE.identity, claims)), now)
    except TrustError:
        return False
    return True


SIGNED = sign_token(ALICE.identity, {"iss": ALICE.did, "exp": seconds(START + timedelta(minutes=5))})
