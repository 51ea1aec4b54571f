"""National codes: check characters by their published vectors, and codes that detect a slip."""

import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.values import (
    DataType,
    MalformedError,
    NodeType,
    check_character,
    contract_code,
    data_code,
    is_checked,
    is_citizen_id,
    is_social_credit_code,
    node_code,
)

ALPHANUMERIC = string.digits + string.ascii_uppercase
SUBJECT = "91350100M000100Y43"
BODIES = st.text(ALPHANUMERIC, min_size=1, max_size=46)
CITIZEN = "11010519491231002X"


def test_the_check_character_of_the_standard() -> None:
    """The vector of NDI-04, annex B: codes given elsewhere are recognised here."""
    assert check_character("G123489654321") == "Y"
    assert is_checked("G123489654321Y")


@given(body=BODIES)
def test_a_code_satisfies_the_congruence_of_mod_37_2(body: str) -> None:
    """ISO/IEC 7064 states validity as a sum of weights; the running form must give the same."""
    values = [(ALPHANUMERIC + "*").index(c) for c in body + check_character(body)]

    assert sum(v * 2 ** (len(values) - 1 - i) for i, v in enumerate(values)) % 37 == 1


@given(body=BODIES, place=st.integers(0, 45), other=st.sampled_from(ALPHANUMERIC))
def test_a_wrong_character_is_noticed(body: str, place: int, other: str) -> None:
    """Any one mistyped character is found, wherever it stands."""
    place %= len(body)
    slipped = body[:place] + other + body[place + 1 :] + check_character(body)

    assert (other == body[place]) == is_checked(slipped)


@given(body=BODIES, place=st.integers(0, 45))
def test_two_exchanged_neighbours_are_noticed(body: str, place: int) -> None:
    """The commonest slip of a human hand is found."""
    code = body + check_character(body)
    place %= len(code) - 1
    slipped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]

    assert (slipped == code) == is_checked(slipped)


@given(text=st.text(max_size=40))
def test_any_text_is_judged_and_nothing_raises(text: str) -> None:
    """A code from outside is only ever right or wrong."""
    assert {is_checked(text), is_social_credit_code(text), is_citizen_id(text)} <= {True, False}


@pytest.mark.parametrize("code", ["", "1", "*", "g1", "G123489654321y", "G1234896543２1Y", "**"])
def test_other_alphabets_are_no_codes(code: str) -> None:
    """Lower case, full-width digits and a star inside are not read leniently."""
    assert not is_checked(code)


@pytest.mark.parametrize("body", ["a", "é", "１", "*", " "])
def test_no_check_character_for_other_alphabets(body: str) -> None:
    """A code is not given to what the standard cannot write."""
    with pytest.raises(MalformedError):
        check_character(body)


def test_the_social_credit_code_of_the_standard() -> None:
    """The vector of GB 32100."""
    assert is_social_credit_code(SUBJECT)


@pytest.mark.parametrize(
    "code",
    ["", SUBJECT[:-1], SUBJECT + "0", SUBJECT.lower(), "I" + SUBJECT[1:], "O1350100M000100Y43"],
)
def test_what_is_no_social_credit_code(code: str) -> None:
    """Wrong length, case, and the letters the alphabet leaves out."""
    assert not is_social_credit_code(code)


@given(place=st.integers(0, 17), other=st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_a_wrong_character_of_a_social_credit_code_is_noticed(place: int, other: str) -> None:
    """A slip in an organisation's code does not become another organisation."""
    slipped = SUBJECT[:place] + other + SUBJECT[place + 1 :]

    assert (slipped == SUBJECT) == is_social_credit_code(slipped)


def test_the_citizen_id_of_the_standard() -> None:
    """The vector of GB 11643, so that personal data is recognised."""
    assert is_citizen_id(CITIZEN)


@given(place=st.integers(0, 16), other=st.sampled_from(string.digits))
def test_a_wrong_digit_of_a_citizen_id_is_noticed(place: int, other: str) -> None:
    """A number that merely looks like one is told apart."""
    slipped = CITIZEN[:place] + other + CITIZEN[place + 1 :]

    assert (slipped == CITIZEN) == is_citizen_id(slipped)


@pytest.mark.parametrize("code", ["", CITIZEN[:-1], CITIZEN.lower(), CITIZEN + "\n", "１" + CITIZEN[1:]])
def test_what_is_no_citizen_id(code: str) -> None:
    """Only ASCII digits and a capital X."""
    assert not is_citizen_id(code)


def test_codes_have_the_length_of_the_standard() -> None:
    """32 characters for nodes and data, 47 for contracts, each with its check character."""
    node = node_code(NodeType.CONNECTOR, SUBJECT, "3501", "ABCD1234")
    data = data_code(DataType.PRODUCT, SUBJECT, "0065", "ABCD1234")
    contract = contract_code(
        "1", NodeType.REGIONAL, SUBJECT, "3501", datetime(2026, 11, 25, 8, 1, 2, tzinfo=UTC), "ABCD1234"
    )

    assert [len(code) for code in (node, data, contract)] == [32, 32, 47]
    assert all(is_checked(code) for code in (node, data, contract))
    assert contract.startswith(f"12{SUBJECT}350120261125080102ABCD1234")


@given(at=st.datetimes(timezones=st.just(UTC)))
def test_any_time_gives_fourteen_digits(at: datetime) -> None:
    """A contract's code never changes its length, in whatever year."""
    assert len(contract_code("1", NodeType.REGIONAL, SUBJECT, "3501", at, "ABCD1234")) == 47


def test_a_contract_code_tells_utc() -> None:
    """The same instant gives the same code on every machine; a time without a zone gives none."""
    beijing = datetime(2026, 11, 25, 8, tzinfo=timezone(timedelta(hours=8)))

    assert "20261125000000" in contract_code("1", NodeType.REGIONAL, SUBJECT, "3501", beijing, "ABCD1234")
    with pytest.raises(MalformedError):
        contract_code("1", NodeType.REGIONAL, SUBJECT, "3501", beijing.replace(tzinfo=None), "ABCD1234")


@pytest.mark.parametrize(
    ("subject", "place", "random"),
    [
        (SUBJECT[:-1], "3501", "ABCD1234"),
        (SUBJECT.lower(), "3501", "ABCD1234"),
        (SUBJECT, "350", "ABCD1234"),
        (SUBJECT, "35A1", "ABCD1234"),
        (SUBJECT, "３501", "ABCD1234"),
        (SUBJECT, "3501", "ABCD123"),
        (SUBJECT, "3501", "abcd1234"),
    ],
)
def test_a_code_is_not_made_of_wrong_parts(subject: str, place: str, random: str) -> None:
    """Each part keeps its width and alphabet, or no code is given."""
    with pytest.raises(MalformedError):
        node_code(NodeType.CONNECTOR, subject, place, random)
    with pytest.raises(MalformedError):
        data_code(DataType.RESOURCE, subject, place, random)


@pytest.mark.parametrize("kind", ["", "12", "a", "é"])
def test_a_contract_type_is_one_character(kind: str) -> None:
    """The setting that gives the contract type is checked where it is used."""
    with pytest.raises(MalformedError):
        contract_code(
            kind, NodeType.REGIONAL, SUBJECT, "3501", datetime(2026, 11, 25, tzinfo=UTC), "ABCD1234"
        )
