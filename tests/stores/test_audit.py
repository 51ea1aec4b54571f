"""What the audit trail and its sealer promise, on whichever database they stand."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from entrepot import journal as j
from entrepot.journal import AuditEvent, Journal, Transaction
from entrepot.values import ConflictError, TrustError


def event(number: int) -> AuditEvent:
    return AuditEvent("contract:agreement:sign", {"number": number, "party": "did:web:参与方.example"})


def write(journal: Journal, *numbers: int) -> None:
    for number in numbers:
        journal.write_now(lambda tx, n=number: j.audit(tx, event(n)))  # type: ignore[misc]  # a default is no parameter of a use case


def seal_as(holder: str, after: float = 0) -> Callable[[Transaction], int]:
    return lambda tx: j.seal_audit_as(replace(tx, now=tx.now + timedelta(seconds=after)), holder)


def tamper(journal: Journal, statement: str) -> None:
    journal.write_now(lambda tx: tx.connection.execute(text(statement)))


class AuditContract:
    """What every audit trail promises. Subclasses provide `journal`."""

    def test_every_event_is_sealed_once(self, journal: Journal) -> None:
        """The chain holds each committed event, and sealing again adds nothing."""
        write(journal, *range(5))

        assert journal.write_now(lambda tx: j.seal_audit(tx, 3)) == 3
        assert journal.write_now(j.seal_audit) == 2
        assert journal.write_now(j.seal_audit) == 0
        assert journal.read_now(j.verify_audit_chain) == 5

    def test_an_empty_trail_holds(self, journal: Journal) -> None:
        """A new node has nothing to hide."""
        assert journal.write_now(j.seal_audit) == 0
        assert journal.read_now(j.verify_audit_chain) == 0

    def test_a_use_case_that_fails_leaves_no_event(self, journal: Journal) -> None:
        """The trail tells what happened, not what was tried and undone."""

        def audit_and_fail(tx: Transaction) -> None:
            j.audit(tx, event(1))
            raise ConflictError("somebody was faster")

        with pytest.raises(ConflictError):
            journal.write_now(audit_and_fail)
        assert journal.write_now(j.seal_audit) == 0

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_event SET body = (SELECT body FROM audit_event WHERE number = 3) WHERE number = 2",
            "UPDATE audit_event SET name = 'contract:agreement:end' WHERE number = 2",
            "UPDATE audit_event SET at = at + 1 WHERE number = 2",
            "UPDATE audit_event SET chain = body WHERE number = 2",
        ],
    )
    def test_a_change_to_an_old_event_shows(self, journal: Journal, statement: str) -> None:
        """Whoever edits or removes an event of the past is found out."""
        write(journal, *range(4))
        journal.write_now(j.seal_audit)
        tamper(journal, statement)

        with pytest.raises(TrustError, match="audit event 2 was changed"):
            journal.read_now(j.verify_audit_chain)

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM audit_event WHERE number = 2",
            "DELETE FROM audit_event WHERE number < 3",
            "UPDATE audit_event SET number = NULL WHERE number = 2",
            "UPDATE audit_event SET number = number + 10",
        ],
    )
    def test_an_event_that_is_gone_is_missed(self, journal: Journal, statement: str) -> None:
        """Whoever takes an event out of the past, or numbers them anew, is told which one is missing."""
        write(journal, *range(4))
        journal.write_now(j.seal_audit)
        tamper(journal, statement)

        with pytest.raises(TrustError, match=r"audit event [12] is missing"):
            journal.read_now(j.verify_audit_chain)

    def test_two_events_cannot_change_places(self, journal: Journal) -> None:
        """The order of what happened is part of what is sealed."""
        write(journal, *range(4))
        journal.write_now(j.seal_audit)
        tamper(journal, "UPDATE audit_event SET number = 99 WHERE number = 2")
        tamper(journal, "UPDATE audit_event SET number = 2 WHERE number = 3")
        tamper(journal, "UPDATE audit_event SET number = 3 WHERE number = 99")

        with pytest.raises(TrustError):
            journal.read_now(j.verify_audit_chain)

    def test_one_sealer_at_a_time(self, journal: Journal) -> None:
        """A second sealer waits for the first one's lease, and takes over from a dead one."""
        write(journal, 1)
        assert journal.write_now(seal_as("one")) == 1
        write(journal, 2)
        assert journal.write_now(seal_as("two")) == 0
        assert journal.write_now(seal_as("one")) == 1
        write(journal, 3)
        assert journal.write_now(seal_as("two", after=60)) == 1
        assert journal.read_now(j.verify_audit_chain) == 3

    def test_an_idle_sealer_writes_nothing(self, journal: Journal) -> None:
        """A sealer that looks every second does not wear the disk: it takes no lease for nothing."""
        assert journal.write_now(seal_as("one")) == 0
        assert journal.write_now(lambda tx: j.lease(tx, "audit:trail:seal", "two", 1))

    def test_events_of_many_writers_are_all_sealed(self, journal: Journal) -> None:
        """Events committed while the sealer runs are found by its next look."""

        def write_and_seal(number: int) -> int:
            write(journal, number)
            return journal.write_now(seal_as("one"))

        with ThreadPoolExecutor(6) as threads:
            sealed = sum(threads.map(write_and_seal, range(30)))

        assert sealed + journal.write_now(seal_as("one")) == 30
        assert journal.read_now(j.verify_audit_chain) == 30


class TestAuditOnSqlite(AuditContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestAuditOnPostgresql(AuditContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
