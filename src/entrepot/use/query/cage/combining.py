"""Combinations: what sums over several cells, added and subtracted, tell of few subjects.

    all - (site = north) - (site = south)        = those of neither site
    (a or v) + (b or v) - (a or b)               = twice v

Subjects that are in the same cells cannot be told apart; each such class is one unknown, each cell an
equation. Elimination brings these to a form in which every class that can be solved for stands alone: with
the large classes first, whatever can be said of small ones only is a combination of the last rows. It is
exact for one class; of several that together are fewer than `k` it finds those that a row names.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

PRIME: Final = 2**31 - 1
"""Computed is modulo a prime: exact, in numbers that do not grow."""
MOST_WORK: Final = 20_000_000
"""Steps of elimination, some seconds of them. What cannot be found out within is not answered."""

Row = dict[int, int]


class TooMuchWorkError(Exception):
    """There are more equations than can be solved in time."""


class _System:
    """Equations, fully reduced after each that is added."""

    def __init__(self, most_work: int) -> None:
        self.rows: dict[int, Row] = {}
        """By their pivot, the first class in them; no row has another's pivot."""
        self._holders: dict[int, set[int]] = defaultdict(set)
        """The pivots of the rows that a class is in."""
        self._left = most_work

    def add(self, row: Row) -> None:
        for pivot in [c for c in row if c in self.rows]:
            self._subtract(row, self.rows[pivot], row[pivot])
        if not row:
            return
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

    def _subtract(self, row: Row, other: Row, times: int) -> None:
        self._left -= len(other)
        if self._left < 0:
            raise TooMuchWorkError
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
    cells: Sequence[Sequence[int]], sizes: Sequence[int], k: int, most_work: int = MOST_WORK
) -> bool:
    """Whether sums over these cells can be combined to a sum over fewer than `k` subjects.

    `cells` are lists of classes, `sizes` the subjects in each class.
    """
    order = sorted(range(len(sizes)), key=lambda c: -sizes[c])
    place = {c: i for i, c in enumerate(order)}
    system = _System(most_work)
    for cell in sorted(cells, key=len):
        system.add({place[c]: 1 for c in cell})
    return any(sum(sizes[order[c]] for c in row) < k for row in system.rows.values())
