"""Whatever is asked one after the other, nothing about one subject follows from what was answered.

The judge is a reference that shares nothing with the product: it takes each answer for the sums that it is,
over rows that it looks up itself, and solves for everybody.
"""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from planted import ask

from entrepot.use.query.cage.model import Column, Role, Table, Written

K = 3
PERSONS = 14
PRIME = 2**61 - 1
VISITS = Table(
    name="visits",
    k=K,
    columns=(
        Column(name="person", type="integer", role=Role.SUBJECT),
        Column(name="arm", type="integer", role=Role.DIMENSION),
        Column(name="visit", type="integer", role=Role.DIMENSION),
        Column(name="code", type="integer", role=Role.DIMENSION),
        Column(name="lab", type="number", role=Role.MEASURE),
    ),
)
CONDITIONS = st.one_of(
    st.builds("code {} {}".format, st.sampled_from(["<", ">=", "<>"]), st.integers(0, PERSONS)),
    st.builds("arm {} {}".format, st.sampled_from(["=", "<>"]), st.integers(0, 2)),
    st.builds("visit {} {}".format, st.sampled_from(["=", "<>"]), st.integers(0, 2)),
    st.builds("not (code = {} and visit = {})".format, st.integers(0, PERSONS), st.integers(0, 2)),
)
WHERE = st.lists(CONDITIONS, min_size=0, max_size=2).map(
    lambda found: f"where {' and '.join(found)}" if found else ""
)
KEYS = st.sampled_from(["", "arm", "visit", "arm, visit"])
FORMS = st.sampled_from(
    [
        "select {keyed}sum(lab) s from visits {where} {by}",
        """with a as (select {keyed}person, sum(lab) d from visits {where} group by {keyed}person)
        select {keyed}sum(d) s from a {by}""",
    ]
)
ASKED = st.lists(st.tuples(FORMS, WHERE, KEYS), min_size=2, max_size=7, unique=True)


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three visits of each person, the first without a value for most."""
    path = tmp_path_factory.mktemp("visits") / "visits.parquet"
    rows = [
        {"person": p, "arm": p % 3, "visit": v, "code": p, "lab": None if v == 0 and p > 2 else 10.0 + p + v}
        for p in range(PERSONS)
        for v in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def _sql(form: str, where: str, keys: str) -> str:
    keyed, by = f"{keys}, " if keys else "", f"group by {keys}" if keys else ""
    return form.format(where=where, keyed=keyed, by=by)


def _told(path: Path, where: str, keys: str) -> list[frozenset[tuple[int, int]]]:
    """The rows, as (person, visit), of whose values each group that was shown is the sum."""
    filled = f"{where} and lab is not null" if where else "where lab is not null"
    by = f"group by {keys}" if keys else ""
    found = duckdb.sql(
        f"select list((person, visit)) from read_parquet('{path}') {filled} {by} "  # noqa: S608 (our own words)
        f"having count(distinct person) >= {K}"
    ).fetchall()
    return [frozenset((p, v) for p, v in rows) for (rows,) in found]


def _rank(cells: list[frozenset[tuple[int, int]]], but: int | None = None) -> int:
    """How many of these sums are independent, where the rows of one person count for nothing."""
    known: dict[tuple[int, int], dict[tuple[int, int], int]] = {}
    for cell in cells:
        row = {at: 1 for at in cell if at[0] != but}
        for pivot, other in known.items():
            times = row.get(pivot, 0)
            for at, value in other.items() if times else ():
                row[at] = (row.get(at, 0) - times * value) % PRIME
        row = {at: value for at, value in row.items() if value}
        if row:
            pivot = min(row)
            inverse = pow(row[pivot], -1, PRIME)
            known[pivot] = {at: value * inverse % PRIME for at, value in row.items()}
    return len(known)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=ASKED)
def test_nothing_about_one_subject_follows_from_all_answers(
    visits: Path, asked: list[tuple[str, str, str]]
) -> None:
    """Two, three or seven answers that give one person's value away are a leak like one that does."""
    earlier: tuple[Written, ...] = ()
    cells: list[frozenset[tuple[int, int]]] = []
    for form, where, keys in asked:
        written, ran = ask(visits, _sql(form, where, keys), earlier, table=VISITS)
        if ran.result is not None:
            earlier = (*earlier, written)
            cells += _told(visits, where, keys)
    event(f"{len(earlier)} of {len(asked)} answered")

    whole = _rank(cells)
    assert [p for p in range(PERSONS) if _rank(cells, p) < whole] == []
