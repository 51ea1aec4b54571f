"""The Dataspace Protocol 2025-1 on the wire: JSON in its compact form, and nothing else.

Strict in what is written: every message meets the published schema and is rendered to the same bytes
every time. Lenient in what is read: short, prefixed and full names of the known terms; foreign keys of a
known context are passed over; a context outside the list is refused by name and none is ever fetched.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from entrepot.contracts import (
    Agreement,
    Content,
    DoorAddress,
    Message,
    Move,
    Offer,
    Reason,
    State,
    TransferRequest,
    optional_text,
    parse_agreement,
    parse_offer,
    render_agreement,
    render_offer,
    text,
)
from entrepot.values import (
    AgreementId,
    MalformedError,
    MessageId,
    ProcessId,
    ProtocolError,
    canonical,
    render_digest,
    sha256,
)
from entrepot.values.canonical import Json

CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"
DSPACE: Final = "https://w3id.org/dspace/2025/1/"
KNOWN_CONTEXTS: Final = frozenset({CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"})
VERSION: Final = "2025-1"
PATH: Final = "/dsp/2025-1"
ENDPOINT_TYPE: Final = "https://w3id.org/idsa/v4.1/HTTP"
MAX_DEPTH: Final = 32

_NEGOTIATION_TYPES: Final[Mapping[str, Move | None]] = MappingProxyType(
    {
        "ContractRequestMessage": Move.REQUEST,
        "ContractOfferMessage": Move.OFFER,
        "ContractAgreementMessage": Move.AGREE,
        "ContractAgreementVerificationMessage": Move.VERIFY,
        "ContractNegotiationEventMessage": None,  # its eventType says which
        "ContractNegotiationTerminationMessage": Move.TERMINATE,
    }
)
_EVENTS: Final = MappingProxyType({"ACCEPTED": Move.ACCEPT, "FINALIZED": Move.FINALIZE})
_TRANSFER_TYPES: Final = MappingProxyType(
    {
        "TransferRequestMessage": Move.REQUEST,
        "TransferStartMessage": Move.START,
        "TransferSuspensionMessage": Move.SUSPEND,
        "TransferCompletionMessage": Move.COMPLETE,
        "TransferTerminationMessage": Move.TERMINATE,
    }
)
_NEGOTIATION_NAMES: Final = {move: name for name, move in _NEGOTIATION_TYPES.items() if move}
_TRANSFER_NAMES: Final = {move: name for name, move in _TRANSFER_TYPES.items()}


def decode(raw: bytes) -> dict[str, Json]:
    """Read a body into an object whose keys of the protocol are in their short form."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedError("expected an object")
    short = _short(document, MAX_DEPTH)
    if not isinstance(short, dict):
        raise MalformedError("expected an object")
    check_context(short.get("@context"))
    return short


def check_context(context: Json) -> None:
    """Refuse a context that is not known, and a message without the protocol's."""
    names = context if isinstance(context, list) else [context]
    if CONTEXT not in names:
        raise MalformedError(f"@context must name {CONTEXT}")
    for name in names:
        if not isinstance(name, str) or name not in KNOWN_CONTEXTS:
            raise MalformedError(f"the context {str(name)[:200]!r} is not known here, and none is fetched")


def type_of(document: Mapping[str, Json]) -> str:
    value = document.get("@type")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.removeprefix(DSPACE).removeprefix("dspace:") if isinstance(value, str) else ""


def parse_negotiation(raw: bytes) -> Message:
    """Read a message of a contract negotiation."""
    document = decode(raw)
    kind = type_of(document)
    if kind not in _NEGOTIATION_TYPES:
        raise ProtocolError(f"expected a message of a contract negotiation, got @type {kind!r}")
    move = _NEGOTIATION_TYPES[kind]
    content: Content = None
    if move is None:
        event = optional_text(document, "eventType") or ""
        event = event.removeprefix(DSPACE).removeprefix("dspace:")
        if event not in _EVENTS:
            raise ProtocolError(f"expected eventType ACCEPTED or FINALIZED, got {event!r}")
        move = _EVENTS[event]
    elif move in {Move.REQUEST, Move.OFFER}:
        content = parse_offer(document.get("offer"))
    elif move is Move.AGREE:
        content = parse_agreement(document.get("agreement"))
    elif move is Move.TERMINATE:
        content = _reason(document)
    return _message(raw, document, move, content)


def parse_transfer(raw: bytes) -> Message:
    """Read a message of a transfer process."""
    document = decode(raw)
    kind = type_of(document)
    if kind not in _TRANSFER_TYPES:
        raise ProtocolError(f"expected a message of a transfer process, got @type {kind!r}")
    move = _TRANSFER_TYPES[kind]
    content: Content = None
    if move is Move.REQUEST:
        content = TransferRequest(AgreementId(text(document, "agreementId")), text(document, "format"))
    elif move is Move.START:
        content = _door_address(document.get("dataAddress"))
    elif move in {Move.SUSPEND, Move.TERMINATE}:
        content = _reason(document)
    return _message(raw, document, move, content)


def render_negotiation(message: Message, base: str) -> tuple[str, bytes]:
    """Write a message of a negotiation: where it goes, and its bytes."""
    document = _head(message)
    match message.move:
        case Move.ACCEPT | Move.FINALIZE:
            document["@type"] = "ContractNegotiationEventMessage"
            document["eventType"] = "ACCEPTED" if message.move is Move.ACCEPT else "FINALIZED"
        case _:
            document["@type"] = _NEGOTIATION_NAMES[message.move]
    match message.content:
        case Offer() as offer:
            document["offer"] = render_offer(offer)
        case Agreement() as agreement:
            document["agreement"] = render_agreement(agreement)
        case Reason() as reason:
            document |= _render_reason(reason)
        case _:
            pass
    return base.rstrip("/") + _negotiation_path(message), canonical.encode(document)


def render_transfer(message: Message, base: str) -> tuple[str, bytes]:
    """Write a message of a transfer process: where it goes, and its bytes."""
    document = _head(message)
    document["@type"] = _TRANSFER_NAMES[message.move]
    match message.content:
        case TransferRequest(agreement_id, format_name):
            document["agreementId"] = agreement_id
            document["format"] = format_name
        case DoorAddress(endpoint, token):
            document["dataAddress"] = {
                "@type": "DataAddress",
                "endpointType": ENDPOINT_TYPE,
                "endpoint": endpoint,
                "endpointProperties": [
                    {"@type": "EndpointProperty", "name": "authorization", "value": token},
                    {"@type": "EndpointProperty", "name": "authType", "value": "bearer"},
                ],
            }
        case Reason() as reason:
            document |= _render_reason(reason)
        case _:
            pass
    names = {Move.START: "start", Move.SUSPEND: "suspension", Move.COMPLETE: "completion"}
    if message.move is Move.REQUEST:
        path = "/transfers/request"
    else:
        path = f"/transfers/{_peer(message)}/{names.get(message.move, 'termination')}"
    return base.rstrip("/") + path, canonical.encode(document)


def render_state(kind: str, consumer_pid: str, provider_pid: str, state: State) -> bytes:
    """Write what GET shows of a process; `kind` is ContractNegotiation or TransferProcess."""
    return canonical.encode(
        {
            "@context": [CONTEXT],
            "@type": kind,
            "consumerPid": consumer_pid,
            "providerPid": provider_pid,
            "state": str(state),
        }
    )


def render_error(kind: str, consumer_pid: str, provider_pid: str, code: int, reason: str) -> bytes:
    """Write an error body; `kind` is ContractNegotiationError, TransferError or CatalogError."""
    document: dict[str, Json] = {"@context": [CONTEXT], "@type": kind, "code": str(code)}
    if kind != "CatalogError":
        document |= {"consumerPid": consumer_pid or "unknown", "providerPid": provider_pid or "unknown"}
    if reason:
        document["reason"] = [reason[:500]]
    return canonical.encode(document)


def read_state(raw: bytes) -> tuple[State | None, ProcessId | None, ProcessId | None]:
    """Read state, consumerPid and providerPid of an answer, as far as it has them."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None, None, None
    short = _short(document, MAX_DEPTH) if isinstance(document, dict) else {}
    if not isinstance(short, dict):
        return None, None, None
    state = short.get("state")
    name = state.removeprefix(DSPACE).removeprefix("dspace:") if isinstance(state, str) else ""
    known = name in tuple(State) and name != State.INITIAL
    consumer, provider = short.get("consumerPid"), short.get("providerPid")
    return (
        State(name) if known else None,
        ProcessId(consumer) if isinstance(consumer, str) else None,
        ProcessId(provider) if isinstance(provider, str) else None,
    )


def _short(value: Json, depth: int) -> Json:
    """Take the protocol's own prefix off every key; the values of a policy keep theirs."""
    if depth == 0:
        raise MalformedError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {
            k.removeprefix(DSPACE).removeprefix("dspace:"): _short(v, depth - 1) for k, v in value.items()
        }
    if isinstance(value, list):
        return [_short(v, depth - 1) for v in value]
    return value


def _message(raw: bytes, document: dict[str, Json], move: Move, content: Content) -> Message:
    consumer, provider = optional_text(document, "consumerPid"), optional_text(document, "providerPid")
    # A sender that names no id gets the message's digest for one: the same bytes are the same message.
    message_id = optional_text(document, "@id") or render_digest(sha256(raw))
    return Message(
        id=MessageId(message_id),
        move=move,
        consumer_pid=None if consumer is None else ProcessId(consumer),
        provider_pid=None if provider is None else ProcessId(provider),
        content=content,
        callback=optional_text(document, "callbackAddress") or "",
    )


def _head(message: Message) -> dict[str, Json]:
    document: dict[str, Json] = {"@context": [CONTEXT], "@id": message.id}
    if message.consumer_pid is not None:
        document["consumerPid"] = message.consumer_pid
    if message.provider_pid is not None:
        document["providerPid"] = message.provider_pid
    if message.callback:
        document["callbackAddress"] = message.callback
    return document


def _negotiation_path(message: Message) -> str:
    peer = _peer(message)
    match message.move:
        case Move.REQUEST:
            return "/negotiations/request" if message.callback else f"/negotiations/{peer}/request"
        case Move.OFFER:
            return "/negotiations/offers" if message.callback else f"/negotiations/{peer}/offers"
        case Move.AGREE:
            return f"/negotiations/{peer}/agreement"
        case Move.VERIFY:
            return f"/negotiations/{peer}/agreement/verification"
        case Move.ACCEPT | Move.FINALIZE:
            return f"/negotiations/{peer}/events"
        case _:
            return f"/negotiations/{peer}/termination"


def _peer(message: Message) -> str:
    """The receiver's process id. `addressed_to` was put there by the sender's exchange."""
    return message.addressed_to or ""


def _reason(document: dict[str, Json]) -> Reason:
    code = document.get("code")
    reasons = document.get("reason")
    items = reasons if isinstance(reasons, list) else [reasons]
    return Reason(
        code[:100] if isinstance(code, str) else "",
        tuple(r[:500] for r in items[:10] if isinstance(r, str)),
    )


def _render_reason(reason: Reason) -> dict[str, Json]:
    document: dict[str, Json] = {}
    if reason.code:
        document["code"] = reason.code
    if reason.texts:
        document["reason"] = [*reason.texts]
    return document


def _door_address(document: Json) -> DoorAddress | None:
    if document is None:
        return None
    if not isinstance(document, dict):
        raise MalformedError("dataAddress: expected an object")
    endpoint = optional_text(document, "endpoint") or ""
    properties = document.get("endpointProperties") or []
    token = ""
    for entry in properties if isinstance(properties, list) else [properties]:
        if isinstance(entry, dict) and entry.get("name") == "authorization":
            value = entry.get("value")
            token = value if isinstance(value, str) else ""
    return DoorAddress(endpoint, token)
