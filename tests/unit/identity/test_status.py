"""Status lists: one bit a member, signed with its time, and never larger than a list is."""

import base64
import gzip
import time
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from entrepot_identity_world import EVE, PLATFORM, SECOND, START, STATUS_URL, seconds, signer_of, write_token
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identity import (
    ENTRIES,
    StatusList,
    from_base64url,
    issue_status_list,
    parse_token,
    to_base64url,
    verify_status_list,
)
from entrepot.values import EntrepotError, MalformedError, TooLargeError, TrustError, UtcTime

INDEXES = st.sets(st.integers(0, ENTRIES - 1), max_size=20)
NO_BITS = bytes(ENTRIES // 8)


def verify(raw: str, now: UtcTime = START) -> StatusList:
    return verify_status_list(raw, PLATFORM.did, PLATFORM.identity.public, now)


def issue(revoked: set[int], now: UtcTime = START) -> str:
    return issue_status_list(PLATFORM.identity, PLATFORM.did, STATUS_URL, revoked, now)


def with_list(encoded: object, **claims: Any) -> str:
    """The platform's own signature over any list."""
    changed: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(parse_token(issue(set())).claims))
    changed["credentialSubject"]["encodedList"] = encoded
    return write_token(PLATFORM.identity, {**changed, **claims})


def packed(bits: bytes) -> str:
    return "u" + to_base64url(gzip.compress(bits, mtime=0))


@given(revoked=INDEXES, asked=INDEXES)
def test_a_list_says_who_is_revoked_and_nobody_else(revoked: set[int], asked: set[int]) -> None:
    found = verify(issue(revoked))

    assert {i for i in revoked | asked if found.is_revoked(i)} == revoked
    assert (found.issuer, found.url) == (PLATFORM.did, STATUS_URL)


def test_bits_are_counted_from_the_left() -> None:
    """Bitstring Status List 1.0: index 0 is the leftmost bit; from the right, neighbours would be revoked."""
    encoded = parse_token(issue({0, 9})).claims["credentialSubject"]["encodedList"]  # type: ignore[index, call-overload]  # as issued

    assert gzip.decompress(base64.urlsafe_b64decode(str(encoded)[1:] + "==="))[:2] == b"\x80\x40"


@pytest.mark.parametrize("index", [-1, ENTRIES, 10**9])
def test_an_index_beyond_the_list_counts_as_revoked(index: int) -> None:
    """What the list does not speak of is not good."""
    assert verify(issue(set())).is_revoked(index)


@given(micros=st.integers(0, 999_999))
def test_the_signed_time_is_kept_to_the_microsecond(micros: int) -> None:
    """Two lists of one second are told apart, so that the newer one wins."""
    at = START + timedelta(microseconds=micros)

    assert abs(verify(issue(set(), at), at).signed_at - at) <= timedelta(microseconds=1)


def test_a_list_signed_in_the_future_is_refused() -> None:
    """A list dated ahead would stay fresh for longer than it is, and push aside every later one."""
    verify(issue(set(), START + 5 * SECOND))
    with pytest.raises(TrustError, match="not valid yet"):
        verify(issue(set(), START + 7 * SECOND))


def test_the_later_of_two_times_counts() -> None:
    """A list cannot look newer than its signature by one time and pass as old by the other."""
    assert verify(with_list(packed(NO_BITS), iat=seconds(START) + 2)).signed_at == START + 2 * SECOND
    with pytest.raises(TrustError, match="not valid yet"):
        verify(with_list(packed(NO_BITS), iat=seconds(START) + 60))


@pytest.mark.parametrize("time", [None, "now", 7, "2026-11-25T08:00:00"])
def test_a_list_without_a_time_is_refused(time: object) -> None:
    with pytest.raises((TrustError, MalformedError)):
        verify(with_list(packed(NO_BITS), validFrom=time, iat=None))


def test_a_list_of_another_signer_or_issuer_is_refused() -> None:
    """Any node may relay a list; none may make one."""
    eve = signer_of("eve identity", "es256", PLATFORM.identity.key_id)
    claims = parse_token(issue(set())).claims
    for raw in (
        issue_status_list(EVE.identity, EVE.did, STATUS_URL, set(), START),
        issue_status_list(eve, PLATFORM.did, STATUS_URL, set(), START),
        issue_status_list(PLATFORM.identity, EVE.did, STATUS_URL, set(), START),
        write_token(None, claims, {"alg": "none", "kid": PLATFORM.identity.key_id}),
        write_token(None, claims, {"alg": "ES256", "kid": PLATFORM.identity.key_id}),
    ):
        with pytest.raises(TrustError):
            verify(raw)


def test_an_unsigned_list_is_refused() -> None:
    """A bare JSON credential, as some publish it, proves nothing when relayed."""
    bare = msgspec.json.encode({"credentialSubject": {"encodedList": packed(NO_BITS)}}).decode()

    with pytest.raises(MalformedError):
        verify(bare)


def test_a_list_that_inflates_beyond_its_size_is_refused() -> None:
    """A token of 55 kB that unpacks to 30 MB: refused after the work that the largest list is worth."""
    bomb = packed(bytes(30 << 20))
    raw = with_list(bomb)
    assert len(raw) < 64 << 10

    before = time.process_time()
    with pytest.raises(MalformedError, match="16384 to 1048576 bytes"):
        verify(raw)
    assert time.process_time() - before < 0.1
    with pytest.raises(TooLargeError):
        verify(with_list(packed(bytes(40 << 20))))


@pytest.mark.parametrize(
    "encoded",
    [
        None,
        1,
        "",
        "u",
        "z" + packed(NO_BITS)[1:],
        packed(NO_BITS)[1:],
        packed(NO_BITS)[:-4],
        packed(NO_BITS[:-1]),
        packed(bytes((1 << 20) + 1)),
        "u" + to_base64url(gzip.compress(NO_BITS, mtime=0) + b"more"),
        "u" + to_base64url(gzip.compress(NO_BITS[:100], mtime=0) + gzip.compress(NO_BITS[100:], mtime=0)),
        "u" + to_base64url(NO_BITS[:64]),
    ],
)
def test_lists_of_another_form_are_refused(encoded: object) -> None:
    with pytest.raises(MalformedError):
        verify(with_list(encoded))


def test_a_list_for_another_purpose_is_refused() -> None:
    """A list of suspensions, or of messages, says nothing about revocation."""
    claims: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(parse_token(issue(set())).claims))
    claims["credentialSubject"]["statusPurpose"] = "suspension"

    with pytest.raises(MalformedError, match="for revocation"):
        verify(write_token(PLATFORM.identity, claims))


@given(raw=st.binary(max_size=80) | st.binary(max_size=40).map(gzip.compress))
def test_any_packed_bytes_are_a_list_or_refused(raw: bytes) -> None:
    with pytest.raises(EntrepotError):
        verify(with_list("u" + to_base64url(raw)))


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_damaged_list_is_the_same_list_or_refused(place: int, bit: int) -> None:
    """The packing checks its content: a bit lost on the platform's disk revokes nobody and frees nobody."""
    raw = bytearray(from_base64url(packed(NO_BITS)[1:]))
    raw[place % len(raw)] ^= 1 << bit
    try:
        found = verify(with_list("u" + to_base64url(bytes(raw))))
    except EntrepotError:
        return
    assert found.bits == NO_BITS
