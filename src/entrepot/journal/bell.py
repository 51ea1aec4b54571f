"""The bell: how the processes of one node know of each other on one PostgreSQL database.

Each holds an advisory lock under its name for as long as it lives, so the server itself tells who is
gone, at once and by no clock. Each rings after it has committed, and is woken when another rings. The
ring is a NOTIFY of its own, after COMMIT and at most a hundred times a second: inside the transactions it
would make every commit of the server wait for the one before. A ring that is lost delays work until its
loop looks by itself.
"""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from entrepot.values import Log

_CHANNEL: Final = "entrepot_journal"
_COALESCE_SECONDS: Final = 0.01
_RECONNECT_SECONDS: Final = 1.0
_NAME_DIGITS: Final = 16
# A machine that lost its power closes no connection; the server then finds out within half a minute.
_FIND_OUT: Final = (
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
)
_BE_PRESENT: Final = "SELECT pg_try_advisory_lock(%s)"
_PRESENT: Final = text(
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks"
    " WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

_log: Final = Log()


def present_holders(connection: Connection) -> frozenset[str]:
    """Who else takes part in this database now; nobody on SQLite, whose file one process owns."""
    if connection.dialect.name == "sqlite":
        return frozenset()
    return frozenset(_name(key) for key in connection.execute(_PRESENT).scalars())


class Bell:
    """One process's presence, and its ear for the others. Opening it raises what the database said."""

    def __init__(self, engine: Engine, holder: str, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._key = _key(holder)
        self._wake = wake
        self._rung = threading.Event()
        self._closing = False
        self._driver = self._connect()
        self._ear, self._hand = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="journal-bell", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        """Let the others know that something new is durable; never waits."""
        if not self._rung.is_set():
            self._rung.set()
            self._hand.send(b"\0")

    def close(self) -> None:
        """Leave: from now on the others take this process for gone."""
        self._closing = True
        self._hand.send(b"\0")
        self._thread.join()
        self._driver.close()
        self._ear.close()
        self._hand.close()

    def _connect(self) -> Any:  # noqa: ANN401 (psycopg's connection)
        """A connection that is no part of the pool, held until the end."""
        borrowed = self._engine.raw_connection()
        driver: Any = borrowed.driver_connection
        borrowed.detach()
        driver.autocommit = True
        driver.execute(_FIND_OUT)
        driver.execute(_BE_PRESENT, (self._key,))
        driver.execute(f"LISTEN {_CHANNEL}")
        return driver

    def _run(self) -> None:
        while not self._closing:
            try:
                self._listen(self._driver)
            except Exception as error:  # noqa: BLE001 (the ear of a process outlives its connection)
                _log.warning("journal_bell_lost", error=str(error))
                self._driver.close()
                self._reconnect()

    def _listen(self, driver: Any) -> None:  # noqa: ANN401 (psycopg's connection)
        own = driver.info.backend_pid
        while True:
            ready, _, _ = select.select([driver.fileno(), self._ear], [], [])
            if self._ear in ready:
                self._ear.recv(4096)
                if self._closing:
                    return
                time.sleep(_COALESCE_SECONDS)
                self._rung.clear()
                driver.execute(f"NOTIFY {_CHANNEL}")
            heard = [note.pid for note in driver.notifies(timeout=0)]
            if any(pid != own for pid in heard):
                self._wake()

    def _reconnect(self) -> None:
        """Come back under the same name. What was rung meanwhile was not heard, so the loops look."""
        while not self._closing:
            time.sleep(_RECONNECT_SECONDS)
            with contextlib.suppress(Exception):
                self._driver = self._connect()
                self._wake()
                return


def _key(holder: str) -> int:
    """The number of an advisory lock: 64 bits with a sign, which are the name itself."""
    if len(holder) != _NAME_DIGITS:
        raise ValueError(f"a holder's name is {_NAME_DIGITS} hexadecimal digits, not {holder!r}")
    return int.from_bytes(bytes.fromhex(holder), signed=True)


def _name(key: int) -> str:
    return key.to_bytes(_NAME_DIGITS // 2, signed=True).hex()
