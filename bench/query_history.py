"""Claim: a question that is run is compared with all earlier ones within its limits, over a million rows.

A table of a million rows, each a person; questions as a consumer asks them, one after the other, each run by
the product's own child in the best sandbox of the machine, with the default limits, and compared with all
before it. Printed are the places reckoned, the time reckoned for them and the time taken.
Questions that the rule `history` refuses beforehand are named. The goal: none that is run ends as an engine
that could not answer.

    python bench/query_history.py [--rows 1000000] [--folder FOLDER]
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from entrepot.use.query import Children, Limits, Sandbox
from entrepot.use.query.cage.admitting import admit
from entrepot.use.query.cage.model import Cells, Column, Role, Table
from entrepot.use.query.history import PLACES_A_SECOND, is_too_much, places
from entrepot.use.query.schema import Askable
from machine import described

LIMITS = Limits()
TABLE = Table(
    name="trial",
    k=10,
    columns=(
        Column(name="person", type="text", role=Role.SUBJECT),
        Column(name="arm", type="text", role=Role.DIMENSION),
        Column(name="site", type="text", role=Role.DIMENSION),
        Column(name="age", type="integer", role=Role.DIMENSION),
        Column(name="visited", type="date", role=Role.DIMENSION),
        Column(name="cd4", type="integer", role=Role.MEASURE),
        Column(name="dose", type="number", role=Role.MEASURE),
    ),
)
WRITE = """
COPY (
  SELECT 'p' || i AS person, ['a', 'b', 'c', 'd'][1 + i % 4] AS arm, 's' || (hash(i) % 50) AS site,
    (20 + hash(i + 1) % 70)::INTEGER AS age, date '2020-01-01' + (i % 700)::INTEGER AS visited,
    (hash(i + 2) % 1000)::INTEGER AS cd4, CASE WHEN i % 17 > 0 THEN (hash(i + 3) % 100) / 10.0 END AS dose
  FROM range({rows}) AS t(i)
) TO '{path}' (FORMAT parquet)"""
QUESTIONS = (
    "select arm, avg(cd4), count(*) from trial group by arm",
    "select site, avg(dose), count(*) from trial group by site",
    "select count(*) from trial",
    "select arm, site, sum(cd4) from trial group by arm, site",
    "select floor(age / 10) d, sum(cd4), avg(dose) from trial group by d",
    "select date_trunc('month', visited) m, avg(cd4) from trial group by m",
    "select arm, avg(dose) from trial where age >= 60 group by arm",
    "select year(visited) y, arm, count(*) from trial group by y, arm",
    "select site, stddev(cd4) from trial where arm <> 'a' group by site",
    "select quarter(visited) q, sum(dose) from trial group by q",
)


async def measure(path: Path, rows: int) -> bool:
    """Ask everything; whether all was as reckoned."""
    children = Children(Sandbox(), LIMITS)
    asked: tuple[Cells, ...] = ()
    fine = True
    print(f"input: {rows:,} rows, as many subjects; tier {await children.tier()}, {LIMITS.megabytes} MB")
    try:
        for sql in QUESTIONS:
            written = admit(sql, (TABLE,), LIMITS)
            reckoned = places(rows, written.cells, asked)
            if is_too_much(rows, written.cells, asked, LIMITS):
                print(f"  {reckoned:>11,} places: refused beforehand, `history`; {sql}")
                continue
            began = time.monotonic()
            ran = await children.run(path, Askable(TABLE, LIMITS, None), written, asked)
            took = time.monotonic() - began
            ended = f"refused: {ran.refused}" if ran.result is None else f"{len(ran.result.rows)} rows"
            most = reckoned / PLACES_A_SECOND
            print(f"  {reckoned:>11,} places: {took:5.2f} s of {most:5.2f} reckoned, {ended}; {sql}")
            fine = fine and ran.result is not None
            asked += written.cells
    finally:
        children.close()
    return fine


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the table lies while measuring")
    options = parser.parse_args()
    print(described())
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder))).resolve()
        path = folder / "trial.parquet"
        duckdb.sql(WRITE.format(rows=options.rows, path=path))
        folder.chmod(0o755)
        path.chmod(0o644)
        fine = asyncio.run(measure(path, options.rows))
    print(f"  goal, every question within its limits: {'reached' if fine else 'missed'}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
