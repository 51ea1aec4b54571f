"""What a service party (数据服务方) answers: requests for its signature, filed contracts, their ends.

A request waits until a person has decided; the provider asks again with the same bytes and is given what
there is, so nothing is lost with a message and nothing is signed twice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from entrepot import contracts, space
from entrepot.contracts import EndReason, ServiceContract, ServiceState, Signatory
from entrepot.identity import DidDocument
from entrepot.journal import Journal
from entrepot.protocols.route import Call, Response
from entrepot.protocols.tds import codec
from entrepot.protocols.tds.checking import (
    caller_of,
    evidence_key_of,
    require_all_signed,
    verify_contract_signature,
    verify_filing_receipt,
)
from entrepot.protocols.tds.codec import MemberCard
from entrepot.space import EndNotice, Statement
from entrepot.values import (
    Clock,
    ContractId,
    Did,
    MalformedError,
    NotFoundError,
    TrustError,
    parse_time,
)

_NONE: Final = "there is no such contract with you"
LONGEST: Final = timedelta(days=31)
"""How long a provider may let us think."""


@dataclass(frozen=True, slots=True)
class ServiceDesk:
    """The endpoints of a service party, and what they stand on."""

    journal: Journal
    me: Did
    platform: Did
    document: Callable[[Did], Awaitable[DidDocument]]
    member_card: Callable[[Did], Awaitable[MemberCard]]
    clock: Clock

    async def take_request(self, call: Call) -> Response:
        """Take in a provider's request, or say where it stands; 202 while it waits for a person."""
        caller, body = caller_of(call), codec.decode(call.body, codec.ServiceRequest)
        raw, until = codec.raw(body.envelope), parse_time(body.until)
        envelope = contracts.open_envelope(raw)
        of = contracts.request_id(envelope.raw_payload)
        known = await self.journal.read(lambda c: contracts.service_contract(c, of))
        if known is None:
            await self._check_request(envelope, caller)
            latest = self.clock() + LONGEST
            if not self.clock() < until:
                raise MalformedError("the time for an answer is over already")
            known = await self.journal.write(
                lambda tx: contracts.take_request(tx, self.me, caller, raw, min(until, latest))
            )
        elif known.agreement.assigner != caller:
            raise NotFoundError(_NONE)
        return codec.answer(_answer(known), 202 if known.state is ServiceState.WAITING else 200)

    async def take_filed(self, call: Call) -> Response:
        """Take in the filed contract: with every signature, ours among them, and the platform's receipt."""
        caller, body = caller_of(call), codec.decode(call.body, codec.ServiceFiled)
        raw, receipt = codec.raw(body.envelope), codec.raw(body.receipt)
        envelope = contracts.open_envelope(raw)
        of = contracts.request_id(envelope.raw_payload)
        known = await self.journal.read(lambda c: contracts.service_contract(c, of))
        if known is None or known.agreement.assigner != caller:
            raise NotFoundError(_NONE)
        signed = require_all_signed(envelope)
        for did in known.parties:
            await self._verify(signed, did, envelope.raw_payload)
        await verify_filing_receipt(self.document, self.platform, receipt, raw)
        await self.journal.write(lambda tx: contracts.service_filed(tx, of, raw, receipt))
        return Response(200, codec.OK)

    async def withdraw(self, call: Call) -> Response:
        """The provider needs no signature any more."""
        caller, body = caller_of(call), codec.decode(call.body, codec.ServiceWithdrawal)
        await self.journal.write(lambda tx: contracts.withdraw_request(tx, body.request, caller))
        return Response(200, codec.OK)

    async def end(self, caller: Did, statement: Statement[EndNotice]) -> None:
        """A party ends a contract that we have signed; its own notice counts, whoever brings it."""
        contract_id = ContractId(statement.content.contract)
        found = await self.served(contract_id)
        others = {did for c in found for _, did in contracts.signatories(c.agreement)} - {self.me}
        signer = statement.signer
        if signer not in others or caller not in {signer, self.platform}:
            raise NotFoundError(_NONE)
        key_id, key = await evidence_key_of(self.journal, self.member_card, signer)
        notice = space.verify_statement(space.END_NOTICE, statement, key_id, key)
        reason = EndReason(notice.reason)
        await self.journal.write(lambda tx: contracts.end_service(tx, contract_id, reason))

    async def served(self, contract_id: ContractId) -> list[ServiceContract]:
        """What we have signed under this contract's id; whoever asks about another is told of none."""
        found = await self.journal.read(lambda c: contracts.services_of(c, contract_id))
        signed = [c for c in found if c.signature is not None]
        if not signed:
            raise NotFoundError(_NONE)
        return signed

    async def _check_request(self, envelope: contracts.Envelope, caller: Did) -> None:
        """We sign last: provider and consumer have signed before us."""
        agreement = contracts.read_payload(envelope.raw_payload).agreement
        ours = (Signatory.SERVICE_PARTY, self.me)
        if agreement.assigner != caller or ours not in contracts.signatories(agreement):
            raise NotFoundError(_NONE)
        signed = {Did(s.keyid.partition("#")[0]): s for s in envelope.signatures}
        for did, role in ((agreement.assigner, Signatory.PROVIDER), (agreement.assignee, Signatory.CONSUMER)):
            if did not in signed or signed[did].role != role:
                raise TrustError(f"{did} has not signed it")
            await self._verify(signed, did, envelope.raw_payload)

    async def _verify(self, signed: dict[Did, contracts.Signature], did: Did, payload: bytes) -> None:
        key_id, key = await evidence_key_of(self.journal, self.member_card, did)
        verify_contract_signature(signed[did], payload, key_id, key)


def _answer(known: ServiceContract) -> codec.ServiceAnswer:
    signature = known.signature
    return codec.ServiceAnswer(
        keyid="" if signature is None else signature.keyid,
        reason=known.problem,
        sig="" if signature is None else codec.text(signature.raw),
        state=known.state,
    )
