"""Terms as a person reads and changes them."""

import copy

import pytest

from entrepot.console.terms import changed, compare, comparisons
from entrepot.console.words import Language
from entrepot.policy import OPERANDS, parse_policy, render_policy

OFFERED = {
    "permission": [
        {
            "action": "use",
            "constraint": [
                {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "5"},
                {
                    "or": [
                        {"leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "research"},
                        {"leftOperand": "odrl:spatial", "operator": "isAnyOf", "rightOperand": ["31", "32"]},
                    ]
                },
            ],
        },
    ],
    "prohibition": [
        {
            "action": "use",
            "constraint": [{"leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "marketing"}],
        },
    ],
}
WIRE = render_policy(parse_policy(OFFERED))


def test_every_comparison_is_listed_in_its_order() -> None:
    """One that is left out is one that nobody sees before signing."""
    values = [(c.operand, c.operator, c.value) for c in comparisons(WIRE)]

    assert values == [
        ("odrl:count", "lteq", "5"),
        ("odrl:purpose", "eq", "research"),
        ("odrl:spatial", "isAnyOf", "31, 32"),
        ("odrl:purpose", "eq", "marketing"),
    ]


def test_what_nobody_changes_stays_as_it_is() -> None:
    """A counter-offer would change words that the person did not touch."""
    before = copy.deepcopy(WIRE)
    same = {c.place: f" {c.value} " for c in comparisons(WIRE)}

    assert changed(WIRE, {}) == changed(WIRE, same) == changed(WIRE, {"nowhere": "9"}) == before
    assert before == WIRE


def test_a_changed_value_is_changed_in_its_place_and_nowhere_else() -> None:
    """Two comparisons of one operand must not be taken for each other."""
    places = {c.operand + c.value: c.place for c in comparisons(WIRE)}
    after = changed(
        WIRE,
        {
            places["odrl:count5"]: "9",
            places["odrl:purposemarketing"]: "sale",
            places["odrl:spatial31, 32"]: "33 , 34",
        },
    )

    assert [c.value for c in comparisons(after)] == ["9", "research", "33, 34", "sale"]
    assert parse_policy(after) != parse_policy(WIRE)


def test_two_policies_stand_beside_each_other() -> None:
    """What differs is marked; what one side does not say at all is shown as missing."""
    places = {c.operand: c.place for c in comparisons(WIRE)}
    theirs = changed(WIRE, {places["odrl:count"]: "50"})
    del theirs["prohibition"]

    assert [(c.ours, c.theirs, c.differs) for c in compare(WIRE, theirs)] == [
        ("5", "50", True),
        ("research", "research", False),
        ("31, 32", "31, 32", False),
        ("marketing", None, True),
    ]


@pytest.mark.parametrize("name", OPERANDS)
def test_every_operand_is_read_by_its_name_in_both_languages(name: str) -> None:
    """The form would show an address of the vocabulary where a person looks for words."""
    operand = OPERANDS[name]
    comparison = next(
        iter(
            comparisons(
                {
                    "permission": [
                        {
                            "constraint": [
                                {"leftOperand": wire(operand.iri), "operator": "eq", "rightOperand": "1"}
                            ]
                        }
                    ]
                }
            )
        )
    )

    assert comparison.label(Language.ENGLISH) == operand.english
    assert comparison.label(Language.CHINESE) == operand.chinese


def wire(iri: str) -> str:
    return iri.replace("http://www.w3.org/ns/odrl/2/", "odrl:")
