"""The cases of the OVAL engine: policies over printing, parties of a level, people of an age.

Most of their actions and operands are not in our profile. None is taken for something that we know, and
none is dropped: each policy is refused, with the names that are unknown here.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entrepot.policy import ACTIONS, PolicyError, parse_policy

ODRL = "http://www.w3.org/ns/odrl/2/"
VALUE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#value"
FOLDER = Path(__file__).parents[3] / "../shared/vectors/odrl-oval-cases/test_cases/evaluation"
CASES = sorted(f"{p.parent.name}/{p.stem}" for p in FOLDER.glob("*alid/*.ttl"))


def rule(said: Any, node: Any) -> dict[str, Any]:
    action = said.one(node, ODRL + "action")
    value = said.one(action, VALUE) if str(action).startswith("_:") else action
    return {"action": value, "constraint": [constraint(said, c) for c in said.all(node, ODRL + "constraint")]}


def constraint(said: Any, node: Any) -> dict[str, Any]:
    for junction in ("and", "or", "xone"):
        if members := said.all(node, ODRL + junction):
            listed = members[0] if isinstance(members[0], tuple) else members
            return {junction: [constraint(said, member) for member in listed]}
    right = said.one(node, ODRL + "rightOperand")
    match = re.match(r'"(.*?)"', right) if isinstance(right, str) else None
    return {
        "leftOperand": said.one(node, ODRL + "leftOperand"),
        "operator": said.one(node, ODRL + "operator"),
        "rightOperand": match[1] if match else str(right),
    }


@pytest.mark.parametrize(
    "case", CASES or [pytest.param("", marks=pytest.mark.skip("no published cases here"))]
)
def test_what_is_not_in_our_profile_is_refused_by_name(case: str, graph: Callable[[], Any]) -> None:
    """An evaluator that skips what it does not know answers yes to what nobody has judged."""
    said = graph()
    try:
        said.read((FOLDER / f"{case}.ttl").read_text("utf-8"))
    except (StopIteration, KeyError, ValueError) as error:
        pytest.skip(f"Turtle beyond our little reader: {type(error).__name__}")
    document = {
        kind: [rule(said, n) for node in [*said.said] for n in said.all(node, ODRL + kind)]
        for kind in ("permission", "prohibition")
    }

    with pytest.raises(PolicyError) as caught:
        parse_policy(document)
    ours = {action.iri for action in ACTIONS.values()}
    unknown = {r["action"] for rules in document.values() for r in rules} - ours
    named = {
        action for action in unknown if any(f"unknown action {action};" in f for f in caught.value.faults)
    }
    assert named == unknown
