"""Terms: a door that applies them and says so is let in; what it cannot know it does not apply."""

from datetime import timedelta
from typing import Any

import pytest
from entrepot_policy_samples import POLICIES
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.policy import (
    Duty,
    Moment,
    Policy,
    Rate,
    Terms,
    after_use,
    parse_filter,
    parse_policy,
    terms_of,
)
from entrepot.policy.model import Period
from entrepot.policy.wire import MAX_MEMBERS
from entrepot.values import KindOfUse


def said(left: str, operator: str, right: Any) -> dict[str, Any]:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def rule(*constraints: Any, action: str = "use", duties: Any = ()) -> dict[str, Any]:
    found = [said(*c) if isinstance(c, tuple) else c for c in constraints]
    return {"action": action, "constraint": found, "duty": [*duties]}


def policy(*permissions: Any, **others: Any) -> Policy:
    return parse_policy({"permission": [*permissions], **others})


ENCRYPT = {
    "action": "encrypt",
    "constraint": [{"leftOperand": "odrl:event", "operator": "eq", "rightOperand": "odrl:policyUsage"}],
}


def test_every_term_is_read_from_where_it_stands() -> None:
    """What is not applied is not kept."""
    found = terms_of(
        policy(
            rule(
                ("fields", "isPartOf", ["age", "arm", "cd4"]),
                ("rowFilter", "isPartOf", "year >= 2020"),
                ("minimumGroupSize", "gteq", "10"),
                ("rowsPerUse", "lteq", "50"),
                ("bytesPerUse", "lteq", "1000"),
                ("secondsPerUse", "lteq", "9"),
                ("rate", "lteq", "10/hour"),
                ("deliveryMethod", "isAnyOf", ["file", "stream"]),
                ("retention", "lteq", "P30D"),
                duties=[ENCRYPT],
            )
        ),
        KindOfUse.DELIVERY,
    )

    assert found == Terms(
        fields=frozenset({"age", "arm", "cd4"}),
        row_filter=parse_filter("year >= 2020"),
        minimum_group_size=10,
        max_rows=50,
        max_bytes=1000,
        max_seconds=9,
        rates=frozenset({Rate(10, Period.HOUR)}),
        delivery_methods=frozenset({"file", "stream"}),
        is_encrypted=True,
        treatments=frozenset({"encrypt"}),
        retention=timedelta(days=30),
    )


def test_the_strictest_of_several_is_applied() -> None:
    """Terms inside one permission, and of all permissions that let this kind of use in."""
    found = terms_of(
        policy(
            rule(
                ("fields", "isPartOf", ["a", "b", "c"]),
                ("fields", "isNoneOf", ["c"]),
                ("rowFilter", "isPartOf", "x = 1"),
                ("minimumGroupSize", "gteq", "5"),
            ),
            rule(
                ("fields", "isPartOf", ["b", "c", "d"]),
                {"and": [said("rowFilter", "isPartOf", "y = 2")]},
                ("minimumGroupSize", "gteq", "20"),
                ("encryption", "eq", "cipher"),
            ),
            rule(("kind", "eq", "api"), ("fields", "isPartOf", ["z"]), ("rowsPerUse", "lteq", "1")),
            rule(("fields", "isPartOf", ["z"]), action="distribute"),
        ),
        KindOfUse.QUERY,
    )

    assert (found.fields, found.hidden) == ({"b", "c"}, {"c"})
    assert found.row_filter == parse_filter("x = 1 and y = 2")
    assert (found.minimum_group_size, found.max_rows, found.is_encrypted) == (20, None, True)


def test_forbidden_columns_are_hidden() -> None:
    """A prohibition of columns is something a door can keep by leaving them out."""
    forbidden = rule(("fields", "isAnyOf", ["name", "phone"]))
    del forbidden["duty"]

    assert terms_of(policy(rule(), prohibition=[forbidden]), KindOfUse.API).hidden == {"name", "phone"}


def test_alternatives_are_left_to_the_decision() -> None:
    """Nobody could say which of two to apply, so neither is; the gate judges what was seen."""
    either = {
        "or": [
            {"leftOperand": "fields", "operator": "isPartOf", "rightOperand": ["a"]},
            {"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"},
        ]
    }

    assert terms_of(policy(rule(either)), KindOfUse.API) == Terms()
    assert terms_of(Policy(), KindOfUse.API) == Terms()


@settings(max_examples=40)
@given(found=POLICIES, kind=st.sampled_from(KindOfUse))
def test_any_policy_has_terms(found: Policy, kind: KindOfUse) -> None:
    """A door is never left without an answer."""
    terms = terms_of(found, kind)

    assert terms.is_encrypted or "encrypt" not in terms.treatments
    assert terms.fields is None or len(terms.fields) <= MAX_MEMBERS


@pytest.mark.parametrize(
    ("kept", "deleted", "kind", "expected"),
    [
        ("P30D", None, KindOfUse.DELIVERY, {timedelta(days=30)}),
        ("P30D", "P10D", KindOfUse.API, {timedelta(days=10)}),
        ("P10D", "P30D", KindOfUse.DELIVERY, {timedelta(days=10)}),
        (None, "P30D", KindOfUse.QUERY, {timedelta(days=30)}),
        ("P30D", None, KindOfUse.QUERY, set()),
    ],
)
def test_a_storage_period_is_a_deletion_owed_within_it(
    kept: str | None, deleted: str | None, kind: KindOfUse, expected: set[timedelta]
) -> None:
    """Where nothing was handed over there is nothing to delete; of two periods the shorter counts."""
    duty = {
        "action": "delete",
        "constraint": [
            {"leftOperand": "odrl:event", "operator": "gt", "rightOperand": "odrl:policyUsage"},
            {"leftOperand": "odrl:elapsedTime", "operator": "lteq", "rightOperand": deleted or ""},
        ],
    }
    found = policy(rule(*([("retention", "lteq", kept)] if kept else []), duties=[duty] if deleted else []))

    assert after_use(found, 0, kind) == tuple(Duty("delete", Moment.AFTER, w) for w in expected)
