"""Several processes on one database: who is there, who hears whom, and what a lost answer means."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from postgres import Server
from wire import Breaks, Wire

from entrepot.journal import (
    Journal,
    OutcomeUnknownError,
    Transaction,
    free_leases,
    lease,
    migrate,
    present_holders,
    schema_state,
)
from entrepot.journal import writer as journal_writer
from entrepot.values import UnavailableError

NOTE = sa.Table("note", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))


def put(number: int) -> Callable[[Transaction], int]:
    def use_case(tx: Transaction) -> int:
        tx.connection.execute(sa.insert(NOTE), {"id": number})
        return number

    return use_case


def notes(journal: Journal) -> set[int]:
    return set(journal.read_now(lambda c: c.execute(sa.select(NOTE.c.id)).scalars().all()))


def new_name() -> str:
    return secrets.token_hex(8)


def until(condition: Callable[[], object], seconds: float = 20) -> bool:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def url(postgresql_journal: Journal) -> str:
    return postgresql_journal.address


@pytest.fixture
def one(url: str) -> Iterator[Journal]:
    with Journal.open(url) as journal:
        yield journal


@pytest.fixture
def two(url: str) -> Iterator[Journal]:
    with Journal.open(url) as journal:
        yield journal


def test_a_commit_wakes_the_other_processes(one: Journal, two: Journal) -> None:
    """A stop that is written by one worker must reach the streams of another at once."""
    heard = threading.Event()
    two.on_commit(heard.set)
    one.join(new_name())
    two.join(new_name())

    one.write_now(lambda tx: NOTE.create(tx.connection))

    assert heard.wait(20)


def test_nobody_is_woken_by_himself_or_by_what_changes_nothing(one: Journal, two: Journal) -> None:
    """Loops that look at nothing new would wake each other for ever."""
    rings: list[str] = []
    one.on_commit(lambda: rings.append("one"))
    two.on_commit(lambda: rings.append("two"))
    one.join(new_name())
    two.join(new_name())

    one.write_now(lambda tx: lease(tx, "seal", "one", 600))
    assert until(lambda: "two" in rings)
    rings.clear()
    one.write_now(lambda tx: tx.connection.exec_driver_sql("SELECT 1"))
    assert not one.write_now(lambda tx: lease(tx, "seal", "two", 600))  # a turn that is another's
    one.write_now(lambda tx: NOTE.create(tx.connection))

    assert until(lambda: "two" in rings)
    two.write_now(put(1))
    assert until(lambda: rings.count("one") == 2)
    assert rings.count("two") == 2


def test_those_who_joined_are_present_until_they_leave(one: Journal, two: Journal) -> None:
    """What a living worker has claimed stays its own when another one starts."""
    names = new_name(), "f" + new_name()[1:]
    one.join(names[0])
    two.join(names[1])
    assert one.read_now(present_holders) == set(names)

    two.close()

    assert until(lambda: one.read_now(present_holders) == {names[0]})


def test_a_start_frees_what_the_dead_held_and_nothing_else(one: Journal, two: Journal) -> None:
    """A second worker must not take the jobs of the first, and waits for no dead one's lease."""
    living, dead, new = new_name(), new_name(), new_name()
    one.join(living)
    one.write_now(lambda tx: lease(tx, "seal", living, 600))
    one.write_now(lambda tx: lease(tx, "audit", dead, 600))
    two.join(new)

    assert two.write_now(lambda tx: free_leases(tx, {new, *present_holders(tx.connection)})) == 1
    assert not two.write_now(lambda tx: lease(tx, "seal", new, 600))
    assert two.write_now(lambda tx: lease(tx, "audit", new, 600))


def test_a_lost_ear_comes_back_under_its_name(one: Journal, two: Journal, postgresql: Server) -> None:
    """A connection that the server cut is made again; until then others may take this process for dead."""
    name, heard = new_name(), threading.Event()
    one.join(name)
    one.on_commit(heard.set)
    two.join(new_name())
    cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
    postgresql.execute(cut, str(one._writing.url.database))

    assert until(lambda: name in two.read_now(present_holders))
    heard.clear()
    two.write_now(lambda tx: NOTE.create(tx.connection))
    assert heard.wait(20)


def test_a_database_that_is_down_cannot_be_joined() -> None:
    """A worker that nobody could see does not start."""
    nowhere = "postgresql://entrepot@127.0.0.1:1/node"
    with Journal.open(nowhere) as journal, pytest.raises(UnavailableError):
        journal.join(new_name())
    with pytest.raises(UnavailableError):
        schema_state(nowhere)
    with pytest.raises(UnavailableError):
        migrate(nowhere)


def test_a_file_is_joined_by_its_owner_alone(sqlite_journal: Journal) -> None:
    """On SQLite nobody else is present: the lock of the folder says so."""
    sqlite_journal.join(new_name())

    assert not sqlite_journal.is_shared
    assert sqlite_journal.read_now(present_holders) == frozenset()


@pytest.fixture
def wire(postgresql: Server) -> Iterator[Wire]:
    with Wire(postgresql.port) as wire:
        yield wire


@pytest.fixture
def wired(url: str, wire: Wire) -> Iterator[Journal]:
    address = sa.make_url(url).set(port=wire.port)
    with Journal.open(address.render_as_string(hide_password=False)) as journal:
        journal.write_now(lambda tx: NOTE.create(tx.connection))
        yield journal


def test_a_lost_answer_to_a_commit_is_found_out(wired: Journal, wire: Wire) -> None:
    """The server did it and its answer was lost: the caller gets its value, not a false refusal."""
    wire.breaks = Breaks.AFTER

    assert wired.write_now(put(1)) == 1
    assert wire.broken.is_set()
    assert notes(wired) == {1}


def test_a_commit_that_never_arrived_is_told_as_not_done(wired: Journal, wire: Wire) -> None:
    """The server rolled back: the caller is told so, and may ask again."""
    wire.breaks = Breaks.BEFORE

    with pytest.raises(UnavailableError) as told:
        wired.write_now(put(1))
    assert wire.broken.is_set()
    assert not isinstance(told.value, OutcomeUnknownError)
    assert notes(wired) == set()
    assert wired.write_now(put(1)) == 1


@pytest.mark.parametrize(("breaks", "happened"), [(Breaks.BEFORE, set()), (Breaks.AFTER, {1})])
def test_what_cannot_be_found_out_is_told_as_unknown(
    wired: Journal, wire: Wire, breaks: Breaks, happened: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is gone after COMMIT: nobody says that nothing happened, nor that it did."""
    monkeypatch.setattr(journal_writer, "_ASK_SECONDS", 0.3)
    wire.breaks, wire.stays_cut = breaks, True

    with pytest.raises(OutcomeUnknownError) as told:
        wired.write_now(put(1))
    assert "repeat" in told.value.remedy()
    wire.mend()
    assert notes(wired) == happened
