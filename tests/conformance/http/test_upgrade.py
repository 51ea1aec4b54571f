"""Who asks for another protocol on a connection is served in HTTP/1.1 (RFC 9110, 7.8; RFC 9112, 6 and 7)."""

import asyncio
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
import uvicorn
import uvloop

from entrepot.node.http import Application, Gatekeeper
from entrepot.node.server import http1
from entrepot.protocols import Call, Proof, Response, Route
from entrepot.values import Did, TrustError

ASKS: Final = (
    b"POST /echo HTTP/1.1\r\nHost: here\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"
)
"""What Java's client sends, as far as it matters here."""
HIDDEN: Final = b"POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 6\r\n\r\nhidden"
LAST: Final = b"POST /echo HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlast"


def sized(body: bytes, head: bytes = ASKS) -> bytes:
    return b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


def chunked(body: bytes, head: bytes = ASKS, trailer: bytes = b"") -> bytes:
    half = len(body) // 2
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:half], body[half:]))
    return b"%sTransfer-Encoding: chunked\r\n\r\n%s0\r\n%s\r\n" % (head, pieces, trailer)


@dataclass
class Served:
    """A port of a node that writes down what it heard, and answers with the body."""

    port: int
    heard: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def said(self, *pieces: bytes) -> bytes:
        """All that comes back, until the connection is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                link.sendall(piece)
            return b"".join(iter(lambda: link.recv(1 << 16), b""))


async def nobody(_authorization: str) -> Did:
    raise TrustError("nobody is known here")


@pytest.fixture
def served() -> Iterator[Served]:
    async def echo(call: Call) -> Response:
        found.heard.append(call.body)
        found.headers.append(dict(call.headers))
        return Response(200, call.body)

    listening = socket.create_server(("127.0.0.1", 0))
    found = Served(listening.getsockname()[1])
    routes = [Route(method, "/echo", Proof.NONE, echo) for method in ("GET", "POST")]
    server = uvicorn.Server(http1("127.0.0.1:0", Application(routes, Gatekeeper(nobody))))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        thread = threading.Thread(target=runner.run, args=(server.serve([listening]),))
        thread.start()
        yield found
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("rendered", [sized, chunked])
def test_a_body_is_read_whatever_protocol_its_head_asks_for(served: Served, rendered: object) -> None:
    """A request whose body is lost is answered for something that nobody asked."""
    assert callable(rendered)
    bodies = [b"short", b"x" * 300_000, HIDDEN]

    said = [served.said(rendered(body), LAST) for body in bodies]

    assert served.heard == [bodies[0], b"last", bodies[1], b"last", bodies[2], b"last"]
    assert [s.count(b"HTTP/1.1 200 OK") for s in said] == [2, 2, 2 + HIDDEN.count(b"HTTP/1.1 200 OK")]
    assert not any(b"101" in s.partition(b"\r\n")[0] for s in said)


@pytest.mark.parametrize("rendered", [sized, chunked])
def test_a_body_may_come_after_its_head(served: Served, rendered: object) -> None:
    """The next segment of a body is no request of its own: that is how one is smuggled in."""
    assert callable(rendered)
    head, _, body = rendered(HIDDEN, ASKS + b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as link:
        link.sendall(head + b"\r\n\r\n")
        assert link.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"  # so it has read the head
        assert served.heard == []
        link.sendall(body + LAST)
        said = b"".join(iter(lambda: link.recv(1 << 16), b""))

    assert served.heard == [HIDDEN, b"last"]
    assert said.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("rendered", [sized, chunked])
def test_a_request_may_be_cut_anywhere(served: Served, rendered: object) -> None:
    """Where a network cuts a request says nothing about what it is."""
    assert callable(rendered)
    whole = rendered(b"one") + rendered(b"two") + LAST

    for place in range(1, len(whole)):
        served.said(whole[:place], whole[place:])

    assert served.heard == [b"one", b"two", b"last"] * (len(whole) - 1)


def test_requests_that_follow_on_the_same_connection_are_answered_in_turn(served: Served) -> None:
    """Thousands that ask, in one piece: each is read once, and costs what any other costs."""
    bodies = [b"%d" % number for number in range(2000)]

    said = served.said(b"".join(sized(body) for body in bodies) + LAST)

    assert served.heard == [*bodies, b"last"]
    assert said.count(b"HTTP/1.1 200 OK") == len(bodies) + 1


@pytest.mark.parametrize(
    "head",
    [
        b"POST /echo HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        b"POST /echo HTTP/1.1\r\nHost: here\r\nUpgrade: h2c\r\nUPGRADE: a/1, b/2\r\nConnection: UPGRADE\r\n",
        b"POST /echo HTTP/1.1\r\nHost: here\r\nUpgrade: h2c\r\n",
        b"POST /echo HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade:\r\nA:\r\n",
    ],
)
def test_no_protocol_is_ever_switched_to(served: Served, head: bytes) -> None:
    """We speak no other one, so whatever is asked for is not heard."""
    said = served.said(sized(HIDDEN, head), LAST)

    assert served.heard == [HIDDEN, b"last"]
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"POST /echo HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: h2c\r\n",
        b"POST /echo HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: h2c\r\n",
        b"POST /echo HTTP/1.1\r\nHost: here\r\nConnection: upgrade, close\r\nUpgrade: h2c\r\n",
    ],
)
def test_who_asks_and_wants_no_more_is_answered_once(served: Served, head: bytes) -> None:
    """An end of the connection was asked for, and HTTP/1.0 knows no upgrade (RFC 9110, 7.8)."""
    said = served.said(sized(HIDDEN, head) + HIDDEN)

    assert served.heard == [HIDDEN]
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in said


@pytest.mark.parametrize(
    "request_",
    [
        b"CONNECT /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\nhello",
        b"CONNECT here:80 HTTP/1.1\r\nHost: here:80\r\n\r\n",
        b"CONNECT here:80 HTTP/1.1\r\nHost: here:80\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ASKS + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ASKS + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        ASKS + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        ASKS + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        ASKS + b"Content-Length: +3\r\n\r\nabc",
        ASKS + b"A: b\r\n Content-Length: 3\r\n\r\nabc",
        ASKS + b"A: b\rContent-Length: 3\r\n\r\nabc",
        ASKS + b"A: b\nContent-Length: 3\r\n\r\nabc",
        ASKS + b"A: b\x00\r\n\r\n",
        ASKS + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_and_the_connection_closed(
    served: Served, request_: bytes
) -> None:
    """Two that read one request differently, with us as the second: that is what smuggling lives on."""
    said = served.said(request_ + HIDDEN)

    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"connection: close" in said
    assert b"hidden" not in served.heard


def test_what_follows_a_body_is_no_header(served: Served) -> None:
    """A trailer passes those in front of us that take headers out (RFC 9110, 6.5.1)."""
    plain = b"POST /echo HTTP/1.1\r\nHost: here\r\n"
    for head in (plain, ASKS):
        served.said(chunked(b"body", head, b"Authorization: Bearer stolen\r\n"), LAST)

    assert served.heard == [b"body", b"last"] * 2
    assert not any("authorization" in headers for headers in served.headers)


def test_the_client_of_java_is_answered(served: Served, tmp_path: Path) -> None:
    """Connectors of the field are written in Java, and its client asks for HTTP/2 by itself."""
    if (java := shutil.which("java")) is None:
        pytest.skip("needs Java: apt-get install openjdk-17-jdk-headless")
    asks = Path(__file__).with_name("Asks.java")

    ran = subprocess.run(
        [java, asks, f"http://127.0.0.1:{served.port}/echo"],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert (ran.stdout.splitlines(), ran.stderr) == (["HTTP_1_1 200 true"] * 4, "")
    assert len(served.heard) == 4
    assert "h2c" not in {headers.get("upgrade") for headers in served.headers}
