"""What a platform does for the members of its space: admission, contract ids, filing, ends, stop orders."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from entrepot import catalogue, space
from entrepot.identity import DidDocument, Signer
from entrepot.journal import Journal
from entrepot.protocols.route import Call, Handler, Proof, Response, Route, Shape
from entrepot.protocols.tds import codec
from entrepot.space import EndNotice, FiledContract, Member, MemberState, Rules, StopOrder
from entrepot.values import (
    Clock,
    ContractId,
    Did,
    NotFoundError,
    ProductId,
    RefusedError,
    TrustError,
    UnavailableError,
    render_time,
    sha256,
)


@dataclass(frozen=True, slots=True)
class PlatformServices:
    """What the endpoints stand on."""

    journal: Journal
    rules: Rules
    document: Callable[[Did], Awaitable[DidDocument]]
    """The DID document of an applicant; called only for those with an invitation."""
    evidence: Signer
    """Signs member cards."""
    clock: Clock
    receipts: "Receipts" = field(default_factory=lambda: Receipts(0.0))
    shut: Callable[[Connection], tuple[str, ...]] = lambda _connection: ()
    """Why nothing new is taken in here; ends and stop orders always are."""


class Receipts:
    """Filings whose callers wait in this process until the receipt is signed, for so many seconds."""

    def __init__(self, patience: float = 2.0) -> None:
        self._patience = patience
        self._waiting: defaultdict[ContractId, set[asyncio.Event]] = defaultdict(set)

    def signed(self, contract_id: ContractId) -> None:
        """The receipt of this contract is there: let go whoever waits for it."""
        for event in self._waiting.get(contract_id, ()):
            event.set()

    @contextmanager
    def awaited(self, contract_id: ContractId) -> Iterator[Callable[[], Awaitable[None]]]:
        """Listen before anything is written; what is given waits for the receipt, perhaps in vain."""
        event = asyncio.Event()

        async def wait() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await event.wait()

        self._waiting[contract_id].add(event)
        try:
            yield wait
        finally:
            self._waiting[contract_id].discard(event)
            if not self._waiting[contract_id]:
                del self._waiting[contract_id]


def platform_routes(services: PlatformServices) -> list[Route]:
    """Every endpoint of a platform, with the proof it asks for."""
    desk = _Desk(services)
    base = codec.PATH + codec.PLATFORM

    def post(name: str, handle: Handler, shape: Shape, proof: Proof = Proof.MEMBERSHIP) -> Route:
        return Route("POST", f"{base}/{name}", proof, handle, max_bytes=codec.MAX_BODY, shape=shape)

    shape, signed = codec.shape, codec.shape(codec.SIGNED)
    card = Shape({200: (codec.SIGNED,)})
    filing = shape(codec.ContractRegistrate, codec.ContractRegistrated)
    return [
        post(
            "membershipApplication",
            desk.apply,
            shape(codec.APPLICATION, codec.MembershipStatus),
            Proof.INVITATION,
        ),
        post("contractCreate", desk.create, shape(codec.ContractCreate, codec.ContractCreated)),
        post("contractRegistrate", desk.register_contract, filing),
        post(space.Notice.CONTRACT_END, desk.end, signed),
        post(space.Notice.STOP, desk.stop, signed),
        post(space.Notice.PRODUCT, desk.list_product, shape(codec.ProductRegister)),
        post(space.Notice.WITHDRAWAL, desk.withdraw_product, shape(codec.ProductWithdraw)),
        Route("GET", f"{base}/members/{{did}}", Proof.MEMBERSHIP, desk.member, shape=card),
    ]


@dataclass(frozen=True, slots=True)
class _Desk:
    services: PlatformServices

    async def apply(self, call: Call) -> Response:
        """Take in an application, or say where it stands: the same bytes pick the credential up."""
        await self._require_open()
        services = self.services
        application = space.read_application(call.body)
        now = services.clock()
        # Nothing is fetched for a stranger that has no invitation.
        await services.journal.read(lambda c: space.check_invitation(c, application, now))
        known = await services.journal.read(lambda c: space.member(c, application.did))
        if known is None or known.application_digest != application.digest:
            space.verify_application(application, await services.document(application.did))
            known = await services.journal.write(lambda tx: space.apply_for_membership(tx, application))
        return codec.answer(_status(known), 200 if known.credential else 202)

    async def create(self, call: Call) -> Response:
        await self._require_open()
        caller, wanted = _caller(call), codec.decode(call.body, codec.ContractCreate)
        rules, other = self.services.rules, Did(wanted.counterpartyId)
        contract_id = await self.services.journal.write(
            lambda tx: space.give_contract_id(tx, rules, caller, wanted.negotiationId, other)
        )
        return codec.answer(codec.ContractCreated(contract_id))

    async def register_contract(self, call: Call) -> Response:
        """File a contract; answers 202 where its receipt is not signed in time."""
        await self._require_open()
        caller = _caller(call)
        envelope = codec.raw(codec.decode(call.body, codec.ContractRegistrate).envelope)
        parties = space.named_parties(envelope)
        if caller not in parties:
            raise RefusedError("only a party files its contract")
        with self.services.receipts.awaited(space.named_contract(envelope)) as receipt:
            known = await self._filed_before(envelope, caller)
            if known is None:
                known = await self._file(envelope, parties, caller)
            if not known.receipt:
                await receipt()
                known = await self._filed_before(envelope, caller) or known
        answer = codec.ContractRegistrated(
            contractHash=sha256(envelope).hex(),
            receipt=codec.text(known.receipt),
            status="0" if known.receipt else "",
        )
        return codec.answer(answer, 200 if known.receipt else 202)

    async def _file(self, envelope: bytes, parties: tuple[Did, ...], caller: Did) -> FiledContract:
        journal, rules = self.services.journal, self.services.rules
        keys = await journal.read(lambda c: space.keys_of(c, parties))
        filing = space.verify_filing(envelope, keys)
        return await journal.write(lambda tx: space.file_contract(tx, rules, filing, caller))

    async def end(self, call: Call) -> Response:
        caller = _caller(call)
        statement = space.read_statement(call.body, EndNotice)
        space.verify_end_notice(statement, await self._member(caller))
        rules = self.services.rules
        await self.services.journal.write(lambda tx: space.end_contract(tx, rules, statement, caller))
        return Response(200, codec.OK)

    async def stop(self, call: Call) -> Response:
        caller = _caller(call)
        statement = space.read_statement(call.body, StopOrder)
        space.verify_stop_order(statement, await self._member(caller))
        rules = self.services.rules
        await self.services.journal.write(lambda tx: space.order_stop(tx, rules, statement, caller))
        return Response(200, codec.OK)

    async def list_product(self, call: Call) -> Response:
        await self._require_open()
        caller = _caller(call)
        dataset, registration = codec.parse_listing(call.body)
        product, _ = catalogue.parse_dataset(dataset)
        listing = space.ProductListing(product, registration)
        member = await self._member(caller)
        space.verify_listing(listing, caller, member.evidence_key_id, member.evidence_key)
        await asyncio.to_thread(catalogue.examine, product.policy)
        rules = self.services.rules
        await self.services.journal.write(lambda tx: space.list_product(tx, rules, listing, caller))
        return Response(200, codec.OK)

    async def withdraw_product(self, call: Call) -> Response:
        await self._require_open()
        caller, wanted = _caller(call), codec.decode(call.body, codec.ProductWithdraw)
        product_id = ProductId(wanted.productId)
        await self.services.journal.write(
            lambda tx: space.withdraw_product(tx, product_id, wanted.version, caller)
        )
        return Response(200, codec.OK)

    async def member(self, call: Call) -> Response:
        found = await self._member(Did(call.path["did"]))
        if found.state in {MemberState.APPLIED, MemberState.ADMITTING, MemberState.DECLINED}:
            raise NotFoundError("there is no such member")
        card = codec.member_card(found, render_time(self.services.clock()))
        return Response(200, space.sign_statement(codec.CARD, card, self.services.evidence))

    async def _require_open(self) -> None:
        if shut := await self.services.journal.read(self.services.shut):
            raise UnavailableError(*shut)

    async def _member(self, did: Did) -> Member:
        found = await self.services.journal.read(lambda c: space.member(c, did))
        if found is None:
            raise NotFoundError("there is no such member")
        return found

    async def _filed_before(self, envelope: bytes, caller: Did) -> FiledContract | None:
        """The filing of these very bytes, which may come again after its signers have changed keys."""
        contract_id = space.named_contract(envelope)

        def query(connection: Connection) -> FiledContract | None:
            found = space.contract(connection, contract_id)
            same = found is not None and found.holder == caller and found.envelope == envelope
            return found if same else None

        return await self.services.journal.read(query)


def _status(member: Member) -> codec.MembershipStatus:
    # The code is handed out with the membership, not with the decision (design: the ledger decides).
    return codec.MembershipStatus(
        connectorCode=member.connector_code if member.credential else "",
        credential=member.credential,
        problem=member.problem,
        state=str(member.state),
    )


def _caller(call: Call) -> Did:
    if call.caller is None:
        raise TrustError("the caller is not known")
    return call.caller
