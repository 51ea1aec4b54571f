"""What a question tells of a table with fewer subjects than the smallest group: nothing at all."""

import re
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from planted import TRIAL, ask

from entrepot.use.query.cage.admitting import verdict_on
from entrepot.use.query.cage.model import Asked, Limits, NotAdmittedError, Ran

sys.path.append(str(Path(__file__).parent))
from sentences import fragments, questions

SCHEMA = pa.schema(
    {
        "person": pa.int64(), "card": pa.string(), "arm": pa.int64(), "sex": pa.string(), "site": pa.string(),
        "age": pa.int64(), "visited": pa.date32(), "cd4": pa.int64(), "dose": pa.float64(),
        "cost": pa.decimal128(38, 2), "lonely": pa.float64(), "lab": pa.float64(), "name": pa.string(),
    }
)  # fmt: skip
OURS = {
    "SELECT", "DISTINCT", "FROM", "WHERE", "GROUP", "BY", "HAVING", "ORDER", "LIMIT", "OFFSET", "ASC",
    "DESC", "NULLS", "FIRST", "LAST", "WITH", "AS", "ON", "AND", "OR", "NOT", "IN", "IS", "NULL",
    "LIKE", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END", "CAST", "TRY_CAST", "UNION", "ALL",
    "CROSS", "INNER", "JOIN", "OVER", "PARTITION", "QUALIFY", "GROUPING", "SETS", "FILTER", "DOUBLE",
    "BIGINT", "VARCHAR", "DATE", "TIMESTAMP", "true", "false", "enough", "one", "fair_m", "label",
    "cell", "subject", "mark", "marks", "has_many", "bool_or", "len", "list_aggregate", "list", "flatten",
    "f", "sum", "avg", "count", "stddev_samp", "stddev_pop", "var_samp", "var_pop", "min", "max", "abs",
    "floor", "ceil", "round", "coalesce", "nullif", "lower", "substring", "length", "year", "date_part",
    "date_trunc", "rank", "row", "grouping_id", "kg", "hash", "bit_xor",
}  # fmt: skip
"""Every word that we write ourselves, outside quotes."""


def _small(path: Path, persons: range, value: int, site: str, day: date) -> Path:
    """A table of few persons, all of whose values are extreme in one way or another."""
    rows = [
        {
            "person": person, "card": site, "arm": value, "sex": site[:1], "site": site,
            "age": value // 2 or 61, "visited": day, "cd4": value, "dose": float(value) * 1e290,
            "cost": Decimal(value) * 10**17, "lonely": float("nan") if value < 0 else None, "lab": None,
            "name": site,
        }
        for person in persons
        for _ in range(3)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two tables with one subject less than the smallest group, and nothing else in common."""
    folder = tmp_path_factory.mktemp("small")
    few = TRIAL.k - 1
    return (
        _small(folder / "a.parquet", range(few), 2**62, "rare", date(2026, 3, 15)),
        _small(folder / "b.parquet", range(100, 101), -(2**62), "9", date.max),
    )


def _answer(path: Path, sql: str) -> Ran | str:
    try:
        return ask(path, sql)[1]
    except NotAdmittedError as no:
        return str(no.rule)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sql=questions())
def test_a_table_below_the_smallest_group_answers_as_any_other(pair: tuple[Path, Path], sql: str) -> None:
    """A value, an error, an order or a count that depends on few persons' data tells of these persons."""
    first, second = (_answer(path, sql) for path in pair)

    event(first if isinstance(first, str) else str(first.refused or "answered"))
    assert first == second


@settings(max_examples=12)
@given(sql=questions())
def test_the_same_question_has_the_same_answer(trial: Path, sql: str) -> None:
    """The digest of an answer is evidence: it may not depend on the run."""
    assert _answer(trial, sql) == _answer(trial, sql)


@settings(max_examples=300)
@given(sql=st.one_of(fragments(), st.text(max_size=60)))
def test_whatever_is_asked_is_answered_in_our_words(sql: str) -> None:
    """A text over which the reader breaks must be refused like any other, and never be run."""
    verdict = verdict_on(Asked(sql=sql, tables=(TRIAL,), limits=Limits()))

    assert (verdict.written is None) != (verdict.refused is None)
    assert msgspec.json.encode(verdict)


@settings(max_examples=40)
@given(sql=questions())
def test_no_word_of_the_consumers_reaches_the_engine(sql: str) -> None:
    """What is copied and not written anew could be a function or clause that nobody has thought of."""
    written = verdict_on(Asked(sql=sql, tables=(TRIAL,), limits=Limits())).written
    for query in (
        [] if written is None else (written.sql, *(q for c in written.cells for q in (c.members, c.rows)))
    ):
        bare = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"])*\"", " ", query)
        assert (
            set(re.findall(r"[A-Za-z_]+", re.sub(r"\d+", "", re.sub(r"\b[acfgmopqrs]\d+\b", " ", bare))))
            <= OURS
        )
