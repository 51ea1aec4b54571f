"""Keys to which others encrypt what only this node may read: X25519 (RFC 7748) and HKDF-SHA256 (RFC 5869).

A sender makes a key pair for one message, agrees with the receiver's published key, and derives one key of
32 bytes for one context. The context says what the key is for; the same pair in another context gives
another key. **Nothing here says who the sender is.**
"""

from typing import NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from entrepot.identity.keys import PublicKey
from entrepot.values import KeyId, TrustError

SUITE = "x25519"


class Receiver:
    """The receiving key of this node, by its id; the secret has no way out through it."""

    __slots__ = ("_key", "key_id", "public")

    def __init__(self, key_id: KeyId, secret: bytes) -> None:
        self.key_id = key_id
        self._key = X25519PrivateKey.from_private_bytes(secret)
        self.public = PublicKey(SUITE, self._key.public_key().public_bytes_raw())

    def key_from(self, sender: bytes, context: bytes) -> bytes:
        """The key that a sender derived for us in this context, from the public key that it made for it."""
        return _derive(self._key, sender, sender + self.public.raw, context)

    def __repr__(self) -> str:
        return f"Receiver({self.key_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a receiving key is neither copied nor pickled: its secret stays where it is")


def key_for(receiver: PublicKey, secret: bytes, context: bytes) -> tuple[bytes, bytes]:
    """As sender: the public key to be sent along, and the key of this context.

    `secret` are 32 bytes that nobody else knows, **of their own for each message**: whoever uses the same
    ones twice for one receiver and context gets the same key twice.
    """
    if receiver.suite != SUITE:
        raise TrustError(f"nothing can be encrypted to a key of {receiver.suite}")
    made = X25519PrivateKey.from_private_bytes(secret)
    public = made.public_key().public_bytes_raw()
    return public, _derive(made, receiver.raw, public + receiver.raw, context)


def _derive(own: X25519PrivateKey, other: bytes, salt: bytes, context: bytes) -> bytes:
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError as error:  # a point of small order, which would give a key that everybody knows
        raise TrustError("the other side's key is no key to agree with") from error
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=context).derive(shared)
