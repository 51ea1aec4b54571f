"""Tables of PostgreSQL databases as sources: read whole, in one snapshot, and never with a password shown."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pyarrow.parquet as pq
import pytest

from entrepot.catalogue import Source, SourceError, SourceKind, prepare

EVERY_TYPE = """
CREATE TYPE mood AS ENUM ('fair', 'foul');
CREATE DOMAIN celsius AS real;
CREATE TABLE days (
  id bigint PRIMARY KEY, small smallint, flag boolean, size double precision, price numeric(12, 2),
  free numeric, word text, code char(4), day date, local timestamp, moment timestamptz, mood mood,
  warm celsius, who uuid, extra jsonb
);
INSERT INTO days VALUES
  (2, -1, true, 0.1, 12.50, 1.123456789, 'wet', '0042', '2026-11-25', '2026-11-25 08:00',
   '2026-11-25 08:00+08', 'foul', 21.5, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}'),
  (1, NULL, NULL, NULL, NULL, 123456789012345678, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""


@pytest.fixture
def database(postgresql_url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        yield connection


def rows_of(url: str, folder: Path, table: str, password: str = "") -> list[dict[str, object]]:
    source = Source(SourceKind.POSTGRESQL, url, table)
    made = prepare(source, password, folder / "artefacts")
    found: list[dict[str, object]] = pq.read_table(made.path).to_pylist()
    return found


def test_every_type_comes_out_as_it_was(
    database: "psycopg.Connection[tuple[object, ...]]", postgresql_url: str, tmp_path: Path
) -> None:
    """In the order of the key, exact numbers exact, moments in UTC."""
    database.execute(EVERY_TYPE)

    first, second = rows_of(postgresql_url, tmp_path, "days")

    assert first == dict.fromkeys(first) | {"id": 1, "free": Decimal("123456789012345678.000000000")}
    assert second == {
        "id": 2, "small": -1, "flag": True, "size": 0.1, "price": Decimal("12.50"),
        "free": Decimal("1.123456789"), "word": "wet", "code": "0042", "day": date(2026, 11, 25),
        "local": datetime(2026, 11, 25, 8),  # noqa: DTZ001 (the column has no zone)
        "moment": datetime(2026, 11, 25, 0, tzinfo=UTC), "mood": "foul", "warm": 21.5,
        "who": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "extra": '{"a": 1}',
    }  # fmt: skip


def test_a_large_table_is_one_snapshot_of_it(
    database: "psycopg.Connection[tuple[object, ...]]", postgresql_url: str, tmp_path: Path
) -> None:
    """Rows come in batches from the server; all of them are there, in order."""
    database.execute("CREATE TABLE t AS SELECT i, i * 2 AS j FROM generate_series(1, 50000) AS i")

    found = rows_of(postgresql_url, tmp_path, "t")

    assert found == [{"i": i, "j": 2 * i} for i in range(1, 50_001)]


def test_a_view_in_a_schema_with_odd_names_is_read(
    database: "psycopg.Connection[tuple[object, ...]]", postgresql_url: str, tmp_path: Path
) -> None:
    """A name is a name, whatever stands in it."""
    database.execute('CREATE SCHEMA "my data"')
    database.execute('CREATE VIEW "my data"."a\'; DROP TABLE x; --" AS SELECT 1 AS "the ""one"""')

    assert rows_of(postgresql_url, tmp_path, "my data.a'; DROP TABLE x; --") == [{'the "one"': 1}]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("CREATE TABLE other (a int)", "no table 't'"),
        ("CREATE TABLE t (a int)", "no rows"),
        ("CREATE TABLE t (a int, b int[]); INSERT INTO t VALUES (1, '{1}')", "column 2 is of type _int4"),
        ("CREATE TABLE t (a bytea)", "column 1 is of type bytea"),
        ('CREATE TABLE t (a int, "A" int)', "same name"),
        ("CREATE TABLE t (a numeric); INSERT INTO t VALUES (1e30), (1e-30)", "more than 38 digits"),
        ("CREATE TABLE t (a numeric); INSERT INTO t VALUES ('NaN')", "does not fit its type"),
        ("CREATE TABLE t (a date); INSERT INTO t VALUES ('infinity')", "a day without end"),
    ],
)
def test_a_table_that_cannot_be_offered_is_refused_with_the_reason(
    database: "psycopg.Connection[tuple[object, ...]]",
    postgresql_url: str,
    tmp_path: Path,
    statement: str,
    why: str,
) -> None:
    """What has no place in a table must not be cut off in silence."""
    database.execute(statement)

    with pytest.raises(SourceError, match=why):
        rows_of(postgresql_url, tmp_path, "t")


def test_what_the_user_may_not_read_is_not_read(
    database: "psycopg.Connection[tuple[object, ...]]", postgresql_url: str, tmp_path: Path
) -> None:
    """The database's own rights hold, and its refusal is told as one."""
    database.execute("CREATE TABLE t (a int)")
    database.execute("DO $$BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN END$$")
    parts = urlsplit(postgresql_url)
    address = f"postgresql://reader@{parts.hostname}:{parts.port}{parts.path}"

    with pytest.raises(SourceError, match="may not read the table"):
        rows_of(address, tmp_path, "t")


def test_a_database_that_does_not_answer_is_told_without_the_password(tmp_path: Path) -> None:
    """The driver's words could hold it; ours do not, nor does what they came from."""
    with pytest.raises(SourceError, match="could not be reached") as refused:
        rows_of("postgresql://reader@127.0.0.1:1/weather", tmp_path, "t", "geheim")

    assert "geheim" not in repr(refused.value)
    assert "geheim" not in repr(refused.value.__cause__)
