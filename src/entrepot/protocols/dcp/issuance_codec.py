"""The messages of the issuance protocol (DCP 1.0, 6): requests, deliveries, offers, metadata, status.

Strict in what is written, by the published schemas; what is read may say `@type` for `type`, and more than
is understood here. Everything is bounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from entrepot.identity import Asked, AskedState, CredentialForm, Issuance, Kind
from entrepot.protocols.dcp.codec import CONTEXT, read_object
from entrepot.protocols.dcp.profile import DcpProfile
from entrepot.values import Did, MalformedError, canonical
from entrepot.values.canonical import Json

MAX_CREDENTIALS: Final = 16
MAX_KINDS: Final = 64
_MAX_TEXT: Final = 500
MAX_PID: Final = 200


class Outcome(StrEnum):
    """What a delivery says of the whole request (CredentialMessage)."""

    ISSUED = "ISSUED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Container:
    """One credential on its way to its holder."""

    type: str
    format: str
    """What the message calls its form."""
    payload: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What an issuer answers a request with."""

    issuer_pid: str
    holder_pid: str
    outcome: Outcome
    credentials: tuple[Container, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What a holder asks an issuer for: kinds by their ids."""

    holder_pid: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an issuer can issue."""

    issuer: Did
    kinds: tuple[Kind, ...]


def render_delivery(delivery: Delivery) -> bytes:
    message: dict[str, Json] = {
        "issuerPid": delivery.issuer_pid,
        "holderPid": delivery.holder_pid,
        "status": str(delivery.outcome),
    }
    if delivery.outcome is Outcome.REJECTED:
        message["rejectionReason"] = delivery.reason
    else:
        message["credentials"] = [
            {"credentialType": c.type, "format": c.format, "payload": c.payload} for c in delivery.credentials
        ]
    return _render("CredentialMessage", message)


def parse_delivery(raw: bytes) -> Delivery:
    """Read a CredentialMessage; `holderPid` must be there, for without it nobody knows what is answered."""
    message = _message(raw, "CredentialMessage")
    status = message.get("status")
    if status not in list(Outcome):
        raise MalformedError(f"status: expected one of {', '.join(Outcome)}")
    containers = _objects(message, "credentials", MAX_CREDENTIALS) if status == Outcome.ISSUED else ()
    reason = message.get("rejectionReason")
    return Delivery(
        issuer_pid=_text(message, "issuerPid", MAX_PID),
        holder_pid=_text(message, "holderPid", MAX_PID),
        outcome=Outcome(str(status)),
        credentials=tuple(
            Container(_text(c, "credentialType"), _text(c, "format"), _text(c, "payload", 64 << 10))
            for c in containers
        ),
        reason=reason[:_MAX_TEXT].replace("\x00", "") if isinstance(reason, str) else "",
    )


def render_request(holder_pid: str, kinds: Sequence[str]) -> bytes:
    wanted: list[Json] = [{"id": kind} for kind in kinds]
    return _render("CredentialRequestMessage", {"holderPid": holder_pid, "credentials": wanted})


def parse_request(raw: bytes) -> Request:
    """Read a CredentialRequestMessage; no kind twice."""
    message = _message(raw, "CredentialRequestMessage")
    kinds = [_text(entry, "id") for entry in _objects(message, "credentials", MAX_CREDENTIALS)]
    return Request(_text(message, "holderPid", MAX_PID), tuple(dict.fromkeys(kinds)))


def render_offer(issuer: Did, kinds: Sequence[str]) -> bytes:
    offered: list[Json] = [{"id": kind, "type": "CredentialObject"} for kind in kinds]
    return _render("CredentialOfferMessage", {"issuer": issuer, "credentials": offered})


def parse_offer(raw: bytes) -> Metadata:
    """Read a CredentialOfferMessage; its entries may name the id alone."""
    message = _message(raw, "CredentialOfferMessage")
    return Metadata(_issuer(message), tuple(map(_kind, _objects(message, "credentials", MAX_KINDS))))


def render_metadata(issuer: Did, kinds: Sequence[Kind], schema_url: str) -> bytes:
    """Write IssuerMetadata; each entry has all that the standard names (6.7)."""
    supported: list[Json] = [
        {
            "id": kind.id,
            "type": "CredentialObject",
            "credentialType": kind.type,
            "credentialSchema": schema_url + kind.type,
            "offerReason": "reissue",
            "bindingMethods": ["did:web"],
            "profile": "" if kind.form is None else kind.form.value,
            "issuancePolicy": {"id": "none", "input_descriptors": []},
        }
        for kind in kinds
    ]
    return _render("IssuerMetadata", {"issuer": issuer, "credentialsSupported": supported})


def parse_metadata(raw: bytes) -> Metadata:
    """Read IssuerMetadata; kinds in a form that we do not know are left out."""
    message = _message(raw, "IssuerMetadata")
    kinds = map(_kind, _objects(message, "credentialsSupported", MAX_KINDS, least=0))
    return Metadata(_issuer(message), tuple(kind for kind in kinds if kind.form is not None))


def render_status(issuance: Issuance) -> bytes:
    message: dict[str, Json] = {
        "issuerPid": issuance.id,
        "holderPid": issuance.holder_pid,
        "status": str(issuance.state),
    }
    return _render("CredentialStatus", message)


def parse_status(raw: bytes, asked: Asked) -> AskedState:
    """Read what an issuer says of a request of ours (CredentialStatus)."""
    message = _message(raw, "CredentialStatus")
    if message.get("holderPid") != asked.holder_pid:
        raise MalformedError("holderPid: expected the one of our request")
    status = message.get("status")
    if status not in [
        AskedState.RECEIVED,
        AskedState.ISSUED,
        AskedState.REJECTED,
    ]:  # a list: any JSON may come
        raise MalformedError("status: expected RECEIVED, ISSUED or REJECTED")
    return AskedState(str(status))


def contain(raw: str, kind: str, form: CredentialForm, profile: DcpProfile) -> Container:
    """Put a signed credential into its container."""
    return Container(kind, profile.formats[form], raw)


def _kind(entry: Mapping[str, Json]) -> Kind:
    profile, kind = entry.get("profile"), entry.get("credentialType")
    form = next((f for f in CredentialForm if f.value == profile), None)
    return Kind(_text(entry, "id"), kind[:_MAX_TEXT] if isinstance(kind, str) else "", form)


def _issuer(message: Mapping[str, Json]) -> Did:
    issuer = _text(message, "issuer")
    if not issuer.startswith("did:"):
        raise MalformedError("issuer: expected a DID")
    return Did(issuer)


def _render(kind: str, message: Mapping[str, Json]) -> bytes:
    return canonical.encode({"@context": [CONTEXT], "type": kind, **message})


def _message(raw: bytes, kind: str) -> Mapping[str, Json]:
    message = read_object(raw)
    if message.get("type", message.get("@type")) != kind:
        raise MalformedError(f"type: expected {kind}")
    return message


def _objects(
    message: Mapping[str, Json], name: str, most: int, least: int = 1
) -> Sequence[Mapping[str, Json]]:
    entries = message.get(name)
    if (
        not isinstance(entries, list)
        or not least <= len(entries) <= most
        or not all(isinstance(entry, dict) for entry in entries)
    ):
        raise MalformedError(f"{name}: expected {least} to {most} objects")
    return [entry for entry in entries if isinstance(entry, dict)]


def _text(message: Mapping[str, Json], name: str, most: int = _MAX_TEXT) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most or "\x00" in value or "\n" in value:
        raise MalformedError(f"{name}: expected text of at most {most} characters")
    return value
