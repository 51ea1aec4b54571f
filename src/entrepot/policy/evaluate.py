"""May this use happen? A total, three-valued evaluation with a report of everything it looked at.

A constraint is satisfied, unsatisfied or unknown. Unknown denies a permission and triggers a
prohibition. A prohibition that holds beats every permission; with no permission the answer is no. The
decision relies on the first permission that holds, in the policy's order, and charges its counters only.

A policy is compiled once to a `Plan`: its comparisons in one row, its rules as functions of the row of
their verdicts. A decision keeps the facts it compared and their verdicts; the report is written from them.
How a comparison is made is in `compare.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias

import msgspec

from entrepot.policy.charges import Charge, charged, charges_of, fact_name
from entrepot.policy.compare import JOIN, Fold, Test, Verdict, Verdicts, is_utc, test_of
from entrepot.policy.duties import duty_fact, duty_name, owed, treatments
from entrepot.policy.literals import show_value
from entrepot.policy.model import (
    Atom,
    Constraint,
    Duty,
    Fact,
    Facts,
    Junction,
    Moment,
    Operator,
    Period,
    Policy,
    Rate,
    Rule,
    Source,
)
from entrepot.policy.reasons import say_refusal
from entrepot.policy.refusal import NOT_UTC, NOTHING, OTHERWISE, Outcome, Reason, Refusal
from entrepot.policy.vocabulary import ACTIONS, NOT_USE, OPERANDS
from entrepot.values import KindOfUse, UtcTime

_SAT: Final = Verdict.SATISFIED
_UNSAT: Final = Verdict.UNSATISFIED

_Found: TypeAlias = tuple[Fact | None, ...]
_Placed: TypeAlias = tuple[str, Constraint]
"""A constraint, and where it stands."""


class Line(msgspec.Struct, frozen=True, array_like=True):
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


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What was decided, with all that is needed to say why.

    `found` and `verdicts` are what was compared, one for each comparison of the plan; `report` writes
    them out. **The report holds what the caller claimed;** `reasons` does not repeat it.
    """

    outcome: Outcome
    plan: "Plan"
    found: _Found
    verdicts: Verdicts
    relied_on: int
    """Index of the permission relied on, -1 where there is none."""
    due: tuple[Duty, ...] = ()
    """Duties to be done first, then ask again."""
    charges: tuple[Charge, ...] = ()
    """What this use takes from which counters; nothing where it is not permitted."""

    @property
    def permitted(self) -> bool:
        return self.outcome is Outcome.PERMIT

    def report(self) -> tuple[Line, ...]:
        return self.plan.report(self.found, self.verdicts)

    def refusals(self) -> tuple[Refusal, ...]:
        """Why not; empty for a permit."""
        if self.outcome is Outcome.PERMIT:
            return ()
        if self.outcome is Outcome.CONDITIONAL:
            return tuple(Refusal(Reason.OWED_FIRST, about=duty_name(d)) for d in self.due)
        return self.plan.refusals(self.found, self.verdicts)

    def reasons(self) -> tuple[str, ...]:
        """Why not, as it goes out and is kept: in English, which `read_refusal` reads back."""
        return tuple(say_refusal(refusal, "en") for refusal in self.refusals())

    def again(self, now: UtcTime) -> int | None:
        """In how many seconds to ask again, where a denial is one of rates and of nothing else."""
        periods = self.plan.rates_against(self.verdicts) if self.outcome is Outcome.DENY else ()
        at = int(now.timestamp())
        return max((p.seconds - at % p.seconds for p in periods), default=None)


class _Node(msgspec.Struct, frozen=True):
    """A rule, group or comparison where it stands in the policy, and how its verdict is found."""

    path: str
    operand: str
    operator: str
    expected: str
    verdict: Fold
    source: str = ""
    at: int = -1
    """A comparison's place in the row."""

    def line(self, found: _Found, verdicts: Verdicts) -> Line:
        seen, source = "", ""
        if self.at >= 0:
            fact = found[self.at]
            seen, source = (NOTHING, self.source) if fact is None else (_seen(fact), str(fact.source))
        verdict = str(self.verdict(verdicts))
        return Line(self.path, self.operand, self.operator, self.expected, seen, source, verdict)


class Plan:
    """A policy made ready to be asked often about one action."""

    def __init__(self, policy: Policy, action: str) -> None:
        self.policy = policy
        self.action = action
        self.charges = tuple(charges_of(i, r) for i, r in enumerate(policy.permissions))
        self._nodes: list[_Node] = []
        self.asked: list[tuple[str, Atom]] = []
        """Each comparison of the row, with the name of its fact."""
        self._names: list[str] = []
        self._tests: list[Test] = []
        self._permissions = tuple(self._rules(policy.permissions, "permission"))
        self._prohibitions = tuple(self._rules(policy.prohibitions, "prohibition"))
        self._first = tuple(
            tuple((duty_fact(d), d) for d in owed(policy, i, Moment.BEFORE))
            for i in range(len(policy.permissions))
        )
        self.names = frozenset(self._names) | {name for first in self._first for name, _ in first}
        """The facts that a decision may look at."""
        self._vary = tuple(any(c.counter.is_budget for c in charges) for charges in self.charges)

    def decide(self, facts: Facts) -> Decision:
        """Decide for these facts, the duties that were done already among them."""
        found = tuple([facts.get(name) for name in self._names])
        verdicts = tuple([test(fact) for test, fact in zip(self._tests, found, strict=True)])
        for _, holds in self._prohibitions:
            if holds(verdicts) is not _UNSAT:
                return Decision(Outcome.DENY, self, found, verdicts, -1)
        for index, holds in self._permissions:
            if holds(verdicts) is _SAT:
                first = self._first[index]
                due = tuple([d for name, d in first if not _is_done(facts.get(name))]) if first else ()
                if due:
                    return Decision(Outcome.CONDITIONAL, self, found, verdicts, index, due)
                charges = self.charges[index]
                if self._vary[index]:
                    charges = charged(charges, facts)
                return Decision(Outcome.PERMIT, self, found, verdicts, index, (), charges)
        return Decision(Outcome.DENY, self, found, verdicts, -1)

    def report(self, found: _Found, verdicts: Verdicts) -> tuple[Line, ...]:
        """Every rule, group and comparison in the policy's order, with what it came to."""
        return tuple([node.line(found, verdicts) for node in self._nodes])

    def is_settled(self, verdicts: Verdicts) -> bool:
        """Say whether a denial must stay one whatever becomes known: no verdict but unknown can change."""
        return any(holds(verdicts) is _SAT for _, holds in self._prohibitions) or all(
            holds(verdicts) is _UNSAT for _, holds in self._permissions
        )

    def rates_against(self, verdicts: Verdicts) -> tuple[Period, ...]:
        """The periods that are used up of the first permission that would hold in new ones."""
        spent = {
            place: (name, atom.value.period)
            for place, (name, atom) in enumerate(self.asked)
            if isinstance(atom.value, Rate) and verdicts[place] is _UNSAT
        }
        anew = tuple(_SAT if place in spent else verdict for place, verdict in enumerate(verdicts))
        if all(holds(anew) is _UNSAT for _, holds in self._prohibitions):
            for index, holds in self._permissions:
                if holds(anew) is _SAT:
                    return tuple(period for name, period in spent.values() if name.endswith(f"[{index}]"))
        return ()

    def refusals(self, found: _Found, verdicts: Verdicts) -> tuple[Refusal, ...]:
        """Why these verdicts give a denial. What the caller claimed is not repeated: it may be personal."""
        for i, holds in self._prohibitions:
            verdict = holds(verdicts)
            if verdict is not _UNSAT:
                reason = Reason.FORBIDDEN if verdict is _SAT else Reason.MAYBE_FORBIDDEN
                return (Refusal(reason, f"prohibition[{i}]"),)
        if not self._permissions:
            return (Refusal(Reason.UNCOVERED),)
        return tuple(
            _refusal(node.line(found, verdicts))
            for node in self._nodes
            if (node.at >= 0 or node.operator == Junction.XONE)
            and node.path.startswith("permission")
            and node.verdict(verdicts) is not _SAT
        )

    def _rules(self, rules: Sequence[Rule], name: str) -> list[tuple[int, Fold]]:
        """Compile the rules that cover the action; the others are named in the report, and do not hold."""
        compiled = []
        for index, rule in enumerate(rules):
            path = f"{name}[{index}]"
            at = len(self._nodes)
            fold: Fold = _never
            if (implied := implied_by(rule, self.policy, self.action, name)) is not None:
                placed = [(f"{path}.constraint[{i}]", c) for i, c in enumerate(rule.constraints)]
                placed += [(f"{path}.implied[{i}]", c) for i, c in enumerate(implied)]
                fold = self._fold(placed, index, Junction.AND)
                compiled.append((index, fold))
            self._nodes.insert(at, _Node(path, rule.action, "covers", self.action, fold))
        return compiled

    def _fold(self, placed: Sequence[_Placed], rule: int, junction: Junction) -> Fold:
        """Compile what stands under one junction; give how its verdict follows from the row."""
        folds: list[Fold] = []
        start = len(self._names)
        for path, constraint in placed:
            at = len(self._nodes)
            if isinstance(constraint, Atom):
                place = len(self._names)
                self._names.append(fact_name(constraint, rule))
                self.asked.append((self._names[-1], constraint))
                self._tests.append(test_of(constraint))
                folds.append(_pick(place))
                self._nodes.append(_comparison(path, constraint, folds[-1], place))
            else:
                inner = constraint.junction
                below = [(f"{path}.{inner}[{i}]", c) for i, c in enumerate(constraint.members)]
                folds.append(self._fold(below, rule, inner))
                self._nodes.insert(at, _Node(path, "", str(inner), "", folds[-1]))
        join = JOIN[junction]
        if all(isinstance(c, Atom) for _, c in placed):
            return _join_span(join, start, len(self._names))
        return lambda verdicts: join(tuple([f(verdicts) for f in folds]))


def compile_policy(policy: Policy, action: str = "use") -> Plan:
    """Make a policy ready for many decisions about one action."""
    return Plan(policy, action)


def decide(policy: Policy, facts: Facts, action: str = "use") -> Decision:
    """Decide once. Where a policy is asked often, keep its `Plan`."""
    return Plan(policy, action).decide(facts)


def implied_by(rule: Rule, policy: Policy, action: str, name: str) -> tuple[Atom, ...] | None:
    """What a rule asks beside its constraints when it is about an action; None where it is not about it.

    A rule about what only some kinds of use do (`download`, `compute`) is a rule about those kinds; a duty
    alongside a use is something that the door must be seen to do.
    """
    forbids = name == "prohibition"
    beside = () if forbids else treatments((*rule.duties, *policy.obligations))
    if rule.action == action or (rule.action == "use" and action not in NOT_USE):
        return beside
    known = ACTIONS[rule.action]
    kinds = known.part_of if forbids else known.permits
    if action != "use" or not kinds:
        return None
    if len(kinds) == len(KindOfUse):
        return beside
    return (Atom(OPERANDS["kind"], Operator.IS_ANY_OF, frozenset(map(str, kinds))), *beside)


def _is_done(fact: Fact | None) -> bool:
    """Whether a duty was done: somebody of ours wrote down when."""
    return fact is not None and fact.source is Source.OBSERVED and is_utc(fact.value)


def _never(_verdicts: Verdicts) -> Verdict:
    return _UNSAT


def _pick(place: int) -> Fold:
    return lambda verdicts: verdicts[place]


def _join_span(join: Fold, start: int, end: int) -> Fold:
    return lambda verdicts: join(verdicts[start:end])


def _comparison(path: str, atom: Atom, verdict: Fold, at: int) -> _Node:
    asked = (atom.operand.name, str(atom.operator), show_value(atom.value))
    return _Node(path, *asked, verdict, str(atom.operand.source), at)


def _seen(fact: Fact) -> str:
    return NOT_UTC if isinstance(fact.value, datetime) and not is_utc(fact.value) else show_value(fact.value)


def _refusal(line: Line) -> Refusal:
    if not line.operand:
        return Refusal(Reason.NOT_ONE, line.path)
    is_repeatable = line.source != Source.CLAIMED or line.found == NOTHING
    return Refusal(Reason.UNMET, line.path, line.asked, line.found if is_repeatable else OTHERWISE)
