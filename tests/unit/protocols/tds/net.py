"""A platform and its members, joined by a simulated network.

Routes, error documents, journals, keys, state machines and the ledger's machine are the real ones. Only
sockets and caller authentication are simulated: the header of a call simply names its sender.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from entrepot_space_world import ALICE, BOB, CAROL, EVE, OPERATOR, REGULATOR, Party, World

from entrepot import contracts, space
from entrepot.catalogue import Product, product_digest
from entrepot.contracts import Contract, Desk, Listing, Negotiation, Offer, State
from entrepot.identity import DidDocument, remember_membership, verify_membership
from entrepot.journal import Journal, OutboxMessage, Transaction, claim, next_due
from entrepot.node.http import Application, Gatekeeper
from entrepot.protocols import Reply, dsp, tds
from entrepot.space import MemberRole
from entrepot.use.process import Rail, start_when_in_force
from entrepot.values import AgreementId, ContractId, Did, OfferId, ProcessId, TrustError, UnavailableError

KINDS = (contracts.DSP, contracts.SIGNING, space.TDS)
ROLES = {REGULATOR: (MemberRole.REGULATOR,), CAROL: (MemberRole.SERVICE,)}
NAMES = {p.did: p for p in (ALICE, BOB, CAROL, EVE, OPERATOR, REGULATOR)}


@dataclass
class Node:
    """A member's connector."""

    net: "Net"
    party: Party
    speaks: bool = True
    """Whether it has the messages of the trusted data space at all."""
    respond: contracts.Responder = contracts.respond
    ended: list[str] = field(default_factory=list)
    receipts: list[tuple[str, bytes]] = field(default_factory=list)
    products: dict[str, Product] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Start the node, or start it again after it was killed."""
        me, base = self.party.did, url_of(self.party) + dsp.PATH
        path = self.net.folder / f"{self.party.name}.db"
        is_new = not path.exists()
        self.journal = Journal.open(f"sqlite:///{path}", clock=lambda: self.net.now)
        if is_new:
            self.journal.create_schema()
        self.desk = Desk(me, dsp.render_negotiation, self.respond, base)
        self.rail = Rail(
            render=dsp.render_transfer,
            respond=start_when_in_force,
            door_token=lambda pid, epoch: f"{pid} {epoch}",
            door_endpoint=lambda pid: f"{url_of(self.party)}/door/{pid}",
            callback=base,
        )
        self.client = self.net.client(self.party)
        services = dsp.Services(
            self.journal,
            self.desk,
            self.rail,
            self._published,
            lambda _tx, _contract, _format: (),
            lambda _connection, _did: b"{}",
            lambda _connection, _id, _did: None,
            _any_callback,
        )
        party = tds.PartyServices(
            journal=self.journal,
            desk=self.desk,
            platform=OPERATOR.did,
            document=self.net.document,
            member_card=self.client.member_card,
            take_in_receipt=self._take_in_receipt,
            contract_ended=self.ended.append,
            clock=lambda: self.net.now,
        )
        openings = tds.OpeningsServices(
            self.journal, self.party.did, self.client.member_card, self._package, self._uses
        )
        mine = [*tds.party_routes(party), tds.openings_route(openings)] if self.speaks else []
        self.application = Application([*dsp.routes(services), *mine], self.net.gatekeeper)
        self.ends = tds.Ends(
            self.journal,
            self.party.evidence,
            OPERATOR.did,
            lambda: self.net.now,
            self.desk.deadline,
            self.ended.append,
        )
        self.senders = {
            contracts.DSP: dsp.Correspondence(
                self.journal, self.desk, self.rail, self.net.outgoing, self.net.authorization(self.party)
            ).send,
            contracts.SIGNING: tds.Signing(self.journal, self.desk, self.client, self.party.evidence).send,
            space.TDS: tds.Notices(self.journal, self.client).send,
        }

    def kill(self) -> None:
        """Stop without warning, and start again on what is durable."""
        self.journal.close()
        self.open()

    def negotiation(self) -> Negotiation:
        (found,) = self.journal.read_now(contracts.negotiations)
        return found

    def state(self) -> State:
        return self.negotiation().exchange.state

    def contract(self) -> Contract:
        (found,) = self.journal.read_now(contracts.contracts_held)
        return found

    def tell(self, to: "Party | None", notice: space.Notice, body: bytes) -> None:
        """Queue a notice; to nobody means to the platform."""
        did = OPERATOR.did if to is None else to.did
        self.journal.write_now(
            lambda tx: space.tell(
                tx, did, notice, body, "test", tx.now + self.desk.deadline, platform=to is None
            )
        )

    def _published(self, _connection: object, offer: Offer) -> Listing | None:
        product = self.products.get(offer.target)
        if product is None:
            return None
        mine = Offer(product.offer_id, product.id, product.policy, self.party.did)
        return Listing(mine, product_digest(product))

    async def _package(self, contract_id: ContractId, use_id: str) -> bytes:
        return f"{contract_id} {use_id}".encode()

    async def _uses(self, contract_id: ContractId) -> bytes:
        return f'{{"contract":"{contract_id}"}}'.encode()

    def _take_in_receipt(self, _tx: Transaction, sender: Did, signed: object) -> None:
        self.receipts.append((sender, signed.raw))


class Net:
    """Everybody, and the wires between them."""

    def __init__(self, folder: Path, head: object = None) -> None:
        """Everybody has joined already where `head` says how far their ledger came."""
        self.folder = folder
        self.world = World(folder, head=head)
        self.gatekeeper = Gatekeeper(self._authenticate)
        self.broken: list[Callable[[str, str], str | None]] = []
        """Faults: given method and URL, `lost` (never arrives), `unanswered` or `twice`; None is no fault."""
        self.calls: list[tuple[str, str, int]] = []
        self.nodes: dict[Did, Node] = {}
        self.documents: dict[Did, DidDocument] = {}
        self.open_platform()
        for party in (ALICE, BOB, CAROL, EVE, REGULATOR):
            if head is None:
                self.world.join(party, *ROLES.get(party, ()))
            self.nodes[party.did] = Node(self, party)
        if head is None:
            self._introduce()

    @property
    def now(self) -> object:
        return self.world.now

    def open_platform(self) -> None:
        world = self.world
        services = tds.PlatformServices(
            world.journal, world.rules, self.document, OPERATOR.evidence, lambda: world.now
        )

        async def newest() -> str | None:
            return world.journal.read_now(lambda c: space.published_status_list(c, world.rules))

        supervised = [*tds.register_routes(world.journal), tds.search_route(world.journal)]
        routes = [*tds.platform_routes(services), *supervised, tds.status_list_route(newest)]
        self.platform = Application(routes, self.gatekeeper)
        self.notices = tds.Notices(world.journal, self.client(OPERATOR))

    def kill_platform(self) -> None:
        self.world.close()
        self.world.open()
        self.open_platform()

    def close(self) -> None:
        self.world.close()
        for node in self.nodes.values():
            node.journal.close()

    def node(self, party: Party) -> Node:
        return self.nodes[party.did]

    def client(self, party: Party) -> tds.Client:
        return tds.Client(self.outgoing, self.document, self.authorization(party), OPERATOR.did)

    def authorization(self, party: Party) -> Callable[[Did], object]:
        async def header(_to: Did) -> str:
            return f"Bearer {party.did}"

        return header

    async def document(self, did: Did) -> DidDocument:
        if did in self.documents:
            return self.documents[did]
        if did not in NAMES:
            raise UnavailableError("there is no such host")
        party = NAMES[did]
        node = self.nodes.get(did)
        speaks = node is None or node.speaks
        services = {tds.SERVICE: url_of(party) + tds.PATH} if speaks else {}
        return replace(party.document, services=services)

    async def outgoing(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
    ) -> Reply:
        """The wire: finds the application behind an address, and breaks where it is told to."""
        fault = next((f for f in (b(method, url) for b in self.broken) if f), None)
        if fault == "lost":
            self.calls.append((method, url, 0))
            raise UnavailableError("lost on its way")
        reply = await self.call(method, url, body, headers or {})
        if fault == "twice":
            again = await self.call(method, url, body, headers or {})
            assert (again.status, again.body) == (reply.status, reply.body), url
        if fault == "unanswered":
            raise UnavailableError("the answer was lost")
        if len(reply.body) > max_bytes:
            raise UnavailableError("too much")
        return reply

    async def call(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        parts = urlsplit(url)
        host = parts.hostname or ""
        did = Did(f"did:web:{host}")
        application = self.platform if did == OPERATOR.did else self.nodes[did].application
        sent: list[dict[str, object]] = []
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(parts.path),  # as a server gives it
            "query_string": parts.query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: dict[str, object]) -> None:
            sent.append(event)

        await application(scope, receive, send)
        status = sent[0]["status"]
        self.calls.append((method, url, status))
        return Reply(status, b"".join(e["body"] for e in sent[1:]), {})

    def post(self, party: Party | None, to: Party, name: str, body: bytes) -> Reply:
        """Call an endpoint by hand, as `party`."""
        headers = {} if party is None else {"authorization": f"Bearer {party.did}"}
        return asyncio.run(self.call("POST", f"{url_of(to)}{tds.PATH}/{name}", body, headers))

    def run(self, rounds: int = 40) -> None:
        """Let everybody do what there is to do, while time goes on, until all is quiet."""
        quiet = 0
        for _ in range(rounds):
            done = sum(self._turn(node.journal, node.senders) for node in self.nodes.values())
            done += sum(asyncio.run(node.ends.work()) for node in self.nodes.values())
            done += self._turn(self.world.journal, {space.TDS: self.notices.send})
            done += self.world.clerk_works() + self.world.ledger_orders()
            self.world.later(seconds=0.5)
            quiet = 0 if done or self._is_waiting() else quiet + 1
            if quiet == 2:
                return

    def step(self, party: Party) -> None:
        """Let one node send once what is due."""
        self._turn(self.node(party).journal, self.node(party).senders)

    def _is_waiting(self) -> bool:
        journals = (self.world.journal, *(node.journal for node in self.nodes.values()))
        return any(j.read_now(lambda c: next_due(c, KINDS)) for j in journals)

    def _turn(self, journal: Journal, senders: Mapping[str, object]) -> int:
        due_at = journal.read_now(lambda c: next_due(c, tuple(senders)))
        if due_at is None or due_at > self.world.now:
            return 0
        due: list[OutboxMessage] = journal.write_now(lambda tx: claim(tx, "net", tuple(senders), 0.1))

        async def send() -> None:
            for message in due:
                await senders[message.kind](message, self.world.now)

        asyncio.run(send())
        return len(due)

    def ask(self, product: Product, consumer: Party = BOB, provider: Party = ALICE) -> ProcessId:
        """The consumer asks for a contract on what the provider offers."""
        node = self.node(consumer)
        self.node(provider).products[product.id] = product
        offer = Offer(OfferId(product.offer_id), product.id, product.policy, provider.did, consumer.did)
        address = url_of(provider) + dsp.PATH
        return node.journal.write_now(
            lambda tx: contracts.request_contract(
                tx, node.desk, provider.did, address, offer, product_digest(product)
            )
        ).exchange.id

    def contract(self) -> ContractId:
        """A contract of Alice and Bob, made by everybody doing their part."""
        self.ask(self.world.product())
        self.run()
        assert self.node(BOB).state() is State.FINALIZED
        return self.node(BOB).contract().contract_id

    async def _authenticate(self, authorization: str) -> Did:
        did = Did(authorization.removeprefix("Bearer "))
        if did not in NAMES:
            raise TrustError("no member")
        if did != OPERATOR.did:
            member = self.world.journal.read_now(lambda c: space.member(c, did))
            if member is None or not member.in_force:
                raise TrustError("no member in force")
        return did

    def _introduce(self) -> None:
        """Everybody has seen everybody's credential, as after a first call."""
        for node in self.nodes.values():
            for party in (ALICE, BOB, EVE, REGULATOR):
                credential = self.world.member(party).credential
                membership = verify_membership(
                    credential, party.did, OPERATOR.did, OPERATOR.identity.public, self.world.now
                )
                node.journal.write_now(lambda tx, c=credential, m=membership: remember_membership(tx, c, m))


async def _any_callback(_address: str, _sender: Did) -> None:
    return None


def url_of(party: Party) -> str:
    return f"https://{party.name}.example"


def agreement_id(contract_id: ContractId) -> AgreementId:
    return AgreementId(contract_id)
