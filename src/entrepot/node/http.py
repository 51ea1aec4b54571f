"""HTTP, in and out: routes become an application, and calls to strangers keep to the rules.

A bare ASGI application: protocol messages are bytes in and bytes out, so nothing of a framework stands
between the socket and the handler. An address that somebody else named is resolved once, checked, and
that very address is connected to; redirects are not followed; size and time are bounded.
"""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

from entrepot.protocols import JSON, UNDESCRIBED, Call, Proof, Response, Route, Shape, unquoted
from entrepot.values import (
    Did,
    EntrepotError,
    Log,
    MalformedError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    TrustError,
    canonical,
    header_fields,
)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Raw: TypeAlias = Callable[[Scope, Receive, Send, Mapping[str, str]], Awaitable[None]]

_log: Final = Log()
_random: Final = random.Random()  # noqa: S311 (ids of requests are no secrets; the system's source costs a call each)
_VERIFYING_SECONDS: Final = 900.0
"""How long a receiver may take over its answer: it reads all that was pushed to it once more."""
_MOST_OF_A_REPLY: Final = 64 << 10
_BODY_SECONDS: Final = 120.0
_MOST_FIELDS: Final = 50
_MOST_DIGITS: Final = 18
_NOTHING: Final = "there is nothing here for you"
_SECURITY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)
_TOLD: Final = {
    401: ((b"www-authenticate", b"Bearer"),),
    408: ((b"connection", b"close"),),
    503: ((b"retry-after", b"1"),),
}
"""RFC 9110, 15.5.2, 15.5.9 and 15.6.4: who is asked for a proof is told of which kind, who came too early
when, and nobody waits for the rest of a body that does not come.
"""


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


class TooSlowError(EntrepotError):
    """A body that did not come."""

    status = 408

    def remedy(self) -> str:
        return f"Send the whole body within {_BODY_SECONDS:.0f} seconds."


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


class Started:
    """The sending side of a request, which knows whether its answer has begun."""

    __slots__ = ("_send", "is_so", "transport")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.is_so = False
        self.transport = getattr(getattr(send, "__self__", None), "transport", None)
        """The server's, for whoever has to cut the connection."""

    async def send(self, event: MutableMapping[str, Any]) -> None:
        self.is_so = True
        await self._send(event)


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
        request_id = f"{_random.getrandbits(64):016x}"
        found = self._find(scope["method"], scope["path"])
        if not isinstance(found, frozenset) and isinstance(found[0], RawRoute) and "\x00" in scope["path"]:
            found = frozenset()  # no database keeps such a name, so no door and no inbox has one
        if isinstance(found, frozenset):
            await _respond(send, _no_route(scope["method"], found, request_id), request_id)
            return
        route, path = found
        started = Started(send)
        try:
            if isinstance(route, RawRoute):
                await route.handle(scope, receive, started.send, path)
                return
            response = await self._answer(route, path, scope, receive, request_id)
        except Exception as error:
            if started.is_so:
                raise  # the server closes the connection, so that nobody takes what came for the whole
            response = _failed(route, error, request_id)
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
        headers = header_fields(scope["headers"])
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
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _body(receive, route.max_bytes, headers)
        except TimeoutError as error:
            raise TooSlowError("the body did not come in time") from error
        if body and not _is_taken(headers.get("content-type", ""), route.shape):
            raise MediaTypeError(f"a body of the media type {JSON} was expected")
        if (
            route.shape.takes is not None
            and route.shape.takes.media_type == JSON
            and canonical.has_zero(body)
        ):
            raise MalformedError("text without zero characters was expected")
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


def _failed(route: Route | RawRoute, error: Exception, request_id: str) -> Response:
    """What is said of an error, whatever the route; the log says more of what its owner has to mend."""
    if not isinstance(error, EntrepotError):
        _log.exception("fault", route=route.path, request_id=request_id)
        return problem(EntrepotError("something went wrong here"), request_id, to_owner=False)
    if error.status == 503:
        _log.warning("not now", route=route.path, because=unquoted(str(error)), request_id=request_id)
    else:
        _log.info("refused", route=route.path, error=type(error).__name__, request_id=request_id)
    return problem(error, request_id, to_owner=route.proof is Proof.OWNER)


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
        *_TOLD.get(response.status, ()),
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
