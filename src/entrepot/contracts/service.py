"""Use cases of negotiation. Each takes an open transaction; none sends anything itself."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection

from entrepot.contracts import exchange as moves
from entrepot.contracts import store
from entrepot.contracts.addressing import identified, meant
from entrepot.contracts.desk import SIGNING, Desk, Listing, Next, Published, Step, waits_for_a_person
from entrepot.contracts.events import Event
from entrepot.contracts.exchange import Exchange, Move, Party, State
from entrepot.contracts.life import Contract, agreement_of, settle_contract
from entrepot.contracts.model import Agreement, Message, Negotiation, Offer, Reason, Signing
from entrepot.contracts.posting import post
from entrepot.contracts.rules import NEGOTIATION, is_settled
from entrepot.journal import (
    NEWEST,
    AuditEvent,
    OutboxMessage,
    Page,
    Place,
    Transaction,
    audit,
    enqueue,
    holds_lane,
    is_untried,
    withdraw_lane,
    withdraw_unsent,
)
from entrepot.policy import Policy
from entrepot.values import (
    ConflictError,
    ContractId,
    Did,
    Digest,
    MessageId,
    NotFoundError,
    ProcessId,
    ProtocolError,
    RefusedError,
    UtcTime,
    canonical,
)

_SHARE_OF: Final = timedelta(days=1)


def request_contract(
    tx: Transaction, desk: Desk, provider: Did, address: str, offer: Offer, product_digest: Digest | None
) -> Negotiation:
    """Ask a provider for a contract on `offer`; the negotiation then goes by itself."""
    return _begin(tx, desk, Party.CONSUMER, provider, address, offer, product_digest)


def offer_contract(
    tx: Transaction, desk: Desk, consumer: Did, address: str, offer: Offer, product_digest: Digest | None
) -> Negotiation:
    """Offer a consumer a contract that it has not asked for."""
    return _begin(tx, desk, Party.PROVIDER, consumer, address, offer, product_digest)


def _begin(
    tx: Transaction,
    desk: Desk,
    party: Party,
    peer: Did,
    address: str,
    offer: Offer,
    product_digest: Digest | None,
) -> Negotiation:
    assigner, assignee = (peer, desk.me) if party is Party.CONSUMER else (desk.me, peer)
    offer = replace(offer, assigner=assigner, assignee=assignee)
    negotiation = Negotiation(
        exchange=Exchange(ProcessId(tx.new_id()), party),
        counterparty=peer,
        address=address,
        offer=offer,
        asked=offer,
        signing=Signing(product_digest=product_digest),
    )
    first = Next(Move.REQUEST if party is Party.CONSUMER else Move.OFFER, offer)
    return _move(tx, desk, negotiation, first, None)


def receive(tx: Transaction, desk: Desk, message: Message, sender: Did, published: Published) -> Negotiation:
    """Take in one message: one state change, one audit event, the next move queued."""
    if message.move in {Move.REQUEST, Move.OFFER} and message.callback:
        return _receive_first(tx, desk, message, sender, published)
    before = meant(NEGOTIATION, message, sender, partial(store.read, tx.connection))
    exchange = identified(NEGOTIATION, before.exchange, message)
    _check_content(desk, before, message)
    if is_settled(exchange, message.move):
        return before
    pending = exchange.pending
    sent = pending is None or not is_untried(tx, pending.message_id)
    after = moves.receive(NEGOTIATION, exchange, message.move, exchange.party.other, sent=sent)
    if pending is not None and after.pending is None:
        withdraw_lane(tx, exchange.id)  # it has arrived, or comes too late
    negotiation = _taken_in(tx, replace(before, exchange=after), message, exchange.party.other)
    _audit_move(tx, exchange, after, message.move, exchange.party.other)
    return proceed(tx, desk, negotiation, before)


def _receive_first(
    tx: Transaction, desk: Desk, message: Message, sender: Did, published: Published
) -> Negotiation:
    offer = message.content
    if not isinstance(offer, Offer):
        raise ProtocolError("a first message carries an offer")
    party = Party.PROVIDER if message.move is Move.REQUEST else Party.CONSUMER
    peer_pid = message.consumer_pid if party is Party.PROVIDER else message.provider_pid
    if peer_pid is None:
        raise ProtocolError("a first message names the sender's process id")
    if store.find_by_peer(tx.connection, sender, party, peer_pid) is not None:
        raise ProtocolError("this process id is in use by another negotiation of yours")
    if party is Party.CONSUMER:
        _check_room(tx, desk, sender)
    # What comes unasked is nothing that we would sign without asking a person, whatever its terms are.
    unasked = Listing(offer, None, needs_person=True)
    listing = published(tx.connection, offer) if party is Party.PROVIDER else unasked
    if listing is None:
        raise NotFoundError("there is no such offer for you")
    assigner, assignee = (desk.me, sender) if party is Party.PROVIDER else (sender, desk.me)
    offer = replace(offer, assigner=assigner, assignee=assignee)
    new = Exchange(ProcessId(tx.new_id()), party, peer_pid=peer_pid)
    after = moves.receive(NEGOTIATION, new, message.move, party.other)
    negotiation = Negotiation(
        exchange=after,
        counterparty=sender,
        address=message.callback,
        offer=offer,
        asked=listing.offer,
        needs_person=listing.needs_person,
        signing=Signing(product_digest=listing.product_digest),
    )
    store.keep_terms(tx, after.id, party.other, offer)
    _audit_move(tx, new, after, message.move, party.other)
    return proceed(tx, desk, negotiation, None)


def _check_room(tx: Transaction, desk: Desk, provider: Did) -> None:
    """Refuse one more unasked offer where a party has made its share of them; nobody else's are touched."""
    found = store.unasked_offers(tx.connection, provider, tx.now - _SHARE_OF)
    if found >= desk.unasked_offers:
        raise RefusedError(
            f"{found} offers of yours that were not asked for wait here or came within a day; "
            f"at most {desk.unasked_offers} are taken"
        )


def move(tx: Transaction, desk: Desk, negotiation_id: ProcessId, next_move: Next) -> Negotiation:
    """Make a move that our owner wants: counter, reject, terminate."""
    before = existing(tx.connection, negotiation_id)
    return _move(tx, desk, before, next_move, before)


def approve(tx: Transaction, desk: Desk, negotiation_id: ProcessId) -> Negotiation:
    """A person of ours agrees to the offer on the table."""
    before = existing(tx.connection, negotiation_id)
    if not waits_for_a_person(before):
        raise ConflictError(f"in state {before.exchange.state} nothing waits for a person's approval")
    return proceed(tx, desk, replace(before, approved=True), before)


def product_known(tx: Transaction, negotiation_id: ProcessId, digest: Digest) -> None:
    """As consumer of an offer that came unasked: the product that it is about was looked up.

    **The caller has checked that it is the provider's.**
    """
    before = existing(tx.connection, negotiation_id)
    if before.signing.product_digest is None:
        signing = replace(before.signing, product_digest=digest)
        save(tx, replace(before, signing=signing, exchange=touched(before.exchange)), before)


def counter(tx: Transaction, desk: Desk, negotiation_id: ProcessId, policy: Policy) -> Negotiation:
    """A person of ours answers the offer on the table with other terms for the same product."""
    before = existing(tx.connection, negotiation_id)
    if not waits_for_a_person(before):
        raise ConflictError(f"in state {before.exchange.state} nothing waits for a person's answer")
    answer = Move.OFFER if before.exchange.party is Party.PROVIDER else Move.REQUEST
    return _move(tx, desk, before, Next(answer, replace(before.offer, policy=policy)), before)


def delivered(
    tx: Transaction, desk: Desk, message_id: MessageId, peer_pid: ProcessId | None
) -> Negotiation | None:
    """The peer answered 2xx. None where nothing waited for it: then the peer's state should be read."""
    before = store.find_by_message(tx.connection, message_id)
    if before is None or (after := moves.delivered(NEGOTIATION, before.exchange, message_id)) is None:
        return None
    if after.peer_pid is None:
        after = replace(after, peer_pid=peer_pid)
    return _learnt(tx, desk, replace(before, exchange=after), before)


def used_already(tx: Transaction, desk: Desk, contract: Contract) -> Contract:
    """Whoever asks to use a contract has our `FINALIZED`, though the answer to it is not back yet."""
    negotiation = read_negotiation(tx.connection, contract.negotiation_id)
    pending = None if negotiation is None else negotiation.exchange.pending
    if pending is None or pending.move is not Move.FINALIZE or is_untried(tx, pending.message_id):
        return contract
    delivered(tx, desk, pending.message_id, None)
    return agreement_of(tx.connection, contract.agreement.id) or contract


def refused(
    tx: Transaction, desk: Desk, message_id: MessageId, peer_state: State | None, why: str
) -> Negotiation | None:
    """The peer refused our message for good, or it could not be brought to it before its deadline.

    A negotiation in which one of our messages was refused is ended: its terms could not be settled.
    """
    before = store.find_by_message(tx.connection, message_id)
    if before is None or before.exchange.pending is None:
        return None
    after = moves.refused(NEGOTIATION, before.exchange, message_id, peer_state)
    gave_up_ending = after.pending is None and before.exchange.pending.move is Move.TERMINATE
    if gave_up_ending and not NEGOTIATION.is_final(after.state):
        after = replace(after, state=State.TERMINATED)
    negotiation = replace(before, exchange=after, problem=why)
    if after.state is not before.exchange.state or after.pending is not None:
        return _learnt(tx, desk, negotiation, before)
    return _move(tx, desk, negotiation, Next(Move.TERMINATE, Reason("refused")), before)


def _learnt(tx: Transaction, desk: Desk, negotiation: Negotiation, before: Negotiation) -> Negotiation:
    """Go on from what an answer told of our own move."""
    after, was = negotiation.exchange, before.exchange
    if after.pending is None and was.pending is not None and was.pending.behind is not None:
        withdraw_unsent(tx, after.id)  # the move that waited behind it has nothing left to do
    if after.state is not was.state:
        _audit_move(tx, was, after, None, after.party)
    return proceed(tx, desk, negotiation, before)


def adopt(tx: Transaction, negotiation_id: ProcessId, peer_state: State | None) -> None:
    """The peer was asked for its state; take over what ends the negotiation."""
    before = existing(tx.connection, negotiation_id)
    after = moves.adopted(NEGOTIATION, before.exchange, peer_state)
    if after is not before.exchange:
        _audit_move(tx, before.exchange, after, None, after.party.other)
        save(tx, replace(before, exchange=after), before)
        settle_contract(tx, replace(before, exchange=after))


def step_failed(tx: Transaction, desk: Desk, negotiation_id: ProcessId, why: str) -> None:
    """A step of signing was refused, or not possible before its deadline: the negotiation is ended."""
    before = existing(tx.connection, negotiation_id)
    pending = before.exchange.pending
    if not NEGOTIATION.is_final(before.exchange.state) and (
        pending is None or pending.move is not Move.TERMINATE
    ):
        failed = replace(before, problem=why[:1000])
        _move(tx, desk, failed, Next(Move.TERMINATE, Reason("signing", (why[:500],))), before)


def read_negotiation(connection: Connection, negotiation_id: ProcessId) -> Negotiation | None:
    return store.read(connection, negotiation_id)


def negotiations(connection: Connection, most: int = 200) -> list[Negotiation]:
    """The newest of them."""
    return list(negotiation_page(connection, Place(size=most)).items)


def negotiation_page(connection: Connection, place: Place) -> Page[Negotiation]:
    return store.page(connection, place)


def waiting_for_a_person(connection: Connection, place: Place = NEWEST) -> Page[Negotiation]:
    """Negotiations in which an offer of the other side is neither ours nor approved. A page may be short."""
    found = store.waiting(connection, place)
    return replace(found, items=tuple(n for n in found.items if waits_for_a_person(n)))


def versions_of(connection: Connection, negotiation_id: ProcessId) -> list[tuple[int, Party, UtcTime, bytes]]:
    """Every version of the terms, oldest first."""
    return store.terms_of(connection, negotiation_id)


def _check_content(desk: Desk, n: Negotiation, message: Message) -> None:
    """Refuse terms for another product or between other parties than the negotiation is about."""
    content = message.content
    if message.move in {Move.REQUEST, Move.OFFER} and not isinstance(content, Offer):
        raise ProtocolError(f"a message to {message.move} carries an offer")
    if message.move is Move.AGREE and not isinstance(content, Agreement):
        raise ProtocolError("an agreement message carries an agreement")
    if isinstance(content, Offer | Agreement) and content.target != n.offer.target:
        raise ProtocolError(f"this negotiation is about {n.offer.target}, not about {content.target}")
    if isinstance(content, Agreement) and (content.assigner, content.assignee) != (n.counterparty, desk.me):
        raise ProtocolError(f"an agreement here has assigner {n.counterparty} and assignee {desk.me}")


def _taken_in(tx: Transaction, negotiation: Negotiation, message: Message, sender: Party) -> Negotiation:
    """Put what a message carries into the negotiation."""
    content = message.content
    match content:
        case Offer():
            store.keep_terms(tx, negotiation.exchange.id, sender, content)
            kept = negotiation.offer
            # Who the parties are was settled by the first message; a later one cannot change it.
            offer = replace(content, assigner=kept.assigner, assignee=kept.assignee)
            negotiation = replace(negotiation, offer=offer, approved=False)
        case Agreement():
            store.keep_terms(tx, negotiation.exchange.id, sender, content)
            negotiation = replace(negotiation, agreement=content)
        case Reason():
            texts = ", ".join((content.code, *content.texts))
            negotiation = replace(negotiation, problem=f"the {sender} ended it: {texts}"[:1000])
        case _:
            pass
    return negotiation


def proceed(tx: Transaction, desk: Desk, negotiation: Negotiation, before: Negotiation | None) -> Negotiation:
    """Do what the responder wants next, and save all of it at once over `before`."""
    if before is not None and negotiation.exchange.version == before.exchange.version:
        negotiation = replace(negotiation, exchange=touched(negotiation.exchange))
    if before is None or negotiation.exchange.state is not before.exchange.state:
        settle_contract(tx, negotiation)
    wanted = desk.respond(negotiation, tx.now) if negotiation.exchange.pending is None else None
    if isinstance(wanted, Next):
        return _move(tx, desk, negotiation, wanted, before)
    save(tx, negotiation, before)
    if wanted is not None:
        _queue_step(tx, desk, negotiation, wanted)
    return negotiation


def _move(
    tx: Transaction, desk: Desk, negotiation: Negotiation, wanted: Next, stored: Negotiation | None
) -> Negotiation:
    """Make a move of our own, and save the negotiation over what is `stored` of it."""
    before = negotiation.exchange
    message_id = MessageId(tx.new_id())
    sent = before.pending is not None and withdraw_unsent(tx, before.id) == 0
    after = moves.propose(NEGOTIATION, before, wanted.move, message_id, sent=sent)
    content = wanted.content
    match content:
        case Agreement() as agreement:
            signing = replace(negotiation.signing, contract_id=ContractId(agreement.id))
            negotiation = replace(negotiation, agreement=agreement, signing=signing)
            store.keep_terms(tx, before.id, before.party, agreement)
        case Offer():
            kept = negotiation.offer
            if content.target != kept.target:
                raise ProtocolError(f"this negotiation is about {kept.target}, not about {content.target}")
            content = replace(content, assigner=kept.assigner, assignee=kept.assignee)
            # A consumer's own terms need nobody's word again, though the first offer came unasked.
            needs_person = negotiation.needs_person and before.party is Party.PROVIDER
            negotiation = replace(
                negotiation, offer=content, asked=content, approved=False, needs_person=needs_person
            )
            store.keep_terms(tx, before.id, before.party, content)
        case _:
            pass
    negotiation = replace(negotiation, exchange=after)
    save(tx, negotiation, stored)
    post(tx, desk, before, wanted.move, message_id, content, negotiation.address)
    return negotiation


def _queue_step(tx: Transaction, desk: Desk, negotiation: Negotiation, step: Step) -> None:
    """Queue a step of signing once; it is repeated until it is done or the deadline is over."""
    lane = f"{negotiation.exchange.id}#{step}"
    if holds_lane(tx, lane):
        return
    enqueue(
        tx,
        OutboxMessage(
            id=MessageId(tx.new_id()),
            kind=SIGNING,
            lane=lane,
            address=negotiation.exchange.id,
            body=str(step).encode(),
            not_before=tx.now,
            deadline=tx.now + desk.deadline,
        ),
    )


def save(tx: Transaction, negotiation: Negotiation, before: Negotiation | None) -> None:
    """Write a negotiation over what was read; None where there is none yet."""
    if before is None:
        store.create(tx, negotiation)
    else:
        store.save(tx, negotiation, before)


def touched(exchange: Exchange) -> Exchange:
    return replace(exchange, version=exchange.version + 1)


def existing(connection: Connection, negotiation_id: ProcessId) -> Negotiation:
    negotiation = store.read(connection, negotiation_id)
    if negotiation is None:
        raise NotFoundError("there is no such negotiation here")
    return negotiation


def _audit_move(tx: Transaction, before: Exchange, after: Exchange, by: Move | None, sender: Party) -> None:
    facts: dict[str, canonical.Json] = {
        "process": after.id,
        "from": str(before.state),
        "to": str(after.state),
        "by": str(sender),
    }
    audit(tx, AuditEvent(Event.MOVED, facts | ({} if by is None else {"move": str(by)})))
