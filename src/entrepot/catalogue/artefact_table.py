"""Tables as artefacts: Parquet, in row groups that fit in memory whatever the table's size."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from entrepot.catalogue.artefact_file import keep
from entrepot.catalogue.errors import SourceError
from entrepot.catalogue.model import Resource
from entrepot.catalogue.source import Source
from entrepot.catalogue.source_opening import open_table
from entrepot.catalogue.source_table import Table
from entrepot.catalogue.source_types import Arrow
from entrepot.values import TooLargeError

PARQUET: Final = "application/vnd.apache.parquet"
GROUP_ROWS: Final = 65_536
GROUP_BYTES: Final = 32 << 20
MAX_TEXT: Final = 1 << 20
"""Bytes of one text; a longer one is most often a quotation mark without its second."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a table may come to."""

    most_bytes: int = 64 << 30
    least_free: int = 256 << 20
    """What is left to the node on its disk; a full one stops everything that it writes down."""


def make_table(source: Source, password: str, folder: Path, bounds: Bounds) -> Resource:
    """Read the table of a source into an artefact. **Slow: in a thread, never in the writer.**"""
    with open_table(source, password) as table:
        rows = _Rows(table, folder, bounds)
        made = keep(folder, ".parquet", PARQUET, rows.write)
    return replace(made, columns=table.columns, rows=rows.count, source=source)


class _Rows:
    """The rows of a table on their way into a file; never more of them in memory than one group."""

    def __init__(self, table: Table, folder: Path, bounds: Bounds) -> None:
        self.count = 0
        self._table = table
        self._folder = folder
        self._bounds = bounds
        self._waiting: list[Arrow] = []

    def write(self, file: BinaryIO) -> None:
        with pyarrow.parquet.ParquetWriter(file, self._table.schema, compression="zstd") as writer:
            for batch in self._table.batches:
                _check_texts(batch)
                self._waiting.append(batch)
                if self._is_group():
                    self._flush(writer, file)
            if self._waiting:
                self._flush(writer, file)
        if not self.count:
            raise SourceError("the table has no rows")

    def _is_group(self) -> bool:
        rows: int = sum(b.num_rows for b in self._waiting)
        size: int = sum(b.nbytes for b in self._waiting)
        return rows >= GROUP_ROWS or size >= GROUP_BYTES

    def _flush(self, writer: Arrow, file: BinaryIO) -> None:
        group = pa.Table.from_batches(self._waiting, self._table.schema)
        self._waiting.clear()
        writer.write_table(group, row_group_size=GROUP_ROWS)
        self.count += group.num_rows
        if file.tell() > self._bounds.most_bytes:
            raise TooLargeError(f"a table comes to at most {self._bounds.most_bytes} bytes")
        if shutil.disk_usage(self._folder).free < self._bounds.least_free:
            raise TooLargeError("there is not enough room on the disk for this table")


def _check_texts(batch: Arrow) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_string(column.type) and (pc.max(pc.binary_length(column)).as_py() or 0) > MAX_TEXT:
            raise SourceError(
                f"column {name!r} holds a text of more than {MAX_TEXT} bytes; is a quotation mark left open?"
            )
