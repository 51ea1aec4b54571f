"""Claim: 300,000 decisions with full report per core-second, on one permission of four constraints.

The policy has one prohibition beside it. A decision of ours keeps every fact that it compared, with its
source, and every verdict; the report of all rules and comparisons is written out from them when somebody
reads it. Both are measured: deciding (the claim), and deciding with the report written out each time. The
rival is the plain recursive interpreter that the tests hold ours to; it writes its report as it goes. All
run in turns over the same 64 sets of facts, half of them refused, and must agree on each. CPU time of one
process.

    python bench/policy_decisions.py [--seconds 1]
"""

import argparse
import importlib.util
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from entrepot.policy import Fact, Facts, Source, compile_policy, parse_policy
from machine import described

GOAL = 300_000
ROUNDS = 5
NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
REFERENCE = Path(__file__).parents[1] / "tests/unit/policy/reference.py"
POLICY = parse_policy(
    {
        "permission": [
            {
                "action": "use",
                "constraint": [
                    {"leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "urn:purpose:research"},
                    {
                        "leftOperand": "odrl:dateTime",
                        "operator": "lt",
                        "rightOperand": "2027-01-01T00:00:00Z",
                    },
                    {"leftOperand": "odrl:spatial", "operator": "isPartOf", "rightOperand": "31"},
                    {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "100"},
                ],
            }
        ],
        "prohibition": [
            {
                "action": "use",
                "constraint": [
                    {
                        "leftOperand": "https://w3id.org/entrepot/v1/consumer",
                        "operator": "isAnyOf",
                        "rightOperand": ["did:web:one.example", "did:web:two.example"],
                    }
                ],
            }
        ],
    }
)


def situations() -> list[Facts]:
    """64 sets of facts: half permitted, the others refused, each for one reason."""
    good = {
        "purpose": Fact("urn:purpose:research", Source.CLAIMED),
        "dateTime": Fact(NOW, Source.OBSERVED),
        "region": Fact("310115", Source.CREDENTIAL),
        "count[0]": Fact(1, Source.OBSERVED),
        "consumer": Fact("did:web:consumer.example", Source.CREDENTIAL),
    }
    faults: list[dict[str, Fact | None]] = [
        {"purpose": Fact("urn:purpose:other", Source.CLAIMED)},
        {"dateTime": Fact(NOW + timedelta(days=400), Source.OBSERVED)},
        {"region": Fact("110105", Source.CREDENTIAL)},
        {"region": None},
        {"count[0]": Fact(101, Source.OBSERVED)},
        {"consumer": Fact("did:web:two.example", Source.CREDENTIAL)},
        {"consumer": None},
        {"purpose": None},
    ]
    found: list[Facts] = []
    for n in range(32):
        changed = good | faults[n % len(faults)]
        found += [
            good | {"count[0]": Fact(n + 1, Source.OBSERVED)},
            {name: fact for name, fact in changed.items() if fact is not None},
        ]
    return found


def interpreter() -> Callable[[Facts], Any]:
    """The rival, as it stands in the tests."""
    spec = importlib.util.spec_from_file_location("reference", REFERENCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module
    spec.loader.exec_module(module)
    return lambda facts: module.judge(POLICY, facts)


def per_core_second(decide: Callable[[Facts], object], facts: Sequence[Facts], seconds: float) -> float:
    done = 0
    began = time.process_time()
    while (spent := time.process_time() - began) < seconds:
        for situation in facts:
            decide(situation)
        done += len(facts)
    return done / spent


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds for each figure and round")
    options = parser.parse_args()
    plan, rival, facts = compile_policy(POLICY), interpreter(), situations()
    for situation in facts:
        ours, theirs = plan.decide(situation), rival(situation)
        assert (ours.outcome, ours.relied_on) == (theirs.outcome, theirs.relied_on)
        assert [(x.path, x.verdict) for x in ours.report()] == [
            (path, verdict) for path, _, verdict in theirs.report
        ]
    contestants: dict[str, Callable[[Facts], object]] = {
        "decisions, report kept inside": plan.decide,
        "decisions, report written out": lambda situation: plan.decide(situation).report(),
        "plain recursive interpreter": rival,
    }
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for _, (name, decide) in itertools.product(range(ROUNDS), contestants.items()):
        figures[name].append(per_core_second(decide, facts, options.seconds))
    median = {name: statistics.median(rounds) for name, rounds in figures.items()}
    print(described())
    print(f"input: {len(facts)} sets of facts, half refused; a core-second, median of {ROUNDS} rounds")
    for name, figure in median.items():
        print(f"  {name:32} {figure:12,.0f}   {min(figures[name]):,.0f} to {max(figures[name]):,.0f}")
    ours, written, plain = median.values()
    print(f"  ratio to the rival: {ours / plain:.1f} (written out: {written / plain:.1f})")
    print(f"  goal {GOAL:,}: {'reached' if ours >= GOAL else 'missed'}")
    return 0 if ours >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
