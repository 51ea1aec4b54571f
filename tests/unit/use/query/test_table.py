"""The opened table: values that cannot make an expression fail, and an engine whose doors are locked."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted import TRIAL, ask

from entrepot.use.query.cage.model import Column, Job, Limits, Ran, Result, Role, Rule, Table, Told, Written
from entrepot.use.query.cage.running import exact, run
from entrepot.use.query.cage.table import UnfitError, open_table

NOTHING = Written(sql="SELECT 1", columns=("one",), cells=(), reads=())


def job(path: Path, table: Table = TRIAL) -> Job:
    return Job(table=table, path=str(path), written=NOTHING, earlier=(), limits=Limits())


@pytest.fixture(scope="module")
def engine(trial: Path) -> duckdb.DuckDBPyConnection:
    return open_table(job(trial))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_blob('/etc/hostname')", "SELECT * FROM glob('/etc/*')",
        "ATTACH '/tmp/other.db'", "COPY (SELECT 1) TO '/tmp/out.csv'", "EXPORT DATABASE '/tmp/out'",
        "INSTALL httpfs", "LOAD httpfs", "LOAD postgres", "SELECT * FROM 'https://127.0.0.1/x.parquet'",
        "SET enable_external_access = true", "SET allowed_paths = ['/etc/passwd']", "SET threads = 8",
        "SET lock_configuration = false", "RESET memory_limit", "PRAGMA memory_limit = '10GB'",
        "SET temp_directory = '/tmp'", "SELECT * FROM path",
    ],
)  # fmt: skip
def test_the_engine_reads_one_file_and_changes_nothing(
    engine: duckdb.DuckDBPyConnection, statement: str
) -> None:
    """The grammar lets none of this through; should it ever, the engine must still refuse."""
    path = "a name of this frame that the engine must not find"

    with pytest.raises(duckdb.Error):
        engine.execute(statement)
    assert path


def kinds_of_columns() -> pa.Table:
    """Extremes of every type that a column can have, of six persons each."""
    values = {
        "integer": pa.array([2**63 - 1, -(2**63), 0, 1, 2, None] * 6, pa.int64()),
        "number": pa.array([1e308, float("nan"), float("-inf"), 0.5, -0.0, None] * 6, pa.float64()),
        "decimal": pa.array(
            [Decimal(10) ** 35, Decimal("0.01"), Decimal(-5), None, Decimal(0), Decimal(1)] * 6
        ),
        "small": pa.array(
            [Decimal("999.99"), Decimal("0.01"), Decimal(-5), None, Decimal(0), Decimal(1)] * 6
        ),
        "instant": pa.array([datetime(2026, 1, 1, tzinfo=UTC), None] * 18, pa.timestamp("us", "UTC")),
        "datetime": pa.array([datetime(1, 1, 1), datetime(9999, 12, 31)] * 18, pa.timestamp("us")),  # noqa: DTZ001
        "date": pa.array([date.min, date.max] * 18, pa.date32()),
        "boolean": pa.array([True, False, None] * 12),
        "text": pa.array(["", "ünï", "' OR 1=1 --"] * 12),
    }
    return pa.table({"person": pa.array(range(36)), **values})


TYPES = Table(
    name="kinds",
    k=5,
    columns=(
        Column(name="person", type="integer", role=Role.SUBJECT),
        Column(name="integer", type="integer", role=Role.MEASURE),
        Column(name="number", type="number", role=Role.MEASURE),
        Column(name="decimal", type="decimal", role=Role.MEASURE),
        Column(name="small", type="decimal", role=Role.MEASURE),
        Column(name="instant", type="instant", role=Role.DIMENSION),
        Column(name="datetime", type="datetime", role=Role.DIMENSION),
        Column(name="date", type="date", role=Role.DIMENSION),
        Column(name="boolean", type="boolean", role=Role.DIMENSION),
        Column(name="text", type="text", role=Role.DIMENSION),
    ),
)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kinds") / "kinds.parquet"
    pq.write_table(kinds_of_columns(), path)
    return path


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select boolean, count(*) from kinds group by 1", ((False, 12), (True, 12), (None, 12))),
        ("select text, count(*) from kinds group by 1", (("", 12), ("' OR 1=1 --", 12), ("ünï", 12))),
        ("select instant, count(*) from kinds group by 1", (("2026-01-01T00:00:00", 18), (None, 18))),
        (
            "select date, count(*) from kinds group by 1",
            (("0001-01-01", 18), ("9999-12-31", 18)),
        ),
        (
            "select datetime, count(*) from kinds where datetime > '0001-01-01' group by 1",
            (("9999-12-31T00:00:00", 18),),
        ),
        ("select sum(small), count(small) from kinds where boolean", (("5999.94", 6),)),
        ("select sum(number), count(number) from kinds", (("3.0", 12),)),
    ],
)
def test_every_type_comes_out_as_it_is(kinds: Path, sql: str, rows: tuple[object, ...]) -> None:
    """A date, a text in any script and a number are what they are; what is no number is empty."""
    _, ran = ask(kinds, sql, table=TYPES)

    assert ran.result is not None
    assert ran.result.rows == rows


def test_without_a_subject_each_row_is_one(kinds: Path) -> None:
    """Data about no persons is asked about in the same way; its smallest group is of rows."""
    table = Table(name="kinds", k=13, columns=TYPES.columns[1:])

    assert ask(kinds, "select boolean, count(*) from kinds group by 1", table=table)[1].result == Result(
        columns=(Told(name="boolean", type="boolean"), Told(name="COUNT(*)", type="integer")),
        rows=(),
        cut=False,
    )
    assert ask(kinds, "select date, count(*) from kinds group by 1", table=table)[1].result


def test_sums_of_the_largest_numbers_do_not_fail(kinds: Path) -> None:
    """An overflow would be an error that tells of one large value."""
    assert ask(kinds, "select sum(integer), avg(integer), stddev(decimal) from kinds", table=TYPES)[1].result


@pytest.mark.parametrize(
    "column", [Column(name="text", type="integer", role=Role.MEASURE), Column(name="nowhere", type="text")]
)
def test_a_file_that_is_not_as_described_is_not_asked(kinds: Path, column: Column) -> None:
    """A column that holds something else than was said would be compared and cast unseen."""
    table = Table(name="kinds", k=5, columns=(column,))

    with pytest.raises(UnfitError):
        open_table(job(kinds, table))
    assert run(job(kinds, table)) == Ran(refused=Rule.ENGINE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**53 - 1, 2**53 - 1), (2**53, "9007199254740992"), (-(2**200), str(-(2**200))), (True, True),
        (None, None), (0.1, "0.1"), (-0.0, "0.0"), (float("inf"), "inf"), (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (date(2026, 1, 2), "2026-01-02"), ("é", "é"),
    ],
)  # fmt: skip
def test_numbers_leave_exactly(value: object, text: object) -> None:
    """What JSON does not hold exactly is text; nothing is rounded on the way."""
    assert exact(value) == text
