"""A PostgreSQL server of our own: on loopback, in a folder of its own, stopped and killed at will."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import sqlalchemy as sa

ROLE = "entrepot"
_DEBIAN = Path("/usr/lib/postgresql")
_PORTS = range(12_000, 18_000)


def _free_port() -> int:
    """A port outside the range that the system gives to calls, so that none takes a killed server's port."""
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise OSError("no port of this machine is free")


@cache
def why_not() -> str:
    """Why no server can be started on this machine; empty where one can."""
    if not (_program("initdb") and _program("postgres")):
        return "no PostgreSQL server on this machine (initdb, postgres)"
    if os.geteuid() == 0 and _account() is None:
        return "PostgreSQL does not run as root, and there is no account postgres"
    return ""


@dataclass
class Server:
    """One server over the data in `folder`; `durable` servers wait for the disk."""

    folder: Path
    durable: bool = False
    segment_megabytes: int = 16
    options: tuple[str, ...] = ()
    port: int = field(default_factory=_free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator["Server"]:
        """Made in its folder, which must be there, and up; stopped at the end."""
        self.make()
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def make(self) -> None:
        if account := _account():
            shutil.chown(self.folder, account, account)
        names = ("-U", ROLE, "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8")
        size = f"--wal-segsize={self.segment_megabytes}"
        self._run("initdb", "-D", self._data, *names, size)

    def start(self) -> None:
        account = _account()
        options = ("-k", self.folder, "-c", f"fsync={'on' if self.durable else 'off'}", *self.options)
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [_program("postgres"), "-D", self._data, "-h", "127.0.0.1", "-p", str(self.port), *options],
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self.folder,
                user=account,
                group=account,
                start_new_session=True,
            )
        self.wait_until_up()

    def wait_until_up(self) -> None:
        engine = sa.create_engine(f"{self.address}/postgres", poolclass=sa.NullPool)
        ends = time.monotonic() + 60
        while True:
            try:
                engine.connect().close()
            except sa.exc.OperationalError:
                if time.monotonic() > ends or (self.process is not None and self.process.poll() is not None):
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """As a power cut would: SIGKILL to the server and to each of its children."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # a fast shutdown: it waits for no client
            self.process.wait(60)

    def execute(self, statement: str, database: str = "postgres") -> None:
        engine = sa.create_engine(
            f"{self.address}/{database}", isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def create_database(self, name: str, template: str = "template0") -> str:
        """Make a database and give its address."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return f"{self.address}/{name}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str | Path) -> None:
        account = _account()
        subprocess.run(
            [_program(program), *arguments],
            check=True,
            capture_output=True,
            cwd=self.folder,
            user=account,
            group=account,
        )


def _program(name: str) -> str:
    """Where a program of PostgreSQL lies: on the path, or where Debian keeps every version of it."""
    found = shutil.which(name)
    return found or next((str(p) for p in sorted(_DEBIAN.glob(f"*/bin/{name}"), reverse=True)), "")


def _account() -> str | None:
    """The account that the server runs under where we are root."""
    if os.geteuid() != 0:
        return None
    return next((entry.pw_name for entry in pwd.getpwall() if entry.pw_name == "postgres"), None)
