"""Keys by job, behind one table of suites.

A key is for one job: identity tokens and credentials, evidence (contracts, records, transactions),
ledger checkpoints, witness cosignatures, or receiving what others encrypt (`receiving`). A suite is a row
of `SUITES`; SM2 and ML-DSA are further rows, not further code paths. What no row names is refused.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NoReturn, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from entrepot.values import KeyId, MalformedError, TrustError
from entrepot.values.canonical import Json

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")


class KeyJob(StrEnum):
    IDENTITY = "identity"
    EVIDENCE = "evidence"
    CHECKPOINT = "checkpoint"
    WITNESS = "witness"
    RECEIVING = "receiving"
    """Not a key to sign with: others encrypt to it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: the suite's name, and its bytes (Ed25519, X25519: 32; P-256: x and y, 64)."""

    suite: str
    raw: bytes

    def jwk(self) -> dict[str, Json]:
        """The key as a JSON Web Key (RFC 7517, RFC 8037)."""
        match self.suite:
            case "ed25519":
                return {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(self.raw)}
            case "x25519":
                return {"kty": "OKP", "crv": "X25519", "x": to_base64url(self.raw)}
            case "es256":
                x, y = to_base64url(self.raw[:32]), to_base64url(self.raw[32:])
                return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
            case _:
                raise MalformedError(f"keys of {self.suite!r} have no form as a JSON Web Key here")

    @classmethod
    def from_jwk(cls, jwk: Json) -> "PublicKey":
        """Read a JSON Web Key of a known suite; one that also shows a private part is refused."""
        if not isinstance(jwk, dict) or "d" in jwk:
            raise MalformedError("expected a public JSON Web Key")
        match jwk.get("kty"), jwk.get("crv"), jwk.get("x"), jwk.get("y"):
            case "OKP", "Ed25519", str(x), _:
                return cls("ed25519", _exactly(from_base64url(x), 32))
            case "OKP", "X25519", str(x), _:
                return cls("x25519", _exactly(from_base64url(x), 32))
            case "EC", "P-256", str(x), str(y):
                return cls("es256", _exactly(from_base64url(x), 32) + _exactly(from_base64url(y), 32))
            case _:
                raise MalformedError(f"keys of {jwk.get('kty')} {jwk.get('crv')} are not known here")

    @property
    def algorithm(self) -> str:
        """The one JOSE algorithm that this key may be used with."""
        return suite_of(self.suite).algorithm


class PrivateKey(Protocol):
    """A private key of a suite: one in memory, or one kept in hardware."""

    def sign(self, data: bytes) -> bytes: ...

    def public(self) -> bytes: ...

    def secret(self) -> bytes: ...


class _Ed25519:
    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        self._key = SigningKey(secret)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data).signature

    def public(self) -> bytes:
        return bytes(self._key.verify_key)

    def secret(self) -> bytes:
        return bytes(self._key)


class _Es256:
    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        self._key = ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1())

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def public(self) -> bytes:
        numbers = self._key.public_key().public_numbers()
        return numbers.x.to_bytes(32) + numbers.y.to_bytes(32)

    def secret(self) -> bytes:
        return self._key.private_numbers().private_value.to_bytes(32)


def _verify_ed25519(public: bytes, data: bytes, signature: bytes) -> None:
    try:
        VerifyKey(public).verify(data, signature)
    except (BadSignatureError, ValueError, TypeError) as error:
        raise TrustError("the signature does not hold") from error


def _verify_es256(public: bytes, data: bytes, signature: bytes) -> None:
    try:
        point = ec.EllipticCurvePublicNumbers(
            int.from_bytes(public[:32]), int.from_bytes(public[32:]), ec.SECP256R1()
        ).public_key()
        der = encode_dss_signature(
            int.from_bytes(signature[:32]), int.from_bytes(_exactly(signature, 64)[32:])
        )
        point.verify(der, data, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, MalformedError) as error:
        raise TrustError("the signature does not hold") from error


@dataclass(frozen=True, slots=True)
class Suite:
    """How keys of one kind are made, loaded and used."""

    name: str
    algorithm: str
    generate: Callable[[], PrivateKey]
    load: Callable[[bytes], PrivateKey]
    verify: Callable[[bytes, bytes, bytes], None]


def _generate_es256() -> PrivateKey:
    return _Es256(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32))


SUITES: Final[Mapping[str, Suite]] = MappingProxyType(
    {
        "ed25519": Suite(
            "ed25519", "EdDSA", lambda: _Ed25519(bytes(SigningKey.generate())), _Ed25519, _verify_ed25519
        ),
        "es256": Suite("es256", "ES256", _generate_es256, _Es256, _verify_es256),
    }
)


def suite_of(name: str) -> Suite:
    suite = SUITES.get(name)
    if suite is None:
        raise MalformedError(f"the suite {name!r} is not known here; known are {', '.join(SUITES)}")
    return suite


class Signer:
    """A key of this node, by its id; the secret has no way out through it."""

    __slots__ = ("_key", "key_id", "public")

    def __init__(self, key_id: KeyId, suite: str, key: PrivateKey) -> None:
        self.key_id = key_id
        self.public = PublicKey(suite, key.public())
        self._key = key

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"Signer({self.key_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is neither copied nor pickled: its secret stays where it is")


def verify_signature(public: PublicKey, data: bytes, signature: bytes) -> None:
    """Check a signature, or raise `TrustError`. **The caller says what stands before the data.**"""
    suite_of(public.suite).verify(public.raw, data, signature)


def to_base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Read base64url without padding; a second way to write the same bytes is refused."""
    if not _BASE64URL.fullmatch(text):
        raise MalformedError("expected base64url")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise MalformedError("expected base64url") from error
    if to_base64url(raw) != text:
        raise MalformedError("base64url is not in canonical form")
    return raw


def _exactly(raw: bytes, size: int) -> bytes:
    if len(raw) != size:
        raise MalformedError(f"expected {size} bytes, got {len(raw)}")
    return raw
