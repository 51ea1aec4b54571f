"""Money: whole minor units of one currency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.values import MalformedError, Money

AMOUNTS = st.builds(Money, st.integers(), st.just("CNY"))


@given(a=AMOUNTS, b=AMOUNTS)
def test_adding_and_taking_away_are_exact(a: Money, b: Money) -> None:
    """No fen is ever made or lost."""
    assert a == a + b - b
    assert a + b == b + a


def test_currencies_do_not_mix() -> None:
    """Fen are not added to cents."""
    with pytest.raises(MalformedError):
        Money(1, "CNY") + Money(1, "USD")
    with pytest.raises(MalformedError):
        Money(1, "CNY") - Money(1, "USD")


@pytest.mark.parametrize("currency", ["", "cny", "CN", "CNYY", "RMB ", "元", "CNY\n"])
def test_a_currency_is_three_capitals(currency: str) -> None:
    """ISO 4217, and nothing that resembles it."""
    with pytest.raises(MalformedError):
        Money(1, currency)
