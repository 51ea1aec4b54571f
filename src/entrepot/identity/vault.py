"""The vault: a node's keys and secrets in one file, encrypted at rest under a passphrase.

scrypt (RFC 7914) makes the key of the file from the passphrase; AES-256-GCM encrypts. The passphrase
comes from elsewhere and never lies beside the file.
"""

import hmac
import os
import secrets
import stat
import tempfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from entrepot.identity.keys import KeyJob, Signer, suite_of
from entrepot.identity.receiving import Receiver
from entrepot.values import Did, KeyId, MalformedError, TrustError, canonical

_SUITE_OF_JOB: Final = {
    KeyJob.IDENTITY: "es256",
    KeyJob.EVIDENCE: "ed25519",
    KeyJob.CHECKPOINT: "ed25519",
    KeyJob.WITNESS: "ed25519",
}
SIGNING: Final = tuple(_SUITE_OF_JOB)
_COST: Final = 1 << 15
_FILE: Final = b"entrepot/vault/v1\n"
_NONCE: Final = 12


class _StoredKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    job: str
    secret: str
    suite: str

    def __repr__(self) -> str:
        return f"_StoredKey({self.id})"


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    did: str
    keys: tuple[_StoredKey, ...]
    root: str

    def __repr__(self) -> str:
        return f"_Content({self.did})"


class Vault:
    """The open vault of one node."""

    __slots__ = ("_root", "_signers", "did", "receiver")

    def __init__(self, content: _Content) -> None:
        self.did = Did(content.did)
        self._root = bytes.fromhex(content.root)
        self._signers = {
            KeyJob(k.job): Signer(KeyId(k.id), k.suite, suite_of(k.suite).load(bytes.fromhex(k.secret)))
            for k in content.keys
        }
        # Derived, so that every vault has one, those of earlier releases too.
        self.receiver = Receiver(
            KeyId(f"{self.did}#{KeyJob.RECEIVING}-1"), self.derive("receiving", self.did.encode())
        )

    @classmethod
    def create(cls, path: Path, passphrase: str, did: Did, jobs: Iterable[KeyJob] = SIGNING) -> "Vault":
        """Make a vault with one fresh signing key a job; an existing file is never written over."""
        keys = []
        for job in jobs:
            suite = _SUITE_OF_JOB[job]
            key = suite_of(suite).generate()
            keys.append(_StoredKey(f"{did}#{job}-1", str(job), key.secret().hex(), suite))
        content = _Content(did, tuple(keys), secrets.token_hex(32))
        _write(path, _encrypt(canonical.encode_struct(content), passphrase))
        return cls(content)

    @classmethod
    def open(cls, path: Path, passphrase: str) -> "Vault":
        """Open a vault, or raise `TrustError`: wrong passphrase, changed file, or others may read it."""
        try:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise TrustError(f"others may read {path.name}; set its mode to 0600")
            raw = path.read_bytes()
        except FileNotFoundError as error:
            raise TrustError(f"there is no vault {path.name}; `entrepot init` makes one") from error
        return cls(canonical.decode_struct(_decrypt(raw, passphrase), _Content))

    def signer(self, job: KeyJob) -> Signer:
        found = self._signers.get(job)
        if found is None:
            raise TrustError(f"this node has no key for {job}")
        return found

    @property
    def signers(self) -> dict[KeyJob, Signer]:
        return dict(self._signers)

    def derive(self, label: str, data: bytes) -> bytes:
        """32 bytes that only this node can make, the same every time for the same label and data."""
        key = hmac.digest(self._root, b"derive\n" + label.encode(), sha256)
        return hmac.digest(key, data, sha256)

    def seal(self, secret: bytes) -> bytes:
        """Encrypt a secret that is to be written down outside the vault."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + AESGCM(self.derive("seal", b"")).encrypt(nonce, secret, None)

    def unseal(self, sealed: bytes) -> bytes:
        try:
            return AESGCM(self.derive("seal", b"")).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except (InvalidTag, ValueError) as error:
            raise TrustError("the sealed secret is not ours or was changed") from error

    def __repr__(self) -> str:
        return f"Vault({self.did})"


def _encrypt(plain: bytes, passphrase: str) -> bytes:
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(_NONCE)
    return _FILE + salt + nonce + AESGCM(_key_of(passphrase, salt)).encrypt(nonce, plain, _FILE)


def _decrypt(raw: bytes, passphrase: str) -> bytes:
    if not raw.startswith(_FILE) or len(raw) < len(_FILE) + 16 + _NONCE + 16:
        raise MalformedError("that is no vault of this version")
    rest = raw.removeprefix(_FILE)
    salt, nonce, sealed = rest[:16], rest[16 : 16 + _NONCE], rest[16 + _NONCE :]
    try:
        return AESGCM(_key_of(passphrase, salt)).decrypt(nonce, sealed, _FILE)
    except InvalidTag as error:
        raise TrustError("the passphrase is wrong, or the vault was changed") from error


def _key_of(passphrase: str, salt: bytes) -> bytes:
    if not passphrase:
        raise TrustError("an empty passphrase protects nothing")
    return Scrypt(salt=salt, length=32, n=_COST, r=8, p=1).derive(passphrase.encode())


def _write(path: Path, raw: bytes) -> None:
    """Write a new file that only its owner may read, whole or not at all, and durable before saying so."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")  # of mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(part)  # unlike a rename, never over an existing file
    except FileExistsError as error:
        raise TrustError(f"{path.name} exists and is not written over") from error
    finally:
        Path(part).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
