"""The Dataspace Protocol 2025-1 on the wire: JSON in its compact form, and nothing else.

Strict in what is written: every message meets the published schema and is rendered to the same bytes
every time. Lenient in what is read: short, prefixed and full names of the known terms; foreign keys of a
known context are passed over; a context outside the list is refused by name and none is ever fetched.
"""

from collections.abc import Collection, Mapping, Sequence
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

CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"
DSPACE: Final = "https://w3id.org/dspace/2025/1/"
KNOWN_CONTEXTS: Final = frozenset({CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"})
VERSION: Final = "2025-1"
PATH: Final = "/dsp/2025-1"
ENDPOINT_TYPE: Final = "https://w3id.org/idsa/v4.1/HTTP"
SINK_TYPE: Final = "HttpData"
"""What an Eclipse connector calls an address that data is posted to."""
EDC: Final = "https://w3id.org/edc/v0.0.1/ns/"
"""Eclipse connectors keep a door's properties only under these full names."""
MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_TOKEN: Final = 8192
MAX_PROPERTIES: Final = 50
MAX_PAGE: Final = 1_000
MAX_OFFSET: Final = 10**9

_TERMS: Final = (
    (
        ("dspace:", DSPACE),
        (
            "agreement agreementId callbackAddress code consumerPid dataAddress dataset endpoint "
            "endpointProperties endpointType eventType filter name offer participantId providerPid reason "
            "state timestamp value"
        ),
    ),
    (("odrl:", "http://www.w3.org/ns/odrl/2/"), "assignee assigner target"),
    (("dct:", "http://purl.org/dc/terms/"), "format"),
)
_NAMES: Final = {prefix + t: t for prefixes, terms in _TERMS for prefix in prefixes for t in terms.split()}
"""The prefixed and the full name of every term of an envelope, and its short one."""

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
_OF_A_DOOR: Final = frozenset(
    {"authorization", "authType", "endpoint", "endpointType", "baseUrl", "authKey", "authCode"}
)
SEARCH: Final = ENTREPOT + "Search"
"""The type of our own filter."""
_FILTERS: Final = frozenset({"QuerySpec", EDC + "QuerySpec", "edc:QuerySpec", SEARCH})
_NEGOTIATION_NAMES: Final = {move: name for name, move in _NEGOTIATION_TYPES.items() if move}
_TRANSFER_NAMES: Final = {move: name for name, move in _TRANSFER_TYPES.items()}


def decode(raw: bytes, contexts: Collection[str] = KNOWN_CONTEXTS) -> dict[str, Json]:
    """Read a body into an object whose keys of the protocol are in their short form."""
    if len(raw) > MAX_BYTES:
        raise MalformedError(f"{len(raw)} bytes where at most {MAX_BYTES} are allowed")
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedError("expected an object")
    short = _short(document, MAX_DEPTH)
    if not isinstance(short, dict):
        raise MalformedError("expected an object")
    check_context(short.get("@context"), contexts)
    for part in short.values():
        _check_below(part, contexts)
    return short


def check_context(context: Json, contexts: Collection[str] = KNOWN_CONTEXTS) -> None:
    """Refuse a context that is not known, and a message without the protocol's."""
    names = context if isinstance(context, list) else [context]
    if CONTEXT not in names:
        raise MalformedError(f"@context must name {CONTEXT}")
    _check_known(names, contexts)


def _check_below(value: Json, contexts: Collection[str]) -> None:
    """Refuse an unknown context inside: it may say of a part that its words mean something else."""
    if isinstance(value, dict) and "@context" in value:
        context = value["@context"]
        _check_known(context if isinstance(context, list) else [context], contexts)
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_below(part, contexts)


def _check_known(names: Sequence[Json], contexts: Collection[str]) -> None:
    for name in names:
        if not isinstance(name, str) or name not in contexts:
            raise MalformedError(f"the context {named(name)} is not known here, and none is fetched")


def type_of(document: Mapping[str, Json]) -> str:
    value = document.get("@type")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return _value(value) if isinstance(value, str) else ""


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
        event = _value(optional_text(document, "eventType") or "")
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
                document["dataAddress"] = _render_destination(destination)
        case DoorAddress() as door:
            document["dataAddress"] = _render_door(door)
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
        short = _short(document, MAX_DEPTH) if isinstance(document, dict) else {}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, MalformedError):
        return None, None, None
    if not isinstance(short, dict):
        return None, None, None
    state = short.get("state")
    name = _value(state) if isinstance(state, str) else ""
    known = name in tuple(State) and name != State.INITIAL
    return State(name) if known else None, _pid(short, "consumerPid"), _pid(short, "providerPid")


def _pid(document: dict[str, Json], key: str) -> ProcessId | None:
    try:
        found = optional_text(document, key)
    except MalformedError:
        return None
    return None if found is None else ProcessId(found)


def _value(term: str) -> str:
    """The short name of a term that stands as a value."""
    return term.removeprefix(DSPACE).removeprefix("dspace:")


def _short(value: Json, depth: int) -> Json:
    """Give every key of an envelope its short name; what else there is keeps its own."""
    if depth == 0:
        raise MalformedError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list):
        return [_short(v, depth - 1) for v in value]
    if not isinstance(value, dict):
        return value
    short: dict[str, Json] = {}
    for key, item in value.items():
        name = _NAMES.get(key, key)
        if name in short:  # two readers might take a different one of them
            raise MalformedError(f"{name} is there twice")
        short[name] = _short(item, depth - 1)
    return short


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


def _render_door(door: DoorAddress) -> Json:
    """Write a door's address; that of another data plane as it was given to us."""
    properties = ({"authorization": door.token, "authType": "bearer"} if door.token else {}) | dict(door.more)
    return _render_address(door.kind or ENDPOINT_TYPE, door.endpoint, properties)


def _render_destination(sink: DoorAddress) -> Json:
    """Write where data is to be pushed, in the words of an Eclipse connector's HTTP sink too."""
    for_others = {"baseUrl": sink.endpoint, "authKey": "Authorization", "authCode": f"Bearer {sink.token}"}
    own = {"authorization": sink.token, "authType": "bearer"} | dict(sink.more)
    return _render_address(sink.kind or SINK_TYPE, sink.endpoint, own | for_others)


def _render_address(kind: str, endpoint: str, more: Mapping[str, str]) -> Json:
    """Write a data address, each property under its short and its full name."""
    located: dict[str, str] = {"endpoint": endpoint} if endpoint else {}  # some kinds have none: a bucket
    properties = {**more, **located, "endpointType": kind}
    return {
        "@type": "DataAddress",
        "endpointType": kind,
        **located,
        "endpointProperties": [
            {"@type": "EndpointProperty", "name": prefix + name, "value": value}
            for prefix in ("", EDC)
            for name, value in properties.items()
        ],
    }


def read_address(document: Json) -> DoorAddress | None:
    """Read a data address: its endpoint and token wherever they stand, and what else it says."""
    if document is None:
        return None
    if not isinstance(document, dict):
        raise MalformedError("dataAddress: expected an object")
    found: dict[str, str] = {}
    properties = document.get("endpointProperties") or []
    for entry in properties if isinstance(properties, list) else [properties]:
        name, value = (entry.get("name"), entry.get("value")) if isinstance(entry, dict) else (None, None)
        if isinstance(name, str) and isinstance(value, str):
            found.setdefault(_value(name.removeprefix(EDC)), value)
    # An Eclipse connector that wants data pushed names where to under `baseUrl`.
    endpoint = optional_text(document, "endpoint") or found.get("endpoint", "") or found.get("baseUrl", "")
    token = found.get("authorization", "") or found.get("authCode", "").removeprefix("Bearer ")
    if len(endpoint) > 2000 or len(token) > MAX_TOKEN or not (endpoint + token).isprintable():
        raise MalformedError("dataAddress: no such endpoint or token")
    kind = optional_text(document, "endpointType") or found.get("endpointType", "")
    more = tuple((name, value) for name, value in found.items() if name not in _OF_A_DOOR)
    if len(more) > MAX_PROPERTIES or sum(len(n) + len(v) for n, v in more) > MAX_TOKEN:
        raise MalformedError("dataAddress: more properties than anybody needs")
    return DoorAddress(endpoint, token, "" if kind in {ENDPOINT_TYPE, SINK_TYPE} else kind, more)
