"""The wire form: every spelling of a known term is read, everything else is refused with its place."""

import json
import sys
from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import pytest
from entrepot_policy_samples import EXAMPLES, POLICIES, atoms_of, example
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.policy import (
    ACTIONS,
    ENTREPOT,
    ODRL,
    OPERANDS,
    Duty,
    Moment,
    Operator,
    Period,
    Policy,
    PolicyError,
    Rate,
    Rule,
    Window,
    parse_policy,
    render_policy,
)
from entrepot.policy.model import Constraint
from entrepot.policy.wire import MAX_DEPTH, MAX_PARTS, MAX_RULES, MAX_TEXT
from entrepot.values import Money, canonical

ATOM = {"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"}


def one(constraint: Any) -> Any:
    return {"permission": [{"action": "use", "constraint": [constraint]}]}


def read_one(left: str, operator: str, right: Any) -> Constraint:
    document = one({"leftOperand": left, "operator": operator, "rightOperand": right})
    return parse_policy(document).permissions[0].constraints[0]


def faults_of(document: Any) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(document)
    return caught.value.faults


@settings(max_examples=60)
@given(policy=POLICIES)
def test_what_is_written_is_read_again(policy: Policy) -> None:
    """A policy survives the wire, through canonical bytes too."""
    document = render_policy(policy)

    assert parse_policy(document) == policy
    assert parse_policy(canonical.decode(canonical.encode(document))) == policy


def respelled(value: Any, choose: Callable[[list[Any]], Any], *, key: str = "") -> Any:
    """The same policy as another connector might write it."""
    if isinstance(value, dict):
        names = {k: choose([k, f"odrl:{k}", ODRL + k]) for k in value}
        return {names[k]: respelled(v, choose, key=k) for k, v in value.items()}
    if isinstance(value, list):
        items = [respelled(v, choose, key="value" if key == "rightOperand" else key) for v in value]
        return choose([items, items[0]]) if len(items) == 1 else items
    iris = {
        "action": {n: a.iri for n, a in ACTIONS.items()},
        "operator": {o: ODRL + o for o in Operator},
    }.get(key, {})
    known = {iri: name for name, iri in iris.items()} | {o.iri: o.name for o in OPERANDS.values()}
    if key in {"rightOperand", "value"}:
        written = choose([value, {"@value": value}, {"@id": value}])
        return choose([written, [written]]) if key == "rightOperand" else written
    full = value.replace("odrl:", ODRL) if value.startswith("odrl:") else iris.get(value, value)
    if key in {"action", "operator", "leftOperand"} and full in known:
        spellings = [full, {"@id": full}, full.replace(ODRL, "odrl:")]
        return choose([*spellings, known[full] if known[full] in OPERANDS else full.removeprefix(ODRL)])
    return value


@settings(max_examples=60)
@given(policy=POLICIES, data=st.data())
def test_every_spelling_of_a_known_term_is_the_same_term(policy: Policy, data: st.DataObject) -> None:
    """Short, prefixed, full; a bare value, a list of one, an object of JSON-LD: one meaning."""
    document = respelled(render_policy(policy), lambda options: data.draw(st.sampled_from(options)))

    assert parse_policy(document) == policy


KEYS = [
    *("permission", "prohibition", "obligation", "action", "constraint", "duty", "leftOperand", "operator"),
    *("rightOperand", "and", "or", "xone", "odrl:or", "@id", "@type", "@value", "x"),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["use", "purpose", "eq", "and", "odrl:count", "31", "10/hour", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@settings(max_examples=150)
@given(document=JSON)
def test_any_json_is_a_policy_or_a_list_of_faults(document: Any) -> None:
    """No input of a stranger ends in a crash, and what is accepted can be written and signed."""
    policy: Policy | None = None
    faults: tuple[str, ...] = ()
    try:
        policy = parse_policy(document)
    except PolicyError as error:
        faults = error.faults

    assert (policy is None) == bool(faults)
    assert all(fault.startswith("$") for fault in faults)
    if policy is not None:
        assert parse_policy(canonical.decode(canonical.encode(render_policy(policy)))) == policy


MUTATIONS: list[tuple[str, Any]] = [
    ("leftOperand", "weather"),
    ("leftOperand", "odrl:consumer"),
    ("leftOperand", None),
    ("operator", "equals"),
    ("operator", "term-lteq"),
    ("operator", "hasPart"),
    ("operator", "gteq"),
    ("rightOperand", 5),
    ("rightOperand", 5.5),
    ("rightOperand", True),
    ("rightOperand", None),
    ("rightOperand", ""),
    ("rightOperand", []),
    ("rightOperand", " research"),
    ("rightOperand", "a\nb"),
    ("rightOperand", "\ud800"),
    ("rightOperand", "x" * (MAX_TEXT + 1)),
    ("rightOperand", ["a", "b"]),
    ("rightOperand", {"@value": "a", "@type": "xsd:hexBinary"}),
    ("rightOperand", {"@value": 5, "@type": "xsd:string"}),
    ("rightOperand", {"@list": ["a"]}),
    ("unit", "https://qudt.org/vocab/unit/DAY"),
    ("dataType", "xsd:string"),
    ("rightOperandReference", "https://example.org/x"),
    ("@context", "https://example.org"),
]


@given(st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=6))
def test_all_faults_are_listed_each_with_its_place(mutations: list[tuple[str, Any]]) -> None:
    """Who repairs a policy sees everything at once, not one fault a round."""
    document = {
        "permission": [{"action": "use", "constraint": [ATOM | {key: value}]} for key, value in mutations],
        "prohibition": [{"action": "steal"}],
    }
    faults = faults_of(document)

    for i in range(len(mutations)):
        assert any(f.startswith(f"$.permission[{i}].constraint[0]") for f in faults)
    assert any(f.startswith("$.prohibition[0].action: ") for f in faults)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "$: expected an object"),
        ({"permission": None}, "$.permission[0]: expected a rule"),
        ({"permission": [{"action": "use", "constraint": None}]}, "constraint[0]: expected a constraint"),
        ({"permission": [{}]}, "$.permission[0].action: unknown action None"),
        ({"permission": [{"action": "use", "assignee": "x"}]}, "unknown key assignee"),
        ({"permission": [{"action": "use", "target": "x"}]}, "about the target of its offer"),
        ({"permission": [{"action": ["use", "read"]}]}, "unknown action a list"),
        ({"permission": [{"action": "use", "odrl:action": "read"}]}, "action is there twice"),
        ({"prohibition": [{"action": "use", "duty": []}]}, "unknown key duty"),
        ({"prohibition": [{"action": "use", "remedy": []}]}, "write a remedy as an obligation"),
        ({"profile": "https://example.org/profile"}, "$: no profile is known here"),
        ({"conflict": "perm"}, "a prohibition always beats a permission"),
        ({"inheritFrom": "x"}, "$: unknown key inheritFrom"),
        (one({"or": []}), "or: expected at least one constraint"),
        (one({"or": [ATOM], "and": [ATOM]}), "exactly one of and, or, xone"),
        (one({"or": [ATOM]} | ATOM), "unknown key leftOperand"),
        (one({"andSequence": [ATOM]}), "andSequence is not understood"),
        (one(ATOM | {"operator": "term-lteq"}), "write lteq instead of term-lteq"),
        (one(ATOM | {"rightOperand": 5}), 'a number is written as text: "5"'),
    ],
)
def test_what_is_not_understood_is_refused_by_name(document: Any, fault: str) -> None:
    """A condition that is dropped is a condition that always holds."""
    assert any(fault in f for f in faults_of(document))


@pytest.mark.parametrize(
    ("operand", "operator", "value"),
    [
        ("dateTime", "lteq", "2026-12-31T00:00:00"),
        ("dateTime", "lteq", "2026-12-31"),
        ("dateTime", "lteq", "2026-13-31T00:00:00Z"),
        ("dateTime", "isAnyOf", "2026-12-31T00:00:00Z"),
        ("timeWindow", "isPartOf", "08:00-18:00"),
        ("timeWindow", "isPartOf", "08:00/08:00+08:00"),
        ("timeWindow", "isPartOf", "08:00/25:00+08:00"),
        ("timeWindow", "isPartOf", "08:00/18:00+15:00"),
        ("timeWindow", "isPartOf", "P7D"),
        ("count", "lteq", "0"),
        ("count", "lteq", "-1"),
        ("count", "lteq", "5.0"),
        ("count", "lteq", "٣"),
        ("count", "lteq", "9" * 16),
        ("count", "gteq", "5"),
        ("rate", "lteq", "10"),
        ("rate", "lteq", "10/week"),
        ("rate", "lteq", "0/hour"),
        ("region", "eq", "3"),
        ("region", "eq", "00"),
        ("region", "eq", "310015"),
        ("region", "eq", "CN-SH"),
        ("consumer", "eq", "BPNL0001"),
        ("consumer", "eq", "did:web:"),
        ("kind", "eq", "download"),
        ("environment", "eq", "cloud"),
        ("encryption", "eq", "01"),
        ("deliveryMethod", "eq", "post"),
        ("networkAddress", "isPartOf", "10.0.0.1/8"),
        ("networkAddress", "isPartOf", "example.org"),
        ("networkAddress", "isPartOf", "10.0.0.0/33"),
        ("elapsedTime", "lteq", "P1M"),
        ("elapsedTime", "lteq", "P1Y"),
        ("elapsedTime", "lteq", "P"),
        ("elapsedTime", "lteq", "PT"),
        ("elapsedTime", "lteq", "P0D"),
        ("elapsedTime", "lteq", "P1DT"),
        ("elapsedTime", "lteq", "30"),
        ("retention", "gteq", "P30D"),
        ("rows", "lteq", "0"),
        ("bytes", "lteq", "10 GB"),
        ("minimumGroupSize", "lteq", "10"),
        ("payAmount", "gteq", "100 CNY"),
        ("payAmount", "gteq", "100.000 CNY"),
        ("payAmount", "gteq", "100.00 JPY"),
        ("payAmount", "gteq", "0.00 CNY"),
        ("payAmount", "gteq", "-1.00 CNY"),
        ("payAmount", "gteq", "1.00 yuan"),
        ("fields", "eq", "age"),
        ("fields", "isPartOf", "x" * 129),
        ("rowFilter", "isPartOf", "year"),
        ("rowFilter", "eq", "year = 2020"),
    ],
)
def test_a_value_that_its_operand_does_not_have_is_refused(operand: str, operator: str, value: str) -> None:
    """A limit that no fact can be compared with would never hold, or always."""
    faults_of(one({"leftOperand": operand, "operator": operator, "rightOperand": value}))


@pytest.mark.parametrize("junction", ["or", "xone"])
def test_a_limit_stands_only_where_it_must_hold(junction: str) -> None:
    """Under an alternative nobody could say whether a use was counted."""
    limit = {"leftOperand": "count", "operator": "lteq", "rightOperand": "5"}

    assert "must hold in every case" in faults_of(one({junction: [ATOM, limit]}))[0]
    assert "must hold in every case" in faults_of(one({junction: [{"and": [limit]}]}))[0]
    assert faults_of({"prohibition": [{"action": "use", "constraint": [limit]}]})
    assert parse_policy(one({"and": [limit, {"and": [limit]}]}))


@pytest.mark.parametrize("name", sorted(o.name for o in OPERANDS.values() if o.everywhere))
def test_what_is_charged_or_applied_must_hold_in_every_case(name: str) -> None:
    """A door that applies a filter, and a counter that is charged, cannot ask which alternative holds."""
    (constraint,) = example(name)["permission"][0]["constraint"]

    assert "must hold in every case" in faults_of(one({"or": [ATOM, constraint]}))[0]
    assert "must hold in every case" in faults_of(one({"xone": [{"and": [constraint]}]}))[0]
    assert faults_of({"prohibition": [{"action": "use", "constraint": [constraint]}]})


@pytest.mark.parametrize("name", sorted(OPERANDS))
@given(data=st.data())
@settings(max_examples=12)
def test_every_operand_and_operator_survives_the_wire(name: str, data: st.DataObject) -> None:
    """Whatever can be said of an operand is written and read again, alone and in canonical bytes."""
    operand = OPERANDS[name]
    for operator in sorted(operand.operators):
        atom = data.draw(atoms_of(operand, [operator]))
        policy = Policy((Rule("use", (atom,)),))
        document = render_policy(policy)
        assert parse_policy(document) == policy
        assert parse_policy(canonical.decode(canonical.encode(document))) == policy


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_example_is_written_as_it_was_read(name: str) -> None:
    """One way to write each operand: what another party reads is what was meant."""
    document = example(name)
    written = render_policy(parse_policy(document))
    (constraint,) = written["permission"][0]["constraint"]  # type: ignore[index,call-overload]  # as rendered

    assert constraint["rightOperand"] in (
        document["permission"][0]["constraint"][0]["rightOperand"],
        ENTREPOT + str(EXAMPLES[name][1]),
    )
    assert set(EXAMPLES) == set(OPERANDS)


def test_one_meaning_has_one_value() -> None:
    """Decoded policies are compared, so two spellings of one thing must not differ."""
    assert read_one("region", "eq", "310000") == read_one("spatial", "eq", "31")
    assert read_one("region", "isAnyOf", ["3100", "31"]) == read_one("odrl:spatial", "isAnyOf", "31")
    assert read_one("timeWindow", "isPartOf", "08:00/18:00") == read_one(
        ENTREPOT + "timeWindow", "isPartOf", "08:00/18:00+08:00"
    )
    assert read_one("dateTime", "lt", "2027-01-01T08:00:00+08:00") == read_one(
        "dateTime", "lt", {"@value": "2027-01-01T00:00:00Z", "@type": "xsd:dateTime"}
    )
    assert read_one("kind", "eq", "query") == read_one("kind", "eq", ENTREPOT + "query")
    assert read_one("count", "lteq", {"@value": "5", "@type": "xsd:integer"}) == read_one(
        "count", "lteq", ["5"]
    )


def test_values_become_what_they_mean() -> None:
    """The operand fixes type and unit."""
    assert read_one("timeWindow", "isPartOf", "22:00/06:30Z") == read_one(
        "timeWindow", "isPartOf", "22:00/06:30+00:00"
    )
    window = read_one("timeWindow", "isPartOf", "08:00/18:00-03:30")
    rate = read_one("rate", "lteq", "10/hour")

    assert getattr(window, "value", None) == Window(time(8), time(18), -timedelta(hours=3, minutes=30))
    assert getattr(rate, "value", None) == Rate(10, Period.HOUR)


def duty(action: str, *said: tuple[str, str, str]) -> dict[str, Any]:
    keys = ("leftOperand", "operator", "rightOperand")
    return {"action": action, "constraint": [dict(zip(keys, s, strict=True)) for s in said]}


BEFORE, ALONGSIDE, AFTER = (("odrl:event", o, "odrl:policyUsage") for o in ("lt", "eq", "gt"))
IN_TIME = ("odrl:elapsedTime", "lteq", "P30D")
AMOUNT = ("odrl:payAmount", "eq", "100.00 CNY")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (duty("inform"), Duty("inform")),
        (duty("inform", BEFORE), Duty("inform")),
        (duty("compensate", AMOUNT), Duty("compensate", amount=Money(10_000, "CNY"))),
        (duty("encrypt", ALONGSIDE), Duty("encrypt", Moment.ALONGSIDE)),
        (duty("delete", AFTER, IN_TIME), Duty("delete", Moment.AFTER, timedelta(days=30))),
        (
            duty("compensate", AMOUNT, AFTER, IN_TIME),
            Duty("compensate", Moment.AFTER, timedelta(days=30), Money(10_000, "CNY")),
        ),
    ],
)
def test_a_duty_says_when_within_what_time_and_how_much(document: Any, expected: Duty) -> None:
    """Whoever owes it can be held to it."""
    assert parse_policy({"obligation": [document]}) == Policy(obligations=(expected,))
    assert parse_policy(render_policy(Policy(obligations=(expected,)))).obligations == (expected,)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (duty("delete", ALONGSIDE), "nobody can delete alongside a use"),
        (duty("encrypt", AFTER, IN_TIME), "nobody can encrypt after a use"),
        (duty("delete", AFTER), "says within what time"),
        (duty("delete", IN_TIME), "says within what time"),
        (duty("inform", AMOUNT), "owed by compensate only"),
        (duty("delete", AFTER, ("odrl:elapsedTime", "lteq", "P1M")), "such as P30D"),
        (duty("delete", AFTER, ("odrl:elapsedTime", "gteq", "P3D")), "elapsedTime lteq"),
        (duty("delete", AFTER, AFTER, IN_TIME), "event is there twice"),
        (duty("delete", ("odrl:event", "gt", "odrl:policyUse"), IN_TIME), "odrl:event lt, eq or gt"),
        (duty("delete", ("odrl:count", "lteq", "5")), "expected on a duty: odrl:event"),
    ],
)
def test_what_cannot_be_owed_is_refused_by_name(document: Any, fault: str) -> None:
    """What nobody would watch over must not be promised."""
    assert any(fault in f for f in faults_of({"obligation": [document]}))
    assert any(fault in f for f in faults_of({"permission": [{"action": "use", "duty": [document]}]}))


def test_the_policy_of_the_official_suite_is_read() -> None:
    """It offers `use`, without conditions."""
    assert parse_policy({"@id": "x", "@type": "Offer", "permission": [{"action": "use"}]}) == Policy(
        (Rule("use"),)
    )


def test_a_policy_has_bounds() -> None:
    """Depth, length and number are bounded before anything is built from them."""
    deep: Any = ATOM
    for _ in range(MAX_DEPTH):
        deep = {"and": [deep]}

    assert any("deeper" in f for f in faults_of(one(deep)))
    assert parse_policy(one(deep["and"][0]))
    assert any(
        "more than 64 entries" in f for f in faults_of({"permission": [{"action": "use"}] * (MAX_RULES + 1)})
    )
    many = {"permission": [{"action": "use", "constraint": [ATOM] * 60}] * 10}
    assert faults_of(many) == (
        f"$.permission[8].constraint[23]: more than {MAX_PARTS} rules, duties and constraints in one policy",
    )
    duties = [{"action": "use", "duty": [{}] * 64}] * 64
    assert len(faults_of({"permission": duties})) <= MAX_PARTS + 1


def test_a_very_deep_value_is_refused_without_being_written_out() -> None:
    """A stranger's nesting must not exhaust our stack."""
    deep: Any = "x"
    for _ in range(sys.getrecursionlimit() * 2):
        deep = [deep]

    for key in ("rightOperand", "leftOperand", "operator", "@type", "x"):
        if key != "@type":
            assert faults_of(one(ATOM | {key: deep}))
    assert faults_of({"permission": [{"action": deep}], "obligation": deep, "x": deep})


def test_operands_and_actions_of_odrl_are_written_with_their_prefix() -> None:
    """A bare `count` is lost by another connector's processor; our own terms travel in full."""
    text = json.dumps(
        render_policy(
            parse_policy(
                {
                    "permission": [
                        {
                            "action": "read",
                            "constraint": [
                                {"leftOperand": "count", "operator": "lteq", "rightOperand": "5"},
                                {
                                    "leftOperand": "kind",
                                    "operator": "isAnyOf",
                                    "rightOperand": ["job", "query"],
                                },
                            ],
                        }
                    ]
                }
            )
        )
    )

    assert '"odrl:count"' in text
    assert '"odrl:read"' in text
    assert f'"{ENTREPOT}kindOfUse"' in text
    assert f'["{ENTREPOT}job", "{ENTREPOT}query"]' in text
