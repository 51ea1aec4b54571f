"""Use cases of negotiation and contract. Each takes an open transaction; none sends anything itself.

What to do next is one function, the `Responder`; its default is the product's: a request equal to what
is offered is agreed by rule, anything else waits for a person.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Row

from entrepot.contracts import exchange as moves
from entrepot.contracts import store
from entrepot.contracts.digital import (
    EndReason,
    Signatory,
    Signature,
    Status,
    advance,
    contract_payload,
    ends_at,
    open_envelope,
    seal_envelope,
)
from entrepot.contracts.exchange import Exchange, Move, Party, State
from entrepot.contracts.model import Agreement, Content, Message, Negotiation, Offer, Reason, Signing
from entrepot.contracts.rules import NEGOTIATION
from entrepot.contracts.wire import parse_agreement, render_agreement
from entrepot.journal import (
    AuditEvent,
    OutboxMessage,
    Transaction,
    audit,
    enqueue,
    holds_lane,
    is_untried,
    withdraw_lane,
    withdraw_unsent,
)
from entrepot.values import (
    AgreementId,
    ConflictError,
    ContractId,
    Did,
    Digest,
    MessageId,
    NotFoundError,
    ProcessId,
    ProtocolError,
    UtcTime,
    canonical,
    sha256,
)

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


class Event(StrEnum):
    MOVED = "contract:negotiation:move"
    WAITING = "contract:negotiation:wait"
    FILED = "contract:contract:file"
    ENDED = "contract:contract:end"


class Step(StrEnum):
    """What the signing of a contract needs from outside the transaction."""

    GET_CONTRACT_ID = "get-contract-id"
    SIGN_AND_HAND_OVER = "sign-and-hand-over"
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


def _named(party: Did | None) -> Did:
    """The parties of a negotiation are known from its first message on."""
    if party is None:
        raise ProtocolError("the offer does not name its assigner")
    return party


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
        return Next(Move.FINALIZE) if n.signing.receipt else Step.COUNTERSIGN_AND_FILE
    return None


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
    store.create(tx, negotiation)
    return _move(tx, desk, negotiation, Next(Move.REQUEST if party is Party.CONSUMER else Move.OFFER, offer))


def receive(tx: Transaction, desk: Desk, message: Message, sender: Did, published: Published) -> Negotiation:
    """Take in one message: one state change, one audit event, the next move queued."""
    if message.move in {Move.REQUEST, Move.OFFER} and message.callback:
        return _receive_first(tx, desk, message, sender, published)
    negotiation = _meant(tx.connection, message, sender)
    exchange = _identified(negotiation.exchange, message)
    _check_content(desk, negotiation, message)
    pending = exchange.pending
    sent = pending is None or not is_untried(tx, pending.message_id)
    after = moves.receive(NEGOTIATION, exchange, message.move, exchange.party.other, sent=sent)
    if pending is not None and after.pending is None:
        withdraw_lane(tx, exchange.id)  # it has arrived, or comes too late
    negotiation = _taken_in(tx, replace(negotiation, exchange=after), message, exchange.party.other)
    _audit_move(tx, exchange, after, message.move, exchange.party.other)
    return _proceed(tx, desk, negotiation, before=exchange)


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
    listing = published(tx.connection, offer)
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
    store.create(tx, negotiation)
    store.keep_terms(tx, after.id, party.other, offer)
    _audit_move(tx, new, after, message.move, party.other)
    return _proceed(tx, desk, negotiation, before=after, saved=True)


def move(tx: Transaction, desk: Desk, negotiation_id: ProcessId, next_move: Next) -> Negotiation:
    """Make a move that our owner wants: counter, reject, terminate."""
    return _move(tx, desk, _existing(tx.connection, negotiation_id), next_move)


def approve(tx: Transaction, desk: Desk, negotiation_id: ProcessId) -> Negotiation:
    """A person of ours agrees to the offer on the table."""
    before = _existing(tx.connection, negotiation_id)
    if not waits_for_a_person(before):
        raise ConflictError(f"in state {before.exchange.state} nothing waits for a person's approval")
    return _proceed(tx, desk, replace(before, approved=True), before=before.exchange)


def delivered(
    tx: Transaction, desk: Desk, message_id: MessageId, peer_pid: ProcessId | None
) -> Negotiation | None:
    """The peer answered 2xx. None where nothing waited for it: then the peer's state should be read."""
    before = store.find_by_message(tx.connection, message_id)
    if before is None or (after := moves.delivered(NEGOTIATION, before.exchange, message_id)) is None:
        return None
    if after.peer_pid is None:
        after = replace(after, peer_pid=peer_pid)
    return _learnt(tx, desk, replace(before, exchange=after), before.exchange)


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
        return _learnt(tx, desk, negotiation, before.exchange)
    _save(tx, negotiation, before.exchange)
    return _move(tx, desk, negotiation, Next(Move.TERMINATE, Reason("refused")))


def _learnt(tx: Transaction, desk: Desk, negotiation: Negotiation, before: Exchange) -> Negotiation:
    """Go on from what an answer told of our own move."""
    after = negotiation.exchange
    if after.pending is None and before.pending is not None and before.pending.behind is not None:
        withdraw_unsent(tx, after.id)  # the move that waited behind it has nothing left to do
    if after.state is not before.state:
        _audit_move(tx, before, after, None, after.party)
    return _proceed(tx, desk, negotiation, before=before)


def adopt(tx: Transaction, negotiation_id: ProcessId, peer_state: State | None) -> None:
    """The peer was asked for its state; take over what ends the negotiation."""
    before = _existing(tx.connection, negotiation_id)
    after = moves.adopted(NEGOTIATION, before.exchange, peer_state)
    if after is not before.exchange:
        _audit_move(tx, before.exchange, after, None, after.party.other)
        _save(tx, replace(before, exchange=after), before.exchange)
        _settle_contract(tx, replace(before, exchange=after))


def contract_id_given(
    tx: Transaction, desk: Desk, negotiation_id: ProcessId, contract_id: ContractId
) -> None:
    """The platform gave the contract its id, so the agreement can be sent."""
    before = _existing(tx.connection, negotiation_id)
    if before.signing.contract_id is None:
        signing = replace(before.signing, contract_id=contract_id)
        _proceed(tx, desk, replace(before, signing=signing), before=before.exchange)


def handed_over(
    tx: Transaction, desk: Desk, negotiation_id: ProcessId, payload: bytes, envelope: bytes
) -> None:
    """Our signature is with the provider, so we may verify."""
    before = _existing(tx.connection, negotiation_id)
    if not before.signing.handed_over:
        signing = replace(before.signing, payload=payload, envelope=envelope, handed_over=True)
        _proceed(tx, desk, replace(before, signing=signing), before=before.exchange)


def counterparty_signed(
    tx: Transaction, negotiation_id: ProcessId, sender: Did, signature: Signature
) -> None:
    """The consumer's signature came. **The caller has verified it over `payload_of` the negotiation.**"""
    before = _existing(tx.connection, negotiation_id)
    if before.counterparty != sender or before.exchange.party is not Party.PROVIDER:
        raise NotFoundError("there is no such negotiation with you")
    if before.exchange.state is State.TERMINATED:
        raise ConflictError("the negotiation was terminated")
    if not before.signing.envelope:
        payload = payload_of(before)
        envelope = seal_envelope(payload, [signature])
        signing = replace(before.signing, payload=payload, envelope=envelope)
        _save(tx, replace(before, signing=signing, exchange=_touched(before.exchange)), before.exchange)


def contract_filed(
    tx: Transaction, desk: Desk, negotiation_id: ProcessId, envelope: bytes, receipt: bytes
) -> None:
    """The contract is filed: as provider we may finalize, as consumer we hold what we can prove."""
    before = _existing(tx.connection, negotiation_id)
    if before.signing.receipt:
        return
    signing = replace(before.signing, envelope=envelope, receipt=receipt)
    filed = replace(before, signing=signing)
    _keep_contract(tx, filed)
    _settle_contract(tx, filed)
    _proceed(tx, desk, filed, before=before.exchange)


def step_failed(tx: Transaction, desk: Desk, negotiation_id: ProcessId, why: str) -> None:
    """A step of signing was refused, or not possible before its deadline: the negotiation is ended."""
    before = _existing(tx.connection, negotiation_id)
    pending = before.exchange.pending
    if not NEGOTIATION.is_final(before.exchange.state) and (
        pending is None or pending.move is not Move.TERMINATE
    ):
        failed = replace(before, problem=why[:1000])
        _move(tx, desk, failed, Next(Move.TERMINATE, Reason("signing", (why[:500],))))


def payload_of(negotiation: Negotiation) -> bytes:
    """The bytes to be signed, as far as the negotiation has come."""
    agreement, digest = negotiation.agreement, negotiation.signing.product_digest
    if agreement is None or digest is None:
        raise ProtocolError("there is nothing to sign before the agreement")
    contract_id = negotiation.signing.contract_id or ContractId(agreement.id)
    return contract_payload(agreement, contract_id, digest)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that this node is party to."""

    agreement: Agreement
    contract_id: ContractId
    negotiation_id: ProcessId
    party: Party
    counterparty: Did
    status: Status
    product_digest: Digest
    envelope: bytes
    envelope_digest: Digest
    receipt: bytes
    one_sided: bool
    ends_at: UtcTime | None
    end_reason: EndReason | None
    ended_at: UtcTime | None


def agreement_of(connection: Connection, agreement_id: AgreementId) -> Contract | None:
    """Find the contract of an agreement."""
    row = store.contract_row(connection, agreement_id)
    return None if row is None else _contract_of(row)


def contract_by_id(connection: Connection, contract_id: ContractId) -> Contract | None:
    row = store.contract_row_by_id(connection, contract_id)
    return None if row is None else _contract_of(row)


def contracts_held(connection: Connection, most: int = 1000) -> list[Contract]:
    return [_contract_of(r) for r in store.contract_rows(connection, most)]


def in_force(contract: Contract, now: UtcTime) -> tuple[str, ...]:
    """Say why the contract does not hold at `now`; nothing where it does."""
    reasons = []
    if contract.status is not Status.PERFORMING:
        ended = f" ({contract.end_reason})" if contract.end_reason else ""
        reasons.append(f"the contract has status {contract.status}{ended}")
    if contract.ends_at is not None and now > contract.ends_at:
        reasons.append("the contract has expired")
    if now < contract.agreement.timestamp - timedelta(minutes=5):
        reasons.append("the contract has not begun")
    return tuple(reasons)


def end_contract(tx: Transaction, agreement_id: AgreementId, reason: EndReason) -> bool:
    """End a contract; from the moment this is durable no use under it begins. False when it had ended."""
    contract = agreement_of(tx.connection, agreement_id)
    if contract is None:
        raise NotFoundError("there is no such contract here")
    if contract.status is Status.ENDED:
        return False
    after = advance(contract.status, Status.ENDED)
    store.move_contract(tx, agreement_id, contract.status, after, reason, tx.now)
    audit(tx, AuditEvent(Event.ENDED, {"contract": contract.contract_id, "reason": str(reason)}))
    return True


def read_negotiation(connection: Connection, negotiation_id: ProcessId) -> Negotiation | None:
    return store.read(connection, negotiation_id)


def negotiations(connection: Connection, most: int = 200) -> list[Negotiation]:
    return store.every(connection, most)


def waiting_for_a_person(connection: Connection) -> list[Negotiation]:
    """Negotiations in which an offer of the other side is neither ours nor approved."""
    return [n for n in store.every(connection, 1000) if waits_for_a_person(n)]


def waits_for_a_person(n: Negotiation) -> bool:
    """Say whether only a person of ours can agree to what is on the table."""
    at = (n.exchange.state, n.exchange.party)
    return (
        n.exchange.pending is None
        and not n.approved
        and (n.needs_person or not is_ours(n))
        and at in {(State.REQUESTED, Party.PROVIDER), (State.OFFERED, Party.CONSUMER)}
    )


def versions_of(connection: Connection, negotiation_id: ProcessId) -> list[tuple[int, Party, UtcTime, bytes]]:
    """Every version of the terms, oldest first."""
    return store.terms_of(connection, negotiation_id)


def hold_insecure_unsigned(tx: Transaction, agreement: Agreement, party: Party, counterparty: Did) -> None:
    """Put an agreement into performance that nobody has signed. For rigs of test suites only; it warns."""
    warnings.warn("an agreement without signatures is held", stacklevel=2)
    values: dict[str, Any] = {
        "agreement_id": agreement.id,
        "contract_id": agreement.id,
        "negotiation_id": "",
        "party": str(party),
        "counterparty": counterparty,
        "status": str(Status.PERFORMING),
        "agreement": canonical.encode(render_agreement(agreement)),
        "product_digest": sha256(b""),
        "envelope": b"",
        "envelope_digest": sha256(b""),
        "receipt": b"",
        "one_sided": True,
        "ends_at": ends_at(agreement.policy),
        "end_reason": None,
        "ended_at": None,
    }
    store.keep_contract(tx, values)


def _meant(connection: Connection, message: Message, sender: Did) -> Negotiation:
    """Find the negotiation that a message is about: the one it is addressed to, or one of those it names."""
    named = (message.provider_pid, message.consumer_pid)
    for pid in named if message.addressed_to is None else (message.addressed_to,):
        found = None if pid is None else store.read(connection, pid)
        if found is not None and found.counterparty == sender:
            return found
    raise NotFoundError("there is no such negotiation with you")


def _identified(exchange: Exchange, message: Message) -> Exchange:
    """Check both process ids against those known, or learn the peer's."""
    consumer, provider = message.consumer_pid, message.provider_pid
    ours, theirs = (provider, consumer) if exchange.party is Party.PROVIDER else (consumer, provider)
    if ours not in {None, exchange.id}:
        raise NotFoundError("there is no such negotiation with you")
    if exchange.peer_pid is None:
        return replace(exchange, peer_pid=theirs)
    if theirs not in {None, exchange.peer_pid}:
        raise NotFoundError("there is no such negotiation with you")
    return exchange


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


def _proceed(
    tx: Transaction, desk: Desk, negotiation: Negotiation, *, before: Exchange, saved: bool = False
) -> Negotiation:
    """Save, then do what the responder wants next."""
    if not saved:
        if negotiation.exchange.version == before.version:
            negotiation = replace(negotiation, exchange=_touched(negotiation.exchange))
        _save(tx, negotiation, before)
    if negotiation.exchange.state is not before.state:
        _settle_contract(tx, negotiation)
    if negotiation.exchange.pending is not None:
        return negotiation
    wanted = desk.respond(negotiation, tx.now)
    match wanted:
        case Next():
            return _move(tx, desk, negotiation, wanted)
        case Step():
            _queue_step(tx, desk, negotiation, wanted)
        case None:
            pass
    return negotiation


def _move(tx: Transaction, desk: Desk, negotiation: Negotiation, wanted: Next) -> Negotiation:
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
            negotiation = replace(negotiation, offer=content, asked=content, approved=False)
            store.keep_terms(tx, before.id, before.party, content)
        case _:
            pass
    negotiation = replace(negotiation, exchange=after)
    _save(tx, negotiation, before)
    first = before.state is State.INITIAL
    is_consumer = before.party is Party.CONSUMER
    message = Message(
        id=message_id,
        move=wanted.move,
        consumer_pid=before.id if is_consumer else before.peer_pid,
        provider_pid=before.peer_pid if is_consumer else before.id,
        content=content,
        callback=desk.callback if first else "",
        addressed_to=before.peer_pid,
    )
    address, body = desk.render(message, negotiation.address)
    enqueue(
        tx,
        OutboxMessage(
            id=message_id,
            kind=DSP,
            lane=before.id,
            address=address,
            body=body,
            not_before=tx.now if first else tx.now + desk.follow_up,
            deadline=tx.now + desk.deadline,
        ),
    )
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


def _save(tx: Transaction, negotiation: Negotiation, before: Exchange) -> None:
    store.save(tx, negotiation, expected_version=before.version)


def _touched(exchange: Exchange) -> Exchange:
    return replace(exchange, version=exchange.version + 1)


def _existing(connection: Connection, negotiation_id: ProcessId) -> Negotiation:
    negotiation = store.read(connection, negotiation_id)
    if negotiation is None:
        raise NotFoundError("there is no such negotiation here")
    return negotiation


def _keep_contract(tx: Transaction, n: Negotiation) -> None:
    if n.agreement is None or n.signing.product_digest is None:
        raise ProtocolError("a contract needs an agreement and the product's digest")
    envelope = open_envelope(n.signing.envelope)
    store.keep_contract(
        tx,
        {
            "agreement_id": n.agreement.id,
            "contract_id": n.signing.contract_id or n.agreement.id,
            "negotiation_id": n.exchange.id,
            "party": str(n.exchange.party),
            "counterparty": n.counterparty,
            "status": str(Status.SIGNED),
            "agreement": canonical.encode(render_agreement(n.agreement)),
            "product_digest": n.signing.product_digest,
            "envelope": n.signing.envelope,
            "envelope_digest": sha256(n.signing.envelope),
            "receipt": n.signing.receipt,
            "one_sided": {s.role for s in envelope.signatures} != {Signatory.PROVIDER, Signatory.CONSUMER},
            "ends_at": ends_at(n.agreement.policy),
            "end_reason": None,
            "ended_at": None,
        },
    )
    audit(tx, AuditEvent(Event.FILED, {"contract": n.signing.contract_id or n.agreement.id}))


def _settle_contract(tx: Transaction, n: Negotiation) -> None:
    """A finalized negotiation puts its contract into performance, a terminated one ends it.

    The filing may come to us before or after that; whichever is later does it.
    """
    if n.agreement is None or not NEGOTIATION.is_final(n.exchange.state):
        return
    if n.exchange.state is State.FINALIZED:
        after = advance(Status.SIGNED, Status.PERFORMING)
        store.move_contract(tx, n.agreement.id, Status.SIGNED, after, None, None)
    elif store.contract_row(tx.connection, n.agreement.id) is not None:
        end_contract(tx, n.agreement.id, EndReason.AGREEMENT)


def _contract_of(row: "Row[Any]") -> Contract:
    return Contract(
        agreement=parse_agreement(canonical.decode(row.agreement)),
        contract_id=ContractId(row.contract_id),
        negotiation_id=ProcessId(row.negotiation_id),
        party=Party(row.party),
        counterparty=Did(row.counterparty),
        status=Status(row.status),
        product_digest=Digest(row.product_digest),
        envelope=row.envelope,
        envelope_digest=Digest(row.envelope_digest),
        receipt=row.receipt,
        one_sided=row.one_sided,
        ends_at=row.ends_at,
        end_reason=None if row.end_reason is None else EndReason(row.end_reason),
        ended_at=row.ended_at,
    )


def _audit_move(tx: Transaction, before: Exchange, after: Exchange, by: Move | None, sender: Party) -> None:
    facts: dict[str, canonical.Json] = {
        "process": after.id,
        "from": str(before.state),
        "to": str(after.state),
        "by": str(sender),
    }
    audit(tx, AuditEvent(Event.MOVED, facts | ({} if by is None else {"move": str(by)})))
