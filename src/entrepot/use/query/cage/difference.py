"""Differences: two answers that tell of almost the same subjects tell of the few in whom they differ.

Compared are sets of rows, not of subjects: where one has more rows than another, leaving a few of them out
gives these away although the subject stays. Only pairs are compared; what three answers together give away is
not found here (`docs/reference/query.md` says so).
"""

from typing import Final

import duckdb

from .model import Job
from .text import words

# Every content once: of cells that hold the same rows of the same subjects one is enough.
_KEPT: Final = """
CREATE TEMP TABLE kept AS
SELECT row_number() OVER () AS id, label, n, fresh, place FROM (
  SELECT label, n, bool_or(part < ?) AS fresh, min(struct_pack(part := part, cell := cell)) AS place FROM (
    SELECT label, part, cell, count(*) AS n, sum(hash(subject, mark)) AS content
    FROM cells GROUP BY label, part, cell
  ) GROUP BY label, n, content
)"""
_MEMBERS: Final = """
CREATE TEMP TABLE members AS
SELECT id, kept.label, n, fresh, subject, mark FROM kept
JOIN cells ON cells.part = kept.place.part AND cells.cell = kept.place.cell AND cells.label = kept.label"""
# Subjects of either cell, without those who have the same rows in both.
_CLOSE: Final = """
SELECT count(*) FROM (
  SELECT a.n + b.n - count(*) - count(*) FILTER (WHERE a.mark = b.mark) AS apart
  FROM members AS a JOIN members AS b ON a.subject = b.subject AND a.label = b.label
  WHERE a.fresh AND a.id <> b.id AND abs(a.n - b.n) < $k
  GROUP BY a.id, b.id, a.n, b.n
) WHERE apart BETWEEN 1 AND $k - 1"""


def is_close(connection: duckdb.DuckDBPyConnection, job: Job) -> bool:
    """Whether a cell of this query is within fewer than `k` subjects of another, new or earlier."""
    fresh = job.written.cells
    for part, query in enumerate((*fresh, *job.earlier)):
        into = "INSERT INTO cells" if part else "CREATE TEMP TABLE cells AS"
        connection.execute(words(into, "SELECT", f"{part} AS part, * FROM ({query})"))
    connection.execute(_KEPT, [len(fresh)])
    connection.execute(_MEMBERS)
    found = connection.execute(_CLOSE, {"k": job.table.k}).fetchone()
    return found is None or found[0] > 0
