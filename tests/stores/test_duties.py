"""What the list of duties promises, on whichever database it stands."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from entrepot.journal import Journal
from entrepot.use import Owed, duty_store
from entrepot.values import AgreementId, Money, UseId

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
AGREEMENT = AgreementId("urn:uuid:agreement")


def owed(number: int, *, days: int | None = 30, **other: object) -> Owed:
    found = Owed(
        id=f"urn:uuid:{number}",
        agreement_id=AGREEMENT,
        use_id=UseId(f"urn:uuid:use-{number}"),
        action="delete",
        name="delete within P30D",
        begun_at=NOW + timedelta(seconds=number),
        due_at=None if days is None else NOW + timedelta(days=days),
    )
    return Owed(**{f: getattr(found, f) for f in found.__slots__} | other)  # type: ignore[arg-type]  # as named


def keep(journal: Journal, *duties: Owed) -> None:
    for duty in duties:
        journal.write_now(lambda tx, duty=duty: duty_store.add(tx.connection, duty))  # type: ignore[misc]  # bound in the loop


class DutiesContract:
    """What every list of duties promises. Subclasses provide `journal`."""

    def test_a_duty_comes_back_as_it_was_kept(self, journal: Journal) -> None:
        """What is owed, by when, for which use, how much, and the proof of it."""
        kept = [
            owed(1),
            owed(2, days=None, use_id=None, performed_at=NOW, amount=Money(10_000, "CNY"), proof=b"signed"),
        ]
        keep(journal, *kept)

        assert journal.read_now(lambda c: duty_store.all_of(c, AGREEMENT, 10)) == kept
        assert journal.read_now(lambda c: duty_store.open_of(c, AGREEMENT)) == kept[:1]
        assert journal.read_now(lambda c: duty_store.done_of(c, AGREEMENT)) == kept[1:]
        assert journal.read_now(lambda c: duty_store.proven(c, AGREEMENT, b"signed")) == kept[1]
        assert journal.read_now(lambda c: duty_store.proven(c, AgreementId("other"), b"signed")) is None

    def test_a_duty_is_performed_once(self, journal: Journal) -> None:
        """Of many who say so at the same time one is believed, and its proof stays."""
        keep(journal, owed(1))

        def perform(number: int) -> bool:
            proof = str(number).encode()
            return journal.write_now(lambda tx: duty_store.perform(tx.connection, "urn:uuid:1", NOW, proof))

        with ThreadPoolExecutor(8) as callers:
            answers = [*callers.map(perform, range(16))]

        assert answers.count(True) == 1
        (done,) = journal.read_now(lambda c: duty_store.done_of(c, AGREEMENT))
        assert done.proof == str(answers.index(True)).encode()

    def test_what_waits_is_told_in_the_order_in_which_it_is_due(self, journal: Journal) -> None:
        """The owner sees first what is due first, across agreements."""
        keep(journal, owed(1, days=3), owed(2, days=1, agreement_id=AgreementId("other")), owed(3, days=2))

        everywhere = journal.read_now(lambda c: duty_store.open_everywhere(c, 2))
        assert [o.id for o in everywhere] == ["urn:uuid:2", "urn:uuid:3"]
        assert [o.id for o in journal.read_now(lambda c: duty_store.open_of(c, AGREEMENT))] == [
            "urn:uuid:3",
            "urn:uuid:1",
        ]


class TestSqliteDuties(DutiesContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestPostgresqlDuties(DutiesContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
