"""Pages of tables: read from their artefacts, and kept for the next one who asks the same.

An artefact never changes, so a page of it may be kept as long as there is room; what is kept is bounded.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from os import fstat
from threading import Lock
from typing import Final, Generic, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from entrepot.catalogue.artefact_ask import MAX_BYTES, Ask, Condition, Slice, Value
from entrepot.catalogue.errors import SourceError
from entrepot.catalogue.model import Resource
from entrepot.catalogue.source_file import mark_of, opened
from entrepot.catalogue.source_types import Arrow

MOST_LOOKED_AT: Final = 1_000_000
"""Rows that one page may look at; where few satisfy a filter, a page may hold fewer than were asked for."""

_COMPARE: Final = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_WIDE: Final = 76
"""Digits that hold any decimal of a column and any of a filter at once."""
_encoder: Final = msgspec.json.Encoder()

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shelf(Generic[K, V]):
    """What was used last, as much as fits."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._places: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            place = self._places.get(key)
            if place is None:
                return None
            self._places.move_to_end(key)
            return place[0]

    def put(self, key: K, value: V, size: int) -> None:
        with self._lock:
            if key in self._places or size > self._most:
                return
            self._places[key] = value, size
            self._held += size
            while self._held > self._most:
                _, (_, given_up) = self._places.popitem(last=False)
                self._held -= given_up


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the rows of an artefact lie in its groups."""

    metadata: Arrow
    starts: tuple[int, ...]
    """The first row of each group."""


class TableReader:
    """Reads pages. Its methods may be called from several threads."""

    def __init__(self, most_bytes: int = 64 << 20) -> None:
        self._slices: Shelf[tuple[bytes, Ask], Slice] = Shelf(most_bytes // 2)
        self._columns: Shelf[tuple[bytes, int, str], Arrow] = Shelf(most_bytes)
        self._layouts: Shelf[bytes, _Layout] = Shelf(1_000)

    def kept(self, resource: Resource, ask: Ask) -> Slice | None:
        """The page, where it was asked for before. At once, without reading anything."""
        return self._slices.get((resource.digest, ask))

    def read(self, resource: Resource, ask: Ask) -> Slice:
        """The page, from the artefact. **In a thread: it may take a while.**"""
        with opened(resource.path) as file:
            if mark_of(fstat(file.fileno())) != (resource.size, resource.modified_ns, resource.inode):
                raise SourceError("the artefact is not the one that was attached")
            reading = _Reading(resource.digest, file, self._columns, self._layouts)
            page = _page(reading, ask)
        self._slices.put((resource.digest, ask), page, len(page.items) + 500)
        return page


class _Reading:
    """One artefact, open."""

    def __init__(
        self,
        digest: bytes,
        file: Arrow,
        columns: Shelf[tuple[bytes, int, str], Arrow],
        layouts: Shelf[bytes, _Layout],
    ) -> None:
        self._digest = digest
        self._file = file
        self._columns = columns
        known = layouts.get(digest)
        if known is None:
            known = _layout_of(pyarrow.parquet.read_metadata(file))
            layouts.put(digest, known, 1)
        self.starts = known.starts
        self._metadata = known.metadata

    def columns(self, group: int, names: Sequence[str]) -> dict[str, Arrow]:
        """Columns of one group of rows; read from the file only where they are not at hand."""
        found = {name: self._columns.get((self._digest, group, name)) for name in dict.fromkeys(names)}
        missing = [name for name, column in found.items() if column is None]
        if missing:
            parquet = pyarrow.parquet.ParquetFile(self._file, metadata=self._metadata)
            table = parquet.read_row_group(group, columns=missing, use_threads=False)
            for name in missing:
                found[name] = column = table.column(name).combine_chunks()
                self._columns.put((self._digest, group, name), column, column.nbytes)
        return found

    def groups_from(self, row: int) -> Iterator[tuple[int, int]]:
        """Each group from that row on, and the first row in it that counts."""
        first = bisect_right(self.starts, row) - 1
        for group in range(first, len(self.starts) - 1):
            yield group, max(row - self.starts[group], 0)


def _layout_of(metadata: Arrow) -> _Layout:
    starts = [0]
    for group in range(metadata.num_row_groups):
        starts.append(starts[-1] + metadata.row_group(group).num_rows)
    return _Layout(metadata, tuple(starts))


def _page(reading: _Reading, ask: Ask) -> Slice:
    """Gather rows until there are enough, or too many were looked at."""
    names = [*ask.fields, *(c.column.name for c in ask.conditions)]
    rows: list[dict[str, object]] = []
    room = MAX_BYTES
    for group, first in reading.groups_from(ask.start):
        columns = reading.columns(group, names)
        places, after = _places(columns, ask.conditions, first, ask.most - len(rows))
        parts = [_picked(columns[name], places) for name in ask.fields]
        fitting = _fitting(parts, len(places), room, is_first=not rows)
        values = [part.slice(0, fitting).to_pylist() for part in parts]
        rows += [dict(zip(ask.fields, row, strict=True)) for row in zip(*values, strict=True)]
        room -= sum(part.nbytes for part in parts)
        start = reading.starts[group]
        if fitting < len(places):
            return _written(rows, start + places[fitting])
        if start + after >= reading.starts[-1]:
            break
        if len(rows) == ask.most or start + after - ask.start >= MOST_LOOKED_AT:
            return _written(rows, start + after)
    return _written(rows, None)


def _places(
    columns: dict[str, Arrow], conditions: Sequence[Condition], first: int, most: int
) -> tuple[Sequence[int], int]:
    """The next rows of a group that satisfy all conditions, and the row behind the last one looked at."""
    length = len(next(iter(columns.values())))
    if not conditions:
        last = min(first + most, length)
        return range(first, last), last
    keeps = None
    for condition in conditions:
        holds = _holds(columns[condition.column.name].slice(first), condition)
        keeps = holds if keeps is None else pc.and_(keeps, holds)
    found = pc.indices_nonzero(keeps)
    places = [first + place for place in found.slice(0, most).to_pylist()]
    return places, length if len(found) <= most else first + found[most].as_py()


def _picked(column: Arrow, places: Sequence[int]) -> Arrow:
    if isinstance(places, range):
        return column.slice(places.start, len(places))
    return column.take(pa.array(places, pa.int64()))


def _holds(column: Arrow, condition: Condition) -> Arrow:
    """Where the condition holds; a missing value satisfies nothing."""
    if condition.mark == "in":
        each = [_compared(column, "=", value) for value in condition.values]
        holds = reduce(pc.or_, each)
    else:
        holds = _compared(column, condition.mark, condition.values[0])
    return pc.fill_null(holds, fill_value=False)


def _compared(column: Arrow, mark: str, value: Value) -> Arrow:
    if isinstance(value, Decimal):  # it may be asked for more closely than the column is kept
        kind = pa.decimal256(_WIDE, max(column.type.scale, -int(value.as_tuple().exponent)))
        column = column.cast(kind)
    return _COMPARE[mark](column, pa.scalar(value, column.type))


def _fitting(parts: Sequence[Arrow], count: int, room: int, *, is_first: bool) -> int:
    """How many of these rows there is room for; one at least on a page, or it would never end."""
    while count > 0 and sum(part.slice(0, count).nbytes for part in parts) > room:
        if count == 1:
            return 1 if is_first else 0
        count //= 2
    return count


def _written(rows: list[dict[str, object]], after: int | None) -> Slice:
    return Slice(_encoder.encode(rows), len(rows), after)
