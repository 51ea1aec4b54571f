"""Rows on their way out of a database and into another: for backups, and from SQLite to PostgreSQL.

A table is carried in the order of its key, text by its bytes and not by a language, so that the same rows
have the same digest on every database. What a table holds follows from the database's own columns at its
own revision; values are carried as they are stored. A table with `info={DERIVED: True}` holds nothing that
cannot be made again from the others, and stays behind.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import (
    BigInteger,
    Connection,
    String,
    Table,
    collate,
    column,
    insert,
    select,
    table,
    text,
    type_coerce,
)

from entrepot.journal.database import UtcTimeColumn, metadata
from entrepot.values import MalformedError

DERIVED: Final = "derived"
_AT_ONCE: Final = 1_000
_LENGTH: Final = struct.Struct(">I")
_MOST_BYTES: Final = 256 << 20

Values: TypeAlias = "Sequence[Any]"


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a table there is: rows, their digest, and the last number that it gave to one."""

    rows: int
    digest: bytes
    last: int | None


def carried_tables() -> list[Table]:
    """Every table of a node that must be carried, as its packages declare it."""
    return [t for t in metadata.sorted_tables if not t.info.get(DERIVED)]


def read_rows(connection: Connection, of: Table) -> Iterator[bytes]:
    """Each row of a table as bytes, in the order of its key."""
    is_sqlite = connection.dialect.name == "sqlite"
    key = [
        c if is_sqlite or not isinstance(c.type, String) else collate(c, "C") for c in of.primary_key.columns
    ]
    stored = [type_coerce(c, BigInteger) if isinstance(c.type, UtcTimeColumn) else c for c in of.columns]
    query = select(*stored).order_by(*key)
    found = connection.execute(query, execution_options={"yield_per": _AT_ONCE})
    return (encode_row(row) for row in found)


def last_number(connection: Connection, of: Table) -> int | None:
    """The last number that a table gave to a row, which it never gives again; None where it gives none."""
    numbered = of.autoincrement_column
    if numbered is None:
        return None
    if connection.dialect.name == "sqlite":
        given = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return connection.execute(given, {"name": of.name}).scalar() or 0
    sequence = connection.execute(_SEQUENCE, {"name": of.name, "column": numbered.name}).scalar_one()
    row = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()  # noqa: S608 (a name of the database's own)
    return int(row.last_value) if row.is_called else 0


def add_rows(connection: Connection, name: str, columns: Sequence[str], rows: Iterable[bytes]) -> Extent:
    """Put rows into an empty table, and say how much that was."""
    into = insert(table(name, *(column(c) for c in columns)))
    digest, count = sha256(), 0
    for some in _in_lots(rows):
        connection.execute(into, [dict(zip(columns, decode_row(raw), strict=True)) for raw in some])
        for raw in some:
            digest.update(frame(raw))
        count += len(some)
    return Extent(count, digest.digest(), None)


def go_on_after(connection: Connection, name: str, numbered: str, last: int) -> None:
    """Let a table go on numbering its rows after `last`."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
        given = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)")
        connection.execute(given, {"name": name, "last": last})
    elif last:
        connection.execute(_GO_ON, {"name": name, "column": numbered, "last": last})


def extent_of(connection: Connection, of: Table) -> Extent:
    """How much of a table there is, by reading all of it."""
    digest, count = sha256(), 0
    for raw in read_rows(connection, of):
        digest.update(frame(raw))
        count += 1
    return Extent(count, digest.digest(), last_number(connection, of))


def encode_row(row: Values) -> bytes:
    return _encoder.encode([bytes(v) if isinstance(v, memoryview) else v for v in row])


def decode_row(raw: bytes) -> list[Any]:
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"expected a row of values: {error}") from error


def frame(raw: bytes) -> bytes:
    """A row with its length before it, as it is digested and as it lies in a file."""
    return _LENGTH.pack(len(raw)) + raw


def read_frames(read: Any) -> Iterator[bytes]:  # noqa: ANN401 (`read` of a binary file)
    """The rows of a file of frames."""
    while head := read(_LENGTH.size):
        if len(head) != _LENGTH.size or (length := _LENGTH.unpack(head)[0]) > _MOST_BYTES:
            raise MalformedError("expected the length of a row")
        raw = read(length)
        if len(raw) != length:
            raise MalformedError(f"expected a row of {length} bytes, got {len(raw)}")
        yield raw


def _in_lots(rows: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(rows)
    while lot := list(islice(rest, _AT_ONCE)):
        yield lot


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[Any])
_SEQUENCE: Final = text("SELECT pg_get_serial_sequence(:name, :column)")
_GO_ON: Final = text("SELECT setval(pg_get_serial_sequence(:name, :column), :last)")
