"""Writing down: the one way in which a node changes its database.

A use case is a plain function that takes an open transaction and returns a value. Queued use cases are
run in order by one thread, a savepoint each, and the whole group is made durable with one fsync. A
result is handed out after COMMIT only; so nothing is said, sent or shown that a crash could undo.
"""

import asyncio
import queue
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from entrepot.journal.database import metadata, open_reader, open_writer
from entrepot.values import Clock, UnavailableError, UtcTime, system_clock

T = TypeVar("T")

_GROUP_SECONDS: Final = 0.005
_GROUP_SIZE: Final = 500


def new_uuid() -> str:
    """A fresh random id, as a URN."""
    return f"urn:uuid:{uuid.uuid4()}"


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open write transaction: the connection, the time it began at, and a source of fresh ids."""

    connection: Connection
    now: UtcTime
    new_id: Callable[[], str]


UseCase: TypeAlias = Callable[[Transaction], T]
Query: TypeAlias = Callable[[Connection], T]


@dataclass(frozen=True, slots=True)
class _Job:
    use_case: UseCase[Any]
    promise: Future[Any]


class Journal:
    """What this node wrote down. One writer, many readers, each reader on a snapshot of its own."""

    def __init__(self, url: str, clock: Clock, new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._writing = open_writer(url)
        self._reading = open_reader(url)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._wakes: list[Callable[[], None]] = []
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, url: str, clock: Clock = system_clock, new_id: Callable[[], str] = new_uuid) -> "Journal":
        return cls(url, clock, new_id)

    def create_schema(self) -> None:
        """Make every declared table. For tests; a node's database is made and changed by migrations."""
        with self._writing.begin() as connection:
            metadata.create_all(connection)

    def on_commit(self, wake: Callable[[], None]) -> None:
        """Call `wake`, from the writer's thread, after each group that became durable."""
        self._wakes.append(wake)

    async def write(self, use_case: UseCase[T]) -> T:
        """Run `use_case` and return its value once it is durable.

        A caller that is cancelled stops waiting; its use case happens all the same.
        """
        return await asyncio.shield(asyncio.wrap_future(self._queue(use_case)))

    def write_now(self, use_case: UseCase[T]) -> T:
        """As `write`, for threads and the command line."""
        return self._queue(use_case).result()

    async def read(self, query: Query[T]) -> T:
        """Run `query` on a snapshot, in a thread of its own."""
        return await asyncio.to_thread(self.read_now, query)

    def read_now(self, query: Query[T]) -> T:
        with self._reading.connect() as connection, connection.begin():
            return query(connection)

    def close(self) -> None:
        """Finish what is queued, then refuse anything new."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        self._writing.dispose()
        self._reading.dispose()

    def _queue(self, use_case: UseCase[T]) -> "Future[T]":
        promise: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise UnavailableError("the journal is closed")
            self._jobs.put(_Job(use_case, promise))
        return promise

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            last = self._write_group(first)
            for wake in self._wakes:
                wake()
            if last:
                return

    def _write_group(self, first: _Job) -> bool:
        """Run jobs from `first` on until the group is full or its time is up, commit, hand out results.

        Says whether the end of the queue was met.
        """
        outcomes: list[tuple[_Job, Any, BaseException | None]] = []
        ends = time.monotonic() + _GROUP_SECONDS
        job: _Job | None = first
        taken = [first]
        try:
            with self._writing.begin() as connection:
                transaction = Transaction(connection, self._clock(), self._new_id)
                while job is not None:
                    outcomes.append((job, *_attempt(job, transaction)))
                    if len(outcomes) == _GROUP_SIZE or time.monotonic() > ends:
                        break
                    try:
                        job = self._jobs.get_nowait()
                    except queue.Empty:
                        break
                    if job is not None:
                        taken.append(job)
        except Exception as error:  # noqa: BLE001 (the writer's loop: whatever ended the group is told to each caller)
            for failed in taken:
                failed.promise.set_exception(_unavailable(error))
            return job is None
        for done, value, raised in outcomes:
            if raised is None:
                done.promise.set_result(value)
            else:
                done.promise.set_exception(raised)
        return job is None


def _attempt(job: _Job, transaction: Transaction) -> tuple[Any, BaseException | None]:
    """Run one use case in a savepoint. An error that ended the whole transaction is raised."""
    run = transaction.connection.exec_driver_sql
    run("SAVEPOINT use_case")
    try:
        value = job.use_case(transaction)
    except Exception as error:
        if not _is_open(transaction.connection):
            raise
        run("ROLLBACK TO use_case")
        run("RELEASE use_case")
        return None, error
    run("RELEASE use_case")
    return value, None


def _is_open(connection: Connection) -> bool:
    """Say whether the database still holds the transaction; SQLite ends it on a full disk or bad I/O."""
    return bool(
        connection.connection.dbapi_connection and connection.connection.dbapi_connection.in_transaction
    )


def _unavailable(error: Exception) -> Exception:
    if isinstance(error, DBAPIError):
        failure = UnavailableError(f"the journal could not be written: {error.orig}")
        failure.__cause__ = error
        return failure
    return error
