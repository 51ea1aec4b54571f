"""How use cases become durable: in groups on SQLite, each by itself on PostgreSQL.

Either way a result is handed out after COMMIT only; so nothing is said, sent or shown that a crash
could undo.
"""

import asyncio
import contextlib
import queue
import random
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import DBAPIError

from entrepot.journal.database import is_fatal, is_lost_race, may_have_committed, unavailable, unknown
from entrepot.journal.errors import OutcomeUnknownError
from entrepot.journal.transaction import Transaction, UseCase
from entrepot.values import Log, UnavailableError

# With 5 ms a use at the gate cost a third more: a commit is shared by too few (bench/gate_uses.py).
GROUP_SECONDS: Final = 0.01
GROUP_SIZE: Final = 500
POOL_SIZE: Final = 8
PATIENCE_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.005
_LONGEST_PAUSE_SECONDS: Final = 0.1
_ASK_SECONDS: Final = 10.0
_ASK_PAUSE_SECONDS: Final = 0.1

# Statistics begin anew with every crash, and with nothing else but an operator's wish: they tell the lives
# of one server apart.
_LIFE: Final = "(SELECT stats_reset FROM pg_stat_bgwriter) AS life"
_MARK: Final = text(f"SELECT CAST(pg_current_xact_id_if_assigned() AS text) AS number, {_LIFE}")
_FIND: Final = text(f"SELECT pg_xact_status(CAST(:of AS xid8)) AS status, {_LIFE}")

_log: Final = Log()

Begin: TypeAlias = Callable[[Connection], Transaction]
Waiter: TypeAlias = "asyncio.Future[Any] | Future[Any]"


@dataclass(frozen=True, slots=True)
class Job:
    """A use case, and where its caller waits for the outcome."""

    use_case: UseCase[Any]
    waiter: Waiter


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job came to: a value, or the error to raise at its caller."""

    waiter: Waiter
    value: Any
    error: BaseException | None


class GroupWriter:
    """One thread that runs queued use cases in order, a savepoint each, and one fsync for the group."""

    def __init__(self, engine: Engine, begin: Begin, on_durable: Callable[[], None]) -> None:
        self._engine = engine
        self._begin = begin
        self._on_durable = on_durable
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        self._jobs.put(job)

    def is_writing_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Finish what is queued. Nothing may be put afterwards."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            self._write_group(first)

    def _write_group(self, first: Job) -> None:
        taken: list[Job] = []
        outcomes: list[Outcome] = []
        at_commit = False
        try:
            with self._engine.begin() as connection:
                driver = _driver(connection)
                before = driver.total_changes
                transaction = self._begin(connection)
                for job in self._group(first):
                    taken.append(job)
                    outcomes.append(_attempt(job, transaction, driver))
                changed = driver.total_changes != before
                at_commit = True
        except Exception as error:  # noqa: BLE001 (whatever ended the group is told to each of its callers)
            # Where it could not even begin, those who queued behind it waited as long, and in vain.
            failed = taken or [first, *self._waiting()]
            told = unknown if at_commit and may_have_committed(error) else unavailable
            hand_out([Outcome(job.waiter, None, told(error)) for job in failed])
            return
        hand_out(outcomes)
        if changed:
            self._on_durable()

    def _group(self, first: Job) -> Iterator[Job]:
        """Give the jobs of one group: from `first` on until it is full or late, or nobody waits."""
        ends = time.monotonic() + GROUP_SECONDS
        yield first
        for job in self._waiting():
            yield job
            if time.monotonic() > ends:
                return

    def _waiting(self) -> Iterator[Job]:
        for _ in range(GROUP_SIZE - 1):
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is None:
                self._jobs.put(None)  # the last of all: it ends `_run`, after this group
                return
            yield job


class PoolWriter:
    """A pool of threads, a serializable transaction for each use case, run again where another won."""

    def __init__(self, engine: Engine, begin: Begin, on_durable: Callable[[], None]) -> None:
        self._engine = engine
        self._begin = begin
        self._on_durable = on_durable
        self._inside = threading.local()
        self._threads = ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="journal-writer")

    def put(self, job: Job) -> None:
        self._threads.submit(self._write, job)

    def is_writing_thread(self) -> bool:
        return getattr(self._inside, "writing", False)

    def close(self) -> None:
        self._threads.shutdown()

    def _write(self, job: Job) -> None:
        self._inside.writing = True
        try:
            value, changed = self._repeat(job.use_case)
        except BaseException as error:  # noqa: BLE001 (it is raised at the caller, who waits elsewhere)
            hand_out([Outcome(job.waiter, None, _told(error))])
            return
        hand_out([Outcome(job.waiter, value, None)])
        if changed:
            self._on_durable()

    def _repeat(self, use_case: UseCase[Any]) -> tuple[Any, bool]:
        """Run it until it met nobody. One of those who collide goes through, so each comes to its turn."""
        ends, pause = time.monotonic() + PATIENCE_SECONDS, _PAUSE_SECONDS
        while True:
            try:
                return self._attempt(use_case)
            except Exception as error:
                if not is_lost_race(error):
                    raise
                if time.monotonic() > ends:
                    raise UnavailableError("other writers were at the same rows all the time") from error
            # Those who collided must not come back together.
            time.sleep(pause * random.random())  # noqa: S311 (no secret)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _attempt(self, use_case: UseCase[Any]) -> tuple[Any, bool]:
        """One transaction: the value, and whether it changed anything."""
        with self._engine.connect() as connection, connection.begin() as transaction:
            value = use_case(self._begin(connection))
            mark = connection.execute(_MARK).one()
            try:
                transaction.commit()
            except Exception as error:
                if mark.number is None or is_lost_race(error) or not is_fatal(error):
                    raise
                self._require_committed(mark, error)
        return value, mark.number is not None

    def _require_committed(self, mark: Row[Any], lost: Exception) -> None:
        """Find out what became of a transaction whose COMMIT was not answered."""
        ends = time.monotonic() + _ASK_SECONDS
        while time.monotonic() < ends:
            with contextlib.suppress(DBAPIError), self._engine.connect() as connection:
                found = connection.execute(_FIND, {"of": mark.number}).one()
                if found.status == "aborted":
                    raise unavailable(lost)
                # A server that crashed gives the numbers anew of which it had written nothing down.
                if found.life != mark.life:
                    break
                if found.status == "committed":
                    return
            time.sleep(_ASK_PAUSE_SECONDS)
        raise OutcomeUnknownError("the database was lost at COMMIT and cannot say what it did") from lost


def hand_out(outcomes: Iterable[Outcome]) -> None:
    """Tell every caller; those of one event loop together, since waking a loop costs more than a result."""
    by_loop: defaultdict[asyncio.AbstractEventLoop | None, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        waiter = outcome.waiter
        by_loop[waiter.get_loop() if isinstance(waiter, asyncio.Future) else None].append(outcome)
    for loop, those in by_loop.items():
        if loop is None:
            _tell(those)
            continue
        try:
            loop.call_soon_threadsafe(_tell, those)
        except RuntimeError:  # the loop is closed, so nobody waits there
            _log.warning("journal_callers_left", count=len(those))


def _tell(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.waiter.done():  # its caller was cancelled meanwhile
            if outcome.error is not None:
                _log.warning("journal_caller_left", exc_info=outcome.error)
        elif outcome.error is not None:
            outcome.waiter.set_exception(outcome.error)
        else:
            outcome.waiter.set_result(outcome.value)


def _attempt(job: Job, transaction: Transaction, driver: sqlite3.Connection) -> Outcome:
    """Run one use case in a savepoint. What ended the whole transaction is raised."""
    driver.execute("SAVEPOINT use_case")
    try:
        value = job.use_case(transaction)
        _require_whole(transaction.connection, driver)
    except BaseException as error:
        if is_fatal(error) or not driver.in_transaction:
            raise UnavailableError(str(error)) from error
        _close_nested(transaction.connection)
        driver.execute("ROLLBACK TO use_case")
        driver.execute("RELEASE use_case")
        return Outcome(job.waiter, None, _told(error))
    driver.execute("RELEASE use_case")
    return Outcome(job.waiter, value, None)


def _require_whole(connection: Connection, driver: sqlite3.Connection) -> None:
    """Refuse a use case that swallowed what ended the transaction, or left a savepoint open."""
    if not driver.in_transaction:
        raise UnavailableError("the transaction had ended")
    if connection.in_nested_transaction():
        raise RuntimeError("a use case left a savepoint open")


def _close_nested(connection: Connection) -> None:
    """Roll back savepoints that a failing use case left open, so that the next one starts level."""
    while (nested := connection.get_nested_transaction()) is not None:
        nested.rollback()


def _told(error: BaseException) -> BaseException:
    """What the caller is told: our own error for the database's trouble, else what was raised."""
    if is_fatal(error):
        return unavailable(error)
    if isinstance(error, StopIteration):  # no future can carry it
        bug = RuntimeError("a use case let StopIteration out")
        bug.__cause__ = error
        return bug
    return error


def _driver(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection: a savepoint through SQLAlchemy costs ten times as much."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError(f"expected a connection of sqlite3, got {type(driver).__name__}")
    return driver
