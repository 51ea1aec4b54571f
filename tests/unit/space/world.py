"""A platform with a real journal and the real ledger machine, and parties with real keys."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from entrepot import contracts, space
from entrepot.catalogue import Product, product_digest
from entrepot.contracts import SIGNED_AS, Agreement, Signatory, Signature, contract_payload, seal_envelope
from entrepot.identity import SUITES, DidDocument, PublicKey, Signer
from entrepot.journal import Journal, claim, settle
from entrepot.ledger import Genesis, Refusal, apply_block, genesis_head
from entrepot.ledger.machine import Head, read_call
from entrepot.policy import Policy, Rule
from entrepot.space import Clerk, Member, MemberRole, Rules
from entrepot.values import (
    AgreementId,
    ContractId,
    Did,
    Digest,
    Grade,
    KeyId,
    KindOfUse,
    ProductId,
    TransactionId,
    UtcTime,
)

CODE = "91350211M000100Y46"
CHAIN = "ledger.example/space"
START = datetime(2026, 11, 25, 8, tzinfo=UTC)
OPEN = Policy(permissions=(Rule("use"),))


def key(name: str) -> tuple[str, object]:
    return "ed25519", SUITES["ed25519"].load(sha256(name.encode()).digest())


@dataclass(frozen=True)
class Party:
    """Somebody with keys, made from its name, so that runs repeat."""

    name: str
    epoch: int = 1

    @property
    def did(self) -> Did:
        return Did(f"did:web:{self.name}.example")

    @property
    def identity(self) -> Signer:
        return Signer(KeyId(f"{self.did}#identity-1"), *key(f"{self.name} identity"))

    @property
    def evidence(self) -> Signer:
        return Signer(KeyId(f"{self.did}#evidence-{self.epoch}"), *key(f"{self.name} {self.epoch}"))

    @property
    def document(self) -> DidDocument:
        identity, evidence = self.identity, self.evidence
        return DidDocument(
            self.did,
            {identity.key_id: identity.public, evidence.key_id: evidence.public},
            {
                "authentication": frozenset({identity.key_id}),
                "capabilityInvocation": frozenset({identity.key_id}),
                "assertionMethod": frozenset({identity.key_id, evidence.key_id}),
            },
            {},
        )

    def application(
        self, code: str, roles: Iterable[MemberRole] = (MemberRole.PROVIDER,), **changed: object
    ) -> bytes:
        facts = {
            "did": self.did,
            "name": self.name,
            "subject_code": CODE,
            "region": "3502",
            "roles": tuple(roles),
            "origins": (f"https://{self.name}.example",),
        } | changed
        return space.make_application(code, self.identity, self.evidence, **facts)

    def sign(self, payload: bytes, role: Signatory) -> Signature:
        return Signature.of(self.evidence.key_id, role, self.evidence.sign(SIGNED_AS + payload))


OPERATOR = Party("operator")
ALICE = Party("alice")
"""Provides."""
BOB = Party("bob")
"""Consumes."""
EVE = Party("eve")
"""Is somebody else."""
CAROL = Party("carol")
"""Serves: brings an algorithm."""
REGULATOR = Party("regulator")


@dataclass
class World:
    """One platform, its clerk and its ledger; time stands still unless it is moved."""

    folder: Path
    now: UtcTime = START
    one_sided_up_to: Grade | None = None
    journal: Journal = field(init=False)
    head: Head | None = None
    """Where the ledger stands; nothing is the beginning."""
    refused: dict[str, str] = field(default_factory=dict)
    url: str = ""
    """Its database; nothing is a file in the folder."""
    entries: list[bytes] = field(default_factory=list)
    """What the ledger has taken."""

    def __post_init__(self) -> None:
        self.genesis = Genesis(
            chain=CHAIN,
            code=CODE,
            key=OPERATOR.evidence.key_id,
            operator=OPERATOR.did,
            public=OPERATOR.evidence.public.raw.hex(),
            time=0,
        )
        self.head = self.head or genesis_head(self.genesis)
        self.open()

    def open(self) -> None:
        """Start the platform, or start it again after it was killed."""
        url = self.url or f"sqlite:///{self.folder / 'platform.db'}"
        is_new = bool(self.url) or not (self.folder / "platform.db").exists()
        self.journal = Journal.open(url, clock=lambda: self.now)
        if is_new:
            self.journal.create_schema()
        self.rules = Rules(
            name="harbour",
            platform=OPERATOR.did,
            subject_code=CODE,
            place="3502",
            status_url="https://operator.example/tds/statusList",
            ledger_url="https://operator.example/ledger",
            one_sided_up_to=self.one_sided_up_to,
        )
        self.clerk = Clerk(
            journal=self.journal,
            rules=self.rules,
            identity=OPERATOR.identity,
            evidence=OPERATOR.evidence,
            chain=CHAIN,
            height=lambda: self.head.height,
            clock=lambda: self.now,
        )

    def close(self) -> None:
        self.journal.close()

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def clerk_works(self) -> int:
        return asyncio.run(self.clerk.work())

    def ledger_orders(self) -> int:
        """Bring what lies in the outbox to the ledger, and its answers back."""
        sent = self.journal.write_now(lambda tx: claim(tx, "ledger", (space.LEDGER,), 60))
        for message in sent:
            call = read_call(message.body)
            block = apply_block(self.head, self.head.height + 1, self.head.time + 1, [call])
            self.head = block.head
            self.entries += block.leaves
            result = block.results[0]
            name = TransactionId(message.id)
            if isinstance(result, Refusal):
                reason = result.reason.value
                self.refused[message.id] = reason
                self.journal.write_now(lambda tx, n=name, r=reason: space.ledger_refused(tx, n, r))
            else:
                self.journal.write_now(lambda tx, n=name: space.ledger_committed(tx, n))
            self.journal.write_now(lambda tx, m=message: settle(tx, m.id))
        return len(sent)

    def signed_transactions(self) -> list[TransactionId]:
        """What waits in the outbox for the ledger."""
        found = self.journal.write_now(lambda tx: claim(tx, "test", (space.LEDGER,), 0))
        return [TransactionId(m.id) for m in found]

    def settle(self) -> None:
        """Let clerk and ledger work until nothing is left to do."""
        while self.clerk_works() + self.ledger_orders():
            pass

    def invite(self, *roles: MemberRole, lasts: timedelta = timedelta(days=7)) -> str:
        code = space.new_invitation_code()
        self.journal.write_now(lambda tx: space.invite(tx, code, roles or (MemberRole.PROVIDER,), lasts))
        return code

    def apply(self, party: Party, raw: bytes) -> Member:
        application = space.read_application(raw)
        space.verify_application(application, party.document)
        return self.journal.write_now(lambda tx: space.apply_for_membership(tx, application))

    def join(self, party: Party, *roles: MemberRole) -> Member:
        roles = roles or (MemberRole.PROVIDER, MemberRole.CONSUMER)
        self.apply(party, party.application(self.invite(*roles), roles))
        self.journal.write_now(lambda tx: space.admit(tx, party.did))
        self.settle()
        return self.member(party)

    def member(self, party: Party) -> Member:
        found = self.journal.read_now(lambda c: space.member(c, party.did))
        assert found is not None
        return found

    def product(self, party: Party = ALICE, grade: Grade = Grade.L2, policy: Policy = OPEN) -> Product:
        """A product that the ledger has registered."""
        found = Product(
            id=ProductId("urn:product:weather"),
            version=1,
            title="Weather",
            description="of the harbour",
            keywords=(),
            provider=party.did,
            grade=grade,
            rights="hold",
            kinds=frozenset({KindOfUse.DELIVERY}),
            policy=policy,
            media_type="text/csv",
            size=3,
            artefact=Digest(sha256(b"abc").digest()),
            published_at=START,
        )
        registration = space.sign_registration(found, CHAIN, self.head.height, party.evidence)
        listing = space.ProductListing(found, registration)
        member = self.member(party)
        space.verify_listing(listing, party.did, member.evidence_key_id, member.evidence_key)
        self.journal.write_now(lambda tx: space.list_product(tx, self.rules, listing, party.did))
        self.settle()
        return found

    def contract_id(
        self, negotiation: str = "urn:uuid:n1", holder: Party = ALICE, other: Party = BOB
    ) -> ContractId:
        return self.journal.write_now(
            lambda tx: space.give_contract_id(tx, self.rules, holder.did, negotiation, other.did)
        )

    def payload(
        self,
        contract_id: ContractId,
        product: Product,
        provider: Party = ALICE,
        consumer: Party = BOB,
        policy: Policy = OPEN,
    ) -> bytes:
        agreement = Agreement(
            id=AgreementId(contract_id),
            target=product.id,
            policy=policy,
            assigner=provider.did,
            assignee=consumer.did,
            timestamp=self.now,
        )
        return contract_payload(agreement, contract_id, product_digest(product))

    def file(self, envelope: bytes, sender: Party = ALICE) -> space.FiledContract:
        """As the platform's endpoint does it: parties, keys, verification, one transaction."""
        parties = space.named_parties(envelope)
        keys = self.journal.read_now(lambda c: space.keys_of(c, parties))
        filing = space.verify_filing(envelope, keys)
        return self.journal.write_now(lambda tx: space.file_contract(tx, self.rules, filing, sender.did))

    def filed(self) -> tuple[ContractId, bytes]:
        """A contract of Alice and Bob that is filed, with its receipt."""
        product = self.product()
        contract_id = self.contract_id()
        envelope = both_sign(self.payload(contract_id, product))
        self.file(envelope)
        self.settle()
        return contract_id, envelope

    def contract(self, contract_id: ContractId) -> space.FiledContract:
        found = self.journal.read_now(lambda c: space.contract(c, contract_id))
        assert found is not None
        return found


def both_sign(payload: bytes, provider: Party = ALICE, consumer: Party = BOB) -> bytes:
    return seal_envelope(
        payload,
        [provider.sign(payload, Signatory.PROVIDER), consumer.sign(payload, Signatory.CONSUMER)],
    )


def public_key(raw: str) -> PublicKey:
    return PublicKey("ed25519", bytes.fromhex(raw))


__all__ = [
    "ALICE",
    "BOB",
    "CAROL",
    "CHAIN",
    "CODE",
    "EVE",
    "OPEN",
    "OPERATOR",
    "REGULATOR",
    "START",
    "Party",
    "World",
    "both_sign",
    "contracts",
    "public_key",
]
