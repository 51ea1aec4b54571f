"""Two parties moving one process by messages that may be lost, repeated, late or crossing.

One mechanism for negotiations and transfer processes (Dataspace Protocol 2025-1). A move of our own is
kept *pending*: the state moves when the peer has answered 2xx, or when a message arrives that is legal
only afterwards. When moves cross, terminated beats completed beats suspended beats every other, and
equal moves become one.

Three rules keep both sides at one state, however the network behaves:

1. A party sends its moves of one process one after the other: the next leaves when the last is answered.
2. A move that leaves the process open is taken only by a party that has nothing of its own on its way,
   or for which it proves that what was on its way has arrived. So whoever is answered 2xx knows that
   nothing older of the peer can still come. Where both suspend, or both start again, the provider's
   message goes through: the provider refuses the consumer's, and the consumer asks to wait.
3. The first answer to a message, 2xx or 400, is the answer to each of its repeats (routes remember it).
   In a negotiation one that says once more what is settled changes nothing, whatever its id (`rules`).

`tests/unit/contracts/test_exchange.py` walks through every order of events that is possible in a small
world.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from entrepot.values import ConflictError, MessageId, ProcessId, TransitionError, UnavailableError


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
_ADOPTED: Final = frozenset({State.COMPLETED, State.TERMINATED})


@dataclass(frozen=True, slots=True)
class Machine:
    """A protocol: one line for every arrow of the standard's figure, with the sender in it."""

    name: str
    transitions: Mapping[tuple[State, Move, Party], State]

    def after(self, state: State, move: Move, sender: Party) -> State | None:
        return self.transitions.get((state, move, sender))

    def is_final(self, state: State) -> bool:
        return not any(at is state for at, _, _ in self.transitions)


class WaitError(UnavailableError):
    """A move of our own is on its way and must be answered first; the same message is welcome later."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A move of our own that the peer has not confirmed."""

    move: Move
    message_id: MessageId
    behind: "Pending | None" = None
    """An earlier move that may have reached the peer: this one leaves when that one is answered."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where one process stands, as this party sees it."""

    id: ProcessId
    party: Party
    state: State = State.INITIAL
    pending: Pending | None = None
    peer_pid: ProcessId | None = None
    version: int = 0


def propose(
    machine: Machine, exchange: Exchange, move: Move, message_id: MessageId, *, sent: bool = True
) -> Exchange:
    """Make a move of our own, pending until the peer has it.

    A stronger move takes the place of a pending one that has not left (not `sent`). Behind one that has,
    only a termination may queue: what the peer made of the first must be known before it goes out.
    """
    if machine.after(exchange.state, move, exchange.party) is None:
        raise TransitionError(exchange.state, move, exchange.party)
    before, proposed = exchange.pending, Pending(move, message_id)
    if before is not None:
        if rank(move) <= rank(before.move) or (sent and move is not Move.TERMINATE):
            raise ConflictError(f"{before.move} is on its way; {move} can follow when it is answered")
        proposed = replace(proposed, behind=before if sent else None)
    return replace(exchange, pending=proposed, version=exchange.version + 1)


def receive(
    machine: Machine, exchange: Exchange, move: Move, sender: Party, *, sent: bool = True
) -> Exchange:
    """Take in the peer's move, refuse it with `TransitionError`, or ask to wait with `WaitError`.

    `sent` says whether our pending move may have left. One that has not crosses nothing: it gives way to
    a move as strong, and follows a weaker one if it then still can.
    """
    now = machine.after(exchange.state, move, sender)
    ours = exchange.pending
    refusal = TransitionError(exchange.state, move, sender)
    if ours is None or ours.behind is not None or not sent:
        if now is None:
            raise refusal
        if ours is None or rank(move) >= rank(ours.move):
            return _moved(exchange, now)
        if ours.behind is not None or machine.after(now, ours.move, exchange.party) is None:
            raise refusal
        return replace(_moved(exchange, now), pending=ours)
    confirmed = machine.after(exchange.state, ours.move, exchange.party)
    later = None if confirmed is None else machine.after(confirmed, move, sender)
    if now is None:
        if later is None:
            raise refusal
        return _moved(exchange, later)  # only legal after our move: so that one has arrived
    is_same = move is ours.move
    if machine.is_final(now) and (is_same or rank(move) > rank(ours.move)):
        return _moved(exchange, now)
    if exchange.party is Party.CONSUMER and (is_same or later is not None):
        raise WaitError(f"our own {ours.move} must be answered first")
    raise refusal


def delivered(machine: Machine, exchange: Exchange, message_id: MessageId) -> Exchange | None:
    """The peer answered 2xx. None when this is no move that we wait for."""
    ours = exchange.pending
    first = None if ours is None else ours.behind or ours
    if ours is None or first is None or first.message_id != message_id:
        return None
    after = machine.after(exchange.state, first.move, exchange.party)
    if after is None:
        return None
    if ours.behind is None or machine.after(after, ours.move, exchange.party) is None:
        return _moved(exchange, after)  # nothing waits behind it, or the process is over
    return replace(_moved(exchange, after), pending=replace(ours, behind=None))


def refused(
    machine: Machine, exchange: Exchange, message_id: MessageId, peer_state: State | None
) -> Exchange:
    """The peer refused our move for good. Of its state, adopt what ends or suspends, or our own move.

    What carries content (an offer, an agreement, a start) must come as a message of its own.
    """
    ours = exchange.pending
    first = None if ours is None else ours.behind or ours
    if ours is None or first is None or first.message_id != message_id:
        return exchange
    arrived = machine.after(exchange.state, first.move, exchange.party)
    if arrived is not None and arrived is peer_state:
        return delivered(machine, exchange, first.message_id) or exchange
    free = replace(exchange, pending=None, version=exchange.version + 1)
    if ours.behind is not None:
        return replace(free, pending=replace(ours, behind=None))
    if exchange.state is State.INITIAL:
        return _moved(exchange, State.TERMINATED)  # there is nothing at the peer to come back to
    if peer_state is State.SUSPENDED and peer_state in _reachable(machine, free.state, free.party.other):
        return _moved(free, State.SUSPENDED)
    return adopted(machine, free, peer_state)


def adopted(machine: Machine, exchange: Exchange, peer_state: State | None) -> Exchange:
    """Take over the peer's state where it ends the process and ours allows that.

    A state that was read may be old. One that ends a process stays true; a suspension may be over.
    """
    if peer_state is None or not machine.is_final(peer_state) or exchange.pending is not None:
        return exchange
    by_peer = _reachable(machine, exchange.state, exchange.party.other) & _ADOPTED
    by_us = _reachable(machine, exchange.state, exchange.party)
    return _moved(exchange, peer_state) if peer_state in by_peer | by_us else exchange


def rank(move: Move) -> int:
    """How strong a move is where two cross."""
    return _RANK.get(move, 0)


def _reachable(machine: Machine, state: State, party: Party) -> set[State]:
    return {to for (at, _, by), to in machine.transitions.items() if at is state and by is party}


def _moved(exchange: Exchange, state: State) -> Exchange:
    return replace(exchange, state=state, pending=None, version=exchange.version + 1)
