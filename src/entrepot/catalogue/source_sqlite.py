"""Tables and views of SQLite databases: read in one snapshot, in the order of their rows.

A column of SQLite holds what was put there, whatever it was declared as; so its type is what stands in
it. A declared boolean or time is believed where every value is one.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa

from entrepot.catalogue.errors import SourceError
from entrepot.catalogue.source import Column, ColumnType, check_columns
from entrepot.catalogue.source_file import opened
from entrepot.catalogue.source_table import BATCH, Batches, Table, converted
from entrepot.catalogue.source_types import ARROW, Arrow, Guess, read_texts

_TIMES: Final = frozenset({ColumnType.DATE, ColumnType.DATETIME, ColumnType.INSTANT})
_ROW_NAMES: Final = ("rowid", "_rowid_", "oid")


@contextmanager
def open_sqlite(path: Path, table: str) -> Iterator[Table]:
    with opened(path):
        pass  # a pipe or a folder would be waited for, or not be named
    address = f"file:{quote(str(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            connection.execute("PRAGMA trusted_schema=OFF")
            connection.execute("BEGIN")
            yield _table(_Reading(connection, table, path.name))
    except (sqlite3.Error, UnicodeError) as error:
        # What SQLite says may repeat a value or a statement.
        raise SourceError(f"{path.name} cannot be read as a SQLite database") from error


@dataclass(frozen=True, slots=True)
class _Reading:
    connection: sqlite3.Connection
    table: str
    file_name: str

    def rows(self, columns: Sequence[str], order: str = "") -> Iterator[list[tuple[Any, ...]]]:
        """Rows of these expressions, so many at a time."""
        cursor = self.connection.execute(f"SELECT {', '.join(columns)} FROM {_quoted(self.table)}{order}")  # noqa: S608 (every name is quoted)
        while rows := cursor.fetchmany(BATCH):
            yield rows

    def declared(self) -> dict[str, str]:
        found = self.connection.execute(
            "SELECT name, upper(type) FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
            (self.table,),
        ).fetchall()
        if not found:
            known = [r[0] for r in self.connection.execute("SELECT name FROM sqlite_schema ORDER BY name")]
            raise SourceError(
                f"{self.file_name} has no table {self.table!r}; it has {', '.join(known[:20]) or 'none'}"
            )
        return dict(found)

    def order(self, names: Sequence[str]) -> str:
        """The order of the rows; a view has none but its own."""
        row = self.connection.execute(
            "SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'", (self.table,)
        ).fetchone()
        if row != ("table", 0):
            return ""
        taken = {n.casefold() for n in names}
        free = next((n for n in _ROW_NAMES if n not in taken), None)
        return f" ORDER BY {free}" if free else ""


def _table(reading: _Reading) -> Table:
    declared = reading.declared()
    names = list(declared)
    check_columns(names)
    held = _held(reading, names)
    columns = tuple(_column(reading, name, declared[name], held[name]) for name in names)
    schema = pa.schema([pa.field(c.name, ARROW[c.type]) for c in columns])
    return Table(columns, schema, _batches(reading, columns, schema))


def _held(reading: _Reading, names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Which storage classes stand in each column, from one pass over the table."""
    classes = ("integer", "real", "text", "blob")
    asked = [f"max(typeof({_quoted(n)}) = '{c}')" for n in names for c in classes]
    found: list[Any] = []
    for start in range(0, len(asked), 400):  # SQLite has a most of columns in an answer
        found += next(reading.rows(asked[start : start + 400]))[0]
    return {
        name: frozenset(c for c, is_there in zip(classes, found[at : at + 4], strict=True) if is_there)
        for name, at in zip(names, range(0, len(found), 4), strict=True)
    }


def _column(reading: _Reading, name: str, declared: str, held: frozenset[str]) -> Column:
    if "blob" in held:
        raise SourceError(f"column {name!r} holds bytes, which no table may hold; leave it out")
    if held == {"integer"}:
        is_boolean = declared.startswith("BOOL") and _all_bits(reading, name)
        return Column(name, ColumnType.BOOLEAN if is_boolean else ColumnType.INTEGER)
    if held and "text" not in held:
        return Column(name, ColumnType.NUMBER)
    if held == {"text"} and declared.startswith(("DATE", "TIME")):
        guess = Guess(_TIMES)
        for rows in reading.rows([_quoted(name)]):
            guess.see(pa.array([row[0] for row in rows], pa.string()))
        return Column(name, guess.type)
    return Column(name, ColumnType.TEXT)


def _all_bits(reading: _Reading, name: str) -> bool:
    quoted = _quoted(name)
    return next(reading.rows([f"min({quoted}) >= 0 AND max({quoted}) <= 1"])) == [(1,)]


def _batches(reading: _Reading, columns: Sequence[Column], schema: Arrow) -> Batches:
    names = [c.name for c in columns]
    asked = [
        f"CAST({_quoted(c.name)} AS TEXT)" if c.type is ColumnType.TEXT else _quoted(c.name) for c in columns
    ]
    readers = [_reader(c) for c in columns]
    for rows in reading.rows(asked, reading.order(names)):
        yield pa.record_batch(converted(names, readers, list(zip(*rows, strict=True))), schema=schema)


def _reader(column: Column) -> Callable[[Arrow], Arrow]:
    if column.type in _TIMES:
        return lambda values: read_texts(pa.array(values, pa.string()), column.type)
    if column.type is ColumnType.BOOLEAN:
        return lambda values: pa.array(values, pa.int64()).cast(pa.bool_())
    return partial(pa.array, type=ARROW[column.type])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
