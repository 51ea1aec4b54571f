"""What the law asks: a table a grade, dated, and no where nothing is known."""

import itertools
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.regulation import grace, kinds_admitted, may_list, may_use, needs_person, retention
from entrepot.regulation.rules import _in_force, _Kinds, _read
from entrepot.values import Grade, KindOfUse, RefusedError

TODAY = date(2026, 11, 25)
DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))
ORDER = tuple(KindOfUse)


@pytest.mark.parametrize(
    ("grade", "least_protective"),
    [
        (Grade.L1, KindOfUse.API),
        (Grade.L2, KindOfUse.DELIVERY),
        (Grade.L3, KindOfUse.DELIVERY),
        (Grade.L4, KindOfUse.QUERY),
        (Grade.IMPORTANT, KindOfUse.QUERY),
    ],
)
def test_a_grade_sets_the_least_protective_kind_of_use(grade: Grade, least_protective: KindOfUse) -> None:
    """L1 may be called, L2 and L3 delivered, and what is more sensitive never moves."""
    assert kinds_admitted(grade, TODAY) == frozenset(ORDER[ORDER.index(least_protective) :])


def test_core_data_is_never_offered() -> None:
    """By no kind of use, on no day, and no grace for it."""
    ruling = may_list(Grade.CORE, TODAY)

    assert kinds_admitted(Grade.CORE, TODAY) == frozenset()
    assert not ruling.allowed
    assert "Data Security Law art. 21" in ruling.article
    assert grace(Grade.CORE, TODAY) == timedelta(0)
    assert needs_person(Grade.CORE, TODAY)


def test_a_product_without_a_grade_is_not_listed() -> None:
    """Whoever has not graded its data offers none."""
    assert may_list(None, TODAY).reason == "a product without a grade cannot be listed"
    assert [g for g in Grade if may_list(g, TODAY).allowed] == [g for g in Grade if g is not Grade.CORE]


@given(on=DAYS, grade=st.sampled_from(Grade), kind=st.sampled_from(KindOfUse))
def test_a_use_is_allowed_exactly_where_its_kind_is_admitted(on: date, grade: Grade, kind: KindOfUse) -> None:
    """Three questions, one table; a refusal says why, and by which article once there is one."""
    ruling = may_use(grade, kind, on)

    assert ruling.allowed == (kind in kinds_admitted(grade, on))
    assert ruling.allowed == (not ruling.reason)
    assert bool(ruling.article) == may_list(Grade.L1, on).allowed


@given(on=DAYS)
def test_more_sensitive_data_never_admits_more(on: date) -> None:
    """Grades are an order: kinds and grace shrink along it, approval only grows."""
    grades = sorted(Grade, key=lambda g: g.order)
    for milder, stricter in itertools.pairwise(grades):
        assert kinds_admitted(stricter, on) <= kinds_admitted(milder, on)
        assert grace(stricter, on) <= grace(milder, on)
        assert needs_person(stricter, on) >= needs_person(milder, on)


def test_grace_is_a_day_or_an_hour() -> None:
    """Use may go on without news for so long, and no longer."""
    assert {g: grace(g, TODAY) for g in Grade if g is not Grade.CORE} == {
        Grade.L1: timedelta(hours=24),
        Grade.L2: timedelta(hours=24),
        Grade.L3: timedelta(hours=24),
        Grade.L4: timedelta(hours=1),
        Grade.IMPORTANT: timedelta(hours=1),
    }


@given(on=st.dates(max_value=date(2017, 5, 31)), grade=st.sampled_from(Grade))
def test_before_the_first_rule_the_answer_is_no(on: date, grade: Grade) -> None:
    """A day of which nothing is known permits nothing."""
    assert kinds_admitted(grade, on) == frozenset()
    assert may_list(grade, on).reason == f"no rule for kinds of use is in force on {on}"
    assert not may_use(grade, KindOfUse.JOINT, on).allowed
    assert grace(grade, on) == timedelta(0)
    assert needs_person(grade, on)
    with pytest.raises(RefusedError):
        retention("log", on)


def test_an_old_day_replays_with_its_own_rules() -> None:
    """Records of provision were kept six months before the regulation of 2025, and three years since."""
    assert retention("record", date(2024, 12, 31)) == timedelta(days=184)
    assert retention("record", date(2025, 1, 1)) == timedelta(days=1096)
    assert retention("log", TODAY) == timedelta(days=184)
    assert retention("rights-registration", TODAY) == timedelta(days=7305)
    with pytest.raises(RefusedError):
        retention("rights-registration", date(2026, 6, 30))


@given(on=DAYS, gap=st.integers(0, 3_000))
def test_a_newer_entry_takes_over_on_its_day(on: date, gap: int) -> None:
    """The order of entries in the file does not matter; their dates do."""
    old, new = (_table(on, {KindOfUse.API}), _table(on + timedelta(days=gap + 1), set()))

    for entries in ((old, new), (new, old)):
        assert _in_force(entries, on - timedelta(days=1)) is None
        assert _in_force(entries, on) is old
        assert _in_force(entries, new.begins - timedelta(days=1)) is old
        assert _in_force(entries, new.begins) is new


def test_three_years_and_six_months_are_never_cut_short() -> None:
    """Counted in days, a period is as long as the longest it can be by the calendar."""
    starts = [date(2026, 1, 1) + timedelta(days=n) for n in range(4 * 366)]
    three_years = max(s.replace(year=s.year + 3, day=min(s.day, 28)) - s for s in starts)
    six_months = max(
        datetime(s.year + (s.month + 5) // 12, (s.month + 5) % 12 + 1, 1).date() - s.replace(day=1)  # noqa: DTZ001  # calendar days
        for s in starts
    )

    assert retention("record", TODAY) >= three_years
    assert retention("log", TODAY) >= six_months


def test_every_entry_names_its_article() -> None:
    """Whoever is refused can look it up."""
    book = _read()

    assert all(e.article.strip() for e in (*book.kinds, *book.grace, *book.person, *book.retention))


def _table(begins: date, kinds: set[KindOfUse]) -> _Kinds:
    admitted = frozenset(kinds)
    none = frozenset[KindOfUse]()
    return _Kinds(
        begins=begins, article="x", L1=admitted, L2=none, L3=none, L4=none, important=none, core=none
    )
