"""Guests: who is no member here, and is vouched for by issuers that this node trusts (DCP 1.0, 5.4.3).

What a guest has shown is kept as it was signed, with the time at which its issuers last bore it out: so the
gate can judge it without asking anybody, and by the settings of today. Nobody brings news of a guest; whoever
keeps it here asks its issuers again and says what came of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection

from entrepot.identity import store
from entrepot.identity.credential import Credential, check_validity, read_credential
from entrepot.identity.jwt import parse_token
from entrepot.identity.membership import Membership
from entrepot.identity.scopes import covered
from entrepot.identity.standing import Standing, StandingState, known_member, standing
from entrepot.journal import Transaction
from entrepot.values import Did, TrustError, UtcTime, render_digest, sha256

_WHO: Final = "guest"


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who is let in as guest: on whose word, and what it has to show, all of it. As it is made: nobody."""

    issuers: frozenset[Did] = frozenset()
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guest:
    """What somebody has shown who is no member here, as it was when its issuers were last asked."""

    did: Did
    shown: tuple[str, ...]
    """The credentials, as they were signed; **verified when they were kept.**"""
    checked_at: UtcTime
    against: str = ""
    """What its issuers have said against it since it was let in."""

    @property
    def credentials(self) -> tuple[Credential, ...]:
        return tuple(_read(raw) for raw in self.shown)

    def until(self, most: timedelta) -> UtcTime:
        """When the first of its credentials ends, or news of it is older than `most`."""
        ends = [c.valid_until for c in self.credentials if c.valid_until is not None]
        return min(self.checked_at + most, *ends)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a party to whom something was promised."""

    standing: Standing
    membership: Membership | None
    """None of a guest: what others call it is no fact of this space."""


@lru_cache(maxsize=4096)
def _read(raw: str) -> Credential:
    # It was let in with whatever shape its profile allows; here only what it says counts.
    return read_credential(parse_token(raw), insecure_shape=True)


def remember_guest(tx: Transaction, guest: Guest) -> None:
    """Keep what a guest has shown in place of what it had shown before; never what was revoked here once."""
    before = store.read_guest(tx.connection, guest.did)
    revoked = () if before is None else before.revoked
    if any(_name(raw) in revoked for raw in guest.shown):
        raise TrustError(f"{guest.did} shows a credential that was revoked")
    store.keep_guest(tx, guest.did, guest.shown, guest.checked_at, "", revoked)


def object_to_guest(tx: Transaction, did: Did, why: str, revoked: Sequence[str] = ()) -> None:
    """Write down what its issuers say against a guest; what is revoked counts as revoked for good."""
    before = store.read_guest(tx.connection, did)
    if before is not None:
        known = dict.fromkeys((*before.revoked, *(_name(raw) for raw in revoked)))
        store.keep_guest(tx, did, before.shown, before.checked_at, why[:500], tuple(known))


def known_guest(connection: Connection, did: Did) -> Guest | None:
    row = store.read_guest(connection, did)
    return None if row is None else Guest(did, row.shown, row.checked_at, row.against)


def is_guest(connection: Connection, did: Did) -> bool:
    """Whether a party has come as guest and never as member."""
    return known_guest(connection, did) is not None and known_member(connection, did) is None


def guest_standing(guest: Guest, welcome: Welcome, now: UtcTime) -> Standing:
    """How a guest stands at `now`, by the settings of now and by what its issuers said last."""
    age = max(now - guest.checked_at, timedelta(0))
    trusted = [c for c in guest.credentials if c.issuer in welcome.issuers]
    if guest.against:
        return Standing(StandingState.REVOKED, age, _WHO, f"the guest is let in no longer: {guest.against}")
    if not _answers(trusted, welcome):
        why = "the issuer of what the guest has shown is not trusted here, or it has to show more"
        return Standing(StandingState.UNKNOWN, age, _WHO, why)
    if not _answers([c for c in trusted if _is_in_time(c, now)], welcome):
        return Standing(StandingState.OUT_OF_TIME, age, _WHO, "the guest's credential is not in force now")
    return Standing(StandingState.GOOD, age, _WHO)


def known_party(connection: Connection, did: Did, welcome: Welcome, now: UtcTime) -> Known | None:
    """How a party stands, as member or as guest. A member that was shut out is no guest."""
    membership = known_member(connection, did)
    member = None if membership is None else standing(connection, membership, now)
    if member is not None and member.state is not StandingState.OUT_OF_TIME:
        return Known(member, membership)
    guest = known_guest(connection, did)
    if guest is not None:
        return Known(guest_standing(guest, welcome, now), None)
    return None if member is None else Known(member, membership)


def _answers(credentials: Sequence[Credential], welcome: Welcome) -> bool:
    """Whether each scope is answered by one of these; where nothing is asked for, nobody is let in."""
    return bool(welcome.scopes) and all(any(covered((s,), c) for c in credentials) for s in welcome.scopes)


def _is_in_time(credential: Credential, now: UtcTime) -> bool:
    try:
        check_validity(credential, now)
    except TrustError:
        return False
    return True


def _name(raw: str) -> str:
    return render_digest(sha256(raw.encode()))
