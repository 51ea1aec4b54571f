"""Records of use: what one says, the bytes it has for ever, and the commitment that stands for it.

A use leaves at least two records, *opened* and *closed*, under one use id. What others see is the salted
commitment; salt and bytes, the opening, stay with whoever wrote the record and may be destroyed. The
consumer's receipt is a signed value of its own, named by the digest of its bytes.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from entrepot.identity import Signer
from entrepot.ledger.errors import ProofError
from entrepot.ledger.modules.contracts import ContractText
from entrepot.ledger.note import verify_ed25519
from entrepot.ledger.transaction import SIGNATURE_BYTES, Count, DidText, DigestText, KeyText
from entrepot.values import Digest, MalformedError, TooLargeError, canonical, render_digest
from entrepot.values import sha256 as digest_of

MAX_RECORD: Final = 4 << 10
SALT_BYTES: Final = 32
_RECORD: Final = b"entrepot/record/v1\n"
_RECEIPT: Final = b"entrepot/receipt/v1\n"

TimeText = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")]
UseText = Annotated[str, Meta(pattern=r"^[A-Za-z0-9:._-]{1,100}\Z")]
ProductIdText = Annotated[str, Meta(pattern=r"^[!-~]{1,200}\Z")]
OutcomeText = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9 -]{0,79}\Z")]
SignedCount = Annotated[int, Meta(ge=-canonical.MAX_INTEGER, le=canonical.MAX_INTEGER)]


class RecordKind(StrEnum):
    """What a record says of its use."""

    OPENED = "opened"
    INTERRUPTED = "interrupted"
    RESUMED = "resumed"
    CLOSED = "closed"
    RECEIPT = "receipt"
    """In the consumer's own batches: it gave a receipt for what it got."""


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much, in the units that counters know.

    A use counts when opened; only its closing as refused before data was touched takes it back, as -1.
    """

    bytes: Count = 0
    rows: Count = 0
    seconds: Count = 0
    uses: SignedCount = 0


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One record of one use."""

    at: TimeText
    consumer: DidText
    """The agreement's consumer; it never claims to know who called."""
    contract: ContractText
    kind: RecordKind
    product: ProductIdText
    use: UseText
    artefact: DigestText | None = None
    """Digest of what was delivered or answered."""
    decision: DigestText | None = None
    """Digest of the decision's report, when opened."""
    environment: OutcomeText | None = None
    """Where it ran, for a use that is a computation: the tier of its sandbox."""
    outcome: OutcomeText | None = None
    """How it ended, in a few fixed words."""
    receipt: DigestText | None = None
    """Digest of the consumer's signed receipt."""
    size: Count | None = None
    """Length of the artefact; what went out, repeats included, is counted in `units`."""
    status_age: Count | None = None
    """How many seconds old the status list was by which the consumer was judged."""
    units: Units = Units()
    v: Annotated[int, Meta(ge=1, le=1)] = 1


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a consumer says it got."""

    artefact: DigestText
    at: TimeText
    bytes: Count
    consumer: DidText
    contract: ContractText
    key: KeyText
    use: UseText
    v: Annotated[int, Meta(ge=1, le=1)] = 1


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt as it travels: canonical payload, then 64 bytes of signature."""

    raw: bytes
    payload: bytes
    signature: bytes
    receipt: Receipt

    @property
    def digest(self) -> str:
        return render_digest(digest_of(self.raw))

    def verify(self, public: bytes) -> None:
        """Check the signature, or raise `SignatureError`. **Whose key it is must be known already.**"""
        verify_ed25519(public, _RECEIPT + self.payload, self.signature)


class Comparison(StrEnum):
    """What both sides say of one use, beside each other."""

    AGREED = "agreed"
    DIFFERS = "differs"
    NO_RECEIPT = "no receipt"


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def encode_record(record: Record) -> bytes:
    """The record's bytes; one that could not be read back is refused."""
    raw = canonical.encode_struct(record)
    decode_record(raw)
    return raw


def decode_record(raw: bytes) -> Record:
    return canonical.decode_struct(raw, Record, max_bytes=MAX_RECORD)


def commitment(salt: bytes, body: bytes) -> Digest:
    """What stands for a record where others can see it.

    The salt makes a guess at the record's content impossible to confirm; once it is destroyed, nobody
    can tell any more what the commitment stood for.
    """
    if len(salt) != SALT_BYTES:
        raise ProofError(f"salt of {len(salt)} bytes, expected {SALT_BYTES}")
    return Digest(sha256(_RECORD + salt + body).digest())


def sign_receipt(receipt: Receipt, signer: Signer) -> bytes:
    """The receipt's payload and its signature: the bytes that go to the provider."""
    payload = canonical.encode_struct(receipt)
    canonical.decode_struct(payload, Receipt)
    return payload + signer.sign(_RECEIPT + payload)


def decode_receipt(raw: bytes) -> SignedReceipt:
    """Read a signed receipt strictly. **Verifies no signature.**"""
    if len(raw) > MAX_RECORD:
        raise TooLargeError(f"receipt of {len(raw)} bytes where at most {MAX_RECORD} are allowed")
    if len(raw) <= SIGNATURE_BYTES:
        raise MalformedError(f"receipt of {len(raw)} bytes has no room for its signature")
    payload, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    receipt = canonical.decode_struct(payload, Receipt)
    if not receipt.key.startswith(f"{receipt.consumer}#"):
        raise MalformedError("a receipt is signed with a key of the consumer it names")
    return SignedReceipt(raw, payload, signature, receipt)


def compare_receipt(closed: Record, receipt: Receipt | None) -> Comparison:
    """Set the consumer's receipt beside the provider's closing record; differing blocks nothing."""
    if receipt is None:
        return Comparison.NO_RECEIPT
    ours = (closed.use, closed.contract, closed.consumer, closed.artefact, closed.size)
    theirs = (receipt.use, receipt.contract, receipt.consumer, receipt.artefact, receipt.bytes)
    return Comparison.AGREED if ours == theirs else Comparison.DIFFERS
