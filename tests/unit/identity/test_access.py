"""Access tokens: worth something to one reader, for its scopes and its time, and nothing to anybody else."""

from datetime import timedelta

import pytest
from entrepot_identity_world import ALICE, BOB, EVE, SECOND, START
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identity import Access, to_base64url, verify_access_token, write_access_token
from entrepot.values import TrustError, canonical

KEY = b"the key of one node, 32 bytes...."
SCOPES = ("org.eclipse.dspace.dcp.vc.type:MembershipCredential:read", "org.eclipse.dspace.dcp.vc.id:1")


def given_to_bob(key: bytes = KEY) -> str:
    return write_access_token(key, Access(BOB.did, SCOPES, START + timedelta(minutes=10)))


def test_a_token_grants_its_reader_what_was_written() -> None:
    found = verify_access_token(KEY, given_to_bob(), BOB.did, START)

    assert found == Access(BOB.did, SCOPES, START + timedelta(minutes=10))


def test_a_token_of_another_reader_another_key_or_another_time_grants_nothing() -> None:
    """Found in a log, sent on by its reader, or kept for later, it opens nothing."""
    cases = [
        (KEY, given_to_bob(), EVE.did, START, "somebody else"),
        (KEY, given_to_bob(b"another node's key"), BOB.did, START, "of ours"),
        (KEY, given_to_bob(), BOB.did, START + timedelta(minutes=10) + 6 * SECOND, "expired"),
        (KEY, "", BOB.did, START, "of ours"),
        (KEY, given_to_bob().partition(".")[0], BOB.did, START, "of ours"),
    ]
    for key, raw, reader, now, why in cases:
        with pytest.raises(TrustError, match=why):
            verify_access_token(key, raw, reader, now)


@given(at=st.integers(0, 400), text=st.text(max_size=4))
def test_a_changed_token_grants_nothing(at: int, text: str) -> None:
    """Scopes, reader and end stand in it in the open: a change of any of them must show."""
    raw = given_to_bob()
    place = at % len(raw)
    changed = raw[:place] + text + raw[place + 1 :]
    if changed != raw:
        with pytest.raises(TrustError):
            verify_access_token(KEY, changed, BOB.did, START)


@given(raw=st.text(max_size=80))
def test_any_text_is_refused_as_no_token_of_ours(raw: str) -> None:
    with pytest.raises(TrustError):
        verify_access_token(KEY, raw, ALICE.did, START)


def test_claims_without_our_proof_are_not_even_read() -> None:
    """Whoever writes a token by hand must not reach the decoder with it."""
    claims = canonical.encode({"aud": BOB.did, "exp": 1 << 40, "scope": ["x"]})
    with pytest.raises(TrustError, match="of ours"):
        verify_access_token(KEY, f"{to_base64url(claims)}.{to_base64url(bytes(32))}", BOB.did, START)
