"""Data Plane Signaling 1.0-RC3 on the wire: plain JSON.

Strict in what is written: every message meets the published schema. Tolerant in what is read: only what is
needed must be there, and what nobody knows is passed over.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from entrepot.contracts import DoorAddress, optional_text, text
from entrepot.protocols.dsp import codec as dsp
from entrepot.protocols.dsp.data_address import ENDPOINT_TYPE, read_address
from entrepot.use.flow.model import Flow, FlowState, Order, PlaneKind
from entrepot.values import MalformedError, ProcessId, canonical
from entrepot.values.canonical import Json

PATH: Final = "/signaling"
CONTEXT: Final = "entrepot"
"""What we call our data space to a data plane that serves several."""
MAX_BYTES: Final = 1 << 20
MAX_PROFILES: Final = 100
MAX_STEP: Final = 200
MAX_SECRET: Final = 8192
_WELL_KNOWN: Final = frozenset({"authorization", "authType"})


@dataclass(frozen=True, slots=True)
class Word:
    """What one plane says to the other of a flow."""

    message_id: str
    """Empty where it has none: then no repeat of it can be told."""
    flow_id: str = ""
    state: FlowState | None = None
    address: DoorAddress | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """A plane as it is registered."""

    id: str
    kind: PlaneKind
    endpoint: str
    profiles: tuple[str, ...]
    participant: str
    shown: str
    """The `Authorization` that it shows to us."""
    ours: str
    """The `Authorization` that we show to it."""


def decode(raw: bytes) -> dict[str, Json]:
    """Read a body into an object."""
    if len(raw) > MAX_BYTES:
        raise MalformedError(f"{len(raw)} bytes where at most {MAX_BYTES} are allowed")
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedError("expected an object")
    return document


def parse_order(raw: bytes) -> tuple[str, Order, DoorAddress | None]:
    """Read a prepare or start message: its id, what is ordered, and where a push goes."""
    document = decode(raw)
    order = Order(
        process_id=_step(text(document, "processId"), "processId"),
        participant=text(document, "participantId"),
        counterparty=text(document, "counterPartyId"),
        dataset=text(document, "datasetId"),
        agreement=text(document, "agreementId"),
        profile=text(document, "profile"),
    )
    return text(document, "messageId"), order, read_address(document.get("dataAddress"))


def parse_word(raw: bytes) -> Word:
    """Read any other message of a flow, or an answer to one; *completed* may have no body at all."""
    document = decode(raw) if raw.strip() else {}
    said = document.get("state")
    return Word(
        message_id=optional_text(document, "messageId") or "",
        flow_id=_step(optional_text(document, "dataFlowId") or "", "dataFlowId"),
        state=FlowState(said) if isinstance(said, str) and said in tuple(FlowState) else None,
        address=read_address(document.get("dataAddress")),
        reason=_plain(document.get("reason")) or _plain(document.get("error")),
    )


def parse_registration(raw: bytes, kind: PlaneKind) -> Registration:
    """Read how a plane is registered (Registration). Of its `authorization` two tokens are understood.

    `token` is what it shows to us, `ourToken` what we show to it; the type is `bearer`.
    """
    document = decode(raw)
    authorization = document.get("authorization")
    if not isinstance(authorization, dict) or authorization.get("type") != "bearer":
        raise MalformedError('authorization: expected {"type": "bearer", "token": …, "ourToken": …}')
    profiles = document.get("profiles") or []
    if not isinstance(profiles, list) or len(profiles) > MAX_PROFILES:
        raise MalformedError(f"profiles: expected a list of at most {MAX_PROFILES}")
    names = tuple(p for p in profiles if isinstance(p, str) and 0 < len(p) <= 200 and p.isprintable())
    if len(names) != len(profiles) or (kind is PlaneKind.DATA and not names):
        raise MalformedError("profiles: expected names of transfer profiles")
    name = "dataplaneId" if kind is PlaneKind.DATA else "controlplaneId"
    return Registration(
        id=_step(text(document, name), name),
        kind=kind,
        endpoint=text(document, "endpoint").rstrip("/"),
        profiles=names,
        participant=optional_text(document, "participantId") or "",
        shown=_secret(authorization, "token"),
        ours=_secret(authorization, "ourToken"),
    )


def parse_renewal(raw: bytes) -> str:
    """Read the refresh token of a form (RFC 6749, 6; Token Renewal profile)."""
    if len(raw) > MAX_SECRET:
        raise MalformedError("the form is longer than any of ours")
    try:
        form = dict(parse_qsl(raw.decode("ascii"), max_num_fields=10))
    except (UnicodeDecodeError, ValueError) as error:
        raise MalformedError("expected a form") from error
    if form.get("grant_type") != "refresh_token" or not form.get("refresh_token"):
        raise MalformedError("expected grant_type=refresh_token and a refresh_token")
    return form["refresh_token"]


def render_order(
    message_id: str, process: Order, address: DoorAddress | None, context: str = CONTEXT
) -> dict[str, Json]:
    """Write a DataFlowPrepareMessage or DataFlowStartMessage."""
    document: dict[str, Json] = {
        "messageId": message_id,
        "participantId": process.participant,
        "counterPartyId": process.counterparty,
        "dataspaceContext": context,
        "processId": process.process_id,
        "agreementId": process.agreement,
        "datasetId": process.dataset,
        "profile": process.profile,
        "claims": {},
    }
    return document | _addressed(address)


def render_word(message_id: str, address: DoorAddress | None = None, reason: str = "") -> dict[str, Json]:
    """Write a started, suspend, resume or terminate message."""
    document: dict[str, Json] = {"messageId": message_id}
    return document | _addressed(address) | ({"reason": reason} if reason else {})


def render_status(message_id: str, flow: Flow, address: DoorAddress | None) -> dict[str, Json]:
    """Write a DataFlowStatusMessage."""
    document: dict[str, Json] = {
        "messageId": message_id,
        "dataFlowId": flow.id,
        "state": str(flow.state),
    }
    return document | _addressed(address) | ({"error": flow.problem} if flow.problem else {})


def with_address(status: bytes, address: DoorAddress | None) -> bytes:
    """A DataFlowStatusMessage of ours, with an address in it."""
    return canonical.encode(decode(status) | _addressed(address))


def render_state(flow: Flow) -> bytes:
    """Write a DataFlowStatusResponseMessage."""
    return canonical.encode({"dataFlowId": flow.id, "state": str(flow.state)})


def status_path(flow_id: ProcessId) -> str:
    return f"/dataflows/{dsp.path_step(flow_id)}/status"


def _addressed(address: DoorAddress | None) -> dict[str, Json]:
    """An address as the Dataspace Protocol writes it, each property once, under its short name."""
    if address is None:
        return {}
    properties = {"authorization": address.token, "authType": "bearer"} if address.token else {}
    properties |= {name: value for name, value in address.more if name not in _WELL_KNOWN}
    document: dict[str, Json] = {
        "@type": "DataAddress",
        "endpointType": address.kind or ENDPOINT_TYPE,
    }
    if address.endpoint:
        document["endpoint"] = address.endpoint
    if properties:
        document["endpointProperties"] = [
            {"@type": "EndpointProperty", "name": name, "value": value} for name, value in properties.items()
        ]
    return {"dataAddress": document}


def _step(name: str, key: str) -> str:
    """A name that stands in addresses: short and plain, so that each address has room for it."""
    if len(name) > MAX_STEP or not name.isascii():
        raise MalformedError(f"{key}: expected at most {MAX_STEP} ASCII characters")
    return name


def _secret(authorization: dict[str, Json], name: str) -> str:
    value = authorization.get(name)
    if (
        not isinstance(value, str)
        or not 16 <= len(value) <= MAX_SECRET
        or not (value.isascii() and value.isprintable())
    ):
        raise MalformedError(f"authorization.{name}: expected a secret of at least 16 characters")
    return value


def _is_secret(value: str) -> bool:
    return 16 <= len(value) <= MAX_SECRET and value.isascii() and value.isprintable()


def _plain(words: Json) -> str:
    """A stranger's words, short and without control characters: they are stored and shown to people."""
    return "".join(c if c.isprintable() else " " for c in words[:500]) if isinstance(words, str) else ""
