"""Contradictions inside one policy: permissions on which no decision can ever rely.

For each operand the values that a policy can tell apart are few: those it names, the instants around its
bounds, one value that it does not name. A search through them either finds facts under which a permission
holds and no prohibition does, or shows that there are none. The verdicts of facts not yet chosen are
unknown, and a verdict that is known already cannot change any more, so most branches end early.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from entrepot.policy.evaluate import Plan, compile_policy, fact_name
from entrepot.policy.model import (
    Atom,
    Constraint,
    Fact,
    Group,
    Junction,
    OperandType,
    Policy,
    Rule,
    Value,
    Window,
)
from entrepot.policy.region import short_region
from entrepot.values import KindOfUse, UtcTime

MAX_COMPARISONS: Final = 500_000
"""Comparisons made for one policy (well under a second); where they do not suffice nothing is claimed."""

_UNNAMED: Final = "urn:entrepot:unnamed"
_CLOCKS: Final = frozenset({OperandType.TIME, OperandType.WINDOW})
_TICK: Final = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_SOME_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)

_Choice: TypeAlias = Mapping[str, Fact]
"""Facts chosen together: a moment is both the time and the time of day."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Where a policy defeats itself, and how."""

    path: str
    why: str


class _Patience:
    """How many comparisons may still be made for this policy."""

    def __init__(self) -> None:
        self.left = MAX_COMPARISONS

    def lasts(self, comparisons: int) -> bool:
        self.left -= comparisons + 1
        return self.left > 0


def contradictions(policy: Policy) -> tuple[Contradiction, ...]:
    """Find permissions that can never hold, and permissions that prohibitions always take back."""
    patience = _Patience()
    return tuple(
        Contradiction(f"permission[{i}]", why)
        for i, permission in enumerate(policy.permissions)
        for why in _faults(permission, policy, patience)
    )


def _faults(permission: Rule, policy: Policy, patience: _Patience) -> list[str]:
    """Why no decision can rely on a permission; nothing where one can."""
    if _is_possible(permission, policy.prohibitions, patience):
        return []
    if not _is_possible(permission, (), patience):
        return _impossible(permission, patience) or ["no facts satisfy all of its constraints together"]
    return [
        f"prohibition[{j}] forbids all that it permits"
        for j, prohibition in enumerate(policy.prohibitions)
        if not _is_possible(permission, (prohibition,), patience)
    ] or ["the prohibitions together forbid all that it permits"]


def _impossible(permission: Rule, patience: _Patience) -> list[str]:
    """The operands that cannot satisfy what must hold of them, each by itself."""
    atoms = _conjunction(permission.constraints)
    return [
        f"no value satisfies all of its {name} constraints"
        for name in dict.fromkeys(a.operand.name for a in atoms)
        if not _is_possible(
            Rule(permission.action, tuple(a for a in atoms if a.operand.name == name)), (), patience
        )
    ]


def _conjunction(constraints: Iterable[Constraint]) -> tuple[Atom, ...]:
    """The comparisons that must all hold, whatever else does."""
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


def _is_possible(permission: Rule, prohibitions: Sequence[Rule], patience: _Patience) -> bool:
    """Say whether some facts satisfy the permission and trigger none of the prohibitions.

    False is proven; True may also mean that patience ran out.
    """
    rule = Rule(permission.action, permission.constraints)
    plan = compile_policy(Policy((rule,), tuple(prohibitions)), permission.action)
    return _search(plan, {}, _choices(rule, prohibitions), patience)


def _search(plan: Plan, facts: _Choice, choices: Sequence[Sequence[_Choice]], patience: _Patience) -> bool:
    """Choose facts one operand after another; a branch ends as soon as its outcome is certain."""
    decision = plan.decide(facts)
    if decision.permitted or not patience.lasts(len(decision.verdicts)):
        return True
    if plan.is_settled(decision.verdicts):
        return False
    return any(
        _search(plan, {**facts, **choice}, choices[1:], patience) for here in choices[:1] for choice in here
    )


def _choices(rule: Rule, prohibitions: Sequence[Rule]) -> list[list[_Choice]]:
    """For each operand that is asked about, facts that stand for all that could be."""
    asked = _atoms(rule.constraints) + [a for p in prohibitions for a in _atoms(p.constraints)]
    found: list[list[_Choice]] = []
    clocks = [a for a in asked if a.operand.type in _CLOCKS]
    if clocks:
        operands = dict.fromkeys(a.operand for a in clocks)
        found.append([{o.name: Fact(t, o.source) for o in operands} for t in _moments(clocks)])
    for operand in dict.fromkeys(a.operand for a in asked if a.operand.type not in _CLOCKS):
        same = [a for a in asked if a.operand == operand]
        if operand.type in {OperandType.USES, OperandType.RATE}:
            # A limit is at least one, and must hold: the first use is within every one of them.
            found.append([{fact_name(a, 0): Fact(1, operand.source) for a in same}])
        else:
            values = _samples(operand.type, [t for a in same for t in _texts(a.value)])
            found.append([{operand.name: Fact(v, operand.source)} for v in values])
    return found


def _atoms(constraints: Iterable[Constraint]) -> list[Atom]:
    return [
        atom
        for constraint in constraints
        for atom in ([constraint] if isinstance(constraint, Atom) else _atoms(constraint.members))
    ]


def _texts(value: Value) -> list[str]:
    return sorted(value) if isinstance(value, frozenset) else [str(value)]


def _samples(kind: OperandType, named: Sequence[str]) -> list[str]:
    """The values that are named, and one for all that are not."""
    if kind is OperandType.KIND:
        return [*KindOfUse]
    if kind is OperandType.REGION:
        return _regions([short_region(r) or r for r in named])
    return [*dict.fromkeys(named), _UNNAMED]


def _regions(named: Sequence[str]) -> list[str]:
    """For each region named a place in it that lies in no narrower one named, and a place outside all."""
    places = {region: _place_in(region, named) for region in ("", *named)}
    return [*dict.fromkeys(p for p in places.values() if p is not None)]


def _place_in(region: str, named: Sequence[str]) -> str | None:
    """A place as narrow as can be that lies in `region` and in none of the `named` below it."""
    below = {n for n in named if n != region and n.startswith(region)}
    if len(region) == 6 or not below:
        return region or "11"
    steps = [f"{n:02}" for n in range(11 if not region else 1, 83 if not region else 100)]
    for step in steps:
        if not any((region + step).startswith(n) for n in below):
            place = _place_in(region + step, named)
            if place is not None:
                return place
    return None


def _moments(atoms: Sequence[Atom]) -> list[UtcTime]:
    """Instants on, before and after every bound, and at every edge of a daily window in between."""
    bounds = sorted({a.value for a in atoms if isinstance(a.value, datetime)})
    edges = {
        edge.hour * 60 + edge.minute - a.value.offset // _MINUTE
        for a in atoms
        if isinstance(a.value, Window)
        for edge in (a.value.opens, a.value.closes)
    }
    near = [_later(b, d) for b in bounds or [_SOME_DAY] for d in (-_TICK, timedelta(0), _TICK)]
    for start in [*bounds, _later(bounds[0], -2 * _DAY) if bounds else _SOME_DAY]:
        since = start - start.replace(hour=0, minute=0, second=0, microsecond=0)
        for edge in edges:
            at = _later(start, (edge * _MINUTE - since) % _DAY)
            near += [_later(at, -_TICK), at, _later(at, _TICK)]
    return sorted(set(near))


def _later(moment: UtcTime, by: timedelta) -> UtcTime:
    """The moment so much later, or itself where the calendar ends."""
    try:
        return moment + by
    except OverflowError:
        return moment
