"""did:web: names that lead somewhere, documents that speak for their own DID only."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from entrepot_identity_world import ALICE, EVE, Party
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identity import did_url, did_web, read_did_document
from entrepot.values import Did, EntrepotError, KeyId, MalformedError, TooLargeError

LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=12)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PORTS = st.none() | st.integers(1, 65535)
PATHS = st.lists(LABELS, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("did", "url"),
    [
        ("did:web:w3c-ccg.github.io", "https://w3c-ccg.github.io/.well-known/did.json"),
        ("did:web:w3c-ccg.github.io:user:alice", "https://w3c-ccg.github.io/user/alice/did.json"),
        ("did:web:example.com%3A3000:user:alice", "https://example.com:3000/user/alice/did.json"),
        ("did:web:127.0.0.1%3A18093:issuer", "https://127.0.0.1:18093/issuer/did.json"),
    ],
)
def test_a_document_lies_where_the_method_says(did: str, url: str) -> None:
    """The examples of the did:web method, and the form that the official suite uses."""
    assert did_url(Did(did)) == url


@given(host=HOSTS, port=PORTS, path=PATHS)
def test_the_name_of_an_address_leads_back_to_it(host: str, port: int | None, path: list[str]) -> None:
    """A node that names itself by its address is found there."""
    authority = host if port is None else f"{host}:{port}"
    address = "/".join([f"https://{authority}", *path])

    expected = f"{address}/did.json" if path else f"{address}/.well-known/did.json"
    assert did_url(did_web(address)) == expected


@given(text=st.text(max_size=40) | st.text("abc.:%3A/@?#\\2F²٣0", max_size=30))
def test_any_text_leads_to_a_plain_address_or_nowhere(text: str) -> None:
    """A stranger's DID can name a host and a path, and nothing that changes how the address is read."""
    try:
        url = did_url(Did("did:web:" + text))
    except EntrepotError:
        return
    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert parts.hostname
    assert parts.port is None or 0 < parts.port < 65536
    assert (parts.username, parts.password, parts.query, parts.fragment) == (None, None, "", "")
    assert url.isascii()
    assert parts.path.endswith("/did.json")
    assert ".." not in parts.path.split("/")


@pytest.mark.parametrize(
    "did",
    [
        "",
        "did:web:",
        "did:key:z6Mk",
        "did:web:host:",
        "did:web:host::a",
        "did:web:host:..:a",
        "did:web:host:%2e%2e",
        "did:web:host:a%2Fb",
        "did:web:user%40host",
        "did:web:host%3A",
        "did:web:host%3A0",
        "did:web:host%3A65536",
        "did:web:host%3A%C2%B2",
        "did:web:host%3A80%3A90",
        "did:web:host%2Fpath",
        "did:web:host%23fragment",
        "did:web:host%00",
        "did:web:ho st",
        "did:web:" + "a" * 500,
    ],
)
def test_names_that_lead_astray_are_refused(did: str) -> None:
    """Each of these would be fetched from somewhere else than its reader believes."""
    with pytest.raises(MalformedError):
        did_url(Did(did))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "https://",
        "https://h:99999",
        "https://[::1]/",
        "https://h/a b",
        "https://[",
        "http://u:p@h:x",
    ],
)
def test_addresses_without_a_name_are_refused(url: str) -> None:
    with pytest.raises(MalformedError) as caught:
        did_web(url)
    assert "u:p" not in str(caught.value)


def test_a_document_is_read_as_it_was_written() -> None:
    """Keys and services arrive at the other side, each key for its own purpose only."""
    services = {"CredentialService": "https://alice.example/dcp", "DataService": "https://alice.example/dsp"}
    party = Party("alice", services=services)
    document = party.document
    identity, evidence = party.identity, party.evidence

    assert document.id == party.did
    assert document.services == services
    for relation in ("authentication", "capabilityInvocation", "assertionMethod"):
        assert document.key(identity.key_id, relation) == identity.public
    assert document.key(evidence.key_id, "assertionMethod") == evidence.public
    assert document.key(evidence.key_id, "authentication") is None
    assert document.key(evidence.key_id, "capabilityInvocation") is None
    assert document.key(identity.key_id, "keyAgreement") is None
    assert document.key(KeyId("#identity-1"), "authentication") is None


def test_a_document_of_another_did_is_refused() -> None:
    """Who serves a document under a name must speak for that name."""
    with pytest.raises(MalformedError, match="alice"):
        read_did_document(EVE.raw_document, ALICE.did)


def test_names_of_keys_may_be_relative() -> None:
    """`#key` and `did#key` are one key (DID core, relative DID URLs)."""
    plain = ALICE.raw_document.decode().replace(f'"{ALICE.did}#', '"#').encode()

    assert read_did_document(plain, ALICE.did).keys == ALICE.document.keys


def test_an_unknown_kind_of_key_does_not_hide_the_known_ones() -> None:
    """A peer that also has a key of tomorrow's suite is still understood."""
    changed = _document()
    jwk = {"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA"}
    changed["verificationMethod"].insert(0, {"id": f"{ALICE.did}#pq", "publicKeyJwk": jwk})
    changed["authentication"].append(f"{ALICE.did}#pq")

    document = read_did_document(msgspec.json.encode(changed), ALICE.did)

    assert document.keys == ALICE.document.keys
    assert document.key(KeyId(f"{ALICE.did}#pq"), "authentication") is None


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": [ALICE.did]},
        {"verificationMethod": {}},
        {"verificationMethod": [{}] * 33},
        {"authentication": "key"},
        {"service": [{}] * 33},
        {"service": "https://alice.example"},
    ],
)
def test_documents_of_another_shape_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        read_did_document(msgspec.json.encode({**_document(), **change}), ALICE.did)


def test_large_and_deep_documents_are_refused() -> None:
    """A stranger's document costs no more memory and no deeper stack than stated."""
    with pytest.raises(TooLargeError):
        read_did_document(ALICE.raw_document + b" " * (64 << 10), ALICE.did)
    with pytest.raises(MalformedError):
        read_did_document(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, ALICE.did)


@given(raw=st.binary(max_size=60))
def test_any_bytes_are_a_document_or_refused(raw: bytes) -> None:
    with pytest.raises(EntrepotError):
        read_did_document(raw, ALICE.did)


@given(place=st.sampled_from(sorted(msgspec.json.decode(ALICE.raw_document))), value=JSON, data=st.data())
def test_any_value_anywhere_is_read_or_refused(place: str, value: Any, data: st.DataObject) -> None:
    """No shape of JSON in a stranger's document raises anything but a refusal, or adds a key of ours."""
    changed = _document()
    inner = changed[place]
    if isinstance(inner, list) and isinstance(inner[0], dict) and data.draw(st.booleans()):
        entry = data.draw(st.sampled_from(sorted(inner[0])))
        inner[0][entry] = value
    else:
        changed[place] = value

    try:
        document = read_did_document(msgspec.json.encode(changed), ALICE.did)
    except EntrepotError:
        return
    assert set(document.keys.values()) <= {ALICE.identity.public, ALICE.evidence.public}


def _document() -> dict[str, Any]:
    party = Party("alice", services={"CredentialService": "https://alice.example/dcp"})
    decoded: dict[str, Any] = msgspec.json.decode(party.raw_document)
    return decoded
