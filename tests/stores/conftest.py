"""Databases for the contract suites: a SQLite file, and a PostgreSQL server where the machine has one."""

import shutil
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from postgres import Server, why_not

from entrepot.journal import Journal
from entrepot.node.tables import declare_tables

_MEMORY = Path("/dev/shm")  # noqa: S108 (a disk in memory makes a database in no time)
_ENOUGH_BYTES = 1 << 30
_names = count()


@pytest.fixture
def sqlite_journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(f"sqlite:///{tmp_path}/node.db") as journal:
        journal.create_schema()
        yield journal


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A server for all tests that leave it running; skipped by name where there is none."""
    if reason := why_not():
        pytest.skip(reason)
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES
    with TemporaryDirectory(prefix="entrepot-pg-", dir=_MEMORY if in_memory else None) as folder:
        place = Path(folder) / "server"
        Path(folder).chmod(0o755)
        place.mkdir()
        server = Server(place)
        server.make()
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def postgresql_template(postgresql: Server) -> str:
    """A database that has every table of a node, to be copied."""
    declare_tables()
    address = postgresql.create_database("tables")
    with Journal.open(address) as journal:
        journal.create_schema()
    return "tables"


@pytest.fixture
def postgresql_url(postgresql: Server) -> str:
    """An empty database of its own on the server."""
    return postgresql.create_database(f"node{next(_names)}")


@pytest.fixture
def postgresql_other_url(postgresql: Server) -> str:
    """A second empty database."""
    return postgresql.create_database(f"node{next(_names)}")


@pytest.fixture
def postgresql_journal(postgresql: Server, postgresql_template: str) -> Iterator[Journal]:
    address = postgresql.create_database(f"node{next(_names)}", postgresql_template)
    with Journal.open(address) as journal:
        yield journal
