"""Endpoints of the Dataspace Protocol 2025-1, of provider and consumer alike.

Both roles are served under one base address, so a consumer's callback address is its own base. An
unauthorised party gets 404 (negotiation and transfer bindings): it learns nothing, not even that
something is there. The first answer to a message of a process, 200 or 400, is the answer to its repeats.
"""

import asyncio
import gzip
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from sqlalchemy import Connection

from entrepot import contracts
from entrepot.catalogue import Page, Place, Search, parse_search, render_search
from entrepot.contracts import (
    Contract,
    Desk,
    Exchange,
    Message,
    Move,
    Party,
    Published,
    State,
    TransferRequest,
)
from entrepot.identity import CredentialForm, from_base64url, to_base64url
from entrepot.journal import Journal, Transaction, recall_answer, remember_answer
from entrepot.protocols.dsp import codec, envelope, shapes
from entrepot.protocols.route import Call, Handler, Proof, Response, Route, Shape, unquoted
from entrepot.use import process as transfers
from entrepot.values import (
    ConflictError,
    Did,
    Digest,
    EntrepotError,
    Log,
    MalformedError,
    MessageId,
    NotFoundError,
    ProcessId,
    ProtocolError,
    TransitionError,
    TrustError,
    UnavailableError,
    canonical,
    render_digest,
    sha256,
)

_log: Final = Log()
_STATUS: Final[tuple[tuple[type[EntrepotError], int], ...]] = (
    (NotFoundError, 404),
    (TrustError, 404),
    (ConflictError, 409),
    (UnavailableError, 503),
    (MalformedError, 400),
    (ProtocolError, 400),
    (EntrepotError, 400),
)

Catalog: TypeAlias = Callable[[Connection, Did | None, Place | Search], Page]
"""A page of the catalogue as its caller may see it."""
Dataset: TypeAlias = Callable[[Connection, str, Did | None], bytes | None]
"""One dataset of it; None where there is none for this caller."""

_CATALOG: Final = "/catalog/request"
_WORTH_PACKING: Final = 1 << 10
_LONGEST_TOKEN: Final = 8_000
_DATASETS: Final = "/catalog/datasets/{id:path}"
_TOKEN: Final = re.compile(r"(\d{1,18})-([1-9]\d{0,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Services:
    """What the endpoints stand on."""

    journal: Journal
    desk: Desk
    rail: transfers.Rail
    published: Published
    may_open: Callable[[Transaction, Contract, str], tuple[str, ...]]
    catalog: Catalog
    dataset: Dataset
    check_callback: Callable[[str, Did], Awaitable[None]]
    """Refuses a callback address that the sender may not name."""
    base_path: str = codec.PATH
    contexts: Collection[str] = envelope.KNOWN_CONTEXTS
    """The contexts that a message may name; none is ever fetched."""


def routes(services: Services) -> list[Route]:
    """Every endpoint, with the proof it asks for."""
    negotiation = _Endpoint(services, codec.parse_negotiation, _receive_negotiation, "ContractNegotiation")
    transfer = _Endpoint(services, codec.parse_transfer, _receive_transfer, "TransferProcess")
    base = services.base_path

    def member(method: str, path: str, handle: Handler, shape: Shape) -> Route:
        return Route(method, base + path, Proof.MEMBERSHIP, handle, shape=shape)

    def post(path: str, endpoint: "_Endpoint", *allowed: Move) -> Route:
        async def handle(call: Call) -> Response:
            return await endpoint.post(call, frozenset(allowed))

        return member("POST", path, handle, shapes.post(endpoint.kind, allowed[0], first="{" not in path))

    return [
        *catalogue_routes(
            services.journal,
            services.catalog,
            services.dataset,
            services.desk.callback,
            base,
            services.contexts,
        ),
        post("/negotiations/request", negotiation, Move.REQUEST),
        post("/negotiations/offers", negotiation, Move.OFFER),
        post("/negotiations/{pid}/request", negotiation, Move.REQUEST),
        post("/negotiations/{pid}/offers", negotiation, Move.OFFER),
        post("/negotiations/{pid}/events", negotiation, Move.ACCEPT, Move.FINALIZE),
        post("/negotiations/{pid}/agreement", negotiation, Move.AGREE),
        post("/negotiations/{pid}/agreement/verification", negotiation, Move.VERIFY),
        post("/negotiations/{pid}/termination", negotiation, Move.TERMINATE),
        member("GET", "/negotiations/{pid}", negotiation.get, shapes.get(negotiation.kind)),
        post("/transfers/request", transfer, Move.REQUEST),
        post("/transfers/{pid}/start", transfer, Move.START),
        post("/transfers/{pid}/suspension", transfer, Move.SUSPEND),
        post("/transfers/{pid}/completion", transfer, Move.COMPLETE),
        post("/transfers/{pid}/termination", transfer, Move.TERMINATE),
        member("GET", "/transfers/{pid}", transfer.get, shapes.get(transfer.kind)),
    ]


def catalogue_routes(
    journal: Journal,
    catalog: Catalog,
    dataset: Dataset,
    address: str,
    base_path: str = codec.PATH,
    contexts: Collection[str] = envelope.KNOWN_CONTEXTS,
) -> list[Route]:
    """The catalogue alone, with the version list: all that a node serves which makes no contracts.

    `address` is the base address as others write it: pages name each other by it.
    """

    def versions(root: str) -> Route:
        async def handle(_call: Call) -> Response:
            return Response(200, _versions(base_path.removeprefix(root)))

        return Route("GET", f"{root}/.well-known/dspace-version", Proof.NONE, handle, shape=shapes.VERSIONS)

    shown = _Catalogue(journal, catalog, dataset, address, contexts)
    return [
        versions(""),
        versions(base_path.rpartition("/")[0]),
        Route("POST", base_path + _CATALOG, Proof.MEMBERSHIP, shown.request, shape=shapes.REQUEST),
        Route("GET", base_path + _CATALOG, Proof.MEMBERSHIP, shown.turned, shape=shapes.TURNED),
        Route("GET", base_path + _DATASETS, Proof.MEMBERSHIP, shown.dataset, shape=shapes.DATASET),
    ]


def _receive_negotiation(services: Services, tx: Transaction, message: Message, sender: Did) -> Exchange:
    return contracts.receive(tx, services.desk, message, sender, services.published).exchange


def _receive_transfer(services: Services, tx: Transaction, message: Message, sender: Did) -> Exchange:
    return transfers.receive(tx, services.rail, message, sender, services.may_open).exchange


@dataclass(frozen=True, slots=True)
class _Catalogue:
    """The catalogue binding: all that a caller may see, page by page, and one dataset of it."""

    journal: Journal
    catalog: Catalog
    find: Dataset
    address: str
    contexts: Collection[str]

    async def request(self, call: Call) -> Response:
        """The first page, or the one of a link that is followed with the same message."""
        try:
            asked = codec.parse_catalog_request(call.body, self.contexts)
            place = _place(call) or asked
        except EntrepotError as error:
            return _failed("CatalogError", error)
        return await self._page(call, place)

    async def turned(self, call: Call) -> Response:
        """The page of a link that is followed as such."""
        try:
            place = _place(call) or Place()
        except EntrepotError as error:
            return _failed("CatalogError", error)
        return await self._page(call, place)

    async def _page(self, call: Call, place: Place | Search) -> Response:
        page = await self.journal.read(lambda c: self.catalog(c, call.caller, place))
        around = (("next", page.next_after), ("previous", page.previous_after))
        links = [
            f'<{self.address}{_CATALOG}?continuationToken={_token(place, after)}>; rel="{relation}"'
            for relation, after in around
            if after is not None
        ]
        headers = {"vary": "accept-encoding"} | ({"link": ", ".join(links)} if links else {})
        if len(page.body) < _WORTH_PACKING or not accepts_gzip(call.headers.get("accept-encoding", "")):
            return Response(200, page.body, headers=headers)
        packed = await asyncio.to_thread(gzip.compress, page.body, 1, mtime=0)
        return Response(200, packed, headers=headers | {"content-encoding": "gzip"})

    async def dataset(self, call: Call) -> Response:
        wanted = call.path["id"]
        found = await self.journal.read(lambda c: self.find(c, wanted, call.caller))
        if found is None:
            return _failed("CatalogError", NotFoundError("there is no such dataset for you"))
        return Response(200, found)


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """The endpoints of one machine: take a message in, or show where a process stands."""

    services: Services
    parse: Callable[[bytes, Collection[str]], Message]
    receive: Callable[[Services, Transaction, Message, Did], Exchange]
    kind: str

    async def post(self, call: Call, allowed: frozenset[Move]) -> Response:
        message: Message | None = None
        try:
            sender = _known(call)
            message = self.parse(call.body, self.services.contexts)
            if "pid" in call.path:
                message = replace(message, addressed_to=ProcessId(call.path["pid"]))
            await self._check(call, message, sender, allowed)
        except EntrepotError as error:
            return self._refused(error, message)
        found = message
        try:
            return await self.services.journal.write(lambda tx: self._take_in(tx, call, found, sender))
        except EntrepotError as error:
            refusal = self._refused(error, message)
        if refusal.status != 400:  # the same message may be welcome later
            return refusal
        heard = self._heard(call, message, sender)
        return await self.services.journal.write(lambda tx: _remembered(tx, heard, refusal))

    async def get(self, call: Call) -> Response:
        found = await self.services.journal.look_up(lambda c: self._find(c, ProcessId(call.path["pid"])))
        if found is None or found[1] != call.caller or found[0].state is State.INITIAL:
            return self._refused(NotFoundError("there is no such process with you"))
        return Response(200, self._shown(found[0]))

    async def _check(self, call: Call, message: Message, sender: Did, allowed: frozenset[Move]) -> None:
        if message.move not in allowed:
            raise ProtocolError(f"a message to {message.move} does not belong here")
        pid = call.path.get("pid")
        if pid is None:
            first_from_provider = message.move is Move.OFFER
            known = message.consumer_pid if first_from_provider else message.provider_pid
            if not message.callback or known is not None:
                raise ProtocolError("a first message names a callbackAddress, and no process id of ours")
            await self.services.check_callback(message.callback, sender)
            if isinstance(message.content, TransferRequest) and message.content.destination is not None:
                # Where data is to be pushed is an address that a stranger names, as a callback is.
                await self.services.check_callback(message.content.destination.endpoint, sender)
        elif message.callback or pid not in {message.consumer_pid, message.provider_pid}:
            raise ProtocolError("the process of the path is not that of the message")

    def _take_in(self, tx: Transaction, call: Call, message: Message, sender: Did) -> Response:
        """Answer a repeat as before; else take the message in and remember the answer."""
        heard = self._heard(call, message, sender)
        before = recall_answer(tx, heard.scope, heard.message_id)
        if before is not None:
            if before.digest != heard.digest:
                raise ProtocolError("another message came under the same @id")
            return Response(before.status, before.body)
        exchange = self.receive(self.services, tx, message, sender)
        response = Response(200 if "pid" in call.path else 201, self._shown(exchange))
        remember_answer(tx, heard.scope, heard.message_id, heard.digest, response.status, response.body)
        return response

    def _heard(self, call: Call, message: Message, sender: Did) -> "_Heard":
        # Ids are the sender's to choose: their digest has one length, and nobody meets another's.
        scope = canonical.encode([sender, self.kind, call.path.get("pid", "")])
        return _Heard(
            ProcessId(render_digest(sha256(scope))),
            MessageId(render_digest(sha256(message.id.encode()))),
            sha256(call.body),
        )

    def _refused(self, error: EntrepotError, message: Message | None = None) -> Response:
        return _failed(f"{self.kind.removesuffix('Process')}Error", error, message)

    def _find(self, connection: Connection, pid: ProcessId) -> tuple[Exchange, Did] | None:
        if self.kind == "TransferProcess":
            process = transfers.read_process(connection, pid)
            return None if process is None else (process.exchange, process.counterparty)
        negotiation = contracts.read_negotiation(connection, pid)
        return None if negotiation is None else (negotiation.exchange, negotiation.counterparty)

    def _shown(self, exchange: Exchange) -> bytes:
        ours, theirs = exchange.id, exchange.peer_pid or ProcessId("unknown")
        consumer, provider = (ours, theirs) if exchange.party is Party.CONSUMER else (theirs, ours)
        return codec.render_state(self.kind, consumer, provider, exchange.state)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What is remembered of a message, whatever came of it."""

    scope: ProcessId
    message_id: MessageId
    digest: Digest


def accepts_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` lets an answer be packed (RFC 9110, 12.5.3)."""
    weights = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        weights[name.strip()] = weight.replace(" ", "")
    wanted = weights.get("gzip", weights.get("*", "q=0"))
    return re.fullmatch(r"q=0(\.0*)?", wanted) is None


def _token(place: Place | Search, after: int) -> str:
    """The continuation token of a page around this one: all that is needed to show it."""
    if isinstance(place, Place):
        return f"{after}-{place.size}"
    return "s" + to_base64url(render_search(replace(place, offset=after)).encode())


def _place(call: Call) -> Place | Search | None:
    """Where the page of a continuation token begins (Web Linking, RFC 8288, as the binding asks)."""
    token = call.query.get("continuationToken")
    if token is None:
        return None
    match = _TOKEN.fullmatch(token)
    if match is not None and int(match[2]) <= codec.MAX_PAGE:
        return Place(after=int(match[1]), size=int(match[2]))
    try:
        if token.startswith("s") and len(token) <= _LONGEST_TOKEN:
            return parse_search(dict(parse_qsl(from_base64url(token[1:]).decode(), max_num_fields=20)))
    except (EntrepotError, ValueError):
        pass
    raise ProtocolError("that continuationToken is none of ours")


def _known(call: Call) -> Did:
    if call.caller is None:
        raise TrustError("the caller is not known")
    return call.caller


def _remembered(tx: Transaction, heard: _Heard, refusal: Response) -> Response:
    """Remember a refusal. Where a repeat of the message was taken in meanwhile, that answer stands."""
    before = recall_answer(tx, heard.scope, heard.message_id)
    if before is None:
        remember_answer(tx, heard.scope, heard.message_id, heard.digest, refusal.status, refusal.body)
    elif before.digest == heard.digest:
        return Response(before.status, before.body)
    return refusal


def _failed(kind: str, error: EntrepotError, message: Message | None = None) -> Response:
    status = next(code for error_type, code in _STATUS if isinstance(error, error_type))
    consumer = "" if message is None else message.consumer_pid or ""
    provider = "" if message is None else message.provider_pid or ""
    reason = unquoted(str(error))
    if isinstance(error, TransitionError):
        reason = f"{reason}; the process is in state {error.state}"
    if status == 503:
        _log.warning("not now", kind=kind, because=reason)
    return Response(status, codec.render_error(kind, consumer, provider, status, reason))


def _versions(base: str) -> bytes:
    profiles: list[canonical.Json] = [form.value for form in CredentialForm]
    auth: canonical.Json = {"protocol": "DCP", "version": "1.0", "profile": profiles}
    return canonical.encode(
        {
            "protocolVersions": [
                {
                    "version": codec.VERSION,
                    "path": base,
                    "binding": "HTTPS",
                    "identifierType": "did:web",
                    "auth": auth,
                }
            ]
        }
    )
