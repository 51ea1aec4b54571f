"""What the outbox promises, on whichever database it stands."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy.exc import IntegrityError

from entrepot import journal as j
from entrepot.journal import Journal, OutboxMessage, Transaction
from entrepot.values import ConflictError, MessageId

T = TypeVar("T")

START = datetime(2026, 11, 25, 8, tzinfo=UTC)
KINDS = ("dsp", "tds")
LEASE = 30


def at(journal: Journal, seconds: float, use_case: Callable[[Transaction], T]) -> T:
    """Run a use case as if the clock showed so many seconds after the start."""
    return journal.write_now(lambda tx: use_case(replace(tx, now=START + timedelta(seconds=seconds))))


def message(name: str, lane: str = "a", kind: str = "dsp", after: float = 0) -> OutboxMessage:
    return OutboxMessage(
        id=MessageId(name),
        kind=kind,
        lane=lane,
        address="https://peer.example/dsp",
        body=b'{"@id":"' + name.encode() + b'"}',
        not_before=START + timedelta(seconds=after),
        deadline=START + timedelta(hours=24),
    )


def enqueue(journal: Journal, *messages: OutboxMessage) -> None:
    for each in messages:
        at(journal, 0, lambda tx, m=each: j.enqueue(tx, m))  # type: ignore[misc]  # a default is no parameter of a use case


def claim(journal: Journal, seconds: float = 0, holder: str = "one", limit: int = 100) -> list[str]:
    return [m.id for m in at(journal, seconds, lambda tx: j.claim(tx, holder, KINDS, LEASE, limit))]


def settle(journal: Journal, name: str) -> bool:
    return at(journal, 0, lambda tx: j.settle(tx, MessageId(name)))


def next_due(journal: Journal) -> float | None:
    due = journal.read_now(lambda connection: j.next_due(connection, KINDS))
    return None if due is None else (due - START).total_seconds()


class OutboxContract:
    """What every outbox promises. Subclasses provide `journal`."""

    def test_a_message_comes_out_as_it_went_in(self, journal: Journal) -> None:
        """The same bytes go to the same address, whenever they are sent."""
        enqueue(journal, message("m1"))

        (claimed,) = at(journal, 0, lambda tx: j.claim(tx, "one", KINDS, LEASE))

        assert claimed == replace(message("m1"), attempts=1)

    def test_a_use_case_that_fails_sends_nothing(self, journal: Journal) -> None:
        """Nothing is told to others that we did not write down ourselves."""

        def fail(tx: Transaction) -> None:
            j.enqueue(tx, message("m1"))
            raise ConflictError("too late")

        with pytest.raises(ConflictError):
            journal.write_now(fail)
        assert claim(journal) == []

    def test_a_lane_is_sent_in_order(self, journal: Journal) -> None:
        """A follow-up never overtakes what it follows, and lanes do not wait for each other."""
        enqueue(journal, message("a1"), message("b1", "b"), message("a2"))

        assert claim(journal) == ["a1", "b1"]
        assert settle(journal, "a1")
        assert claim(journal) == ["a2"]

    def test_a_postponed_head_holds_its_lane(self, journal: Journal) -> None:
        """While the first message waits to be tried again, the second does not go."""
        enqueue(journal, message("a1"), message("a2"))
        claim(journal)
        at(journal, 1, lambda tx: j.postpone(tx, MessageId("a1"), START + timedelta(seconds=10)))

        assert claim(journal, 9) == []
        assert claim(journal, 10) == ["a1"]

    def test_a_message_waits_for_its_time(self, journal: Journal) -> None:
        """A follow-up goes out no earlier than it was told to (200 ms after our own answer)."""
        enqueue(journal, message("a1", after=0.2))

        assert claim(journal, 0.199) == []
        assert claim(journal, 0.2) == ["a1"]

    def test_a_lease_keeps_others_away_until_it_ends(self, journal: Journal) -> None:
        """Two workers never send one message at a time; a dead worker's message is taken over."""
        enqueue(journal, message("a1"))

        assert claim(journal, 0, "one") == ["a1"]
        assert claim(journal, LEASE - 0.001, "two") == []
        assert claim(journal, LEASE, "two") == ["a1"]

    def test_a_dead_holder_keeps_nobody_waiting(self, journal: Journal) -> None:
        """What a killed run had claimed goes out at once after the start, what the new one claims stays."""
        enqueue(journal, message("a1"), message("b1", "b"))
        assert claim(journal, 0, "dead", limit=1) == ["a1"]
        assert claim(journal, 0, "new") == ["b1"]

        assert at(journal, 1, lambda tx: j.free_claims(tx, ["new"])) == 1
        assert claim(journal, 1, "new") == ["a1"]

    def test_attempts_are_counted(self, journal: Journal) -> None:
        """Pauses grow with the attempts, also across a crash."""
        enqueue(journal, message("a1"))
        for _ in range(3):
            (claimed,) = at(journal, 0, lambda tx: j.claim(tx, "one", KINDS, LEASE))
            at(journal, 0, lambda tx: j.postpone(tx, MessageId("a1"), START))

        assert claimed.attempts == 3

    def test_a_message_past_its_deadline_is_still_given(self, journal: Journal) -> None:
        """Somebody has to learn that it could not be delivered."""
        enqueue(journal, message("a1"))

        assert claim(journal, 25 * 3600) == ["a1"]

    def test_kinds_are_claimed_by_those_who_deliver_them(self, journal: Journal) -> None:
        """A worker never gets what it cannot send."""
        enqueue(journal, message("a1", kind="ledger"), message("b1", "b", "tds"))

        assert claim(journal) == ["b1"]

    def test_no_more_is_claimed_than_asked_for(self, journal: Journal) -> None:
        """A worker leases only what it can send before the lease ends, the oldest first."""
        enqueue(journal, *(message(f"m{n}", f"lane{n}") for n in range(5)))

        assert claim(journal, limit=2) == ["m0", "m1"]
        assert claim(journal, limit=2) == ["m2", "m3"]

    def test_settling_twice_is_noticed(self, journal: Journal) -> None:
        """Of two workers that both delivered it, one moves the state on."""
        enqueue(journal, message("a1"))

        assert settle(journal, "a1")
        assert not settle(journal, "a1")

    def test_an_id_is_queued_once(self, journal: Journal) -> None:
        """The id is the idempotency key: two messages cannot share it."""
        enqueue(journal, message("a1"))

        with pytest.raises(IntegrityError):
            enqueue(journal, message("a1", "b"))

    def test_what_nobody_needs_is_withdrawn(self, journal: Journal) -> None:
        """The weaker of two crossing moves is dropped, and a lane can be emptied."""
        enqueue(journal, message("a1"), message("a2"), message("b1", "b"))

        assert at(journal, 0, lambda tx: j.withdraw(tx, MessageId("a1")))
        assert at(journal, 0, lambda tx: j.withdraw_lane(tx, "a")) == 1
        assert claim(journal) == ["b1"]

    def test_what_may_have_been_sent_is_not_withdrawn_as_unsent(self, journal: Journal) -> None:
        """A message on its way stays until its answer is known."""
        enqueue(journal, message("a1"), message("a2"))
        claim(journal)

        assert at(journal, 0, lambda tx: j.withdraw_unsent(tx, "a")) == 1
        assert settle(journal, "a1")
        assert claim(journal) == []

    def test_a_worker_knows_when_to_wake(self, journal: Journal) -> None:
        """A worker sleeps exactly until something is due: a start, a retry, or a lease that ends."""
        assert next_due(journal) is None
        enqueue(journal, message("a1", after=5), message("a2", after=1), message("b1", "b", after=7))
        assert next_due(journal) == 5

        assert claim(journal, 6) == ["a1"]
        assert next_due(journal) == 7
        assert claim(journal, 8) == ["b1"]
        assert next_due(journal) == 6 + LEASE

    def test_many_workers_share_without_doubling(self, journal: Journal) -> None:
        """Each message is leased to one worker, whatever their number."""
        enqueue(journal, *(message(f"m{n}", f"lane{n}") for n in range(40)))

        def work(holder: int) -> list[str]:
            return [*claim(journal, 0, f"w{holder}", 10), *claim(journal, 0, f"w{holder}", 10)]

        with ThreadPoolExecutor(8) as threads:
            claimed = [name for names in threads.map(work, range(8)) for name in names]

        assert len(claimed) == len(set(claimed))
        assert set(claimed) | set(claim(journal)) == {f"m{n}" for n in range(40)}


class TestOutboxOnSqlite(OutboxContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestOutboxOnPostgresql(OutboxContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal


class OutboxAndItsModel(RuleBasedStateMachine):
    """Any sequence of events and of passing time, beside a list that tells what is right."""

    journal: Journal

    @initialize()
    def start(self) -> None:
        self.clock = 0
        self.queue: list[list[object]] = []  # name, lane, free from
        self.count = 0
        at(self.journal, 0, lambda tx: [j.withdraw_lane(tx, lane) for lane in "abc"])

    @rule(lane=st.sampled_from("abc"), after=st.integers(0, 3))
    def enqueue(self, lane: str, after: int) -> None:
        self.count += 1
        name = f"m{self.count}"
        enqueue(self.journal, message(name, lane, after=self.clock + after))
        self.queue.append([name, lane, self.clock + after])

    @rule(seconds=st.integers(1, LEASE))
    def wait(self, seconds: int) -> None:
        self.clock += seconds

    @rule()
    def claim(self) -> None:
        due = [entry for entry in self._heads() if entry[2] <= self.clock]  # type: ignore[operator]  # column 2 holds seconds
        assert claim(self.journal, self.clock) == [entry[0] for entry in due]
        for entry in due:
            entry[2] = self.clock + LEASE

    @rule(pick=st.integers(0, 9))
    def settle(self, pick: int) -> None:
        if self.queue:
            name = self.queue.pop(pick % len(self.queue))[0]
            assert settle(self.journal, str(name))

    @rule(pick=st.integers(0, 9), seconds=st.integers(0, 5))
    def postpone(self, pick: int, seconds: int) -> None:
        if self.queue:
            entry = self.queue[pick % len(self.queue)]
            until = START + timedelta(seconds=self.clock + seconds)
            at(self.journal, self.clock, lambda tx: j.postpone(tx, MessageId(str(entry[0])), until))
            entry[2] = self.clock + seconds

    @invariant()
    def next_due_is_known(self) -> None:
        assert next_due(self.journal) == min((entry[2] for entry in self._heads()), default=None)  # type: ignore[type-var]  # as above

    def _heads(self) -> list[list[object]]:
        return [e for e in self.queue if not any(o[1] == e[1] for o in self.queue[: self.queue.index(e)])]


@pytest.mark.hypothesis  # so that `make fuzz` finds it
def test_the_outbox_does_as_its_model(sqlite_journal: Journal) -> None:
    """No sequence of events sends out of order, twice at a time, too early, or never."""

    class OnThisJournal(OutboxAndItsModel):
        journal = sqlite_journal

    run_state_machine_as_test(
        OnThisJournal,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        ),
    )
