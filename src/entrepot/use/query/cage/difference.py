"""Differences: two answers that tell of almost the same rows tell of the few subjects in whom they differ.

Compared are sets of rows, not of subjects: where one has more rows than another, leaving a few of them out
gives these away although the subject stays. Pairs are compared so; what more than two answers give away
together is found by elimination (`combining.py`), row by row.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import duckdb

from .combining import TooMuchWorkError, tells_of_few
from .model import Cells, Job

_TABLES: Final = """
CREATE TEMP TABLE labels (part INTEGER, label VARCHAR);
CREATE TEMP TABLE found (part INTEGER, id BIGINT);
CREATE TEMP TABLE kept (id BIGINT, n BIGINT, content UBIGINT, fresh BOOLEAN);
CREATE TEMP TABLE members (id BIGINT, subject UBIGINT, mark UBIGINT);
CREATE TEMP TABLE elements (id BIGINT, subject UBIGINT, mark UBIGINT);"""
# Every content once: of cells that hold the same rows of the same subjects one is enough. Those of this query
# come first, so a content that they share with an earlier one is fresh. Of a subject its hash is kept: two
# with the same one would be counted once, which refuses more and never less.
_GATHER: Final = """
CREATE OR REPLACE TEMP TABLE asked AS
SELECT cell, hash(subject) AS subject, mark, has_many FROM ({members});
CREATE OR REPLACE TEMP TABLE told AS
SELECT cell, count(*) AS n, bit_xor(hash(subject, mark)) AS content FROM asked GROUP BY cell;
CREATE OR REPLACE TEMP TABLE new AS
SELECT (SELECT count(*) FROM kept) + row_number() OVER (ORDER BY n, content) AS id, n, content,
  min(cell) AS cell
FROM told ANTI JOIN kept USING (n, content) GROUP BY n, content;
INSERT INTO kept SELECT id, n, content, {fresh} FROM new;
INSERT INTO members SELECT id, subject, mark FROM asked JOIN new USING (cell);
INSERT INTO found SELECT {part}, id FROM told JOIN kept USING (n, content);"""
_HAS_MANY: Final = "SELECT count(*) FROM asked JOIN new USING (cell) WHERE has_many"
_EACH: Final = "SELECT id, hash(subject), unnest(marks) FROM ({rows}) JOIN new USING (cell)"
"""Row by row, where a subject has many in a cell."""
_ALL: Final = "SELECT id, subject, mark FROM members JOIN new USING (id)"
_TELLS: Final = "CREATE TEMP TABLE tells AS SELECT DISTINCT id, label FROM found JOIN labels USING (part)"
# Two cells that differ in fewer than k subjects have an element in common that is among the k first of both,
# in any one order: before it come, in each, only elements that the other has not. No other pair is looked at.
_PAIRS: Final = """
CREATE TEMP TABLE pairs AS
WITH first AS (
  SELECT id, n, fresh, unnest(lowest) AS element FROM (
    SELECT id, min(hash(subject, mark), $k) AS lowest FROM members GROUP BY id
  ) JOIN kept USING (id)
)
SELECT DISTINCT a.id AS one, b.id AS other FROM first AS a JOIN first AS b USING (element)
WHERE a.fresh AND a.id <> b.id AND abs(a.n - b.n) < $k AND EXISTS (
  SELECT 1 FROM tells AS x JOIN tells AS y USING (label) WHERE x.id = a.id AND y.id = b.id
)"""
# Subjects of either cell, without those who have the same rows in both.
_CLOSE: Final = """
SELECT count(*) FROM (
  SELECT x.n + y.n - count(*) - count(*) FILTER (WHERE a.mark = b.mark) AS apart
  FROM pairs JOIN kept AS x ON x.id = one JOIN kept AS y ON y.id = other
  JOIN members AS a ON a.id = one JOIN members AS b ON b.id = other AND a.subject = b.subject
  GROUP BY x.id, y.id, x.n, y.n
) WHERE apart BETWEEN 1 AND $k - 1"""
# One label stands for all that tell of the same cells.
_LABELS: Final = """
SELECT min(label) FROM (SELECT label, list(id ORDER BY id) AS ids FROM tells GROUP BY label) GROUP BY ids"""
# Rows that are in the same cells are one class; one of them stands for all, and k of their subjects.
_CLASSES: Final = """
WITH told AS (SELECT id FROM tells WHERE label = $label),
each AS (
  SELECT subject, list(id ORDER BY id) AS ids FROM elements JOIN told USING (id) GROUP BY subject, mark
)
SELECT min(DISTINCT subject, $k), ids FROM each GROUP BY ids"""


def is_close(connection: duckdb.DuckDBPyConnection, job: Job) -> bool:
    """Whether a cell of this query is within fewer than `k` subjects of another, new or earlier."""
    connection.execute(_TABLES)
    _gather(connection, job.written.cells, job.earlier)
    connection.execute(_TELLS)
    connection.execute(_PAIRS, {"k": job.table.k})
    found = connection.execute(_CLOSE, {"k": job.table.k}).fetchone()
    return found is None or found[0] > 0 or _combines(connection, job.table.k)


def _combines(connection: duckdb.DuckDBPyConnection, k: int) -> bool:
    """Whether answers about one column, or about the number of rows, can be combined to tell of few."""
    for (label,) in connection.execute(_LABELS).fetchall():
        people: list[frozenset[int]] = []
        cells: dict[int, list[int]] = defaultdict(list)
        for found, ids in connection.execute(_CLASSES, {"label": label, "k": k}).fetchall():
            for cell in ids:
                cells[cell].append(len(people))
            people.append(frozenset(found))
        try:
            if tells_of_few([*cells.values()], people, k):
                return True
        except TooMuchWorkError:
            return True
    return False


def _gather(connection: duckdb.DuckDBPyConnection, fresh: Sequence[Cells], earlier: Sequence[Cells]) -> None:
    """Ask who is in each cell. Cells of values of which none is missing are those of the rows before them."""
    of_rows = 0
    for part, cells in enumerate((*fresh, *earlier)):
        of_rows = part if not cells.missing else of_rows
        at = of_rows
        if not cells.missing or connection.execute(cells.missing).fetchone() != (0,):
            at = part
            connection.execute(
                _GATHER.format(
                    members=cells.members, part=part, fresh="true" if part < len(fresh) else "false"
                )
            )
            is_each = connection.execute(_HAS_MANY).fetchone() == (0,)
            connection.execute("INSERT INTO elements " + (_ALL if is_each else _EACH.format(rows=cells.rows)))
        connection.executemany("INSERT INTO labels VALUES (?, ?)", [(at, name) for name in cells.labels])
