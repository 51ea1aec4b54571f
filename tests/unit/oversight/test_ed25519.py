"""The verifier's own Ed25519, held to the published vectors and to libsodium, attacks included."""

from hashlib import sha512
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_sign_open,
)
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from entrepot.oversight.verify import L, P, verify_ed25519

# RFC 8032, 7.1: secret key, public key, message, signature.
VECTORS: Final = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
            "454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
            "3dca179c138ac17ad9bef1177331a704"
        ),
    ),
]

# The eight points of small order, and other spellings of them that are not canonical.
SMALL: Final = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0100000000000000000000000000000000000000000000000000000000000080",
]


def holds(public: bytes, data: bytes, signature: bytes) -> bool:
    try:
        verify_ed25519(public, data, signature)
    except ValueError:
        return False
    return True


def holds_in_libsodium(public: bytes, data: bytes, signature: bytes) -> bool:
    try:
        crypto_sign_open(signature + data, public)
    except BadSignatureError:
        return False
    return True


@pytest.mark.parametrize("vector", VECTORS)
def test_the_published_vectors_hold(vector: tuple[str, str, str, str]) -> None:
    """RFC 8032, 7.1. Whoever fails these computes something else."""
    secret, public, message, signature = map(bytes.fromhex, vector)

    assert bytes(SigningKey(secret).verify_key) == public
    assert holds(public, message, signature)
    assert not holds(public, message + b"!", signature)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.data())
@settings(max_examples=40)
def test_it_decides_as_libsodium_does(seed: bytes, message: bytes, data: st.DataObject) -> None:
    """The ledger believes libsodium; a court must not come to another result."""
    key = SigningKey(seed)
    public, signature = bytes(key.verify_key), key.sign(message).signature
    changed = bytearray(signature + public)
    changed[data.draw(st.integers(0, 95))] ^= data.draw(st.integers(1, 255))
    other = bytes(changed)

    assert holds(public, message, signature)
    assert holds(other[64:], message, other[:64]) == holds_in_libsodium(other[64:], message, other[:64])


@given(st.binary(min_size=96, max_size=96))
@settings(max_examples=40)
def test_garbage_is_refused_and_never_a_crash(raw: bytes) -> None:
    """A package is written by an opponent: anything but a refusal would be a way to stop the reader."""
    assert not holds(raw[64:], b"", raw[:64])


def test_the_second_form_of_a_signature_is_refused() -> None:
    """S + L passes the equation as well; taking it would let a stranger change a signed file."""
    key = SigningKey(bytes(32))
    signature = key.sign(b"data").signature
    other = signature[:32] + (int.from_bytes(signature[32:], "little") + L).to_bytes(32, "little")

    assert holds(bytes(key.verify_key), b"data", signature)
    assert not holds(bytes(key.verify_key), b"data", other)


@pytest.mark.parametrize("point", SMALL)
def test_a_key_that_signs_anything_is_refused(point: str) -> None:
    """Under a key of small order one signature holds for many messages."""
    raw = bytes.fromhex(point)
    zero = bytes(32)
    for r in map(bytes.fromhex, SMALL):
        assert not holds(raw, b"data", r + zero)
        assert not holds(bytes(SigningKey(zero).verify_key), b"data", r + zero)


@pytest.mark.parametrize("torsion", SMALL[1:8])
def test_a_signer_cannot_make_one_that_only_the_ledger_takes(torsion: str) -> None:
    """RFC 8032 leaves open what a part of small order in R does; the ledger and a court must agree.

    Otherwise a provider could put batches on the ledger whose records no court would believe.
    """
    secret = sha512(b"secret").digest()
    scalar = crypto_core_ed25519_scalar_reduce(secret)
    public = crypto_scalarmult_ed25519_base_noclamp(scalar)
    nonce = crypto_core_ed25519_scalar_reduce(sha512(b"nonce").digest())
    r = crypto_core_ed25519_add(crypto_scalarmult_ed25519_base_noclamp(nonce), bytes.fromhex(torsion))
    k = crypto_core_ed25519_scalar_reduce(sha512(r + public + b"data").digest())
    s = crypto_core_ed25519_scalar_add(nonce, crypto_core_ed25519_scalar_mul(k, scalar))

    assert holds(public, b"data", r + s) == holds_in_libsodium(public, b"data", r + s)


def test_a_point_has_one_form() -> None:
    """Writing y or y + p the same point; only the smaller one may be written."""
    base = SigningKey(bytes(32))
    signature = base.sign(b"").signature
    for y in range(19):
        assert not holds((y + P).to_bytes(32, "little"), b"", signature)
    for wrong in (b"", bytes(31), bytes(33)):
        assert not holds(wrong, b"", signature)
        assert not holds(bytes(base.verify_key), b"", signature + wrong[:1] + b"x")
