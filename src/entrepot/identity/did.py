"""did:web: where the document of a DID lies, what it says, and how one is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

from entrepot.identity.keys import KeyJob, PublicKey, Signer
from entrepot.identity.receiving import Receiver
from entrepot.values import Did, KeyId, MalformedError, TooLargeError, canonical
from entrepot.values.canonical import Json

MAX_DOCUMENT: Final = 64 << 10
MAX_ENTRIES: Final = 32
_KEY_CONTEXT: Final = "https://w3id.org/security/suites/jws-2020/v1"
_CONTEXTS: Final = (
    "https://www.w3.org/ns/did/v1",
    _KEY_CONTEXT,
    "https://w3id.org/dspace-dcp/v1.0/dcp.jsonld",
)
"""The second says what the services are (DCP 1.0, 5.2 and 6.2)."""
_PREFIX: Final = "did:web:"
_KEY_TYPE: Final = "JsonWebKey2020"
"""Of the two names for a key written as a JWK, the one that Eclipse connectors read."""
_SAFE: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")


@dataclass(frozen=True, slots=True)
class DidDocument:
    """What a DID document says: keys by relation, and services by type."""

    id: Did
    keys: Mapping[KeyId, PublicKey]
    relations: Mapping[str, frozenset[KeyId]]
    services: Mapping[str, str]

    def key(self, key_id: KeyId | None, relation: str) -> PublicKey | None:
        """The key, where the document lets it be used for `relation`.

        Who names no key means the only one that there is (DCP 1.0, 4.3.3).
        """
        if key_id is None and len(self.keys) == 1:
            (key_id,) = self.keys
        if key_id is None or key_id not in self.relations.get(relation, frozenset()):
            return None
        return self.keys.get(key_id)

    def receiving_key(self) -> PublicKey | None:
        """The key to encrypt to: the first of those published for agreement that we can use."""
        offered = sorted(self.relations.get("keyAgreement", frozenset()))
        found = (self.keys.get(key_id) for key_id in offered)
        return next((key for key in found if key is not None and key.suite == "x25519"), None)


def did_web(url: str) -> Did:
    """The DID of a node that strangers reach at `url`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise MalformedError("expected an address, got none that can be read") from error
    path = "".join(":" + quote(p, safe="") for p in parts.path.split("/") if p)
    did = Did(_PREFIX + host + (f"%3A{port}" if port is not None else "") + path)
    did_url(did)  # what could not be found again is no name
    return did


def did_url(did: Did, *, scheme: str = "https") -> str:
    """Where the document of a did:web lies (did:web method, Read)."""
    if not did.startswith(_PREFIX) or len(did) > 500:
        raise MalformedError(f"expected did:web:..., got {did[:80]!r}")
    host, *path = did.removeprefix(_PREFIX).split(":")
    authority = unquote(host)
    name, colon, port = authority.partition(":")
    if not name or not set(name) <= _SAFE or (colon and not _is_port(port)):
        raise MalformedError(f"no host in {did[:80]!r}")
    segments = [unquote(p) for p in path]
    if any(not s or s in {".", ".."} or not set(s) <= _SAFE for s in segments):
        raise MalformedError(f"no path in {did[:80]!r}")
    where = "/".join(segments) if segments else ".well-known"
    return f"{scheme}://{authority}/{where}/did.json"


def write_did_document(
    did: Did,
    signers: Mapping[KeyJob, Signer],
    services: Mapping[str, str],
    receiver: Receiver | None = None,
) -> bytes:
    """Write the document of our own DID; to `receiver`, where there is one, others encrypt."""
    identity = [s.key_id for job, s in signers.items() if job is KeyJob.IDENTITY]
    evidence = [s.key_id for job, s in signers.items() if job is KeyJob.EVIDENCE]
    methods: list[Json] = [
        {"id": s.key_id, "type": _KEY_TYPE, "controller": did, "publicKeyJwk": s.public.jwk()}
        for job, s in signers.items()
        if job in {KeyJob.IDENTITY, KeyJob.EVIDENCE}
    ]
    receiving: dict[str, Json] = {}
    if receiver is not None:
        key = receiver.public.jwk()
        methods.append({"id": receiver.key_id, "type": _KEY_TYPE, "controller": did, "publicKeyJwk": key})
        receiving["keyAgreement"] = [receiver.key_id]
    return canonical.encode(
        receiving
        | {
            "@context": list(_CONTEXTS),
            "id": did,
            "verificationMethod": methods,
            "authentication": [*identity],
            "capabilityInvocation": [*identity],
            "assertionMethod": [*identity, *evidence],
            "service": [
                {"id": f"{did}#{kind.lower()}", "type": kind, "serviceEndpoint": url}
                for kind, url in services.items()
            ],
        }
    )


def read_did_document(raw: bytes, did: Did) -> DidDocument:
    """Read the document of `did`; one that names another id is refused, unknown keys are passed over."""
    if len(raw) > MAX_DOCUMENT:
        raise TooLargeError(f"a DID document of more than {MAX_DOCUMENT} bytes")
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError("a DID document is JSON") from error
    if not isinstance(document, dict) or document.get("id") != did:
        raise MalformedError(f"expected the document of {did}")
    keys: dict[KeyId, PublicKey] = {}
    for method in _entries(document, "verificationMethod"):
        if isinstance(method, dict) and isinstance(method.get("id"), str) and "publicKeyJwk" in method:
            try:
                keys[_absolute(str(method["id"]), did)] = PublicKey.from_jwk(method["publicKeyJwk"])
            except MalformedError:
                continue  # a key of a suite that we do not know is no reason to refuse the others
    relations = {
        relation: frozenset(_absolute(e, did) for e in _entries(document, relation) if isinstance(e, str))
        for relation in ("authentication", "capabilityInvocation", "assertionMethod", "keyAgreement")
    }
    services = {
        str(s["type"]): str(s["serviceEndpoint"])
        for s in _entries(document, "service")
        if isinstance(s, dict)
        and isinstance(s.get("type"), str)
        and isinstance(s.get("serviceEndpoint"), str)
    }
    return DidDocument(did, keys, relations, services)


def _entries(document: Mapping[str, Json], key: str) -> Sequence[Json]:
    value = document.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_ENTRIES:
        raise MalformedError(f"{key}: expected a list of at most {MAX_ENTRIES} entries")
    return value


def _is_port(text: str) -> bool:
    return len(text) <= 5 and text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16


def _absolute(key_id: str, did: Did) -> KeyId:
    return KeyId(did + key_id if key_id.startswith("#") else key_id)
