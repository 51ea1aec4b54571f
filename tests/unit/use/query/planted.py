"""A clinical trial in which a victim is planted, and ways to ask about it."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from entrepot.use.query.cage.admitting import admit
from entrepot.use.query.cage.model import Column, Job, Limits, Ran, Role, Table, Written
from entrepot.use.query.cage.running import run

K = 5
PERSONS = 60
VICTIM = 60
RARE = {58, 59, 60}
SECRETS = {
    "987654", "1975308", "17.7734", "35.5468", "7777.77", "15555.54", "314159.26", "Ada 60", "card-60",
    "2026-03-15", "23.4567",
}  # fmt: skip
"""The victim's values, once and for both of the victim's rows together."""
TRIAL = Table(
    name="trial",
    k=K,
    columns=(
        Column(name="person", type="integer", role=Role.SUBJECT),
        Column(name="card", type="text", role=Role.JOIN),
        Column(name="arm", type="integer", role=Role.DIMENSION),
        Column(name="sex", type="text", role=Role.DIMENSION),
        Column(name="site", type="text", role=Role.DIMENSION),
        Column(name="age", type="integer", role=Role.DIMENSION),
        Column(name="visited", type="date", role=Role.DIMENSION),
        Column(name="cd4", type="integer", role=Role.MEASURE),
        Column(name="dose", type="number", role=Role.MEASURE),
        Column(name="cost", type="decimal", role=Role.MEASURE),
        Column(name="lonely", type="number", role=Role.MEASURE),
        Column(name="lab", type="number", role=Role.MEASURE),
        Column(name="name", type="text", role=Role.HIDDEN),
    ),
)


def write_trial(path: Path) -> Path:
    """Two visits of each person; one visit of the victim is on a day of its own, and one cost is missing.

    `lab` is measured at the second visit only.
    """
    rows = [_row(person, visit) for visit in range(2) for person in range(1, PERSONS + 1)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def _row(person: int, visit: int) -> dict[str, object]:
    is_victim = person == VICTIM
    day = date(2026, 3, 15) if is_victim and visit else date(2026, 1, 1) + timedelta(days=31 * visit)
    return {
        "person": person,
        "card": f"card-{person}",
        "arm": person % 4,
        "sex": "f" if person % 2 else "m",
        "site": "rare" if person in RARE else "north" if person % 3 else "south",
        "age": 61 if is_victim else 20 + person % 30,
        "visited": day,
        "cd4": 987654 if is_victim else 200 + person * 3 + visit,
        "dose": 17.7734 if is_victim else person / 4,
        "cost": Decimal("7777.77") if is_victim else None if person == 7 else Decimal(person) / 100,
        "lonely": 314159.26 if is_victim and not visit else None,
        "lab": None if not visit else 23.4567 if is_victim else person / 8,
        "name": f"Ada {person}",
    }


def ask(
    path: Path, sql: str, earlier: tuple[Written, ...] = (), *, table: Table = TRIAL
) -> tuple[Written, Ran]:
    """Admit a query and answer it, in this process."""
    written = admit(sql, (table,), Limits())
    before = tuple(cells for w in earlier for cells in w.cells)
    job = Job(table=table, path=str(path), written=written, earlier=before, limits=Limits())
    return written, run(job)
