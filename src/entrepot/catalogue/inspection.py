"""What stands in a table, for its owner to look at before it is offered: first rows, types, statistics.

**It shows values.** The least and the greatest are left out for text and for columns named as sensitive;
the first rows leave out the latter as well.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from entrepot.catalogue.errors import SourceError
from entrepot.catalogue.model import Resource
from entrepot.catalogue.source import Column, ColumnType
from entrepot.catalogue.source_file import opened
from entrepot.catalogue.source_types import Arrow

PREVIEW: Final = 20
MOST_DISTINCT: Final = 10_000
_Value: TypeAlias = Arrow
"""A value of a column, of whatever type that has."""
_CELL: Final = 200
"""Characters of a text that a preview shows."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a column holds."""

    column: Column
    nulls: int
    distinct: int
    """Different values; counted up to `MOST_DISTINCT`, and then one more than that."""
    least: object | None = None
    greatest: object | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What stands in a table."""

    rows: int
    columns: tuple[Statistics, ...]
    preview: tuple[tuple[object, ...], ...]
    """The first rows, in the order of the columns."""


def inspect(resource: Resource, sensitive: Collection[str] = ()) -> Inspection:
    """Look a table over, one row group in memory at a time. **Slow: never on the event loop.**"""
    if not resource.columns:
        raise SourceError("this resource is no table")
    unknown = set(sensitive) - {c.name for c in resource.columns}
    if unknown:
        raise SourceError(f"there is no column {min(unknown)!r}")
    tallies = [_Tally(c, shows=c.name not in sensitive) for c in resource.columns]
    return Inspection(resource.rows, *_looked_over(resource.path, tallies))


def _looked_over(
    path: Path, tallies: list["_Tally"]
) -> tuple[tuple[Statistics, ...], tuple[tuple[object, ...], ...]]:
    preview: list[tuple[object, ...]] = []
    with opened(path) as file:
        parquet = pyarrow.parquet.ParquetFile(file)
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group, use_threads=False)
            if not preview:
                first = [t.shown(c) for t, c in zip(tallies, table.slice(0, PREVIEW).columns, strict=True)]
                preview = list(zip(*first, strict=True))
            for tally, column in zip(tallies, table.columns, strict=True):
                tally.see(column)
    return tuple(t.statistics() for t in tallies), tuple(preview)


class _Tally:
    """Statistics of one column as they grow."""

    def __init__(self, column: Column, *, shows: bool) -> None:
        self._column = column
        self._shows = shows
        self._nulls = 0
        self._known: Arrow = None
        self._least: _Value = None
        self._greatest: _Value = None

    def see(self, values: Arrow) -> None:
        self._nulls += values.null_count
        self._count(values)
        if self._shows and self._column.type is not ColumnType.TEXT:
            found = pc.min_max(values).as_py()
            self._least = _better(min, self._least, found["min"])
            self._greatest = _better(max, self._greatest, found["max"])

    def shown(self, values: Arrow) -> list[object]:
        """Values of the first rows."""
        if not self._shows:
            return ["…"] * len(values)
        return [v[:_CELL] if isinstance(v, str) else v for v in values.to_pylist()]

    def statistics(self) -> Statistics:
        distinct = 0 if self._known is None else len(self._known)
        return Statistics(self._column, self._nulls, distinct, self._least, self._greatest)

    def _count(self, values: Arrow) -> None:
        if self._known is not None and len(self._known) > MOST_DISTINCT:
            return
        fresh = pc.drop_null(pc.unique(values))
        known = fresh if self._known is None else pc.unique(pa.concat_arrays([self._known, fresh]))
        self._known = known[: MOST_DISTINCT + 1]


def _better(choose: Callable[..., _Value], known: _Value, found: _Value) -> _Value:
    return found if known is None else known if found is None else choose(known, found)
