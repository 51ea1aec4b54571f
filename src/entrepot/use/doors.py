"""Doors: where every use enters. A call is handed to what serves the format of its transfer process.

A door is an endpoint and an opaque token. To a caller whom no door knows nothing is said, not even that a
process is there. The token is read with and without `Bearer`.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from entrepot.journal import Journal
from entrepot.policy import Fact
from entrepot.use.facts import caller_of, claims_of
from entrepot.use.flow.behind import behind_door
from entrepot.use.model import Denied, Knock, TransferProcess
from entrepot.values import KindOfUse, Log, ProcessId, canonical, header_fields

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log: Final = Log()
USE_HEADER: Final = "entrepot-use"
PURPOSE_HEADER: Final = "entrepot-purpose"
UNKNOWN: Final = Denied(("no door opens to this token",), known=False)
_MOST_KNOWN: Final = 10_000
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_NOTHING_SEEN: Final[Mapping[str, Fact]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Visit:
    """A call at a door, before the gate has been asked. **Its token is only claimed to open the door.**"""

    scope: Scope
    receive: Receive
    send: Send
    process: TransferProcess
    """Whose door it is, and what for. **Its state may have moved on:** the gate knows whether it is open."""
    headers: Mapping[str, str]
    token: str = field(repr=False)
    below: str = ""
    """What is asked for below the door: `items`, `openapi.json`; empty at the door itself."""

    @property
    def method(self) -> str:
        method: str = self.scope["method"]
        return method

    def knock(self, kind: KindOfUse, observed: Mapping[str, Fact] = _NOTHING_SEEN) -> Knock:
        """What the gate is asked, with what the door has seen of this call."""
        purpose = self.headers.get(PURPOSE_HEADER)
        known = {**caller_of(self.scope), **claims_of(self.headers, kind), **observed}
        return Knock(self.process.exchange.id, self.token, kind, purpose, known)


Handler: TypeAlias = Callable[[Visit], Awaitable[None]]


class Doors:
    """All doors of a node, as an ASGI handler of `/door/{process}` and of what lies below it."""

    def __init__(self, journal: Journal, handlers: Mapping[str, Handler]) -> None:
        self._journal = journal
        self._handlers = handlers
        self._known: dict[ProcessId, TransferProcess] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: Mapping[str, str]) -> None:
        headers = header_fields(scope["headers"])
        process = await self._process(ProcessId(path["process"]))
        handler = None if process is None else self._handlers.get(process.format)
        if process is None or handler is None:
            await refuse(send, UNKNOWN)
            return
        token = headers.get("authorization", "")
        if token[:7].lower() == "bearer ":
            token = token[7:]
        await handler(Visit(scope, receive, send, process, headers, token, path.get("below", "")))

    async def _process(self, process_id: ProcessId) -> TransferProcess | None:
        """The process of a door, read once: whose it is and what it is for never changes."""
        known = self._known.get(process_id)
        if known is None:
            known = await self._journal.read(lambda c: behind_door(c, process_id))
            if known is not None:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[process_id] = known
        return known


def start(status: int, headers: Mapping[str, str]) -> MutableMapping[str, Any]:
    """The event that begins an answer."""
    raw = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}


async def answer(send: Send, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
    """Give a whole answer. **The headers name its length.**"""
    await send(start(status, headers))
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, denied: Denied) -> None:
    """Refuse a call with every reason. Whom no door knows gets 404 and none; a rate says how long."""
    if not denied.known:
        await complain(send, 404, (), "")
    elif denied.again is None:
        await complain(send, 403, denied.reasons, "Ask `entrepot policy explain` what would be allowed.")
    else:
        later = {"retry-after": str(denied.again)}
        await complain(send, 429, denied.reasons, "Call again when the next period begins.", later)


async def complain(
    send: Send, status: int, reasons: tuple[str, ...], remedy: str, more: Mapping[str, str] = _NO_HEADERS
) -> None:
    """Answer with a problem document (RFC 9457); who came too early is told when to come again."""
    titles = {400: "Malformed", 403: "Refused", 404: "Not found", 413: "Too large", 429: "Too often"}
    document: dict[str, canonical.Json] = {
        "type": "about:blank",
        "title": titles.get(status, "Not possible now"),
        "status": status,
        "remedy": remedy if status != 404 else "",
    }
    if reasons:
        document["reasons"] = [*reasons]
    body = canonical.encode(document)
    head = {"content-type": "application/problem+json", "content-length": str(len(body))}
    if status == 503:
        _log.warning("not now", because=", ".join(reasons))
        head["retry-after"] = "1"
    await answer(send, status, {**head, **more}, body)
