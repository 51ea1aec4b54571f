"""Every order of events in a small world of two parties and the worst network there is.

The parties are the product's own `exchange` functions with a lane of outgoing messages and a memory of
answers each. The network never forgets: whatever left once may arrive at any later time, any number of
times, or never; so may answers while their sender still waits. A state that was read from the peer may
be old when it is used. `explore` visits every situation that can come about when each party makes at
most so many moves of its own, and gives what it found.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from entrepot.contracts import exchange as moves
from entrepot.contracts.exchange import Exchange, Machine, Move, Party, State
from entrepot.values import ConflictError, MessageId, ProcessId, TransitionError

FIRST: Final = {Move.REQUEST, Move.OFFER}


@dataclass(frozen=True, slots=True)
class Side:
    """One party: its exchange, its lane, its memory of answers, and what it read of the peer."""

    exchange: Exchange
    lane: tuple[tuple[MessageId, Move, bool], ...] = ()
    """Id, move, and whether it was ever sent; the first one goes first."""
    answers: frozenset[tuple[MessageId, bool]] = frozenset()
    read: tuple[MessageId, State] | None = None
    """The peer's state, read after this message of ours was refused."""
    made: int = 0


@dataclass(frozen=True, slots=True)
class World:
    consumer: Side
    provider: Side
    sent: frozenset[tuple[Party, MessageId, Move]] = frozenset()

    def side(self, party: Party) -> Side:
        return self.consumer if party is Party.CONSUMER else self.provider

    def having(self, party: Party, side: Side) -> "World":
        if party is Party.CONSUMER:
            return replace(self, consumer=side)
        return replace(self, provider=side)

    @property
    def is_quiet(self) -> bool:
        return not self.consumer.lane and not self.provider.lane


@dataclass(slots=True)
class Found:
    worlds: int = 0
    arrows: Counter[tuple[State, Move, Party]] = field(default_factory=Counter)
    apart: list[World] = field(default_factory=list)
    """Quiet worlds whose sides hold different states."""
    stuck: list[World] = field(default_factory=list)
    """Worlds from which no quiet one can be reached."""


def explore(
    machine: Machine,
    most: int,
    first: Party = Party.CONSUMER,
    receive: Callable[..., Exchange] = moves.receive,
) -> Found:
    """Visit every world that can come about while each side makes at most `most` moves of its own."""
    start = World(
        Side(Exchange(ProcessId("c"), Party.CONSUMER)), Side(Exchange(ProcessId("p"), Party.PROVIDER))
    )
    found = Found()
    known: dict[World, int] = {start: 0}
    before: list[list[int]] = [[]]
    order = [start]
    waiting = deque([start])
    while waiting:
        world = waiting.popleft()
        for arrow, after in _events(machine, world, most, first, receive):
            if arrow is not None:
                found.arrows[arrow] += 1
            if after not in known:
                known[after] = len(order)
                order.append(after)
                before.append([])
                waiting.append(after)
            before[known[after]].append(known[world])
    found.worlds = len(order)
    quiet = [i for i, world in enumerate(order) if world.is_quiet]
    found.apart = [
        order[i] for i in quiet if order[i].consumer.exchange.state is not order[i].provider.exchange.state
    ]
    reaching = set(quiet)
    stack = quiet
    while stack:
        for i in before[stack.pop()]:
            if i not in reaching:
                reaching.add(i)
                stack.append(i)
    found.stuck = [world for i, world in enumerate(order) if i not in reaching]
    return found


_Arrow = tuple[State, Move, Party] | None


def _events(
    machine: Machine, world: World, most: int, first: Party, receive: Callable[..., Exchange]
) -> Iterator[tuple[_Arrow, World]]:
    for party in Party:
        side = world.side(party)
        yield from _owner(machine, world, party, side, most, first)
        if side.lane and not side.lane[0][2]:
            message_id, move, _ = side.lane[0]
            lane = ((message_id, move, True), *side.lane[1:])
            yield (
                None,
                replace(
                    world.having(party, replace(side, lane=lane)),
                    sent=world.sent | {(party, message_id, move)},
                ),
            )
        yield from _answers(machine, world, party, side)
    for sender, message_id, move in world.sent:
        yield from _arrival(machine, world, sender, message_id, move, receive)


def _owner(
    machine: Machine, world: World, party: Party, side: Side, most: int, first: Party
) -> Iterator[tuple[_Arrow, World]]:
    """The owner of a side wants each move that its table has for the present state."""
    state = side.exchange.state
    if side.made == most or (state is State.INITIAL and (party is not first or side.made)):
        return
    for at, move, by in machine.transitions:
        if at is not state or by is not party:
            continue
        message_id = MessageId(f"{party}{side.made}")
        sent = side.exchange.pending is not None and _left(side, side.exchange.pending.message_id)
        try:
            after = moves.propose(machine, side.exchange, move, message_id, sent=sent)
        except ConflictError:
            continue
        kept = tuple(m for m in side.lane if m[2])
        lane = (*kept, (message_id, move, False))
        yield None, world.having(party, replace(_plain(side, after), lane=lane, made=side.made + 1))


def _arrival(
    machine: Machine,
    world: World,
    sender: Party,
    message_id: MessageId,
    move: Move,
    receive: Callable[..., Exchange],
) -> Iterator[tuple[_Arrow, World]]:
    receiver = sender.other
    side = world.side(receiver)
    if any(m == message_id for m, _ in side.answers):
        return  # a repeat: answered as before, nothing moves
    before = side.exchange
    if before.state is State.INITIAL and before.pending is None and move not in FIRST:
        return  # there is no such process yet: 404, too early
    sent = before.pending is not None and _left(side, before.pending.message_id)
    try:
        after = receive(machine, before, move, sender, sent=sent)
    except moves.WaitError:
        return
    except TransitionError:
        refused = replace(side, answers=side.answers | {(message_id, False)})
        yield None, world.having(receiver, refused)
        return
    arrow = next(
        (at, move, by)
        for (at, m, by), to in machine.transitions.items()
        if m is move and by is sender and to is after.state and at in _possible(machine, before)
    )
    kept = after.pending is not None
    lane = side.lane if kept else tuple(m for m in side.lane if m[2])  # what never left is withdrawn
    taken = replace(_plain(side, after), lane=lane, answers=side.answers | {(message_id, True)})
    yield arrow, world.having(receiver, taken)


def _answers(machine: Machine, world: World, party: Party, side: Side) -> Iterator[tuple[_Arrow, World]]:
    """The answer to the first message of the lane comes in, or the state read after a refusal."""
    if not side.lane or not side.lane[0][2]:
        return
    message_id, move, _ = side.lane[0]
    peer = world.side(party.other)
    if side.read is not None and side.read[0] == message_id:
        after = moves.refused(machine, side.exchange, message_id, side.read[1])
        if move is Move.TERMINATE and not machine.is_final(after.state):
            after = replace(after, state=State.TERMINATED)
        lane = _without(side, message_id, after)
        yield None, world.having(party, replace(_plain(side, after), lane=lane, read=None))
    elif (message_id, True) in peer.answers:
        gone = moves.delivered(machine, side.exchange, message_id)
        after = gone or side.exchange
        lane = _without(side, message_id, after)
        yield None, world.having(party, replace(_plain(side, after), lane=lane))
        if gone is None:  # the peer took what we had dropped: read its state
            adopted = moves.adopted(machine, side.exchange, peer.exchange.state)
            yield None, world.having(party, replace(_plain(side, adopted), lane=lane))
    elif (message_id, False) in peer.answers:
        yield None, world.having(party, replace(side, read=(message_id, peer.exchange.state)))


def _without(side: Side, message_id: MessageId, after: Exchange) -> tuple[tuple[MessageId, Move, bool], ...]:
    rest = tuple(m for m in side.lane if m[0] != message_id)
    return rest if after.pending is not None else tuple(m for m in rest if m[2])


def _left(side: Side, message_id: MessageId) -> bool:
    return any(m == message_id and sent for m, _, sent in side.lane)


def _possible(machine: Machine, exchange: Exchange) -> set[State | None]:
    states: set[State | None] = {exchange.state}
    if exchange.pending is not None:
        states.add(machine.after(exchange.state, exchange.pending.move, exchange.party))
    return states


def _plain(side: Side, after: Exchange) -> Side:
    """Keep the version out of it: it only counts, and would make every world a new one."""
    return replace(side, exchange=replace(after, version=0))
