"""Terms as a person reads and changes them."""

import copy

import pytest

from entrepot.console.terms import addable, added, changed, compare, comparisons, unreadable
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


def test_what_the_offer_does_not_say_can_be_added_to_every_permission() -> None:
    """A first ask could only repeat what the provider thought of."""
    offered = render_policy(parse_policy({"permission": [{"action": "use"}, {"action": "use"}]}))
    places = {c.operand.removeprefix("odrl:"): c.place for c in addable(offered)}
    after = added(offered, {places["count"]: " 3 ", places["dateTime"]: "2027-06-30", places["purpose"]: ""})

    assert set(places) == {"purpose", "count", "dateTime"}
    asked = [[(c["leftOperand"], c["rightOperand"]) for c in r["constraint"]] for r in after["permission"]]
    assert asked == 2 * [[("odrl:count", "3"), ("odrl:dateTime", "2027-06-30T23:59:59Z")]]
    assert parse_policy(after) != parse_policy(offered)
    assert added(offered, {}) == offered


def test_what_the_offer_says_is_changed_and_not_said_twice() -> None:
    """Two limits of one kind would contradict each other."""
    assert [c.operand for c in addable(WIRE)] == ["odrl:dateTime"]


@pytest.mark.parametrize(
    ("operand", "typed", "fault"),
    [
        ("odrl:count", "0", "uses"),
        ("odrl:count", "five", "uses"),
        ("odrl:count", "-1", "uses"),
        ("odrl:count", "\u0665", "uses"),
        ("odrl:count", "9" * 5000, "uses"),
        ("odrl:count", "", "empty"),
        ("odrl:count", " 7 ", None),
        ("odrl:dateTime", "tomorrow", "time"),
        ("odrl:dateTime", "2027-02-30", "time"),
        ("odrl:dateTime", "2027-06-30T12:00:00", "time"),
        ("odrl:dateTime", "2027-06-30", None),
        ("odrl:dateTime", "", None),
    ],
)
def test_what_cannot_be_meant_is_told_at_its_field(operand: str, typed: str, fault: str | None) -> None:
    """A person would be told by the machine's words, or by nobody, what was typed wrong."""
    fields = [*comparisons(WIRE), *addable(WIRE)]
    place = next(c.place for c in fields if c.operand == operand)

    assert unreadable(fields, {place: typed}).get(place) == fault
