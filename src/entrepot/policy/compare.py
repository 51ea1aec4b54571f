"""How a fact is compared: satisfied, unsatisfied or unknown, and how several verdicts become one.

Total: whatever the fact is, there is a verdict. A fact of the wrong type or from the wrong source is as
good as none.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

from entrepot.policy.filters import RowFilter
from entrepot.policy.model import (
    Atom,
    Fact,
    Junction,
    OperandType,
    Operator,
    Rate,
    Source,
    Value,
    Window,
)
from entrepot.policy.network import Network, lies_in, parse_network
from entrepot.policy.region import short_region, wider_regions
from entrepot.values import MalformedError, Money


class Verdict(StrEnum):
    SATISFIED = "satisfied"
    UNSATISFIED = "unsatisfied"
    UNKNOWN = "unknown"


_SAT: Final = Verdict.SATISFIED
_UNSAT: Final = Verdict.UNSATISFIED
_UNKNOWN: Final = Verdict.UNKNOWN
_NO_OFFSET: Final = timedelta(0)

Verdicts: TypeAlias = tuple[Verdict, ...]
Fold: TypeAlias = Callable[[Verdicts], Verdict]
Test: TypeAlias = Callable[[Fact | None], Verdict]
# A tuple: it is searched by identity, a set would call the hash of the enum, which is ten times slower.
_Sources: TypeAlias = tuple[Source, ...]

_NEGATED: Final = frozenset({Operator.NEQ, Operator.IS_NONE_OF})


def _and(verdicts: Verdicts) -> Verdict:
    if _UNSAT in verdicts:
        return _UNSAT
    return _UNKNOWN if _UNKNOWN in verdicts else _SAT


def _or(verdicts: Verdicts) -> Verdict:
    if _SAT in verdicts:
        return _SAT
    return _UNKNOWN if _UNKNOWN in verdicts else _UNSAT


def _xone(verdicts: Verdicts) -> Verdict:
    satisfied = verdicts.count(_SAT)
    if satisfied > 1:
        return _UNSAT
    if _UNKNOWN in verdicts:
        return _UNKNOWN
    return _SAT if satisfied == 1 else _UNSAT


JOIN: Final[Mapping[Junction, Fold]] = {Junction.AND: _and, Junction.OR: _or, Junction.XONE: _xone}

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
_COMPARE_SETS: Final[Mapping[Operator, Callable[[frozenset[str], frozenset[str]], bool]]] = {
    Operator.IS_PART_OF: lambda found, asked: found <= asked,
    Operator.HAS_PART: lambda found, asked: found >= asked,
    Operator.IS_ALL_OF: lambda found, asked: found >= asked,
    Operator.IS_ANY_OF: lambda found, asked: bool(found & asked),
    Operator.IS_NONE_OF: lambda found, asked: not found & asked,
}


def test_of(atom: Atom) -> Test:  # noqa: PLR0911  # one line a type of operand
    """How a fact is held against this comparison."""
    value, operator, sources = atom.value, atom.operator, tuple(atom.operand.sources)
    match atom.operand.type:
        case OperandType.TERM if operator is Operator.IS_A and isinstance(value, str):
            return _narrower_test(value, sources)
        case OperandType.TERM | OperandType.WORD | OperandType.PARTY | OperandType.KIND:
            return _text_test(_COMPARE[operator], value, sources)
        case OperandType.NAMES if isinstance(value, str | frozenset):
            return _set_test(_COMPARE_SETS[operator], _as_set(value), sources)
        case OperandType.FILTER if isinstance(value, RowFilter):
            return _set_test(_COMPARE_SETS[Operator.HAS_PART], value.texts, sources)
        case OperandType.REGION if isinstance(value, str | frozenset):
            return _region_test(operator, _as_set(value), sources)
        case OperandType.NETWORK if isinstance(value, str | frozenset):
            return _network_test(operator, _as_set(value), sources)
        case OperandType.TIME:
            return _time_test(_COMPARE[operator], value, sources)
        case OperandType.WINDOW if isinstance(value, Window):
            return _time_test(lambda found, window: window.has(found), value, sources)
        case OperandType.DURATION if isinstance(value, timedelta):
            return _duration_test(_COMPARE[operator], value, sources)
        case _:
            return _number_test(_COMPARE[operator], _number(atom), sources)


def is_utc(value: object) -> bool:
    return isinstance(value, datetime) and (value.tzinfo is UTC or value.utcoffset() == _NO_OFFSET)


def _as_set(value: str | frozenset[str]) -> frozenset[str]:
    return frozenset({value}) if isinstance(value, str) else value


def _number(atom: Atom) -> int:
    match atom.value:
        case Rate(uses, _):
            return uses
        case Money(minor, _):
            return minor
        case int() as number:
            return number
        case value:
            raise ValueError(f"{atom.operand.name} is not compared with {value!r}")


def _text_test(compare: Callable[..., bool], asked: Value, sources: _Sources) -> Test:
    def test(fact: Fact | None) -> Verdict:
        if fact is None or fact.source not in sources or not isinstance(fact.value, str):
            return _UNKNOWN
        return _SAT if compare(fact.value, asked) else _UNSAT

    return test


def _narrower_test(asked: str, sources: _Sources) -> Test:
    """A term is what it is and all that it narrows; a wider one may or may not be meant."""

    def test(fact: Fact | None) -> Verdict:
        if fact is None or fact.source not in sources or not isinstance(fact.value, str):
            return _UNKNOWN
        if is_narrower(fact.value, asked):
            return _SAT
        return _UNKNOWN if is_narrower(asked, fact.value) else _UNSAT

    return test


def is_narrower(term: str, wider: str) -> bool:
    """Whether a term is another, or goes on where that one ends."""
    return term == wider or (bool(wider) and term.startswith(wider) and term[len(wider)] in ":/#")


def _set_test(
    compare: Callable[[frozenset[str], frozenset[str]], bool], asked: frozenset[str], sources: _Sources
) -> Test:
    def test(fact: Fact | None) -> Verdict:
        if fact is None or fact.source not in sources or not isinstance(fact.value, frozenset):
            return _UNKNOWN
        return _SAT if compare(fact.value, asked) else _UNSAT

    return test


def _time_test(compare: Callable[..., bool], asked: Value, sources: _Sources) -> Test:
    def test(fact: Fact | None) -> Verdict:
        if fact is None or fact.source not in sources or not is_utc(fact.value):
            return _UNKNOWN
        return _SAT if compare(fact.value, asked) else _UNSAT

    return test


def _duration_test(compare: Callable[..., bool], asked: timedelta, sources: _Sources) -> Test:
    def test(fact: Fact | None) -> Verdict:
        if fact is None or fact.source not in sources or not isinstance(fact.value, timedelta):
            return _UNKNOWN
        return _SAT if compare(fact.value, asked) else _UNSAT

    return test


def _number_test(compare: Callable[..., bool], asked: int, sources: _Sources) -> Test:
    def test(fact: Fact | None) -> Verdict:
        # `type is int`, since True would be a count of one.
        if fact is None or fact.source not in sources or type(fact.value) is not int or fact.value < 0:
            return _UNKNOWN
        return _SAT if compare(fact.value, asked) else _UNSAT

    return test


def _region_test(operator: Operator, asked: frozenset[str], sources: _Sources) -> Test:
    """A region is equal to whatever holds it; a fact too coarse to tell leaves it unknown."""
    wanted = tuple(short_region(r) or r for r in asked)
    too_coarse = wider_regions(wanted)
    inside, outside = (_UNSAT, _SAT) if operator in _NEGATED else (_SAT, _UNSAT)

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


def _network_test(operator: Operator, asked: frozenset[str], sources: _Sources) -> Test:
    """An address lies in a range or outside; a range that is only partly inside leaves it unknown."""
    wanted = tuple(parse_network(a) for a in asked)
    inside, outside = (_UNSAT, _SAT) if operator in _NEGATED else (_SAT, _UNSAT)

    def test(fact: Fact | None) -> Verdict:
        if fact is None or fact.source not in sources or not isinstance(fact.value, str):
            return _UNKNOWN
        found = _network(fact.value)
        if found is None:
            return _UNKNOWN
        if any(lies_in(found, w) for w in wanted):
            return inside
        return _UNKNOWN if any(lies_in(w, found) for w in wanted) else outside

    return test


@lru_cache(maxsize=4_096)  # asked at every call, about a few callers
def _network(text: str) -> Network | None:
    try:
        return parse_network(text)
    except MalformedError:
        return None
