"""Sending what the outbox holds: the steps of signing a contract, and notices to others.

A step is repeated until it is done, so each of its parts gives the same result every time: the payload is
a function of the agreement, an Ed25519 signature of the payload, the contract id of the negotiation, the
receipt of the envelope. What a kill leaves undone is done again from the outbox.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec

from entrepot import contracts, space
from entrepot.contracts import (
    NEGOTIATION,
    SIGNED_AS,
    Desk,
    Negotiation,
    Party,
    ServiceState,
    Signatory,
    Signature,
    State,
    Step,
)
from entrepot.identity import Signer, is_guest
from entrepot.journal import AuditEvent, Journal, OutboxMessage, Transaction, audit, postpone, settle
from entrepot.policy import service_parties
from entrepot.protocols.dsp import Meaning, judge, pause
from entrepot.protocols.tds import codec
from entrepot.protocols.tds.checking import verify_contract_signature
from entrepot.protocols.tds.client import Client
from entrepot.space import MemberRole, Notice
from entrepot.values import (
    ConflictError,
    Did,
    EntrepotError,
    KeyId,
    MessageId,
    NotFoundError,
    ProcessId,
    ProtocolError,
    RefusedError,
    TrustError,
    UnavailableError,
    UtcTime,
    canonical,
)

_STATUS: Final[tuple[tuple[type[EntrepotError], int], ...]] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (TrustError, 404),  # as there: a status list that comes a moment later makes it good
    (RefusedError, 403),
    (EntrepotError, 400),
)
_INSISTS: Final = frozenset({Notice.STOP, Notice.CONTRACT_END})
"""Notices of what a party may not know of yet: it may get the contract only after its end."""
_MEDIA: Final[Mapping[Notice, str]] = {Notice.RECEIPT: codec.BINARY, Notice.DUTY: codec.BINARY}


_NOT_FILED: Final = "the platform did not file the contract"


class Event(StrEnum):
    REFUSED = "tds:notice:refuse"
    FAILED = "tds:signing:fail"


@dataclass(frozen=True, slots=True)
class Signing:
    """Takes each contract through its signatures and its filing."""

    journal: Journal
    desk: Desk
    client: Client
    evidence: Signer
    too_early: timedelta = timedelta(seconds=10)

    async def send(self, message: OutboxMessage, now: UtcTime) -> Meaning:
        """Do one step of signing, and say what came of it."""
        negotiation_id, step = ProcessId(message.address), Step(message.body.decode())
        found = await self.journal.look_up(lambda c: contracts.read_negotiation(c, negotiation_id))
        if found is None or not _is_wanted(found, step):
            await self.journal.write(lambda tx: self._drop(tx, message.id, found))
            return Meaning.DELIVERED
        try:
            done = await self._do(found, step, message.id, message.deadline)
        except EntrepotError as error:
            return await self._failed(message, negotiation_id, error, now)
        if done:
            return Meaning.DELIVERED
        if now < message.deadline:
            return await self._again(message, now)
        who = "a service party did not answer" if step is Step.GATHER_SIGNATURES else _NOT_FILED
        too_late = UnavailableError(f"{who} in time")
        return await self._failed(message, negotiation_id, too_late, now)

    async def _do(self, found: Negotiation, step: Step, message_id: MessageId, until: UtcTime) -> bool:
        match step:
            case Step.GET_CONTRACT_ID:
                return await self._get_contract_id(found, message_id)
            case Step.SIGN_AND_HAND_OVER if await self._signs(found.counterparty):
                return await self._sign_and_hand_over(found, message_id)
            case Step.SIGN_AND_HAND_OVER:
                return await self._sign_alone(found, message_id)
            case Step.GATHER_SIGNATURES:
                return await self._gather_signatures(found, message_id, until)
            case Step.COUNTERSIGN_AND_FILE:
                return await self._countersign_and_file(found, message_id)

    async def _signs(self, counterparty: Did) -> bool:
        """Whether a party signs contracts of this space: a guest does not, though it may in another."""
        if await self.journal.look_up(lambda c: is_guest(c, counterparty)):
            return False
        return await self.client.speaks(counterparty)

    async def _get_contract_id(self, found: Negotiation, message_id: MessageId) -> bool:
        ours = found.exchange.id
        contract_id = await self.client.contract_id(ours, found.counterparty)

        def given(tx: Transaction) -> None:
            settle(tx, message_id)
            contracts.contract_id_given(tx, self.desk, ours, contract_id)

        await self.journal.write(given)
        return True

    async def _sign_and_hand_over(self, found: Negotiation, message_id: MessageId) -> bool:
        """As consumer: sign, and let the provider have the signature before we verify."""
        ours, theirs = found.exchange.id, found.exchange.peer_pid
        if theirs is None:
            raise ProtocolError("the provider's process id is not known")
        payload = contracts.payload_of(found)
        signature = self._sign(payload, Signatory.CONSUMER)
        await self.client.hand_over_signature(found.counterparty, theirs, signature)
        envelope = contracts.seal_envelope(payload, [signature])

        def handed(tx: Transaction) -> None:
            settle(tx, message_id)
            contracts.handed_over(tx, self.desk, ours, payload, envelope)

        await self.journal.write(handed)
        return True

    async def _sign_alone(self, found: Negotiation, message_id: MessageId) -> bool:
        """As consumer of a provider without these endpoints: file one-sided, as far as the space lets us."""
        ours = found.exchange.id
        if contracts.unsigned_services(found):
            raise ProtocolError("a contract with a service party is not signed by one side alone")
        contract_id = await self.client.contract_id(ours, found.counterparty)
        # Before it can be filed: should the negotiation end meanwhile, the platform is told under this id.
        await self.journal.write(lambda tx: contracts.contract_id_given(tx, self.desk, ours, contract_id))
        named = replace(found, signing=replace(found.signing, contract_id=contract_id))
        payload = contracts.payload_of(named)
        envelope = contracts.seal_envelope(payload, [self._sign(payload, Signatory.CONSUMER)])
        receipt = await self.client.file(envelope)
        if receipt is None:
            return False

        def filed(tx: Transaction) -> None:
            settle(tx, message_id)
            contracts.handed_over(tx, self.desk, ours, payload, envelope)
            contracts.contract_filed(tx, self.desk, ours, envelope, receipt)

        await self.journal.write(filed)
        return True

    async def _gather_signatures(self, found: Negotiation, message_id: MessageId, until: UtcTime) -> bool:
        """As provider: ask each service party that has not signed; a person of its decides."""
        ours, payload = found.exchange.id, contracts.payload_of(found)
        if not found.signing.envelope:
            raise ProtocolError("a contract with a service party is signed by its consumer too")
        given = contracts.open_envelope(found.signing.envelope).signatures
        envelope = contracts.seal_envelope(payload, [self._sign(payload, Signatory.PROVIDER), *given])
        for did in contracts.unsigned_services(found):
            signature = await self._signature_of(did, found, envelope, until)
            if signature is None:
                return False

            def taken(tx: Transaction, signature: Signature = signature) -> None:
                contracts.service_party_signed(tx, self.desk, ours, signature)

            await self.journal.write(taken)
        await self.journal.write(lambda tx: settle(tx, message_id))
        return True

    async def _signature_of(
        self, did: Did, found: Negotiation, envelope: bytes, until: UtcTime
    ) -> Signature | None:
        """The verified signature of a service party; nothing while its person has not decided."""
        card = await self.client.member_card(did)
        if not card.is_in_force(MemberRole.SERVICE) or did in {self.desk.me, found.counterparty}:
            raise RefusedError(f"{did} is no service party of this space")
        answer = await self.client.ask_service_party(did, envelope, until)
        if answer.state is ServiceState.WAITING:
            return None
        if not answer.sig:
            raise RefusedError(f"the service party {did} has {answer.state} it: {answer.reason}"[:500])
        signature = Signature.of(KeyId(answer.keyid), Signatory.SERVICE_PARTY, codec.raw(answer.sig))
        verify_contract_signature(signature, contracts.payload_of(found), card.key_id, card.key)
        return signature

    async def _countersign_and_file(self, found: Negotiation, message_id: MessageId) -> bool:
        """As provider: countersign, file, and let the consumer have both before we finalize."""
        ours, theirs = found.exchange.id, found.exchange.peer_pid
        speaks = await self._signs(found.counterparty)
        if speaks and not found.signing.envelope:
            raise ProtocolError("the consumer verified an agreement that it had not signed")
        payload = found.signing.payload or contracts.payload_of(found)
        signatures = [self._sign(payload, Signatory.PROVIDER)]
        if found.signing.envelope:
            given = contracts.open_envelope(found.signing.envelope).signatures
            signatures += [s for s in given if s.role != Signatory.PROVIDER]
        envelope = contracts.seal_envelope(payload, signatures)
        receipt = await self.client.file(envelope)
        if receipt is None:
            return False
        if speaks and theirs is not None:
            await self.client.hand_over_filed(found.counterparty, theirs, envelope, receipt)

        def filed(tx: Transaction) -> None:
            settle(tx, message_id)
            contracts.contract_filed(tx, self.desk, ours, envelope, receipt)
            self._hand_to_services(tx, envelope, receipt)

        await self.journal.write(filed)
        return True

    def _hand_to_services(self, tx: Transaction, envelope: bytes, receipt: bytes) -> None:
        """Let each service party have the filed contract; brought from the outbox, however long it takes."""
        content = codec.ServiceFiled(envelope=codec.text(envelope), receipt=codec.text(receipt))
        payload = contracts.open_envelope(envelope).raw_payload
        self._tell_services(tx, payload, Notice.SERVED, content)

    def _drop(self, tx: Transaction, message_id: MessageId, found: Negotiation | None) -> None:
        """Leave a step undone, as it is done already or there will be no contract."""
        settle(tx, message_id)
        if found is not None and found.exchange.state is State.TERMINATED:
            self._withdraw_requests(tx, found)

    def _withdraw_requests(self, tx: Transaction, found: Negotiation) -> None:
        """Tell whoever may have been asked to sign that there will be no contract."""
        payload = found.signing.payload
        if payload and found.exchange.party is Party.PROVIDER and not found.signing.receipt:
            content = codec.ServiceWithdrawal(request=contracts.request_id(payload))
            self._tell_services(tx, payload, Notice.SERVICE_WITHDRAWAL, content)

    def _tell_services(
        self, tx: Transaction, payload: bytes, notice: Notice, content: msgspec.Struct
    ) -> None:
        terms, body = contracts.read_payload(payload), canonical.encode_struct(content)
        for did in service_parties(terms.agreement.policy):
            space.tell(tx, did, notice, body, terms.contract_id, tx.now + self.desk.deadline)

    def _sign(self, payload: bytes, role: Signatory) -> Signature:
        return Signature.of(self.evidence.key_id, role, self.evidence.sign(SIGNED_AS + payload))

    async def _failed(
        self, message: OutboxMessage, negotiation_id: ProcessId, error: EntrepotError, now: UtcTime
    ) -> Meaning:
        """Try again what may yet succeed; end the negotiation where it cannot."""
        if _meaning(error, message, now, self.too_early) is Meaning.AGAIN:
            return await self._again(message, now)
        why = str(error)[:500]

        def end(tx: Transaction) -> None:
            settle(tx, message.id)
            audit(tx, AuditEvent(Event.FAILED, {"negotiation": negotiation_id, "why": why}))
            contracts.step_failed(tx, self.desk, negotiation_id, why)
            failed = contracts.read_negotiation(tx.connection, negotiation_id)
            if failed is not None:
                self._withdraw_requests(tx, failed)

        await self.journal.write(end)
        return Meaning.REFUSED

    async def _again(self, message: OutboxMessage, now: UtcTime) -> Meaning:
        until = now + pause(message.attempts)
        await self.journal.write(lambda tx: postpone(tx, message.id, until))
        return Meaning.AGAIN


@dataclass(frozen=True, slots=True)
class Notices:
    """Brings notices to whom they are for."""

    journal: Journal
    client: Client
    too_early: timedelta = timedelta(seconds=10)
    acknowledged: Mapping[Notice, Callable[[Transaction, MessageId], object]] = field(
        default_factory=lambda: {Notice.STOP: space.acknowledged}
    )
    """What follows from the receiver's acknowledgement, by notice."""

    async def send(self, message: OutboxMessage, now: UtcTime) -> Meaning:
        """Send one notice, and say what came of it."""
        to, notice, to_platform = space.addressed(message.address)
        try:
            if to_platform:
                await self.client.post_to_platform(notice, message.body)
            else:
                media = _MEDIA.get(notice, "application/json")
                await self.client.post(to, notice, message.body, media)
        except EntrepotError as error:
            patience = timedelta.max if notice in _INSISTS else self.too_early
            meaning = _meaning(error, message, now, patience)
            if meaning is Meaning.AGAIN:
                until = now + pause(message.attempts)
                await self.journal.write(lambda tx: postpone(tx, message.id, until))
                return meaning
            why = str(error)[:500]
            facts = {"to": to, "notice": str(notice), "why": why}

            def give_up(tx: Transaction) -> None:
                settle(tx, message.id)
                audit(tx, AuditEvent(Event.REFUSED, facts))

            await self.journal.write(give_up)
            return meaning

        def taken(tx: Transaction) -> None:
            settle(tx, message.id)
            if notice in self.acknowledged:
                self.acknowledged[notice](tx, message.id)

        await self.journal.write(taken)
        return Meaning.DELIVERED


def _is_wanted(negotiation: Negotiation, step: Step) -> bool:
    """Whether a step is still to be done: a repeat of one that is done, or too late, does nothing."""
    exchange, signing = negotiation.exchange, negotiation.signing
    if NEGOTIATION.is_final(exchange.state):
        return False
    match step:
        case Step.GET_CONTRACT_ID:
            return signing.contract_id is None
        case Step.SIGN_AND_HAND_OVER:
            return exchange.party is Party.CONSUMER and not signing.handed_over
        case Step.GATHER_SIGNATURES:
            return exchange.party is Party.PROVIDER and bool(contracts.unsigned_services(negotiation))
        case Step.COUNTERSIGN_AND_FILE:
            return exchange.party is Party.PROVIDER and not signing.receipt


def _meaning(error: EntrepotError, message: OutboxMessage, now: UtcTime, too_early: timedelta) -> Meaning:
    """What an error means for a message: the same judgement as for protocol messages."""
    expired = now >= message.deadline
    if isinstance(error, UnavailableError):
        return judge(None, timedelta(0), too_early, expired=expired)
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    # The first attempt was made when the message was due; later ones have moved that time on.
    age = now - message.not_before + pause(message.attempts)
    return judge(status, age, too_early, expired=expired)
