"""Two parties hold one state, in whatever order their messages meet."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import explore

from entrepot.contracts import NEGOTIATION, Exchange, Machine, Move, Party, Pending, State
from entrepot.contracts import exchange as moves
from entrepot.contracts.rules import is_settled
from entrepot.use.process import TRANSFER
from entrepot.values import ConflictError, MessageId, ProcessId, TransitionError

MACHINES = [NEGOTIATION, TRANSFER]
M1, M2, M3 = MessageId("m1"), MessageId("m2"), MessageId("m3")


def at(state: State, party: Party = Party.CONSUMER, pending: Pending | None = None) -> Exchange:
    return Exchange(ProcessId("p"), party, state, pending)


@pytest.mark.parametrize("first", Party)
def test_every_order_of_a_negotiation_ends_in_one_state(first: Party) -> None:
    """A negotiation that one side holds for agreed and the other for ended is a contract for one of them."""
    found = explore(NEGOTIATION, 3, first)

    assert (found.apart, found.stuck) == ([], [])


def test_every_order_of_a_transfer_process_ends_in_one_state() -> None:
    """A process that one side holds for suspended and the other for started leaks data or starves."""
    found = explore(TRANSFER, 3)

    assert (found.apart, found.stuck) == ([], [])
    assert {arrow for arrow in TRANSFER.transitions if not found.arrows[arrow]} == set()


def test_the_small_world_finds_what_merging_everything_breaks() -> None:
    """A proof that cannot fail proves nothing: with plainly merged suspensions the sides come apart."""
    found = explore(TRANSFER, 3, receive=_merging)

    assert found.apart


def _merging(
    machine: Machine, exchange: Exchange, move: Move, sender: Party, *, sent: bool = True
) -> Exchange:
    if exchange.pending is not None and exchange.pending.move is move:
        exchange = Exchange(exchange.id, exchange.party, exchange.state)
    return moves.receive(machine, exchange, move, sender, sent=sent)


FIGURE: Mapping[str, str] = {
    "negotiation": """
        INITIAL REQUESTED c, INITIAL OFFERED p, REQUESTED OFFERED p, REQUESTED AGREED p,
        REQUESTED TERMINATED cp, OFFERED REQUESTED c, OFFERED ACCEPTED c, OFFERED TERMINATED cp,
        ACCEPTED AGREED p, ACCEPTED TERMINATED cp, AGREED VERIFIED c, AGREED TERMINATED cp,
        VERIFIED FINALIZED p, VERIFIED TERMINATED cp""",
    "transfer process": """
        INITIAL REQUESTED c, REQUESTED STARTED p, REQUESTED TERMINATED cp, STARTED STARTED p,
        STARTED SUSPENDED cp, STARTED COMPLETED cp, STARTED TERMINATED cp, SUSPENDED STARTED cp,
        SUSPENDED TERMINATED cp""",
}
"""The standard's figures (dataspace-protocol.md 1.2): termination in any state, and the new door."""


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_the_table_has_the_arrows_of_the_figure(machine: Machine) -> None:
    """An arrow too many is a move that no other connector expects; one too few a message refused."""
    expected = {
        (State(before), State(after), Party.CONSUMER if letter == "c" else Party.PROVIDER)
        for before, after, letters in (line.split() for line in FIGURE[machine.name].split(","))
        for letter in letters
    }

    assert {(before, after, by) for (before, _, by), after in machine.transitions.items()} == expected


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
@given(state=st.sampled_from(State), move=st.sampled_from(Move), sender=st.sampled_from(Party))
def test_a_message_moves_along_an_arrow_or_changes_nothing(
    machine: Machine, state: State, move: Move, sender: Party
) -> None:
    """Anything the table does not name would be a state that was never agreed."""
    after = machine.after(state, move, sender)

    if after is None:
        with pytest.raises(TransitionError):
            moves.receive(machine, at(state, sender.other), move, sender)
    else:
        assert moves.receive(machine, at(state, sender.other), move, sender).state is after


@given(state=st.sampled_from(State), move=st.sampled_from(Move), sender=st.sampled_from(Party))
def test_only_what_has_been_said_can_be_said_again(state: State, move: Move, sender: Party) -> None:
    """A move for a repeat that was never made would be one that nobody took in: each way here has it."""
    if not is_settled(at(state, sender.other), move):
        return
    arrows = NEGOTIATION.transitions
    without = {key: to for key, to in arrows.items() if key[1:] != (move, sender)}
    reached = {State.INITIAL}
    while more := {to for (before, _, _), to in without.items() if before in reached} - reached:
        reached |= more

    assert NEGOTIATION.after(state, move, sender) is None
    assert state not in reached


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
@given(
    state=st.sampled_from(State),
    move=st.sampled_from(Move),
    party=st.sampled_from(Party),
    peer=st.none() | st.sampled_from(State),
)
def test_a_refused_move_leads_only_to_states_with_an_arrow(
    machine: Machine, state: State, move: Move, party: Party, peer: State | None
) -> None:
    """A peer that lies about its state must not push us where no message of ours or its own leads."""
    if machine.after(state, move, party) is None:
        return
    pending = moves.propose(machine, at(state, party), move, M1)

    after = moves.refused(machine, pending, M1, peer)

    one_arrow = {to for (before, _, _), to in machine.transitions.items() if before is state}
    assert after.pending is None
    assert after.state in one_arrow | {state} | ({State.TERMINATED} if state is State.INITIAL else set())


def test_nothing_is_taken_for_arrived_that_never_left() -> None:
    """A consumer that verifies before it was sent the agreement would be believed."""
    provider = at(State.REQUESTED, Party.PROVIDER, Pending(Move.AGREE, M1))

    assert moves.receive(NEGOTIATION, provider, Move.VERIFY, Party.CONSUMER).state is State.VERIFIED
    with pytest.raises(TransitionError):
        moves.receive(NEGOTIATION, provider, Move.VERIFY, Party.CONSUMER, sent=False)


def test_a_termination_waits_behind_a_move_that_has_left() -> None:
    """Were it sent at once, nobody could say whether the contract was finalized before it ended."""
    provider = at(State.VERIFIED, Party.PROVIDER, Pending(Move.FINALIZE, M1))

    both = moves.propose(NEGOTIATION, provider, Move.TERMINATE, M2)

    assert both.pending == Pending(Move.TERMINATE, M2, behind=Pending(Move.FINALIZE, M1))
    arrived = moves.delivered(NEGOTIATION, both, M1)
    assert arrived is not None
    assert (arrived.state, arrived.pending) == (State.FINALIZED, None)
    refused = moves.refused(NEGOTIATION, both, M1, State.VERIFIED)
    assert (refused.state, refused.pending) == (State.VERIFIED, Pending(Move.TERMINATE, M2))


def test_a_termination_takes_the_place_of_a_move_that_has_not_left() -> None:
    """What nobody has seen need not be sent any more."""
    provider = at(State.REQUESTED, Party.PROVIDER, Pending(Move.OFFER, M1))

    assert moves.propose(NEGOTIATION, provider, Move.TERMINATE, M2, sent=False).pending == Pending(
        Move.TERMINATE, M2
    )


def test_a_weaker_or_equal_move_of_our_own_waits_its_turn() -> None:
    """Two moves on their way at once could arrive in either order."""
    started = at(State.STARTED, Party.CONSUMER, Pending(Move.SUSPEND, M1))

    for move in (Move.SUSPEND, Move.COMPLETE):
        with pytest.raises(ConflictError):
            moves.propose(TRANSFER, started, move, M2)


@pytest.mark.parametrize("weaker", [Move.SUSPEND, Move.COMPLETE])
def test_a_termination_beats_what_it_crosses(weaker: Move) -> None:
    """Both sides must know which of two crossing moves counts."""
    ending = at(State.STARTED, Party.CONSUMER, Pending(Move.TERMINATE, M1))
    weak = at(State.STARTED, Party.PROVIDER, Pending(weaker, M2))

    with pytest.raises(TransitionError):
        moves.receive(TRANSFER, ending, weaker, Party.PROVIDER)
    assert moves.receive(TRANSFER, weak, Move.TERMINATE, Party.CONSUMER).state is State.TERMINATED


def test_of_two_suspensions_that_cross_the_providers_goes_through() -> None:
    """Were each taken as it comes, one could arrive after the process was started again."""
    provider = at(State.STARTED, Party.PROVIDER, Pending(Move.SUSPEND, M1))
    consumer = at(State.STARTED, Party.CONSUMER, Pending(Move.SUSPEND, M2))

    with pytest.raises(TransitionError):
        moves.receive(TRANSFER, provider, Move.SUSPEND, Party.CONSUMER)
    with pytest.raises(moves.WaitError):
        moves.receive(TRANSFER, consumer, Move.SUSPEND, Party.PROVIDER)
    freed = moves.refused(TRANSFER, consumer, M2, State.STARTED)
    assert moves.receive(TRANSFER, freed, Move.SUSPEND, Party.PROVIDER).state is State.SUSPENDED


def test_an_answer_to_something_else_moves_nothing() -> None:
    """A late answer to a move that was given up must not confirm the one after it."""
    waiting = at(State.STARTED, Party.CONSUMER, Pending(Move.COMPLETE, M1))

    assert moves.delivered(TRANSFER, waiting, M3) is None
    assert moves.refused(TRANSFER, waiting, M3, State.TERMINATED) is waiting


def test_a_move_that_has_not_left_follows_a_weaker_one() -> None:
    """Refusing the peer's start for a suspension that it has not seen would lose the new door's token."""
    consumer = at(State.STARTED, Party.CONSUMER, Pending(Move.SUSPEND, M1))

    after = moves.receive(TRANSFER, consumer, Move.START, Party.PROVIDER, sent=False)

    assert (after.state, after.pending) == (State.STARTED, Pending(Move.SUSPEND, M1))


def test_a_completion_that_has_not_left_refuses_a_suspension() -> None:
    """Completed beats suspended, and could not follow it."""
    consumer = at(State.STARTED, Party.CONSUMER, Pending(Move.COMPLETE, M1))

    with pytest.raises(TransitionError):
        moves.receive(TRANSFER, consumer, Move.SUSPEND, Party.PROVIDER, sent=False)
