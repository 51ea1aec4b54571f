"""Decisions: total, three-valued, prohibition over permission, and a report that holds everything."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from entrepot_policy_reference import SATISFIED, UNKNOWN, UNSATISFIED, judge, junction_verdict
from entrepot_policy_samples import ASKED, CASES, CASES_WITH_MORE, EXAMPLES, example
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
    Moment,
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
    parse_filter,
    parse_policy,
)
from entrepot.values import KindOfUse, Money

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
ANYTHING = Rule("use")


def atom(name: str, operator: str, value: object) -> Atom:
    return Atom(OPERANDS[name], Operator(operator), value)  # type: ignore[arg-type]  # the test's own words


def observed(value: object) -> Fact:
    return Fact(value, Source.OBSERVED)  # type: ignore[arg-type]  # wrong values are tested too


def credential(value: object) -> Fact:
    return Fact(value, Source.CREDENTIAL)  # type: ignore[arg-type]  # wrong values are tested too


@settings(max_examples=100)
@given(case=CASES, action=ASKED)
def test_the_plan_decides_as_a_plain_reading_of_the_policy_does(
    case: tuple[Policy, dict[str, Fact]], action: str
) -> None:
    """Preparing a policy changes its speed and nothing else: outcome, permission, duties, every line."""
    policy, facts = case
    decision = compile_policy(policy, action).decide(facts)
    expected = judge(policy, facts, action)

    assert (decision.outcome, decision.relied_on, decision.due) == (
        expected.outcome,
        expected.relied_on,
        expected.due,
    )
    assert [(line.path, line.verdict) for line in decision.report()] == [
        (path, verdict) for path, _, verdict in expected.report
    ]


@settings(max_examples=60)
@given(case=CASES_WITH_MORE, action=ASKED)
def test_a_known_verdict_never_changes_when_more_becomes_known(
    case: tuple[Policy, dict[str, Fact], dict[str, Fact]], action: str
) -> None:
    """Unknown means "either": filling a gap may settle a line and never turns one that was settled."""
    policy, facts, more = case
    plan = compile_policy(policy, action)
    before, after = plan.decide(facts), plan.decide(more | facts)

    for old, new in zip(before.report(), after.report(), strict=True):
        assert old.verdict in {UNKNOWN, new.verdict}
    if plan.is_settled(before.verdicts):
        assert after.outcome is Outcome.DENY


@settings(max_examples=60)
@given(case=CASES, action=ASKED)
def test_losing_a_fact_never_permits_more(case: tuple[Policy, dict[str, Fact]], action: str) -> None:
    """Whoever withholds a fact, or makes it unreadable, gains nothing by it."""
    policy, facts = case
    plan = compile_policy(policy, action)
    if plan.decide(facts).outcome is Outcome.DENY:
        for name in facts:
            poorer = {k: v for k, v in facts.items() if k != name}
            assert plan.decide(poorer).outcome is Outcome.DENY


@settings(max_examples=60)
@given(case=CASES, action=ASKED)
def test_a_denial_has_reasons_and_a_permit_none(case: tuple[Policy, dict[str, Fact]], action: str) -> None:
    """No refusal is silent; only what is permitted has anything to charge."""
    policy, facts = case
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
    informed = {"duty:inform": observed(NOW)}
    assert decide(policy, informed).due == (Duty("compensate"),)
    assert decide(policy, informed | {"duty:compensate": observed(NOW)}).permitted


def test_a_duty_is_done_where_we_wrote_down_when() -> None:
    """Nobody does a duty by saying so in a call, and one amount paid is not another."""
    policy = Policy((Rule("use", duties=(Duty("compensate", amount=Money(10_000, "CNY")),)),))
    name = "duty:compensate 100.00 CNY"

    assert decide(policy, {name: observed(NOW)}).permitted
    assert not decide(policy, {name: Fact(NOW, Source.CLAIMED)}).permitted
    assert not decide(policy, {name: observed("yes")}).permitted
    assert not decide(policy, {"duty:compensate": observed(NOW)}).permitted
    assert not decide(policy, {"duty:compensate 99.00 CNY": observed(NOW)}).permitted


def test_a_duty_alongside_a_use_must_be_seen_to_be_done() -> None:
    """What is promised to happen to the data on its way out is asked of the door, not hoped for."""
    policy = Policy((Rule("use", duties=(Duty("encrypt", Moment.ALONGSIDE),)),))

    assert not decide(policy, {}).permitted
    assert not decide(policy, {"treatment": observed(frozenset())}).permitted
    assert not decide(policy, {"treatment": Fact(frozenset({"encrypt"}), Source.CLAIMED)}).permitted
    assert decide(policy, {"treatment": observed(frozenset({"encrypt"}))}).permitted
    assert decide(Policy((Rule("use", duties=(Duty("inform", Moment.ALONGSIDE),)),)), {}).permitted


@pytest.mark.parametrize(
    ("action", "forbidden"),
    [
        ("access", {"api", "delivery", "query", "job", "joint"}),
        ("download", {"delivery"}),
        ("delivery", {"api", "delivery"}),
        ("compute", {"query", "job", "joint"}),
        ("distribute", set()),
    ],
)
def test_who_forbids_what_a_kind_of_use_does_forbids_that_kind(action: str, forbidden: set[str]) -> None:
    """A ban on downloads shuts delivery and leaves queries open; not knowing the kind shuts both."""
    policy = Policy((ANYTHING,), (Rule(action),))

    assert {k for k in KindOfUse if not decide(policy, {"kind": observed(str(k))}).permitted} == forbidden
    assert decide(policy, {}).permitted is (not forbidden)


@pytest.mark.parametrize(
    ("action", "permitted"),
    [
        ("access", {"api"}),
        ("delivery", {"delivery"}),
        ("compute", {"query", "job", "joint"}),
        ("read", set()),
    ],
)
def test_who_permits_what_a_kind_of_use_is_permits_that_kind(action: str, permitted: set[str]) -> None:
    """A contract in the national words lets in what it names, and nothing that does more."""
    policy = Policy((Rule(action),))

    assert {k for k in KindOfUse if decide(policy, {"kind": observed(str(k))}).permitted} == permitted


def test_a_budget_is_charged_with_what_the_use_may_come_to() -> None:
    """A query of at most forty rows reserves forty, and one whose size nobody knows is refused."""
    policy = Policy((Rule("use", (atom("rows", "lteq", 100), atom("count", "lteq", 5))),))
    facts = {"rows[0]": observed(90), "count[0]": observed(1), "rowsPerUse": observed(40)}

    assert decide(policy, facts).charges == (
        Charge(0, CounterKind.ROWS, 100, 40),
        Charge(0, CounterKind.TOTAL, 5),
    )
    assert not decide(policy, facts | {"rows[0]": observed(101)}).permitted
    claimed = decide(policy, facts | {"rowsPerUse": Fact(1, Source.CLAIMED)})
    assert claimed.charges[0] == Charge(0, CounterKind.ROWS, 100, 100)
    assert not decide(policy, {"count[0]": observed(1)}).permitted


def test_two_alternatives_that_both_hold_are_told_from_none() -> None:
    """`xone` fails on too many as well; its refusal has a reason then too."""
    both = Group(Junction.XONE, (atom("purpose", "eq", "a"), atom("region", "eq", "31")))
    facts = {"purpose": Fact("a", Source.AGREEMENT), "region": credential("31")}

    assert decide(Policy((Rule("use", (both,)),)), facts).reasons() == (
        "permission[0].constraint[0]: exactly one of these must hold",
    )


SAID_BY_THE_CALLER = {
    *("purpose", "recipient", "physicalAddress", "application", "algorithm", "model", "environment"),
}


@pytest.mark.parametrize("operand", sorted(OPERANDS))
def test_only_its_declared_source_can_say_what_a_fact_is(operand: str) -> None:
    """A caller who says where it is, who it is, or how late it is, has said nothing."""
    policy = parse_policy(example(operand))
    _, _, name, value = EXAMPLES[operand]
    permitted = {source for source in Source if decide(policy, {name: Fact(value, source)}).permitted}

    assert permitted == set(OPERANDS[operand].sources)
    assert (Source.CLAIMED in permitted) == (operand in SAID_BY_THE_CALLER)


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
    ("operand", "operator", "asked", "found", "verdict"),
    [
        ("fields", "isPartOf", frozenset({"a", "b"}), frozenset({"b"}), SATISFIED),
        ("fields", "isPartOf", frozenset({"a", "b"}), frozenset({"b", "c"}), UNSATISFIED),
        ("fields", "isPartOf", frozenset({"a"}), "a", UNKNOWN),
        ("fields", "hasPart", "a", frozenset({"a", "c"}), SATISFIED),
        ("fields", "hasPart", "a", frozenset({"c"}), UNSATISFIED),
        ("fields", "isAllOf", frozenset({"a", "b"}), frozenset({"a", "b", "c"}), SATISFIED),
        ("fields", "isAllOf", frozenset({"a", "b"}), frozenset({"a"}), UNSATISFIED),
        ("fields", "isAnyOf", frozenset({"a", "b"}), frozenset({"b", "c"}), SATISFIED),
        ("fields", "isNoneOf", frozenset({"a", "b"}), frozenset({"c"}), SATISFIED),
        ("fields", "isNoneOf", frozenset({"a", "b"}), frozenset({"c", "a"}), UNSATISFIED),
        ("networkAddress", "isPartOf", "10.0.0.0/8", "10.9.9.9", SATISFIED),
        ("networkAddress", "isPartOf", "10.0.0.0/8", "::ffff:10.9.9.9", SATISFIED),
        ("networkAddress", "isPartOf", "10.0.0.0/8", "11.0.0.1", UNSATISFIED),
        ("networkAddress", "isPartOf", "10.0.0.0/8", "2001:db8::1", UNSATISFIED),
        ("networkAddress", "isPartOf", "10.0.0.0/8", "0.0.0.0/0", UNKNOWN),
        ("networkAddress", "isPartOf", "10.0.0.0/8", "localhost", UNKNOWN),
        ("networkAddress", "isNoneOf", frozenset({"10.0.0.0/8"}), "10.9.9.9", UNSATISFIED),
        ("purpose", "isA", "research", "research:clinical", SATISFIED),
        ("purpose", "isA", "research", "research", SATISFIED),
        ("purpose", "isA", "research", "researcher", UNSATISFIED),
        ("purpose", "isA", "research:clinical", "research", UNKNOWN),
        ("purpose", "isA", "research:clinical", "billing", UNSATISFIED),
        ("elapsedTime", "lt", timedelta(days=1), timedelta(days=1), UNSATISFIED),
        ("elapsedTime", "lteq", timedelta(days=1), timedelta(days=1), SATISFIED),
        ("elapsedTime", "lteq", timedelta(days=1), 3600, UNKNOWN),
        ("minimumGroupSize", "gteq", 10, 9, UNSATISFIED),
        ("minimumGroupSize", "gteq", 10, True, UNKNOWN),
    ],
)
def test_each_type_is_compared_in_its_own_way(
    operand: str, operator: str, asked: object, found: object, verdict: str
) -> None:
    """Sets, networks, narrower terms and lengths of time: what holds, what does not, what nobody can say."""
    policy = Policy((Rule("use", (atom(operand, operator, asked),)),))
    fact = Fact(found, OPERANDS[operand].source)  # type: ignore[arg-type]  # wrong values are tested too

    assert decide(policy, {operand: fact}).report()[1].verdict == verdict


def test_a_filter_in_force_may_be_narrower_than_the_one_asked_for() -> None:
    """Rows that satisfy more than was asked satisfy what was asked."""
    policy = parse_policy(example("rowFilter"))

    assert decide(policy, {"rowFilter": observed(parse_filter("b = 'x' and year >= 2020").texts)}).permitted
    assert not decide(policy, {"rowFilter": observed(parse_filter("year >= 2019").texts)}).permitted
    assert not decide(policy, {"rowFilter": observed("year >= 2020")}).permitted


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
