"""The state machine of a data flow, one line for every arrow (Data Plane Signaling 1.0-RC3).

A transfer process has its own machine, the protocol's; this one says how far the bytes are.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from entrepot.use.flow.model import FlowState, Step
from entrepot.values import TransitionError

FINAL: Final = frozenset({FlowState.COMPLETED, FlowState.TERMINATED})

TRANSITIONS: Final[Mapping[tuple[FlowState, Step], FlowState]] = MappingProxyType(
    {
        (FlowState.INITIALIZED, Step.PREPARE): FlowState.PREPARING,
        (FlowState.PREPARING, Step.PREPARED): FlowState.PREPARED,
        (FlowState.INITIALIZED, Step.START): FlowState.STARTING,
        (FlowState.STARTING, Step.STARTED): FlowState.STARTED,
        # To a consumer's data plane the two arrows to STARTED come as one word.
        (FlowState.PREPARED, Step.STARTED): FlowState.STARTED,
        (FlowState.STARTED, Step.SUSPEND): FlowState.SUSPENDED,
        (FlowState.SUSPENDED, Step.RESUME): FlowState.STARTED,
        (FlowState.STARTED, Step.COMPLETE): FlowState.COMPLETED,
        **{(state, Step.TERMINATE): FlowState.TERMINATED for state in FlowState if state not in FINAL},
    }
)
_LEADS_TO: Final = {step: state for (_, step), state in TRANSITIONS.items()}


def advance(state: FlowState, step: Step) -> FlowState:
    """Take one step, or refuse it. A step that has led here already changes nothing: it is a repeat."""
    after = TRANSITIONS.get((state, step))
    if after is not None:
        return after
    if _LEADS_TO[step] is state:
        return state
    raise TransitionError(state, step, "control plane")
