"""What strangers send packed: unpacked where it was asked for, refused where it is cut short or was not."""

import asyncio
import gzip
import zlib

import pytest
from answering import serving

from entrepot.node.outgoing import HttpClient
from entrepot.values import EntrepotError, RefusedError, UnavailableError

WHOLE = b'{"datasets": []}' * 500
PACKED = gzip.compress(WHOLE)


def answer(body: bytes, coding: str, *, chunked: bool = False) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\nconnection: close\r\n".encode()
    if chunked:
        return head + b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return head + b"content-length: %d\r\n\r\n%s" % (len(body), body)


def called(said: bytes, *, most: int = 1 << 20) -> tuple[bytes, bytes]:
    """What a call to a server that says this gives, and what the server was sent."""

    async def play() -> tuple[bytes, bytes]:
        async with serving(said) as server:
            client = HttpClient((server.url,), 5)
            try:
                reply = await client("GET", server.url, max_bytes=most)
            finally:
                await client.close()
            return reply.body, server.connections[0]

    return asyncio.run(play())


def streamed(said: bytes) -> tuple[bytes, bytes]:
    async def play() -> tuple[bytes, bytes]:
        async with serving(said) as server:
            client = HttpClient((server.url,), 5)
            try:
                async with client.stream("GET", server.url, {"range": "bytes=0-"}) as incoming:
                    body = b"".join([chunk async for chunk in incoming.chunks()])
            finally:
                await client.close()
            return body, server.connections[0]

    return asyncio.run(play())


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_an_answer_may_come_packed_and_is_read_unpacked(coding: str, chunked: bool) -> None:  # noqa: FBT001 (pytest names it)
    """Catalogues are large, and connectors of the field pack them."""
    body, asked = called(answer(PACKED, coding, chunked=chunked))

    assert body == WHOLE
    assert b"accept-encoding: gzip\r\n" in asked.lower()


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("kept", [1, 10, len(PACKED) // 2, len(PACKED) - 8, len(PACKED) - 1])
def test_a_packed_answer_that_was_cut_short_is_refused(kept: int, chunked: bool) -> None:  # noqa: FBT001 (pytest names it)
    """Half a catalogue, or half a status list, must not be taken for a whole one."""
    with pytest.raises(UnavailableError, match="cut short"):
        called(answer(PACKED[:kept], "gzip", chunked=chunked))


@pytest.mark.parametrize(
    ("body", "coding", "why"),
    [
        (zlib.compress(WHOLE), "deflate", "not asked for"),
        (zlib.compress(WHOLE)[:20], "deflate", "not asked for"),
        (WHOLE, "br", "not asked for"),
        (PACKED, "gzip, gzip", "not asked for"),
        pytest.param(PACKED, "gzip\r\ncontent-encoding: gzip", "not asked for", id="gzip in two fields"),
        (WHOLE, "gzip", "not the gzip"),
        (PACKED[:-4] + b"\0\0\0\0", "gzip", "not the gzip"),
        (PACKED + b"more", "gzip", "goes on"),
        (PACKED + PACKED, "gzip", "goes on"),
    ],
)
def test_what_is_not_packed_as_it_says_is_refused(body: bytes, coding: str, why: str) -> None:
    """Bytes that nobody meant are read as if somebody had."""
    with pytest.raises(UnavailableError, match=why):
        called(answer(body, coding))


def test_a_small_answer_does_not_become_a_large_one() -> None:
    """A kilobyte that unpacks to gigabytes ends a node."""
    with pytest.raises(UnavailableError, match="more than 65536 bytes"):
        called(answer(gzip.compress(bytes(64 << 20)), "gzip"), most=1 << 16)


@pytest.mark.parametrize("coding", ["identity", ""])
def test_data_is_asked_for_as_it_is(coding: str) -> None:
    """A server that packs what we asked for sends other bytes than were promised, with another digest."""
    body, asked = streamed(answer(WHOLE, coding))

    assert body == WHOLE
    assert b"accept-encoding: identity\r\n" in asked.lower()
    assert b"gzip" not in asked


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_data_that_comes_packed_all_the_same_is_refused(coding: str) -> None:
    """What would be written down is not what the provider offers."""
    with pytest.raises(RefusedError, match=coding):
        streamed(answer(PACKED, coding))


def test_data_that_is_cut_short_is_refused() -> None:
    """A length that was said is a promise."""
    with pytest.raises(EntrepotError, match="broke off"):
        streamed(answer(WHOLE, "identity")[:-1])
