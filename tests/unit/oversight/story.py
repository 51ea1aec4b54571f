"""A small space whose story ends in evidence: real keys, the real state machine, a real witness."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from nacl.signing import SigningKey

from entrepot.contracts import Agreement, Signatory, Signature, contract_payload, seal_envelope
from entrepot.ledger import (
    Checkpoint,
    ContractEnd,
    ContractFile,
    EndReason,
    EntryProof,
    Genesis,
    KeyOffer,
    MemberAdmit,
    MemberKeys,
    MemberRevoke,
    Note,
    NoteKey,
    Part,
    Receipt,
    Record,
    RecordKind,
    RevocationReason,
    Role,
    SignatureType,
    Tree,
    Units,
    UsageBatch,
    apply_block,
    batch_root,
    commitment,
    cosign_checkpoint,
    decode_receipt,
    encode_note,
    encode_record,
    genesis_head,
    leaf_hash,
    make_payload,
    outer_leaves,
    prove_record,
    render_note_key,
    sign_checkpoint,
    sign_receipt,
    sign_transaction,
)
from entrepot.oversight import LogEntry, OpenedRecord, choose_entries, export_evidence, write_policy
from entrepot.oversight.evidence import write_evidence
from entrepot.policy import OPERANDS, Atom, Operator, Policy, Rule
from entrepot.values import (
    AgreementId,
    ContractId,
    Did,
    KeyId,
    ProductId,
    render_digest,
)
from entrepot.values import sha256 as digest_of

CHAIN = "ledger.example/space"
CODE = "91350211M000100Y43"
CONTRACT = "7" * 46 + "A"
OTHER = "7" * 45 + "8A"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ARTEFACT = render_digest(digest_of(b"the data"))


@dataclass(frozen=True)
class Key:
    """An Ed25519 key made from its name, so that runs repeat."""

    name: str

    @property
    def _key(self) -> SigningKey:
        return SigningKey(sha256(self.name.encode()).digest())

    @property
    def raw(self) -> bytes:
        return bytes(self._key.verify_key)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data).signature


@dataclass(frozen=True)
class Actor:
    """A party with the evidence key of one epoch."""

    name: str
    epoch: int = 1

    @property
    def did(self) -> str:
        return f"did:web:{self.name}.example"

    @property
    def key_id(self) -> str:
        return f"{self.did}#evidence-{self.epoch}"

    @property
    def key(self) -> Key:
        return Key(f"{self.name} {self.epoch}")

    @property
    def offer(self) -> KeyOffer:
        return KeyOffer(self.key_id, self.key.raw.hex())

    def does(self, op: str, body: Any) -> bytes:
        payload = make_payload(chain=CHAIN, height=0, actor=self.did, key=self.key_id, op=op, body=body)
        return sign_transaction(payload, self.key)


OPERATOR, PROVIDER, CONSUMER, OBSERVER, OTHERS = map(
    Actor, ("operator", "provider", "consumer", "observer", "others")
)
LOG, WITNESSES = Key("log"), [Key("witness 1"), Key("witness 2")]
LOG_KEY = NoteKey(CHAIN, SignatureType.ED25519, LOG.raw)
WITNESS_KEYS = [
    NoteKey(f"witness-{i}.example", SignatureType.COSIGNATURE, key.raw) for i, key in enumerate(WITNESSES)
]


def admit(actor: Actor, role: Role = Role.CONNECTOR) -> bytes:
    return OPERATOR.does("member.admit", MemberAdmit(CODE, actor.did, 1, (actor.offer,), role))


def rotate(actor: Actor) -> tuple[Actor, bytes]:
    after = replace(actor, epoch=actor.epoch + 1)
    return after, actor.does("member.keys", MemberKeys(actor.did, after.epoch, (after.offer,)))


def revoke(actor: Actor, by: Actor = OPERATOR) -> bytes:
    return by.does("member.revoke", MemberRevoke(actor.did, RevocationReason.BREACH))


def end(by: Actor = PROVIDER, reason: EndReason = EndReason.AGREEMENT) -> bytes:
    return by.does("contract.end", ContractEnd(CONTRACT, reason))


def agreement(ends: datetime | None = datetime(2026, 12, 31, tzinfo=UTC)) -> Agreement:
    time = (OPERANDS["dateTime"], Operator.LT, ends) if ends else None
    rule = Rule("use", (Atom(*time),) if time else ())
    return Agreement(
        AgreementId(CONTRACT),
        ProductId("urn:uuid:product"),
        Policy(permissions=(rule,)),
        Did(PROVIDER.did),
        Did(CONSUMER.did),
        NOON.replace(hour=8),
    )


def envelope(
    signers: Sequence[tuple[Signatory, Actor]] = (
        (Signatory.PROVIDER, PROVIDER),
        (Signatory.CONSUMER, CONSUMER),
    ),
    *,
    signed: bytes | None = None,
    terms: Agreement | None = None,
) -> bytes:
    payload = contract_payload(terms or agreement(), ContractId(CONTRACT), digest_of(b"description"))
    said = b"entrepot/contract/v1\n" + (payload if signed is None else signed)
    return seal_envelope(payload, [Signature.of(KeyId(a.key_id), r, a.key.sign(said)) for r, a in signers])


def file(raw: bytes, by: Actor = OPERATOR, *, one_sided: bool = False, **other: Any) -> bytes:
    body: dict[str, Any] = {
        "contract": CONTRACT,
        "digest": render_digest(digest_of(raw)),
        "one_sided": one_sided,
        "parties": (PROVIDER.did, CONSUMER.did),
    }
    return by.does("contract.file", ContractFile(**body | other))


def record(kind: RecordKind, minute: int, **facts: Any) -> Record:
    values: dict[str, Any] = {
        "at": f"2026-11-25T12:{minute:02d}:00.000000Z",
        "consumer": CONSUMER.did,
        "contract": CONTRACT,
        "kind": kind,
        "product": "urn:uuid:product",
        "use": "urn:uuid:use",
        "artefact": ARTEFACT,
        "size": 8,
    }
    return Record(**values | facts)


OPENED = record(RecordKind.OPENED, 1, units=Units(uses=1), status_age=4, decision=ARTEFACT)
CLOSED = record(RecordKind.CLOSED, 2, units=Units(bytes=9, seconds=60), outcome="received")
RECEIPT = Receipt(
    artefact=ARTEFACT,
    at="2026-11-25T12:01:30.000000Z",
    bytes=8,
    consumer=CONSUMER.did,
    contract=CONTRACT,
    key=CONSUMER.key_id,
    use="urn:uuid:use",
)


def signed_receipt(receipt: Receipt = RECEIPT, by: Actor = CONSUMER) -> bytes:
    return sign_receipt(receipt, by.key)


def record_of(raw: bytes) -> Record:
    """The consumer's own record of its receipt."""
    return record(RecordKind.RECEIPT, 1, receipt=decode_receipt(raw).digest)


@dataclass
class Written:
    """One batch: records of our contract from `first` on, among others."""

    records: list[Record]
    by: Actor = PROVIDER
    number: int = 1
    previous: str | None = None
    first: int = 5
    neighbours: int = 3
    alone: bool = False
    """Whether no other contract has a part in it."""

    def salt(self, place: int) -> bytes:
        return sha256(f"{self.by.name} {self.number} {place}".encode()).digest()

    @property
    def parts(self) -> list[Part]:
        own = [commitment(self.salt(i), encode_record(r)) for i, r in enumerate(self.records)]
        others = [commitment(self.salt(100 + i), b"another use") for i in range(self.neighbours)]
        return [
            Part(CONTRACT, self.first, [*others, *own], Units(uses=1)),
            *([] if self.alone else [Part(OTHER, 1, [digest_of(b"another contract")], Units(uses=1))]),
        ]

    @property
    def root(self) -> str:
        return render_digest(batch_root(outer_leaves(self.parts)))

    @property
    def transaction(self) -> bytes:
        return self.by.does("usage.batch", UsageBatch(self.number, self.previous, self.root))

    def opened(self, entry: int) -> list[OpenedRecord]:
        leaves = outer_leaves(self.parts)
        place = sorted(part.contract for part in self.parts).index(CONTRACT)
        return [
            OpenedRecord(
                encode_record(record),
                self.salt(i),
                prove_record(self.first + self.neighbours + i, self.parts[0].commitments, leaves, place),
                entry,
            )
            for i, record in enumerate(self.records)
        ]


@dataclass
class Story:
    """What the ledger was told, in order; a `Written` batch stands for its transaction."""

    steps: list[bytes | Written]
    envelope: bytes = field(default_factory=envelope)
    receipt: bytes | None = None
    cosigners: int = 2
    cosigned_at: int = int(NOON.replace(hour=13).timestamp())
    heads: Sequence[tuple[int, datetime]] = ()
    """Sizes at which the witnesses had cosigned before, and when."""
    lawful: bool = True
    """Whether the ledger's own machine must accept every step."""

    @property
    def log(self) -> list[bytes]:
        transactions = [s.transaction if isinstance(s, Written) else s for s in self.steps]
        if not self.lawful:
            return transactions
        genesis = Genesis(CHAIN, CODE, OPERATOR.key_id, OPERATOR.did, OPERATOR.key.raw.hex(), 1)
        head, log = genesis_head(genesis), []
        for at in range(0, len(transactions), 2):
            block = apply_block(head, head.height + 1, head.time + 1, transactions[at : at + 2])
            assert len(block.applied) == len(transactions[at : at + 2]), block.results
            head = block.head
            log += block.leaves
        return log

    def checkpoint(self, tree: Tree, size: int | None = None, at: int | None = None) -> bytes:
        size = len(tree) if size is None else size
        head = Checkpoint(CHAIN, size, tree.root(size))
        lines = [sign_checkpoint(head, LOG, LOG_KEY)]
        pairs = zip(WITNESSES, WITNESS_KEYS, strict=True)
        # The witnesses' clocks differ by ten seconds, and the first is ahead.
        seconds = self.cosigned_at if at is None else at
        cosigned = [cosign_checkpoint(head, seconds - 10 * i, k, n) for i, (k, n) in enumerate(pairs)]
        return encode_note(Note(head.text, (*lines, *cosigned[: self.cosigners])))

    def seen(self, tree: Tree, number: int) -> EntryProof | None:
        """The proof of an entry under the first head that was witnessed over it."""
        first = min((head for head in self.heads if head[0] > number), default=None)
        if first is None:
            return None
        size, at = first
        note = self.checkpoint(tree, size, int(at.timestamp()))
        return EntryProof(number, tree.prove_inclusion(number, size), note)

    def gathered(self) -> dict[str, Any]:
        """What a node gathers for `export_evidence`."""
        log = self.log
        tree = Tree(map(leaf_hash, log))
        batches = [(s, log.index(s.transaction)) for s in self.steps if isinstance(s, Written)]
        ordered = sorted(batches, key=lambda b: b[0].by is not PROVIDER)
        wanted = choose_entries(
            enumerate(log), CONTRACT, [Did(PROVIDER.did), Did(CONSUMER.did)], [at for _, at in batches]
        )
        return {
            "envelope": self.envelope,
            "checkpoint": self.checkpoint(tree),
            "entries": [LogEntry(n, log[n], tree.prove_inclusion(n), self.seen(tree, n)) for n in wanted],
            "records": [r for written, at in ordered for r in written.opened(at)],
            "receipt": self.receipt,
        }

    def package(self) -> dict[str, bytes]:
        return export_evidence(**self.gathered())

    def files(self) -> dict[str, bytes]:
        """The package, whether it holds or not."""
        return write_evidence(**self.gathered())


def usual(*, receipt: bytes | None = None, anchored: bool = True) -> Story:
    """The whole street: admitted, signed, filed, used in two batches, received."""
    raw = envelope()
    first = Written([OPENED])
    second = Written([CLOSED], number=2, previous=first.root, first=20)
    steps: list[bytes | Written] = [
        admit(OBSERVER, Role.REGULATOR),
        admit(PROVIDER),
        admit(OTHERS),
        admit(CONSUMER),
        file(raw),
        OTHERS.does("usage.batch", UsageBatch(1, None, ARTEFACT)),
        first,
        second,
    ]
    if receipt is not None and anchored:
        steps.append(Written([record_of(receipt)], CONSUMER))
    return Story(steps, raw, receipt)


POLICY = write_policy(
    render_note_key(LOG_KEY),
    [render_note_key(key) for key in WITNESS_KEYS],
    2,
    (OPERATOR.key_id, OPERATOR.key.raw.hex()),
)


HEADS = (
    (6, NOON.replace(hour=11)),
    (9, NOON.replace(hour=11, minute=30)),
    (12, NOON.replace(minute=2, second=5)),
    (14, NOON.replace(hour=13)),
)
"""When the witnesses had seen how much of the usual story."""


class Street:
    """Everything above, for the tests."""

    operator, provider, consumer, observer, others = OPERATOR, PROVIDER, CONSUMER, OBSERVER, OTHERS
    policy = POLICY
    opened, closed, receipt = OPENED, CLOSED, RECEIPT
    log_key, witness_keys = LOG_KEY, WITNESS_KEYS
    heads = HEADS
    Key, Actor, Story, Written = Key, Actor, Story, Written
    admit, rotate, revoke, end = map(staticmethod, (admit, rotate, revoke, end))
    agreement, envelope, file, record = map(staticmethod, (agreement, envelope, file, record))
    signed_receipt, record_of, usual = map(staticmethod, (signed_receipt, record_of, usual))
