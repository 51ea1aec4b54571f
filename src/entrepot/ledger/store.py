"""The ledger's own SQLite file: entries, state, and the marker that says which block they belong to.

Raw `sqlite3` on purpose: this is the append path, one transaction and one fsync a block. Everything of a
block is in one SQLite transaction, so a crash leaves the block whole or not at all.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from entrepot.ledger.state import Writes
from entrepot.values import ConflictError, Digest, UnavailableError

T = TypeVar("T")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY, height INTEGER NOT NULL, digest BLOB UNIQUE, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS checkpoint (size INTEGER PRIMARY KEY, note BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS marker (
    one INTEGER PRIMARY KEY CHECK (one = 1), genesis BLOB NOT NULL, height INTEGER NOT NULL,
    time INTEGER NOT NULL, size INTEGER NOT NULL, tree_root BLOB NOT NULL, state_root BLOB NOT NULL
);
"""
_ADD_ENTRY: Final = "INSERT INTO entry (number, height, digest, body) VALUES (?, ?, ?, ?)"
_SET_STATE: Final = "INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)"
_DROP_STATE: Final = "DELETE FROM state WHERE key = ?"
_MOVE_MARKER: Final = (
    "UPDATE marker SET height = ?, time = ?, size = ?, tree_root = ?, state_root = ? WHERE height = ?"
)
_ENTRIES: Final = "SELECT body FROM entry WHERE number >= ? AND number < ? ORDER BY number"
_ROWS: Final = "SELECT number, digest, body FROM entry ORDER BY number"
_FIRST_NOTE: Final = "SELECT note FROM checkpoint WHERE size > ? ORDER BY size LIMIT 1"
_FIND: Final = "SELECT number, height FROM entry WHERE digest = ?"


@dataclass(frozen=True, slots=True)
class Marker:
    """Which block the file holds, and the two roots it had when it was committed."""

    height: int
    time: int
    size: int
    tree_root: Digest
    state_root: Digest


@dataclass(frozen=True, slots=True)
class Row:
    """One log entry as it is stored; a block leaf has no digest."""

    number: int
    height: int
    digest: Digest | None
    body: bytes


class LedgerStore:
    """One writer connection and one reader connection to the ledger's file."""

    def __init__(self, path: Path) -> None:
        self._writer = _connect(path)
        self._writer.executescript(_SCHEMA)
        self._reader = _connect(path)
        self._reading = threading.Lock()
        self._writing = threading.Lock()

    def close(self) -> None:
        self._writer.close()
        self._reader.close()

    def begin_life(self, genesis: bytes, marker: Marker) -> None:
        """Write the first marker, unless the file already has one."""
        row = (genesis, marker.height, marker.time, marker.size, marker.tree_root, marker.state_root)
        with self.transaction():
            self._writer.execute("INSERT OR IGNORE INTO marker VALUES (1, ?, ?, ?, ?, ?, ?)", row)

    def genesis(self) -> bytes:
        return self._read(lambda c: bytes(c.execute("SELECT genesis FROM marker").fetchone()[0]))

    def marker(self) -> Marker:
        row = self._read(
            lambda c: c.execute("SELECT height, time, size, tree_root, state_root FROM marker").fetchone()
        )
        return Marker(row[0], row[1], row[2], Digest(row[3]), Digest(row[4]))

    def state(self) -> list[tuple[str, bytes]]:
        return self._read(lambda c: c.execute("SELECT key, value FROM state").fetchall())

    def rows(self) -> Iterator[tuple[int, Digest | None, bytes]]:
        """Every entry in order; for the start, when nobody else reads."""
        yield from self._reader.execute(_ROWS)

    def entries(self, start: int, end: int) -> list[bytes]:
        return [row[0] for row in self._read(lambda c: c.execute(_ENTRIES, (start, end)).fetchall())]

    def find(self, digest: Digest) -> tuple[int, int] | None:
        """The number and height of a transaction, by the digest of its payload."""
        row: tuple[int, int] | None = self._read(lambda c: c.execute(_FIND, (digest,)).fetchone())
        return row

    def newest_note(self) -> bytes | None:
        row = self._read(
            lambda c: c.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
        )
        return None if row is None else bytes(row[0])

    def first_note(self, number: int) -> bytes | None:
        """The smallest witnessed checkpoint whose tree holds entry `number`."""
        row = self._read(lambda c: c.execute(_FIRST_NOTE, (number,)).fetchone())
        return None if row is None else bytes(row[0])

    def add_note(self, size: int, note: bytes) -> None:
        """Keep a witnessed checkpoint."""
        with self.transaction():
            self._writer.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", (size, note))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable when it returns; a disk that fails is `UnavailableError`."""
        with self._writing:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield
                self._writer.execute("COMMIT")
            except sqlite3.Error as error:
                self._rollback()
                raise UnavailableError(f"the ledger's file cannot be written: {error}") from error
            except BaseException:
                self._rollback()
                raise

    def append(self, rows: Sequence[Row], writes: Writes, before: int, marker: Marker) -> None:
        """Add one block inside `transaction`; refused when the file does not stand at height `before`."""
        self._writer.executemany(_ADD_ENTRY, [(r.number, r.height, r.digest, r.body) for r in rows])
        self._writer.executemany(_SET_STATE, [item for item in writes.items() if item[1] is not None])
        self._writer.executemany(_DROP_STATE, [(key,) for key, value in writes.items() if value is None])
        moved = (marker.height, marker.time, marker.size, marker.tree_root, marker.state_root, before)
        if self._writer.execute(_MOVE_MARKER, moved).rowcount != 1:
            raise ConflictError(f"the ledger's file does not stand at height {before}; who else writes it?")

    def _rollback(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        with self._reading:
            return query(self._reader)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection
