"""What a node negotiates with, and what it does next.

What to do next is one function, the `Responder`; its default is the product's: a request equal to what
is offered is agreed by rule, anything else waits for a person.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from sqlalchemy import Connection

from entrepot.contracts.digital import Signatory, ends_at, signed_by
from entrepot.contracts.exchange import Move, Party, State
from entrepot.contracts.model import Agreement, Content, Message, Negotiation, Offer, Reason
from entrepot.policy import service_parties
from entrepot.values import AgreementId, Did, Digest, ProtocolError, UtcTime

Render: TypeAlias = Callable[[Message, str], tuple[str, bytes]]
"""Writes a message for a base address: where it goes, and its bytes, the same every time."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What we offer, or would accept, for a product."""

    offer: Offer
    product_digest: Digest | None
    needs_person: bool = False
    """Even a request equal to the offer waits for a person (high grades)."""


Published: TypeAlias = Callable[[Connection, Offer], Listing | None]
"""Finds our listing of the product that somebody asks for; None where there is none for them."""

DSP: Final = "dsp"
SIGNING: Final = "signing"
"""Kinds of outbox messages: protocol messages, and the steps of signing."""


class Step(StrEnum):
    """What the signing of a contract needs from outside the transaction."""

    GET_CONTRACT_ID = "get-contract-id"
    SIGN_AND_HAND_OVER = "sign-and-hand-over"
    GATHER_SIGNATURES = "gather-signatures"
    COUNTERSIGN_AND_FILE = "countersign-and-file"


@dataclass(frozen=True, slots=True)
class Next:
    """The next move of our own, and what it carries."""

    move: Move
    content: Content = None


Responder: TypeAlias = Callable[[Negotiation, UtcTime], Next | Step | None]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the use cases need to know of their node."""

    me: Did
    render: Render
    respond: "Responder"
    callback: str = ""
    """Our own base address, which a first message names."""
    follow_up: timedelta = timedelta(milliseconds=200)
    deadline: timedelta = timedelta(hours=24)
    deadline_waiting: timedelta = timedelta(minutes=10)
    """For a first request: somebody waits for its answer."""
    unasked_offers: int = 20
    """How many offers of one party that we have not asked for may wait here, or have come within a day."""


def respond(negotiation: Negotiation, now: UtcTime) -> Next | Step | None:
    """The product's responder: agree by rule to what we asked for or offer, else wait for a person."""
    state, party = negotiation.exchange.state, negotiation.exchange.party
    if _has_expired(negotiation, now):
        return Next(Move.TERMINATE, Reason("expired", ("what was offered has run out",)))
    wanted = negotiation.approved or (is_ours(negotiation) and not negotiation.needs_person)
    if party is Party.PROVIDER:
        return _respond_as_provider(negotiation, state, now, wanted=wanted)
    if state is State.OFFERED and wanted:
        return Next(Move.ACCEPT)
    if state is State.AGREED:
        if not _is_what_was_offered(negotiation):
            return Next(Move.TERMINATE, Reason("terms", ("the agreement is not what was offered",)))
        return Next(Move.VERIFY) if negotiation.signing.handed_over else Step.SIGN_AND_HAND_OVER
    return None


def is_ours(negotiation: Negotiation) -> bool:
    """Say whether the terms on the table are those that we asked for or offer, for the same product."""
    offer, asked = negotiation.offer, negotiation.asked
    return offer.policy == asked.policy and offer.target == asked.target


def waits_for_a_person(n: Negotiation) -> bool:
    """Say whether only a person of ours can agree to what is on the table."""
    at = (n.exchange.state, n.exchange.party)
    return (
        n.exchange.pending is None
        and not n.approved
        and (n.needs_person or not is_ours(n))
        and at in {(State.REQUESTED, Party.PROVIDER), (State.OFFERED, Party.CONSUMER)}
    )


def _has_expired(n: Negotiation, now: UtcTime) -> bool:
    """Say whether the terms ran out before they were signed and filed: nobody signs what is over."""
    ends = ends_at(n.offer.policy)
    is_open = n.exchange.state not in {State.INITIAL, State.FINALIZED, State.TERMINATED}
    return is_open and not n.signing.receipt and ends is not None and ends <= now


def _is_what_was_offered(n: Negotiation) -> bool:
    offered, agreement = n.offer, n.agreement
    return agreement is not None and (
        (agreement.policy, agreement.target, agreement.assigner, agreement.assignee)
        == (offered.policy, offered.target, offered.assigner, offered.assignee)
    )


def _respond_as_provider(n: Negotiation, state: State, now: UtcTime, *, wanted: bool) -> Next | Step | None:
    if state is State.ACCEPTED or (state is State.REQUESTED and wanted):
        if n.signing.contract_id is None:
            return Step.GET_CONTRACT_ID
        agreement = Agreement(
            id=AgreementId(n.signing.contract_id),
            target=n.offer.target,
            policy=n.offer.policy,
            assigner=_named(n.offer.assigner),
            assignee=n.counterparty,
            timestamp=now,
        )
        return Next(Move.AGREE, agreement)
    if state is State.VERIFIED:
        if n.signing.receipt:
            return Next(Move.FINALIZE)
        return Step.GATHER_SIGNATURES if unsigned_services(n) else Step.COUNTERSIGN_AND_FILE
    return None


def unsigned_services(n: Negotiation) -> tuple[Did, ...]:
    """The service parties of an agreement that have not signed it yet."""
    named = () if n.agreement is None else service_parties(n.agreement.policy)
    if not named:
        return ()
    signed = signed_by(n.signing.envelope, Signatory.SERVICE_PARTY)
    return tuple(did for did in named if did not in signed)


def _named(party: Did | None) -> Did:
    """The parties of a negotiation are known from its first message on."""
    if party is None:
        raise ProtocolError("the offer does not name its assigner")
    return party
