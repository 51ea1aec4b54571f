"""What sums over several groups tell together: compared with the definition, by brute force."""

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.use.query.cage.combining import TooMuchWorkError, tells_of_few

K = 5
SYSTEMS = st.integers(2, 6).flatmap(
    lambda n: st.tuples(
        st.lists(
            st.lists(st.integers(0, n - 1), min_size=1, max_size=n, unique=True), min_size=1, max_size=5
        ),
        st.lists(st.integers(1, 12), min_size=n, max_size=n),
    )
)


def solves(cells: list[list[int]], wanted: list[int]) -> bool:
    """Whether a combination of the cells is a sum over the wanted classes alone (by rational rank)."""
    width = max(max(c) for c in cells) + 1
    rows = [[Fraction(int(i in cell)) for i in range(width)] for cell in cells]
    outside = [i for i in range(width) if i not in wanted]
    return rank(rows) > rank([[row[i] for i in outside] for row in rows])


def rank(rows: list[list[Fraction]]) -> int:
    """Elimination as a textbook has it."""
    rows, found = [row[:] for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((r for r in range(found, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for r in range(len(rows)):
            if r != found and rows[r][column]:
                factor = rows[r][column] / rows[found][column]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[found], strict=True)]
        found += 1
    return found


@given(SYSTEMS)
def test_every_small_class_that_can_be_solved_for_is_found(system: tuple[list[list[int]], list[int]]) -> None:
    """A class of fewer than k subjects whose sum follows from the answers is a leak, whatever the path."""
    cells, sizes = system
    used = sorted({c for cell in cells for c in cell})
    solvable = [c for c in used if sizes[c] < K and solves(cells, [c])]

    assert not solvable or tells_of_few(cells, sizes, K)


@given(SYSTEMS)
def test_what_is_found_can_be_solved_for(system: tuple[list[list[int]], list[int]]) -> None:
    """A refusal without a leak behind it would cost a use for nothing."""
    cells, sizes = system
    used = sorted({c for cell in cells for c in cell})
    small = [
        some
        for n in range(1, len(used) + 1)
        for some in combinations(used, n)
        if sum(sizes[c] for c in some) < K
    ]

    if tells_of_few(cells, sizes, K):
        assert any(solves(cells, list(some)) for some in small)


def test_twice_a_victim_is_found() -> None:
    """(a or v) + (b or v) - (a or b) is twice v: arithmetic of two would not see it."""
    assert tells_of_few([[0, 2], [1, 2], [0, 1]], [20, 20, 1], K)
    assert not tells_of_few([[0, 2], [1, 2]], [20, 20, 1], K)


def test_a_partition_into_thousands_is_no_work() -> None:
    """Days of seven years, and their total: an ordinary question must stay one."""
    days = [[n] for n in range(2_500)]

    assert not tells_of_few([*days, list(range(2_500))], [10] * 2_500, K)


def test_what_cannot_be_found_out_in_time_is_said() -> None:
    """Whoever asks too much at once must not get an answer for it."""
    with pytest.raises(TooMuchWorkError):
        tells_of_few([[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [0, 2, 4, 5]], [10] * 6, K, most_work=10)
