"""A ledger transaction: canonical payload, Ed25519 signature, and the name it has for ever.

The payload is what is signed and what names the transaction; on the wire and in the log it is followed by
the 64 bytes of the signature. Bodies belong to the modules; here they are still canonical bytes.
"""

from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from entrepot.identity import Signer
from entrepot.ledger.note import verify_ed25519
from entrepot.values import (
    Digest,
    TooLargeError,
    TransactionId,
    canonical,
    render_digest,
    sha256,
)

MAX_TRANSACTION: Final = 16 << 10
SIGNATURE_BYTES: Final = 64
_DOMAIN: Final = b"entrepot/transaction/v1\n"

# Closed forms leave no room for free text, so none can carry what must never be on a ledger.
DID_PATTERN: Final = r"did:web:[A-Za-z0-9][A-Za-z0-9._:%-]{0,199}"
KEY_PATTERN: Final = DID_PATTERN + r"#[A-Za-z0-9._-]{1,64}"
DidText = Annotated[str, Meta(pattern=rf"^{DID_PATTERN}\Z")]
KeyText = Annotated[str, Meta(pattern=rf"^{KEY_PATTERN}\Z")]
ChainText = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:%/-]{0,99}\Z")]
DigestText = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
HexKeyText = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
OperationText = Annotated[str, Meta(pattern=r"^[a-z]{1,16}\.[a-z]{1,16}\Z")]
Count = Annotated[int, Meta(ge=0, le=canonical.MAX_INTEGER)]


class Transaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks for which operation, and at which height it was made."""

    actor: DidText
    body: msgspec.Raw
    chain: ChainText
    height: Count
    key: KeyText
    op: OperationText
    v: Annotated[int, Meta(ge=1, le=1)] = 1


@dataclass(slots=True)
class SignedTransaction:
    """A transaction as it travels and is logged; `verify` remembers for which key the signature held."""

    raw: bytes
    payload: bytes
    signature: bytes
    transaction: Transaction
    digest: Digest
    _held_for: bytes = field(default=b"", repr=False, compare=False)

    @property
    def id(self) -> TransactionId:
        return TransactionId(render_digest(self.digest))

    def verify(self, public: bytes) -> None:
        """Check the signature, or raise `SignatureError`; a second check under the same key costs nothing."""
        if self._held_for != public:
            verify_ed25519(public, _DOMAIN + self.payload, self.signature)
            self._held_for = public


def make_payload(*, chain: str, height: int, actor: str, key: str, op: str, body: msgspec.Struct) -> bytes:
    """The canonical bytes of a transaction; they are what is signed, kept and sent."""
    raw = msgspec.Raw(canonical.encode_struct(body))
    return canonical.encode_struct(Transaction(actor, raw, chain, height, key, op, 1))


def transaction_id(payload: bytes) -> TransactionId:
    return TransactionId(render_digest(sha256(payload)))


def sign_transaction(payload: bytes, signer: Signer) -> bytes:
    """The payload and its signature: the bytes that go to the ledger."""
    return payload + signer.sign(_DOMAIN + payload)


def decode_transaction(raw: bytes) -> SignedTransaction:
    """Read a signed transaction; unknown, missing and non-canonical content is refused.

    **Verifies no signature and does not read the body.**
    """
    if len(raw) > MAX_TRANSACTION:
        raise TooLargeError(f"transaction of {len(raw)} bytes where at most {MAX_TRANSACTION} are allowed")
    payload, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    transaction = canonical.decode_struct(payload, Transaction)
    return SignedTransaction(raw, payload, signature, transaction, sha256(payload))
