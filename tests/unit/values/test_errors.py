"""The error tree: each fault says what to do next, and has its number at the owner's API."""

import pytest

from entrepot import values
from entrepot.values import FORMATS, EntrepotError, Grade, KindOfUse, RefusedError, TransitionError

ERRORS = [e for e in vars(values).values() if isinstance(e, type) and issubclass(e, EntrepotError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_fault_has_a_remedy(kind: type[EntrepotError]) -> None:
    """Nobody is left with a message and no next step."""
    error = kind("draft", "offer", "provider") if kind is TransitionError else kind("expected a, got b")

    assert error.remedy().endswith(".")
    assert str(error)
    assert 400 <= kind.status <= 599


def test_a_refusal_carries_its_reasons_in_order() -> None:
    """What a person is shown is what was found, first things first."""
    assert RefusedError("expired", "not a member").reasons == ("expired", "not a member")
    assert str(RefusedError("expired", "not a member")) == "expired; not a member"


def test_a_refusal_without_a_rule_says_so() -> None:
    """Nothing combined gives a refusal, and even that one has a text."""
    assert str(RefusedError()) == "no rule grants this"


def test_grades_grow_with_sensitivity() -> None:
    """Rules compare grades by this order."""
    assert sorted(Grade, key=lambda grade: grade.order) == [
        Grade.L1,
        Grade.L2,
        Grade.L3,
        Grade.L4,
        Grade.IMPORTANT,
        Grade.CORE,
    ]


def test_every_kind_of_use_has_a_format() -> None:
    """A kind of use that no transfer process can open would be a dead word."""
    assert set(KindOfUse) == set(FORMATS.values())
    assert all(name.rsplit("-", 1)[1] in {"PULL", "PUSH"} for name in FORMATS)
