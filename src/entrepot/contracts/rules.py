"""The contract negotiation of the Dataspace Protocol 2025-1, as a table.

The figure lets each side terminate in some states; the text says *at any state*, and other connectors
do. So the table lets both, in every state that is not final.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from entrepot.contracts.exchange import Exchange, Machine, Move, Party, State

NEGOTIATION: Final = Machine(
    "negotiation",
    MappingProxyType(
        {
            (State.INITIAL, Move.REQUEST, Party.CONSUMER): State.REQUESTED,
            (State.INITIAL, Move.OFFER, Party.PROVIDER): State.OFFERED,
            (State.REQUESTED, Move.OFFER, Party.PROVIDER): State.OFFERED,
            (State.REQUESTED, Move.AGREE, Party.PROVIDER): State.AGREED,
            (State.REQUESTED, Move.TERMINATE, Party.CONSUMER): State.TERMINATED,
            (State.REQUESTED, Move.TERMINATE, Party.PROVIDER): State.TERMINATED,
            (State.OFFERED, Move.REQUEST, Party.CONSUMER): State.REQUESTED,
            (State.OFFERED, Move.ACCEPT, Party.CONSUMER): State.ACCEPTED,
            (State.OFFERED, Move.TERMINATE, Party.CONSUMER): State.TERMINATED,
            (State.OFFERED, Move.TERMINATE, Party.PROVIDER): State.TERMINATED,
            (State.ACCEPTED, Move.AGREE, Party.PROVIDER): State.AGREED,
            (State.ACCEPTED, Move.TERMINATE, Party.CONSUMER): State.TERMINATED,
            (State.ACCEPTED, Move.TERMINATE, Party.PROVIDER): State.TERMINATED,
            (State.AGREED, Move.VERIFY, Party.CONSUMER): State.VERIFIED,
            (State.AGREED, Move.TERMINATE, Party.CONSUMER): State.TERMINATED,
            (State.AGREED, Move.TERMINATE, Party.PROVIDER): State.TERMINATED,
            (State.VERIFIED, Move.FINALIZE, Party.PROVIDER): State.FINALIZED,
            (State.VERIFIED, Move.TERMINATE, Party.CONSUMER): State.TERMINATED,
            (State.VERIFIED, Move.TERMINATE, Party.PROVIDER): State.TERMINATED,
        }
    ),
)
_SETTLED: Final[Mapping[tuple[Move, Party], frozenset[State]]] = {
    (Move.ACCEPT, Party.CONSUMER): frozenset({State.ACCEPTED}),
    (Move.VERIFY, Party.CONSUMER): frozenset({State.VERIFIED, State.FINALIZED}),
    (Move.FINALIZE, Party.PROVIDER): frozenset({State.FINALIZED}),
}
"""Moves that carry nothing, and the states in which they have been made for certain."""


def is_settled(exchange: Exchange, move: Move) -> bool:
    """Whether the peer says once more what it has said, and what carries nothing that could be new.

    An Eclipse connector under load verifies one agreement twice, under two ids, and takes a 400 for the end.
    """
    return exchange.state in _SETTLED.get((move, exchange.party.other), ())
