"""Writing down: the one way in which a node changes its database.

A use case is a plain function that takes an open transaction and returns a value. Here it is queued,
and its value given back once it is durable (design, section 4).
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from entrepot.journal.bell import Bell
from entrepot.journal.database import is_fatal, metadata, open_reader, open_writer, parse_url, unavailable
from entrepot.journal.postgresql import complete_indexes
from entrepot.journal.transaction import Query, Transaction, UseCase, new_uuid
from entrepot.journal.writer import GroupWriter, Job, PoolWriter
from entrepot.values import Clock, Log, UnavailableError, system_clock

T = TypeVar("T")

_log = Log()


class Journal:
    """What this node wrote down. Writers queue; each reader has a snapshot of its own."""

    def __init__(self, url: str, clock: Clock, new_id: Callable[[], str]) -> None:
        address = parse_url(url)
        self._clock = clock
        self._new_id = new_id
        self._writing = open_writer(address)
        self._reading = open_reader(address)
        self._wakes: list[Callable[[], None]] = []
        self._bell: Bell | None = None
        self._closing = threading.Lock()
        self._closed = False
        kind = GroupWriter if self._writing.dialect.name == "sqlite" else PoolWriter
        self._writer = kind(self._writing, self._begin, self._committed)

    @classmethod
    def open(cls, url: str, clock: Clock = system_clock, new_id: Callable[[], str] = new_uuid) -> Self:
        return cls(url, clock, new_id)

    def create_schema(self) -> None:
        """Make every declared table. For tests; a node's database is made and changed by migrations."""
        with self._writing.begin() as connection:
            complete_indexes()
            metadata.create_all(connection)

    @property
    def address(self) -> str:
        """Where this journal is, as `open` takes it."""
        return self._writing.url.render_as_string(hide_password=False)

    @property
    def is_shared(self) -> bool:
        """Whether several processes may write here: a PostgreSQL database; one process owns a SQLite file."""
        return self._writing.dialect.name != "sqlite"

    def join(self, holder: str) -> None:
        """Take part in a shared database as `holder`, before anything is done in its name.

        From then on `present_holders` knows it, and commits of the other processes wake this one.
        """
        if self.is_shared and self._bell is None:
            try:
                self._bell = Bell(self._writing, holder, self._wake)
            except (DBAPIError, self._writing.dialect.loaded_dbapi.Error) as error:
                raise unavailable(error) from error

    def on_commit(self, wake: Callable[[], None]) -> None:
        """Call `wake`, from a thread of the journal, when something new became durable.

        Of what other processes write only those hear who have joined, and now and then a call is lost: who
        waits looks by himself from time to time.
        """
        self._wakes.append(wake)

    async def write(self, use_case: UseCase[T]) -> T:
        """Run `use_case` and return its value once it is durable.

        A caller that is cancelled stops waiting; its use case happens all the same. `UnavailableError`
        says that nothing was written down, its leaf `OutcomeUnknownError` that this is not known.
        """
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(Job(use_case, waiter))
        return await waiter

    def write_now(self, use_case: UseCase[T]) -> T:
        """As `write`, for threads and the command line. It blocks: never call it on an event loop."""
        waiter: Future[T] = Future()
        self._put(Job(use_case, waiter))
        return waiter.result()

    async def read(self, query: Query[T]) -> T:
        """Run `query` on a snapshot, in a thread of its own."""
        return await asyncio.to_thread(self.read_now, query)

    async def look_up(self, query: Query[T]) -> T:
        """As `read`, for a few rows found by their keys: on SQLite that costs less than a thread does."""
        return await self.read(query) if self.is_shared else self.read_now(query)

    def read_now(self, query: Query[T]) -> T:
        """As `read`, for threads and the command line."""
        try:
            with self._reading.connect() as connection, connection.begin():
                return query(connection)
        except (DBAPIError, PoolTimeoutError) as error:
            if is_fatal(error):
                raise unavailable(error) from error
            raise

    def close(self) -> None:
        """Finish what is queued, then refuse anything new."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._writer.close()
        if self._bell is not None:
            self._bell.close()
        self._writing.dispose()
        self._reading.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, job: Job) -> None:
        if self._writer.is_writing_thread():
            raise RuntimeError("a use case has its transaction; it would wait for itself")
        with self._closing:
            if self._closed:
                raise UnavailableError("the journal is closed")
            self._writer.put(job)

    def _begin(self, connection: Connection) -> Transaction:
        return Transaction(connection, self._clock(), self._new_id)

    def _committed(self) -> None:
        self._wake()
        if self._bell is not None:
            self._bell.ring()

    def _wake(self) -> None:
        for wake in self._wakes:
            try:
                wake()
            except Exception:  # noqa: BLE001 (a writer's loop outlives a sleeper's fault)
                _log.exception("journal_wake_failed")
