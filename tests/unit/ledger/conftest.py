"""A small space of real keys, for the tests of the ledger."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from nacl.signing import SigningKey

from entrepot.identity import PublicKey
from entrepot.ledger import NoteKey, SignatureType, make_payload, sign_transaction
from entrepot.ledger.machine import Block, Genesis, Head, apply_block, genesis_head
from entrepot.ledger.modules.contracts import ContractEnd, ContractFile, EndReason
from entrepot.ledger.modules.members import KeyOffer, MemberAdmit, MemberKeys, MemberRevoke, RevocationReason
from entrepot.ledger.modules.products import ProductRegister
from entrepot.ledger.modules.usage import UsageBatch
from entrepot.ledger.operation import Refusal, Role

CHAIN = "ledger.example/space"
CODE = "91350211M000100Y43"
START = datetime(2026, 11, 25, 8, tzinfo=UTC)


def digest(text: str) -> str:
    return "sha256:" + sha256(text.encode()).hexdigest()


@dataclass
class Key:
    """An Ed25519 key made from its name, so that runs repeat."""

    name: str
    _key: SigningKey = field(init=False)

    def __post_init__(self) -> None:
        self._key = SigningKey(sha256(self.name.encode()).digest())

    @property
    def raw(self) -> bytes:
        return bytes(self._key.verify_key)

    @property
    def public(self) -> PublicKey:
        return PublicKey("ed25519", self.raw)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data).signature


@dataclass
class Actor:
    """Somebody who makes transactions."""

    name: str
    epoch: int = 1
    key_of: str = ""

    @property
    def did(self) -> str:
        return f"did:web:{self.name}.example"

    @property
    def key_id(self) -> str:
        return f"did:web:{self.key_of or self.name}.example#evidence-{self.epoch}"

    @property
    def key(self) -> Key:
        return Key(f"{self.name} {self.epoch}")

    @property
    def offer(self) -> KeyOffer:
        return KeyOffer(self.key_id, self.key.raw.hex())

    def make(self, op: str, body: object, height: int = 0, chain: str = CHAIN) -> bytes:
        payload = make_payload(chain=chain, height=height, actor=self.did, key=self.key_id, op=op, body=body)
        return sign_transaction(payload, self.key)

    def admit(self, other: "Actor", role: Role = Role.CONNECTOR, height: int = 0) -> bytes:
        return self.make("member.admit", MemberAdmit(CODE, other.did, 1, (other.offer,), role), height)

    def new_keys(self, other: "Actor", height: int = 0) -> bytes:
        return self.make("member.keys", MemberKeys(other.did, other.epoch, (other.offer,)), height)

    def revoke(self, other: "Actor", height: int = 0) -> bytes:
        return self.make("member.revoke", MemberRevoke(other.did, RevocationReason.BREACH), height)

    def register(self, product: str = "urn:uuid:1", text: str = "v1", grade: str = "L2") -> bytes:
        return self.make("product.register", ProductRegister(digest(text), grade, product))  # type: ignore[arg-type]  # tests try wrong grades too

    def file(self, number: int, *parties: "Actor", one_sided: bool = False, height: int = 0) -> bytes:
        body = ContractFile(
            contract(number), digest(f"contract {number}"), one_sided, tuple(p.did for p in parties)
        )
        return self.make("contract.file", body, height)

    def end(self, number: int, reason: EndReason = EndReason.AGREEMENT, height: int = 0) -> bytes:
        return self.make("contract.end", ContractEnd(contract(number), reason), height)

    def batch(self, number: int, height: int = 0, previous: str | None = None) -> bytes:
        if previous is None and number > 1:
            previous = digest(f"batch {number - 1}")
        return self.make("usage.batch", UsageBatch(number, previous, digest(f"batch {number}")), height)


def contract(number: int) -> str:
    return f"{number:046d}A"


OPERATOR, ALPHA, BETA, REGULATOR, STRANGER = map(
    Actor, ("operator", "alpha", "beta", "regulator", "stranger")
)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Space:
    """Everybody who acts in these tests, and what they share."""

    operator, alpha, beta, regulator, stranger = OPERATOR, ALPHA, BETA, REGULATOR, STRANGER
    genesis = Genesis(CHAIN, CODE, OPERATOR.key_id, OPERATOR.did, OPERATOR.key.raw.hex(), 1)
    log = Key("log")
    witness = Key("witness")
    Actor = Actor
    Clock = Clock
    Key = Key
    contract = staticmethod(contract)
    digest = staticmethod(digest)

    @property
    def log_key(self) -> NoteKey:
        return NoteKey(CHAIN, SignatureType.ED25519, self.log.raw)

    @property
    def witness_key(self) -> NoteKey:
        return NoteKey("observer.example", SignatureType.COSIGNATURE, self.witness.raw)

    @property
    def admissions(self) -> list[bytes]:
        return [
            self.operator.admit(self.alpha),
            self.operator.admit(self.beta),
            self.operator.admit(self.regulator, Role.REGULATOR),
        ]

    def peopled(self) -> Head:
        """The head after a first block that admits alpha, beta and the regulator."""
        return self.after(genesis_head(self.genesis), *self.admissions)

    @staticmethod
    def block(head: Head, *transactions: bytes) -> Block:
        return apply_block(head, head.height + 1, head.time + 1, transactions)

    def after(self, head: Head, *transactions: bytes) -> Head:
        block = self.block(head, *transactions)
        assert len(block.applied) == len(transactions)
        return block.head

    def refused(self, head: Head, transaction: bytes) -> str:
        (result,) = self.block(head, transaction).results
        assert isinstance(result, Refusal)
        return result.reason.value


@pytest.fixture(scope="session")
def space() -> Space:
    return Space()
