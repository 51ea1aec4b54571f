"""What a stranger can make a port keep or hold open before anybody has asked who is there."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import pytest
from uvicorn.server import ServerState

from entrepot.node.http import Application, Gatekeeper, RawRoute, Receive, Scope, Send
from entrepot.node.server import MAX_HEAD, Http1, http1
from entrepot.protocols import Call, Proof, Response, Route
from entrepot.values import Did, TrustError

LINE: Final = b"GET /x HTTP/1.1\r\nhost: here\r\n"
FIRST: Final = b"POST /x HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n"


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time a test moves on."""

    passed = 0.0

    def time(self) -> float:
        return super().time() + self.passed


class Wire(asyncio.Transport):
    """The other end of a connection: what was answered, and whether it was hung up."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.said = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.said += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Connection:
    """One connection to a port with one address, `/x`, which answers with what it was sent."""

    def __init__(self, loop: Clock) -> None:
        async def echo(call: Call) -> Response:
            return Response(200, call.body)

        async def nobody(_authorization: str) -> Did:
            raise TrustError("nobody is known here")

        async def whence(scope: Scope, _receive: Receive, send: Send, _path: object) -> None:
            body = f"{scope['client'][0]} {scope['scheme']}".encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

        async def taking(_scope: Scope, receive: Receive, send: Send, _path: object) -> None:
            body = b""
            while (event := await receive())["type"] == "http.request":
                body += event["body"]
                if not event["more_body"]:
                    break
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

        routes: list[Route | RawRoute] = [RawRoute("GET", "/whence", Proof.DOOR_TOKEN, whence)]
        routes += [RawRoute("POST", "/inbox", Proof.INBOX_TOKEN, taking)]
        routes += [Route("POST", "/members", Proof.MEMBERSHIP, echo)]
        routes += [Route(method, "/x", Proof.NONE, echo, max_bytes=1 << 20) for method in ("GET", "POST")]
        config = http1("127.0.0.1:0", Application(routes, Gatekeeper(nobody)))
        self.loop = loop
        self.wire = Wire()
        self.protocol = Http1(config, ServerState(), {}, loop)
        self.protocol.connection_made(self.wire)

    def sends(self, data: bytes, most: int = 200) -> int:
        """Send it again and again until the port hangs up; gives how often."""
        for times in range(1, most + 1):
            if self.wire.is_closed:
                return times - 1
            self.protocol.data_received(data)
        return most

    def turn(self) -> None:
        """Let the port do what it has to do now."""
        for _ in range(20):
            self.loop.run_until_complete(asyncio.sleep(0))

    def waits(self, seconds: float) -> None:
        self.loop.passed += seconds
        self.turn()


@pytest.fixture
def connection() -> Iterator[Connection]:
    loop = Clock()
    asyncio.set_event_loop(loop)
    made = Connection(loop)
    yield made
    made.protocol.connection_lost(None)
    made.turn()
    loop.close()
    asyncio.set_event_loop(None)


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (LINE + b"a: ", b"a" * 4096),
        (b"GET /", b"a" * 4096),
        (LINE, b"a: b\r\n" * 600),
        (LINE + b"a", b"a" * 4096),
        (FIRST + b"1;", b"a" * 4096),
        (FIRST + b"1\r\nx\r\n0\r\n", b"a: b\r\n" * 600),
        (FIRST + b"1\r\nx\r\n0\r\na: ", b"a" * 4096),
    ],
    ids=["a value", "an address", "fields", "a name", "an extension", "fields after", "a value after"],
)
def test_a_head_without_end_is_hung_up_on(connection: Connection, begins: bytes, goes_on: bytes) -> None:
    """100 MB of it took 2 GB of a node's memory, and no token was asked for."""
    connection.protocol.data_received(begins)
    assert connection.sends(goes_on) <= MAX_HEAD // 3000 + 1
    connection.turn()
    assert b"HTTP/1.1 431 " in connection.wire.said or b"HTTP/1.1 400 " in connection.wire.said


def test_a_large_body_and_a_head_of_fair_size_are_taken(connection: Connection) -> None:
    """Tokens take kilobytes, and a body in large pieces is no head."""
    token = b"authorization: " + b"a" * 30_000 + b"\r\n"
    connection.protocol.data_received(
        b"POST /x HTTP/1.1\r\nhost: h\r\n" + token + b"content-length: 900000\r\n\r\n"
    )
    for _ in range(9):
        connection.protocol.data_received(b"b" * 100_000)
        connection.turn()
    connection.turn()
    assert connection.wire.said.startswith(b"HTTP/1.1 200 OK")
    assert not connection.wire.is_closed


@pytest.mark.parametrize("begins", [b"", b"G", LINE, LINE + b"a: "])
def test_whoever_does_not_come_to_a_head_is_hung_up_on(connection: Connection, begins: bytes) -> None:
    """Connections that say nothing, or a byte now and then, are all that a port has to give."""
    if begins:
        connection.protocol.data_received(begins)
    connection.waits(20)
    assert not connection.wire.is_closed
    if begins == LINE + b"a: ":
        connection.protocol.data_received(b"a")
    connection.waits(11)
    assert connection.wire.is_closed


@pytest.mark.parametrize("field", [b"x-forwarded-for", b"forwarded", b"x-real-ip", b"x-forwarded-proto"])
def test_nobody_says_from_where_a_call_comes_but_the_connection(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, field: bytes
) -> None:
    """A policy may name networks; a caller wrote another into a header, and it was our own observation."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    said = b"https" if field.endswith(b"proto") else b"for=10.9.8.7" if field == b"forwarded" else b"10.9.8.7"
    for sender in (connection, Connection(connection.loop)):  # whatever the environment trusts
        head = b"GET /whence HTTP/1.1\r\nhost: h\r\n%s: %s\r\n\r\n" % (field, said)
        sender.protocol.data_received(head)
        sender.turn()
        assert b"127.0.0.1 http\r\n" in sender.wire.said
        assert b"10.9.8.7" not in sender.wire.said


def test_a_body_may_take_its_time(connection: Connection) -> None:
    """A push takes hours; it has shown its token."""
    connection.protocol.data_received(b"POST /inbox HTTP/1.1\r\nhost: here\r\ncontent-length: 4\r\n\r\nab")
    connection.turn()
    connection.waits(3600)
    assert not connection.wire.is_closed
    connection.protocol.data_received(b"cd")
    connection.turn()
    assert b"abcd" in connection.wire.said


def test_a_body_that_does_not_come_is_waited_for_two_minutes(connection: Connection) -> None:
    """Where nobody is known yet, a promise of a body would hold a connection for ever."""
    connection.protocol.data_received(b"POST /x HTTP/1.1\r\nhost: here\r\ncontent-length: 4\r\n\r\nab")
    connection.turn()
    connection.waits(119)
    assert connection.wire.said == b""
    connection.protocol.data_received(b"c")
    connection.waits(2)
    assert b"HTTP/1.1 408 " in connection.wire.said
    assert connection.wire.is_closed


def test_the_rest_of_a_request_that_was_answered_keeps_no_connection(connection: Connection) -> None:
    """A stranger that was refused went on with its body, a byte now and then, and held the connection."""
    head = b"POST /members HTTP/1.1\r\nhost: here\r\ncontent-length: 4000\r\n\r\n"
    connection.protocol.data_received(head)
    connection.turn()
    assert b"HTTP/1.1 401 " in connection.wire.said
    for _ in range(3):
        connection.waits(2)
        connection.protocol.data_received(b"a")
    connection.turn()
    assert connection.wire.is_closed


def test_a_connection_that_was_answered_serves_the_next_request(connection: Connection) -> None:
    """Also where the rest of the first came after its answer."""
    connection.protocol.data_received(b"POST /members HTTP/1.1\r\nhost: here\r\ncontent-length: 4\r\n\r\nab")
    connection.turn()
    connection.waits(4)
    connection.protocol.data_received(b"cd" + LINE + b"\r\n")
    connection.turn()
    connection.waits(4)
    assert [b" 401 " in connection.wire.said, b" 200 OK" in connection.wire.said] == [True, True]
    assert not connection.wire.is_closed
