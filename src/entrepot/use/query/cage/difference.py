"""Differences: two answers that tell of almost the same rows tell of the few subjects in whom they differ.

Compared are sets of rows, not of subjects: where one has more rows than another, leaving a few of them out
gives these away although the subject stays. Only pairs are compared; what three answers together give away is
not found here (`docs/reference/query.md` says so).
"""

from collections.abc import Sequence
from typing import Final

import duckdb

from .model import Cells, Job
from .text import words

_TABLES: Final = """
CREATE TEMP TABLE labels (part INTEGER, label VARCHAR);
CREATE TEMP TABLE cells AS SELECT 0 AS part, * FROM ({members}) LIMIT 0;"""
# Every content once: of cells that hold the same rows of the same subjects one is enough.
_KEPT: Final = """
CREATE TEMP TABLE found AS
SELECT dense_rank() OVER (ORDER BY n, content) AS id, part, cell, n, part < {fresh} AS fresh FROM (
  SELECT part, cell, count(*) AS n, bit_xor(hash(subject, mark)) AS content FROM cells GROUP BY part, cell
);
CREATE TEMP TABLE kept AS
SELECT id, n, bool_or(fresh) AS fresh, min(struct_pack(part := part, cell := cell)) AS place
FROM found GROUP BY id, n;
CREATE TEMP TABLE tells AS SELECT DISTINCT id, label FROM found JOIN labels USING (part);
CREATE TEMP TABLE members AS
SELECT id, n, fresh, subject, mark FROM kept
JOIN cells ON cells.part = kept.place.part AND cells.cell = kept.place.cell;
DROP TABLE cells;"""
# Two cells that differ in fewer than k subjects have an element in common that is among the k first of both,
# in any one order: before it come, in each, only elements that the other has not. No other pair is looked at.
_PAIRS: Final = """
CREATE TEMP TABLE pairs AS
WITH first AS (
  SELECT id, n, fresh, unnest(lowest) AS element FROM (
    SELECT id, n, fresh, min(hash(subject, mark), $k) AS lowest FROM members GROUP BY id, n, fresh
  )
)
SELECT DISTINCT a.id AS one, b.id AS other FROM first AS a JOIN first AS b USING (element)
WHERE a.fresh AND a.id <> b.id AND abs(a.n - b.n) < $k AND EXISTS (
  SELECT 1 FROM tells AS x JOIN tells AS y USING (label) WHERE x.id = a.id AND y.id = b.id
)"""
# Subjects of either cell, without those who have the same rows in both.
_CLOSE: Final = """
SELECT count(*) FROM (
  SELECT a.n + b.n - count(*) - count(*) FILTER (WHERE a.mark = b.mark) AS apart
  FROM pairs JOIN members AS a ON a.id = one JOIN members AS b ON b.id = other AND a.subject = b.subject
  GROUP BY a.id, b.id, a.n, b.n
) WHERE apart BETWEEN 1 AND $k - 1"""


def is_close(connection: duckdb.DuckDBPyConnection, job: Job) -> bool:
    """Whether a cell of this query is within fewer than `k` subjects of another, new or earlier."""
    fresh = job.written.cells
    connection.execute(_TABLES.format(members=fresh[0].members))
    _gather(connection, (*fresh, *job.earlier))
    connection.execute(_KEPT.format(fresh=len(fresh)))
    connection.execute(_PAIRS, {"k": job.table.k})
    found = connection.execute(_CLOSE, {"k": job.table.k}).fetchone()
    return found is None or found[0] > 0


def _gather(connection: duckdb.DuckDBPyConnection, asked: Sequence[Cells]) -> None:
    """Ask who is in each cell. Cells of values of which none is missing are those of the rows before them."""
    of_rows = 0
    for part, cells in enumerate(asked):
        of_rows = part if not cells.missing else of_rows
        at = of_rows
        if not cells.missing or connection.execute(cells.missing).fetchone() != (0,):
            connection.execute(words("INSERT INTO cells SELECT", f"{part}, * FROM ({cells.members})"))
            at = part
        connection.executemany("INSERT INTO labels VALUES (?, ?)", [(at, name) for name in cells.labels])
