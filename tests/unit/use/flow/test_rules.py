"""The state machine of a data flow: the standard's arrows, and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.use.flow.model import FlowState, Step
from entrepot.use.flow.rules import FINAL, TRANSITIONS, advance
from entrepot.values import TransitionError

STEPS = st.lists(st.sampled_from(Step), max_size=12)


def walk(steps: list[Step]) -> list[FlowState]:
    """Every state on the way; a step that is refused leads nowhere."""
    states = [FlowState.INITIALIZED]
    for step in steps:
        try:
            states.append(advance(states[-1], step))
        except TransitionError:
            states.append(states[-1])
    return states


@given(STEPS)
def test_what_has_ended_stays_ended(steps: list[Step]) -> None:
    """Terminal states are final; the machine must not leave them."""
    states = walk(steps)
    ended = [s for s in states if s in FINAL]

    assert ended == [ended[0]] * len(ended) if ended else True


@given(STEPS)
def test_nothing_runs_that_was_not_prepared_or_started(steps: list[Step]) -> None:
    """No order of words lets data flow before the data plane was asked for it."""
    states = walk(steps)
    if FlowState.STARTED in states:
        before = states[: states.index(FlowState.STARTED)]
        assert {FlowState.PREPARED, FlowState.STARTING} & {*before}


@given(STEPS, st.sampled_from(Step))
def test_a_repeat_changes_nothing(steps: list[Step], step: Step) -> None:
    """A control plane whose answer was lost says it again."""
    state = walk(steps)[-1]
    try:
        once = advance(state, step)
    except TransitionError:
        return
    assert advance(once, step) is once


@pytest.mark.parametrize("state", [s for s in FlowState if s not in FINAL])
def test_whatever_has_not_ended_can_be_terminated(state: FlowState) -> None:
    """Any state can become TERMINATED (State Machine Definition)."""
    assert advance(state, Step.TERMINATE) is FlowState.TERMINATED


def test_the_arrows_are_those_of_the_standard() -> None:
    """Written down once more, as the figure has them."""
    figure = {
        ("INITIALIZED", "PREPARING"),
        ("INITIALIZED", "STARTING"),
        ("PREPARING", "PREPARED"),
        ("PREPARED", "STARTED"),
        ("STARTING", "STARTED"),
        ("STARTED", "SUSPENDED"),
        ("STARTED", "COMPLETED"),
        ("SUSPENDED", "STARTED"),
    }
    ours = {(str(a), str(b)) for (a, _), b in TRANSITIONS.items() if b is not FlowState.TERMINATED}

    assert ours == figure
