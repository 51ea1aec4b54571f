"""The ODRL evaluator suite of SolidLab: is each rule of a policy active for a request?

A policy of ours is about one product and one contract, so a rule about another target does not stand in it,
and the assignee becomes a constraint on the consumer. What our profile does not say is skipped by name.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entrepot.policy import Fact, Source, compile_policy, parse_policy
from entrepot.policy.wire import MAX_MEMBERS
from entrepot.values import parse_time

ODRL = "http://www.w3.org/ns/odrl/2/"
EX = "http://example.org/"
REPORT = "https://w3id.org/force/compliance-report#"
NOW = "http://example.com/request/currentTime"
ISSUED = "http://purl.org/dc/terms/issued"
SUITE = Path(__file__).parents[3] / "../shared/vectors/odrl-test-suite/data"
CASES = sorted(path.stem for path in SUITE.glob("test_cases/*.ttl"))


@pytest.fixture(scope="module")
def graphs(vectors: Path, graph: Callable[[], Any]) -> dict[Any, Any]:
    """Policies, requests and states of the world by name, a graph each: names in them are used twice."""
    found = {}
    for folder, kind in (("policies", ODRL + "Set"), ("requests", ODRL + "Request"), ("sotw", EX + "Sotw")):
        for path in sorted((vectors / "odrl-test-suite/data" / folder).glob("*.ttl")):
            said = graph().read(path.read_text("utf-8"))
            found |= dict.fromkeys(said.typed(kind), said)
    return found


class _OutsideError(Exception):
    """What our profile does not say."""


def text_of(literal: Any) -> str:
    match = re.match(r'"(.*)"', literal)
    assert match is not None
    return match[1]


def constraint(suite: Any, node: Any) -> dict[str, Any]:
    for junction in ("and", "or", "xone"):
        if members := suite.all(node, ODRL + junction):
            if len(members) > MAX_MEMBERS:
                raise _OutsideError(f"{len(members)} alternatives; a daily window says it in one constraint")
            return {junction: [constraint(suite, member) for member in members]}
    return {
        "leftOperand": suite.one(node, ODRL + "leftOperand"),
        "operator": suite.one(node, ODRL + "operator"),
        "rightOperand": text_of(suite.one(node, ODRL + "rightOperand")),
    }


def rule(suite: Any, node: Any) -> dict[str, Any]:
    if suite.all(node, ODRL + "duty"):
        raise _OutsideError("a duty that may be done later than the use")
    action = suite.one(node, ODRL + "action")
    if action is None:
        raise _OutsideError("a rule without an action")
    constraints = [constraint(suite, c) for c in suite.all(node, ODRL + "constraint")]
    assignee = suite.one(node, ODRL + "assignee")
    for party in (assignee, suite.one(node, ODRL + "target")):
        if isinstance(party, str) and "ollection" in party + str(suite.said[party]):
            raise _OutsideError("collections of parties and assets")
    if assignee is not None:
        constraints.append(
            {
                "leftOperand": "https://w3id.org/entrepot/v1/consumer",
                "operator": "eq",
                "rightOperand": did(assignee),
            }
        )
    return {"action": action, "constraint": constraints}


def did(party: str) -> str:
    return "did:web:example.org:" + party.removeprefix(EX)


@pytest.mark.parametrize(
    "case", CASES or [pytest.param("", marks=pytest.mark.skip("no published cases here"))]
)
def test_a_rule_is_active_exactly_where_the_suite_says_so(
    case: str, graphs: dict[Any, Any], graph: Callable[[], Any]
) -> None:
    """Whoever reads ODRL elsewhere and reads it here must come to the same conclusion."""
    said = graph().read((SUITE / f"test_cases/{case}.ttl").read_text("utf-8"))
    (test,) = said.typed(EX + "TestCase")
    policy, request = said.one(test, EX + "policy"), said.one(test, EX + "request")
    suite, wish = graphs[policy], graphs[request]
    (asked,) = wish.all(request, ODRL + "permission")
    target, action = wish.one(asked, ODRL + "target"), wish.one(asked, ODRL + "action")
    assert isinstance(action, str)
    nodes: dict[str, list[Any]] = {"permission": [], "prohibition": []}
    for kind, found in nodes.items():
        found += [
            node
            for node in suite.all(policy, ODRL + kind)
            if suite.one(node, ODRL + "target") in {None, target}
            or "ollection" in str(suite.one(node, ODRL + "target"))
        ]
    try:
        document = {kind: [rule(suite, node) for node in found] for kind, found in nodes.items()}
    except _OutsideError as outside:
        pytest.skip(f"not in our profile: {outside}")
    now = text_of(graphs[said.one(test, EX + "sotw")].one(NOW, ISSUED))
    facts = {"dateTime": Fact(parse_time(now), Source.OBSERVED)}
    if party := wish.one(asked, ODRL + "assignee"):
        facts["consumer"] = Fact(did(party), Source.CREDENTIAL)
    decision = compile_policy(parse_policy(document), action.removeprefix(ODRL)).decide(facts)
    active = {
        nodes[line.path.split("[")[0]][int(line.path.split("[")[1][:-1])]: line.verdict == "satisfied"
        for line in decision.report()
        if line.operator == "covers"
    }
    expected = {
        said.one(report, REPORT + "rule"): said.one(report, REPORT + "activationState") == REPORT + "Active"
        for kind in ("PermissionReport", "ProhibitionReport")
        for report in said.typed(REPORT + kind)
    }

    assert {node: active.get(node, False) for node in expected} == expected
