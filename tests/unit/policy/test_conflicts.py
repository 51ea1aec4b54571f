"""Contradictions: reported exactly where no facts whatever let a permission be relied on."""

import time as clock
from datetime import UTC, datetime, time, timedelta
from itertools import combinations, product

import pytest
from entrepot_policy_reference import judge
from entrepot_policy_samples import MANY, REGIONS
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.policy import (
    OPERANDS,
    Atom,
    Fact,
    Group,
    Junction,
    Operator,
    Policy,
    Refusal,
    Rule,
    Window,
    contradictions,
    parse_policy,
    say_refusal,
    shortfalls,
    tensions,
)
from entrepot.policy.model import Constraint
from entrepot.values import KindOfUse


def in_english(found: tuple[Refusal, ...]) -> tuple[str, ...]:
    return tuple(say_refusal(refusal, "en") for refusal in found)


START = datetime(2026, 11, 25, tzinfo=UTC)
WORLD = {
    "purpose": ["a", "a:x", "b", "b:x", "c"],
    "kind": ["api", "delivery", "query", "job", "joint"],
    "region": ["310115", "310104", "310201", "110101", "330102"],
    "networkAddress": ["10.1.0.1", "10.2.0.1", "11.0.0.1", "2001:db8::1"],
    "fields": [frozenset(names) for n in range(4) for names in combinations("pqr", n)],
    "elapsedTime": [timedelta(days=d, microseconds=u) for d in (1, 2, 3) for u in (-1, 0, 1)],
    "deliveryMethod": ["file", "stream", "api", "other"],
    "moment": [START + timedelta(hours=n) for n in range(-26, 52)],
}
"""A small world in which every value that the policies below can tell apart occurs: they name
even hours of one day, and a whole day lies before and after it."""


def fact(name: str, value: object) -> Fact:
    return Fact(value, OPERANDS[name].source)  # type: ignore[arg-type]  # a table of values


def is_hopeless(policy: Policy, index: int) -> bool:
    """Try everything there is in the world; the plain interpreter judges."""
    alone = Policy((policy.permissions[index],), policy.prohibitions)
    own = policy.permissions[index].action
    action = "use" if own in {"use", "compute", "delivery", "access"} else own
    used = {
        a.operand.name
        for rule in (*alone.permissions, *alone.prohibitions)
        for a in atoms_of(rule.constraints)
    }
    used |= {"kind"}
    axes = {"moment": used & {"dateTime", "timeWindow"}} | {n: {n} & used for n in WORLD if n != "moment"}
    axes = {axis: names for axis, names in axes.items() if names}
    for values in product(*(WORLD[axis] for axis in axes)):
        facts = {
            name: fact(name, value)
            for names, value in zip(axes.values(), values, strict=True)
            for name in names
        }
        if judge(alone, facts, action).outcome != "deny":
            return False
    return True


def atoms_of(constraints: tuple[Constraint, ...]) -> list[Atom]:
    found: list[Atom] = []
    for constraint in constraints:
        found += [constraint] if isinstance(constraint, Atom) else atoms_of(constraint.members)
    return found


def atoms(name: str, values: st.SearchStrategy[object]) -> st.SearchStrategy[Atom]:
    operand = OPERANDS[name]

    def build(operator: Operator) -> st.SearchStrategy[Atom]:
        if operator in MANY or (name == "fields" and operator is not Operator.HAS_PART):
            many = st.frozensets(values, min_size=1, max_size=2)
            return st.builds(Atom, st.just(operand), st.just(operator), many)  # type: ignore[arg-type]  # texts
        return st.builds(Atom, st.just(operand), st.just(operator), values)  # type: ignore[arg-type]  # as named

    return st.sampled_from(sorted(operand.operators)).flatmap(build)


EVEN_HOURS = st.integers(0, 11)
BOUNDS = st.integers(0, 12).map(lambda n: START + timedelta(hours=2 * n))
WINDOWS = st.builds(
    Window,
    EVEN_HOURS.map(lambda n: time(2 * n)),
    EVEN_HOURS.map(lambda n: time(2 * n)),
    st.sampled_from([timedelta(0), timedelta(hours=8)]),
).filter(lambda w: w.opens != w.closes)
FAMILIES = {
    "purpose": atoms("purpose", st.sampled_from(["a", "b"])),
    "kind": atoms("kind", st.sampled_from(["api", "query"])),
    "region": atoms("region", REGIONS.filter(lambda r: r not in {"1101", "33"})),
    "time": atoms("dateTime", BOUNDS) | atoms("timeWindow", WINDOWS),
    "network": atoms("networkAddress", st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0"])),
    "fields": atoms("fields", st.sampled_from(["p", "q"])),
    "elapsed": atoms(
        "elapsedTime", st.sampled_from([timedelta(days=1), timedelta(days=2), timedelta(days=3)])
    ),
    "method": atoms("deliveryMethod", st.sampled_from(["file", "api"])),
}


def policies(families: list[str]) -> st.SearchStrategy[Policy]:
    """Policies over a few operands: the plain interpreter tries all their values."""
    constraints = st.recursive(
        st.one_of(*(FAMILIES[f] for f in families)),
        lambda inner: st.builds(
            Group, st.sampled_from(Junction), st.lists(inner, min_size=1, max_size=3).map(tuple)
        ),
        max_leaves=3,
    )
    allowed, forbidden = (
        st.builds(Rule, st.sampled_from(actions), st.lists(constraints, max_size=most).map(tuple))
        for actions, most in (
            (["use", "use", "read", "sell", "compute"], 3),
            (["use", "use", "read", "download", "compute"], 2),
        )
    )
    return st.builds(
        Policy,
        st.lists(allowed, min_size=1, max_size=2).map(tuple),
        st.lists(forbidden, max_size=2).map(tuple),
    )


POLICIES = st.lists(st.sampled_from(sorted(FAMILIES)), min_size=1, max_size=2, unique=True).flatmap(policies)


@settings(max_examples=40, deadline=None)
@given(policy=POLICIES)
def test_exactly_the_hopeless_permissions_are_found(policy: Policy) -> None:
    """Nothing that could ever be used is called a contradiction, and nothing hopeless is missed."""
    named = {c.path for c in contradictions(policy)}

    assert named == {f"permission[{i}]" for i in range(len(policy.permissions)) if is_hopeless(policy, i)}


def rule(*constraints: tuple[str, str, object]) -> dict[str, object]:
    keys = ("leftOperand", "operator", "rightOperand")
    return {"action": "use", "constraint": [dict(zip(keys, c, strict=True)) for c in constraints]}


@pytest.mark.parametrize(
    ("permission", "prohibitions", "why"),
    [
        (
            [("dateTime", "gt", "2027-01-01T00:00:00Z"), ("dateTime", "lteq", "2027-01-01T00:00:00Z")],
            [],
            "no value satisfies all of its dateTime constraints",
        ),
        (
            [("purpose", "eq", "a"), ("purpose", "eq", "b")],
            [],
            "no value satisfies all of its purpose constraints",
        ),
        (
            [("kind", "isNoneOf", ["api", "delivery", "query", "job", "joint"])],
            [],
            "no value satisfies all of its kind constraints",
        ),
        (
            [("region", "isPartOf", "3101"), ("region", "isNoneOf", ["31"])],
            [],
            "no value satisfies all of its region constraints",
        ),
        (
            [
                ("dateTime", "gteq", "2026-11-25T10:00:00Z"),
                ("dateTime", "lt", "2026-11-25T11:00:00Z"),
                ("timeWindow", "isPartOf", "08:00/18:00+08:00"),
            ],
            [],
            "no facts satisfy all of its constraints together",
        ),
        (
            [("region", "isPartOf", "3101")],
            [[("region", "isPartOf", "31")]],
            "prohibition[0] forbids all that it permits",
        ),
        (
            [("kind", "isAnyOf", ["api", "query"])],
            [[("kind", "eq", "api")], [("kind", "eq", "query")]],
            "the prohibitions together forbid all that it permits",
        ),
        ([], [[]], "prohibition[0] forbids all that it permits"),
    ],
)
def test_a_contradiction_says_what_it_is(
    permission: list[tuple[str, str, object]], prohibitions: list[list[tuple[str, str, object]]], why: str
) -> None:
    """Its author can repair it."""
    policy = parse_policy(
        {"permission": [rule(*permission)], "prohibition": [rule(*p) for p in prohibitions]}  # type: ignore[dict-item,list-item]  # JSON of plain tables
    )

    assert in_english(contradictions(policy)) == (f"permission[0]: {why}",)


def test_the_duties_that_a_prohibition_forbids_are_found() -> None:
    """Nobody can owe what they may not do."""
    document = {
        "permission": [{"action": "use", "duty": [{"action": "inform"}, {"action": "distribute"}]}],
        "prohibition": [{"action": "distribute"}, rule(("purpose", "eq", "a")) | {"action": "inform"}],
        "obligation": [{"action": "distribute"}],
    }

    assert in_english(contradictions(parse_policy(document))) == (  # type: ignore[arg-type]  # JSON of plain tables
        "permission[0].duty[1]: prohibition[0] forbids what is owed",
        "obligation[0]: prohibition[0] forbids what is owed",
    )


@pytest.mark.parametrize(
    ("constraints", "kinds", "expected"),
    [
        ([("minimumGroupSize", "gteq", "10")], {"query"}, ()),
        (
            [("minimumGroupSize", "gteq", "10")],
            {"delivery"},
            (
                (
                    "permission[0]",
                    "no kind of use offered here can satisfy it: nobody sees or does minimumGroupSize",
                ),
                ("permission", "nothing permits delivery, which the product is offered for"),
            ),
        ),
        (
            [("minimumGroupSize", "gteq", "10")],
            {"query", "delivery"},
            (("permission", "nothing permits delivery, which the product is offered for"),),
        ),
        (
            [("kind", "eq", "query")],
            {"delivery"},
            (
                ("permission[0]", "no kind of use offered here can satisfy it"),
                ("permission", "nothing permits delivery, which the product is offered for"),
            ),
        ),
        ([("rowFilter", "isPartOf", "a = 1"), ("fields", "isPartOf", ["a"])], {"api", "query"}, ()),
        ([("minimumGroupSize", "gteq", "10")], {"job"}, ()),
    ],
)
def test_what_the_product_cannot_keep_is_found(
    constraints: list[tuple[str, str, object]], kinds: set[str], expected: tuple[tuple[str, str], ...]
) -> None:
    """A condition that nobody there can see would make a contract that permits nothing."""
    policy = parse_policy({"permission": [rule(*constraints)]})  # type: ignore[list-item]  # JSON of a plain table

    found = shortfalls(policy, frozenset(map(KindOfUse, kinds)))
    assert in_english(found) == tuple(": ".join(e) for e in expected)


def test_a_duty_alongside_that_no_door_does_is_found() -> None:
    """Delivery can encrypt; nothing here can anonymise."""
    keys = {"leftOperand": "odrl:event", "operator": "eq", "rightOperand": "odrl:policyUsage"}

    def owing(action: str) -> Policy:
        duty = {"action": action, "constraint": [keys]}
        return parse_policy({"permission": [{"action": "use", "duty": [duty]}]})  # type: ignore[dict-item,list-item]  # as above

    delivery = frozenset({KindOfUse.DELIVERY})
    assert shortfalls(owing("encrypt"), delivery) == ()
    query = frozenset({KindOfUse.QUERY})
    assert "nobody sees or does anonymize" in in_english(shortfalls(owing("anonymize"), delivery))[0]
    assert "nobody sees or does encrypt" in in_english(shortfalls(owing("encrypt"), query))[0]


def test_what_one_policy_gives_away_and_another_holds_back_is_shown() -> None:
    """Groups of ten protect nobody while the same rows can be had as a file."""
    protected = parse_policy(
        {
            "permission": [rule(("minimumGroupSize", "gteq", "10"), ("kind", "eq", "query"))],  # type: ignore[list-item]  # as above
            "prohibition": [rule(("region", "isPartOf", "31")), {"action": "download"}],  # type: ignore[list-item]  # as above
        }
    )
    open_ = parse_policy(
        {"permission": [rule(), rule(("region", "isPartOf", "11"), ("kind", "eq", "query"))]}
    )  # type: ignore[list-item]  # as above

    assert in_english(tensions(open_, protected)) == (
        "permission[0]: it permits what prohibition[0] of the other forbids",
        "permission[0]: it permits what prohibition[1] of the other forbids",
        "permission[0]: it has no minimumGroupSize, with which the other protects the same data",
        "permission[1]: it has no minimumGroupSize, with which the other protects the same data",
    )
    assert tensions(protected, protected) == ()


def test_a_policy_may_end_and_begin_where_the_calendar_does() -> None:
    """The first and last instants are instants too."""
    policy = parse_policy(
        {
            "permission": [
                rule(
                    ("dateTime", "gteq", "0001-01-01T00:00:00Z"),
                    ("dateTime", "lteq", "9999-12-31T23:59:59.999999Z"),
                    ("timeWindow", "isPartOf", "08:00/09:00Z"),
                ),  # type: ignore[list-item]  # JSON of a plain table
                rule(("dateTime", "gt", "9999-12-31T23:59:59.999999Z")),  # type: ignore[list-item]  # as above
            ]
        }
    )

    assert [c.path for c in contradictions(policy)] == ["permission[1]"]


def test_a_policy_made_to_be_hard_ends_soon_and_is_not_accused() -> None:
    """The search gives up rather than hold up its owner, and claims nothing it did not show."""
    hard = [
        {
            "xone": [
                dict(zip(("leftOperand", "operator", "rightOperand"), (o, "eq", f"{i}"), strict=True))
                for o in ("purpose", "connector")
            ]
        }
        for i in range(40)
    ]
    policy = parse_policy(
        {
            "permission": [{"action": "use", "constraint": [*hard]}] * 2,
            "prohibition": [{"action": "use", "constraint": [{"or": [c]}]} for c in hard],
        }
    )
    began = clock.process_time()
    contradictions(policy)

    assert clock.process_time() - began < 5


def test_more_sets_than_anybody_would_wait_for_are_not_tried() -> None:
    """Twenty columns, each asked for by itself, have a billion sets: nothing is claimed of them."""
    many = [("fields", "isAnyOf", [f"column {n}"]) for n in range(20)]
    policy = parse_policy({"permission": [rule(*many, ("fields", "isNoneOf", ["column 1"]))]})  # type: ignore[list-item]  # as above

    assert contradictions(policy) == ()
