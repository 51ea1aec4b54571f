"""The temporal conflict benchmark: can two permissions hold at the same time?

Two permissions of one problem are put together into one; they conflict where that is a contradiction.
Problems about metered and delayed time, intervals, and time elapsed since anything but the agreement are
not in our profile and skipped by name.
"""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entrepot.policy import contradictions, parse_policy

ODRL = "http://www.w3.org/ns/odrl/2/"
VERDICTS = {
    "Conflict": True,
    "Unrealizable": True,
    "Refines": True,
    "Compatible": False,
    "Realizable": False,
    "NotRefines": False,
}
"""Whether what is asked comes to a contradiction of ours."""
OURS = {ODRL + "dateTime", ODRL + "elapsedTime"}
FOLDER = Path(__file__).parents[3] / "../shared/vectors/odrl-temporal-conflict"
RESULTS = FOLDER / "results.csv"
PROBLEMS = (
    {row["odrl_id"]: row["verdict"] for row in csv.DictReader(RESULTS.read_text("utf-8").splitlines())}
    if RESULTS.is_file()
    else {}
)


def constraint(graph: Any, node: Any) -> dict[str, Any]:
    for junction in ("and", "or", "xone", "andSequence"):
        found = graph.all(node, ODRL + junction)
        if found:
            members = found[0] if isinstance(found[0], tuple) else found
            return {junction: [constraint(graph, member) for member in members]}
    literal = graph.one(node, ODRL + "rightOperand")
    value = re.match(r'"(.*?)"', literal if isinstance(literal, str) else "")
    moment = value[1] if value else ""
    # The problems have no zone; all of them are read in one.
    if re.fullmatch(r"\d{4}-\d\d-\d\d", moment):
        moment += "T00:00:00"
    return {
        "leftOperand": graph.one(node, ODRL + "leftOperand"),
        "operator": graph.one(node, ODRL + "operator"),
        "rightOperand": moment if moment.startswith("P") else moment + "Z",
    }


def operands(constraint: Any) -> set[str]:
    if "leftOperand" in constraint:
        return {constraint["leftOperand"]}
    return set().union(*(operands(c) for members in constraint.values() for c in members))


@pytest.mark.parametrize(
    "problem", PROBLEMS or [pytest.param("", marks=pytest.mark.skip("no problems here"))]
)
def test_permissions_conflict_exactly_where_the_provers_say_so(
    problem: str, graph: Callable[[], Any]
) -> None:
    """Four provers agree on each verdict; so do we."""
    said, verdict = graph().read((FOLDER / f"{problem}-policy.ttl").read_text("utf-8")), PROBLEMS[problem]
    permissions = [p for node in [*said.said] for p in said.all(node, ODRL + "permission")]
    constraints = [constraint(said, c) for p in permissions for c in said.all(p, ODRL + "constraint")]
    asked = set().union(*(operands(c) for c in constraints))
    # Elapsed time is ours since the agreement, whose day no policy knows: it is not held against dates.
    if len(asked) > 1 or not asked <= OURS or verdict not in VERDICTS:
        names = ", ".join(sorted(a.removeprefix(ODRL) for a in asked))
        pytest.skip(f"not in our profile: {verdict} over {names}")
    document = {"permission": [{"action": "use", "constraint": constraints}]}
    if verdict in {"Refines", "NotRefines"}:
        # The one refines the other where a ban on all that the other permits leaves nothing of it.
        narrow, wide = constraints
        document = {
            "permission": [{"action": "use", "constraint": [narrow]}],
            "prohibition": [{"action": "use", "constraint": [wide]}],
        }

    assert bool(contradictions(parse_policy(document))) == VERDICTS[verdict]
