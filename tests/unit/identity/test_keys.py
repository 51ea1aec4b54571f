"""Keys behind one table of suites: what they sign, what they refuse, and that no secret shows."""

import copy
import pickle

import pytest
from entrepot_identity_world import ALICE, signer_of
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import import_key

from entrepot.identity import SUITES, PublicKey, from_base64url, to_base64url, verify_signature
from entrepot.values import EntrepotError, MalformedError, TrustError, canonical

suites = pytest.mark.parametrize("suite", sorted(SUITES))
JWS_OF_RFC_8037 = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)
JWS_OF_RFC_7515 = (
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p"
    "c19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-"
    "Kg6NU1Q"
)
VECTORS = [
    ({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}, JWS_OF_RFC_8037),
    (
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
        JWS_OF_RFC_7515,
    ),
]


@pytest.mark.parametrize(("jwk", "token"), VECTORS, ids=["RFC 8037 A.4", "RFC 7515 A.3"])
def test_published_signatures_hold(jwk: dict[str, str], token: str) -> None:
    """Others' signatures verify here, so that ours may verify with others."""
    signed, _, signature = token.rpartition(".")

    verify_signature(PublicKey.from_jwk({**jwk}), signed.encode(), from_base64url(signature))


@suites
@given(data=st.binary(max_size=200), other=st.binary(max_size=200))
def test_a_signature_holds_for_its_data_and_its_key_only(suite: str, data: bytes, other: bytes) -> None:
    """A signature that fits other data or another key would prove nothing."""
    signer, stranger = signer_of("a", suite), signer_of("b", suite)
    signature = signer.sign(data)

    verify_signature(signer.public, data, signature)
    with pytest.raises(TrustError):
        verify_signature(stranger.public, data, signature)
    if other != data:
        with pytest.raises(TrustError):
            verify_signature(signer.public, other, signature)


@suites
@given(signature=st.binary(max_size=130), raw=st.binary(min_size=60, max_size=70))
def test_bytes_that_are_no_signature_are_refused_as_one(suite: str, signature: bytes, raw: bytes) -> None:
    """A stranger's bytes, as signature or as key, never raise anything but a refusal."""
    with pytest.raises(TrustError):
        verify_signature(signer_of("a", suite).public, b"data", signature)
    with pytest.raises(TrustError):
        verify_signature(PublicKey(suite, raw), b"data", signature)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # by RFC 9864; the field has not followed yet
@suites
def test_another_library_verifies_what_is_signed_here(suite: str) -> None:
    """The signature's form is the one of JOSE, not a form of our own."""
    signer = signer_of("a", suite)
    key = import_key({**signer.public.jwk()})
    header = canonical.encode({"alg": signer.public.algorithm})
    signed = f"{to_base64url(header)}.{to_base64url(b'hello')}"
    token = f"{signed}.{to_base64url(signer.sign(signed.encode()))}"

    assert jws.deserialize_compact(token, key, algorithms=[signer.public.algorithm]).payload == b"hello"


@suites
def test_a_public_key_is_read_as_it_was_written(suite: str) -> None:
    """A DID document gives the key that its owner put there."""
    public = signer_of("a", suite).public

    assert PublicKey.from_jwk(public.jwk()) == public


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        "key",
        {},
        {"kty": "OKP"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "OKP", "crv": "X448", "x": to_base64url(bytes(32))},
        {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(bytes(31))},
        {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(bytes(32)) + "="},
        {"kty": "OKP", "crv": "Ed25519", "x": 1},
        {"kty": "EC", "crv": "P-256", "x": to_base64url(bytes(32))},
        {"kty": "EC", "crv": "P-384", "x": to_base64url(bytes(48)), "y": to_base64url(bytes(48))},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {**ALICE.identity.public.jwk(), "d": to_base64url(bytes(32))},
    ],
)
def test_keys_of_no_known_suite_are_refused(jwk: object) -> None:
    """A suite outside the table is no suite, and who shows a private key has lost it."""
    with pytest.raises(MalformedError):
        PublicKey.from_jwk(jwk)  # type: ignore[arg-type]  # a stranger's JSON


def test_a_suite_that_no_row_names_is_refused() -> None:
    """An unknown name never falls back to some other algorithm."""
    key = PublicKey("sm2", bytes(64))

    with pytest.raises(MalformedError, match="sm2"):
        verify_signature(key, b"data", bytes(64))
    with pytest.raises(MalformedError, match="sm2"):
        key.jwk()


@suites
def test_a_signer_shows_no_secret(suite: str) -> None:
    """A signer that lands in a log, a copy or a pickle gives nothing away."""
    signer = signer_of("a", suite)
    secret = signer._key.secret()
    shown = f"{signer!r} {signer} {[signer]} {signer._key!r} {signer._key}"

    assert secret.hex() not in shown
    assert repr(secret) not in shown
    assert not hasattr(signer, "__dict__")
    with pytest.raises(TypeError, match="secret"):
        pickle.dumps(signer)
    with pytest.raises(TypeError, match="secret"):
        copy.deepcopy(signer)


@given(raw=st.binary(max_size=100))
def test_base64url_reads_what_it_wrote(raw: bytes) -> None:
    assert from_base64url(to_base64url(raw)) == raw


@given(text=st.text(max_size=20) | st.text("AQBCab01-_=+/ \n", max_size=12))
def test_bytes_have_one_base64url_only(text: str) -> None:
    """Two texts of one token would be two tokens to whoever counts them."""
    try:
        raw = from_base64url(text)
    except EntrepotError:
        return
    assert to_base64url(raw) == text
