"""Who is in which group that an answer tells of: what earlier answers are compared with (`difference.py`).

A *cell* is a group, or all released groups of a grouping taken together along some of its keys: sums of what
is shown can be had without being asked for, and a total beside them gives away what was left out. For each
cell a row a subject: how many rows of the table it has there, and a sum of their fingerprints. The label says
what the cell tells of: its rows, or the values of one column, where those without one are not in it.
"""

from collections.abc import Mapping
from itertools import combinations

from .draft import Draft
from .text import Relation, Source, listed, text, words


def cells_of(
    draft: Draft, grouped: Relation, keys: list[str], patterns: Mapping[str, frozenset[str]]
) -> list[str]:
    """Queries that give (label, cell, subject, rows, mark) for every cell of a grouping."""
    asked = [("", ""), *((origin, filled) for filled, some in patterns.items() for origin in sorted(some))]
    return [
        draft.statement(_cells(grouped.name, keys, index, source, label, filled))
        for index, source in enumerate(grouped.sources)
        for label, filled in asked
    ]


def _cells(rows: str, keys: list[str], index: int, source: Source, label: str, filled: str) -> str:
    by, over = listed([*keys, f"s{index}"]), f"PARTITION BY {listed(keys)}" if keys else ""
    people = words(
        "SELECT",
        f"{by}, count(*) AS n, sum(f{index}) AS f FROM {rows}",
        f"WHERE {filled} IS NOT NULL" if filled else "",
        f"GROUP BY {by} QUALIFY count(*) OVER ({over}) >= {source.k}",
    )
    named = [f"grouping_id({listed(keys)})", *(f"{key} IS NULL, {key}" for key in keys)] if keys else ["0"]
    sets = [listed([*some, f"s{index}"]) for n in range(len(keys) + 1) for some in combinations(keys, n)]
    return words(
        "SELECT",
        f"{text(label).sql} AS label, CAST(row({listed(named)}) AS VARCHAR) AS cell, s{index} AS subject,",
        f"sum(n) AS rows, sum(f) AS mark FROM ({people})",
        f"GROUP BY GROUPING SETS ({listed([f'({s})' for s in sets])})",
    )
