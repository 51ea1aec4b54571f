"""The state: one map, one root, whatever the road to it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.ledger import EMPTY_ROOT
from entrepot.ledger.state import State

# Many keys, so that some share their first digits of digest, and few values, so that some repeat.
keys = st.integers(0, 400).map(lambda n: f"k{n}")
values = st.sampled_from([b"", b"a", b"b"])
writes = st.dictionaries(keys, st.none() | values, max_size=60)


def as_map(steps: list[dict[str, bytes | None]]) -> dict[str, bytes]:
    held: dict[str, bytes] = {}
    for step in steps:
        for key, value in step.items():
            if value is None:
                held.pop(key, None)
            else:
                held[key] = value
    return held


@settings(deadline=None, max_examples=80)
@given(st.lists(writes, max_size=6))
def test_the_root_is_a_function_of_the_contents_alone(steps: list[dict[str, bytes | None]]) -> None:
    """Added, changed, removed in any order and in any portions: same map, same root."""
    state = State()
    for step in steps:
        state = state.update(step)
    held = as_map(steps)

    assert state.root == State(held.items()).root == State(sorted(held.items(), reverse=True)).root
    assert dict(state.items()) == held
    assert all(state.get(key) == value for key, value in held.items())
    assert state.get("absent") is None


@settings(deadline=None)
@given(st.dictionaries(keys, values, max_size=60), st.dictionaries(keys, values, max_size=60))
def test_different_maps_have_different_roots(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    """The root commits to every key and every value."""
    assert (State(one.items()).root == State(other.items()).root) == (one == other)


@given(st.dictionaries(keys, values, max_size=30), writes)
def test_the_state_before_a_block_stays_valid(held: dict[str, bytes], step: dict[str, bytes | None]) -> None:
    """A block that is not committed must leave no trace."""
    state = State(held.items())
    root = state.root
    state.update(step)

    assert (state.root, dict(state.items())) == (root, held)


def test_the_empty_state_has_the_root_of_nothing() -> None:
    """And comes back to it when everything is removed."""
    assert State().root == EMPTY_ROOT
    assert State([("a", b"1")]).update({"a": None}).root == EMPTY_ROOT
    assert State([("a", b"1"), ("b", b"1")]).update({"a": None}).root == State([("b", b"1")]).root
