"""Two parties moving one process by messages that may be lost, repeated, late or crossing.

One mechanism for negotiations and transfer processes (Dataspace Protocol 2025-1). A move of our own is
kept *pending*: the state moves when the peer has answered 2xx, or when a message arrives that is legal
only afterwards. When moves cross, terminated beats completed beats suspended beats every other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from entrepot.values import ConflictError, MessageId, ProcessId, TransitionError


class Party(StrEnum):
    CONSUMER = "consumer"
    PROVIDER = "provider"

    @property
    def other(self) -> "Party":
        return Party.PROVIDER if self is Party.CONSUMER else Party.CONSUMER


class State(StrEnum):
    """States of both machines, as the protocol writes them. INITIAL is never shown."""

    INITIAL = "INITIAL"
    REQUESTED = "REQUESTED"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    AGREED = "AGREED"
    VERIFIED = "VERIFIED"
    FINALIZED = "FINALIZED"
    STARTED = "STARTED"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    TERMINATED = "TERMINATED"


class Move(StrEnum):
    """What a message does to a process."""

    REQUEST = "request"
    OFFER = "offer"
    ACCEPT = "accept"
    AGREE = "agree"
    VERIFY = "verify"
    FINALIZE = "finalize"
    START = "start"
    SUSPEND = "suspend"
    COMPLETE = "complete"
    TERMINATE = "terminate"


_RANK: Final[Mapping[Move, int]] = {Move.TERMINATE: 3, Move.COMPLETE: 2, Move.SUSPEND: 1}
_ADOPTED: Final = frozenset({State.SUSPENDED, State.COMPLETED, State.TERMINATED})


@dataclass(frozen=True, slots=True)
class Machine:
    """A protocol: one line for every arrow of the standard's figure, with the sender in it."""

    name: str
    transitions: Mapping[tuple[State, Move, Party], State]

    def after(self, state: State, move: Move, sender: Party) -> State | None:
        return self.transitions.get((state, move, sender))

    def is_final(self, state: State) -> bool:
        return not any(at is state for at, _, _ in self.transitions)


@dataclass(frozen=True, slots=True)
class Pending:
    """A move of our own that the peer has not confirmed."""

    move: Move
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where one process stands, as this party sees it."""

    id: ProcessId
    party: Party
    state: State = State.INITIAL
    pending: Pending | None = None
    peer_pid: ProcessId | None = None
    version: int = 0


def propose(machine: Machine, exchange: Exchange, move: Move, message_id: MessageId) -> Exchange:
    """Make a move of our own, pending until the peer has it.

    A termination takes the place of a weaker pending move; any other move waits its turn.
    """
    if machine.after(exchange.state, move, exchange.party) is None:
        raise TransitionError(exchange.state, move, exchange.party)
    if exchange.pending is not None and rank(move) <= rank(exchange.pending.move):
        raise ConflictError(f"{exchange.pending.move} is on its way; {move} can follow when it is answered")
    return replace(exchange, pending=Pending(move, message_id), version=exchange.version + 1)


def receive(machine: Machine, exchange: Exchange, move: Move, sender: Party) -> Exchange:
    """Take in the peer's move, or refuse it with `TransitionError`."""
    now = machine.after(exchange.state, move, sender)
    if exchange.pending is None:
        if now is None:
            raise TransitionError(exchange.state, move, sender)
        return _moved(exchange, now)
    ours = exchange.pending.move
    confirmed = machine.after(exchange.state, ours, exchange.party)
    later = None if confirmed is None else machine.after(confirmed, move, sender)
    if now is None:
        if later is None:
            raise TransitionError(exchange.state, move, sender)
        return _moved(exchange, later)  # only legal after our move: so that one has arrived
    if ours is move or rank(move) > rank(ours):
        return _moved(exchange, now)  # equal moves merge; the stronger one wins
    raise TransitionError(exchange.state, move, sender)


def delivered(machine: Machine, exchange: Exchange, message_id: MessageId) -> Exchange | None:
    """The peer answered 2xx. None when this was no longer our pending move: then its state is read."""
    if exchange.pending is None or exchange.pending.message_id != message_id:
        return None
    after = machine.after(exchange.state, exchange.pending.move, exchange.party)
    return None if after is None else _moved(exchange, after)


def refused(
    machine: Machine, exchange: Exchange, message_id: MessageId, peer_state: State | None
) -> Exchange:
    """The peer refused our move for good. Of its state, adopt what ends or suspends, or our own move.

    What carries content (an offer, an agreement, a start) must come as a message of its own.
    """
    if exchange.pending is not None and exchange.pending.message_id == message_id:
        after = machine.after(exchange.state, exchange.pending.move, exchange.party)
        if after is not None and peer_state is after:
            return _moved(exchange, after)
        if exchange.state is State.INITIAL:
            return _moved(exchange, State.TERMINATED)  # there is nothing at the peer to come back to
        exchange = replace(exchange, pending=None, version=exchange.version + 1)
    return adopted(machine, exchange, peer_state)


def adopted(machine: Machine, exchange: Exchange, peer_state: State | None) -> Exchange:
    """Take over the peer's state where it suspends or ends the process and ours allows that."""
    if peer_state in _ADOPTED and peer_state is not exchange.state and exchange.pending is None:
        reachable = {
            to
            for (at, _, by), to in machine.transitions.items()
            if at is exchange.state and by is exchange.party.other
        }
        if peer_state in reachable:
            return _moved(exchange, peer_state)
    return exchange


def rank(move: Move) -> int:
    """How strong a move is where two cross."""
    return _RANK.get(move, 0)


def _moved(exchange: Exchange, state: State) -> Exchange:
    return replace(exchange, state=state, pending=None, version=exchange.version + 1)
