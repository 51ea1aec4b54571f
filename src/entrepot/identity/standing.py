"""How a member stands: in force, revoked or unknown, and how old that knowledge is (design: Reach).

Age counts from the time at which the list was signed, not from its fetch, so any node may relay it. An
older list never takes the place of a newer one, and a revocation once known stays known.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection

from entrepot.identity import store
from entrepot.identity.jwt import LEEWAY
from entrepot.identity.membership import Membership, read_membership
from entrepot.identity.status import StatusList
from entrepot.journal import Transaction
from entrepot.values import Did, TrustError, UtcTime

# What a credential says depends on its text alone, which is read from the database each time.
_read: Final = lru_cache(maxsize=4096)(read_membership)


class StandingState(StrEnum):
    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    OUT_OF_TIME = "out of time"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a member or guest, and the age of the news that says so."""

    state: StandingState
    age: timedelta
    who: str = "member"
    reason: str = ""
    """Why it must not be relied on, where its state does not say all."""

    def is_stale(self, most: timedelta) -> bool:
        """Whether only the age of what is known speaks against the member."""
        return self.state is StandingState.GOOD and self.age > most

    def refusals(self, most: timedelta) -> tuple[str, ...]:
        """Why a use must not rely on this member, nothing where it may; `most` is the greatest age."""
        if self.reason:
            return (self.reason,)
        if self.state is StandingState.REVOKED:
            return ("the member was revoked",)
        if self.state is StandingState.OUT_OF_TIME:
            return ("the membership is not in force at this time",)
        if self.state is StandingState.UNKNOWN:
            return ("nothing is known of the member's status",)
        if self.is_stale(most):
            seconds = int(self.age.total_seconds())
            return (
                f"what is known of the {self.who} is {seconds} s old; at most {int(most.total_seconds())} s",
            )
        return ()


def remember_membership(tx: Transaction, credential: str, membership: Membership) -> None:
    """Keep a verified credential; a later one of the same member takes its place."""
    store.keep_member(tx, membership.did, credential, membership.status_url, membership.status_index)


def remember_status_list(tx: Transaction, found: StatusList, raw: str) -> bool:
    """Keep a verified list, unless a newer one is known; say whether it was kept.

    What is kept is the newest signed list, and beside it every revocation that any list ever showed, so
    that no list, older or newer, takes one back.
    """
    before = store.read_list(tx.connection, found.url)
    if before is None:
        store.keep_list(tx, found, raw)
        return True
    known, known_raw = before
    if known.issuer != found.issuer:
        raise TrustError("the status list of this address is another issuer's")
    revoked = known.revoked_too(found)
    is_newer = found.signed_at > known.signed_at
    if is_newer or revoked != known.bits:
        newest, newest_raw = (found, raw) if is_newer else (known, known_raw)
        store.replace_list(tx, replace(newest, bits=revoked), newest_raw)
    return is_newer


def newest_status_list(connection: Connection, url: str) -> tuple[StatusList, str] | None:
    """The newest list known here with all revocations ever seen, and its signed form for relaying."""
    return store.read_list(connection, url)


def known_credential(connection: Connection, did: Did) -> str | None:
    return store.credential_of(connection, did)


def known_member(connection: Connection, did: Did) -> Membership | None:
    """The membership that this party showed us, verified when it was kept."""
    credential = store.credential_of(connection, did)
    return None if credential is None else _read(credential)


def standing(connection: Connection, membership: Membership, now: UtcTime) -> Standing:
    """How a member stands at `now`, by what this node knows."""
    known = store.entry_of(connection, membership.status_url, membership.status_index)
    age = timedelta.max if known is None else max(now - known.signed_at, timedelta(0))
    if known is None or known.issuer != membership.issuer:
        return Standing(StandingState.UNKNOWN, age)
    if known.is_revoked:
        return Standing(StandingState.REVOKED, age)
    if not membership.valid_from - LEEWAY <= now <= membership.valid_until:
        return Standing(StandingState.OUT_OF_TIME, age)
    return Standing(StandingState.GOOD, age)


def known_dids(connection: Connection, most: int) -> list[Did]:
    """Members known here, the latest first: any of them may relay a status list."""
    return store.dids(connection, most)
