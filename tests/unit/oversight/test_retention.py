"""What is kept of a use is handed out, kept as long as the law says, and then means nothing."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrepot import ledger, oversight, regulation
from entrepot.journal import Journal, Transaction
from entrepot.ledger import Record, RecordKind, Units, seal_records
from entrepot.values import NotFoundError, RefusedError, UseId

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
USE = UseId("urn:uuid:0b9c")
CONTRACT = "1491310000MA1FL0000N310120261125080000ABCDEFGHI"


def erase(tx: Transaction) -> int:
    return oversight.erase(tx, USE)


class Book:
    """A node's records, with a clock."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "node.db"
        self.now = NOW
        self.open()
        self.journal.create_schema()
        self.journal.write_now(self._write)

    def open(self) -> None:
        self.journal = Journal.open(f"sqlite:///{self.file}", clock=lambda: self.now)

    def _write(self, tx: Transaction) -> None:
        for kind in (RecordKind.OPENED, RecordKind.CLOSED):
            record = Record(
                at="2026-11-25T08:00:00.000000Z",
                consumer="did:web:consumer.example",
                contract=CONTRACT,
                kind=kind,
                product="urn:uuid:1",
                use=USE,
                units=Units(uses=1),
            )
            ledger.write_record(tx, record, self.now + regulation.retention("record", self.now.date()))

    def seal(self) -> None:
        self.journal.write_now(lambda tx: seal_records(tx, "sealer"))

    def export(self) -> dict[str, list[dict[str, str]]]:
        found: dict[str, list[dict[str, str]]] = json.loads(
            self.journal.write_now(lambda tx: oversight.export(tx, USE))
        )
        return found

    def events(self, name: str) -> int:
        query = "SELECT count(*) FROM audit_event WHERE name = ?"
        return int(self.journal.read_now(lambda c: c.exec_driver_sql(query, (name,)).scalar_one()))

    def commitments(self) -> list[bytes]:
        query = "SELECT commitment FROM ledger_record ORDER BY row"
        return list(self.journal.read_now(lambda c: c.exec_driver_sql(query).scalars().all()))


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = Book(tmp_path)
    yield made
    made.journal.close()


def test_what_is_kept_of_a_use_is_handed_out_whole(book: Book) -> None:
    """A person could not see what is kept about it, or could not check it against the ledger."""
    found = book.export()

    assert [r["record"]["kind"] for r in found["records"]] == ["opened", "closed"]
    assert str(found["keptUntil"]).startswith("2029-11-25")
    for row, commitment in zip(found["records"], book.commitments(), strict=True):
        body = json.dumps(row["record"], separators=(",", ":"), sort_keys=True).encode()
        assert ledger.commitment(bytes.fromhex(row["salt"]), body) == commitment
    assert book.events("oversight:openings:export") == 1


def test_nothing_is_erased_while_the_law_has_it_kept(book: Book) -> None:
    """A provider could destroy the proof of a use that is in dispute."""
    book.seal()
    book.now += timedelta(days=1095)

    with pytest.raises(RefusedError, match="2029-11-25"):
        book.journal.write_now(erase)
    assert book.journal.write_now(oversight.run_out) == 0


@pytest.mark.parametrize("destroy", [erase, oversight.run_out], ids=["when asked", "by the clock"])
def test_when_its_time_is_over_a_record_means_nothing(
    book: Book, destroy: Callable[[Transaction], int]
) -> None:
    """What stays could still be matched with a person, or read out of the file's free pages."""
    book.seal()
    salt = bytes.fromhex(book.export()["records"][0]["salt"])
    book.now += timedelta(days=1097)

    assert book.journal.write_now(destroy) == 2

    with pytest.raises(NotFoundError):
        book.export()
    assert len(book.commitments()) == 2
    book.journal.close()
    kept = book.file.read_bytes()
    assert salt not in kept
    assert b"consumer.example" not in kept
    book.open()


def test_a_record_in_no_batch_yet_is_not_erased(book: Book) -> None:
    """A batch could never be sealed: its leaves would be unknown."""
    book.now += timedelta(days=1097)

    with pytest.raises(RefusedError, match="no batch yet"):
        book.journal.write_now(erase)
