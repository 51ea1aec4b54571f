"""The writer on SQLite: groups, what is durable when a result is handed out, and what ends a group."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from entrepot.journal import Journal, Transaction
from entrepot.values import UnavailableError

NOTE = sa.Table(
    "note", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("body", sa.LargeBinary)
)
WRITE = sa.insert(NOTE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "node.db"


@pytest.fixture
def journal(file: Path) -> Iterator[Journal]:
    with Journal.open(f"sqlite:///{file}") as journal:
        journal.write_now(lambda tx: NOTE.create(tx.connection))
        yield journal


def note(number: int, size: int = 1) -> Callable[[Transaction], int]:
    def use_case(tx: Transaction) -> int:
        tx.connection.execute(WRITE, {"id": number, "body": b"x" * size})
        return number

    return use_case


def notes(file: Path) -> list[int]:
    """What another process would find in the file."""
    connection = sqlite3.connect(file)
    try:
        return [number for (number,) in connection.execute("SELECT id FROM note ORDER BY id")]
    finally:
        connection.close()


class Held:
    """A use case that stays in the writer until it is let go, so that others queue behind it."""

    def __init__(self, journal: Journal, use_case: Callable[[Transaction], Any]) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.result: Future[Any] = in_thread(lambda: journal.write_now(self._hold))
        self.use_case = use_case
        assert self.entered.wait(20)

    def _hold(self, tx: Transaction) -> Any:
        self.entered.set()
        assert self.go_on.wait(20)
        return self.use_case(tx)


def in_thread(call: Callable[[], Any]) -> "Future[Any]":
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 (it is raised where the future is read)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def queue_behind(journal: Journal, held: Held, *use_cases: Callable[[Transaction], Any]) -> list[Any]:
    """Queue use cases in order behind a held one, let it go, and give what each came to."""

    async def all_at_once() -> list[Any]:
        calls = [asyncio.create_task(journal.write(use_case)) for use_case in use_cases]
        await asyncio.sleep(0)
        held.go_on.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(all_at_once())


def test_many_use_cases_share_one_commit(journal: Journal) -> None:
    """A thousand calls a second need fewer than a thousand fsyncs."""
    commits: list[bool] = []
    sa.event.listen(journal._writing, "commit", lambda _: commits.append(True))
    held = Held(journal, note(0))

    assert queue_behind(journal, held, *(note(n) for n in range(1, 201))) == list(range(1, 201))
    assert len(commits) < 110


def test_use_cases_run_in_the_order_they_came(journal: Journal) -> None:
    """The order of writes is easy to read."""
    order: list[int] = []
    held = Held(journal, note(0))
    queue_behind(journal, held, *(lambda _, n=n: order.append(n) for n in range(50)))

    assert order == list(range(50))


def test_nothing_is_told_before_the_commit(journal: Journal, file: Path) -> None:
    """While the disk has not confirmed, no caller hears of success; afterwards the file holds it."""
    committing, go_on = threading.Event(), threading.Event()

    def slow_disk(_: object) -> None:
        committing.set()
        assert go_on.wait(20)

    sa.event.listen(journal._writing, "commit", slow_disk)
    result = in_thread(lambda: journal.write_now(note(1)))
    assert committing.wait(20)

    assert not result.done()
    assert notes(file) == []
    go_on.set()
    assert result.result(20) == 1
    assert notes(file) == [1]


def test_a_full_disk_fails_the_whole_group(journal: Journal, file: Path) -> None:
    """Use cases that shared the transaction are all told, none is left behind, and later ones succeed."""
    journal.write_now(lambda tx: tx.connection.exec_driver_sql("PRAGMA max_page_count=20"))
    held = Held(journal, note(1))

    (too_big,) = queue_behind(journal, held, note(2, size=1_000_000))

    assert isinstance(too_big, UnavailableError)
    assert isinstance(held.result.exception(20), UnavailableError)
    assert notes(file) == []
    assert journal.write_now(note(3)) == 3
    assert notes(file) == [3]


def test_a_use_case_that_hides_a_full_disk_is_told_all_the_same(journal: Journal, file: Path) -> None:
    """Nobody is told of success in a transaction that the database has ended, and nothing of it stays."""

    def hide(tx: Transaction) -> str:
        note(1)(tx)
        with pytest.raises(sa.exc.OperationalError):
            note(2, size=1_000_000)(tx)
        return "all is well"

    def hide_and_go_on(tx: Transaction) -> None:
        hide(tx)
        note(4)(tx)

    for use_case in (hide, hide_and_go_on):
        journal.write_now(lambda tx: tx.connection.exec_driver_sql("PRAGMA max_page_count=20"))
        with pytest.raises(UnavailableError):
            journal.write_now(use_case)
        assert notes(file) == []
    assert journal.write_now(note(3)) == 3


def test_a_use_case_that_renames_a_full_disk_is_told_what_it_was(journal: Journal, file: Path) -> None:
    """An error of its own does not hide from the others that their transaction has ended."""
    journal.write_now(lambda tx: tx.connection.exec_driver_sql("PRAGMA max_page_count=20"))

    def rename(tx: Transaction) -> None:
        try:
            note(2, size=1_000_000)(tx)
        except sa.exc.OperationalError as error:
            raise LookupError("no such thing") from error

    held = Held(journal, note(1))
    (renamed,) = queue_behind(journal, held, rename)

    assert isinstance(renamed, UnavailableError)
    assert isinstance(held.result.exception(20), UnavailableError)
    assert notes(file) == []


def test_trouble_of_the_database_ends_the_group_even_where_it_could_go_on(
    journal: Journal, file: Path
) -> None:
    """After a disk or memory error nobody relies on the half of a transaction that seems to be left."""

    def interrupted(tx: Transaction) -> None:
        driver = tx.connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(lambda: 1, 1)
        tx.connection.execute(sa.select(NOTE)).all()

    held = Held(journal, note(1))
    (told,) = queue_behind(journal, held, interrupted)

    assert isinstance(told, UnavailableError)
    assert isinstance(held.result.exception(20), UnavailableError)
    assert notes(file) == []


def test_a_commit_that_fails_is_told_to_all(journal: Journal, file: Path) -> None:
    """An error of the disk at the very end is nobody's success."""
    fail = [True]

    def broken_disk(_: object) -> None:
        if fail.pop():
            raise sa.exc.OperationalError("COMMIT", None, sqlite3.OperationalError("disk I/O error"))

    held = Held(journal, note(1))
    sa.event.listen(journal._writing, "commit", broken_disk)
    (second,) = queue_behind(journal, held, note(2))
    fail[:] = [False]

    assert isinstance(second, UnavailableError)
    assert isinstance(held.result.exception(20), UnavailableError)
    assert second is not held.result.exception(20)
    assert notes(file) == []
    assert "disk I/O error" in str(second)


def test_a_locked_file_is_told_and_not_waited_for_by_each(tmp_path: Path) -> None:
    """Where another process holds the file for too long, those who queue are told together."""
    file = tmp_path / "node.db"
    with Journal.open(f"sqlite:///{file}?timeout=0.5") as journal:
        journal.write_now(lambda tx: NOTE.create(tx.connection))
        other = sqlite3.connect(file, isolation_level=None)
        held = Held(journal, note(0))

        async def while_locked() -> list[Any]:
            held.go_on.set()
            await asyncio.to_thread(held.result.result, 20)
            other.execute("BEGIN IMMEDIATE")
            calls = [asyncio.create_task(journal.write(note(n))) for n in range(1, 6)]
            return await asyncio.gather(*calls, return_exceptions=True)

        began = time.monotonic()
        results = asyncio.run(while_locked())
        waited = time.monotonic() - began
        other.execute("ROLLBACK")
        other.close()

        assert [type(r) for r in results] == [UnavailableError] * 5
        assert waited < 3 * 0.5
        assert journal.write_now(note(9)) == 9
    assert notes(file) == [0, 9]


@pytest.mark.parametrize("fault", [SystemExit(1), KeyboardInterrupt(), StopIteration(), AssertionError()])
def test_no_fault_of_a_use_case_stops_the_writer(journal: Journal, file: Path, fault: BaseException) -> None:
    """Whatever one caller's use case raises, its caller hears of it and the others are served."""

    def fail(tx: Transaction) -> None:
        note(1)(tx)
        raise fault

    async def call() -> None:
        with pytest.raises((type(fault), RuntimeError)):
            await journal.write(fail)

    held = Held(journal, note(0))
    held.go_on.set()
    if isinstance(fault, (SystemExit, KeyboardInterrupt)):  # these end an event loop, as they should
        with pytest.raises(type(fault)):
            journal.write_now(fail)
    else:
        asyncio.run(call())

    assert journal.write_now(note(2)) == 2
    assert notes(file) == [0, 2]


def test_a_savepoint_left_open_is_a_fault(journal: Journal, file: Path) -> None:
    """A use case cannot pass its half-open savepoint on to the next one."""

    def leave_open(tx: Transaction) -> None:
        tx.connection.begin_nested()
        note(1)(tx)

    def leave_open_and_fail(tx: Transaction) -> None:
        leave_open(tx)
        raise LookupError

    with pytest.raises(RuntimeError):
        journal.write_now(leave_open)
    with pytest.raises(LookupError):
        journal.write_now(leave_open_and_fail)
    held = Held(journal, leave_open_and_fail)
    assert queue_behind(journal, held, note(2)) == [2]
    assert isinstance(held.result.exception(20), LookupError)
    assert notes(file) == [2]


def test_use_cases_of_a_group_share_its_time(journal: Journal) -> None:
    """Time is read once a transaction, in UTC; ids are fresh for each."""
    held = Held(journal, lambda tx: (tx.now, tx.new_id()))
    (after,) = queue_behind(journal, held, lambda tx: (tx.now, tx.new_id()))
    first = held.result.result(20)

    assert first[0] == after[0]
    assert first[1] != after[1]
    assert first[0].utcoffset().total_seconds() == 0


def test_an_empty_claim_wakes_nobody(journal: Journal) -> None:
    """Two sleepers that look and find nothing do not wake each other for ever."""
    woken = threading.Event()
    journal.on_commit(woken.set)
    journal.write_now(lambda tx: tx.connection.execute(sa.select(NOTE)).all())
    journal.write_now(lambda _: None)

    assert not woken.is_set()
    journal.write_now(note(1))
    assert woken.wait(20)


def test_a_sleeper_that_fails_stops_nobody(journal: Journal) -> None:
    """A fault in one worker's wake call reaches neither the writer nor the other workers."""
    woken = threading.Event()

    def fail() -> None:
        raise LookupError

    journal.on_commit(fail)
    journal.on_commit(woken.set)
    journal.write_now(note(1))

    assert woken.wait(20)
    assert journal.write_now(note(2)) == 2


def test_closing_finishes_what_is_queued(file: Path) -> None:
    """Nothing that was taken in is lost by an orderly end."""
    journal = Journal.open(f"sqlite:///{file}")
    journal.write_now(lambda tx: NOTE.create(tx.connection))
    held = Held(journal, note(0))

    async def close_behind() -> list[Any]:
        calls = [asyncio.create_task(journal.write(note(n))) for n in range(1, 31)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(journal.close))
        await asyncio.sleep(0.05)  # the end of the queue lies behind the thirty by now
        held.go_on.set()
        await closing
        return await asyncio.gather(*calls)

    assert asyncio.run(close_behind()) == list(range(1, 31))
    assert notes(file) == list(range(31))
