"""Attacks on the doors of a running node, byte by byte over sockets: what opens, what counts, what is told.

What gets out is looked at as bytes of the data: an answer that holds some of them is a use, or a hole.
"""

import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final
from urllib.parse import quote

import pytest
from doors import Door, Doors

from space import Space, at_rest, made_bytes, records, wait_for

CALLERS: Final = 50
CONTENT: Final = made_bytes(40_000, seed=77)


def exchange(address: str, raw: bytes, patience: float = 10.0) -> bytes:
    """Send bytes as they are, and read until the other side hangs up or says nothing more."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=patience) as link:
        came = b""
        try:
            link.sendall(raw)
            while piece := link.recv(1 << 16):
                came += piece
        except OSError:
            pass  # it was cut, which is an answer too
        return came


def asked(
    door: Door, *fields: bytes, method: bytes = b"GET", path: str = "", token: str | None = None
) -> bytes:
    """A request at a door; `fields` go before the token, `path` replaces that of the door."""
    said = door.token if token is None else token
    lines = (
        b"%s %s HTTP/1.1" % (method, (path or door.path).encode()),
        b"host: %s" % door.address.encode(),
        b"connection: close",
        *fields,
        b"authorization: %s" % said.encode(),
    )
    return exchange(door.address, b"\r\n".join((*lines, b"", b"")))


def statuses(came: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", came)]


def body_of(came: bytes) -> bytes:
    return came.partition(b"\r\n\r\n")[2]


def leaks(came: bytes) -> bool:
    """Whether an answer has any sixteen bytes of the data."""
    return any(CONTENT[n : n + 16] in came for n in range(0, len(CONTENT) - 16, 16))


@pytest.fixture(scope="module")
def product(space: Space) -> str:
    return space.offer(CONTENT, uses=40)


@pytest.fixture(scope="module")
def agreement(space: Space, product: str) -> str:
    found = space.begin(product).received().agreement
    wait_for("the end of the first process", lambda: at_rest(space))
    return found


@pytest.fixture
def door(space: Space, doors: Doors, product: str, agreement: str) -> Iterator[Door]:
    """An open door, whose consumer is held still. What was done there and what it does after are one use."""
    with doors.alone_at(product, agreement) as found:
        yield found
    found.acquiring.received()
    name = found.path.removeprefix("/door/")
    uses = space.provider.rows("SELECT id FROM use WHERE process_id = ?", name)
    assert len(uses) == 1
    assert Counter(r["kind"] for r in records(space.provider, uses[0][0]))["opened"] == 1
    assert "Traceback" not in space.provider.log.read_text()


def test_of_fifty_who_come_for_the_last_use_one_gets_it(space: Space, doors: Doors) -> None:
    """One call is left, and fifty sockets ask for it in the same moment: one answer with data, one record."""
    table = space.root / "last.csv"
    table.write_text("a,b\n" + "".join(f"{n},{n * n}\n" for n in range(9)))
    offered = space.offer_table(table, uses=2)
    body = {"product": offered, "target": str(space.root / "last.json"), "format": "EntrepotApi-PULL"}
    space.consumer.ask("POST", "/owner/uses", body | {"below": "items?limit=1"})
    first = space.at(body["target"]).received()
    ((process_id, epoch),) = space.provider.rows(
        "SELECT process_id, epoch FROM door WHERE agreement_id = ?", first.agreement
    )
    token, start = doors.token(process_id, epoch), threading.Barrier(CALLERS)
    head = f"GET /door/{process_id}/items HTTP/1.1\r\nhost: h\r\nconnection: close\r\n"
    raw = f"{head}authorization: {token}\r\n\r\n"

    def call(_number: int) -> bytes:
        start.wait()
        return exchange(space.provider.public, raw.encode(), 60)

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(call, range(CALLERS)))
    assert Counter(statuses(a)[0] for a in answers) == {200: 1, 403: CALLERS - 1}
    assert sum(b"64" in body_of(a) for a in answers if statuses(a) == [403]) == 0
    wait_for("rest", lambda: at_rest(space))
    assert len(space.provider.rows("SELECT id FROM use WHERE agreement_id = ?", first.agreement)) == 2
    counted = space.provider.rows("SELECT used FROM policy_counter WHERE agreement_id = ?", first.agreement)
    assert counted == [(2,)]


def test_ranges_give_what_they_name_or_the_whole_or_nothing(door: Door) -> None:
    """RFC 9110, 14.2: lists, nonsense and other validators get the whole; no other bytes than those named."""
    size = len(CONTENT)
    whole: dict[bytes, tuple[int, bytes]] = dict.fromkeys(
        [
            b"bytes=0-1,2-3",
            b"bytes=0-,0-,0-",
            b"bytes=" + b",".join(b"%d-%d" % (n, n + 9) for n in range(0, 4000, 5)),
            b"bytes=-",
            b"bytes=a-b",
            b"bytes=1-2-3",
            b"bytes=+1-2",
            b"bytes=0x1-0x2",
            b"bytes 0-1",
            b"Bytes=0-1",
            b"items=0-1",
            b"bytes=" + b"9" * 40 + b"-",
            b"bytes=0-" + b"9" * 40,
            b"bytes=\xb2-\xb3",
            b"",
        ],
        (200, CONTENT),
    )
    parts = {
        b"bytes=0-0": (206, CONTENT[:1]),
        b"bytes=-1": (206, CONTENT[-1:]),
        b"bytes=-%d" % (size * 9): (206, CONTENT),
        b"bytes=%d-%d" % (size - 5, size * 9): (206, CONTENT[-5:]),
        b"bytes=0-%d" % (10**17): (206, CONTENT),
        b"bytes=%d-" % size: (416, b""),
        b"bytes=5-4": (416, b""),
        b"bytes=-0": (416, b""),
        b"bytes=%d-" % (10**17): (416, b""),
    }
    for said, (status, body) in {**whole, **parts}.items():
        came = asked(door, b"range: " + said)
        assert (statuses(came)[0], body_of(came)) == (status, body), said
    for validator in (b'"other"', b'W/"x"', b"Wed, 25 Nov 2026 08:00:00 GMT", b"*"):
        came = asked(door, b"range: bytes=5-9", b"if-range: " + validator)
        assert (statuses(came), body_of(came)) == ([200], CONTENT), validator
    came = asked(door, b"range: bytes=0-1", b"range: bytes=2-3")
    assert body_of(came) in {CONTENT[:2], CONTENT[2:4], CONTENT}


def test_methods_and_what_stands_for_methods(door: Door) -> None:
    """Only GET gives data; a header or a word in the address makes no other method of it."""
    for method in (
        b"HEAD",
        b"OPTIONS",
        b"PUT",
        b"DELETE",
        b"PATCH",
        b"TRACE",
        b"PROPFIND",
        b"POST",
        b"SEARCH",
    ):
        came = asked(door, b"x-http-method-override: GET", b"x-method: GET", method=method)
        assert not leaks(came), method
        assert b"\r\n\r\n" in came
        assert statuses(came)[0] in {200, 204, 404, 405} - ({200} if method != b"HEAD" else set()), method
    for method in (b"CONNECT", b"get", b"G\x00T", b"", b"PRI"):
        came = asked(door, method=method)
        assert set(statuses(came)) <= {400, 404, 405}, method
        assert not leaks(came)


def test_no_spelling_of_an_address_is_another_door(door: Door) -> None:
    """Of all spellings one opens, and percent-encoding of its own letters; the rest is where nothing is."""
    name = door.path.removeprefix("/door/")
    strange = [
        f"{door.path}/", f"{door.path}/x", f"{door.path}/..", f"{door.path}/../{name}", f"//door/{name}",
        f"/door//{name}", f"/./door/{name}", f"/x/../door/{name}", f"/door/{name}%00", f"/door/%00{name}",
        f"/door/{name}%2f", f"/door/..%2fdoor%2f{name}", f"/door/%252e%252e/{name}", f"/DOOR/{name}",
        f"/door/{name.upper()}", f"/door/{name};x=1", f"/door/{name}%3fx", f"/door/{name}%23",
        f"/door/ {name}",
        f"/door/{name}%0d%0a", f"/door/{name}\t", f"/door\\{name}", f"/inbox/{name}", f"/door/{'a' * 30_000}",
        f"/door/{'%41' * 9000}", "/door/", "/door", "/door/%ff%fe", "/door/%ED%A0%80", "/door/%c0%ae", "*",
        f"/door/{name}/openapi.json", f"/door/{name}/items", f"/door/{name}/service/x",
        "/door/'--", "/door/*",
    ]  # fmt: skip
    for path in strange:
        came = asked(door, path=path)
        assert not leaks(came), path
        assert set(statuses(came)) <= {400, 404, 405, 431}, (path, came[:100])
    for path in (f"http://elsewhere.example{door.path}", f"{door.path}?x={'y' * 9000}", f"{door.path}?%00"):
        came = asked(door, path=path)
        assert statuses(came) in ([200], [400], [404]), path
        assert not leaks(came) or body_of(came) == CONTENT


def test_no_head_makes_two_requests_of_one_or_another_token_of_a_token(door: Door) -> None:
    """Lengths that differ, codings that a proxy may read otherwise, fields named by others, folded lines."""
    hidden = b"GET %s HTTP/1.1\r\nhost: h\r\nauthorization: %s\r\n\r\n"
    hidden %= (door.path.encode(), door.token.encode())
    for fields in (
        (b"content-length: 0", b"transfer-encoding: chunked"),
        (b"transfer-encoding: xchunked",),
        (b"transfer-encoding: chunked, identity",),
        (b"transfer-encoding:\x0bchunked",),
        (b"transfer-encoding : chunked",),
        (b"content-length: +5",),
        (b"content-length: 5, 5",),
        (b"content-length: 5", b"content-length: 6"),
        (b"content-length: -1",),
        (b"content-length: 99999999999999999999999",),
        (b"content-length: 0x5",),
        (b" folded: x",),
        (b"a: b\r\n folded",),
        (b"a\x00b: c",),
        (b"a: \x00",),
        (b"a b: c",),
        (b"a: b\rx: y",),
        (b": empty",),
    ):
        head = b"POST /door/nowhere HTTP/1.1\r\nhost: h\r\n" + b"\r\n".join(fields) + b"\r\n\r\n"
        came = exchange(door.address, head + b"0\r\n\r\n" + hidden, 0.5)
        # What follows a request whose end is plain is a request of its own, and nobody's but its sender's.
        plain = fields == (b"content-length: 0", b"transfer-encoding: chunked")
        assert not leaks(came) or statuses(came)[:1] == [404], fields
        assert not plain or statuses(came)[0] == 400, fields
    for fields in (
        (b"connection: authorization",),
        (b"connection: close, range", b"range: bytes=0-0"),
        (b"host: elsewhere.example",),
        (b"x-forwarded-for: 127.0.0.1", b"x-forwarded-host: elsewhere", b"x-original-url: /owner/uses"),
        (b"forwarded: for=127.0.0.1;host=elsewhere",),
        (b"expect: 100-continue",),
        (b"upgrade: websocket", b"connection: upgrade"),
        (b"te: trailers", b"trailer: authorization"),
    ):
        came = asked(door, *fields)
        assert statuses(came)[-1] in {200, 206, 400}, fields
        assert b"elsewhere" not in came.partition(b"\r\n\r\n")[0]


def test_every_other_token_is_told_the_same_nothing(
    space: Space, doors: Doors, agreement: str, door: Door
) -> None:
    """Whether a process is there, whose it is, or was: the answers to whoever has no token are equal."""
    name = door.path.removeprefix("/door/")
    ended = "SELECT id FROM transfer_process WHERE state = 'COMPLETED' AND agreement_id = ?"
    ((over,), *_) = space.provider.rows(ended, agreement)
    answers = {
        asked(door, path=path, token=token)
        for path, token in (
            (door.path, ""),
            (door.path, "Bearer"),
            (door.path, "Bearer "),
            (door.path, door.token[:-1]),
            (door.path, door.token + "0"),
            (door.path, door.token.upper()),
            (door.path, f" {door.token[1:]}"),
            (door.path, f"Basic {door.token}"),
            (door.path, f"Bearer Bearer {door.token}"),
            (door.path, doors.token(name, 0)),
            (door.path, doors.token(name, 2)),
            (door.path, doors.token(over, 1)),
            (door.path, "\xe9" * 2000),
            (f"/door/{quote(over)}", doors.token(over, 1)),
            (f"/door/{quote(over)}", door.token),
            ("/door/urn:uuid:00000000-0000-0000-0000-000000000000", door.token),
            ("/door/x", door.token),
        )
    }
    assert len({re.sub(rb"(?m)^date: .*$", b"", answer) for answer in answers}) == 1
    assert statuses(answers.pop()) == [404]


def test_whoever_reads_slowly_takes_neither_memory_nor_anybodys_turn(space: Space, door: Door) -> None:
    """Two hundred who ask and do not read, and as many who never end a head: others are served at once."""
    before = space.provider.begin_measuring()
    host, _, port = door.address.rpartition(":")
    with ExitStack() as held:
        for number in range(400):
            link = held.enter_context(socket.create_connection((host, int(port)), timeout=10))
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            head = f"GET {door.path} HTTP/1.1\r\nhost: h\r\nauthorization: {door.token}\r\n"
            link.sendall(head.encode() + (b"\r\n" if number % 2 else b"a: "))
        assert body_of(asked(door)) == CONTENT
        _, most = space.provider.memory()
        assert most - before < 100 << 20
    assert body_of(asked(door)) == CONTENT
