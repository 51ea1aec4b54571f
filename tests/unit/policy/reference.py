"""A second interpreter of policies: recursive, from the definitions, with nothing prepared.

It shares the model with the product and no line of its evaluation. Slow and plain on purpose.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from entrepot.policy import (
    OPERANDS,
    Atom,
    Duty,
    Fact,
    Group,
    Junction,
    OperandType,
    Operator,
    Policy,
    Rate,
    Rule,
)
from entrepot.values import Money

SATISFIED, UNSATISFIED, UNKNOWN = "satisfied", "unsatisfied", "unknown"

Line = tuple[str, str, str]
"""Path, what was found, verdict."""


@dataclass(frozen=True)
class Judgement:
    outcome: str
    relied_on: int
    due: tuple[Duty, ...]
    report: tuple[Line, ...]


def judge(policy: Policy, facts: Mapping[str, Fact], action: str = "use") -> Judgement:
    """Walk the whole policy, then say what follows from it."""
    report: list[Line] = []
    held: list[str] = []
    for i, rule in enumerate(policy.permissions):
        duties = [*rule.duties, *policy.obligations]
        beside = _about(rule.action, action, LETS_IN)
        if beside is not None:
            done = {d.action for d in duties if d.moment == "alongside"}
            done -= {"inform", "logRecordSend", "alert"}
            beside += [Atom(OPERANDS["treatment"], Operator.HAS_PART, d) for d in sorted(done)]
        held.append(_rule(rule, i, f"permission[{i}]", facts, report, beside))
    taken = False
    for i, rule in enumerate(policy.prohibitions):
        beside = _about(rule.action, action, SHUTS_OUT)
        verdict = _rule(rule, i, f"prohibition[{i}]", facts, report, beside)
        taken = taken or verdict != UNSATISFIED
    if taken or SATISFIED not in held:
        return Judgement("deny", -1, (), tuple(report))
    first = held.index(SATISFIED)
    due: list[Duty] = []
    for duty in [*policy.permissions[first].duties, *policy.obligations]:
        if duty.moment == "before" and duty not in due and not _was_done(duty, facts):
            due.append(duty)
    return Judgement("conditional" if due else "permit", first, tuple(due), tuple(report))


EVERY = {"api", "delivery", "query", "job", "joint"}
IN_PLACE = {"query", "job", "joint"}
LETS_IN = {"access": {"api"}, "delivery": {"delivery"}, "compute": IN_PLACE}
SHUTS_OUT = {
    "access": EVERY, "read": EVERY, "delivery": {"api", "delivery"}, "reproduce": {"delivery"},
    "storage": {"delivery"}, "download": {"delivery"}, "compute": IN_PLACE,
}  # fmt: skip


def _about(action: str, asked: str, kinds_of: Mapping[str, set[str]]) -> list[Atom] | None:
    """What else must hold for a rule about one action to speak of the action that is asked about."""
    if action == asked or (action == "use" and asked != "sell"):
        return []
    if asked != "use" or action not in kinds_of:
        return None
    kinds = kinds_of[action]
    return [] if kinds == EVERY else [Atom(OPERANDS["kind"], Operator.IS_ANY_OF, frozenset(kinds))]


def _was_done(duty: Duty, facts: Mapping[str, Fact]) -> bool:
    name = duty.action
    if duty.amount is not None:
        digits = {"JPY": 0, "KWD": 3}.get(duty.amount.currency, 2)
        name += f" {duty.amount.minor / 10**digits:.{digits}f} {duty.amount.currency}"
    fact = facts.get(f"duty:{name}")
    return fact is not None and fact.source == "observed" and _is_utc(fact.value)


def _rule(
    rule: Rule,
    index: int,
    path: str,
    facts: Mapping[str, Fact],
    report: list[Line],
    beside: Sequence[Atom] | None,
) -> str:
    if beside is None:
        report.append((path, "", UNSATISFIED))
        return UNSATISFIED
    place = len(report)
    verdicts = [
        constraint_verdict(c, index, f"{path}.constraint[{i}]", facts, report)
        for i, c in enumerate(rule.constraints)
    ]
    verdicts += [
        constraint_verdict(a, index, f"{path}.implied[{i}]", facts, report) for i, a in enumerate(beside)
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
    if isinstance(atom.value, Money):
        return f"payAmount:{atom.value.currency}"
    return f"{atom.operand.name}[{rule}]" if atom.operand.type in {"uses", "budget"} else atom.operand.name


def atom_verdict(atom: Atom, fact: Fact) -> str:
    if fact.source != atom.operand.source and fact.source not in atom.operand.or_else:
        return UNKNOWN
    holds = _holds(atom, fact.value)
    return UNKNOWN if holds is None else SATISFIED if holds else UNSATISFIED


def _holds(atom: Atom, found: Any) -> bool | None:  # noqa: C901, PLR0911  # one answer a type of operand
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
        case (
            OperandType.USES | OperandType.RATE | OperandType.BUDGET | OperandType.NUMBER | OperandType.MONEY
        ):
            if isinstance(found, bool) or not isinstance(found, int) or found < 0:
                return None
            asked = asked.uses if isinstance(asked, Rate) else asked
            asked = asked.minor if isinstance(asked, Money) else asked
            return found >= asked if atom.operator is Operator.GTEQ else found <= asked
        case OperandType.DURATION:
            return _compare(atom.operator, found, asked) if isinstance(found, timedelta) else None
        case OperandType.NAMES:
            return _names(atom.operator, found, asked) if isinstance(found, frozenset) else None
        case OperandType.FILTER:
            return all(c.text in found for c in asked.comparisons) if isinstance(found, frozenset) else None
        case OperandType.NETWORK:
            return _network(atom.operator, found, asked) if isinstance(found, str) else None
        case OperandType.TERM if atom.operator is Operator.IS_A:
            return _narrower(found, asked) if isinstance(found, str) else None
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


def _names(operator: Operator, found: frozenset[str], asked: Any) -> bool:
    listed = [asked] if isinstance(asked, str) else [*asked]
    match operator:
        case Operator.IS_PART_OF:
            return all(name in listed for name in found)
        case Operator.IS_ANY_OF:
            return any(name in listed for name in found)
        case Operator.IS_NONE_OF:
            return not any(name in listed for name in found)
        case _:
            return all(name in found for name in listed)


def _narrower(found: str, asked: str) -> bool | None:
    """A narrower term has all the parts of the wider one, and more."""
    parts = [re.split("[:/#]", term) for term in (found, asked)]
    marks = [re.findall("[:/#]", term) for term in (found, asked)]
    shorter = min(len(parts[0]), len(parts[1]))
    if parts[0][:shorter] != parts[1][:shorter] or marks[0][: shorter - 1] != marks[1][: shorter - 1]:
        return False
    return True if len(parts[0]) >= len(parts[1]) else None if found else False


def _network(operator: Operator, found: str, asked: Any) -> bool | None:
    """A network as a range of whole numbers in its version."""
    place = _addresses(found)
    if place is None:
        return None
    areas = [_addresses(a) for a in ([asked] if isinstance(asked, str) else sorted(asked))]
    same = [area[1] for area in areas if area is not None and area[0] == place[0]]
    within = any(area.start <= place[1].start and place[1].stop <= area.stop for area in same)
    touches = any(area.start < place[1].stop and place[1].start < area.stop for area in same)
    inside = True if within else None if touches else False
    if operator is Operator.IS_NONE_OF:
        return None if inside is None else not inside
    return inside


def _addresses(text: str) -> tuple[int, range] | None:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    first, last = int(network[0]), int(network[-1])
    mapped = 0xFFFF << 32
    if network.version == 6 and mapped <= first and last < mapped + (1 << 32):
        return 4, range(first - mapped, last - mapped + 1)
    return network.version, range(first, last + 1)


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
