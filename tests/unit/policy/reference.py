"""A second interpreter of policies: recursive, from the definitions, with nothing prepared.

It shares the model with the product and no line of its evaluation. Slow and plain on purpose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from entrepot.policy import Atom, Duty, Fact, Group, Junction, OperandType, Operator, Policy, Rate, Rule

SATISFIED, UNSATISFIED, UNKNOWN = "satisfied", "unsatisfied", "unknown"

Line = tuple[str, str, str]
"""Path, what was found, verdict."""


@dataclass(frozen=True)
class Judgement:
    outcome: str
    relied_on: int
    due: tuple[Duty, ...]
    report: tuple[Line, ...]


def judge(
    policy: Policy, facts: Mapping[str, Fact], action: str = "use", done: frozenset[str] = frozenset()
) -> Judgement:
    """Walk the whole policy, then say what follows from it."""
    report: list[Line] = []
    held: list[str] = []
    for i, rule in enumerate(policy.permissions):
        covers = rule.action == action or (rule.action == "use" and action != "sell")
        held.append(_rule(rule, i, f"permission[{i}]", facts, report, covers=covers))
    taken = False
    for i, rule in enumerate(policy.prohibitions):
        covers = rule.action == action or (rule.action == "use" and action != "sell")
        covers = covers or (action == "use" and rule.action == "read")
        verdict = _rule(rule, i, f"prohibition[{i}]", facts, report, covers=covers)
        taken = taken or verdict != UNSATISFIED
    if taken or SATISFIED not in held:
        return Judgement("deny", -1, (), tuple(report))
    first = held.index(SATISFIED)
    due = tuple(d for d in policy.permissions[first].duties + policy.obligations if d.action not in done)
    return Judgement("conditional" if due else "permit", first, due, tuple(report))


def _rule(
    rule: Rule, index: int, path: str, facts: Mapping[str, Fact], report: list[Line], *, covers: bool
) -> str:
    if not covers:
        report.append((path, "", UNSATISFIED))
        return UNSATISFIED
    place = len(report)
    verdicts = [
        constraint_verdict(c, index, f"{path}.constraint[{i}]", facts, report)
        for i, c in enumerate(rule.constraints)
    ]
    verdict = junction_verdict("and", verdicts)
    report.insert(place, (path, "", verdict))
    return verdict


def constraint_verdict(
    constraint: Atom | Group, rule: int, path: str, facts: Mapping[str, Fact], report: list[Line]
) -> str:
    if isinstance(constraint, Atom):
        fact = facts.get(fact_name(constraint, rule))
        verdict = UNKNOWN if fact is None else atom_verdict(constraint, fact)
        report.append((path, "nothing" if fact is None else str(fact.value), verdict))
        return verdict
    place = len(report)
    verdicts = [
        constraint_verdict(member, rule, f"{path}.{constraint.junction}[{i}]", facts, report)
        for i, member in enumerate(constraint.members)
    ]
    verdict = junction_verdict(constraint.junction, verdicts)
    report.insert(place, (path, "", verdict))
    return verdict


def junction_verdict(junction: str, verdicts: Sequence[str]) -> str:
    """Try both values for every unknown one: what all of them agree on is known."""
    outcomes: set[bool] = set()
    unknowns = verdicts.count(UNKNOWN)
    true = verdicts.count(SATISFIED)
    for extra in range(unknowns + 1):
        holds = true + extra
        if junction == Junction.AND:
            outcomes.add(holds == len(verdicts))
        elif junction == Junction.OR:
            outcomes.add(holds > 0)
        else:
            outcomes.add(holds == 1)
    if len(outcomes) == 2:
        return UNKNOWN
    return SATISFIED if outcomes == {True} else UNSATISFIED


def fact_name(atom: Atom, rule: int) -> str:
    if isinstance(atom.value, Rate):
        return f"rate:{atom.value.period}[{rule}]"
    return f"count[{rule}]" if atom.operand.type is OperandType.USES else atom.operand.name


def atom_verdict(atom: Atom, fact: Fact) -> str:
    if fact.source != atom.operand.source and fact.source not in atom.operand.or_else:
        return UNKNOWN
    holds = _holds(atom, fact.value)
    return UNKNOWN if holds is None else SATISFIED if holds else UNSATISFIED


def _holds(atom: Atom, found: Any) -> bool | None:  # noqa: PLR0911  # one answer a type of operand
    asked: Any = atom.value
    match atom.operand.type:
        case OperandType.TIME:
            return _compare(atom.operator, found, asked) if _is_utc(found) else None
        case OperandType.WINDOW:
            if not _is_utc(found):
                return None
            some_day = found.replace(year=2000, month=6, day=15)  # no calendar ends on it
            local = some_day.astimezone(timezone(asked.offset)).time()
            late, early = local >= asked.opens, local < asked.closes
            return bool(late or early) if asked.opens > asked.closes else bool(late and early)
        case OperandType.USES | OperandType.RATE:
            if isinstance(found, bool) or not isinstance(found, int) or found < 0:
                return None
            return bool(found <= (asked.uses if isinstance(asked, Rate) else asked))
        case OperandType.REGION:
            return _region(atom.operator, found, asked) if isinstance(found, str) else None
        case _:
            return _compare(atom.operator, found, asked) if isinstance(found, str) else None


def _is_utc(found: Any) -> bool:
    return isinstance(found, datetime) and found.tzinfo is not None and found.utcoffset() == timedelta(0)


def _compare(operator: Operator, found: Any, asked: Any) -> bool:
    answers = {
        Operator.IS_ANY_OF: lambda: any(found == one for one in asked),
        Operator.IS_NONE_OF: lambda: all(found != one for one in asked),
        Operator.EQ: lambda: found == asked,
        Operator.NEQ: lambda: found != asked,
        Operator.LT: lambda: found < asked,
        Operator.LTEQ: lambda: found <= asked,
        Operator.GT: lambda: found > asked,
        Operator.GTEQ: lambda: found >= asked,
    }
    return bool(answers[operator]())


def _region(operator: Operator, found: str, asked: Any) -> bool | None:
    """A region as a set of six-digit codes: within, apart, or (a little of both) nobody can say."""
    place = codes_of(found)
    if place is None:
        return None
    areas = [codes_of(a) for a in ([asked] if isinstance(asked, str) else sorted(asked))]
    assert None not in areas
    within = any(area is not None and area.start <= place.start and place.stop <= area.stop for area in areas)
    touches = any(area is not None and area.start < place.stop and place.start < area.stop for area in areas)
    inside = True if within else None if touches else False
    if operator in {Operator.NEQ, Operator.IS_NONE_OF}:
        return None if inside is None else not inside
    return inside


def codes_of(region: str) -> range | None:
    """All six-digit codes of a region; pairs of zeros at the end say "all of it"."""
    digits = region.isascii() and region.isdecimal()
    if not digits or len(region) not in {2, 4, 6} or not "1" <= region[0] <= "8":
        return None
    whole = region.ljust(6, "0")
    if whole[2:4] == "00":
        return range(int(whole), int(whole) + 10_000) if whole[4:] == "00" else None
    return range(int(whole), int(whole) + (100 if whole[4:] == "00" else 1))
