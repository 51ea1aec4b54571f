"""Addresses that a stranger may name: loopback, private, rebinding, redirecting, huge, slow."""

import asyncio
import socket

import pytest
from answering import OK, serving

from entrepot.node.outgoing import HttpClient
from entrepot.values import EntrepotError, MalformedError, UnavailableError


def test_loopback_is_called_only_where_the_settings_list_it() -> None:
    """Whoever makes us call our own machine reaches what trusts the machine."""

    async def play() -> None:
        async with serving(OK) as server:
            unlisted, listed = HttpClient((), 5), HttpClient((server.url,), 5)
            with pytest.raises(UnavailableError, match="private"):
                await unlisted("GET", server.url)
            assert server.connections == []
            assert (await listed("GET", server.url)).body == b"ok"
            await unlisted.close()
            await listed.close()

    asyncio.run(play())


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.100.100.200", "[::1]", "[fd00::1]",
        "0.0.0.0", "0x7f.1", "239.1.1.1", "[ff02::1]", "[fec0::1]", "[::]", "[fe80::1%25lo]",
        "[::ffff:169.254.169.254]", "[::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]",
        "[2002:a9fe:a9fe::]", "[2001:0:7f00:1::]",
    ],
)  # fmt: skip
def test_private_ranges_are_refused_without_a_connection(host: str) -> None:
    """Cloud metadata, office printers, the database next door: none is for a stranger to name."""

    async def play() -> None:
        client = HttpClient((), 5)
        with pytest.raises(UnavailableError, match="private"):
            await client("GET", f"http://{host}/latest/meta-data")
        await client.close()

    asyncio.run(play())


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0177.0.0.1", "0", "127.0.0.1."])
def test_an_address_in_an_unusual_spelling_is_none(host: str) -> None:
    """What a resolver reads as loopback and a check reads as a name would pass between the two."""

    async def play() -> None:
        async with serving(OK) as server:
            client = HttpClient((), 5)
            with pytest.raises(EntrepotError):
                await client("GET", f"http://{host}:{server.port}/")
            assert server.connections == []
            await client.close()

    asyncio.run(play())


def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """A name is looked up once, and connected to by number: a second look-up could answer otherwise."""
    lookups: list[str] = []

    async def play() -> None:
        async with serving(OK) as server:
            origin = f"http://rebinding.example:{server.port}"
            client = HttpClient((origin,), 5)
            loop = asyncio.get_running_loop()

            async def rebinding(host: str, port: int, **_more: object) -> list[tuple[object, ...]]:
                lookups.append(host)
                address = "127.0.0.1" if len(lookups) == 1 else "10.9.9.9"
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

            loop.getaddrinfo = rebinding  # type: ignore[method-assign, assignment]  # the resolver is the attacker's
            assert (await client("GET", f"{origin}/")).body == b"ok"
            assert b"host: rebinding.example" in server.connections[0].lower()
            await client.close()

    asyncio.run(play())
    assert lookups == ["rebinding.example"]


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    """Where a stranger's server points to was checked by nobody."""

    async def play() -> None:
        async with serving(OK) as goal:
            away = f"HTTP/1.1 302 Found\r\nlocation: {goal.url}/\r\ncontent-length: 0\r\n\r\n".encode()
            async with serving(away) as server:
                client = HttpClient((server.url, goal.url), 5)
                assert (await client("GET", server.url)).status == 302
                assert goal.connections == []
                await client.close()

    asyncio.run(play())


def test_an_answer_without_end_is_cut_off() -> None:
    """Memory is bounded whatever a stranger sends."""

    async def play() -> None:
        head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
        async with serving(head, then=lambda: b"x" * 65_536) as server:
            client = HttpClient((server.url,), 5)
            with pytest.raises(UnavailableError, match="more than"):
                await client("GET", server.url, max_bytes=1 << 20)
            await client.close()

    asyncio.run(play())


def test_silence_is_bounded_in_time() -> None:
    """A stranger's server that never answers costs a few seconds, not a worker."""

    async def play() -> None:
        async with serving(None) as server:
            client = HttpClient((server.url,), 0.3)
            with pytest.raises(UnavailableError, match="did not answer"):
                await client("GET", server.url)
            await client.close()

    asyncio.run(play())


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org/", "http://user:secret@example.org/", "file:///etc/passwd", "http://", "http://x:y/"],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    """Only http and https, with no password in it, and said without repeating it."""

    async def play() -> None:
        client = HttpClient((), 5)
        with pytest.raises(MalformedError) as caught:
            await client("GET", url)
        assert "secret" not in str(caught.value)
        await client.close()

    asyncio.run(play())


def test_what_cannot_be_sent_is_refused_and_what_its_reader_does_wrong_is_not_hidden() -> None:
    """A token with a line break could smuggle a header; our own fault must not look like another's."""

    async def play() -> None:
        async with serving(OK) as server:
            client = HttpClient((server.url,), 5)
            with pytest.raises(MalformedError):
                await client("GET", server.url, headers={"authorization": "Bearer a\r\nx-more: b"})
            assert server.connections == []
            with pytest.raises(ValueError, match="ours"):
                async with client.stream("GET", server.url, {}):
                    raise ValueError("ours")
            await client.close()

    asyncio.run(play())
