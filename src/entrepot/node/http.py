"""HTTP, in and out: routes become an application, and calls to strangers keep to the rules.

A bare ASGI application: protocol messages are bytes in and bytes out, so nothing of a framework stands
between the socket and the handler. An address that somebody else named is resolved once, checked, and
that very address is connected to; redirects are not followed; size and time are bounded.
"""

import asyncio
import ipaddress
import json
import re
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import httpx2
import structlog

from entrepot.protocols import JSON, UNDESCRIBED, Call, Proof, Reply, Response, Route, Shape, unquoted
from entrepot.values import (
    Did,
    EntrepotError,
    MalformedError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    TrustError,
    UnavailableError,
)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Raw: TypeAlias = Callable[[Scope, Receive, Send, Mapping[str, str]], Awaitable[None]]

_log: Final = structlog.get_logger()
_VERIFYING_SECONDS: Final = 900.0
"""How long a receiver may take over its answer: it reads all that was pushed to it once more."""
_MOST_OF_A_REPLY: Final = 64 << 10
_MOST_FIELDS: Final = 50
_MOST_DIGITS: Final = 18
_NOTHING: Final = "there is nothing here for you"
_SECURITY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)
_CHALLENGE: Final = {401: ((b"www-authenticate", b"Bearer"),)}
"""RFC 9110, 15.5.2: who is asked for a proof is told of which kind."""


class MethodError(EntrepotError):
    """A method that is not served at this address."""

    status = 405

    def remedy(self) -> str:
        return "The header `allow` lists the methods that are served."


class MediaTypeError(EntrepotError):
    """A body of a kind that is not read here."""

    status = 415

    def remedy(self) -> str:
        return "Send the media type that the description of the route names."


@dataclass(frozen=True, slots=True)
class RawRoute:
    """A route that speaks ASGI itself, because it streams; its handler asks for its proof."""

    method: str
    path: str
    proof: Proof
    handle: Raw
    shape: Shape = UNDESCRIBED


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """How a caller proves what a route asks for."""

    authenticate: Callable[[str], Awaitable[Did]]
    """Turns an `Authorization` header into the member that sent it, or raises `TrustError`."""
    is_owner: Callable[[str], bool] = lambda _authorization: False


class Application:
    """The routes of one port as an ASGI application."""

    def __init__(self, routes: Sequence[Route | RawRoute], gatekeeper: Gatekeeper) -> None:
        self._gatekeeper = gatekeeper
        self._fixed: dict[str, dict[str, Route | RawRoute]] = {}
        self._patterns: list[tuple[re.Pattern[str], Route | RawRoute]] = []
        for route in routes:
            if "{" in route.path:
                self._patterns.append((_pattern(route.path), route))
            else:
                self._fixed.setdefault(route.path, {})[route.method] = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        request_id = secrets.token_hex(8)
        found = self._find(scope["method"], scope["path"])
        if isinstance(found, frozenset):
            await _respond(send, _no_route(scope["method"], found, request_id), request_id)
            return
        route, path = found
        if isinstance(route, RawRoute):
            await route.handle(scope, receive, send, path)
            return
        try:
            response = await self._answer(route, path, scope, receive, request_id)
        except EntrepotError as error:
            _log.info("refused", route=route.path, error=type(error).__name__, request_id=request_id)
            response = problem(error, request_id, to_owner=route.proof is Proof.OWNER)
        except Exception:  # noqa: BLE001 (the edge: a fault becomes a 500, and the log has its traceback)
            _log.exception("fault", route=route.path, request_id=request_id)
            response = problem(EntrepotError("something went wrong here"), request_id, to_owner=False)
        await _respond(send, response, request_id)

    def _find(self, method: str, path: str) -> tuple[Route | RawRoute, Mapping[str, str]] | frozenset[str]:
        """The route with what its path names; else the methods that are served there."""
        method = "GET" if method == "HEAD" else method
        fixed = self._fixed.get(path, {})
        if method in fixed:
            return fixed[method], {}
        served = set(fixed)
        for pattern, route in self._patterns:
            match = pattern.fullmatch(path)
            if match is not None:
                if route.method == method:
                    return route, match.groupdict()
                served.add(route.method)
        return frozenset(served)

    async def _answer(
        self, route: Route, path: Mapping[str, str], scope: Scope, receive: Receive, request_id: str
    ) -> Response:
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        authorization = headers.get("authorization", "")
        caller: Did | None = None
        if route.proof is Proof.MEMBERSHIP:
            try:
                caller = await self._gatekeeper.authenticate(authorization)
            except TrustError as error:
                # An unauthorised party learns nothing, not even that something is there.
                _log.info("untrusted", route=route.path, error=unquoted(str(error)))
                if "/dsp/" in route.path:
                    raise NotFoundError(_NOTHING) from error
                raise TrustError("no token of a member in force, made out to this node and unused") from error
        elif route.proof is Proof.OWNER and not self._gatekeeper.is_owner(authorization):
            raise TrustError("the owner's token is missing or wrong")
        query = _query(scope["query_string"])
        if any("\x00" in text for text in (*path.values(), *query, *query.values())):
            raise MalformedError("an address without zero bytes was expected")  # no database keeps one
        body = await _body(receive, route.max_bytes, headers)
        if body and not _is_taken(headers.get("content-type", ""), route.shape):
            raise MediaTypeError(f"a body of the media type {JSON} was expected")
        return await route.handle(Call(path, body, headers, query, caller, request_id))


def problem(error: EntrepotError, request_id: str, *, to_owner: bool) -> Response:
    """Turn an error into a problem document (RFC 9457) that says what to do next.

    Only the owner is told what exactly was wrong with the words that were sent.
    """
    said: Callable[[str], str] = str if to_owner else unquoted
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": type(error).__name__,
        "status": error.status,
        "detail": said(str(error)),
        "remedy": error.remedy(),
        "requestId": request_id,
    }
    if isinstance(error, RefusedError):
        document["reasons"] = [said(r) for r in error.reasons]
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(error.status, body, "application/problem+json")


def _no_route(method: str, served: frozenset[str], request_id: str) -> Response:
    """Nothing is there, or not by this method; OPTIONS is told what is (RFC 9110, 9.3.7 and 15.5.6)."""
    if not served:
        return problem(NotFoundError(_NOTHING), request_id, to_owner=False)
    allow = {"allow": ", ".join(sorted({*served, "OPTIONS"} | ({"HEAD"} if "GET" in served else set())))}
    if method == "OPTIONS":
        return Response(204, headers=allow)
    return replace(problem(MethodError("not by this method"), request_id, to_owner=False), headers=allow)


async def _respond(send: Send, response: Response, request_id: str) -> None:
    headers = [
        (b"content-type", response.media_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
        (b"x-request-id", request_id.encode()),
        *_SECURITY,
        *_CHALLENGE.get(response.status, ()),
        *((k.encode(), v.encode()) for k, v in response.headers.items()),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def _body(receive: Receive, most: int, headers: Mapping[str, str]) -> bytes:
    """Read a body; one that says itself that it is too large is not read at all."""
    too_large = TooLargeError(f"a body of more than {most} bytes")
    said = headers.get("content-length", "0")
    if said.isdecimal() and (len(said) > _MOST_DIGITS or int(said) > most):
        raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise MalformedError("the connection ended inside the request")
        chunk = event.get("body", b"")
        size += len(chunk)
        if size > most:
            raise too_large
        chunks.append(chunk)
        if not event.get("more_body"):
            return b"".join(chunks)


def _is_taken(media_type: str, shape: Shape) -> bool:
    """Whether a body is read where JSON is: a sender that names no type may well send it."""
    if shape.takes is None or shape.takes.media_type != JSON:
        return True
    named = media_type.partition(";")[0].strip().lower()
    return named in {"", JSON} or (named.startswith("application/") and named.endswith("+json"))


def _query(raw: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(raw.decode("latin-1"), max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise MalformedError(f"a query of at most {_MOST_FIELDS} names was expected") from error


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(:path)?\}", path)
    pattern = re.escape(parts[0])
    for name, whole, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        pattern += f"(?P<{name}>{'.+' if whole else '[^/]+'})" + re.escape(rest)
    return re.compile(pattern)


class Incoming:
    """An answer that is read piece by piece."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers = {k.lower(): v for k, v in response.headers.items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_raw(256 << 10):
            yield chunk


class HttpClient:
    """The way out. Every address is checked before it is connected to."""

    def __init__(
        self, allow_private: Sequence[str], seconds: float, trusted: ssl.SSLContext | None = None
    ) -> None:
        self._allow_private = frozenset(origin_of(o) for o in allow_private)
        self._seconds = seconds
        self._trusted = trusted or trusting(None)
        self._clients: dict[str, httpx2.AsyncClient] = {}

    async def __call__(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
    ) -> Reply:
        """Call another node, or raise `UnavailableError`."""
        try:
            async with asyncio.timeout(self._seconds):
                client, target, host = await self._prepared(url)
                extensions = {"sni_hostname": host.rpartition(":")[0] or host}
                sent = {**(headers or {}), "host": host}
                async with client.stream(
                    method, target, content=body, headers=sent, extensions=extensions
                ) as response:
                    chunks = []
                    size = 0
                    async for chunk in response.aiter_bytes():
                        size += len(chunk)
                        if size > max_bytes:
                            raise UnavailableError(f"{host} answered with more than {max_bytes} bytes")
                        chunks.append(chunk)
                    answered = {k.lower(): v for k, v in response.headers.items()}
                    return Reply(response.status_code, b"".join(chunks), answered)
        except (httpx2.HTTPError, TimeoutError, OSError) as error:
            raise UnavailableError(f"{origin_of(url)} did not answer: {type(error).__name__}") from error

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AsyncIterator["Incoming"]:
        """Call another node and read its answer piece by piece; only a silence is bounded in time."""
        try:
            async with asyncio.timeout(self._seconds):
                client, target, host = await self._prepared(url)
            sent = {**headers, "host": host}
            extensions = {"sni_hostname": host.rpartition(":")[0] or host}
            async with client.stream(
                method, target, content=body, headers=sent, extensions=extensions
            ) as response:
                yield Incoming(response)
        except (httpx2.HTTPError, TimeoutError, OSError) as error:
            raise UnavailableError(f"{origin_of(url)} broke off: {type(error).__name__}") from error

    async def pour(
        self,
        url: str,
        headers: Mapping[str, str],
        content: AsyncIterator[bytes],
        connected: Callable[[socket.socket], None],
    ) -> Reply:
        """Post a body piece by piece over a connection of its own, whose socket is shown to `connected`."""

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                connected(info["return_value"].get_extra_info("socket"))

        patience = httpx2.Timeout(self._seconds, read=_VERIFYING_SECONDS)
        try:
            async with asyncio.timeout(self._seconds):
                _, target, host = await self._prepared(url)
            extensions = {"sni_hostname": host.rpartition(":")[0] or host, "trace": trace}
            async with (
                self._client(patience) as client,
                client.stream(
                    "POST", target, content=content, headers={**headers, "host": host}, extensions=extensions
                ) as response,
            ):
                body = b"".join([chunk async for chunk in response.aiter_raw(_MOST_OF_A_REPLY)])
                answered = {k.lower(): v for k, v in response.headers.items()}
                return Reply(response.status_code, body[:_MOST_OF_A_REPLY], answered)
        except (httpx2.HTTPError, TimeoutError, OSError) as error:
            raise UnavailableError(f"{origin_of(url)} broke off: {type(error).__name__}") from error

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def _prepared(self, url: str) -> tuple[httpx2.AsyncClient, str, str]:
        """Resolve and check the address, and give the URL that names it by number."""
        parts = urlsplit(url)
        origin = origin_of(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = await self._resolved(parts.hostname or "", port, origin)
        shown = f"[{address}]" if ":" in address else address
        path = parts.path or "/"
        target = f"{parts.scheme}://{shown}:{port}{path}" + (f"?{parts.query}" if parts.query else "")
        if origin not in self._clients:
            self._clients[origin] = self._client(httpx2.Timeout(self._seconds))
        return self._clients[origin], target, parts.netloc

    def _client(self, patience: httpx2.Timeout) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=self._trusted, follow_redirects=False, trust_env=False, timeout=patience
        )

    async def _resolved(self, host: str, port: int, origin: str) -> str:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, address in found:
            ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
            if ip.is_global or origin in self._allow_private:
                return str(ip)
        raise UnavailableError(f"{origin} lies on a private address that this node may not call")


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """Who may vouch for a server: those whom the system trusts, and these certificates (PEM) beside them."""
    context = httpx2.create_ssl_context(trust_env=False)
    if authorities is not None:
        context.load_verify_locations(authorities)
    return context


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, written in one way."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise MalformedError("that is no address") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise MalformedError("expected an http(s) address without a password in it")
    return f"{parts.scheme}://{parts.hostname}:{port}"
