"""Tables and views of PostgreSQL databases: read in one snapshot, row by row, in the order of their key.

The password never stands in an address and never in an error: it is handed to the driver beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from entrepot.catalogue.errors import ExtraError, SourceError
from entrepot.catalogue.source import Column, ColumnType, check_columns, split_address
from entrepot.catalogue.source_table import BATCH, Batches, Table, converted
from entrepot.catalogue.source_types import ARROW, MAX_DIGITS, Arrow

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import Composable, Composed

_WAIT_SECONDS: Final = 10
_TYPES: Final = {
    "bool": ColumnType.BOOLEAN,
    "int2": ColumnType.INTEGER,
    "int4": ColumnType.INTEGER,
    "int8": ColumnType.INTEGER,
    "float4": ColumnType.NUMBER,
    "float8": ColumnType.NUMBER,
    "numeric": ColumnType.DECIMAL,
    "date": ColumnType.DATE,
    "timestamp": ColumnType.DATETIME,
    "timestamptz": ColumnType.INSTANT,
}
_AS_TEXT: Final = frozenset(
    {
        "text",
        "varchar",
        "bpchar",
        "char",
        "name",
        "uuid",
        "json",
        "jsonb",
        "time",
        "timetz",
        "interval",
        "inet",
    }
)
_COLUMNS: Final = """
SELECT a.attname, coalesce(b.typname, t.typname), coalesce(b.typtype, t.typtype), a.atttypmod
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type b ON b.oid = nullif(t.typbasetype, 0)
WHERE a.attrelid = %s::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_KEY: Final = """
SELECT a.attname
FROM pg_catalog.pg_index i
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = %s::oid AND i.indisprimary
ORDER BY k.place
"""


@contextmanager
def open_postgresql(address: str, table: str, password: str) -> Iterator[Table]:
    try:
        import psycopg
    except ImportError as error:
        raise ExtraError("reading PostgreSQL", "postgresql") from error
    parts = split_address(address)
    if parts is None or parts.hostname is None:
        raise SourceError("expected postgresql://user@host:port/database")
    try:
        with psycopg.connect(
            host=parts.hostname,
            port=parts.port or 5432,
            user=parts.username or "",
            dbname=parts.path.strip("/"),
            password=password or None,
            connect_timeout=_WAIT_SECONDS,
            application_name="entrepot",
        ) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            # So that the rows of a table without a key come in the same order again.
            connection.execute("SET LOCAL synchronize_seqscans = off")
            connection.execute("SET LOCAL timezone = 'UTC'")
            yield _table(_Reading(connection, table))
    except psycopg.Error as error:
        raise SourceError(_said(error)) from error


@dataclass(frozen=True, slots=True)
class _Reading:
    connection: "Connection[tuple[Any, ...]]"
    table: str

    @property
    def name(self) -> "Composed":
        from psycopg.sql import SQL, Identifier

        return SQL("{}").format(Identifier(*self.table.split(".", 1)))

    def found(self) -> int:
        """The table's own number."""
        row = self.connection.execute(
            "SELECT to_regclass(%s)::oid", (self.name.as_string(self.connection),)
        ).fetchone()
        if row is None or row[0] is None:
            raise SourceError(f"the database has no table {self.table!r} that this user may see")
        return int(row[0])

    def select(self, columns: "Sequence[Composable]", key: Sequence[str] = ()) -> "Composed":
        from psycopg.sql import SQL, Identifier

        order = SQL(" ORDER BY {}").format(SQL(", ").join(map(Identifier, key))) if key else SQL("")
        return SQL("SELECT {} FROM {}{}").format(SQL(", ").join(columns), self.name, order)


def _table(reading: _Reading) -> Table:
    number = reading.found()
    declared = reading.connection.execute(_COLUMNS, (number,)).fetchall()
    check_columns([name for name, *_ in declared])
    columns = tuple(_column(place, *found[:3]) for place, found in enumerate(declared, 1))
    decimals = [c.name for c in columns if c.type is ColumnType.DECIMAL]
    digits = _digits(reading, decimals) if decimals else {}
    schema = pa.schema([pa.field(c.name, digits.get(c.name) or ARROW[c.type]) for c in columns])
    key = [name for (name,) in reading.connection.execute(_KEY, (number,))]
    return Table(columns, schema, _batches(reading, columns, schema, key))


def _column(place: int, name: str, declared: str, kind: str) -> Column:
    if declared in _TYPES:
        return Column(name, _TYPES[declared])
    if declared in _AS_TEXT or kind == "e":
        return Column(name, ColumnType.TEXT)
    raise SourceError(
        f"column {place} is of type {declared}, which no table may hold; leave it out by a view"
    )


def _digits(reading: _Reading, names: Sequence[str]) -> dict[str, Arrow]:
    """How many digits each decimal needs before and behind its point; declared they may be without end."""
    from psycopg.sql import SQL, Identifier

    asked = [
        SQL("max({})").format(SQL(form).format(Identifier(name)))
        for name in names
        for form in ("scale({})", "length(trunc(abs({}))::text)")
    ]
    found = reading.connection.execute(reading.select(asked)).fetchone() or ()
    kinds = {}
    for name, behind, before in zip(names, found[::2], found[1::2], strict=True):
        if (behind or 0) + (before or 1) > MAX_DIGITS:
            raise SourceError(f"column {name!r} holds a number of more than {MAX_DIGITS} digits")
        kinds[name] = pa.decimal128(MAX_DIGITS, behind or 0)
    return kinds


def _batches(reading: _Reading, columns: Sequence[Column], schema: Arrow, key: Sequence[str]) -> Batches:
    from psycopg.sql import SQL, Identifier

    names = [c.name for c in columns]
    forms = [SQL("{}::text") if c.type is ColumnType.TEXT else SQL("{}") for c in columns]
    asked = [form.format(Identifier(name)) for form, name in zip(forms, names, strict=True)]
    readers: list[Callable[[Arrow], Arrow]] = [partial(pa.array, type=kind) for kind in schema.types]
    # A cursor with a name lives at the server, which hands out so many rows at a time.
    with reading.connection.cursor("entrepot") as cursor:
        cursor.execute(reading.select(asked, key))
        while rows := cursor.fetchmany(BATCH):
            yield pa.record_batch(converted(names, readers, list(zip(*rows, strict=True))), schema=schema)


def _said(error: Exception) -> str:
    """What the database objected to, by its code: its words may repeat a value."""
    from psycopg import OperationalError

    code = getattr(error, "sqlstate", None)
    if code is None and not isinstance(error, OperationalError):
        return "the table holds a value that no table may hold, such as a day without end"
    if code is None:
        return "the database could not be reached, or did not let us in"
    said = {"42501": "this user may not read the table", "57014": "the database broke the reading off"}
    return said.get(code, f"the database refused to be read (SQLSTATE {code})")
