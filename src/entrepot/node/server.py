"""How a port is served: uvicorn, held to HTTP/1.1 alone, and to heads that come to an end."""

import asyncio
from pathlib import Path
from typing import Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from entrepot.node.http import Application
from entrepot.node.settings import host_of, port_of

MAX_HEAD: Final = 64 << 10
_HEAD_SECONDS: Final = 30.0
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)


class Http1(HttpToolsProtocol):
    """A connection that stays HTTP/1.1: who asks for another protocol is served in this one (RFC 9110, 7.8).

    Java's client asks so (`Upgrade: h2c`) with its first request over plain HTTP. The parser takes that at
    its word: it gives the request no body, and would read the body as the next request, smuggled past
    whoever checked the first. So a head that asks is read again without `Upgrade`, then what follows it.

    Nobody is known before a head is whole, and the parser keeps what it has of one: without a bound a
    stranger fills the memory, twenty bytes for each one sent. A head has `MAX_HEAD` bytes and half a minute;
    as many bytes have the fields after a body.
    """

    _unheard = 0
    """Bytes that have come since the parser last gave something on."""
    _late: asyncio.TimerHandle | None = None
    _is_inside = False
    """Whether the rest of a body is to come."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        super().on_message_begin()
        self._await_head()

    def on_body(self, body: bytes) -> None:
        self._unheard = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._head_is_here()
        self._is_inside = True
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self.headers = []  # what comes after the body is no header (RFC 9110, 6.5.1): nobody reads it
        elif self.parser.get_method() == b"CONNECT":
            raise httptools.HttpParserInvalidMethodError("this is no proxy")

    def on_message_complete(self) -> None:
        self._unheard, self._is_inside = 0, False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        if not self._is_inside:  # the rest of a request that was answered keeps no connection open
            self._unset_keepalive_if_required()
        rest = memoryview(data)
        self._unheard += len(data)
        try:
            while rest:
                rest = self._read(rest)
        except httptools.HttpParserError:
            self.send_400_response("This is not HTTP/1.1, or not well-formed.")
            return
        if self._unheard > MAX_HEAD:
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _await_head(self) -> None:
        self._head_is_here()
        self._late = self.loop.call_later(_HEAD_SECONDS, self._hang_up)

    def _head_is_here(self) -> None:
        self._unheard = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _hang_up(self) -> None:
        """No head has come in time; whoever is being answered meanwhile may begin the next one slowly."""
        if getattr(self.cycle, "response_complete", True):  # there is no cycle before the first request
            self.transport.close()

    def _read(self, data: memoryview) -> memoryview:
        """Read on, at most to the end of a head that asks for another protocol; gives what is left."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as asked:
            head = self._head()
            self.parser = httptools.HttpRequestParser(self)  # the old one takes the request for ended
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
            self.parser.feed_data(head)
            return data[asked.args[0] :]
        return data[:0]

    def _head(self) -> bytes:
        """The head that was read last, without its `Upgrade`."""
        line = b"%s %s HTTP/%s" % (
            self.parser.get_method(),
            self.url,
            self.parser.get_http_version().encode(),
        )
        fields = (b"%s: %s" % field for field in self.headers if field[0] != b"upgrade")
        return b"\r\n".join((line, *fields, b"", b""))


def http1(address: str, application: Application, tls: tuple[Path, Path] | None = None) -> uvicorn.Config:
    """How an application is served at an address; with TLS where there is a certificate and its key."""
    certificate, key = tls or (None, None)
    return uvicorn.Config(
        application,
        host=host_of(address),
        port=port_of(address),
        http=Http1,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever calls would write into our own observations where it comes from
        timeout_graceful_shutdown=3,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
