"""Who is in which group that an answer tells of: what earlier answers are compared with (`difference.py`).

A *cell* is a group, or all released groups of a grouping taken together along some of its keys: sums of what
is shown can be had without being asked for, and a total beside them gives away what was left out. For each
cell a row a subject, with the sum of the fingerprints of its rows there. The label says what the cell tells
of: its rows, or the values of one column, where rows without a value are not in it.
"""

from collections.abc import Mapping
from itertools import combinations

from .draft import Draft
from .text import Relation, Source, listed, text, words


def cells_of(
    draft: Draft, grouped: Relation, keys: list[str], patterns: Mapping[str, frozenset[str]]
) -> list[str]:
    """Queries that give (label, cell, subject, mark) for every cell of a grouping."""
    asked = [("", ""), *((origin, filled) for filled, some in patterns.items() for origin in sorted(some))]
    return [
        draft.statement(_cells(grouped.name, keys, index, source, label, filled))
        for index, source in enumerate(grouped.sources)
        for label, filled in asked
    ]


def _cells(rows: str, keys: list[str], index: int, source: Source, label: str, filled: str) -> str:
    subject, mark = f"s{index}", f"f{index}"
    over = f"PARTITION BY {listed(keys)}" if keys else ""
    # A join repeats rows, in one group and in several: each row of the table counts once in a cell.
    people = words(
        "SELECT DISTINCT",
        listed([*keys, subject, mark]),
        f"FROM {rows}",
        f"WHERE {filled} IS NOT NULL" if filled else "",
        f"QUALIFY count(DISTINCT {subject}) OVER ({over}) >= {source.k}",
    )
    named = [f"grouping_id({listed(keys)})", *(f"{key} IS NULL, {key}" for key in keys)] if keys else ["0"]
    sets = [listed([*some, subject]) for n in range(len(keys) + 1) for some in combinations(keys, n)]
    return words(
        "SELECT",
        f"{text(label).sql} AS label, CAST(row({listed(named)}) AS VARCHAR) AS cell, {subject} AS subject,",
        f"sum(DISTINCT {mark}) AS mark FROM ({people})",
        f"GROUP BY GROUPING SETS ({listed([f'({s})' for s in sets])})",
    )
