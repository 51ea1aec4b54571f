"""What stands behind a door: a transfer process of ours, or a data flow that another control plane drives.

To the doors, the gate's upkeep and the pusher the two are one: an agreement, a format, a state.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from entrepot.contracts import Exchange, State
from entrepot.use import store as processes
from entrepot.use.flow import store
from entrepot.use.flow.model import Flow, FlowState, Quay
from entrepot.use.model import TransferProcess
from entrepot.values import Did, ProcessId

_STATES: Final = MappingProxyType(
    {
        FlowState.INITIALIZED: State.REQUESTED,
        FlowState.PREPARING: State.REQUESTED,
        FlowState.PREPARED: State.REQUESTED,
        FlowState.STARTING: State.REQUESTED,
        FlowState.STARTED: State.STARTED,
        FlowState.SUSPENDED: State.SUSPENDED,
        FlowState.COMPLETED: State.COMPLETED,
        FlowState.TERMINATED: State.TERMINATED,
    }
)


def behind_door(connection: Connection, process_id: ProcessId) -> TransferProcess | None:
    """The process of a door; a flow is shown as the process that it carries, without its address."""
    process = processes.read(connection, process_id)
    if process is not None:
        return process
    flow = store.read(connection, process_id)
    return None if flow is None else _as_process(flow)


def to_push(connection: Connection, quay: Quay | None, process_id: ProcessId) -> TransferProcess | None:
    """The process of a push, with the address that it goes to."""
    process = processes.read(connection, process_id)
    if process is not None or quay is None:
        return process
    flow = store.read(connection, process_id)
    if flow is None or not flow.sealed_address:
        return None
    sink = quay.read(flow)
    return replace(_as_process(flow), endpoint=sink.endpoint, sealed_token=quay.seal(sink.token.encode()))


def _as_process(flow: Flow) -> TransferProcess:
    return TransferProcess(
        exchange=Exchange(
            flow.id, flow.party, _STATES[flow.state], peer_pid=ProcessId(flow.order.process_id)
        ),
        counterparty=Did(flow.order.counterparty),
        address="",
        agreement_id=flow.agreement_id,
        format=flow.order.format,
        epoch=flow.epoch,
    )
