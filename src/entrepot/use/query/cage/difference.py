"""Differences: two answers that tell of almost the same rows tell of the few subjects in whom they differ.

Compared are sets of rows, not of subjects: where one has more rows than another, leaving a few of them out
gives these away although the subject stays. Pairs are compared so; what more than two answers give away
together is found by elimination (`combining.py`), for subjects whose rows are all in a cell or not in it.
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
CREATE TEMP TABLE members (id BIGINT, subject UBIGINT, mark UBIGINT);"""
# Every content once: of cells that hold the same rows of the same subjects one is enough. Those of this query
# come first, so a content that they share with an earlier one is fresh. Of a subject its hash is kept: two
# with the same one would be counted once, which refuses more and never less.
_GATHER: Final = """
CREATE OR REPLACE TEMP TABLE asked AS SELECT cell, hash(subject) AS subject, mark FROM ({members});
CREATE OR REPLACE TEMP TABLE told AS
SELECT cell, count(*) AS n, bit_xor(hash(subject, mark)) AS content FROM asked GROUP BY cell;
CREATE OR REPLACE TEMP TABLE new AS
SELECT (SELECT count(*) FROM kept) + row_number() OVER (ORDER BY n, content) AS id, n, content,
  min(cell) AS cell
FROM told ANTI JOIN kept USING (n, content) GROUP BY n, content;
INSERT INTO kept SELECT id, n, content, {fresh} FROM new;
INSERT INTO members SELECT id, subject, mark FROM asked JOIN new USING (cell);
INSERT INTO found SELECT {part}, id FROM told JOIN kept USING (n, content);
DROP TABLE asked;"""
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
# Those who are in the same cells are one class; one of them stands for all.
_CLASSES: Final = """
WITH told AS (SELECT id FROM tells WHERE label = $label),
elements AS (
  SELECT subject, mark, bit_xor(hash(id)) AS within FROM members JOIN told USING (id) GROUP BY subject, mark
),
classes AS (
  SELECT row_number() OVER () - 1 AS class, count(DISTINCT subject) AS size,
    min(struct_pack(subject := subject, mark := mark)) AS one
  FROM elements GROUP BY within
)
SELECT class, any_value(size), list(id) FROM classes
JOIN members ON members.subject = classes.one.subject AND members.mark = classes.one.mark
JOIN told USING (id) GROUP BY class"""


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
        sizes: dict[int, int] = {}
        cells: dict[int, list[int]] = defaultdict(list)
        for found, size, ids in connection.execute(_CLASSES, {"label": label}).fetchall():
            sizes[found] = size
            for cell in ids:
                cells[cell].append(found)
        try:
            if tells_of_few([*cells.values()], [sizes[c] for c in range(len(sizes))], k):
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
        connection.executemany("INSERT INTO labels VALUES (?, ?)", [(at, name) for name in cells.labels])
