"""Databases for the contract suites: a SQLite file, and a PostgreSQL server where the machine has one."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from entrepot.journal import Journal

_names = count()


@pytest.fixture
def sqlite_journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(f"sqlite:///{tmp_path}/node.db") as journal:
        journal.create_schema()
        yield journal


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Start a server of our own, on loopback, and give its address; skip by name where there is none."""
    if not (shutil.which("initdb") and shutil.which("postgres")):
        pytest.skip("no PostgreSQL server on this machine (initdb, postgres)")
    if os.geteuid() == 0 and not _has_account("postgres"):
        pytest.skip("PostgreSQL does not run as root, and there is no account postgres")
    account = "postgres" if os.geteuid() == 0 else None
    with TemporaryDirectory(prefix="entrepot-pg-") as folder:
        if account:
            shutil.chown(folder, account, account)
        data, port = Path(folder) / "data", _free_port()
        subprocess.run(
            ["initdb", "-D", data, "-U", "entrepot", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd=folder,
            user=account,
            group=account,
        )
        server = subprocess.Popen(
            ["postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-c", "fsync=off"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            user=account,
            group=account,
        )
        try:
            address = f"postgresql://entrepot@127.0.0.1:{port}"
            _wait_for(f"{address}/postgres")
            yield address
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """An empty database of its own on the server."""
    name = f"node{next(_names)}"
    engine = sa.create_engine(f"{postgresql_server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
    engine.dispose()
    return f"{postgresql_server}/{name}"


@pytest.fixture
def postgresql_journal(postgresql_url: str) -> Iterator[Journal]:
    with Journal.open(postgresql_url) as journal:
        journal.create_schema()
        yield journal


def _has_account(name: str) -> bool:
    return name in {entry.pw_name for entry in pwd.getpwall()}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for(url: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    ends = time.monotonic() + 30
    while True:
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        else:
            return
