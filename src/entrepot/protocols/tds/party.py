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
from entrepot.contracts import Contract, Desk, EndReason, Negotiation, Party, Signatory, Signature
from entrepot.identity import DidDocument, Membership, known_member, parse_token
from entrepot.journal import Journal, Transaction
from entrepot.ledger import SignedReceipt, decode_receipt
from entrepot.protocols.route import BINARY, Call, Content, Handler, Proof, Response, Route, Shape
from entrepot.protocols.tds import codec
from entrepot.protocols.tds.checking import (
    caller_of,
    evidence_key_of,
    require_all_signed,
    verify_contract_signature,
    verify_filing_receipt,
)
from entrepot.protocols.tds.codec import MemberCard
from entrepot.protocols.tds.serving import ServiceDesk
from entrepot.space import EndNotice, StopOrder
from entrepot.values import (
    AgreementId,
    Clock,
    ConflictError,
    ContractId,
    Did,
    KeyId,
    NotFoundError,
    ProcessId,
    RefusedError,
    TrustError,
    UnavailableError,
    canonical,
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
    clock: Clock


def party_routes(services: PartyServices) -> list[Route]:
    """Every endpoint of a party, with the proof it asks for."""
    serving = ServiceDesk(
        services.journal,
        services.desk.me,
        services.platform,
        services.document,
        services.member_card,
        services.clock,
    )
    desk = _PartyDesk(services, serving)
    signed: dict[str, tuple[Handler, Content | type[msgspec.Struct], *tuple[type[msgspec.Struct], ...]]] = {
        "contractSignature": (desk.take_signature, codec.ContractSignature),
        "contractFiled": (desk.take_filed, codec.ContractFiled),
        str(space.Notice.CONTRACT_END): (desk.end, codec.SIGNED),
        str(space.Notice.RECEIPT): (desk.take_receipt, BINARY),
        str(space.Notice.DUTY): (desk.take_notice, BINARY),
        "serviceSignatureRequest": (serving.take_request, codec.ServiceRequest, codec.ServiceAnswer),
        str(space.Notice.SERVED): (serving.take_filed, codec.ServiceFiled),
        str(space.Notice.SERVICE_WITHDRAWAL): (serving.withdraw, codec.ServiceWithdrawal),
    }
    return [
        *(
            Route(
                "POST",
                f"{codec.PATH}/{name}",
                Proof.MEMBERSHIP,
                handle,
                max_bytes=codec.MAX_BODY,
                shape=codec.shape(takes, *gives),
            )
            for name, (handle, takes, *gives) in signed.items()
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


def status_list_route(
    newest: Callable[[], Awaitable[str | None]], path: str = codec.PATH + codec.STATUS_LIST
) -> Route:
    """The status list relay: any node gives the newest list it has, which the platform has signed.

    Who accepts JSON and no token gets what the list says, without its signature: **only as good as the
    connection.** Eclipse connectors read no other form.
    """

    async def relay(call: Call) -> Response:
        found = await newest()
        if found is None:
            raise NotFoundError("no status list is known here yet")
        if _wants_json(call.headers.get("accept", "")):
            said = parse_token(found).claims
            return Response(200, canonical.encode(said.get("vc", {**said})), codec.LIST)
        return Response(200, found.encode(), codec.CREDENTIAL)

    shape = Shape({200: (Content({"type": "string"}, codec.CREDENTIAL), Content({}, codec.LIST))})
    return Route("GET", path, Proof.NONE, relay, shape=shape)


def _wants_json(accept: str) -> bool:
    return "json" in accept and "jwt" not in accept and "*/*" not in accept


@dataclass(frozen=True, slots=True)
class _PartyDesk:
    services: PartyServices
    serving: ServiceDesk

    async def take_signature(self, call: Call) -> Response:
        """As provider: take in the consumer's signature, before it verifies the agreement."""
        caller, body = caller_of(call), codec.decode(call.body, codec.ContractSignature)
        negotiation_id = ProcessId(body.negotiationId)
        negotiation = await self._negotiation(negotiation_id, caller, Party.PROVIDER)
        signature = Signature.of(KeyId(body.keyid), Signatory.CONSUMER, codec.raw(body.sig))
        known = _signed_by(negotiation, Signatory.CONSUMER)
        if known is not None:
            if known != signature:
                raise ConflictError("another signature came for this negotiation")
            return Response(200, codec.OK)
        payload = contracts.payload_of(negotiation)
        member = await self._membership(caller)
        verify_contract_signature(signature, payload, member.evidence_key_id, member.evidence_key)
        await self.services.journal.write(
            lambda tx: contracts.counterparty_signed(tx, negotiation_id, caller, signature)
        )
        return Response(200, codec.OK)

    async def take_filed(self, call: Call) -> Response:
        """As consumer: take in the countersigned contract and the platform's receipt."""
        services = self.services
        caller, body = caller_of(call), codec.decode(call.body, codec.ContractFiled)
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
        if envelope.raw_payload != negotiation.signing.payload:
            raise TrustError("the contract is not the one that we have signed")
        signed = require_all_signed(envelope)
        ours = signed.pop(services.desk.me)
        if ours != _signed_by(negotiation, Signatory.CONSUMER):
            raise TrustError("the contract is not signed by us, as we signed it")
        for did, signature in signed.items():
            key_id, key = await evidence_key_of(services.journal, services.member_card, did)
            verify_contract_signature(signature, envelope.raw_payload, key_id, key)
        await verify_filing_receipt(services.document, services.platform, receipt, raw)
        await services.journal.write(
            lambda tx: contracts.contract_filed(tx, services.desk, negotiation_id, raw, receipt)
        )
        return Response(200, codec.OK)

    async def end(self, call: Call) -> Response:
        """The counterparty ends the contract; its own notice counts, whether it or the platform brings it."""
        caller = caller_of(call)
        statement = space.read_statement(call.body, EndNotice)
        contract = await self._contract(ContractId(statement.content.contract))
        signer = statement.signer
        if contract is None:
            if not await self._came_to_nothing(statement, caller):
                await self.serving.end(caller, statement)
            return Response(200, codec.OK)
        if signer not in contract.others or caller not in {signer, self.services.platform}:
            raise NotFoundError(_NO_CONTRACT)
        services = self.services
        key_id, key = await evidence_key_of(services.journal, services.member_card, signer)
        notice = space.verify_statement(space.END_NOTICE, statement, key_id, key)
        await self._end(contract, EndReason(notice.reason))
        return Response(200, codec.OK)

    async def stop(self, call: Call) -> Response:
        """A supervisor's order: from the moment we acknowledge it, nothing runs under the contract."""
        statement = space.read_statement(call.body, StopOrder)
        contract_id = ContractId(statement.content.contract)
        contract = await self._contract(contract_id)
        if contract is None:
            await self.serving.served(contract_id)
        card = await self.services.member_card(statement.signer)
        space.verify_statement(space.STOP_ORDER, statement, card.key_id, card.key)
        if card.did != statement.signer or not card.is_supervisor_in_force:
            raise RefusedError("only a supervisor in force orders a stop")
        if contract is None:
            await self.services.journal.write(
                lambda tx: contracts.end_service(tx, contract_id, EndReason.ORDER)
            )
        else:
            await self._end(contract, EndReason.ORDER)
        return Response(200, codec.OK)

    async def take_receipt(self, call: Call) -> Response:
        caller, signed = caller_of(call), decode_receipt(call.body)
        await self.services.journal.write(lambda tx: self.services.take_in_receipt(tx, caller, signed))
        return Response(200, codec.OK)

    async def take_notice(self, call: Call) -> Response:
        """As provider: the consumer says that it did what it owed."""
        caller, signed = caller_of(call), use.decode_notice(call.body)
        await self.services.journal.write(lambda tx: use.take_in_notice(tx, caller, signed))
        return Response(200, codec.OK)

    async def _end(self, contract: Contract, reason: EndReason) -> None:
        agreement_id = contract.agreement.id
        await self.services.journal.write(lambda tx: contracts.end_contract(tx, agreement_id, reason))
        # Also when it had ended: a stop that is told again must find nothing running.
        self.services.contract_ended(agreement_id)

    async def _negotiation(self, negotiation_id: ProcessId, caller: Did, party: Party) -> Negotiation:
        found = await self.services.journal.look_up(lambda c: contracts.read_negotiation(c, negotiation_id))
        if found is None or found.counterparty != caller or found.exchange.party is not party:
            raise NotFoundError(_NO_NEGOTIATION)
        return found

    async def _contract(self, contract_id: ContractId) -> Contract | None:
        """The contract that we provide or consume under; nothing where we only serve, or know of none."""
        return await self.services.journal.look_up(lambda c: contracts.contract_by_id(c, contract_id))

    async def _came_to_nothing(self, statement: space.Statement[EndNotice], caller: Did) -> bool:
        """Whether what is ended was never concluded here, so that there is nothing to end."""
        contract_id, signer = ContractId(statement.content.contract), statement.signer
        return caller in {signer, self.services.platform} and await self.services.journal.read(
            lambda c: contracts.came_to_nothing(c, contract_id, signer)
        )

    async def _membership(self, did: Did) -> Membership:
        def query(connection: Connection) -> Membership | None:
            return known_member(connection, did)

        found = await self.services.journal.read(query)
        if found is None:
            raise UnavailableError("nothing is known of the sender's membership yet")
        return found


def _signed_by(negotiation: Negotiation, role: Signatory) -> Signature | None:
    if not negotiation.signing.envelope:
        return None
    envelope = contracts.open_envelope(negotiation.signing.envelope)
    return next((s for s in envelope.signatures if s.role == role), None)
