"""What members tell each other: signatures, filed contracts, receipts, ends and stop orders.

Each message is sent by a known member; what has lasting value is signed by an evidence key as well. A
message from whoever is not the right party of the contract it names is answered as if there were none.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot import contracts, space, use
from entrepot.contracts import SIGNED_AS, Contract, Desk, EndReason, Negotiation, Party, Signatory, Signature
from entrepot.identity import DidDocument, Membership, known_member, verify_signature
from entrepot.journal import Journal, Transaction
from entrepot.ledger import SignedReceipt, decode_receipt
from entrepot.protocols.route import BINARY, Call, Content, Handler, Proof, Response, Route, Shape
from entrepot.protocols.tds import codec
from entrepot.protocols.tds.codec import MemberCard
from entrepot.space import EndNotice, StopOrder
from entrepot.values import (
    AgreementId,
    ConflictError,
    ContractId,
    Did,
    KeyId,
    NotFoundError,
    ProcessId,
    RefusedError,
    TrustError,
    UnavailableError,
)

_NO_NEGOTIATION: Final = "there is no such negotiation with you"
_NO_CONTRACT: Final = "there is no such contract with you"


@dataclass(frozen=True, slots=True)
class PartyServices:
    """What the endpoints stand on."""

    journal: Journal
    desk: Desk
    platform: Did
    document: Callable[[Did], Awaitable[DidDocument]]
    """The DID document of the platform."""
    member_card: Callable[[Did], Awaitable[MemberCard]]
    """What the platform says of a member; asked for the signer of a stop order only."""
    take_in_receipt: Callable[[Transaction, Did, SignedReceipt], object]
    """Takes in a consumer's receipt, which its signature still has to be checked of."""
    contract_ended: Callable[[AgreementId], None]
    """Cuts what runs under a contract; called after its end is durable."""


def party_routes(services: PartyServices) -> list[Route]:
    """Every endpoint of a party, with the proof it asks for."""
    desk = _PartyDesk(services)
    signed: dict[str, tuple[Handler, Content | type[msgspec.Struct]]] = {
        "contractSignature": (desk.take_signature, codec.ContractSignature),
        "contractFiled": (desk.take_filed, codec.ContractFiled),
        str(space.Notice.CONTRACT_END): (desk.end, codec.SIGNED),
        str(space.Notice.RECEIPT): (desk.take_receipt, BINARY),
        str(space.Notice.DUTY): (desk.take_notice, BINARY),
    }
    return [
        *(
            Route(
                "POST",
                f"{codec.PATH}/{name}",
                Proof.MEMBERSHIP,
                handle,
                max_bytes=codec.MAX_BODY,
                shape=codec.shape(takes),
            )
            for name, (handle, takes) in signed.items()
        ),
        # A stop must get through whoever brings it; what counts is the supervisor's signature.
        Route(
            "POST",
            f"{codec.PATH}/{space.Notice.STOP}",
            Proof.LOG_SIGNATURE,
            desk.stop,
            max_bytes=64 << 10,
            shape=codec.shape(codec.SIGNED),
        ),
    ]


def status_list_route(newest: Callable[[], Awaitable[str | None]]) -> Route:
    """The status list relay: any node gives the newest list it has, which the platform has signed."""

    async def relay(_call: Call) -> Response:
        found = await newest()
        if found is None:
            raise NotFoundError("no status list is known here yet")
        return Response(200, found.encode(), codec.CREDENTIAL)

    shape = Shape({200: (Content({"type": "string"}, codec.CREDENTIAL),)})
    return Route("GET", codec.PATH + codec.STATUS_LIST, Proof.NONE, relay, shape=shape)


@dataclass(frozen=True, slots=True)
class _PartyDesk:
    services: PartyServices

    async def take_signature(self, call: Call) -> Response:
        """As provider: take in the consumer's signature, before it verifies the agreement."""
        caller, body = _caller(call), codec.decode(call.body, codec.ContractSignature)
        negotiation_id = ProcessId(body.negotiationId)
        negotiation = await self._negotiation(negotiation_id, caller, Party.PROVIDER)
        signature = Signature.of(KeyId(body.keyid), Signatory.CONSUMER, codec.raw(body.sig))
        known = _signed_by(negotiation, Signatory.CONSUMER)
        if known is not None:
            if known != signature:
                raise ConflictError("another signature came for this negotiation")
            return Response(200, codec.OK)
        payload = contracts.payload_of(negotiation)
        _verify(signature, payload, await self._membership(caller))
        await self.services.journal.write(
            lambda tx: contracts.counterparty_signed(tx, negotiation_id, caller, signature)
        )
        return Response(200, codec.OK)

    async def take_filed(self, call: Call) -> Response:
        """As consumer: take in the countersigned contract and the platform's receipt."""
        services = self.services
        caller, body = _caller(call), codec.decode(call.body, codec.ContractFiled)
        negotiation_id = ProcessId(body.negotiationId)
        negotiation = await self._negotiation(negotiation_id, caller, Party.CONSUMER)
        raw, receipt = codec.raw(body.envelope), codec.raw(body.receipt)
        if negotiation.signing.receipt:
            if negotiation.signing.envelope != raw:
                raise ConflictError("another contract was filed for this negotiation")
            return Response(200, codec.OK)
        if not negotiation.signing.envelope:
            raise NotFoundError("this contract is not signed here yet")
        envelope = contracts.open_envelope(raw)
        theirs = next((s for s in envelope.signatures if s.role == Signatory.PROVIDER), None)
        ours = _signed_by(negotiation, Signatory.CONSUMER)
        if theirs is None or ours is None or envelope.signatures != (theirs, ours):
            raise TrustError("the contract is not signed by the provider and by us, as we signed it")
        if envelope.raw_payload != negotiation.signing.payload:
            raise TrustError("the contract is not the one that we have signed")
        _verify(theirs, envelope.raw_payload, await self._membership(caller))
        await verify_filing_receipt(services.document, services.platform, receipt, raw)
        await services.journal.write(
            lambda tx: contracts.contract_filed(tx, services.desk, negotiation_id, raw, receipt)
        )
        return Response(200, codec.OK)

    async def end(self, call: Call) -> Response:
        """The counterparty ends the contract; its own notice counts, whether it or the platform brings it."""
        caller = _caller(call)
        statement = space.read_statement(call.body, EndNotice)
        contract = await self._contract(ContractId(statement.content.contract))
        other = contract.counterparty
        if caller not in {other, self.services.platform} or statement.signer != other:
            raise NotFoundError(_NO_CONTRACT)
        membership = await self._membership(other)
        notice = space.verify_statement(
            space.END_NOTICE, statement, membership.evidence_key_id, membership.evidence_key
        )
        await self._end(contract, EndReason(notice.reason))
        return Response(200, codec.OK)

    async def stop(self, call: Call) -> Response:
        """A supervisor's order: from the moment we acknowledge it, nothing runs under the contract."""
        statement = space.read_statement(call.body, StopOrder)
        contract = await self._contract(ContractId(statement.content.contract))
        card = await self.services.member_card(statement.signer)
        space.verify_statement(space.STOP_ORDER, statement, card.key_id, card.key)
        if card.did != statement.signer or not card.is_supervisor_in_force:
            raise RefusedError("only a supervisor in force orders a stop")
        await self._end(contract, EndReason.ORDER)
        return Response(200, codec.OK)

    async def take_receipt(self, call: Call) -> Response:
        caller, signed = _caller(call), decode_receipt(call.body)
        await self.services.journal.write(lambda tx: self.services.take_in_receipt(tx, caller, signed))
        return Response(200, codec.OK)

    async def take_notice(self, call: Call) -> Response:
        """As provider: the consumer says that it did what it owed."""
        caller, signed = _caller(call), use.decode_notice(call.body)
        await self.services.journal.write(lambda tx: use.take_in_notice(tx, caller, signed))
        return Response(200, codec.OK)

    async def _end(self, contract: Contract, reason: EndReason) -> None:
        agreement_id = contract.agreement.id
        await self.services.journal.write(lambda tx: contracts.end_contract(tx, agreement_id, reason))
        # Also when it had ended: a stop that is told again must find nothing running.
        self.services.contract_ended(agreement_id)

    async def _negotiation(self, negotiation_id: ProcessId, caller: Did, party: Party) -> Negotiation:
        found = await self.services.journal.read(lambda c: contracts.read_negotiation(c, negotiation_id))
        if found is None or found.counterparty != caller or found.exchange.party is not party:
            raise NotFoundError(_NO_NEGOTIATION)
        return found

    async def _contract(self, contract_id: ContractId) -> Contract:
        found = await self.services.journal.read(lambda c: contracts.contract_by_id(c, contract_id))
        if found is None:
            raise NotFoundError(_NO_CONTRACT)
        return found

    async def _membership(self, did: Did) -> Membership:
        def query(connection: Connection) -> Membership | None:
            return known_member(connection, did)

        found = await self.services.journal.read(query)
        if found is None:
            raise UnavailableError("nothing is known of the sender's membership yet")
        return found


async def verify_filing_receipt(
    document: Callable[[Did], Awaitable[DidDocument]], platform: Did, receipt: bytes, envelope: bytes
) -> None:
    """Check a filing receipt under the evidence key that its platform's DID document lists, or raise."""
    key_id = space.read_statement(receipt, space.FilingReceipt).key_id
    key = (await document(platform)).key(key_id, "assertionMethod")
    if key is None:
        raise TrustError("the receipt is signed by a key that the platform's document does not list")
    space.verify_receipt(receipt, platform, key_id, key, envelope)


def _signed_by(negotiation: Negotiation, role: Signatory) -> Signature | None:
    if not negotiation.signing.envelope:
        return None
    envelope = contracts.open_envelope(negotiation.signing.envelope)
    return next((s for s in envelope.signatures if s.role == role), None)


def _verify(signature: Signature, payload: bytes, signer: Membership) -> None:
    if signature.keyid != signer.evidence_key_id:
        raise TrustError(f"signed by {signature.keyid[:200]}, which is not the signer's evidence key")
    verify_signature(signer.evidence_key, SIGNED_AS + payload, signature.raw)


def _caller(call: Call) -> Did:
    if call.caller is None:
        raise TrustError("the caller is not known")
    return call.caller
