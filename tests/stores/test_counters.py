"""What the counters of a permission promise, on whichever database they stand."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.journal import Journal, Transaction
from entrepot.policy import (
    Charge,
    CounterKind,
    Fact,
    Policy,
    Source,
    compile_policy,
    counted,
    hold,
    parse_policy,
    release,
    reserve,
    settle_budgets,
)
from entrepot.policy.service import window_start
from entrepot.values import AgreementId, UseId

NOW = datetime(2026, 11, 25, 8, 59, 59, 999_999, tzinfo=UTC)
AGREEMENT = AgreementId("urn:uuid:agreement")
TAKER = Path(__file__).with_name("taker.py")


def limited(*limits: tuple[str, str]) -> Policy:
    keys = ("leftOperand", "operator", "rightOperand")
    constraints = [dict(zip(keys, (name, "lteq", value), strict=True)) for name, value in limits]
    return parse_policy({"permission": [{"action": "use", "constraint": [*constraints]}]})


def charge(counter: CounterKind, limit: int) -> Charge:
    return Charge(0, counter, limit)


def take(
    journal: Journal, charges: Sequence[Charge], now: datetime = NOW, of: AgreementId = AGREEMENT
) -> bool:
    return journal.write_now(lambda tx: reserve(replace(tx, now=now), of, charges))


def give_back(journal: Journal, charges: Sequence[Charge], reserved_at: datetime) -> None:
    journal.write_now(lambda tx: release(tx, AGREEMENT, charges, reserved_at))


def counts(journal: Journal, policy: Policy, now: datetime = NOW) -> dict[str, object]:
    plan = compile_policy(policy)
    facts = journal.read_now(lambda connection: counted(connection, AGREEMENT, plan, now))
    return {name: fact.value for name, fact in facts.items()}


def budget(limit: int, amount: int) -> tuple[Charge, ...]:
    return (Charge(0, CounterKind.ROWS, limit, amount),)


def use(journal: Journal, use_id: str, charges: Sequence[Charge]) -> bool:
    """Reserve for a use, as the gate does."""

    def opens(tx: Transaction) -> bool:
        if not reserve(tx, AGREEMENT, charges):
            return False
        hold(tx, UseId(use_id), AGREEMENT, charges)
        return True

    return journal.write_now(opens)


def settle(journal: Journal, use_id: str, spent: Mapping[CounterKind, int]) -> None:
    journal.write_now(lambda tx: settle_budgets(tx, UseId(use_id), spent))


def rows_used(journal: Journal) -> object:
    plan = compile_policy(limited(("rows", "100")))
    facts = journal.read_now(lambda c: counted(c, AGREEMENT, plan, NOW, reserved=True))
    return facts["rows[0]"].value


class CountersContract:
    """What every store of counters promises. Subclasses provide `journal`."""

    @pytest.mark.parametrize("limit", [1, 20, 63])
    def test_64_callers_against_a_limit_get_exactly_what_is_there(self, journal: Journal, limit: int) -> None:
        """Two callers who both saw the last use must not both have it."""
        charges = (charge(CounterKind.TOTAL, limit),)
        with ThreadPoolExecutor(64) as callers:
            answers = [*callers.map(lambda _: take(journal, charges), range(64))]

        assert answers.count(True) == limit
        assert counts(journal, limited(("count", str(limit)))) == {"count[0]": limit + 1}

    def test_all_counters_or_none(self, journal: Journal) -> None:
        """A use refused by its rate costs nothing of the contract's life."""
        policy = limited(("count", "5"), ("rate", "2/hour"), ("rate", "3/day"))
        charges = compile_policy(policy).charges[0]

        assert [take(journal, charges) for _ in range(4)] == [True, True, False, False]
        assert counts(journal, policy) == {"count[0]": 3, "rate:hour[0]": 3, "rate:day[0]": 3}
        assert [take(journal, charges, NOW + timedelta(hours=1)) for _ in range(2)] == [True, False]
        assert [take(journal, charges, NOW + timedelta(days=1)) for _ in range(3)] == [True, True, False]

    def test_a_use_case_that_fails_takes_nothing(self, journal: Journal) -> None:
        """What is not committed was not used."""

        def fails(tx: Transaction) -> None:
            assert reserve(tx, AGREEMENT, (charge(CounterKind.TOTAL, 1),))
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            journal.write_now(fails)

        assert take(journal, (charge(CounterKind.TOTAL, 1),))

    def test_windows_begin_on_the_full_minute_hour_and_day_of_utc(self, journal: Journal) -> None:
        """A rate is of a fixed window: both sides know when it begins without asking each other."""
        for kind, period in (
            (CounterKind.MINUTE, timedelta(minutes=1)),
            (CounterKind.HOUR, timedelta(hours=1)),
            (CounterKind.DAY, timedelta(days=1)),
        ):
            begins = window_start(kind, NOW + period)
            one = (charge(kind, 1),)
            assert take(journal, one, begins - timedelta(microseconds=1))
            assert not take(journal, one, begins - timedelta(microseconds=1))
            assert take(journal, one, begins)
            assert not take(journal, one, begins + period - timedelta(microseconds=1))

    def test_windows_that_are_over_are_forgotten(self, journal: Journal) -> None:
        """A rate a minute leaves no row for every minute of the contract's life, and spares the total."""
        charges = compile_policy(limited(("count", "1000"), ("rate", "1/minute"))).charges[0]
        for minute in range(150):
            assert take(journal, charges, NOW + timedelta(minutes=minute))

        rows = sa.text("SELECT counter, count(*) FROM policy_counter GROUP BY counter ORDER BY counter")
        kept = journal.read_now(lambda c: [tuple(row) for row in c.execute(rows)])
        assert kept == [("minute", 61), ("total", 1)]
        for minutes in (149, 120, 90):
            assert not take(journal, (charge(CounterKind.MINUTE, 1),), NOW + timedelta(minutes=minutes))

    def test_what_is_given_back_can_be_taken_again(self, journal: Journal) -> None:
        """A use refused before it touched data is not counted, in the window in which it was reserved."""
        charges = compile_policy(limited(("count", "1"), ("rate", "1/hour"))).charges[0]
        assert take(journal, charges)
        give_back(journal, charges, NOW)
        give_back(journal, charges, NOW)

        assert take(journal, charges)
        assert not take(journal, charges)

    def test_agreements_and_permissions_have_counters_of_their_own(self, journal: Journal) -> None:
        """What one agreement uses is not missing from another."""
        one = (charge(CounterKind.TOTAL, 1),)

        assert take(journal, one)
        assert take(journal, one, of=AgreementId("urn:uuid:other"))
        assert take(journal, (Charge(1, CounterKind.TOTAL, 1),))
        assert not take(journal, one)

    def test_a_use_that_goes_on_is_not_counted_again(self, journal: Journal) -> None:
        """The last use of a contract may be resumed; it must not be refused for having been counted."""
        policy = limited(("count", "1"))
        plan = compile_policy(policy)
        assert take(journal, plan.charges[0])

        for reserved in (True, False):
            facts = journal.read_now(lambda c, r=reserved: counted(c, AGREEMENT, plan, NOW, reserved=r))  # type: ignore[misc]  # bound in the loop
            assert plan.decide(facts).permitted is reserved

    def test_a_decision_and_its_reservation_agree(self, journal: Journal) -> None:
        """Whoever is told yes by the counted facts gets it, when nobody else came between."""
        policy = limited(("count", "3"), ("rate", "2/minute"))
        plan = compile_policy(policy)

        def use(tx: Transaction) -> tuple[bool, bool]:
            decision = plan.decide(counted(tx.connection, AGREEMENT, plan, tx.now))
            return decision.permitted, reserve(tx, AGREEMENT, plan.charges[0])

        answers = [
            journal.write_now(lambda tx, n=n: use(replace(tx, now=NOW + timedelta(minutes=n // 3))))  # type: ignore[misc]  # bound in the loop
            for n in range(6)
        ]

        assert [permitted for permitted, _ in answers] == [True, True, False, True, False, False]
        assert all(permitted == reserved for permitted, reserved in answers)

    def test_a_budget_is_reserved_at_the_most_and_settled_at_what_it_came_to(self, journal: Journal) -> None:
        """Two calls of forty rows at most leave no room for a third in a hundred, until one gives back."""
        charges = budget(100, 40)

        assert [use(journal, n, charges) for n in ("one", "two", "three")] == [True, True, False]
        assert rows_used(journal) == 80
        settle(journal, "one", {CounterKind.ROWS: 25})
        settle(journal, "one", {CounterKind.ROWS: 25})
        assert rows_used(journal) == 65
        assert not use(journal, "four", charges)
        settle(journal, "two", {CounterKind.ROWS: 0})
        assert rows_used(journal) == 25
        assert use(journal, "five", charges)

    def test_what_a_use_came_to_is_unknown_or_too_much_and_it_costs_what_it_reserved(
        self, journal: Journal
    ) -> None:
        """A use that went wrong, or whose repeats went out twice, neither gains nor overdraws."""
        assert use(journal, "one", budget(100, 40))
        assert use(journal, "two", budget(100, 40))
        settle(journal, "one", {})
        settle(journal, "two", {CounterKind.ROWS: 900})

        assert rows_used(journal) == 80

    def test_64_callers_against_a_budget_take_no_more_than_there_is(self, journal: Journal) -> None:
        """The guard holds for amounts as it does for single uses."""
        with ThreadPoolExecutor(16) as callers:
            answers = [*callers.map(lambda n: use(journal, f"use-{n}", budget(100, 7)), range(64))]

        assert answers.count(True) == 100 // 7
        assert rows_used(journal) == 7 * (100 // 7)

    def test_of_a_budget_nothing_is_known_where_nobody_says_what_a_use_takes(self, journal: Journal) -> None:
        """A call of unknown size is not a call of none."""
        plan = compile_policy(limited(("rows", "100"), ("count", "5")))
        asked = {"rowsPerUse": Fact(40, Source.OBSERVED)}
        claimed = {"rowsPerUse": Fact(0, Source.CLAIMED)}

        def names(facts: dict[str, Fact]) -> dict[str, object]:
            found = journal.read_now(lambda c: counted(c, AGREEMENT, plan, NOW, asked=facts))
            return {name: fact.value for name, fact in found.items()}

        assert names({}) == names(claimed) == {"count[0]": 1}
        assert names(asked) == {"count[0]": 1, "rows[0]": 40}

    def test_two_processes_at_once_get_exactly_what_is_there(self, journal: Journal, address: str) -> None:
        """The guard is in the database, not in one process."""
        limit = 37
        command = [sys.executable, TAKER, address, AGREEMENT, str(limit), "32"]
        takers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        taken = [int(taker.communicate(timeout=120)[0]) for taker in takers]

        assert [taker.returncode for taker in takers] == [0, 0]
        assert sum(taken) == limit
        assert counts(journal, limited(("count", str(limit)))) == {"count[0]": limit + 1}


class TestSqliteCounters(CountersContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal

    @pytest.fixture
    def address(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/node.db"

    @settings(max_examples=15, deadline=None)
    @given(
        steps=st.lists(
            st.tuples(st.booleans(), st.integers(0, 200), st.sampled_from([0, 1])), min_size=1, max_size=25
        )
    )
    def test_counters_do_what_a_list_of_uses_would(
        self, steps: list[tuple[bool, int, int]], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Any order of taking and giving back counts as if every use were on paper."""
        policy = limited(("count", "6"), ("rate", "2/minute"), ("rate", "4/hour"))
        charges = compile_policy(policy).charges[0]
        uses: list[datetime] = []
        now = NOW
        with Journal.open(f"sqlite:///{tmp_path_factory.mktemp('paper')}/node.db") as journal:
            journal.create_schema()
            for returns, seconds, which in steps:
                now += timedelta(seconds=seconds)
                if returns and len(uses) > which:
                    give_back(journal, charges, uses.pop(which))
                    continue
                room = len(uses) < 6 and all(
                    sum(window_start(kind, u) == window_start(kind, now) for u in uses) < most
                    for kind, most in ((CounterKind.MINUTE, 2), (CounterKind.HOUR, 4))
                )
                assert take(journal, charges, now) == room
                uses += [now] * room


class TestPostgresqlCounters(CountersContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal

    @pytest.fixture
    def address(self, postgresql_journal: Journal) -> str:
        return postgresql_journal.address
