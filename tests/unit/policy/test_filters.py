"""Row filters: a small language that two parties read alike, and that cannot become anything else."""

import sqlite3
from decimal import Decimal

import pytest
from entrepot_policy_samples import FILTERS
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.policy import Comparison, RowFilter, parse_filter
from entrepot.policy.filters import MAX_COMPARISONS, MAX_LISTED
from entrepot.values import MalformedError


@settings(max_examples=80)
@given(found=FILTERS)
def test_what_is_written_is_read_again(found: RowFilter) -> None:
    """One filter has one text."""
    assert parse_filter(str(found)) == found


@given(one=FILTERS, other=FILTERS)
@settings(max_examples=50)
def test_two_filters_together_ask_all_that_either_asks(one: RowFilter, other: RowFilter) -> None:
    """A door that applies several terms leaves none out, in whatever order."""
    assert (one & other).texts == one.texts | other.texts
    assert one & other == other & one
    assert one & one == one


def test_spellings_of_one_filter_are_one_filter() -> None:
    """Blanks, order, digits and repeats make no difference."""
    assert parse_filter("year>=2020  AND  b='x' and year >= 2020.0") == parse_filter(
        "b = 'x' and year >= 2020"
    )
    assert parse_filter("a IN ('y','x','y')") == parse_filter("a in ('x', 'y')")
    assert str(parse_filter("\"a b\" = 'it''s' and n = -0")) == "\"a b\" = 'it''s' and n = 0"


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a =", "= 1", "a = b", "a == 1", "a <> 1", "a like 'x'", "not a = 1", "a = 1 or b = 2"),
        *("(a = 1)", "a = 1;", "a = 1; drop table t", "a = 1 --", "a = /* */ 1", "f(a) = 1", "a + 1 = 2"),
        *("a = 1 and", "and a = 1", "a in ()", "a in (1", "a in 1", "a in (1, 'x')", "a in (b)", "a = null"),
        *("a = 'x", 'a = "x"', "a = 'x' 'y'", "a = 1e9", "a = 01", "a = 0x1", "a = 1.", "a = .5", "a = $1"),
        *(
            '"" = 1',
            '"a"" or 1=1" = 1',
            "a.b = 1",
            "a = 'x\ny'",
            "1 = 1",
            "and = 1",
            "in = 1",
            "a in (select 1)",
        ),
        " and ".join(f"a = {n}" for n in range(MAX_COMPARISONS + 1)),
        f"a in ({', '.join(map(str, range(MAX_LISTED + 1)))})",
    ],
)
def test_anything_else_is_no_filter(text: str) -> None:
    """What could be a statement, an alternative or a function is refused before any database sees it."""
    with pytest.raises(MalformedError):
        parse_filter(text)


@given(text=st.text(st.sampled_from("ab1 '\"=<>!(),.-;inandor\\%_\x00"), max_size=30))
@settings(max_examples=150)
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    """No input of a stranger ends in a crash, and whatever is read is asked with its values apart."""
    try:
        found = parse_filter(text)
    except MalformedError:
        return
    where, values = found.where()
    assert where.count("?") == len(values)
    assert "'" not in where


def test_the_rows_that_a_filter_lets_through_are_those_it_names() -> None:
    """Asked of a real database, with texts that would end a statement and rows that have no value."""
    rows = [(1, "x", 2019), (2, "y", 2020), (3, "'; drop table t; --", 2021), (4, None, 2022), (5, "x", None)]
    database = sqlite3.connect(":memory:")
    database.execute('CREATE TABLE t (id INTEGER, "a b" TEXT, year INTEGER)')
    database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)

    def let_through(text: str) -> list[int]:
        where, values = parse_filter(text).where()
        plain = [int(v) if isinstance(v, Decimal) else v for v in values]
        return [r[0] for r in database.execute(f"SELECT id FROM t WHERE {where}", plain)]  # noqa: S608 (as the door asks)

    assert let_through("year >= 2020") == [2, 3, 4]
    assert let_through("\"a b\" in ('x', 'y') and year < 2020") == [1]
    assert let_through("\"a b\" = '''; drop table t; --'") == [3]
    assert let_through("\"a b\" != 'x'") == [2, 3]


def test_a_filter_says_which_columns_it_looks_at() -> None:
    """Who may not see a column may not filter by it either."""
    assert parse_filter("a = 1 and b in (2, 3)").columns == {"a", "b"}
    assert RowFilter((Comparison("a", "=", (Decimal(1),)),)).texts == {"a = 1"}
