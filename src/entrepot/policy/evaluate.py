"""May this use happen? A total, three-valued evaluation with a report of everything it looked at.

A constraint is satisfied, unsatisfied or unknown. Unknown denies a permission and triggers a
prohibition. A prohibition that holds beats every permission; with no permission the answer is no. The
decision relies on the first permission that holds, in the policy's order, and charges its counters only.

A policy is compiled once to a `Plan`: its comparisons in one row, its rules as functions of the row of
their verdicts. A decision keeps the facts it compared and their verdicts; the report is written from them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from entrepot.policy.model import (
    EVERY_USE,
    NOT_USE,
    Atom,
    Constraint,
    Duty,
    Fact,
    Facts,
    Junction,
    OperandType,
    Operator,
    Policy,
    Rate,
    Rule,
    Source,
    Value,
    Window,
)
from entrepot.policy.region import short_region, wider_regions
from entrepot.values import UtcTime, render_time


class Verdict(StrEnum):
    SATISFIED = "satisfied"
    UNSATISFIED = "unsatisfied"
    UNKNOWN = "unknown"


_SAT: Final = Verdict.SATISFIED
_UNSAT: Final = Verdict.UNSATISFIED
_UNKNOWN: Final = Verdict.UNKNOWN
_NO_OFFSET: Final = timedelta(0)

_Verdicts: TypeAlias = tuple[Verdict, ...]
# A tuple: it is searched by identity, a set would call the hash of the enum, which is ten times slower.
_Sources: TypeAlias = tuple[Source, ...]
_Found: TypeAlias = tuple[Fact | None, ...]
_Test: TypeAlias = Callable[[Fact | None], Verdict]
_Fold: TypeAlias = Callable[[_Verdicts], Verdict]


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
    """One line of a report: a comparison, a group or a rule, with what it came to.

    A group names its junction as operator, a rule its action as operand and `covers` as operator.
    """

    path: str
    operand: str
    operator: str
    expected: str
    found: str
    source: str
    verdict: str

    @property
    def asked(self) -> str:
        return " ".join(word for word in (self.operand, self.operator, self.expected) if word)


class Outcome(StrEnum):
    PERMIT = "permit"
    CONDITIONAL = "conditional"
    DENY = "deny"


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What was decided, with all that is needed to say why.

    `found` and `verdicts` are what was compared, one for each comparison of the plan; `report` writes
    them out. **The report holds what the caller claimed;** `reasons` does not repeat it.
    """

    outcome: Outcome
    plan: "Plan"
    found: _Found
    verdicts: _Verdicts
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
        return self.plan.report(self.found, self.verdicts)

    def reasons(self) -> tuple[str, ...]:
        """Why not, to be read by a person; empty for a permit."""
        if self.outcome is Outcome.PERMIT:
            return ()
        if self.outcome is Outcome.CONDITIONAL:
            return tuple(f"do first: {d.action}" for d in self.due)
        return self.plan.refusals(self.found, self.verdicts)


class _Node(msgspec.Struct, frozen=True):
    """A rule, group or comparison where it stands in the policy, and how its verdict is found."""

    path: str
    operand: str
    operator: str
    expected: str
    verdict: _Fold
    source: str = ""
    at: int = -1
    """A comparison's place in the row."""

    def line(self, found: _Found, verdicts: _Verdicts) -> Line:
        seen, source = "", ""
        if self.at >= 0:
            fact = found[self.at]
            seen, source = ("nothing", self.source) if fact is None else (_seen(fact), str(fact.source))
        verdict = str(self.verdict(verdicts))
        return Line(self.path, self.operand, self.operator, self.expected, seen, source, verdict)


class Plan:
    """A policy made ready to be asked often about one action."""

    def __init__(self, policy: Policy, action: str) -> None:
        self.policy = policy
        self.action = action
        self.charges = tuple(_charges(i, r) for i, r in enumerate(policy.permissions))
        self._nodes: list[_Node] = []
        self._names: list[str] = []
        self._tests: list[_Test] = []
        covering = {action} if action in NOT_USE else {"use", action}
        # Whoever forbids what every use does forbids the use; distributing, say, is not part of every use.
        forbidding = EVERY_USE if action == "use" else covering
        self._permissions = tuple(self._rules(policy.permissions, "permission", covering))
        self._prohibitions = tuple(self._rules(policy.prohibitions, "prohibition", forbidding))

    def decide(self, facts: Facts, done: frozenset[str] = frozenset()) -> Decision:
        """Decide for these facts; `done` names the duties that were done already."""
        found = tuple([facts.get(name) for name in self._names])
        verdicts = tuple([test(fact) for test, fact in zip(self._tests, found, strict=True)])
        for _, holds in self._prohibitions:
            if holds(verdicts) is not _UNSAT:
                return Decision(Outcome.DENY, self, found, verdicts, -1)
        for index, holds in self._permissions:
            if holds(verdicts) is _SAT:
                duties = self.policy.permissions[index].duties + self.policy.obligations
                due = tuple([d for d in duties if d.action not in done]) if duties else ()
                outcome = Outcome.CONDITIONAL if due else Outcome.PERMIT
                return Decision(outcome, self, found, verdicts, index, due)
        return Decision(Outcome.DENY, self, found, verdicts, -1)

    def report(self, found: _Found, verdicts: _Verdicts) -> tuple[Line, ...]:
        """Every rule, group and comparison in the policy's order, with what it came to."""
        return tuple([node.line(found, verdicts) for node in self._nodes])

    def is_settled(self, verdicts: _Verdicts) -> bool:
        """Say whether a denial must stay one whatever becomes known: no verdict but unknown can change."""
        return any(holds(verdicts) is _SAT for _, holds in self._prohibitions) or all(
            holds(verdicts) is _UNSAT for _, holds in self._permissions
        )

    def refusals(self, found: _Found, verdicts: _Verdicts) -> tuple[str, ...]:
        """Why these verdicts give a denial. What the caller claimed is not repeated: it may be personal."""
        for i, holds in self._prohibitions:
            verdict = holds(verdicts)
            if verdict is not _UNSAT:
                how = "applies" if verdict is _SAT else "may apply: a fact is missing"
                return (f"prohibition[{i}] {how}",)
        if not self._permissions:
            return ("no permission covers this action",)
        return tuple(
            f"{node.path}: asked {line.asked}, found {_repeatable(line)}"
            for node in self._nodes
            if node.at >= 0 and node.path.startswith("permission") and node.verdict(verdicts) is not _SAT
            for line in [node.line(found, verdicts)]
        )

    def _rules(
        self, rules: Sequence[Rule], name: str, covering: frozenset[str] | set[str]
    ) -> list[tuple[int, _Fold]]:
        """Compile the rules that cover the action; the others are named in the report, and do not hold."""
        compiled = []
        for index, rule in enumerate(rules):
            path = f"{name}[{index}]"
            at = len(self._nodes)
            if rule.action in covering:
                fold = self._fold(rule.constraints, index, f"{path}.constraint", Junction.AND)
                compiled.append((index, fold))
            else:
                fold = _never
            self._nodes.insert(at, _Node(path, rule.action, "covers", self.action, fold))
        return compiled

    def _fold(self, constraints: Sequence[Constraint], rule: int, path: str, junction: Junction) -> _Fold:
        """Compile what stands under one junction; give how its verdict follows from the row."""
        folds: list[_Fold] = []
        start = len(self._names)
        for i, constraint in enumerate(constraints):
            here = f"{path}[{i}]"
            at = len(self._nodes)
            if isinstance(constraint, Atom):
                place = len(self._names)
                self._names.append(fact_name(constraint, rule))
                self._tests.append(_test(constraint))
                folds.append(_pick(place))
                self._nodes.append(_comparison(here, constraint, folds[-1], place))
            else:
                deeper = f"{here}.{constraint.junction}"
                folds.append(self._fold(constraint.members, rule, deeper, constraint.junction))
                self._nodes.insert(at, _Node(here, "", str(constraint.junction), "", folds[-1]))
        join = _JOIN[junction]
        if all(isinstance(c, Atom) for c in constraints):
            return _join_span(join, start, len(self._names))
        return lambda verdicts: join(tuple([f(verdicts) for f in folds]))


def compile_policy(policy: Policy, action: str = "use") -> Plan:
    """Make a policy ready for many decisions about one action."""
    return Plan(policy, action)


def decide(policy: Policy, facts: Facts, action: str = "use", done: frozenset[str] = frozenset()) -> Decision:
    """Decide once. Where a policy is asked often, keep its `Plan`."""
    return Plan(policy, action).decide(facts, done)


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


def show_value(value: Value) -> str:
    """A value as a person reads it."""
    match value:
        case frozenset():
            return "[" + ", ".join(sorted(value)) + "]"
        case Window(opens, closes, offset):
            hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
            sign = "-" if offset < _NO_OFFSET else "+"
            return f"{opens:%H:%M}-{closes:%H:%M} UTC{sign}{hours:02}:{minutes:02}"
        case Rate(uses, period):
            return f"{uses}/{period}"
        case datetime():
            return render_time(value)
        case _:
            return str(value)


# How verdicts become one.


def _never(_verdicts: _Verdicts) -> Verdict:
    return _UNSAT


def _pick(place: int) -> _Fold:
    return lambda verdicts: verdicts[place]


def _join_span(join: _Fold, start: int, end: int) -> _Fold:
    return lambda verdicts: join(verdicts[start:end])


def _and(verdicts: _Verdicts) -> Verdict:
    if _UNSAT in verdicts:
        return _UNSAT
    return _UNKNOWN if _UNKNOWN in verdicts else _SAT


def _or(verdicts: _Verdicts) -> Verdict:
    if _SAT in verdicts:
        return _SAT
    return _UNKNOWN if _UNKNOWN in verdicts else _UNSAT


def _xone(verdicts: _Verdicts) -> Verdict:
    satisfied = verdicts.count(_SAT)
    if satisfied > 1:
        return _UNSAT
    if _UNKNOWN in verdicts:
        return _UNKNOWN
    return _SAT if satisfied == 1 else _UNSAT


_JOIN: Final[Mapping[Junction, _Fold]] = {Junction.AND: _and, Junction.OR: _or, Junction.XONE: _xone}


# How a fact is compared. A fact of the wrong type or from the wrong source is as good as none.

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


def _test(atom: Atom) -> _Test:
    value = atom.value
    sources = tuple(atom.operand.sources)
    match atom.operand.type:
        case OperandType.TERM | OperandType.PARTY | OperandType.KIND:
            return _text_test(_COMPARE[atom.operator], value, sources)
        case OperandType.TIME:
            return _time_test(_COMPARE[atom.operator], value, sources)
        case OperandType.WINDOW if isinstance(value, Window):
            return _time_test(lambda found, window: window.has(found), value, sources)
        case OperandType.USES if isinstance(value, int):
            return _count_test(value, sources)
        case OperandType.RATE if isinstance(value, Rate):
            return _count_test(value.uses, sources)
        case OperandType.REGION if isinstance(value, str | frozenset):
            return _region_test(atom.operator, value, sources)
        case _:
            raise ValueError(f"{atom.operand.name} is not compared with {value!r}")


def _text_test(compare: Callable[..., bool], asked: Value, sources: _Sources) -> _Test:
    def test(fact: Fact | None) -> Verdict:
        if fact is None or fact.source not in sources or not isinstance(fact.value, str):
            return _UNKNOWN
        return _SAT if compare(fact.value, asked) else _UNSAT

    return test


def _time_test(compare: Callable[..., bool], asked: Value, sources: _Sources) -> _Test:
    def test(fact: Fact | None) -> Verdict:
        if fact is None or fact.source not in sources or not _is_utc(fact.value):
            return _UNKNOWN
        return _SAT if compare(fact.value, asked) else _UNSAT

    return test


def _count_test(most: int, sources: _Sources) -> _Test:
    def test(fact: Fact | None) -> Verdict:
        # `type is int`, since True would be a count of one.
        if fact is None or fact.source not in sources or type(fact.value) is not int or fact.value < 0:
            return _UNKNOWN
        return _SAT if fact.value <= most else _UNSAT

    return test


def _region_test(operator: Operator, asked: str | frozenset[str], sources: _Sources) -> _Test:
    """A region is equal to whatever holds it; a fact too coarse to tell leaves it unknown."""
    wanted = tuple(short_region(r) or r for r in ({asked} if isinstance(asked, str) else asked))
    too_coarse = wider_regions(wanted)
    inside, outside = (_UNSAT, _SAT) if operator in {Operator.NEQ, Operator.IS_NONE_OF} else (_SAT, _UNSAT)

    def test(fact: Fact | None) -> Verdict:
        if fact is None or fact.source not in sources or not isinstance(fact.value, str):
            return _UNKNOWN
        found = short_region(fact.value)
        if found is None:
            return _UNKNOWN
        if found.startswith(wanted):
            return inside
        return _UNKNOWN if found in too_coarse else outside

    return test


def _is_utc(value: str | int | UtcTime) -> bool:
    return isinstance(value, datetime) and (value.tzinfo is UTC or value.utcoffset() == _NO_OFFSET)


def _comparison(path: str, atom: Atom, verdict: _Fold, at: int) -> _Node:
    asked = (atom.operand.name, str(atom.operator), show_value(atom.value))
    return _Node(path, *asked, verdict, str(atom.operand.source), at)


def _seen(fact: Fact) -> str:
    if isinstance(fact.value, str):
        return str(fact.value)
    if isinstance(fact.value, datetime) and not _is_utc(fact.value):
        return "a time that is not UTC"
    return show_value(fact.value)


def _repeatable(line: Line) -> str:
    return "something else" if line.source == Source.CLAIMED and line.found != "nothing" else line.found


def _charges(index: int, rule: Rule) -> tuple[Charge, ...]:
    """The counters that a permission has, wherever in its constraints their limits stand."""
    limits: dict[CounterKind, int] = {}

    def walk(constraints: Sequence[Constraint]) -> None:
        for constraint in constraints:
            match constraint:
                case Atom(_, _, Rate(uses, period)):
                    kind = CounterKind(str(period))
                    limits[kind] = min(uses, limits.get(kind, uses))
                case Atom(operand, _, int() as uses) if operand.type is OperandType.USES:
                    limits[CounterKind.TOTAL] = min(uses, limits.get(CounterKind.TOTAL, uses))
                case Atom():
                    pass
                case group:
                    walk(group.members)

    walk(rule.constraints)
    return tuple(Charge(index, kind, limit) for kind, limit in sorted(limits.items()))
