"""What a journal promises, on whichever database it stands."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from entrepot.journal import Journal, Transaction
from entrepot.values import ConflictError, UnavailableError

BOX = sa.Table(
    "box",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("held", sa.Integer, nullable=False),
)
LIMIT = 20
TAKE_ONE = sa.update(BOX).where(BOX.c.id == 1, BOX.c.held < LIMIT).values(held=BOX.c.held + 1)


def put(number: int, held: int = 0) -> Callable[[Transaction], int]:
    def use_case(tx: Transaction) -> int:
        tx.connection.execute(sa.insert(BOX), {"id": number, "held": held})
        return number

    return use_case


def take_one(tx: Transaction) -> bool:
    return tx.connection.execute(TAKE_ONE).rowcount == 1


def boxes(connection: Connection) -> dict[int, int]:
    return {row.id: row.held for row in connection.execute(sa.select(BOX))}


def comes_to(journal: Journal, expected: dict[int, int]) -> bool:
    """Wait for what nobody waits for: use cases whose callers have left."""
    ends = time.monotonic() + 20
    while journal.read_now(boxes) != expected:
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True


class JournalContract:
    """What every journal promises. Subclasses provide `journal`."""

    @pytest.fixture(autouse=True)
    def box(self, journal: Journal) -> None:
        journal.write_now(lambda tx: BOX.create(tx.connection))

    def test_a_use_case_gives_its_value(self, journal: Journal) -> None:
        """What a use case returns reaches its caller, and what it wrote can be read by then."""
        assert journal.write_now(put(7)) == 7
        assert journal.read_now(boxes) == {7: 0}

    def test_what_is_looked_up_is_what_is_read(self, journal: Journal) -> None:
        """The short way to a few rows sees what was durable before it, as the long one does."""
        journal.write_now(put(7))

        async def both() -> tuple[object, object]:
            return await journal.look_up(boxes), await journal.read(boxes)

        assert asyncio.run(both()) == ({7: 0}, {7: 0})

    def test_a_failing_use_case_leaves_nothing(self, journal: Journal) -> None:
        """State, outbox and audit event commit together or not at all."""

        def put_and_fail(tx: Transaction) -> None:
            put(1)(tx)
            raise ConflictError("somebody was faster")

        with pytest.raises(ConflictError):
            journal.write_now(put_and_fail)
        assert journal.read_now(boxes) == {}

    def test_a_failing_use_case_hurts_no_other(self, journal: Journal) -> None:
        """A neighbour in the same group keeps what it wrote."""

        async def all_at_once() -> list[int | BaseException]:
            numbers = (1, 2, 2, 3)
            return await asyncio.gather(*(journal.write(put(n)) for n in numbers), return_exceptions=True)

        results = asyncio.run(all_at_once())

        assert sorted(r for r in results if isinstance(r, int)) == [1, 2, 3]
        assert [type(r) for r in results if not isinstance(r, int)] == [IntegrityError]
        assert journal.read_now(boxes) == {1: 0, 2: 0, 3: 0}

    def test_a_savepoint_inside_a_use_case_is_its_own(self, journal: Journal) -> None:
        """A use case can try, fail and go on (first_seen and lease do)."""

        def try_twice(tx: Transaction) -> None:
            put(1)(tx)
            with pytest.raises(IntegrityError), tx.connection.begin_nested():
                put(1)(tx)
            put(2)(tx)

        journal.write_now(try_twice)

        assert journal.read_now(boxes) == {1: 0, 2: 0}

    def test_a_limit_of_n_is_reached_exactly(self, journal: Journal) -> None:
        """64 callers at once against a limit of 20: exactly 20 are told yes."""

        async def callers() -> list[bool]:
            await journal.write(put(1))
            return await asyncio.gather(*(journal.write(take_one) for _ in range(64)))

        assert sum(asyncio.run(callers())) == LIMIT
        assert journal.read_now(boxes) == {1: LIMIT}

    def test_nobody_overwrites_what_he_did_not_read(self, journal: Journal) -> None:
        """Use cases behave as if one ran after the other, whatever they read before they write."""
        journal.write_now(put(1))

        def read_then_write(tx: Transaction) -> None:
            held = boxes(tx.connection)[1]
            tx.connection.execute(sa.update(BOX).values(held=held + 1))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: journal.write_now(read_then_write), range(40)))

        assert journal.read_now(boxes) == {1: 40}

    def test_a_reader_sees_one_snapshot(self, journal: Journal) -> None:
        """Two looks in one query agree, whatever was written between them."""
        journal.write_now(put(1))

        def look_twice(connection: Connection) -> tuple[dict[int, int], dict[int, int]]:
            before = boxes(connection)
            journal.write_now(put(2))
            return before, boxes(connection)

        assert journal.read_now(look_twice) == ({1: 0}, {1: 0})
        assert journal.read_now(boxes) == {1: 0, 2: 0}

    def test_a_reader_changes_nothing(self, journal: Journal) -> None:
        """No write goes around the writer."""
        with pytest.raises(DBAPIError):
            journal.read_now(lambda connection: connection.execute(sa.insert(BOX), {"id": 1, "held": 0}))
        assert journal.read_now(boxes) == {}

    def test_reading_from_an_event_loop_does_not_block_it(self, journal: Journal) -> None:
        """A slow query holds up no other caller."""
        slow = threading.Event()

        async def read_slowly_and_write() -> dict[int, int]:
            reading = asyncio.create_task(journal.read(lambda c: (slow.wait(20), boxes(c))[1]))
            await journal.write(put(1))
            slow.set()
            return await reading

        assert asyncio.run(read_slowly_and_write()) == {1: 0}

    def test_a_cancelled_caller_does_not_cancel_its_use_case(self, journal: Journal) -> None:
        """A stranger who hangs up early decides nothing about what is written."""
        started, go_on = threading.Event(), threading.Event()

        def slow(tx: Transaction) -> int:
            started.set()
            go_on.wait(20)
            return put(1)(tx)

        async def hang_up() -> None:
            call = asyncio.create_task(journal.write(slow))
            await asyncio.to_thread(started.wait, 20)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            go_on.set()
            await journal.write(put(2))

        asyncio.run(hang_up())
        assert comes_to(journal, {1: 0, 2: 0})

    def test_a_caller_whose_loop_is_gone_hurts_nobody(self, journal: Journal) -> None:
        """The writer outlives an event loop that ended while its results were on their way."""
        started, go_on = threading.Event(), threading.Event()

        def slow(tx: Transaction) -> int:
            started.set()
            go_on.wait(20)
            return put(1)(tx)

        async def leave() -> None:
            asyncio.get_running_loop().create_task(journal.write(slow))
            await asyncio.to_thread(started.wait, 20)

        asyncio.run(leave())
        go_on.set()

        assert journal.write_now(put(2)) == 2
        assert comes_to(journal, {1: 0, 2: 0})

    def test_sleepers_are_woken_by_what_is_new(self, journal: Journal) -> None:
        """Worker loops look again after each commit, and find it there."""
        seen: list[dict[int, int]] = []
        woken = threading.Event()

        def wake() -> None:
            seen.append(journal.read_now(boxes))
            woken.set()

        journal.on_commit(wake)
        journal.write_now(put(1))

        assert woken.wait(20)
        assert seen[0] == {1: 0}

    def test_a_use_case_does_not_wait_for_itself(self, journal: Journal) -> None:
        """A use case that writes through the journal would never end; it is told so."""
        with pytest.raises(RuntimeError):
            journal.write_now(lambda _: journal.write_now(put(1)))
        assert journal.read_now(boxes) == {}

    def test_a_closed_journal_refuses(self, journal: Journal) -> None:
        """What was queued before is written, what comes after is refused, and closing twice is no fault."""
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda n: journal.write_now(put(n)), range(10)))
        journal.close()
        journal.close()

        with pytest.raises(UnavailableError):
            journal.write_now(put(99))


class TestJournalOnSqlite(JournalContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestJournalOnPostgresql(JournalContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal

    def test_a_lost_server_is_told(self, journal: Journal) -> None:
        """Callers are told to come again when the server cut the connection, and served when it is back."""

        def cut(tx: Transaction) -> None:
            put(1)(tx)
            tx.connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

        with pytest.raises(UnavailableError):
            journal.write_now(cut)
        assert journal.write_now(put(2)) == 2
        assert journal.read_now(boxes) == {2: 0}


def test_a_server_that_does_not_answer_is_told() -> None:
    """A node whose database is down says so, and does not fail with a foreign exception."""
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
    with Journal.open("postgresql://entrepot@127.0.0.1:1/node") as journal:
        with pytest.raises(UnavailableError):
            journal.write_now(put(1))
        with pytest.raises(UnavailableError):
            journal.read_now(boxes)
