"""Facts that stand for all that could be: the few values that a set of comparisons can tell apart.

For each fact these are the values that are named, the ones just around a bound, and one that is not named.
What no combination of them satisfies, nothing does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final, TypeAlias

from entrepot.policy.filters import RowFilter
from entrepot.policy.model import Atom, Fact, OperandType, Operator, Window
from entrepot.policy.network import Network, lies_in, parse_network
from entrepot.policy.region import short_region
from entrepot.values import KindOfUse, Money, UtcTime

MAX_SETS: Final = 4_096

_UNNAMED: Final = "urn:entrepot:unnamed"
_CLOCKS: Final = frozenset({OperandType.TIME, OperandType.WINDOW})
_TICK: Final = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_SOME_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_INTERNET: Final = (parse_network("0.0.0.0/0"), parse_network("::/0"))

Choice: TypeAlias = Mapping[str, Fact]
"""Facts chosen together: a moment is both the time and the time of day."""
Asked: TypeAlias = tuple[str, Atom]
"""A comparison with the name of the fact that it looks at."""
_Values: TypeAlias = Sequence[str | int | UtcTime | timedelta | frozenset[str]]


class TooManyError(Exception):
    """There are more combinations than anybody would wait for."""


def choices(asked: Sequence[Asked], kinds: frozenset[KindOfUse]) -> list[list[Choice]]:
    """For each fact that is asked about, the values that stand for all; the kind of use is one of `kinds`."""
    found: list[list[Choice]] = []
    clocks = {name: atom.operand for name, atom in asked if atom.operand.type in _CLOCKS}
    if clocks:
        moments = _moments([a for _, a in asked if a.operand.type in _CLOCKS])
        found.append([{n: Fact(t, o.source) for n, o in clocks.items()} for t in moments])
    for name in dict.fromkeys(name for name, _ in asked if name not in clocks):
        same = [atom for n, atom in asked if n == name]
        operand = same[0].operand
        values: _Values = sorted(kinds) if operand.type is OperandType.KIND else _SAMPLES[operand.type](same)
        found.append([{name: Fact(value, operand.source)} for value in values])
    return found


def _texts(same: Sequence[Atom]) -> list[str]:
    values = [sorted(a.value) if isinstance(a.value, frozenset) else [str(a.value)] for a in same]
    return [*dict.fromkeys(text for texts in values for text in texts)]


def _terms(same: Sequence[Atom]) -> list[str]:
    """What is named, a narrower term of each that may have one, and one that is none of them."""
    narrower = [f"{a.value}:{_UNNAMED}" for a in same if a.operator is Operator.IS_A]
    return [*_texts(same), *narrower, _UNNAMED]


def _words(same: Sequence[Atom]) -> list[str]:
    return [word for word, _ in same[0].operand.words]


def _sets(same: Sequence[Atom]) -> list[frozenset[str]]:
    """Names that stand in the same lists are alike: of each such class none, one or all are there."""
    lists = [_texts([a]) for a in same]
    alike: dict[tuple[bool, ...], list[str]] = {}
    for name in [*_texts(same), _UNNAMED]:
        alike.setdefault(tuple(name in listed for listed in lists), []).append(name)
    options = [
        [frozenset[str](), frozenset(names[:1]), *([frozenset(names)] if len(names) > 1 else [])]
        for names in alike.values()
    ]
    if 3 ** len(options) > MAX_SETS:
        raise TooManyError
    return [frozenset().union(*chosen) for chosen in product(*options)]


def _filters(same: Sequence[Atom]) -> list[frozenset[str]]:
    """All the filters in force at once: a filter is applied, so nothing wider needs to be tried."""
    return [frozenset().union(*(a.value.texts for a in same if isinstance(a.value, RowFilter)))]


def _first(_same: Sequence[Atom]) -> list[int]:
    """A limit is at least one, and must hold: the first use is within every one of them."""
    return [1]


def _numbers(same: Sequence[Atom]) -> list[int]:
    named = [a.value.minor if isinstance(a.value, Money) else a.value for a in same]
    near = {n + d for n in named if isinstance(n, int) for d in (-1, 0, 1)}
    return sorted(near)


def _durations(same: Sequence[Atom]) -> list[timedelta]:
    bounds = [a.value for a in same if isinstance(a.value, timedelta)]
    near = {b + d for b in bounds for d in (-_TICK, timedelta(0), _TICK)}
    return sorted(near | {timedelta(0)})


def _regions(same: Sequence[Atom]) -> list[str]:
    """For each region named a place in it that lies in no narrower one named, and a place outside all."""
    named = [short_region(r) or r for r in _texts(same)]
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


def _networks(same: Sequence[Atom]) -> list[str]:
    """For each range named an address in it that lies in no narrower one named, and addresses outside."""
    named = [parse_network(text) for text in _texts(same)]
    found = [_address_in(range_, named) for range_ in (*_INTERNET, *named)]
    return [*dict.fromkeys(str(a) for a in found if a is not None)]


def _address_in(wide: Network, named: Sequence[Network]) -> object | None:
    """An address of `wide` that lies in none of the `named` ranges inside it."""
    left = [wide]
    for narrow in named:
        if narrow != wide and lies_in(narrow, wide):
            left = [part for rest in left for part in _without(rest, narrow)]
    return left[0].network_address if left else None


def _without(wide: Network, narrow: Network) -> Iterator[Network]:
    if lies_in(wide, narrow):
        return
    if lies_in(narrow, wide):
        yield from wide.address_exclude(narrow)  # type: ignore[arg-type]  # of one version, as just seen
    else:
        yield wide


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


_SAMPLES: Final[Mapping[OperandType, Callable[[Sequence[Atom]], _Values]]] = {
    OperandType.TERM: _terms,
    OperandType.WORD: _words,
    OperandType.PARTY: _terms,
    OperandType.NAMES: _sets,
    OperandType.FILTER: _filters,
    OperandType.REGION: _regions,
    OperandType.NETWORK: _networks,
    OperandType.DURATION: _durations,
    OperandType.USES: _first,
    OperandType.RATE: _first,
    OperandType.BUDGET: _first,
    OperandType.NUMBER: _numbers,
    OperandType.MONEY: _numbers,
}
