"""Migrations: an empty database becomes exactly the declared schema, whole or not at all."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

import entrepot
from entrepot import journal as j
from entrepot.journal import Journal, SchemaState, schema
from entrepot.values import RefusedError


def declare() -> None:
    """Import every store of the house, so that `metadata` has every table of a node."""
    for module in pkgutil.walk_packages(entrepot.__path__, "entrepot."):
        if module.name.endswith("store"):
            importlib.import_module(module.name)


def _tables(connection: sa.Connection) -> list[str]:
    found = set(sa.inspect(connection).get_table_names()) - {"alembic_version"}
    return sorted(name for name in found if not name.startswith("shelf"))


def _one_row(connection: sa.Connection, name: str) -> dict[str, Any]:
    """Put one row into a table, with something in every column."""
    table = sa.Table(name, sa.MetaData(), autoload_with=connection)
    row = {column.name: _something(column) for column in table.columns}
    connection.execute(table.insert(), row)
    return row


def _something(column: "sa.Column[Any]") -> Any:
    match column.type:
        case sa.LargeBinary():
            return b"[]"
        case sa.Boolean():
            return True
        case sa.Integer():
            return 1
        case _:
            return "x"


def _rows(connection: sa.Connection, name: str) -> list[dict[str, Any]]:
    table = sa.Table(name, sa.MetaData(), autoload_with=connection)
    return [dict(r) for r in connection.execute(sa.select(table)).mappings()]


class SchemaContract:
    """What migrations promise. Subclasses provide `url`, the address of an empty database."""

    def test_an_empty_database_becomes_what_is_declared(self, url: str) -> None:
        """A node made by migrations has the very tables that the code writes to."""
        assert j.schema_state(url) is SchemaState.ABSENT
        j.migrate(url)

        assert j.schema_state(url) is SchemaState.CURRENT
        assert j.schema_differences(url, declare) == []

    def test_a_database_of_the_first_release_keeps_every_row(self, url: str) -> None:
        """An upgrade would lose what a node has written down, or could not start on it."""
        with schema._connection(url) as connection:
            command.upgrade(schema._config(connection), "0001_street")
            before = {name: _one_row(connection, name) for name in _tables(connection)}

        j.migrate(url)

        assert j.schema_state(url) is SchemaState.CURRENT
        with Journal.open(url) as journal:
            after = {name: journal.read_now(lambda c, name=name: _rows(c, name)) for name in before}
        for name, row in before.items():
            assert [{k: r[k] for k in row} for r in after[name]] == [row], name
        assert (after["use"][0]["kind"], after["acquisition"][0]["format"]) == ("delivery", "HttpData-PULL")
        assert after["contract"][0]["end_told"] == 1

    def test_migrating_again_changes_nothing(self, url: str) -> None:
        """Every start of a node may migrate."""
        j.migrate(url)
        with Journal.open(url) as journal:
            journal.write_now(lambda tx: j.lease(tx, "kept", "me", 60))
        j.migrate(url)

        with Journal.open(url) as journal:
            assert not journal.write_now(lambda tx: j.lease(tx, "kept", "other", 60))

    def test_processes_that_migrate_at_once_take_turns(self, url: str) -> None:
        """Starts at the same moment end in one schema; none fails for another's sake."""
        script = f"from entrepot import journal; journal.migrate({url!r})"
        starts = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]

        assert [start.wait(120) for start in starts] == [0, 0, 0]
        assert j.schema_state(url) is SchemaState.CURRENT

    def test_a_migration_that_fails_leaves_nothing(self, url: str) -> None:
        """No database is ever left between two revisions."""
        with Journal.open(url) as journal:
            journal.write_now(lambda tx: tx.connection.exec_driver_sql("CREATE TABLE seen (other INTEGER)"))
        with pytest.raises(sa.exc.DBAPIError):
            j.migrate(url)

        assert j.schema_state(url) is SchemaState.ABSENT
        with Journal.open(url) as journal:
            assert journal.read_now(lambda c: sa.inspect(c).get_table_names()) == ["seen"]

    def test_a_database_of_a_later_version_is_not_touched(self, url: str) -> None:
        """Going back to an older program destroys nothing; it says what is wrong."""
        j.migrate(url)
        with Journal.open(url) as journal:
            later = "UPDATE alembic_version SET version_num = '9999_later'"
            journal.write_now(lambda tx: tx.connection.exec_driver_sql(later))

        assert j.schema_state(url) is SchemaState.UNKNOWN
        with pytest.raises(RefusedError):
            j.migrate(url)


class TestSchemaOnSqlite(SchemaContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        folder = tmp_path / "100% of a node"
        folder.mkdir()
        return f"sqlite:///{folder}/node.db"

    def test_looking_makes_no_file(self, url: str) -> None:
        """`entrepot doctor` on a node that was never made does not make half of one."""
        j.schema_state(url)

        assert not Path(url.removeprefix("sqlite:///")).exists()


class TestSchemaOnPostgresql(SchemaContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url
