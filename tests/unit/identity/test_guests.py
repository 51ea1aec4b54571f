"""Guests: what is kept of them, and how they stand by the settings and the news of now."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from entrepot_identity_world import (
    ALICE,
    BOB,
    EVE,
    PLATFORM,
    SECOND,
    START,
    STATUS_URL,
    Party,
    credential_of,
    membership_of,
)

from entrepot.identity import (
    MEMBERSHIP,
    Guest,
    Known,
    Standing,
    StandingState,
    Welcome,
    guest_standing,
    is_guest,
    issue_status_list,
    known_guest,
    known_party,
    object_to_guest,
    remember_guest,
    remember_membership,
    remember_status_list,
    verify_status_list,
)
from entrepot.journal import Journal
from entrepot.values import TrustError

CHAMBER = Party("chamber")
DAY = timedelta(days=1)
PASSPORT = "org.eclipse.dspace.dcp.vc.type:PassportCredential"
WELCOME = Welcome(frozenset({CHAMBER.did}), (MEMBERSHIP,))
GUEST = Guest(
    ALICE.did, (credential_of(ALICE, CHAMBER, valid_from=START - DAY, valid_until=START + DAY),), START
)
GOOD = Standing(StandingState.GOOD, timedelta(0), "guest")


def kept(journal: Journal, guest: Guest = GUEST) -> None:
    journal.write_now(lambda tx: remember_guest(tx, guest))


def objected(journal: Journal, *revoked: str) -> None:
    journal.write_now(lambda tx: object_to_guest(tx, ALICE.did, "it was said so", revoked))


def test_what_a_guest_has_shown_is_kept_as_it_was_signed(journal: Journal) -> None:
    kept(journal)

    assert journal.read_now(lambda c: known_guest(c, ALICE.did)) == GUEST
    assert guest_standing(GUEST, WELCOME, START) == GOOD
    assert journal.read_now(lambda c: is_guest(c, ALICE.did))
    assert not journal.read_now(lambda c: is_guest(c, BOB.did))


@pytest.mark.parametrize(
    ("state", "changed"),
    [
        (StandingState.UNKNOWN, lambda: (GUEST, Welcome(), START)),
        (StandingState.UNKNOWN, lambda: (GUEST, Welcome(frozenset({CHAMBER.did})), START)),
        (StandingState.UNKNOWN, lambda: (GUEST, replace(WELCOME, issuers=frozenset({EVE.did})), START)),
        (StandingState.UNKNOWN, lambda: (GUEST, replace(WELCOME, scopes=(MEMBERSHIP, PASSPORT)), START)),
        (StandingState.UNKNOWN, lambda: (replace(GUEST, shown=()), WELCOME, START)),
        (StandingState.OUT_OF_TIME, lambda: (GUEST, WELCOME, START + DAY + 6 * SECOND)),
        (StandingState.OUT_OF_TIME, lambda: (GUEST, WELCOME, START - DAY - 6 * SECOND)),
        (StandingState.REVOKED, lambda: (replace(GUEST, against="revoked"), WELCOME, START)),
    ],
    ids=["nobody", "nothing asked", "issuer", "scope", "nothing shown", "expired", "too early", "objected"],
)
def test_a_guest_is_judged_by_the_settings_and_the_time_of_now(
    state: StandingState, changed: Callable[[], tuple[Any, Any, Any]]
) -> None:
    """An issuer that is trusted no longer, or a scope that was added, counts for those let in before, too."""
    found = guest_standing(*changed())

    assert found.state is state
    assert found.refusals(timedelta.max) == (found.reason,)
    assert found.reason


def test_news_of_a_guest_grows_old() -> None:
    """Its issuers cannot be reached: as of a member, what is known serves so long and no longer."""
    found = guest_standing(GUEST, WELCOME, START + 61 * SECOND)

    assert found.is_stale(60 * SECOND)
    assert found.refusals(60 * SECOND) == ("what is known of the guest is 61 s old; at most 60 s",)
    assert not found.refusals(61 * SECOND)


def test_what_was_revoked_once_makes_no_guest_again(journal: Journal) -> None:
    """An old list, or an issuer that changes its mind, does not bring back what was known as revoked."""
    kept(journal)
    objected(journal, *GUEST.shown)

    with pytest.raises(TrustError, match="was revoked"):
        kept(journal)
    other = replace(GUEST, shown=(credential_of(ALICE, CHAMBER, valid_until=START + 2 * DAY),))
    kept(journal, other)
    assert journal.read_now(lambda c: known_guest(c, ALICE.did)) == other

    with pytest.raises(TrustError, match="was revoked"):
        kept(journal, replace(GUEST, shown=(*GUEST.shown, *other.shown)))


def test_an_objection_without_revocation_ends_when_all_holds_again(journal: Journal) -> None:
    """A list that could not be had for a while must not cost a guest its credential."""
    kept(journal)
    objected(journal)
    found = journal.read_now(lambda c: known_guest(c, ALICE.did))
    assert found == replace(GUEST, against="it was said so")

    kept(journal)

    assert journal.read_now(lambda c: known_guest(c, ALICE.did)) == GUEST


def test_nothing_is_written_down_of_who_was_never_let_in(journal: Journal) -> None:
    """Strangers must not fill a table by showing what does not hold."""
    objected(journal)

    assert journal.read_now(lambda c: known_guest(c, ALICE.did)) is None


def test_a_member_is_judged_as_member_and_a_former_one_as_guest(journal: Journal) -> None:
    """Who is a member, or was shut out, gains nothing from others' word; whose time is over may be one."""
    kept(journal)

    def known() -> Any:
        return journal.read_now(lambda c: known_party(c, ALICE.did, WELCOME, START + SECOND))

    def listed(*revoked: int) -> None:
        raw = issue_status_list(PLATFORM.identity, PLATFORM.did, STATUS_URL, revoked, START)
        found = verify_status_list(raw, PLATFORM.did, PLATFORM.identity.public, START)
        journal.write_now(lambda tx: remember_status_list(tx, found, raw))

    guest = replace(GOOD, age=SECOND)
    assert known() == Known(guest, None)
    assert journal.read_now(lambda c: known_party(c, BOB.did, WELCOME, START)) is None

    membership = membership_of(ALICE, valid_until=START)
    raw = credential_of(ALICE, valid_until=START)
    journal.write_now(lambda tx: remember_membership(tx, raw, membership))
    assert known() == Known(Standing(StandingState.UNKNOWN, timedelta.max), membership)
    listed()
    assert known() == Known(guest, None)
    listed(7)
    assert known() == Known(Standing(StandingState.REVOKED, SECOND), membership)
    assert not journal.read_now(lambda c: is_guest(c, ALICE.did))
