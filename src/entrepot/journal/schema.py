"""The schema of a node's database: which revision it has, and how it comes to the newest.

Revisions lie in `migrations/versions`, one reviewable step each; they run on SQLite and PostgreSQL, and
each migration happens whole or not at all. There is no way back but a backup. The journal knows the
tables of the packages above it only through `metadata`, so whoever compares or drafts says how to declare
them. Alembic is imported where it is used: a node that starts asks for its revision with one SELECT.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Connection, Engine, column, func, inspect, select, table
from sqlalchemy.exc import DBAPIError

from entrepot.journal.database import is_fatal, metadata, open_reader, open_writer, parse_url, unavailable
from entrepot.journal.postgresql import complete_indexes
from entrepot.values import RefusedError

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_MIGRATING: Final = int.from_bytes(b"migrate", "big")
"""The number of PostgreSQL's advisory lock that whoever migrates a database holds until its commit."""
_VERSIONS: Final = table("alembic_version", column("version_num"))
"""Where Alembic writes down which revision a database has."""


class SchemaState(StrEnum):
    """How a database stands to this version of the program."""

    ABSENT = "absent"
    """There is no schema yet: `migrate` makes it."""
    BEHIND = "behind"
    """An earlier version made it: `migrate` brings it up."""
    CURRENT = "current"
    UNKNOWN = "unknown"
    """A later version made it: this one must not touch it."""


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database to the newest revision, or to an earlier one: all the way, or not at all."""
    from alembic import command

    with _turn(url), _connection(url) as connection:
        if _state(connection) is SchemaState.UNKNOWN:
            raise RefusedError("the database was made by a later version of Entrepot")
        command.upgrade(_config(connection), revision)


def schema_state(url: str) -> SchemaState:
    """Say how the database stands to the newest revision, without changing it."""
    address = parse_url(url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").exists():
        return SchemaState.ABSENT
    with _connection(url, open_reader) as connection:
        return _state(connection)


def revision_of(connection: Connection) -> str:
    """The revision that a database has; none where there is no schema."""
    if not inspect(connection).has_table(_VERSIONS.name):
        return ""
    return connection.execute(select(_VERSIONS.c.version_num)).scalar() or ""


def revisions() -> tuple[str, ...]:
    """Every revision of this version of the program, oldest first: their files are numbered in order."""
    return tuple(sorted(file.stem.removeprefix("r") for file in (_MIGRATIONS / "versions").glob("r*.py")))


def schema_differences(url: str, declare: Callable[[], object]) -> list[Any]:
    """What distinguishes the database from the tables that `declare` puts into `metadata`."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    declare()
    complete_indexes()
    with _connection(url, open_reader) as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_of_schema})
        differences: list[Any] = compare_metadata(context, metadata)
    return differences


def is_of_schema(name: str | None, kind: str, _parents: object) -> bool:
    """Say whether revisions are about this: a full-text index of SQLite's (`*_fts`) keeps its own tables."""
    return kind != "table" or name is None or "_fts" not in name


def draft_revision(url: str, declare: Callable[[], object], revision: str, message: str) -> None:
    """Write a revision file that leads from the database to the declared tables. **Read before you keep it.**

    A step that alters a table is to be wrapped in `op.batch_alter_table`, for SQLite.
    """
    from alembic import command

    declare()
    complete_indexes()
    with _connection(url) as connection:
        command.revision(_config(connection), message=message, autogenerate=True, rev_id=revision)


@contextmanager
def _turn(url: str) -> Iterator[None]:
    """Wait for whoever migrates this database now; SQLite's writer waits when its transaction begins.

    The lock is held beside the migration: PostgreSQL takes a transaction's snapshot with its first statement,
    so one that had waited itself would not see what it waited for.
    """
    if parse_url(url).get_backend_name() != "postgresql":
        yield
        return
    with _connection(url) as holder:
        holder.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
        yield


def _state(connection: Connection) -> SchemaState:
    found, known = revision_of(connection), revisions()
    if not found:
        return SchemaState.ABSENT
    if found == known[-1]:
        return SchemaState.CURRENT
    return SchemaState.BEHIND if found in known else SchemaState.UNKNOWN


@contextmanager
def _connection(url: str, open_: Callable[[URL], Engine] = open_writer) -> Iterator[Connection]:
    """One transaction. Two processes that write, that is migrate, at once take turns."""
    engine = open_(parse_url(url))
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        if is_fatal(error):
            raise unavailable(error) from error
        raise
    finally:
        engine.dispose()


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("file_template", "r%%(rev)s")
    config.attributes["connection"] = connection
    return config
