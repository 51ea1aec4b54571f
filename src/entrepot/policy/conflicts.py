"""Contradictions inside one policy: rules that can never do what their author meant.

Found without facts, by looking at what each operand may still be. Only certain contradictions are
reported; what depends on facts is left to the evaluation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from entrepot.policy.model import Atom, Constraint, Group, Junction, OperandType, Operator, Policy, Rule
from entrepot.values import KindOfUse, UtcTime


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Where a policy defeats itself, and how."""

    path: str
    why: str


def contradictions(policy: Policy) -> tuple[Contradiction, ...]:
    """Find permissions that can never hold, and permissions that a prohibition always takes back."""
    found: list[Contradiction] = []
    for i, permission in enumerate(policy.permissions):
        path = f"permission[{i}]"
        atoms = _conjunction(permission.constraints)
        found += [Contradiction(path, why) for why in _impossible(atoms)]
        for j, prohibition in enumerate(policy.prohibitions):
            if prohibition.action in {"use", permission.action} and _implies(atoms, prohibition):
                found.append(Contradiction(path, f"prohibition[{j}] forbids all that it permits"))
    return tuple(found)


def _conjunction(constraints: Iterable[Constraint]) -> tuple[Atom, ...]:
    """The comparisons that must all hold; alternatives are left out, so that nothing is claimed too much."""
    atoms: list[Atom] = []
    for constraint in constraints:
        match constraint:
            case Atom():
                atoms.append(constraint)
            case Group(junction, members) if junction is Junction.AND or len(members) == 1:
                atoms += _conjunction(members)
            case _:
                pass
    return tuple(atoms)


def _impossible(atoms: Sequence[Atom]) -> list[str]:
    reasons: list[str] = []
    for name in dict.fromkeys(a.operand.name for a in atoms):
        same = [a for a in atoms if a.operand.name == name]
        if same[0].operand.type is OperandType.TIME:
            if _empty_range(same):
                reasons.append(f"no time satisfies all of its {name} constraints")
        elif same[0].operand.type in {OperandType.TERM, OperandType.KIND} and _no_choice(same):
            reasons.append(f"no value satisfies all of its {name} constraints")
    return reasons


def _empty_range(atoms: Sequence[Atom]) -> bool:
    lowest: tuple[UtcTime, bool] | None = None
    highest: tuple[UtcTime, bool] | None = None
    for atom in atoms:
        if not isinstance(atom.value, UtcTime):
            continue
        bound = (atom.value, atom.operator in {Operator.GTEQ, Operator.LTEQ})
        if atom.operator in {Operator.GT, Operator.GTEQ}:
            lowest = bound if lowest is None else max(lowest, bound, key=lambda b: (b[0], not b[1]))
        elif atom.operator in {Operator.LT, Operator.LTEQ}:
            highest = bound if highest is None else min(highest, bound, key=lambda b: (b[0], b[1]))
    if lowest is None or highest is None:
        return False
    return lowest[0] > highest[0] or (lowest[0] == highest[0] and not (lowest[1] and highest[1]))


def _no_choice(atoms: Sequence[Atom]) -> bool:
    allowed: set[str] | None = set(KindOfUse) if atoms[0].operand.type is OperandType.KIND else None
    refused: set[str] = set()
    for atom in atoms:
        values = {str(v) for v in atom.value} if isinstance(atom.value, frozenset) else {str(atom.value)}
        if atom.operator in {Operator.EQ, Operator.IS_ANY_OF}:
            allowed = values if allowed is None else allowed & values
        else:
            refused |= values
    return allowed is not None and not allowed - refused


def _implies(atoms: Sequence[Atom], prohibition: Rule) -> bool:
    """Say whether whoever satisfies `atoms` surely triggers `prohibition`."""
    return all(isinstance(c, Atom) and c in atoms for c in prohibition.constraints)
