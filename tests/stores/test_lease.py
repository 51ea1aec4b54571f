"""What leases promise, on whichever database they stand."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from entrepot import journal as j
from entrepot.journal import Journal

START = datetime(2026, 11, 25, 8, tzinfo=UTC)


def take(journal: Journal, seconds: float, holder: str, name: str = "seal") -> bool:
    now = START + timedelta(seconds=seconds)
    return journal.write_now(lambda tx: j.lease(replace(tx, now=now), name, holder, 30))


class LeaseContract:
    """What every lease promises. Subclasses provide `journal`."""

    def test_one_holder_at_a_time(self, journal: Journal) -> None:
        """Two workers never both believe that a job is theirs."""
        assert take(journal, 0, "one")
        assert not take(journal, 29.999, "two")
        assert take(journal, 30, "two")
        assert not take(journal, 31, "one")

    def test_a_holder_renews(self, journal: Journal) -> None:
        """Who goes on working keeps the job."""
        assert take(journal, 0, "one")
        assert take(journal, 20, "one")
        assert not take(journal, 40, "two")

    def test_a_dead_holder_keeps_nobody_from_a_job(self, journal: Journal) -> None:
        """What a killed run held is free at the start of the next one, which keeps its own."""
        assert take(journal, 0, "dead", "seal")
        assert take(journal, 0, "new", "audit")

        assert journal.write_now(lambda tx: j.free_leases(tx, ["new"])) == 1
        assert take(journal, 1, "new", "seal")
        assert not take(journal, 1, "late", "audit")

    def test_jobs_are_leased_apart(self, journal: Journal) -> None:
        """One worker's job does not hold up another."""
        assert take(journal, 0, "one", "seal")
        assert take(journal, 0, "two", "resign")

    def test_of_many_at_once_one_wins(self, journal: Journal) -> None:
        """Workers that start together are told apart."""
        with ThreadPoolExecutor(8) as threads:
            won = list(threads.map(lambda n: take(journal, 0, f"w{n}"), range(24)))

        assert sum(won) == 1


class TestLeaseOnSqlite(LeaseContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestLeaseOnPostgresql(LeaseContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
