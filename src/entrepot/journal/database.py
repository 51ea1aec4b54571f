"""The database of one node: where its tables are declared, and how its connections behave.

SQLite is opened in WAL mode with `synchronous=FULL`, and transactions begin where we say so: the
driver's own implicit transactions are switched off.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.pool import Pool, QueuePool
from sqlalchemy.types import TypeDecorator

from entrepot.values import MalformedError, UtcTime, require_utc

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of a node. A package declares its own in its `store.py`; none refers to another's."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_BUSY_SECONDS: Final = 30


class UtcTimeColumn(TypeDecorator[UtcTime]):
    """An aware UTC time, kept as whole microseconds since 1970: exact and ordered on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: UtcTime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 (the base class's signature)
        return None if value is None else (require_utc(value) - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> UtcTime | None:  # noqa: ARG002 (the base class's signature)
        return None if value is None else _EPOCH + value * _MICROSECOND


def open_writer(url: str) -> Engine:
    """Open the engine that writes. On SQLite every transaction takes the write lock when it begins."""
    return _open(url, begin="BEGIN IMMEDIATE", pool=QueuePool)


def open_reader(url: str) -> Engine:
    """Open the engine that reads. Each transaction sees one snapshot."""
    return _open(url, begin="BEGIN", pool=QueuePool)


def _open(url: str, *, begin: str, pool: type[Pool]) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise MalformedError(f"{parsed.get_backend_name()} is not supported yet; use sqlite:///FILE")
    if parsed.database in {None, "", ":memory:"}:
        raise MalformedError("a node's database is a file: sqlite:///FILE")
    engine = create_engine(
        parsed,
        poolclass=pool,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401 (a driver's connection)
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:  # noqa: ANN401 (SQLAlchemy's connection)
        connection.exec_driver_sql(begin)

    return engine
