"""A policy and a decision in words: whole sentences, in both languages, of everything that is there."""

import pytest
from entrepot_policy_samples import POLICIES, any_facts
from hypothesis import given
from hypothesis import strategies as st

from entrepot.policy import (
    ACTIONS,
    OPERANDS,
    Fact,
    Policy,
    Source,
    decide,
    explain,
    parse_policy,
    sentences,
)
from entrepot.policy.sentences import ACTION_NAMES

STREET = parse_policy(
    {
        "permission": [
            {
                "action": "use",
                "constraint": [
                    {"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"},
                    {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00Z"},
                    {"leftOperand": "count", "operator": "lteq", "rightOperand": "5"},
                ],
                "duty": [{"action": "inform"}],
            }
        ],
        "prohibition": [
            {
                "action": "distribute",
                "constraint": [
                    {
                        "xone": [
                            {"leftOperand": "region", "operator": "isPartOf", "rightOperand": r}
                            for r in ("31", "33")
                        ]
                    }
                ],
            }
        ],
    }
)


def test_a_policy_reads_as_sentences() -> None:
    """Who signs can read what they sign."""
    permitted, forbidden = sentences(STREET, "en")
    assert permitted == (
        "Permitted: use, if the purpose of use is research and the time of use is before "
        "2027-01-01T00:00:00.000000Z and the number of uses is at most 5, after inform."
    )
    assert forbidden == (
        "Forbidden: distribute, if (exactly one of: the consumer's region lies in 31 or "
        "the consumer's region lies in 33)."
    )
    permitted, forbidden = sentences(STREET, "zh")
    assert permitted == (
        "允许“使用”，条件：使用目的为research，且使用时间早于2027-01-01T00:00:00.000000Z，"
        "且使用次数不超过5；须先完成：“通知”。"
    )
    assert forbidden == "禁止“分发”，条件：（恰有一项成立：使用方地域在31之内，或使用方地域在33之内）。"


def test_nothing_permitted_is_said_too() -> None:
    """Silence could be read as consent."""
    assert sentences(Policy(), "en") == ("Nothing is permitted.",)
    assert sentences(Policy(), "zh") == ("不允许任何使用。",)


def test_a_decision_is_explained_line_by_line() -> None:
    """What was asked, what was found, who said so, and what follows."""
    policy = parse_policy(
        {
            "permission": [
                {
                    "action": "use",
                    "constraint": [
                        {"leftOperand": "purpose", "operator": "eq", "rightOperand": "a"},
                        {"leftOperand": "region", "operator": "isPartOf", "rightOperand": "31"},
                    ],
                }
            ]
        }
    )
    decision = decide(policy, {"purpose": Fact("b", Source.CLAIMED)})

    assert "\n".join(explain(decision, "en")) == (
        "Denied.\n"
        "permission[0]: use: unsatisfied\n"
        "permission[0].constraint[0]: asked that the purpose of use is a; found b (claimed): unsatisfied\n"
        "permission[0].constraint[1]: asked that the consumer's region lies in 31; "
        "found nothing (credential): unknown"
    )
    assert explain(decision, "zh") == (
        "拒绝。",
        "permission[0]: “使用”: 不满足",
        "permission[0].constraint[0]：要求使用目的为a；实际为b（调用方声明）：不满足",
        "permission[0].constraint[1]：要求使用方地域在31之内；实际为无（凭证）：未知",
    )


@given(policy=POLICIES, facts=any_facts(), language=st.sampled_from(["en", "zh"]))
def test_whatever_can_be_said_can_be_put_in_words(
    policy: Policy, facts: dict[str, Fact], language: str
) -> None:
    """No operand, operator or junction lacks its phrase in either language."""
    decision = decide(policy, facts)

    assert len(explain(decision, language)) == 1 + len(decision.report())
    assert len(sentences(policy, language)) >= len(policy.permissions) + len(policy.prohibitions)


def test_every_action_and_operand_has_a_chinese_name() -> None:
    """A table that grows in one language only is found here."""
    assert set(ACTION_NAMES) == set(ACTIONS)
    assert all(o.chinese and o.english and o.national for o in OPERANDS.values())


def test_no_third_language_is_guessed() -> None:
    """A language that is not there is an error, not English."""
    with pytest.raises(ValueError, match="fr"):
        sentences(Policy(), "fr")
