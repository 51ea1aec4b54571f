"""How a member stands: ages from the signed time, newest list first, revocations for ever."""

from datetime import timedelta
from itertools import count, permutations

import pytest
from entrepot_identity_world import (
    ALICE,
    EVE,
    PLATFORM,
    SECOND,
    START,
    STATUS_URL,
    credential_of,
    membership_of,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.identity import (
    ENTRIES,
    Standing,
    StandingState,
    StatusList,
    known_credential,
    known_member,
    newest_status_list,
    remember_membership,
    remember_status_list,
    standing,
)
from entrepot.journal import Journal
from entrepot.values import Did, TrustError, UtcTime

MINUTE = timedelta(minutes=1)
_urls = count()


def list_of(
    revoked: set[int], signed_at: UtcTime = START, url: str = STATUS_URL, issuer: Did = PLATFORM.did
) -> StatusList:
    bits = bytearray(ENTRIES // 8)
    for index in revoked:
        bits[index // 8] |= 1 << (7 - index % 8)
    return StatusList(issuer, url, signed_at, bytes(bits))


def remember(journal: Journal, found: StatusList) -> bool:
    return journal.write_now(lambda tx: remember_status_list(tx, found, f"signed at {found.signed_at}"))


def stands(journal: Journal, now: UtcTime = START, index: int = 7, url: str = STATUS_URL) -> Standing:
    member = membership_of(ALICE, status_index=index, status_url=url)
    return journal.read_now(lambda c: standing(c, member, now))


def test_of_whom_no_list_speaks_nothing_is_known(journal: Journal) -> None:
    """No list is no good standing; the gate refuses with the reason."""
    found = stands(journal)

    assert found.state is StandingState.UNKNOWN
    assert found.refusals(timedelta.max) == ("nothing is known of the member's status",)


def test_age_counts_from_the_signed_time(journal: Journal) -> None:
    """A list that lay with a relay for an hour is an hour old when it arrives."""
    remember(journal, list_of(set()))

    assert stands(journal, START + 45 * SECOND) == Standing(StandingState.GOOD, 45 * SECOND)
    assert stands(journal, START - 2 * SECOND).age == timedelta(0)


def test_news_is_fresh_up_to_the_age_that_the_caller_names(journal: Journal) -> None:
    """A minute for what is new, hours of grace for what is under contract: the caller knows which."""
    remember(journal, list_of(set()))

    assert stands(journal, START + MINUTE).refusals(MINUTE) == ()
    assert stands(journal, START + MINUTE + SECOND).refusals(MINUTE) == (
        "what is known of the member is 61 s old; at most 60 s",
    )
    assert stands(journal, START + timedelta(hours=23)).refusals(timedelta(hours=24)) == ()


def test_an_older_list_never_takes_the_place_of_a_newer_one(journal: Journal) -> None:
    """Whoever relays yesterday's list cannot make a member look good again, or our news look old."""
    assert remember(journal, list_of({7}, START + MINUTE))
    assert not remember(journal, list_of(set(), START))
    assert not remember(journal, list_of(set(), START + MINUTE))

    found = stands(journal, START + MINUTE)
    assert found == Standing(StandingState.REVOKED, timedelta(0))
    known = journal.read_now(lambda c: newest_status_list(c, STATUS_URL))
    assert known is not None
    assert known[1] == f"signed at {START + MINUTE}"


def test_a_revocation_once_known_is_known_for_ever(journal: Journal) -> None:
    """A later list that shows the bit clear again undoes nothing; a new index, given anew, does."""
    remember(journal, list_of({7}, START))
    remember(journal, list_of(set(), START + MINUTE))

    now = START + timedelta(days=300)
    assert stands(journal, now).state is StandingState.REVOKED
    assert stands(journal, now).refusals(timedelta.max) == ("the member was revoked",)
    assert stands(journal, START + MINUTE, index=8).state is StandingState.GOOD


def test_a_revocation_on_an_older_list_is_news_all_the_same(journal: Journal) -> None:
    """Lists arrive in any order; one of them said that the member is out."""
    remember(journal, list_of(set(), START + MINUTE))
    assert not remember(journal, list_of({7}, START))

    assert stands(journal, START + MINUTE) == Standing(StandingState.REVOKED, timedelta(0))


def test_a_revocation_is_known_before_its_member_is(journal: Journal) -> None:
    """A member revoked before we ever met it is refused when it comes."""
    remember(journal, list_of({7}, START))
    remember(journal, list_of(set(), START + MINUTE))
    member = membership_of(ALICE)
    journal.write_now(lambda tx: remember_membership(tx, credential_of(ALICE), member))

    assert stands(journal, START + MINUTE).state is StandingState.REVOKED


def test_a_list_of_another_issuer_is_refused_and_speaks_for_nobody(journal: Journal) -> None:
    """Another issuer's list under our platform's address frees nobody and shuts nobody out."""
    remember(journal, list_of(set(), START))
    with pytest.raises(TrustError, match="another issuer"):
        remember(journal, list_of({7}, START + MINUTE, issuer=EVE.did))
    assert stands(journal).state is StandingState.GOOD

    remember(journal, list_of(set(), url="https://eve.example/1", issuer=EVE.did))
    assert stands(journal, url="https://eve.example/1").state is StandingState.UNKNOWN


def test_a_membership_stands_in_its_time_only(journal: Journal) -> None:
    """Validity is judged at every use, not only when the credential was shown."""
    remember(journal, list_of(set(), START))
    member = membership_of(ALICE, valid_from=START, valid_until=START + MINUTE)
    states = [
        journal.read_now(lambda c, now=now: standing(c, member, now)).state  # type: ignore[misc]  # bound now
        for now in (START - MINUTE, START, START + MINUTE, START + MINUTE + SECOND)
    ]

    out = StandingState.OUT_OF_TIME
    assert states == [out, StandingState.GOOD, StandingState.GOOD, out]
    assert Standing(out, timedelta(0)).refusals(timedelta.max) != ()


def test_what_is_known_survives_a_restart(journal: Journal) -> None:
    """Membership, its index and key, and the newest list come back as they were kept."""
    member = membership_of(ALICE)
    credential = credential_of(ALICE)
    journal.write_now(lambda tx: remember_membership(tx, "older", membership_of(ALICE, status_index=3)))
    journal.write_now(lambda tx: remember_membership(tx, credential, member))

    assert journal.read_now(lambda c: known_credential(c, ALICE.did)) == credential
    assert journal.read_now(lambda c: known_member(c, ALICE.did)) == member
    assert journal.read_now(lambda c: known_member(c, EVE.did)) is None


def test_every_order_of_arrival_gives_the_same_standing(journal: Journal) -> None:
    """What a node knows does not depend on who told it first."""
    lists = [({1}, 0), (set(), 1), ({2}, 2), ({1, 3}, 3)]
    for order in permutations(lists):
        url = f"https://platform.example/{next(_urls)}"
        for revoked, minutes in order:
            remember(journal, list_of(set(revoked), START + minutes * MINUTE, url))
        found = {i for i in range(6) if stands(journal, index=i, url=url).state is StandingState.REVOKED}
        assert found == {1, 2, 3}
        assert stands(journal, START + 4 * MINUTE, url=url).age == MINUTE


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lists=st.lists(
        st.tuples(st.sets(st.integers(0, 5), max_size=3), st.integers(0, 20)), min_size=1, max_size=8
    )
)
def test_standing_is_the_newest_age_and_all_revocations(
    journal: Journal, lists: list[tuple[set[int], int]]
) -> None:
    """For any history of lists: never fresher than the newest, never kinder than the strictest."""
    url = f"https://platform.example/{next(_urls)}"
    newest = -1
    for revoked, minutes in lists:
        assert remember(journal, list_of(revoked, START + minutes * MINUTE, url)) is (minutes > newest)
        newest = max(newest, minutes)

    now = START + 30 * MINUTE
    ever = set().union(*(r for r, _ in lists))
    found = {i: stands(journal, now, i, url) for i in range(6)}
    assert {i for i, s in found.items() if s.state is StandingState.REVOKED} == ever
    assert {s.age for s in found.values()} == {(30 - newest) * MINUTE}
