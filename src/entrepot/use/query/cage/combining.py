"""Combinations: what sums over several cells, added and subtracted, tell of few subjects.

    all - (site = north) - (site = south)        = those of neither site
    (a or v) + (b or v) - (a or b)               = twice v
    first visits + second visits - all but one   = that one visit

Rows that are in the same cells cannot be told apart; each such class is one unknown, each cell an equation.
Elimination brings these to a form in which every class that can be solved for stands alone: with the large
classes first, whatever can be said of small ones only is a combination of the last rows. Found is every
combination that tells of one class, of one subject, or of few in two of these rows. To find the least of all
would be to search all codes for their lightest word; nobody knows a quick way.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Final

PRIME: Final = 2**31 - 1
"""Computed is modulo a prime: exact, in numbers that do not grow."""
MOST_WORK: Final = 20_000_000
"""Steps of elimination, some seconds of them. What cannot be found out within is not answered."""

Row = dict[int, int]
People = frozenset[int]


class TooMuchWorkError(Exception):
    """There are more equations than can be solved in time."""


class _System:
    """Equations, fully reduced after each that is added."""

    def __init__(self, most_work: int) -> None:
        self.rows: dict[int, Row] = {}
        """By their pivot, the first class in them; no row has another's pivot."""
        self._holders: dict[int, set[int]] = defaultdict(set)
        """The pivots of the rows that a class is in."""
        self.left = most_work

    def work(self, steps: int) -> None:
        """Count steps; there are only so many."""
        self.left -= steps
        if self.left < 0:
            raise TooMuchWorkError

    def add(self, row: Row) -> bool:
        """Add an equation; whether it says anything that those before it do not."""
        for pivot in [c for c in row if c in self.rows]:
            self._subtract(row, self.rows[pivot], row[pivot])
        if not row:
            return False
        pivot = min(row)
        inverse = pow(row[pivot], -1, PRIME)
        row = {c: value * inverse % PRIME for c, value in row.items()}
        for other in list(self._holders[pivot]):
            before = self.rows[other]
            known = set(before)
            self._subtract(before, row, before[pivot])
            self._note(other, known, set(before))
        self.rows[pivot] = row
        self._note(pivot, set(), set(row))
        return True

    def _subtract(self, row: Row, other: Row, times: int) -> None:
        self.work(len(other))
        for c, value in other.items():
            left = (row.get(c, 0) - times * value) % PRIME
            if left:
                row[c] = left
            else:
                row.pop(c, None)

    def _note(self, pivot: int, before: set[int], after: set[int]) -> None:
        for c in before - after:
            self._holders[c].discard(pivot)
        for c in after - before:
            self._holders[c].add(pivot)


def tells_of_few(
    cells: Sequence[Sequence[int]], people: Sequence[People], k: int, most_work: int = MOST_WORK
) -> bool:
    """Whether sums over these cells can be combined to a sum over fewer than `k` subjects.

    `cells` are lists of classes, `people` the subjects of each class; of large ones `k` are enough.
    """
    order = sorted(range(len(people)), key=lambda c: -len(people[c]))
    place = {c: i for i, c in enumerate(order)}
    system = _System(most_work)
    for cell in sorted(cells, key=len):
        system.add({place[c]: 1 for c in cell})
    return _Small(system, [people[c] for c in order], k).tells()


class _Small:
    """The last rows of a solved system, those that name small classes only."""

    def __init__(self, system: _System, people: Sequence[People], k: int) -> None:
        self._system = system
        self._people = people
        self._k = k
        self._rows = {pivot: row for pivot, row in system.rows.items() if len(people[pivot]) < k}

    def tells(self) -> bool:
        """Whether one of them, two together, or all that begin with the same subjects tell of few."""
        return (
            any(self._is_of_few(row) for row in self._rows.values())
            or any(self._is_within(whom) for whom in self._named_twice())
            or any(self._cancels(*pair) for pair in self._meeting())
        )

    def _is_of_few(self, classes: Iterable[int]) -> bool:
        found: set[int] = set()
        for c in classes:
            self._system.work(1)
            found |= self._people[c]
            if len(found) >= self._k:
                return False
        return bool(found)

    def _named_twice(self) -> set[People]:
        """Subjects of one class that begin several rows: their rows may be told of together."""
        whole = [self._people[pivot] for pivot in self._rows]
        known = {*whole, *(frozenset({one}) for people in whole for one in people)}
        return {whom for whom in known if sum(people <= whom for people in whole) > 1}

    def _is_within(self, whom: People) -> bool:
        """Whether rows can be combined until they name nobody but these."""
        inside = _System(self._system.left)
        for pivot, row in self._rows.items():
            if self._people[pivot] <= whom:
                outside = {c: value for c, value in row.items() if not self._people[c] <= whom}
                if not inside.add(outside):
                    return True
        return False

    def _meeting(self) -> set[tuple[int, int]]:
        """Pairs of rows that name a class together and begin with few."""
        naming: dict[int, list[int]] = defaultdict(list)
        for pivot, row in self._rows.items():
            for c in row:
                naming[c].append(pivot)
        found: set[tuple[int, int]] = set()
        for pivots in naming.values():
            self._system.work(len(pivots) ** 2 // 2)
            found |= {pair for pair in combinations(sorted(pivots), 2) if self._is_of_few(pair)}
        return found

    def _cancels(self, one: int, other: int) -> bool:
        """Whether a multiple of one row, taken from the other, leaves few."""
        first, second = self._rows[one], self._rows[other]
        both = first.keys() & second.keys()
        self._system.work(len(both))
        for times in {second[c] * pow(first[c], -1, PRIME) % PRIME for c in both}:
            left = (c for c in {**first, **second} if (second.get(c, 0) - times * first.get(c, 0)) % PRIME)
            if self._is_of_few(left):
                return True
        return False
