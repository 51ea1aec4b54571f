"""The national vocabulary: every word of its tables is ours, and ours comes back from it unchanged."""

from typing import Any

import pytest
from entrepot_policy_samples import POLICIES, SAMPLE_ATOMS, SAMPLE_DUTIES, example
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.policy import (
    ACTIONS,
    Operator,
    Policy,
    PolicyError,
    Rule,
    parse_national,
    parse_policy,
    render_national,
)
from entrepot.policy.national import ACTION_CODES, CONSTRAINTS, OPERATORS
from entrepot.values import canonical

TABLE_4 = [
    "transform",
    "anonymize",
    "desensitize",
    "access",
    "read",
    "reproduce",
    "storage",
    "download",
    "process",
    "jointDevelop",
    "distribute",
    "compute",
    "grantUse",
    "policyTransmit",
    "delivery",
    "sell",
    "logRecordSend",
    "delete",
    "alert",
    "compensate",
]
TABLE_5_1 = [
    "time",
    "timeWindow",
    "region",
    "networkAddress",
    "physicalAddress",
    "count",
    "frequency",
    "dataSize",
    "dataRecord",
    "dataField",
    "valueExpression",
    "application",
    "algorithm",
    "machineLearningModels",
    "executionEnv",
    "encryptMode",
    "deliveryMethod",
    "payAmount",
]
TABLE_5_2 = {
    "01": "eq", "02": "gt", "03": "gteq", "04": "hasPart", "05": "isA", "06": "isAllOf", "07": "isAnyOf",
    "08": "isNoneOf", "09": "isPartOf", "10": "lt", "11": "lteq", "12": "neq",
}  # fmt: skip
CODES = {
    "executionEnv": ["01", "02", "03", "04", "05", "06", "07"],
    "encryptMode": ["01", "02", "03"],
    "deliveryMethod": ["01", "02", "03", "04"],
}


def test_the_three_tables_are_whole() -> None:
    """Twenty actions, eighteen constraints, twelve operators: a word that is missing is a contract lost."""
    assert (len(TABLE_4), len(TABLE_5_1), len(TABLE_5_2)) == (20, 18, 12)
    assert set(ACTION_CODES) == set(TABLE_4)
    assert set(CONSTRAINTS) == set(TABLE_5_1)
    assert {code: str(operator) for operator, code in OPERATORS.items()} == TABLE_5_2
    for code, listed in CODES.items():
        assert [c for _, c in CONSTRAINTS[code].words] == listed


@pytest.mark.parametrize("code", TABLE_4)
def test_every_action_is_read_and_written_under_its_code(code: str) -> None:
    """The same word goes out that came in, and it is one of ours in between."""
    document: Any = {"permissionPolicies": [{"actions": [code]}]}

    assert parse_national(document) == Policy((Rule(ACTION_CODES[code]),))
    assert render_national(parse_national(document)) == document


@pytest.mark.parametrize("code", TABLE_5_1)
def test_every_constraint_is_read_and_written_under_its_code(code: str) -> None:
    """No name of ours is needed beside a code that means one thing."""
    name = CONSTRAINTS[code].name
    policy = parse_policy(example(name))
    document: Any = render_national(policy)
    (constraint,) = document["permissionPolicies"][0]["constraints"]

    assert constraint.keys() == {"constraint", "operator", "value"}
    assert constraint["constraint"] == code
    assert parse_national(document) == policy


@pytest.mark.parametrize(("name", "operator"), sorted(SAMPLE_ATOMS))
def test_every_operand_and_operator_comes_back(name: str, operator: Operator) -> None:
    """Not one of them turns into a neighbour: hasPart is not isPartOf, isNoneOf is not neq."""
    policy = Policy((Rule("use", (SAMPLE_ATOMS[name, operator],)),))
    document: Any = render_national(policy)

    assert parse_national(document) == policy
    assert document["permissionPolicies"][0]["constraints"][0]["operator"] == OPERATORS[operator]
    assert {op for _, op in SAMPLE_ATOMS} == set(Operator)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_of_ours_comes_back(action: str) -> None:
    """What the tables do not have travels with its full name."""
    policy = Policy((Rule(action),), (Rule(action),))

    assert parse_national(render_national(policy)) == policy


@pytest.mark.parametrize("number", range(len(SAMPLE_DUTIES)))
def test_every_duty_comes_back(number: int) -> None:
    """Before, alongside and after, with time and amount."""
    duty = SAMPLE_DUTIES[number]
    policy = Policy((Rule("use", (), (duty,)),), obligations=(duty,))

    assert parse_national(render_national(policy)) == policy


def test_what_is_owed_later_is_no_condition_of_a_use() -> None:
    """Who reads preDuties alone must not wait for a deletion that comes after the use."""
    later, first = SAMPLE_DUTIES[-1], SAMPLE_DUTIES[0]
    document: Any = render_national(Policy((Rule("use", (), (later, first)),)))
    (permission,) = document["permissionPolicies"]
    permission["preDuties"].append({"actions": ["delete"]})

    assert len(permission["expansionItem"]) == len(permission["preDuties"]) == 2
    with pytest.raises(PolicyError, match="that come before the use"):
        parse_national(document)


@settings(max_examples=60)
@given(policy=POLICIES)
def test_any_policy_comes_back(policy: Policy) -> None:
    """Groups, alternatives and nesting too; through the bytes that are signed."""
    document = render_national(policy)

    assert parse_national(document) == policy
    assert parse_national(canonical.decode(canonical.encode(document))) == policy


def one(**constraint: Any) -> Any:
    return {"permissionPolicies": [{"actions": ["read"], "constraints": [constraint]}]}


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "$: expected an object"),
        ({"strategies": []}, "unknown policy kind 'strategies'"),
        ({"permissionPolicies": {}}, "expected a list"),
        ({"permissionPolicies": [{"actions": []}]}, "expected one action"),
        ({"permissionPolicies": [{"actions": ["read", "delete"]}]}, "several are as many rules"),
        ({"permissionPolicies": [{"actions": ["steal"]}]}, "unknown action 'steal'"),
        ({"permissionPolicies": [{"actions": ["use"]}]}, "unknown action 'use'"),
        ({"permissionPolicies": [{"actions": [{"expansionItem": "urn:x"}]}]}, "unknown action urn:x"),
        ({"permissionPolicies": [{"actions": ["read"], "object": {}}]}, "expected an object of"),
        (one(constraint="weather", operator="01", value="x"), "unknown constraint 'weather'"),
        (one(constraint="count", operator="13", value="1"), "unknown operator '13'"),
        (one(constraint="count", operator="lteq", value="1"), "unknown operator 'lteq'"),
        (one(constraint="count", operator="01", value="1"), "count is compared by lteq"),
        (one(constraint="executionEnv", operator="01", value="08"), "expected of executionEnv: 01, 02"),
        (one(constraint="executionEnv", operator="01", value="sandbox"), "expected of executionEnv"),
        (one(constraint="timeWindow", operator="09", value="P7D"), "expected a daily window"),
        (one(constraint="networkAddress", operator="09", value="example.org"), "expected an address"),
        (one(constraint="dataSize", operator="11", value="10 GB"), "expected a positive whole number"),
        (
            one(constraint="expansionItem", operator="01", value="x", leftOperand="urn:x"),
            "unknown constraint",
        ),
        (one(constraint="expansionItem", operator="01", value="x"), "unknown constraint"),
        (one(constraint="count", operator="11", value="1", unit="次"), "unknown key 'unit'"),
        (
            {"permissionPolicies": [{"actions": ["read"], "preDuties": [{"actions": ["fly"]}]}]},
            "unknown action",
        ),
    ],
)
def test_what_is_not_known_is_refused_by_name(document: Any, fault: str) -> None:
    """A word that is dropped is a condition that always holds."""
    with pytest.raises(PolicyError) as caught:
        parse_national(document)
    assert any(fault in f for f in caught.value.faults)


def test_misprints_of_the_printed_tables_are_read_and_never_written() -> None:
    """Both spellings are in circulation; one meaning has one."""
    printed: Any = {
        "permissionPolicies": [
            {
                "actions": ["plicyTransmit"],
                "constraints": [{"constraint": "dateRecord", "operator": "11", "value": "5"}],
            }
        ]
    }
    written: Any = render_national(parse_national(printed))

    assert written["permissionPolicies"][0]["actions"] == ["policyTransmit"]
    assert written["permissionPolicies"][0]["constraints"][0]["constraint"] == "dataRecord"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["read", "count", "11", "5", "expansionItem"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "permissionPolicies",
                    "actions",
                    "constraints",
                    "constraint",
                    "operator",
                    "value",
                    "and",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150)
@given(document=JSON)
def test_any_json_is_a_policy_or_a_list_of_faults(document: Any) -> None:
    """No input of a stranger ends in a crash."""
    policy: Policy | None = None
    faults: tuple[str, ...] = ()
    try:
        policy = parse_national(document)
    except PolicyError as error:
        faults = error.faults

    assert (policy is None) == bool(faults)
    if policy is not None:
        assert parse_national(render_national(policy)) == policy
