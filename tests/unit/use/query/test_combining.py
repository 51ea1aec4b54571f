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


def of_sizes(sizes: list[int]) -> list[frozenset[int]]:
    """Classes of so many subjects, each in one class only."""
    return [frozenset(range(100 * i, 100 * i + size)) for i, size in enumerate(sizes)]


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

    assert not solvable or tells_of_few(cells, of_sizes(sizes), K)


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

    if tells_of_few(cells, of_sizes(sizes), K):
        assert any(solves(cells, list(some)) for some in small)


def test_twice_a_victim_is_found() -> None:
    """(a or v) + (b or v) - (a or b) is twice v: arithmetic of two would not see it."""
    assert tells_of_few([[0, 2], [1, 2], [0, 1]], of_sizes([20, 20, 1]), K)
    assert not tells_of_few([[0, 2], [1, 2]], of_sizes([20, 20, 1]), K)


@given(SYSTEMS)
def test_any_two_classes_of_few_that_can_be_solved_for_with_two_answers_are_found(
    system: tuple[list[list[int]], list[int]],
) -> None:
    """(a or x) - (b or x) is a - b: each is large enough, and what they differ in is not."""
    cells, sizes = system
    for one, other in combinations(cells, 2):
        apart = sorted(set(one) ^ set(other))
        if apart and sum(sizes[c] for c in apart) < K:
            assert tells_of_few(cells, of_sizes(sizes), K)


@given(
    SYSTEMS.flatmap(
        lambda system: st.tuples(
            st.just(system[0]),
            st.lists(
                st.frozensets(st.integers(0, 4), min_size=1, max_size=2),
                min_size=len(system[1]),
                max_size=len(system[1]),
            ),
        )
    )
)
def test_every_subject_of_whom_anything_can_be_solved_for_is_found(
    system: tuple[list[list[int]], list[frozenset[int]]],
) -> None:
    """The rows of one subject may be in several classes; what is said of them together is said of one."""
    cells, people = system
    used = {c for cell in cells for c in cell}
    of_one = [[c for c in used if people[c] == {subject}] for subject in range(5)]

    if any(classes and solves(cells, classes) for classes in of_one):
        assert tells_of_few(cells, people, 3)


def test_what_two_answers_leave_of_few_is_found() -> None:
    """Differences of five and five subjects, of whom three are the same: four are left."""
    cells = [[0], [0, 2, 4, 5, 6], [1], [1, 3, 4, 5, 6], [4, 7], [5, 8]]
    people = of_sizes([20, 20, 2, 2, 1, 1, 1, 20, 20])

    assert tells_of_few(cells, people, K)
    assert not tells_of_few(cells[:3] + cells[4:], people, K)


def test_a_partition_into_thousands_is_no_work() -> None:
    """Days of seven years, and their total: an ordinary question must stay one."""
    days = [[n] for n in range(2_500)]

    assert not tells_of_few([*days, list(range(2_500))], of_sizes([10] * 2_500), K)


def test_what_cannot_be_found_out_in_time_is_said() -> None:
    """Whoever asks too much at once must not get an answer for it."""
    with pytest.raises(TooMuchWorkError):
        tells_of_few(
            [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [0, 2, 4, 5]], of_sizes([10] * 6), K, most_work=10
        )
