"""Decisions: total, three-valued, prohibition over permission, and a report that holds everything."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from entrepot_policy_reference import SATISFIED, UNKNOWN, UNSATISFIED, judge, junction_verdict
from entrepot_policy_samples import ASKED, POLICIES, any_facts
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.policy import (
    OPERANDS,
    Atom,
    Charge,
    CounterKind,
    Duty,
    Fact,
    Group,
    Junction,
    Operator,
    Outcome,
    Period,
    Policy,
    Rate,
    Rule,
    Source,
    Window,
    compile_policy,
    decide,
)

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
ANYTHING = Rule("use")


def atom(name: str, operator: str, value: object) -> Atom:
    return Atom(OPERANDS[name], Operator(operator), value)  # type: ignore[arg-type]  # the test's own words


def observed(value: object) -> Fact:
    return Fact(value, Source.OBSERVED)  # type: ignore[arg-type]  # wrong values are tested too


def credential(value: object) -> Fact:
    return Fact(value, Source.CREDENTIAL)  # type: ignore[arg-type]  # wrong values are tested too


@settings(max_examples=300)
@given(policy=POLICIES, facts=any_facts(), action=ASKED, done=st.sampled_from([(), ("inform",)]))
def test_the_plan_decides_as_a_plain_reading_of_the_policy_does(
    policy: Policy, facts: dict[str, Fact], action: str, done: tuple[str, ...]
) -> None:
    """Preparing a policy changes its speed and nothing else: outcome, permission, duties, every line."""
    decision = compile_policy(policy, action).decide(facts, frozenset(done))
    expected = judge(policy, facts, action, frozenset(done))

    assert (decision.outcome, decision.relied_on, decision.due) == (
        expected.outcome,
        expected.relied_on,
        expected.due,
    )
    assert [(line.path, line.verdict) for line in decision.report()] == [
        (path, verdict) for path, _, verdict in expected.report
    ]


@given(policy=POLICIES, facts=any_facts(), action=ASKED, more=any_facts())
def test_a_known_verdict_never_changes_when_more_becomes_known(
    policy: Policy, facts: dict[str, Fact], action: str, more: dict[str, Fact]
) -> None:
    """Unknown means "either": filling a gap may settle a line and never turns one that was settled."""
    plan = compile_policy(policy, action)
    before, after = plan.decide(facts), plan.decide(more | facts)

    for old, new in zip(before.report(), after.report(), strict=True):
        assert old.verdict in {UNKNOWN, new.verdict}
    if plan.is_settled(before.verdicts):
        assert after.outcome is Outcome.DENY


@given(policy=POLICIES, facts=any_facts(), action=ASKED)
def test_losing_a_fact_never_permits_more(policy: Policy, facts: dict[str, Fact], action: str) -> None:
    """Whoever withholds a fact, or makes it unreadable, gains nothing by it."""
    plan = compile_policy(policy, action)
    if plan.decide(facts).outcome is Outcome.DENY:
        for name in facts:
            poorer = {k: v for k, v in facts.items() if k != name}
            assert plan.decide(poorer).outcome is Outcome.DENY


@given(policy=POLICIES, facts=any_facts(), action=ASKED)
def test_a_denial_has_reasons_and_a_permit_none(policy: Policy, facts: dict[str, Fact], action: str) -> None:
    """No refusal is silent; only what is permitted has anything to charge."""
    decision = decide(policy, facts, action)

    assert bool(decision.reasons()) == (not decision.permitted)
    assert all(c.permission == decision.relied_on for c in decision.charges)
    if not decision.permitted:
        assert decision.charges == ()


@given(st.sampled_from(Junction), st.lists(st.sampled_from([SATISFIED, UNSATISFIED, UNKNOWN]), max_size=5))
def test_junctions_agree_with_trying_every_value_of_the_unknown(
    junction: Junction, verdicts: list[str]
) -> None:
    """Three-valued and, or and xone are not a matter of taste: they are what all completions agree on."""
    members = tuple(atom("purpose", "eq", str(i)) for i in range(len(verdicts)))
    if not members:
        return
    names = {SATISFIED: str, UNSATISFIED: lambda _: "other"}
    one_each = [
        Group(Junction.AND, (replace(m, operand=replace(m.operand, name=f"p{i}")),))
        for i, m in enumerate(members)
    ]
    facts = {f"p{i}": Fact(names[v](i), Source.CLAIMED) for i, v in enumerate(verdicts) if v is not UNKNOWN}
    decision = decide(Policy((Rule("use", (Group(junction, tuple(one_each)),)),)), facts)

    assert decision.report()[0].verdict == junction_verdict(junction, verdicts)


def test_an_empty_policy_permits_nothing() -> None:
    """Nothing said is nothing granted."""
    decision = decide(Policy(), {})

    assert decision.outcome is Outcome.DENY
    assert decision.reasons() == ("no permission covers this action",)


def test_a_permission_without_constraints_permits() -> None:
    """The official suite offers `use` without conditions."""
    assert decide(Policy((ANYTHING,)), {}).permitted


def test_a_prohibition_beats_every_permission() -> None:
    """Whatever else is granted, what is forbidden is not done."""
    assert decide(Policy((ANYTHING, ANYTHING), (ANYTHING,)), {}).outcome is Outcome.DENY


def test_what_is_unknown_triggers_a_prohibition() -> None:
    """Who does not say where the data goes may be in the region that is forbidden."""
    policy = Policy((ANYTHING,), (Rule("use", (atom("region", "isPartOf", "31"),)),))

    assert decide(policy, {}).outcome is Outcome.DENY
    assert decide(policy, {}).reasons() == ("prohibition[0] may apply: a fact is missing",)
    assert decide(policy, {"region": credential("11")}).permitted


def test_to_forbid_reading_forbids_every_use() -> None:
    """No kind of use leaves the data unread; distributing, however, is not part of use."""
    assert not decide(Policy((ANYTHING,), (Rule("read"),)), {}).permitted
    assert decide(Policy((ANYTHING,), (Rule("distribute"),)), {}).permitted


def test_to_use_is_not_to_sell() -> None:
    """Selling transfers the thing itself; a permission to use it says nothing about that."""
    assert not decide(Policy((ANYTHING,)), {}, "sell").permitted
    assert decide(Policy((Rule("sell"),)), {}, "sell").permitted
    assert decide(Policy((ANYTHING,)), {}, "distribute").permitted


def test_the_first_permission_that_holds_is_relied_on_and_only_it_is_charged() -> None:
    """The order of the policy decides, so that both sides count the same counter."""
    policy = Policy(
        (
            Rule("use", (atom("purpose", "eq", "a"), atom("count", "lteq", 1))),
            Rule("use", (atom("count", "lteq", 5), atom("rate", "lteq", Rate(2, Period.HOUR)))),
            Rule("use", (atom("count", "lteq", 9),)),
        )
    )
    facts = {
        "purpose": Fact("b", Source.CLAIMED),
        "count[0]": observed(1),
        "count[1]": observed(5),
        "rate:hour[1]": observed(2),
        "count[2]": observed(1),
    }
    decision = decide(policy, facts)

    assert decision.relied_on == 1
    assert decision.charges == (Charge(1, CounterKind.HOUR, 2), Charge(1, CounterKind.TOTAL, 5))
    assert decide(policy, facts | {"count[1]": observed(6)}).relied_on == 2


def test_the_narrower_of_two_limits_is_charged() -> None:
    """Two limits of one permission are one counter with the lower limit."""
    policy = Policy((Rule("use", (atom("count", "lteq", 5), atom("count", "lteq", 3))),))

    assert decide(policy, {"count[0]": observed(3)}).charges == (Charge(0, CounterKind.TOTAL, 3),)
    assert not decide(policy, {"count[0]": observed(4)}).permitted


def test_duties_come_first_and_then_the_question_is_asked_again() -> None:
    """A duty not yet done is a condition, not a denial, and costs nothing."""
    policy = Policy((Rule("use", duties=(Duty("inform"),)),), obligations=(Duty("compensate"),))
    first = decide(policy, {})

    assert first.outcome is Outcome.CONDITIONAL
    assert first.reasons() == ("do first: inform", "do first: compensate")
    assert decide(policy, {}, done=frozenset({"inform"})).due == (Duty("compensate"),)
    assert decide(policy, {}, done=frozenset({"inform", "compensate"})).permitted


@pytest.mark.parametrize("operand", sorted(OPERANDS))
def test_only_its_declared_source_can_say_what_a_fact_is(operand: str) -> None:
    """A caller who says where it is, who it is, or how late it is, has said nothing."""
    asked = {
        "purpose": ("eq", "a", "a"),
        "dateTime": ("lteq", NOW, NOW),
        "timeWindow": ("isPartOf", Window(time(0), time(23), timedelta(0)), NOW),
        "count": ("lteq", 1, 1),
        "rate": ("lteq", Rate(1, Period.DAY), 1),
        "consumer": ("eq", "did:web:a", "did:web:a"),
        "connector": ("eq", "C", "C"),
        "region": ("eq", "31", "31"),
        "kind": ("eq", "query", "query"),
    }[operand]
    operator, wanted, value = asked
    policy = Policy((Rule("use", (atom(operand, operator, wanted),)),))
    name = {"count": "count[0]", "rate": "rate:day[0]"}.get(operand, operand)
    permitted = {
        source
        for source in Source
        if decide(policy, {name: Fact(value, source)}).permitted  # type: ignore[arg-type]  # a table of values
    }

    assert permitted == set(OPERANDS[operand].sources)
    assert (Source.CLAIMED in permitted) == (operand == "purpose")


def test_a_fact_of_the_wrong_type_is_no_fact() -> None:
    """`neq` on something unreadable must not hold by accident."""
    not_a = Policy((Rule("use", (atom("purpose", "neq", "a"),)),))
    early = Policy((Rule("use", (atom("dateTime", "lt", NOW),)),))

    assert not decide(not_a, {"purpose": Fact(5, Source.CLAIMED)}).permitted
    assert not decide(early, {"dateTime": observed("2020-01-01T00:00:00Z")}).permitted
    assert not decide(early, {"dateTime": observed(datetime(2020, 1, 1))}).permitted  # noqa: DTZ001  # no zone


@pytest.mark.parametrize(
    ("operator", "asked", "found", "verdict"),
    [
        ("isPartOf", "31", "310115", SATISFIED),
        ("isPartOf", "31", "3100", SATISFIED),
        ("isPartOf", "3101", "31", UNKNOWN),
        ("isPartOf", "3101", "3100", UNKNOWN),
        ("isPartOf", "310115", "310000", UNKNOWN),
        ("isPartOf", "310115", "310104", UNSATISFIED),
        ("isPartOf", "31", "0065", UNKNOWN),
        ("eq", "31", "310115", SATISFIED),
        ("neq", "31", "310115", UNSATISFIED),
        ("neq", "3101", "31", UNKNOWN),
        ("isAnyOf", frozenset({"11", "3101"}), "310115", SATISFIED),
        ("isAnyOf", frozenset({"11", "3101"}), "31", UNKNOWN),
        ("isNoneOf", frozenset({"11", "3101"}), "3102", SATISFIED),
        ("isNoneOf", frozenset({"11", "3101"}), "110105", UNSATISFIED),
    ],
)
def test_regions_lie_in_one_another(
    operator: str, asked: str | frozenset[str], found: str, verdict: str
) -> None:
    """GB/T 2260: a district lies in its province; a province says nothing about a district."""
    decision = decide(
        Policy((Rule("use", (atom("region", operator, asked),)),)), {"region": credential(found)}
    )

    assert decision.report()[1].verdict == verdict


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        (datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 25, 0, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 25, 9, 59, 59, 999_999, tzinfo=UTC), True),
        (datetime(2026, 11, 25, 10, 0, tzinfo=UTC), False),
        (datetime.min.replace(tzinfo=UTC), True),
        (datetime.max.replace(tzinfo=UTC), False),
    ],
)
def test_a_daily_window_is_read_in_its_own_zone(moment: datetime, inside: bool) -> None:  # noqa: FBT001  # a table
    """Eight to six in Beijing is midnight to ten in UTC, on every day of the calendar."""
    window = Window(time(8), time(18), timedelta(hours=8))
    policy = Policy((Rule("use", (atom("timeWindow", "isPartOf", window),)),))

    assert decide(policy, {"timeWindow": observed(moment)}).permitted is inside


def test_a_window_may_pass_midnight() -> None:
    """Ten at night to six in the morning."""
    window = Window(time(22), time(6), timedelta(0))

    assert [h for h in range(24) if window.has(NOW.replace(hour=h))] == [0, 1, 2, 3, 4, 5, 22, 23]


def test_the_report_says_what_was_compared_with_what_and_who_said_so() -> None:
    """Every node of the policy has a line, the group and the rule too."""
    policy = Policy(
        (
            Rule(
                "use",
                (
                    Group(Junction.OR, (atom("purpose", "eq", "a"), atom("region", "isPartOf", "31"))),
                    atom("count", "lteq", 2),
                ),
            ),
            Rule("sell"),
        ),
        (Rule("use", (atom("consumer", "isAnyOf", frozenset({"did:web:b", "did:web:a"})),)),),
    )
    facts = {
        "purpose": Fact("b", Source.AGREEMENT),
        "region": credential("310115"),
        "count[0]": observed(2),
        "consumer": credential("did:web:c"),
    }

    assert [tuple(getattr(x, f) for f in x.__struct_fields__) for x in decide(policy, facts).report()] == [
        ("permission[0]", "use", "covers", "use", "", "", "satisfied"),
        ("permission[0].constraint[0]", "", "or", "", "", "", "satisfied"),
        ("permission[0].constraint[0].or[0]", "purpose", "eq", "a", "b", "agreement", "unsatisfied"),
        (
            "permission[0].constraint[0].or[1]",
            "region",
            "isPartOf",
            "31",
            "310115",
            "credential",
            "satisfied",
        ),
        ("permission[0].constraint[1]", "count", "lteq", "2", "2", "observed", "satisfied"),
        ("permission[1]", "sell", "covers", "use", "", "", "unsatisfied"),
        ("prohibition[0]", "use", "covers", "use", "", "", "unsatisfied"),
        (
            "prohibition[0].constraint[0]",
            "consumer",
            "isAnyOf",
            "[did:web:a, did:web:b]",
            "did:web:c",
            "credential",
            "unsatisfied",
        ),
    ]


def test_a_decision_does_not_change_with_the_facts_it_was_made_from() -> None:
    """What is logged and signed later is what was decided then."""
    facts = {"purpose": Fact("a", Source.CLAIMED)}
    decision = decide(Policy((Rule("use", (atom("purpose", "eq", "a"),)),)), facts)
    before = decision.report()
    facts["purpose"] = Fact("b", Source.CLAIMED)

    assert decision.report() == before


def test_reasons_do_not_repeat_what_the_caller_claimed() -> None:
    """A name written into the purpose header ends neither in a log nor in an error."""
    policy = Policy((Rule("use", (atom("purpose", "eq", "research"),)),))
    decision = decide(policy, {"purpose": Fact("张三 13800000000", Source.CLAIMED)})

    assert decision.reasons() == (
        "permission[0].constraint[0]: asked purpose eq research, found something else",
    )
    assert "张三" in decision.report()[1].found


def test_what_makes_no_sense_cannot_be_built() -> None:
    """An empty group and an operator that an operand does not know are bugs, found where they are made."""
    with pytest.raises(ValueError, match="no constraints"):
        Group(Junction.AND, ())
    with pytest.raises(ValueError, match="not compared"):
        atom("count", "gt", 1)
