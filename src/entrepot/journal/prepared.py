"""Statements made ready once, for the few that run at every use.

SQLAlchemy spends some twenty microseconds around each statement that SQLite answers in three. A prepared
statement is compiled once by SQLAlchemy for SQLite and then given to the driver itself, in the transaction
of the same connection; on PostgreSQL, which prepares on its own, it goes the usual way. What it finds, what
it raises, and what an error leaves behind are the same on either way (bench/gate_uses.py is why).
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql import Delete, Insert, Select, Update

from entrepot.journal.database import told

_ROWCOUNT: Final = attrgetter("rowcount")
_LAST_ROW: Final = attrgetter("lastrowid")

Processor: TypeAlias = Callable[[Any], Any]
Statement: TypeAlias = "Select[Any] | Insert | Update | Delete"


class _Ready(NamedTuple):
    """A statement for SQLite: its text, what puts the values in order, and what is made of a row."""

    text: str
    size: int
    bind: Callable[[Mapping[str, Any]], Sequence[Any]]
    make: Callable[[Sequence[Any]], Any]


class Prepared:
    """One statement; every call names all its values, and no others. An insert's first call says which."""

    def __init__(self, statement: Statement) -> None:
        self.statement: Final = statement
        self._ready: _Ready | None = None

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 (a row)
        """The first row, its columns by name; None where there is none."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self.statement, values).first()
        ready = self._ready or self._prepare(connection.dialect, values)
        row = _execute(connection, ready, values, sqlite3.Cursor.fetchone)
        return None if row is None else ready.make(row)

    def all(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """Every row, its columns by name."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self.statement, values).all()
        ready = self._ready or self._prepare(connection.dialect, values)
        return [ready.make(row) for row in _execute(connection, ready, values, sqlite3.Cursor.fetchall)]

    def change(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Write, and say how many rows were changed."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self.statement, values).rowcount
        ready = self._ready or self._prepare(connection.dialect, values)
        changed: int = _execute(connection, ready, values, _ROWCOUNT)
        return changed

    def add(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Insert one row into a table that numbers its rows, and give its number."""
        if connection.dialect.name != "sqlite":
            key = connection.execute(self.statement, values).inserted_primary_key
            return int(key[0])  # type: ignore[index]  # an inserted row has a key
        ready = self._ready or self._prepare(connection.dialect, values)
        number: int = _execute(connection, ready, values, _LAST_ROW)
        return number

    def _prepare(self, dialect: Dialect, values: Mapping[str, Any]) -> _Ready:
        self._ready = _compiled(self.statement, dialect, values)
        return self._ready


def _compiled(statement: Statement, dialect: Dialect, values: Mapping[str, Any]) -> _Ready:
    compiled: Any = statement.compile(
        dialect=dialect, column_keys=list(values), compile_kwargs={"render_postcompile": True}
    )
    names, busy, fixed = [], [], {}
    for place, name in enumerate(compiled.positiontup):
        bind = compiled.binds.get(name)
        if bind is None or name not in values:
            value = compiled.params[name] if bind is None else bind.effective_value
            fixed[name] = value
        names.append(name)
        process = None if bind is None else bind.type.dialect_impl(dialect).bind_processor(dialect)
        if process is not None:
            busy.append((place, process))
    size = len({*names} - fixed.keys())
    return _Ready(compiled.string, size, _binder(names, busy, fixed), _maker(statement, dialect))


def _binder(
    names: Sequence[str], busy: Sequence[tuple[int, Processor]], fixed: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """What puts values, given or the same each time, in the order that the statement wants."""
    if not fixed and not busy and len(names) > 1:
        return itemgetter(*names)

    def bind(values: Mapping[str, Any]) -> Sequence[Any]:
        given = {**values, **fixed} if fixed else values
        row = [given[name] for name in names]
        for place, process in busy:
            row[place] = process(row[place])
        return row

    return bind


def _maker(statement: Executable, dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
    """What makes a row of SQLite's into one with names, its values as SQLAlchemy would give them."""
    if not isinstance(statement, Select):
        return tuple
    columns = list(statement.selected_columns)
    kind = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc]  # noqa: PYI024 (the names are the statement's)
    plain: Callable[[Sequence[Any]], Any] = partial(tuple.__new__, kind)
    processors = [c.type.dialect_impl(dialect).result_processor(dialect, None) for c in columns]
    busy = [(place, process) for place, process in enumerate(processors) if process is not None]

    def make(row: Sequence[Any]) -> Any:  # noqa: ANN401 (a row)
        values = list(row)
        for place, process in busy:
            values[place] = process(values[place])
        return plain(values)

    return make if busy else plain


def _execute(
    connection: Connection, ready: _Ready, values: Mapping[str, Any], take: Callable[[sqlite3.Cursor], Any]
) -> Any:  # noqa: ANN401 (what is taken)
    if len(values) != ready.size:
        raise TypeError(f"expected {ready.size} values, got {sorted(values)}")
    driver: Any = connection.connection.dbapi_connection
    try:
        return take(driver.execute(ready.text, ready.bind(values)))
    except KeyError as error:
        raise TypeError(f"no value for {error}") from error
    except sqlite3.Error as error:
        raise told(connection, ready.text, error) from error
