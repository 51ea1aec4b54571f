"""Keys to which others encrypt: both sides derive one key, and nobody else does."""

import copy
import hmac
import pickle
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identity import (
    KeyJob,
    PublicKey,
    Receiver,
    Vault,
    key_for,
    read_did_document,
    write_did_document,
)
from entrepot.values import Did, KeyId, TrustError

ME = Did("did:web:us.example")
SECRET = st.binary(min_size=32, max_size=32)


def expanded(shared: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 for 32 bytes, written from RFC 5869 alone."""
    return hmac.digest(hmac.digest(salt, shared, sha256), info + b"\x01", sha256)


@given(sender=SECRET, receiver=SECRET, context=st.binary(max_size=40))
def test_both_sides_derive_the_same_key(sender: bytes, receiver: bytes, context: bytes) -> None:
    """Otherwise nothing that was encrypted could ever be read."""
    me = Receiver(KeyId("k"), receiver)
    public, key = key_for(me.public, sender, context)

    assert me.key_from(public, context) == key
    assert me.key_from(public, context + b"!") != key


def test_the_key_is_that_of_the_standards() -> None:
    """Another program must be able to read it: X25519 of RFC 7748 (its example), then HKDF of RFC 5869."""
    bob = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    receiver = Receiver(KeyId("k"), bob)

    assert receiver.public.raw.hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    a_public = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    shared = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    assert receiver.key_from(a_public, b"x") == expanded(shared, a_public + receiver.public.raw, b"x")


def test_another_receiver_derives_another_key() -> None:
    """What is encrypted to one is nothing to the other."""
    one, other = Receiver(KeyId("k"), bytes(31) + b"\x40"), Receiver(KeyId("k"), bytes(31) + b"\x41")
    public, key = key_for(one.public, b"s" * 32, b"x")

    assert other.key_from(public, b"x") != key


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)])
def test_a_key_that_everybody_knows_is_refused(point: bytes) -> None:
    """Points of small order agree with anybody on the same secret."""
    with pytest.raises(TrustError):
        Receiver(KeyId("k"), bytes(31) + b"\x40").key_from(point, b"x")
    with pytest.raises(TrustError):
        key_for(PublicKey("x25519", point), b"s" * 32, b"x")


def test_nothing_is_encrypted_to_a_key_that_signs() -> None:
    """A key has one job."""
    with pytest.raises(TrustError):
        key_for(PublicKey("ed25519", bytes(32)), b"s" * 32, b"x")


def test_a_did_document_says_to_which_key_to_encrypt(tmp_path: Path) -> None:
    """And a node keeps that key over a restart, under no other name."""
    vault = Vault.create(tmp_path / "vault", "a passphrase for tests", ME)
    again = Vault.open(tmp_path / "vault", "a passphrase for tests")
    raw = write_did_document(ME, vault.signers, {}, vault.receiver)
    document = read_did_document(raw, ME)

    assert document.receiving_key() == again.receiver.public
    assert document.key(again.receiver.key_id, "keyAgreement") == again.receiver.public
    assert document.key(again.receiver.key_id, "assertionMethod") is None
    assert again.receiver.key_id == f"{ME}#{KeyJob.RECEIVING}-1"
    assert read_did_document(write_did_document(ME, vault.signers, {}), ME).receiving_key() is None


def test_the_secret_stays_where_it_is(tmp_path: Path) -> None:
    """Not in a log line, not in a copy."""
    receiver = Vault.create(tmp_path / "vault", "a passphrase for tests", ME).receiver

    assert repr(receiver) == f"Receiver({receiver.key_id})"
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            way(receiver)
