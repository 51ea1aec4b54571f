"""The way out: calls to strangers keep to the rules (design: Reach).

An address that somebody else named is resolved once, checked, and that very address is connected to;
redirects are not followed; size and time are bounded.
"""

import asyncio
import ipaddress
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from entrepot.protocols import Reply
from entrepot.values import MalformedError, RefusedError, UnavailableError, header_fields, origin_of

_IDLE_SECONDS: Final = 4.0
"""A connection is kept for less than servers keep theirs, so that none is used while it is being closed."""
_VERIFYING_SECONDS: Final = 900.0
"""How long a receiver may take over its answer: it reads all that was pushed to it once more."""
_UNICAST: Final = ipaddress.ip_network("2000::/3")
_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
"""What a translator turns into an address of IPv4, whichever it is (RFC 6052)."""
_MOST_OF_A_REPLY: Final = 64 << 10
_PIECE: Final = 256 << 10


class Incoming:
    """An answer that is read piece by piece, as it was sent."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = header_fields(response.raw_headers)

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.content.iter_chunked(_PIECE):
            yield chunk

    def close(self) -> None:
        """Hang up; whoever reads is told that it broke off."""
        self._response.close()


class HttpClient:
    """Calls other nodes. Every address is checked before it is connected to."""

    def __init__(
        self, allow_private: Sequence[str], seconds: float, trusted: ssl.SSLContext | None = None
    ) -> None:
        self._allow_private = frozenset(origin_of(o) for o in allow_private)
        self._seconds = seconds
        self._trusted = trusted or trusting(None)
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __call__(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
    ) -> Reply:
        """Call another node, or raise `UnavailableError`. What comes packed is given unpacked."""
        patience = aiohttp.ClientTimeout(total=self._seconds)
        with _told(url, "did not answer"):
            target, session = self._checked(url), self._session(url)
            sending = session.request(
                method,
                target,
                data=body or None,
                headers={"accept-encoding": "gzip", **(headers or {})},
                timeout=patience,
                allow_redirects=False,
            )
            async with await _sent(sending) as response:
                found = bytearray()
                async for chunk in response.content.iter_any():
                    found += chunk
                    if len(found) > max_bytes:
                        raise UnavailableError(f"{origin_of(url)} answered with more than {max_bytes} bytes")
                try:
                    whole = _unpacked(bytes(found), _coding(response), max_bytes)
                except ValueError as error:
                    raise UnavailableError(f"{origin_of(url)} answered with a body that {error}") from error
                return Reply(response.status, whole, header_fields(response.raw_headers))

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, silence: float = 0
    ) -> AsyncIterator[Incoming]:
        """Call another node and read its answer piece by piece; only a silence is bounded in time.

        It is as long as any call may take, or as `silence` says where an answer is computed meanwhile. What
        comes is asked for as it is: its bytes are counted, and their digest is compared with a promised one.
        """
        patience = aiohttp.ClientTimeout(connect=self._seconds, sock_read=silence or self._seconds)
        with _told(url, "broke off"):
            target, session = self._checked(url), self._session(url)
            sending = session.request(
                method,
                target,
                data=body or None,
                headers={**headers, "accept-encoding": "identity"},
                timeout=patience,
                allow_redirects=False,
            )
            async with await _sent(sending) as response:
                if response.ok and (coding := _coding(response)):
                    raise RefusedError(f"{origin_of(url)} packs ({coding[:20]}) what is to come as it is")
                yield Incoming(response)

    async def pour(
        self,
        url: str,
        headers: Mapping[str, str],
        content: AsyncIterator[bytes],
        connected: Callable[[socket.socket], None],
    ) -> Reply:
        """Post a body piece by piece over a connection of its own, whose socket is shown to `connected`.

        Each piece must be taken in time; the answer may take long, for the receiver verifies first.
        """

        def opened(address: tuple[int, int, int, str, object]) -> socket.socket:
            made = socket.socket(*address[:3])
            made.setblocking(False)
            connected(made)
            return made

        async def paced(patience: asyncio.Timeout) -> AsyncIterator[bytes]:
            clock = asyncio.get_running_loop().time
            async for piece in content:
                patience.reschedule(clock() + self._seconds)
                yield piece
                patience.reschedule(None)
            patience.reschedule(clock() + _VERIFYING_SECONDS)

        with _told(url, "broke off"):
            target = self._checked(url)
            async with (
                self._made(target.scheme, opened) as session,
                asyncio.timeout(self._seconds) as patience,
                await _sent(
                    session.post(target, data=paced(patience), headers=headers, allow_redirects=False)
                ) as response,
            ):
                body = await response.content.read(_MOST_OF_A_REPLY)
                return Reply(response.status, body, header_fields(response.raw_headers))

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def _checked(self, url: str) -> URL:
        """The address as it is called; one that names its host by number is checked here."""
        origin = origin_of(url)
        try:
            target = URL(url, encoded=True)
        except ValueError as error:
            raise MalformedError("that is no address that can be called") from error
        try:
            ip = ipaddress.ip_address((target.host or "").partition("%")[0])
        except ValueError:
            return target  # a name: checked when it is looked up
        if not _may_call(ip, origin, self._allow_private):
            raise _forbidden(origin)
        return target

    def _session(self, url: str) -> aiohttp.ClientSession:
        scheme = urlsplit(url).scheme
        if scheme not in self._sessions:
            self._sessions[scheme] = self._made(scheme)
        return self._sessions[scheme]

    def _made(
        self,
        scheme: str,
        opened: Callable[[tuple[int, int, int, str, object]], socket.socket] | None = None,
    ) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(scheme, self._allow_private),
            use_dns_cache=False,
            ssl=self._trusted,
            limit=0,
            keepalive_timeout=_IDLE_SECONDS,
            socket_factory=opened,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("content-type", "accept-encoding"),
            auto_decompress=False,  # aiohttp takes a truncated gzip body for whole
            headers={"user-agent": "entrepot"},
            timeout=aiohttp.ClientTimeout(),
        )


class _Resolver(AbstractResolver):
    """Looks a name up once, and gives the first address that may be called."""

    def __init__(self, scheme: str, allow_private: Collection[str]) -> None:
        self._scheme = scheme
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        origin = f"{self._scheme}://{host}:{port}"
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM
        )
        for kind, *_, address in found:
            ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
            if _may_call(ip, origin, self._allow_private):
                flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
                return [
                    ResolveResult(hostname=host, host=str(ip), port=port, family=kind, proto=0, flags=flags)
                ]
        raise _forbidden(origin)

    async def close(self) -> None:
        """Nothing is kept."""


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """Who may vouch for a server: those whom the system trusts, and these certificates (PEM) beside them."""
    context = ssl.create_default_context()
    if authorities is not None:
        context.load_verify_locations(authorities)
    return context


def _may_call(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, origin: str, allow_private: Collection[str]
) -> bool:
    return origin in allow_private or _is_public(ip)


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it lies in the open, and leads to nowhere else: IPv6 has ways to write any address of IPv4."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast
    translated = ipaddress.IPv4Address(ip.packed[-4:]) if ip in _TRANSLATED else None
    within = translated or ip.ipv4_mapped or ip.sixtofour
    return _is_public(within) if within is not None else ip.is_global and ip in _UNICAST


def _forbidden(origin: str) -> UnavailableError:
    return UnavailableError(f"{origin} lies on a private address that this node may not call")


def _coding(response: aiohttp.ClientResponse) -> str:
    """How an answer is packed; nothing where it comes as it is."""
    said = header_fields(response.raw_headers).get("content-encoding", "").strip().lower()
    return "" if said == "identity" else said


def _unpacked(body: bytes, coding: str, most: int) -> bytes:
    """A body without its content coding (RFC 9110, 8.4.1); `ValueError` says what is wrong with it."""
    if not body or not coding:
        return body
    if coding not in {"gzip", "x-gzip"}:
        raise ValueError("is packed in a way that was not asked for")
    unpacking = zlib.decompressobj(wbits=31)
    try:
        whole = unpacking.decompress(body, most + 1)
    except zlib.error as error:
        raise ValueError("is not the gzip that it says it is") from error
    if len(whole) > most:
        raise ValueError(f"has more than {most} bytes when it is unpacked")
    if not unpacking.eof:
        raise ValueError("was cut short: its gzip has no end")
    if unpacking.unused_data:
        raise ValueError("goes on after the end of its gzip")
    return whole


async def _sent(sending: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
    """The answer to a request; what cannot be sent as it is (a line break in a header) is refused."""
    try:
        return await sending
    except ValueError as error:
        if isinstance(error, OSError):
            raise  # to Python a certificate that nobody vouches for is a ValueError as well
        raise MalformedError("that cannot be sent: an address or a header is malformed") from error


@contextmanager
def _told(url: str, what: str) -> Iterator[None]:
    """Turn what went wrong on the way into words that name the other side and repeat nothing it sent."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UnavailableError(f"{origin_of(url)} {what}: {type(error).__name__}") from error
