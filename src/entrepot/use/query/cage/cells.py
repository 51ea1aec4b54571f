"""Who is in which group that an answer tells of: what earlier answers are compared with (`difference.py`).

A *cell* is a group, or all released groups of a grouping taken together along some of its keys: sums of what
is shown can be had without being asked for, and a total beside them gives away what was left out. For each
cell a row a subject, with the marks of the table's rows that the cell tells of, taken together or one by one.
The label says what that is: the rows themselves (no label), or the values of one column, where rows without a
value are not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

from .draft import Draft
from .model import Cells
from .text import Relation, listed, words

ROWS: Final = ("",)
ROWS_MARKS: Final = "f0"
"""Where the marks of the rows of a relation are; those of the values of a column may be fewer."""
Told: TypeAlias = Mapping[str, frozenset[str]]
"""What a value tells of: columns of the table, by where the marks of their rows are."""
_FEWER: Final = "SELECT 1"
"""How to ask how many rows have no value, where the values may be of fewer rows than the relation."""
OF_ROWS: Final[Told] = {ROWS_MARKS: frozenset()}


def cells_of(draft: Draft, grouped: Relation, keys: list[str], patterns: Mapping[str, Told]) -> list[Cells]:
    """Queries that give (cell, subject, mark) for every cell of a grouping."""
    found = [_cells(draft, _Told(grouped, keys, i, f"f{i}"), ROWS, "") for i in range(len(grouped.sources))]
    for filled, told in patterns.items():
        # Where no value is missing, the cells of values are those of the rows: they are asked for once.
        missing = draft.statement(words("SELECT", f"count(*) - count({filled}) FROM {grouped.name}"))
        for marks, labels in told.items():
            of = _Told(grouped, keys, 0, marks, filled)
            found.append(
                _cells(draft, of, tuple(sorted(labels)) or ROWS, missing if marks == ROWS_MARKS else _FEWER)
            )
    return found


def gathered(marks: str, *, are_lists: bool, filled: str = "") -> str:
    """The marks of several rows as one list; those of rows without this value are not in it."""
    only = f" FILTER (WHERE {filled} IS NOT NULL)" if filled else ""
    return f"flatten(list({marks}){only})" if are_lists else f"list({marks}){only}"


@dataclass(frozen=True, slots=True)
class _Told:
    """Of which rows of a relation, grouped by which keys, something is told."""

    rows: Relation
    keys: list[str]
    source: int
    marks: str
    filled: str = ""
    """What is not empty in them."""

    def by_subject(self, *found: str) -> str:
        """What is asked of the rows of each subject of each group that is large enough."""
        by, over = listed([*self.keys, f"s{self.source}"]), listed(self.keys)
        return words(
            "SELECT",
            f"{listed([by, *found])} FROM {self.rows.name}",
            f"WHERE {self.filled} IS NOT NULL" if self.filled else "",
            f"GROUP BY {by} QUALIFY count(*) OVER ({f'PARTITION BY {over}' if over else ''})",
            f">= {self.rows.sources[self.source].k}",
        )

    def in_cells(self, people: str, *found: str) -> str:
        """The same for groups, and for those that are added up along some of their keys."""
        subject, keys = f"s{self.source}", listed(self.keys)
        cell = f"row(grouping_id({keys}), {keys})" if keys else "0"
        some = [listed([*s, subject]) for n in range(len(self.keys) + 1) for s in combinations(self.keys, n)]
        given = listed([f"{cell} AS cell", f"{subject} AS subject", *found])
        sets = listed([f"({s})" for s in some])
        return words("SELECT", given, f"FROM ({people}) GROUP BY GROUPING SETS ({sets})")


def _cells(draft: Draft, told: _Told, labels: tuple[str, ...], missing: str) -> Cells:
    are_lists = told.rows.sources[told.source].has_many
    marks = told.marks
    mark = f"list_aggregate({marks}, 'bit_xor')" if are_lists else marks
    many = f"bool_or(len({marks}) > 1) OR count(*) > 1" if are_lists else "count(*) > 1"
    once = told.by_subject(f"bit_xor({mark}) AS f", f"{many} AS has_many")
    each = told.by_subject(f"{gathered(marks, are_lists=are_lists)} AS f")
    members = told.in_cells(once, "bit_xor(f) AS mark", "bool_or(has_many) OR count(*) > 1 AS has_many")
    return Cells(
        members=draft.statement(members),
        rows=draft.statement(told.in_cells(each, "flatten(list(f)) AS marks")),
        labels=labels,
        missing=missing,
        sets=2 ** len(told.keys),
    )
