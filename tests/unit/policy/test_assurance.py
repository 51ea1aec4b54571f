"""What is done about each thing that a policy says, and that nobody is told more than is true."""

from datetime import timedelta

import pytest
from entrepot_policy_samples import POLICIES, example
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.policy import (
    ASSURANCES,
    OPERANDS,
    Assurance,
    Duty,
    Moment,
    Policy,
    Rule,
    Source,
    assurance,
    assured,
    parse_policy,
)
from entrepot.values import KindOfUse

API, DELIVERY, QUERY = KindOfUse.API, KindOfUse.DELIVERY, KindOfUse.QUERY


def degree(policy: Policy, kind: KindOfUse) -> Assurance:
    return assurance(policy, kind)[0].degree


def test_every_operand_is_kept_somewhere() -> None:
    """A word that no kind of use does anything about would be a promise to nobody."""
    assert {name for name, _ in ASSURANCES} == set(OPERANDS)


@pytest.mark.parametrize("name", sorted(OPERANDS))
def test_what_only_the_caller_says_is_never_called_enforced(name: str) -> None:
    """A word taken on trust is written down, and that is all."""
    degrees = {kind: ASSURANCES.get((name, kind)) for kind in KindOfUse}
    if OPERANDS[name].source is Source.CLAIMED:
        assert set(degrees.values()) <= {Assurance.RECORDS, None}
    assert degrees[KindOfUse.JOB] is None
    assert degrees[KindOfUse.JOINT] is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("minimumGroupSize", ("refuses", "refuses", "enforces")),
        ("rowFilter", ("enforces", "refuses", "enforces")),
        ("bytes", ("refuses", "enforces", "refuses")),
        ("retention", ("records", "records", "enforces")),
        ("environment", ("records", "records", "enforces")),
        ("purpose", ("records", "records", "records")),
        ("count", ("enforces", "enforces", "enforces")),
        ("encryption", ("enforces", "enforces", "enforces")),
    ],
)
def test_it_depends_on_the_kind_of_use(name: str, expected: tuple[str, str, str]) -> None:
    """What a query enforces a delivery may only record, and what nobody sees there denies."""
    policy = parse_policy(example(name))

    assert tuple(str(degree(policy, kind)) for kind in (API, DELIVERY, QUERY)) == expected


def test_what_happens_after_a_delivery_is_recorded_only() -> None:
    """Software on a machine that the consumer administers cannot stop its owner."""
    policy = Policy((Rule("use"),), (Rule("distribute"), Rule("download"), Rule("reproduce")))

    assert [a.degree for a in assurance(policy, DELIVERY)] == ["records", "enforces", "enforces"]
    assert [a.degree for a in assurance(policy, QUERY)] == ["records", "records", "records"]


def test_duties_are_kept_in_their_own_way() -> None:
    """What the gate does is enforced, what a consumer reports is recorded, who is paid knows."""

    def of(duty: Duty, kind: KindOfUse = DELIVERY) -> Assurance:
        return degree(Policy((Rule("use", (), (duty,)),)), kind)

    month = timedelta(days=30)
    assert of(Duty("inform", Moment.ALONGSIDE)) is Assurance.ENFORCES
    assert of(Duty("encrypt", Moment.ALONGSIDE)) is Assurance.ENFORCES
    assert of(Duty("encrypt", Moment.ALONGSIDE), QUERY) is Assurance.REFUSES
    assert of(Duty("anonymize", Moment.ALONGSIDE)) is Assurance.REFUSES
    assert of(Duty("compensate")) is Assurance.ENFORCES
    assert of(Duty("compensate", Moment.AFTER, month)) is Assurance.DETECTS
    assert of(Duty("inform")) is Assurance.RECORDS
    assert of(Duty("delete", Moment.AFTER, month)) is Assurance.RECORDS


@settings(max_examples=30)
@given(policy=POLICIES, kind=st.sampled_from([API, DELIVERY, QUERY]), language=st.sampled_from(["en", "zh"]))
def test_everything_in_a_policy_is_assured_in_words(policy: Policy, kind: KindOfUse, language: str) -> None:
    """Who signs is told of each condition and duty; none is passed over."""
    found = assurance(policy, kind)
    said = assured(policy, kind, language)

    assert len(said) == len(found)
    assert len({a.path for a in found}) == len(found)
    duties = sum(len(r.duties) for r in policy.permissions) + len(policy.obligations)
    assert sum(isinstance(a.what, Duty) for a in found) == duties
    assert sum(isinstance(a.what, Rule) for a in found) == len(policy.prohibitions)


def test_the_words_say_what_is_meant() -> None:
    """Both languages, each degree."""
    policy = Policy(
        parse_policy(example("count")).permissions,
        (Rule("distribute"),),
        (Duty("compensate", Moment.AFTER, timedelta(days=1)), Duty("anonymize", Moment.ALONGSIDE)),
    )

    assert assured(policy, DELIVERY, "en") == (
        "the number of uses is at most 100: enforced here",
        "no distribute: recorded only",
        "compensate within 1 day: a breach is detected here",
        "anonymize: nobody can tell here, so no use is permitted by it",
    )
    assert assured(policy, DELIVERY, "zh") == (
        "使用次数不超过100：本环境强制执行",
        "禁止“分发”：本环境仅作记录",
        "“补偿”（1天内）：本环境可发现违反",
        "“匿名化”：本环境无从得知，不据此允许任何使用",
    )
