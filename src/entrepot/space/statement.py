"""Signed statements: canonical bytes, one evidence key, one signature that means one thing only.

What is signed is kept as bytes and never rendered again. Which members a statement may come from is for
the caller to judge; here it is only made, read and checked.
"""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import msgspec

from entrepot.identity import PublicKey, Signer, from_base64url, to_base64url, verify_signature
from entrepot.values import Did, Digest, KeyId, MalformedError, TrustError, canonical, sha256

S = TypeVar("S", bound=msgspec.Struct)

MAX_STATEMENT: Final = 64 << 10


class _Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keyid: str
    payload: str
    sig: str


@dataclass(frozen=True, slots=True)
class Statement(Generic[S]):
    """A statement that was read. **Believe nothing of it before `verify_statement`.**"""

    raw: bytes
    key_id: KeyId
    payload: bytes
    signature: bytes
    content: S

    @property
    def signer(self) -> Did:
        """Whose key it names."""
        return Did(self.key_id.partition("#")[0])

    @property
    def digest(self) -> Digest:
        return sha256(self.payload)


def sign_statement(what: str, content: msgspec.Struct, signer: Signer) -> bytes:
    """Write `content` canonically and sign it as `what`."""
    payload = canonical.encode_struct(content)
    signature = signer.sign(domain(what) + payload)
    return canonical.encode_struct(_Sealed(signer.key_id, to_base64url(payload), to_base64url(signature)))


def read_statement(raw: bytes, kind: type[S]) -> Statement[S]:
    """Read a statement strictly: there is one way to write it, and unknown content is refused."""
    sealed = canonical.decode_struct(raw, _Sealed, max_bytes=MAX_STATEMENT)
    payload = from_base64url(sealed.payload)
    if canonical.has_zero(payload):
        raise MalformedError("text without zero characters was expected")
    content = canonical.decode_struct(payload, kind, max_bytes=MAX_STATEMENT)
    return Statement(raw, KeyId(sealed.keyid), payload, from_base64url(sealed.sig), content)


def verify_statement(what: str, statement: Statement[S], key_id: KeyId, public: PublicKey) -> S:
    """Check that the key signed this statement as `what`, or raise `TrustError`; give its content."""
    if statement.key_id != key_id:
        raise TrustError(f"the statement is signed by {statement.key_id}, not by {key_id}")
    verify_signature(public, domain(what) + statement.payload, statement.signature)
    return statement.content


def domain(what: str) -> bytes:
    """What stands before the signed bytes: a signature of one thing is none of another."""
    return f"entrepot/{what}/v1\n".encode()
