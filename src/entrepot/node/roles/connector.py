"""What the connector role works with: products, contracts, the gate, and the records of what was done."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cached_property

from sqlalchemy import Connection

from entrepot import catalogue, contracts, regulation, space, use
from entrepot.contracts import Contract, Desk, DoorAddress, EndReason, Listing, Negotiation, Offer
from entrepot.identity import KeyJob, PublicKey, Welcome, known_party
from entrepot.journal import Transaction, new_uuid
from entrepot.node.acquire import Acquirer
from entrepot.node.node import Node
from entrepot.node.roles.quay import quay_of
from entrepot.node.roles.sources_owner import artefacts_held
from entrepot.policy import Policy, service_parties
from entrepot.protocols import dps, dsp, tds
from entrepot.use import House, Pusher, Sealer, Streams
from entrepot.use.flow import driving
from entrepot.use.flow.driving import Helm
from entrepot.use.process import Rail, start_when_in_force
from entrepot.use.query import Children, Limits, Sandbox, Tier, at_least
from entrepot.values import (
    FORMATS,
    AgreementId,
    ContractId,
    Did,
    KindOfUse,
    NotFoundError,
    OfferId,
    ProcessId,
    ProductId,
    ProtocolError,
    RefusedError,
    UnavailableError,
    origin_of,
)


class Connector:
    """What the routes and loops of this role share."""

    def __init__(self, node: Node, member_card: Callable[[Did], Awaitable[tds.MemberCard]]) -> None:
        self.member_card = member_card
        settings = node.settings
        base = settings.listen.url + dsp.PATH
        follow_up = timedelta(seconds=settings.messages.follow_up)
        deadline = timedelta(seconds=settings.messages.deadline)
        waiting = timedelta(seconds=settings.messages.deadline_waiting)
        self.node = node
        self.streams = Streams()
        self.house = House(
            me=node.me,
            boot=node.boot,
            status_max_age=timedelta(seconds=settings.status.max_age),
            oldest_unanchored=timedelta(seconds=settings.records.oldest_unanchored),
            resume_window=timedelta(seconds=settings.records.resume_window),
            insecure_peers=frozenset(peer.did for peer in settings.identity.insecure_peers),
            welcome=Welcome(frozenset(settings.guests.issuers), settings.guests.scopes),
        )
        self.desk = Desk(
            node.me,
            dsp.render_negotiation,
            contracts.respond,
            base,
            follow_up,
            deadline,
            waiting,
            settings.messages.unasked_offers,
        )
        self.rail = Rail(
            render=dsp.render_transfer,
            respond=start_when_in_force,
            door_token=self._door_token,
            door_endpoint=lambda pid: f"{settings.listen.url}/door/{pid}",
            inbox=lambda pid: DoorAddress(f"{settings.listen.url}/inbox/{pid}", self.inbox_token(pid)),
            callback=base,
            seal=node.vault.seal,
            follow_up=follow_up,
            deadline=deadline,
            deadline_waiting=waiting,
            elsewhere=driving.is_elsewhere,
            moved=lambda tx, process, by, content: driving.moved(tx, self.helm, process, by, content),
        )
        self.helm = Helm(self.rail, self.house, dps.teller(node.me))
        self.quay = quay_of(node)
        self.sealer = Sealer(self._receiving_key, lambda name: node.vault.derive("sealing", name))
        self.acquirer = Acquirer(node, self.desk, self.rail, self.streams)
        evidence, platform = node.vault.signer(KeyJob.EVIDENCE), settings.space.platform
        self.ends = tds.Ends(node.journal, evidence, platform, node.clock, deadline, self.cut)
        self.cover = catalogue.Cover(
            f"{settings.listen.url}/catalog", node.me, base, (dsp.envelope.CONTEXT,), only_own=True
        )

    @cached_property
    def children(self) -> Children:
        """What runs queries here, within the owner's limits."""
        asked = self.node.settings.query
        limits = Limits(seconds=asked.seconds, megabytes=asked.megabytes, rows=asked.rows)
        return Children(Sandbox(at_least(Tier(asked.least_tier))), limits, asked.at_once)

    def pusher(self) -> Pusher:
        node = self.node
        return Pusher(
            node.journal,
            self.house,
            self.streams,
            self.rail,
            self.sealer,
            node.vault.unseal,
            lambda url, headers: node.outgoing("HEAD", url, headers=headers),
            node.outgoing.pour,
            self.quay,
        )

    async def _receiving_key(self, did: Did) -> PublicKey | None:
        return (await self.node.acquaintance.document(did)).receiving_key()

    def inbox_token(self, process_id: ProcessId) -> str:
        """The token for what is pushed to us in a process of ours; derived, as a door's is."""
        return self.node.vault.derive("inbox", process_id.encode()).hex()

    def _door_token(self, process_id: ProcessId, epoch: int) -> str:
        return self.node.vault.derive("door", f"{process_id} {epoch}".encode()).hex()

    def published(self, connection: Connection, offer: Offer) -> Listing | None:
        """Our listing of the product that somebody asks for."""
        product = catalogue.product(connection, offer.target)
        if product is None or product.provider != self.node.me:
            return None
        ends = contracts.ends_at(product.policy)
        if ends is not None and ends <= self.node.clock():
            return None
        needs_person = regulation.needs_person(product.grade, self.node.clock().date())
        listed = Offer(product.offer_id, product.id, product.policy, self.node.me)
        return Listing(listed, catalogue.product_digest(product), needs_person)

    def may_open(self, tx: Transaction, contract: Contract, format_name: str) -> tuple[str, ...]:
        """Why a transfer process may not be opened: a new one needs a fresh status list."""
        if shut := use.not_accepted(tx.connection):
            raise UnavailableError(*shut)  # its owner may accept in a moment: no final answer
        reasons = list(contracts.in_force(contracts.used_already(tx, self.desk, contract), tx.now))
        kind = FORMATS.get(format_name)
        goods = use.goods_of(tx.connection, contract)
        if kind is None or format_name not in catalogue.SERVED:
            reasons.append(f"the format {format_name} is not served here")
        elif goods is None:
            reasons.append("the product of this contract is not here")
        else:
            if kind not in goods.kinds:
                offered = ", ".join(sorted(goods.kinds))
                reasons.append(f"the product is offered for {offered}, not for {kind}")
            ruling = regulation.may_use(goods.grade, kind, tx.now.date())
            if not ruling.allowed:
                reasons.append(ruling.reason)
        consumer = known_party(tx.connection, contract.counterparty, self.house.welcome, tx.now)
        if consumer is None:
            if contract.counterparty not in self.house.insecure_peers:
                reasons.append("nothing is known of the consumer's membership")
        else:
            found = consumer.standing
            reasons += found.refusals(self.house.status_max_age)
            if found.is_stale(self.house.status_max_age) and len(reasons) == 1:
                raise UnavailableError(*reasons)  # a newer list may be here in a moment: no final answer
        return tuple(reasons)

    def catalog(
        self, connection: Connection, _caller: Did | None, place: catalogue.Place | catalogue.Search
    ) -> catalogue.Page:
        return catalogue.page(connection, self.cover, place)

    def dataset(self, connection: Connection, wanted: str, _caller: Did | None) -> bytes | None:
        return catalogue.dataset_page(connection, self.cover, ProductId(wanted))

    async def offer(
        self, product_id: ProductId, resource_id: str, described: catalogue.Description
    ) -> catalogue.Product:
        """Offer a product here and list it with the platform; the ledger gets its digest."""
        node = self.node
        if KindOfUse.QUERY in described.kinds:
            await self.children.tier()  # what nobody would keep in here is not offered
        await asyncio.to_thread(catalogue.examine, described.policy)
        await self.check_named(described.policy)
        await asyncio.to_thread(catalogue.unkept, described.policy, described.kinds)
        async with artefacts_held(node):
            product = await node.journal.write(
                lambda tx: catalogue.offer_product(tx, product_id, node.me, resource_id, described)
            )
        await self._list(product)
        return product

    async def offer_contract(
        self, consumer: Did, product_id: ProductId, policy: Policy | None
    ) -> Negotiation:
        """Offer a consumer, unasked, a contract over a product of ours; on its own terms without `policy`."""
        product = await self.node.journal.read(lambda c: catalogue.product(c, product_id))
        if product is None or product.provider != self.node.me:
            raise NotFoundError("there is no such product on offer here")
        if consumer == self.node.me:
            raise RefusedError("nobody makes a contract with itself")
        terms = product.policy if policy is None else policy
        if reasons := await asyncio.to_thread(catalogue.unkept, terms, product.kinds):
            raise RefusedError(*reasons)
        await self.check_named(terms, counterparty=consumer)
        offer = Offer(OfferId(new_uuid()), product.id, terms, self.node.me, consumer)
        address = await self.acquirer.base_of(consumer)
        digest = catalogue.product_digest(product)
        return await self.node.journal.write(
            lambda tx: contracts.offer_contract(tx, self.desk, consumer, address, offer, digest)
        )

    async def check_named(self, policy: Policy, *, counterparty: Did | None = None) -> None:
        """Refuse terms that name as service party who is none; **asks the platform** where any is named."""
        for did in service_parties(policy):
            card = None if did in {self.node.me, counterparty} else await self.member_card(did)
            if card is None or not card.is_in_force(space.MemberRole.SERVICE):
                raise RefusedError(f"{did} is no service party of this space")

    async def roll_back(self, product_id: ProductId, version: int) -> catalogue.Product:
        """Publish an older version's content as a new one; its file must still be the same."""
        node = self.node
        known = await node.journal.read(lambda c: catalogue.versions(c, product_id))
        wanted = next((v.product for v in known if v.product.version == version), None)
        if wanted is not None:
            resource = await node.journal.read(lambda c: catalogue.resource(c, wanted.resource_id))
            if resource is not None and not await asyncio.to_thread(catalogue.is_unchanged, resource):
                raise RefusedError(f"the file of version {version} has changed; attach it as it was")
            if KindOfUse.QUERY in wanted.kinds:
                await self.children.tier()
            await asyncio.to_thread(catalogue.examine, wanted.policy)
        product = await node.journal.write(lambda tx: catalogue.roll_back(tx, product_id, node.me, version))
        await self._list(product)
        return product

    async def withdraw(self, product_id: ProductId) -> None:
        """Offer a product no longer, here and on the platform. Contracts in force go on."""

        def end(tx: Transaction) -> None:
            on_offer = catalogue.product(tx.connection, product_id)
            catalogue.withdraw_product(tx, product_id)
            if on_offer is not None:
                platform, deadline = self.node.settings.space.platform, tx.now + self.desk.deadline
                tds.withdraw_from_platform(tx, product_id, on_offer.version, platform, deadline)

        await self.node.journal.write(end)

    async def _list(self, product: catalogue.Product) -> None:
        """List a product with the platform; the ledger gets its digest."""
        node = self.node
        height = (await node.ledger.standing()).height
        signer = node.vault.signer(KeyJob.EVIDENCE)
        registration = space.sign_registration(product, node.settings.space.ledger_origin, height, signer)
        await node.journal.write(
            lambda tx: tds.list_with_platform(
                tx, product, registration, node.settings.space.platform, tx.now + self.desk.deadline
            )
        )

    async def end_contract(self, agreement_id: AgreementId, reason: EndReason) -> None:
        """End a contract of ours: nothing begins from now on, and what runs is cut; then tell the others."""
        node = self.node
        contract = await node.journal.read(lambda c: contracts.agreement_of(c, agreement_id))
        if contract is None:
            await self._end_service(agreement_id, reason)
            return
        notice = self.ends.notice(contract.contract_id, reason)

        def end(tx: Transaction) -> None:
            if contracts.end_contract(tx, agreement_id, reason):
                self.ends.tell(tx, contract.contract_id, contract.others, notice)

        await node.journal.write(end)
        self.cut(agreement_id)

    async def _end_service(self, agreement_id: AgreementId, reason: EndReason) -> None:
        """End a contract that we have signed as service party, for whomever it is."""
        contract_id, journal = ContractId(agreement_id), self.node.journal
        found = await journal.read(lambda c: contracts.services_of(c, contract_id))
        held = next((c for c in found if c.receipt), None)
        if held is None:
            raise NotFoundError("there is no such contract here")
        notice = self.ends.notice(contract_id, reason)

        def end(tx: Transaction) -> None:
            if contracts.end_service(tx, contract_id, reason):
                self.ends.tell(tx, contract_id, held.parties, notice)

        await journal.write(end)

    def cut(self, agreement_id: AgreementId) -> None:
        """Cut every stream that runs under a contract."""
        self.streams.stop_agreement(agreement_id)

    async def check_callback(self, address: str, sender: Did) -> None:
        """A callback address must lie on an origin of the sender's DID services."""
        document = await self.node.acquaintance.document(sender)
        allowed = {origin_of(url) for url in document.services.values()}
        if origin_of(address) not in allowed:
            raise ProtocolError("callbackAddress does not lie on an origin of the sender's DID services")

    async def watch_doors(self) -> bool:
        """Cut the streams of doors that were shut: what is suspended or over carries nothing more."""
        streaming = self.streams.processes()
        if not streaming:
            return False
        now = self.node.clock()
        shut = await self.node.journal.read(
            lambda c: [p for p in streaming if not use.process.may_flow(c, p)]
        )
        for agreement_id in await self.node.journal.read(lambda c: use.process.agreements_over(c, now)):
            self.cut(agreement_id)  # it may have been ended by another worker
        for process_id in shut:
            self.streams.stop_process(process_id)
        return bool(shut)

    async def look_at_guests(self) -> None:
        """Ask the issuers of the guests at our doors again: nobody else would bring news of them."""
        if not self.house.welcome.issuers:
            return
        away = []
        for did in await self.node.journal.read(use.process.consumers_at_doors):
            try:
                await self.node.acquaintance.look_again(did)
            except UnavailableError as error:
                away.append(str(error))
        if away:
            raise UnavailableError(*away)

    async def tidy(self) -> bool:
        """Close uses that nobody goes on with, and processes whose contract no longer holds."""
        journal, now = self.node.journal, self.node.clock()
        for agreement_id in await journal.read(lambda c: use.process.agreements_over(c, now)):
            self.cut(agreement_id)
            await self._end_processes(agreement_id)
        if journal.is_shared and await journal.read(lambda c: use.has_dead(c, self.house)):
            await journal.write(lambda tx: use.interrupt_dead(tx, self.house))
        if not await self.node.journal.read(lambda c: use.has_due(c, self.house, now)):
            return False
        return bool(await self.node.journal.write(lambda tx: use.close_due(tx, self.house)))

    async def _end_processes(self, agreement_id: AgreementId) -> None:
        await self.node.journal.write(lambda tx: use.process.end_processes(tx, self.rail, agreement_id))
