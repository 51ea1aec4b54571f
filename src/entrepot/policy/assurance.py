"""What an environment does about each thing that a policy says: enforces, detects, or only records it.

*Enforced* is what the provider's own node makes impossible otherwise. *Detected* is what it notices when
it has happened. *Recorded* is what somebody said, written down where nobody can take it back. Software on
a machine that the consumer administers cannot stop that machine's owner: what happens after something was
handed over is recorded at most (usage control, chapter 10).

The environment is the kind of use. What is not in the table is not seen there, and denies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from entrepot.policy.duties import BY_THE_GATE, treatments
from entrepot.policy.model import Atom, Constraint, Duty, Moment, Policy, Rule
from entrepot.policy.vocabulary import ACTIONS
from entrepot.values import KindOfUse


class Assurance(StrEnum):
    ENFORCES = "enforces"
    DETECTS = "detects"
    RECORDS = "records"
    REFUSES = "refuses"
    """Nobody sees it in this environment: unknown, so no use is permitted by what asks for it."""


_ENFORCES, _DETECTS, _RECORDS = Assurance.ENFORCES, Assurance.DETECTS, Assurance.RECORDS
_SERVED: Final = frozenset({KindOfUse.API, KindOfUse.DELIVERY, KindOfUse.QUERY})
_OPEN: Final = frozenset({KindOfUse.API, KindOfUse.DELIVERY})
_AT_THE_GATE: Final = (
    "dateTime", "timeWindow", "elapsedTime", "count", "rate", "consumer", "role", "connector", "region",
    "networkAddress", "kind", "payAmount", "deliveryMethod", "encryption", "treatment", "serviceParty",
)  # fmt: skip
_WRITTEN_DOWN: Final = (
    "purpose", "recipient", "physicalAddress", "application", "model", "serviceAlgorithm",
)  # fmt: skip

ASSURANCES: Final[Mapping[tuple[str, KindOfUse], Assurance]] = MappingProxyType(
    {(name, kind): _ENFORCES for name in _AT_THE_GATE for kind in _SERVED}
    | {(name, kind): _RECORDS for name in _WRITTEN_DOWN for kind in _SERVED}
    | {(name, kind): _RECORDS for name in ("algorithm", "environment", "retention") for kind in _OPEN}
    | {(name, KindOfUse.QUERY): _ENFORCES for name in ("algorithm", "environment", "retention")}
    | {(name, kind): _ENFORCES for name in ("fields", "rows", "rowsPerUse") for kind in _SERVED}
    | {(name, KindOfUse.DELIVERY): _ENFORCES for name in ("bytes", "bytesPerUse")}
    | {("rowFilter", kind): _ENFORCES for kind in (KindOfUse.API, KindOfUse.QUERY)}
    | {(n, KindOfUse.QUERY): _ENFORCES for n in ("minimumGroupSize", "seconds", "secondsPerUse")}
)
"""What is done about an operand in a kind of use. A test holds it against the facts that doors give."""

TREATMENTS: Final[Mapping[KindOfUse, frozenset[str]]] = MappingProxyType(
    {KindOfUse.DELIVERY: frozenset({"encrypt"})}
)
"""What a kind of use can do to the data on its way out."""


@dataclass(frozen=True, slots=True)
class Assured:
    """One thing that a policy says, and what this environment does about it."""

    path: str
    what: Atom | Duty | Rule
    degree: Assurance


def is_served(kind: KindOfUse) -> bool:
    """Whether there are doors for this kind of use."""
    return kind in _SERVED


def sees(kind: KindOfUse, atom: Atom) -> bool:
    """Whether this kind of use has a source for what a comparison asks about."""
    if atom.operand.name == "treatment" and isinstance(atom.value, str):
        return atom.value in TREATMENTS.get(kind, frozenset())
    return (atom.operand.name, kind) in ASSURANCES


def assurance(policy: Policy, kind: KindOfUse) -> tuple[Assured, ...]:
    """Say of each comparison, prohibition and duty what is done about it in this kind of use."""
    found: list[Assured] = []
    for i, rule in enumerate(policy.permissions):
        found += _of_rule(rule, f"permission[{i}]", kind)
        found += _of_duties(rule.duties, f"permission[{i}].duty", kind)
    for i, rule in enumerate(policy.prohibitions):
        found.append(Assured(f"prohibition[{i}]", rule, _of_action(rule.action, kind)))
        found += _of_rule(rule, f"prohibition[{i}]", kind)
    return (*found, *_of_duties(policy.obligations, "obligation", kind))


def _of_action(action: str, kind: KindOfUse) -> Assurance:
    """A prohibition of what this kind does keeps it shut; any other binds the consumer afterwards."""
    return _ENFORCES if kind in ACTIONS[action].part_of else _RECORDS


def _of_rule(rule: Rule, path: str, kind: KindOfUse) -> list[Assured]:
    asked = kind in ACTIONS[rule.action].permits | ACTIONS[rule.action].part_of
    return [
        Assured(place, atom, _of_atom(atom, kind) if asked else _RECORDS)
        for place, atom in _placed(rule.constraints, f"{path}.constraint")
    ]


def _of_atom(atom: Atom, kind: KindOfUse) -> Assurance:
    return (
        ASSURANCES.get((atom.operand.name, kind), Assurance.REFUSES)
        if sees(kind, atom)
        else Assurance.REFUSES
    )


def _placed(constraints: Iterable[Constraint], path: str) -> list[tuple[str, Atom]]:
    placed: list[tuple[str, Atom]] = []
    for i, constraint in enumerate(constraints):
        here = f"{path}[{i}]"
        if isinstance(constraint, Atom):
            placed.append((here, constraint))
        else:
            placed += _placed(constraint.members, f"{here}.{constraint.junction}")
    return placed


def _of_duties(duties: Iterable[Duty], path: str, kind: KindOfUse) -> list[Assured]:
    return [Assured(f"{path}[{i}]", duty, _of_duty(duty, kind)) for i, duty in enumerate(duties)]


def _of_duty(duty: Duty, kind: KindOfUse) -> Assurance:
    match duty.moment:
        case Moment.ALONGSIDE if duty.action in BY_THE_GATE:
            return _ENFORCES
        case Moment.ALONGSIDE:
            return _ENFORCES if all(sees(kind, a) for a in treatments((duty,))) else Assurance.REFUSES
        case Moment.BEFORE:
            # Who is paid knows whether it was; of anything else somebody's word is written down.
            return _ENFORCES if duty.action == "compensate" else _RECORDS
        case Moment.AFTER:
            return _DETECTS if duty.action == "compensate" else _RECORDS
