"""Tables, read batch by batch from whatever they lie in, in one order and with one set of types."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import pyarrow as pa

from entrepot.catalogue.errors import SourceError
from entrepot.catalogue.source import Column, check_columns
from entrepot.catalogue.source_types import Arrow, arrow_of, column_of

BATCH: Final = 10_000
"""Rows of a batch, where we choose."""

Batches: TypeAlias = Iterator[Arrow]
"""Arrow record batches."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is open: its columns, and its rows as they come. It is read once."""

    columns: tuple[Column, ...]
    schema: Arrow
    """The Arrow schema that every batch has."""
    batches: Batches


def table_of(schema: Arrow, batches: Batches) -> Table:
    """A table over batches of that schema, brought to the types that we keep."""
    check_columns(schema.names)
    columns = tuple(column_of(place, field) for place, field in enumerate(schema, 1))
    kinds = [arrow_of(c, f.type) for c, f in zip(columns, schema, strict=True)]
    kept = pa.schema([pa.field(c.name, k) for c, k in zip(columns, kinds, strict=True)])
    return Table(columns, kept, _cast(batches, kept))


def converted(
    names: Sequence[str], readers: Sequence[Callable[[Arrow], Arrow]], batch: Sequence[Arrow]
) -> list[Arrow]:
    """Each column of a batch through its reader; a value that does not fit is told by its column only."""
    found = []
    for name, read, column in zip(names, readers, batch, strict=True):
        try:
            found.append(read(column))
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            # What Arrow says repeats the value, which may be personal.
            raise SourceError(f"column {name!r} holds a value that does not fit its type") from error
    return found


def _cast(batches: Batches, schema: Arrow) -> Batches:
    readers = [_caster(kind) for kind in schema.types]
    for batch in batches:
        yield pa.record_batch(converted(schema.names, readers, batch.columns), schema=schema)


def _caster(kind: Arrow) -> Callable[[Arrow], Arrow]:
    def read(column: Arrow) -> Arrow:
        return column if column.type == kind else column.cast(kind)

    return read
