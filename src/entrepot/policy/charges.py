"""What a use takes: the counters of a permission, and the names of the facts that tell their state."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from entrepot.policy.model import Atom, Constraint, Facts, OperandType, Rate, Rule, Source
from entrepot.values import Money


class CounterKind(StrEnum):
    """What a permission counts: uses over the contract's life or in one period, and what they took."""

    TOTAL = "total"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    ROWS = "rows"
    BYTES = "bytes"
    SECONDS = "seconds"

    @property
    def is_budget(self) -> bool:
        """Whether a use takes from it as much as it comes to, and not one."""
        return self in _BUDGETS


_BUDGETS: Final = frozenset({CounterKind.ROWS, CounterKind.BYTES, CounterKind.SECONDS})


@dataclass(frozen=True, slots=True)
class Charge:
    """What one use takes from one counter of the permission relied on, and the counter's limit.

    Of a budget it takes the most that it may come to; what it did not come to is given back at its end.
    """

    permission: int
    counter: CounterKind
    limit: int
    amount: int = 1


def fact_name(atom: Atom, permission: int) -> str:
    """The name of the fact for this comparison; each permission has counts of its own."""
    match atom.value:
        case Rate(_, period):
            return counter_name(CounterKind(str(period)), permission)
        case Money(_, currency):
            return f"{atom.operand.name}:{currency}"
    match atom.operand.type:
        case OperandType.USES:
            return counter_name(CounterKind.TOTAL, permission)
        case OperandType.BUDGET:
            return counter_name(CounterKind(atom.operand.name), permission)
        case _:
            return atom.operand.name


def counter_name(counter: CounterKind, permission: int) -> str:
    """The name of the fact that tells what a counter of a permission would be after this use."""
    if counter is CounterKind.TOTAL:
        return f"count[{permission}]"
    return f"{counter}[{permission}]" if counter.is_budget else f"rate:{counter}[{permission}]"


def amount_name(counter: CounterKind) -> str:
    """The name of the fact that tells the most that this use may take from a budget."""
    return f"{counter}PerUse"


def amount_of(counter: CounterKind, facts: Facts) -> int | None:
    """The most that this use may take from a counter; None where the door did not say."""
    if not counter.is_budget:
        return 1
    fact = facts.get(amount_name(counter))
    if fact is None or fact.source is not Source.OBSERVED or type(fact.value) is not int or fact.value < 0:
        return None
    return fact.value


def charges_of(index: int, rule: Rule) -> tuple[Charge, ...]:
    """The counters that a permission has, wherever in its constraints their limits stand."""
    limits: dict[CounterKind, int] = {}

    def limit(kind: CounterKind, most: int) -> None:
        limits[kind] = min(most, limits.get(kind, most))

    def walk(constraints: Sequence[Constraint]) -> None:
        for constraint in constraints:
            match constraint:
                case Atom(_, _, Rate(uses, period)):
                    limit(CounterKind(str(period)), uses)
                case Atom(operand, _, int() as most) if operand.type is OperandType.USES:
                    limit(CounterKind.TOTAL, most)
                case Atom(operand, _, int() as most) if operand.type is OperandType.BUDGET:
                    limit(CounterKind(operand.name), most)
                case Atom():
                    pass
                case group:
                    walk(group.members)

    walk(rule.constraints)
    return tuple(Charge(index, kind, most) for kind, most in sorted(limits.items()))


def charged(charges: tuple[Charge, ...], facts: Facts) -> tuple[Charge, ...]:
    """The charges with the amounts of this use; a budget whose amount nobody knows is taken whole."""
    return tuple(
        Charge(c.permission, c.counter, c.limit, c.limit if (n := amount_of(c.counter, facts)) is None else n)
        for c in charges
    )
