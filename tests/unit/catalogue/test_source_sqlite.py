"""Tables of SQLite databases: the types of what stands there, in the order in which it stands."""

import sqlite3
from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.catalogue import Source, SourceError, SourceKind, prepare


def database(folder: Path, *statements: str) -> Path:
    path = folder / "source.db"
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def rows_of(folder: Path, path: Path, table: str) -> list[dict[str, object]]:
    made = prepare(Source(SourceKind.SQLITE, str(path), table), "", folder / "artefacts")
    found: list[dict[str, object]] = pq.read_table(made.path).to_pylist()
    return found


def test_a_column_has_the_type_of_what_stands_in_it(tmp_path: Path) -> None:
    """SQLite lets anything stand anywhere; what was declared is a hope."""
    path = database(
        tmp_path,
        "CREATE TABLE t (i INTEGER, r REAL, n NUMERIC, b BOOLEAN, notb BOOLEAN, d DATE, m DATETIME, x, e)",
        "INSERT INTO t VALUES (1, 0.5, 1, 1, 7, '2026-11-25', '2026-11-25 08:00:00', 'word', NULL)",
        "INSERT INTO t VALUES (NULL, 2, 1.5, 0, 1, NULL, NULL, 3, NULL)",
    )

    assert rows_of(tmp_path, path, "t") == [
        {
            "i": 1, "r": 0.5, "n": 1.0, "b": True, "notb": 7, "d": date(2026, 11, 25),
            "m": datetime(2026, 11, 25, 8), "x": "word", "e": None,  # noqa: DTZ001 (SQLite knows no zone)
        },
        {
            "i": None, "r": 2.0, "n": 1.5, "b": False, "notb": 1, "d": None,
            "m": None, "x": "3", "e": None,
        },
    ]  # fmt: skip


@settings(max_examples=25)
@given(
    rows=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(max_size=9)), min_size=1, max_size=20)
)
def test_whatever_was_put_in_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str]]
) -> None:
    """Every value, in the order of the rows, whichever indices there are."""
    folder = tmp_path_factory.mktemp("db")
    path = database(folder, "CREATE TABLE t (i, s TEXT)", "CREATE INDEX ix ON t (s, i)")
    kept = [(i, s.encode("utf-8", "ignore").decode().replace("\x00", "")) for i, s in rows]
    connection = sqlite3.connect(path)
    connection.executemany("INSERT INTO t VALUES (?, ?)", kept)
    connection.commit()
    connection.close()

    assert rows_of(folder, path, "t") == [{"i": i, "s": s} for i, s in kept]


def test_names_are_names_whatever_they_contain(tmp_path: Path) -> None:
    """A table called like a statement is read; the statement is not run."""
    odd = 't" ; DROP TABLE other; --'
    quoted = '"' + odd.replace('"', '""') + '"'
    path = database(
        tmp_path,
        f'CREATE TABLE {quoted} ("select ""x""" INTEGER)',
        f"INSERT INTO {quoted} VALUES (1)",  # noqa: S608 (the name is quoted; that is the test)
        "CREATE TABLE other (a)",
    )

    assert rows_of(tmp_path, path, odd) == [{'select "x"': 1}]
    assert sqlite3.connect(path).execute("SELECT count(*) FROM other").fetchone() == (0,)


def test_views_and_tables_without_row_numbers_are_read_too(tmp_path: Path) -> None:
    """An owner offers a part of a table by a view of it."""
    path = database(
        tmp_path,
        "CREATE TABLE k (name TEXT PRIMARY KEY, rowid INTEGER) WITHOUT ROWID",
        "INSERT INTO k VALUES ('b', 2), ('a', 1)",
        "CREATE VIEW v AS SELECT name FROM k WHERE rowid > 1",
    )

    assert rows_of(tmp_path, path, "k") == [{"name": "a", "rowid": 1}, {"name": "b", "rowid": 2}]
    assert rows_of(tmp_path, path, "v") == [{"name": "b"}]


@pytest.mark.parametrize(
    ("statements", "table", "why"),
    [
        (("CREATE TABLE days (a)",), "nights", "no table 'nights'; it has days"),
        (("CREATE TABLE t (a)", "INSERT INTO t VALUES (x'6765')"), "t", "'a' holds bytes"),
        (("CREATE TABLE t (a)",), "t", "no rows"),
        (
            ("CREATE TABLE t (a, b)", "INSERT INTO t VALUES (9007199254740993, 1), (0.5, 1)"),
            "t",
            "'a' holds a value that does not fit",
        ),
    ],
)
def test_a_table_that_cannot_be_offered_is_refused_with_the_reason(
    tmp_path: Path, statements: tuple[str, ...], table: str, why: str
) -> None:
    """The owner is told which table or column, and nothing of what stands there is said."""
    path = database(tmp_path, *statements)

    with pytest.raises(SourceError, match=why):
        rows_of(tmp_path, path, table)


def test_text_that_is_none_is_refused(tmp_path: Path) -> None:
    """SQLite keeps any bytes as text; nobody could be shown them."""
    path = database(tmp_path, "CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES (CAST(x'b4ff' AS TEXT))")

    with pytest.raises(SourceError, match="cannot be read"):
        rows_of(tmp_path, path, "t")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """SQLite finds out at the first statement only."""
    path = tmp_path / "source.db"
    path.write_bytes(b"no database" * 1_000)

    with pytest.raises(SourceError, match="cannot be read as a SQLite database"):
        rows_of(tmp_path, path, "t")
