"""Who is in which group that an answer tells of: what earlier answers are compared with (`difference.py`).

A *cell* is a group, or all released groups of a grouping taken together along some of its keys: sums of what
is shown can be had without being asked for, and a total beside them gives away what was left out. For each
cell a row a subject, with the fingerprint of its rows there. The label says what the cell tells of: its rows
(no label), or the values of one column, where rows without a value are not in it.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Final

from .draft import Draft
from .model import Cells
from .text import Relation, Source, listed, words

ROWS: Final = ("",)


def cells_of(
    draft: Draft, grouped: Relation, keys: list[str], patterns: Mapping[str, frozenset[str]]
) -> list[Cells]:
    """Queries that give (cell, subject, mark) for every cell of a grouping."""
    found, sets = [], 2 ** len(keys)
    for index, source in enumerate(grouped.sources):
        # Where no value is missing, the cells of the values are those of the rows: they are asked for once.
        members = _members(draft, grouped.name, keys, index, source, "")
        found.append(Cells(members=members, labels=ROWS, sets=sets))
        for filled, labels in patterns.items():
            members = _members(draft, grouped.name, keys, index, source, filled)
            missing = draft.statement(words("SELECT", f"count(*) - count({filled}) FROM {grouped.name}"))
            told = tuple(sorted(labels)) or ROWS
            found.append(Cells(members=members, labels=told, missing=missing, sets=sets))
    return found


def _members(draft: Draft, rows: str, keys: list[str], index: int, source: Source, filled: str) -> str:
    subject = f"s{index}"
    by, over = listed([*keys, subject]), f"PARTITION BY {listed(keys)}" if keys else ""
    people = words(
        "SELECT",
        f"{by}, bit_xor(f{index}) AS f FROM {rows}",
        f"WHERE {filled} IS NOT NULL" if filled else "",
        f"GROUP BY {by} QUALIFY count(*) OVER ({over}) >= {source.k}",
    )
    named = [f"grouping_id({listed(keys)})", *(f"{key} IS NULL, {key}" for key in keys)] if keys else ["0"]
    sets = [listed([*some, subject]) for n in range(len(keys) + 1) for some in combinations(keys, n)]
    return draft.statement(
        words(
            "SELECT",
            f"hash(row({listed(named)})) AS cell, {subject} AS subject, bit_xor(f) AS mark FROM ({people})",
            f"GROUP BY GROUPING SETS ({listed([f'({s})' for s in sets])})",
        )
    )
