"""Contradictions: reported exactly where no facts whatever let a permission be relied on."""

import time as clock
from datetime import UTC, datetime, time, timedelta
from itertools import product

import pytest
from entrepot_policy_reference import judge
from entrepot_policy_samples import REGIONS
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.policy import (
    OPERANDS,
    Atom,
    Contradiction,
    Fact,
    Group,
    Junction,
    Operator,
    Policy,
    Rule,
    Window,
    contradictions,
    parse_policy,
)
from entrepot.policy.model import Constraint

START = datetime(2026, 11, 25, tzinfo=UTC)
WORLD = {
    "purpose": ["a", "b", "c"],
    "kind": ["api", "delivery", "query", "job", "joint"],
    "region": ["310115", "310104", "310201", "110101", "330102"],
    "moment": [START + timedelta(hours=n) for n in range(-26, 52)],
}
"""A small world in which every value that the policies below can tell apart occurs: they name
even hours of one day, and a whole day lies before and after it."""


def fact(name: str, value: object) -> Fact:
    return Fact(value, OPERANDS[name].source)  # type: ignore[arg-type]  # a table of values


def is_hopeless(policy: Policy, index: int) -> bool:
    """Try everything there is in the world; the plain interpreter judges."""
    alone = Policy((policy.permissions[index],), policy.prohibitions)
    used = {
        a.operand.name
        for rule in (*alone.permissions, *alone.prohibitions)
        for a in atoms_of(rule.constraints)
    }
    axes = {"moment": used & {"dateTime", "timeWindow"}} | {
        n: {n} & used for n in ("purpose", "kind", "region")
    }
    axes = {axis: names for axis, names in axes.items() if names}
    for values in product(*(WORLD[axis] for axis in axes)):
        facts = {
            name: fact(name, value)
            for names, value in zip(axes.values(), values, strict=True)
            for name in names
        }
        if judge(alone, facts, policy.permissions[index].action).outcome != "deny":
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
        if operator in {Operator.IS_ANY_OF, Operator.IS_NONE_OF}:
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
ATOMS = st.one_of(
    atoms("purpose", st.sampled_from(["a", "b"])),
    atoms("kind", st.sampled_from(["api", "query"])),
    atoms("region", REGIONS.filter(lambda r: r not in {"1101", "33"})),
    atoms("dateTime", BOUNDS),
    atoms("timeWindow", WINDOWS),
)
CONSTRAINTS = st.recursive(
    ATOMS,
    lambda inner: st.builds(
        Group, st.sampled_from(Junction), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=3,
)
ACTIONS = st.sampled_from(["use", "use", "read", "sell"])
POLICIES = st.builds(
    Policy,
    st.lists(
        st.builds(Rule, ACTIONS, st.lists(CONSTRAINTS, max_size=3).map(tuple)), min_size=1, max_size=2
    ).map(tuple),
    st.lists(st.builds(Rule, ACTIONS, st.lists(CONSTRAINTS, max_size=2).map(tuple)), max_size=2).map(tuple),
)


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

    assert contradictions(policy) == (Contradiction("permission[0]", why),)


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
