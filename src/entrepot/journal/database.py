"""The database of one node: where its tables are declared, and how its connections behave.

SQLite is opened in WAL mode with `synchronous=FULL`, and transactions begin where we say so: the
driver's own implicit transactions are switched off. On PostgreSQL writers are serializable and readers
see one snapshot.
"""

import sqlite3
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    URL,
    BigInteger,
    Connection,
    Dialect,
    Engine,
    ExceptionContext,
    Integer,
    MetaData,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import TypeDecorator

from entrepot.journal.errors import OutcomeUnknownError
from entrepot.values import MalformedError, UnavailableError, UtcTime, require_utc

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of a node. A package declares its own in its `store.py`; none refers to another's."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_BUSY_SECONDS: Final = "30"
_POOL_SIZE: Final = 8
# Of the one writer: what every use changes must fit into memory; what is not needed is not taken.
_CACHE_KILOBYTES: Final = 64 << 10
_WAL_ATTEMPTS: Final = 500
_WAL_PAUSE_SECONDS: Final = 0.01

# What ends a whole transaction, whichever statement met it (SQLite, "Result and Error Codes").
_FATAL_SQLITE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# PostgreSQL, appendix A: connection, resources, operator's intervention, system, internal.
_FATAL_POSTGRESQL: Final = ("08", "53", "57", "58", "XX")
_LOST_A_RACE: Final = frozenset({"40001", "40P01"})

RowNumber: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A number that the database gives to each row: 64 bits everywhere, SQLite's own row id there."""


class UtcTimeColumn(TypeDecorator[UtcTime]):
    """An aware UTC time, kept as whole microseconds since 1970: exact and ordered on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: UtcTime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 (the base class's signature)
        return None if value is None else micros_of(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> UtcTime | None:  # noqa: ARG002 (the base class's signature)
        return None if value is None else time_at(value)


def micros_of(time: UtcTime) -> int:
    return (require_utc(time) - _EPOCH) // _MICROSECOND


def time_at(micros: int) -> UtcTime:
    return _EPOCH + micros * _MICROSECOND


def parse_url(url: str) -> URL:
    """Read the address of a node's database, or refuse what no node can be run on."""
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite" if parsed.database in {None, "", ":memory:"}:
            raise MalformedError("a node's database is a file: sqlite:///FILE")
        case "sqlite":
            return parsed
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise NotImplementedError(f"a node's database is sqlite:///FILE or postgresql://…, not {other}")


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def open_writer(url: URL) -> Engine:
    """Open the engine that writes. On SQLite every transaction takes the write lock when it begins."""
    if is_sqlite(url):
        return _open_sqlite(url, begin="BEGIN IMMEDIATE", query_only=False)
    # As many again, for asking what became of a transaction whose connection was lost.
    return _open_postgresql(url, "SERIALIZABLE", overflow=_POOL_SIZE)


def open_reader(url: URL) -> Engine:
    """Open the engine that reads. Each transaction sees one snapshot and can change nothing."""
    if is_sqlite(url):
        return _open_sqlite(url, begin="BEGIN", query_only=True)
    engine = _open_postgresql(url, "REPEATABLE READ", overflow=0)
    return engine.execution_options(postgresql_readonly=True)


def is_fatal(error: BaseException) -> bool:
    """Say whether `error` is the database's own trouble, and not that of the statement that met it."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        # An error of the driver itself has no code.
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _FATAL_SQLITE
    state = _sqlstate(error)
    is_unanswered = not state and isinstance(error, OperationalError)
    return error.connection_invalidated or is_unanswered or state.startswith(_FATAL_POSTGRESQL)


def is_lost_race(error: BaseException) -> bool:
    """Say whether a transaction only has to be run again: another one was faster (PostgreSQL)."""
    return isinstance(error, DBAPIError) and _sqlstate(error) in _LOST_A_RACE


def may_have_committed(error: BaseException) -> bool:
    """Say whether SQLite's COMMIT may stand in the file though it failed.

    A disk that did not confirm holds it perhaps; on one that was full there was no room for it.
    """
    original = error.orig if isinstance(error, DBAPIError) else None
    return getattr(original, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL


def unavailable(error: BaseException) -> UnavailableError:
    """Give a fresh error of ours that tells what the database said: nothing was written down."""
    failure = UnavailableError(f"the journal could not be reached: {_said(error)}")
    failure.__cause__ = error
    return failure


def unknown(error: BaseException) -> OutcomeUnknownError:
    """As `unavailable`, where it may have been written down."""
    failure = OutcomeUnknownError(f"the journal was lost at COMMIT: {_said(error)}")
    failure.__cause__ = error
    return failure


def told(connection: Connection, text: str, error: sqlite3.Error) -> BaseException:
    """The driver's own error as SQLAlchemy would have raised it, without values: they may be secret."""
    raised = DBAPIError.instance(
        text, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
    )
    if is_fatal(raised):
        # What a use case did next on this connection would run outside its transaction.
        connection.invalidate(raised)
    return raised


def _said(error: BaseException) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""  # absent where the server said nothing


def _open_postgresql(url: URL, isolation_level: IsolationLevel, *, overflow: int) -> Engine:
    return create_engine(
        url,
        isolation_level=isolation_level,
        pool_size=_POOL_SIZE,
        max_overflow=overflow,
        pool_pre_ping=True,
        hide_parameters=True,  # values may be secret, and errors reach the log
    )


def _open_sqlite(url: URL, *, begin: str, query_only: bool) -> Engine:
    engine = create_engine(
        url.set(query={"timeout": _BUSY_SECONDS} | url.query),
        poolclass=QueuePool,
        pool_size=_POOL_SIZE,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401 (a driver's connection)
        connection.isolation_level = None
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what is destroyed is overwritten, not only forgotten
        if query_only:
            connection.execute("PRAGMA query_only=ON")
        else:
            connection.execute(f"PRAGMA cache_size=-{_CACHE_KILOBYTES}")
            # What a savepoint may bring back would be written to a temporary file, page by page.
            connection.execute("PRAGMA temp_store=MEMORY")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        try:
            driver.execute(begin)  # by SQLAlchemy it would cost as much as the rest of a small reading
        except sqlite3.Error as error:
            raise told(connection, begin, error) from error

    @event.listens_for(engine, "handle_error")
    def _drop(context: ExceptionContext) -> None:
        # What a use case did next on this connection would run outside its transaction.
        if context.sqlalchemy_exception is not None and is_fatal(context.sqlalchemy_exception):
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL.

    Where several processes make the file at once, SQLite refuses all but one of them without waiting.
    """
    for _ in range(_WAL_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_WAL_PAUSE_SECONDS)
        else:
            return
    raise UnavailableError("the database is locked by another process")
