"""The contract negotiation of the Dataspace Protocol 2025-1, as a table.

The figure lets each side terminate in some states; the text says *at any state*, and other connectors
do. So the table lets both, in every state that is not final.
"""

from types import MappingProxyType
from typing import Final

from entrepot.contracts.exchange import Machine, Move, Party, State

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
