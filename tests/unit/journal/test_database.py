"""The database of a node: its addresses, its times, and how its connections behave."""

import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from entrepot.journal import Journal, UtcTimeColumn
from entrepot.values import MalformedError

ZONE = timezone(timedelta(hours=8))
DIALECT = sa.create_engine("sqlite://").dialect


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(f"sqlite:///{tmp_path}/node.db") as journal:
        yield journal


@given(
    time=st.datetimes(timezones=st.sampled_from([UTC, ZONE])).filter(lambda t: 1 < t.year < 9999),
    other=st.datetimes(timezones=st.just(UTC)),
)
def test_a_time_keeps_its_instant_and_its_order(time: datetime, other: datetime) -> None:
    """Deadlines and leases compare in the database as they do in Python."""
    column = UtcTimeColumn()
    stored, compared = column.process_bind_param(time, DIALECT), column.process_bind_param(other, DIALECT)

    assert stored is not None
    assert compared is not None
    assert column.process_result_value(stored, DIALECT) == time
    assert (stored < compared) == (time < other)


def test_a_time_without_a_zone_is_not_stored() -> None:
    """Nothing guesses what a clock without a zone meant."""
    with pytest.raises(MalformedError):
        UtcTimeColumn().process_bind_param(datetime(2026, 11, 25), DIALECT)  # noqa: DTZ001 (the case)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_node_is_not_kept_in_memory(url: str) -> None:
    """A node that would forget everything is refused at its start."""
    with pytest.raises(MalformedError):
        Journal.open(url)


def test_other_databases_are_refused_by_name() -> None:
    """A database whose promises were never tested is not tried."""
    with pytest.raises(NotImplementedError, match="mysql"):
        Journal.open("mysql://localhost/node")


@pytest.mark.parametrize(
    ("pragma", "expected"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_sqlite_is_opened_to_be_durable(journal: Journal, pragma: str, expected: object) -> None:
    """WAL with synchronous=FULL: what COMMIT confirmed survives the loss of power."""
    found = journal.write_now(lambda tx: tx.connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one())

    assert found == expected


def test_a_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    """Two processes that start on a new file at the same moment both start."""
    other = sqlite3.connect(tmp_path / "node.db", isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE note (id INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.1, lambda: other.execute("COMMIT"))
    done.start()
    with Journal.open(f"sqlite:///{tmp_path}/node.db") as journal:
        journal.write_now(lambda tx: tx.connection.exec_driver_sql("INSERT INTO note VALUES (1)"))
    done.join()
    other.close()


def test_the_schema_of_tests_has_every_table(journal: Journal) -> None:
    """`create_schema` makes what stores declared, and may be called again."""
    journal.create_schema()
    journal.create_schema()
    names = journal.read_now(lambda connection: set(sa.inspect(connection).get_table_names()))

    assert {"outbox", "audit_event", "seen", "answer", "lease"} <= names
