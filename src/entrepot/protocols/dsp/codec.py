"""Messages of the Dataspace Protocol 2025-1 on the wire.

Strict in what is written: every message meets the published schema and is rendered to the same bytes
every time. Lenient in what is read: `envelope` says how far.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import msgspec

from entrepot.catalogue import PAGE, Place, Search, parse_search
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
from entrepot.policy import ENTREPOT
from entrepot.protocols.dsp.data_address import EDC, read_address, render_destination, render_door
from entrepot.protocols.dsp.envelope import (
    CONTEXT,
    KNOWN_CONTEXTS,
    MAX_DEPTH,
    decode,
    short_names,
    short_term,
    type_of,
)
from entrepot.values import (
    AgreementId,
    MalformedError,
    MessageId,
    ProcessId,
    ProtocolError,
    canonical,
    named,
    render_digest,
    sha256,
)
from entrepot.values.canonical import Json

VERSION: Final = "2025-1"
PATH: Final = "/dsp/2025-1"
MAX_PAGE: Final = 1_000
MAX_OFFSET: Final = 10**9

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
SEARCH: Final = ENTREPOT + "Search"
"""The type of our own filter."""
_FILTERS: Final = frozenset({"QuerySpec", EDC + "QuerySpec", "edc:QuerySpec", SEARCH})
_NEGOTIATION_NAMES: Final = {move: name for name, move in _NEGOTIATION_TYPES.items() if move}
_TRANSFER_NAMES: Final = {move: name for name, move in _TRANSFER_TYPES.items()}


def parse_catalog_request(raw: bytes, contexts: Collection[str] = KNOWN_CONTEXTS) -> Place | Search:
    """Read a request for the catalogue: a page of all of it, or of what our own filter finds.

    Eclipse connectors always send a `QuerySpec`: from which dataset on, and how many of them. What else it
    asks for is passed over, so they get more than they asked for, never less. Our own filter is a search;
    docs/guide/catalogue.md has its names. Filters of another kind are refused.
    """
    document = decode(raw, contexts)
    if type_of(document) != "CatalogRequestMessage":
        raise ProtocolError("expected a CatalogRequestMessage")
    wanted = document.get("filter")
    filters = wanted if isinstance(wanted, list) else [] if wanted is None else [wanted]
    if not filters:
        return Place()
    query = filters[0]
    if len(filters) > 1 or not isinstance(query, dict) or type_of(query) not in _FILTERS:
        raise ProtocolError(f"this kind of filter is not supported here; ask without one, or with {SEARCH}")
    if type_of(query) == SEARCH:
        return parse_search({name: _listed(v) for name, v in query.items() if name != "@type"})
    offset, limit = query.get("offset"), query.get("limit")
    return Place(
        skip=min(max(offset, 0), MAX_OFFSET) if isinstance(offset, int) else 0,
        size=min(limit, MAX_PAGE) if isinstance(limit, int) and limit > 0 else PAGE,
    )


def _listed(value: Json) -> str:
    """The value of a search's term, which may be a list, a number or a text with commas."""
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(i, str | int) for i in items):
        raise MalformedError("a search's terms are texts, numbers, or lists of them")
    return ",".join(str(i) for i in items)


def parse_negotiation(raw: bytes, contexts: Collection[str] = KNOWN_CONTEXTS) -> Message:
    """Read a message of a contract negotiation."""
    document = decode(raw, contexts)
    kind = type_of(document)
    if kind not in _NEGOTIATION_TYPES:
        raise ProtocolError(f"expected a message of a contract negotiation, got @type {named(kind)}")
    move = _NEGOTIATION_TYPES[kind]
    content: Content = None
    if move is None:
        event = short_term(optional_text(document, "eventType") or "")
        if event not in _EVENTS:
            raise ProtocolError(f"expected eventType ACCEPTED or FINALIZED, got {named(event)}")
        move = _EVENTS[event]
    elif move in {Move.REQUEST, Move.OFFER}:
        content = parse_offer(document.get("offer"))
    elif move is Move.AGREE:
        content = parse_agreement(document.get("agreement"))
    elif move is Move.TERMINATE:
        content = _reason(document)
    return _message(raw, document, move, content)


def parse_transfer(raw: bytes, contexts: Collection[str] = KNOWN_CONTEXTS) -> Message:
    """Read a message of a transfer process."""
    document = decode(raw, contexts)
    kind = type_of(document)
    if kind not in _TRANSFER_TYPES:
        raise ProtocolError(f"expected a message of a transfer process, got @type {named(kind)}")
    move = _TRANSFER_TYPES[kind]
    content: Content = None
    if move is Move.REQUEST:
        content = TransferRequest(
            AgreementId(text(document, "agreementId")),
            _format(document),
            read_address(document.get("dataAddress")),
        )
    elif move is Move.START:
        content = read_address(document.get("dataAddress"))
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
        case TransferRequest(agreement_id, format_name, destination):
            document["agreementId"] = agreement_id
            document["format"] = format_name
            if destination is not None:
                document["dataAddress"] = render_destination(destination)
        case DoorAddress() as door:
            document["dataAddress"] = render_door(door)
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
        document["reason"] = [_plain(reason)]
    return canonical.encode(document)


def read_reasons(raw: bytes) -> tuple[str, ...]:
    """Read why a peer refused, as far as it says so in text; bounded, for it is shown to our owner."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ()
    reasons = document.get("reason") if isinstance(document, dict) else None
    items = reasons if isinstance(reasons, list) else [reasons]
    return tuple(r[:200] for r in items[:5] if isinstance(r, str))


def read_state(raw: bytes) -> tuple[State | None, ProcessId | None, ProcessId | None]:
    """Read state, consumerPid and providerPid of an answer, as far as it has them.

    A party may answer 2xx with anything or nothing: what cannot be read is not there.
    """
    try:
        document = msgspec.json.decode(raw)
        short = short_names(document, MAX_DEPTH) if isinstance(document, dict) else {}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, MalformedError):
        return None, None, None
    if not isinstance(short, dict):
        return None, None, None
    state = short.get("state")
    name = short_term(state) if isinstance(state, str) else ""
    known = name in tuple(State) and name != State.INITIAL
    return State(name) if known else None, _pid(short, "consumerPid"), _pid(short, "providerPid")


def _pid(document: dict[str, Json], key: str) -> ProcessId | None:
    try:
        found = optional_text(document, key)
    except MalformedError:
        return None
    return None if found is None else ProcessId(found)


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
    """The receiver's process id, which it chose itself and which must stay one step of the path."""
    return path_step(message.addressed_to or "")


def path_step(pid: str) -> str:
    """Write a process id as one step of a path."""
    return "%2E" * len(pid) if pid in {".", ".."} else quote(pid, safe=":@!$&'()*+,;=")


def _reason(document: dict[str, Json]) -> Reason:
    code = document.get("code")
    reasons = document.get("reason")
    items = reasons if isinstance(reasons, list) else [reasons]
    return Reason(
        _plain(code)[:100] if isinstance(code, str) else "",
        tuple(_plain(r) for r in items[:10] if isinstance(r, str) and r),
    )


def _plain(words: str) -> str:
    """A stranger's words, short and without control characters: they are stored and shown to people."""
    return "".join(c if c.isprintable() else " " for c in words[:500])


def _format(document: dict[str, Json]) -> str:
    name = text(document, "format")
    if len(name) > 100:
        raise MalformedError("format: expected at most 100 characters")
    return name


def _render_reason(reason: Reason) -> dict[str, Json]:
    document: dict[str, Json] = {}
    if reason.code:
        document["code"] = reason.code
    if reason.texts:
        document["reason"] = [*reason.texts]
    return document
