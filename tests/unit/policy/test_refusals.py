"""Refusals in words: every reason in both languages, and the English of each read back."""

import re
from dataclasses import replace

import pytest
from entrepot_policy_samples import ASKED, CASES, POLICIES, SAMPLE_ATOMS
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.policy import (
    ACTIONS,
    OPERANDS,
    Atom,
    Duty,
    Fact,
    Junction,
    Moment,
    OperandType,
    Operator,
    Outcome,
    Policy,
    Reason,
    Refusal,
    Rule,
    Source,
    contradictions,
    decide,
    read_refusal,
    say_refusal,
    tensions,
)
from entrepot.policy.phrases import FOUND, GROUPS, PERIODS, PLACES, REFUSALS, ROLES, WORDS, Language
from entrepot.policy.refusal import NOT_UTC, NOTHING, OTHERWISE

HOLE = re.compile(r"\{\w+\}")
CODE = re.compile(r"（[A-Za-z]+）")
LATIN = re.compile(r"[A-Za-z]{2,}")
ENGLISH = " ".join([*REFUSALS[Language.ENGLISH].values(), NOTHING, OTHERWISE, NOT_UTC])
OURS = (
    {*LATIN.findall(HOLE.sub("", ENGLISH))}
    | {*OPERANDS, *ACTIONS, *WORDS, *ROLES, *PLACES, *PERIODS, *map(str, Operator), *map(str, Junction)}
) - {"UTC"}
"""The words that a reader of Chinese would stumble over."""
FREE = {
    OperandType.TERM,
    OperandType.NAMES,
    OperandType.PARTY,
    OperandType.NETWORK,
    OperandType.FILTER,
}
"""What the parties name as they like: a purpose may be called as anything is."""
SAMPLES = {
    Reason.UNCOVERED: Refusal(Reason.UNCOVERED),
    Reason.FORBIDDEN: Refusal(Reason.FORBIDDEN, "prohibition[1]"),
    Reason.MAYBE_FORBIDDEN: Refusal(Reason.MAYBE_FORBIDDEN, "prohibition[0]"),
    Reason.UNMET: Refusal(Reason.UNMET, "permission[0].constraint[2].or[1]", "count lteq 5", "6"),
    Reason.NOT_ONE: Refusal(Reason.NOT_ONE, "permission[0].constraint[0]"),
    Reason.OWED_FIRST: Refusal(Reason.OWED_FIRST, about="compensate 100.00 CNY"),
    Reason.NO_VALUE: Refusal(Reason.NO_VALUE, "permission[0]", "region"),
    Reason.NO_FACTS: Refusal(Reason.NO_FACTS, "permission[0]"),
    Reason.TAKEN_BACK: Refusal(Reason.TAKEN_BACK, "permission[0]", "prohibition[2]"),
    Reason.TAKEN_BACK_TOGETHER: Refusal(Reason.TAKEN_BACK_TOGETHER, "permission[3]"),
    Reason.DUTY_FORBIDDEN: Refusal(Reason.DUTY_FORBIDDEN, "permission[0].duty[1]", "prohibition[0]"),
    Reason.UNKEPT: Refusal(Reason.UNKEPT, "permission[0]"),
    Reason.UNSEEN: Refusal(Reason.UNSEEN, "permission[0]", "anonymize, minimumGroupSize"),
    Reason.UNPERMITTED: Refusal(Reason.UNPERMITTED, "permission", "delivery"),
    Reason.GIVEN_AWAY: Refusal(Reason.GIVEN_AWAY, "permission[0]", "prohibition[0]"),
    Reason.UNPROTECTED: Refusal(Reason.UNPROTECTED, "permission[1]", "minimumGroupSize"),
}


def stumbles(refusal: Refusal) -> set[str]:
    """Words of ours that are left in English; a code in brackets behind its Chinese is none."""
    operand, _, rest = refusal.about.partition(" ")
    if refusal.reason is Reason.UNMET and OPERANDS[operand].type in FREE and operand != "treatment":
        about, found = f"{operand} {rest.partition(' ')[0]} 7", refusal.found
        refusal = replace(refusal, about=about, found=found if found in FOUND else "7")
    return OURS & {*LATIN.findall(CODE.sub("", say_refusal(refusal, "zh")))}


@pytest.mark.parametrize("language", Language)
def test_every_reason_is_said_in_every_language(language: Language) -> None:
    """A reason that is added in one language only would end a page with a fault."""
    assert set(REFUSALS[language]) == set(Reason) == set(SAMPLES)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_read_back_and_said_in_chinese(reason: Reason) -> None:
    """What is kept in English alone would be shown in English for ever."""
    refusal = SAMPLES[reason]
    chinese = say_refusal(refusal, "zh")

    assert read_refusal(say_refusal(refusal, "en")) == refusal
    assert (stumbles(refusal), HOLE.findall(chinese)) == (set(), [])
    assert re.search(r"[\u4e00-\u9fff]", chinese)


def test_a_refusal_reads_like_this() -> None:
    """Place, what was asked, what was found: each in the reader's language, numbers as they are."""
    assert [say_refusal(SAMPLES[r], "zh") for r in (Reason.UNMET, Reason.OWED_FIRST, Reason.UNSEEN)] == [
        "第1条许可·第3项条件·任选第2项：要求使用次数不超过5；实际为6",
        "须先完成：“补偿” 100.00 CNY",
        "第1条许可：所提供的使用方式均无法满足：无从得知或无法执行匿名化、结果最小分组人数",
    ]


@settings(max_examples=60)
@given(case=CASES, asked=ASKED)
def test_whatever_a_policy_refuses_is_read_back_and_said_in_chinese(
    case: tuple[Policy, dict[str, Fact]], asked: str
) -> None:
    """A fact or a place that nobody thought of would leave a reader of Chinese with English."""
    policy, facts = case
    decision = decide(policy, facts, asked)
    said = decision.reasons()

    assert bool(said) == (decision.outcome is not Outcome.PERMIT)
    assert [read_refusal(text) for text in said] == [*decision.refusals()]
    assert {word for r in decision.refusals() for word in stumbles(r)} == set()


@settings(max_examples=25)
@given(policy=POLICIES, other=POLICIES)
def test_whatever_stands_against_an_offer_is_read_back_and_said_in_chinese(
    policy: Policy, other: Policy
) -> None:
    """As above, for whoever changes terms and is told why they cannot be."""
    for refusal in (*contradictions(policy), *tensions(policy, other)):
        assert read_refusal(say_refusal(refusal, "en")) == refusal
        assert stumbles(refusal) == set()


@pytest.mark.parametrize("asked", sorted(SAMPLE_ATOMS), ids="-".join)
def test_every_comparison_is_read_back_whatever_was_found(asked: tuple[str, Operator]) -> None:
    """Not every operand is one that a random policy is often refused for."""
    policy = Policy((Rule("use", (SAMPLE_ATOMS[asked],)),))
    (line,) = (line for line in decide(policy, {}).report() if line.operand == asked[0])
    for found in ("", NOTHING, OTHERWISE, NOT_UTC, "PT0S", "True", "[a, b]", "u, v"):
        refusal = Refusal(Reason.UNMET, line.path, line.asked, found)

        assert read_refusal(say_refusal(refusal, "en")) == refusal
        assert stumbles(refusal) == set()


@pytest.mark.parametrize("junction", Junction)
def test_every_junction_has_words(junction: Junction) -> None:
    """A group of conditions is a line of an explanation, and a step of a path."""
    assert junction in GROUPS
    assert str(junction) in PLACES


def test_an_empty_value_is_a_value() -> None:
    """Terms may name nothing at all; the text is then shorter by a word."""
    policy = Policy((Rule("use", (Atom(OPERANDS["purpose"], Operator.EQ, ""),)),))
    decision = decide(policy, {"purpose": Fact("x", Source.AGREEMENT)})
    (text,) = decision.reasons()

    assert text == "permission[0].constraint[0]: asked purpose eq, found x"
    assert (read_refusal(text),) == decision.refusals()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a person said no",
        "permission[0]",
        "do first: whatever you like",
        "do first: inform at once",
        "obligation applies to you",
        "permission[0]: asked purpose",
        "permission[0]: asked mood eq good, found bad",
        "permission[0]: asked purpose like x, found y",
        "permission[9999999999]: exactly one of these must hold",
        "permission[0].elsewhere[1]: exactly one of these must hold",
        "permission[٣]: exactly one of these must hold",
        "permission[0]: no value satisfies all of its {about} constraints",
        "permission: nothing permits teleportation, which the product is offered for",
        "do first: inform; do first: compensate",
        "没有许可涵盖这一行为",
    ],
)
def test_what_is_none_of_our_texts_is_no_refusal(text: str) -> None:
    """What a stranger wrote is shown as he wrote it."""
    assert read_refusal(text) is None


@settings(max_examples=100)
@given(
    text=st.text(st.sampled_from("permisonhbtcaduxl[]0.: ,{}")) | st.text(),
    head=st.sampled_from(["do first: ", "permission[0]: ", "permission[0]: asked rate lteq ", ""]),
)
def test_whatever_a_stranger_writes_can_be_shown(head: str, text: str) -> None:
    """A text that looks like ours and is not must not end a page with a fault."""
    refusal = read_refusal(head + text)

    assert refusal is None or say_refusal(refusal, "en") == head + text
    assert refusal is None or say_refusal(refusal, "zh")


def test_duties_after_a_use_are_named_with_their_time() -> None:
    """The name under which a duty is written down is what is read back."""
    refusal = Refusal(Reason.OWED_FIRST, about="delete within P30D")

    assert say_refusal(refusal, "zh") == "须先完成：“删除”（30天内）"
    assert Duty("delete", Moment.AFTER).action in ACTIONS
