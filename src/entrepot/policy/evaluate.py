"""May this use happen? A total, three-valued evaluation with a report of everything it looked at.

A constraint is satisfied, unsatisfied or unknown. Unknown denies a permission and triggers a
prohibition. A prohibition that holds beats every permission; with no permission the answer is no. The
decision relies on the first permission that holds, in the policy's order, and charges its counters only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from entrepot.policy.model import (
    Atom,
    Constraint,
    Duty,
    Facts,
    Group,
    Junction,
    OperandType,
    Operator,
    Policy,
    Rate,
    Rule,
    Value,
    Window,
)
from entrepot.values import UtcTime, render_time


class Verdict(StrEnum):
    SATISFIED = "satisfied"
    UNSATISFIED = "unsatisfied"
    UNKNOWN = "unknown"


_SAT: Final = Verdict.SATISFIED
_UNSAT: Final = Verdict.UNSATISFIED
_UNKNOWN: Final = Verdict.UNKNOWN

_Test: TypeAlias = Callable[[Facts], Verdict]


class CounterKind(StrEnum):
    """What a permission counts: uses over the contract's life, or in one period."""

    TOTAL = "total"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one use takes from one counter of the permission relied on, and the counter's limit."""

    permission: int
    counter: CounterKind
    limit: int
    amount: int = 1


class Line(msgspec.Struct, frozen=True):
    """One line of a report: a rule, group or comparison, what was asked, what was found, who said so."""

    path: str
    asked: str
    found: str
    source: str
    verdict: str


class Outcome(StrEnum):
    PERMIT = "permit"
    CONDITIONAL = "conditional"
    DENY = "deny"


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What was decided, with all that is needed to say why.

    `facts` and `verdicts` are what was compared; `report` writes them out line by line.
    """

    outcome: Outcome
    plan: "Plan"
    facts: Facts
    verdicts: tuple[Verdict, ...]
    relied_on: int
    """Index of the permission relied on, -1 where there is none."""
    due: tuple[Duty, ...] = ()
    """Duties to be done first, then ask again."""

    @property
    def permitted(self) -> bool:
        return self.outcome is Outcome.PERMIT

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What this use takes from which counters; nothing where it is not permitted."""
        return self.plan.charges[self.relied_on] if self.permitted else ()

    def report(self) -> tuple[Line, ...]:
        return self.plan.report(self.facts, self.verdicts)

    def reasons(self) -> tuple[str, ...]:
        """Why not, shortest first to be read by a person; empty for a permit."""
        if self.outcome is Outcome.PERMIT:
            return ()
        if self.outcome is Outcome.CONDITIONAL:
            return tuple(f"do first: {d.action}" for d in self.due)
        return self.plan.refusals(self.facts, self.verdicts)


class Plan:
    """A policy made ready to be asked often: its comparisons in one row, its rules as spans of it."""

    def __init__(self, policy: Policy, action: str) -> None:
        self.policy = policy
        self.action = action
        self._atoms: list[tuple[str, Atom, str]] = []
        self._permissions = self._compile(policy.permissions, "permission")
        self._prohibitions = self._compile(policy.prohibitions, "prohibition")
        self._tests: tuple[_Test, ...] = tuple(_test(atom, key) for _, atom, key in self._atoms)
        self.charges = tuple(_charges(i, r) for i, r in enumerate(policy.permissions))

    def decide(self, facts: Facts, done: frozenset[str] = frozenset()) -> Decision:
        """Decide for these facts; `done` names the duties that were done already."""
        try:
            verdicts = tuple([test(facts) for test in self._tests])
        except (TypeError, AttributeError, ValueError):
            verdicts = tuple([_guarded(test, facts) for test in self._tests])
        for _, holds in self._prohibitions:
            if holds(verdicts) is not _UNSAT:
                return Decision(Outcome.DENY, self, facts, verdicts, -1)
        for index, holds in self._permissions:
            if holds(verdicts) is _SAT:
                duties = self.policy.permissions[index].duties + self.policy.obligations
                due = tuple([d for d in duties if d.action not in done]) if duties else ()
                outcome = Outcome.CONDITIONAL if due else Outcome.PERMIT
                return Decision(outcome, self, facts, verdicts, index, due)
        return Decision(Outcome.DENY, self, facts, verdicts, -1)

    def report(self, facts: Facts, verdicts: Sequence[Verdict]) -> tuple[Line, ...]:
        """Every comparison with what was asked, what was found and who said so, then every rule."""
        lines = [
            Line(
                path,
                f"{atom.operand.name} {atom.operator} {show_value(atom.value)}",
                *_found(atom, facts, key),
                str(verdict),
            )
            for (path, atom, key), verdict in zip(self._atoms, verdicts, strict=True)
        ]
        for name, rules, held in (
            ("prohibition", self.policy.prohibitions, self._prohibitions),
            ("permission", self.policy.permissions, self._permissions),
        ):
            lines += [
                Line(f"{name}[{i}]", rules[i].action, "", "", str(holds(verdicts))) for i, holds in held
            ]
        return tuple(lines)

    def refusals(self, facts: Facts, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
        """Why these verdicts give a denial."""
        for i, holds in self._prohibitions:
            verdict = holds(verdicts)
            if verdict is not _UNSAT:
                how = "applies" if verdict is _SAT else "may apply: a fact is missing"
                return (f"prohibition[{i}] {how}",)
        if not self._permissions:
            return ("no permission covers this action",)
        return tuple(
            f"{path}: asked {atom.operand.name} {atom.operator} {show_value(atom.value)}, "
            f"found {_found(atom, facts, key)[0]}"
            for (path, atom, key), verdict in zip(self._atoms, verdicts, strict=True)
            if verdict is not _SAT and path.startswith("permission")
        )

    def _compile(self, rules: Sequence[Rule], name: str) -> "tuple[tuple[int, _Fold], ...]":
        """Compile the rules that cover the action; `use` in a rule covers every action."""
        compiled = []
        for index, rule in enumerate(rules):
            # A prohibition of one action of many (distribute) does not forbid use as such.
            if rule.action in {"use", self.action}:
                compiled.append(
                    (index, self._fold(rule.constraints, index, f"{name}[{index}]", Junction.AND))
                )
        return tuple(compiled)

    def _fold(self, constraints: Sequence[Constraint], rule: int, path: str, junction: Junction) -> "_Fold":
        folds: list[_Fold] = []
        start = len(self._atoms)
        for i, constraint in enumerate(constraints):
            here = f"{path}.{'constraint' if path.count('.') == 0 else junction}[{i}]"
            if isinstance(constraint, Group):
                folds.append(self._fold(constraint.members, rule, here, constraint.junction))
            else:
                self._atoms.append((here, constraint, fact_name(constraint, rule)))
                folds.append(_pick(len(self._atoms) - 1))
        if junction is Junction.AND:
            if all(isinstance(c, Atom) for c in constraints):
                return _all_in(start, len(self._atoms))
            return lambda verdicts: _and([f(verdicts) for f in folds])
        if junction is Junction.OR:
            return lambda verdicts: _or([f(verdicts) for f in folds])
        return lambda verdicts: _xone([f(verdicts) for f in folds])


_Fold: TypeAlias = Callable[[Sequence[Verdict]], Verdict]


def compile_policy(policy: Policy, action: str = "use") -> Plan:
    """Make a policy ready for many decisions about one action."""
    return Plan(policy, action)


def decide(policy: Policy, facts: Facts, action: str = "use", done: frozenset[str] = frozenset()) -> Decision:
    """Decide once. Where a policy is asked often, keep its `Plan`."""
    return Plan(policy, action).decide(facts, done)


def _pick(index: int) -> _Fold:
    return lambda verdicts: verdicts[index]


def _all_in(start: int, end: int) -> _Fold:
    if start == end:
        return lambda _verdicts: _SAT
    return lambda verdicts: _and(verdicts[start:end])


def _and(verdicts: Sequence[Verdict]) -> Verdict:
    if _UNSAT in verdicts:
        return _UNSAT
    return _UNKNOWN if _UNKNOWN in verdicts else _SAT


def _or(verdicts: Sequence[Verdict]) -> Verdict:
    if _SAT in verdicts:
        return _SAT
    return _UNKNOWN if _UNKNOWN in verdicts else _UNSAT


def _xone(verdicts: Sequence[Verdict]) -> Verdict:
    satisfied = verdicts.count(_SAT)
    if satisfied > 1:
        return _UNSAT
    if _UNKNOWN in verdicts:
        return _UNKNOWN
    return _SAT if satisfied == 1 else _UNSAT


def _guarded(test: _Test, facts: Facts) -> Verdict:
    """A fact of the wrong type cannot be compared: it is as good as none."""
    try:
        return test(facts)
    except (TypeError, AttributeError, ValueError):
        return _UNKNOWN


_COMPARE: Final[Mapping[Operator, Callable[..., bool]]] = {
    Operator.EQ: lambda found, asked: found == asked,
    Operator.NEQ: lambda found, asked: found != asked,
    Operator.LT: lambda found, asked: found < asked,
    Operator.LTEQ: lambda found, asked: found <= asked,
    Operator.GT: lambda found, asked: found > asked,
    Operator.GTEQ: lambda found, asked: found >= asked,
    Operator.IS_ANY_OF: lambda found, asked: found in asked,
    Operator.IS_NONE_OF: lambda found, asked: found not in asked,
}


def fact_name(atom: Atom, permission: int) -> str:
    """The name of the fact for this comparison; each permission has counts of its own."""
    if isinstance(atom.value, Rate):
        return counter_name(CounterKind(str(atom.value.period)), permission)
    if atom.operand.type is OperandType.USES:
        return counter_name(CounterKind.TOTAL, permission)
    return atom.operand.name


def counter_name(counter: CounterKind, permission: int) -> str:
    """The name of the fact that tells what a counter of a permission would be after this use."""
    return f"count[{permission}]" if counter is CounterKind.TOTAL else f"rate:{counter}[{permission}]"


def _test(atom: Atom, name: str) -> _Test:
    value = atom.value
    if isinstance(value, Window):
        compare: Callable[..., bool] = lambda found, window: window.has(found)  # noqa: E731 (one row of the table)
    elif isinstance(value, Rate):
        compare, value = (lambda found, limit: found <= limit), value.uses
    elif atom.operand.type is OperandType.REGION:
        compare = _region_test(atom.operator)
    else:
        compare = _COMPARE[atom.operator]

    def test(facts: Facts) -> Verdict:
        fact = facts.get(name)
        if fact is None:
            return _UNKNOWN
        return _SAT if compare(fact.value, value) else _UNSAT

    return test


def _region_test(operator: Operator) -> Callable[..., bool]:
    """A region lies in every region whose code begins it; one that is too coarse to tell is unknown."""

    def inside(found: str, asked: str) -> bool:
        if asked.startswith(found) and asked != found:
            raise ValueError(found)  # the fact is coarser than the question
        return found.startswith(asked)

    def any_of(found: str, asked: frozenset[str]) -> bool:
        coarse = False
        for region in asked:
            try:
                if inside(found, region):
                    return True
            except ValueError:
                coarse = True
        if coarse:
            raise ValueError(found)
        return False

    return {
        Operator.EQ: lambda found, asked: found == asked,
        Operator.NEQ: lambda found, asked: not inside(found, asked),
        Operator.IS_PART_OF: inside,
        Operator.IS_ANY_OF: any_of,
        Operator.IS_NONE_OF: lambda found, asked: not any_of(found, asked),
    }[operator]


def _charges(index: int, rule: Rule) -> tuple[Charge, ...]:
    """The counters that a permission has, wherever in its constraints their limits stand."""
    limits: dict[CounterKind, int] = {}

    def walk(constraints: Sequence[Constraint]) -> None:
        for constraint in constraints:
            match constraint:
                case Group(_, members):
                    walk(members)
                case Atom(_, _, Rate(uses, period)):
                    kind = CounterKind(str(period))
                    limits[kind] = min(uses, limits.get(kind, uses))
                case Atom(operand, _, int() as uses) if operand.type is OperandType.USES:
                    limits[CounterKind.TOTAL] = min(uses, limits.get(CounterKind.TOTAL, uses))
                case _:
                    pass

    walk(rule.constraints)
    return tuple(Charge(index, kind, limit) for kind, limit in sorted(limits.items()))


def _found(atom: Atom, facts: Facts, name: str) -> tuple[str, str]:
    fact = facts.get(name)
    return (
        ("nothing", str(atom.operand.source)) if fact is None else (show_value(fact.value), str(fact.source))
    )


def show_value(value: Value) -> str:
    """A value as a person reads it."""
    match value:
        case frozenset():
            return "[" + ", ".join(sorted(value)) + "]"
        case Window(opens, closes, offset):
            return f"{opens:%H:%M}-{closes:%H:%M} (UTC offset {offset})"
        case Rate(uses, period):
            return f"{uses} a {period}"
        case UtcTime():
            return render_time(value)
        case _:
            return str(value)
