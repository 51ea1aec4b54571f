"""A space that speaks TLS: the nodes verify each other, and a delivery is what it is without."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from certificates import make_certificates
from doors import Doors

from space import Space, connects, found_space, made_bytes, settled, wait_for

MB = 1 << 20
CLOSED = 7


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    root = tmp_path_factory.mktemp("tls")
    space = found_space(root, tls=make_certificates(root))
    yield space
    space.stop()


def test_a_delivery_over_tls_takes_no_memory_for_its_size(sealed: Space) -> None:
    """From promise to data every call is encrypted and verified; 96 MB pass through less than 24."""
    content = made_bytes(96 * MB, seed=1)
    product = sealed.offer(content, uses=10)
    first = sealed.begin(product)
    agreement = first.received(240).agreement
    before = sealed.provider.begin_measuring()
    again = sealed.begin(product, agreement)
    again.received(240)

    assert sealed.provider.memory()[1] - before < 24 * MB
    settled(sealed, agreement, content, [first, again])


def test_a_stop_cuts_a_stream_inside_tls(sealed: Space) -> None:
    """A socket behind TLS ends as any other does: cut, with what lay in the buffers thrown away."""
    content = made_bytes(64 * MB, seed=2)
    product = sealed.offer(content, uses=10)
    agreement = sealed.use(product).agreement
    with Doors(sealed).alone_at(product, agreement) as door, door.knock() as connection:
        assert connection.recv(1) == b"H"
        sealed.provider.ask("POST", f"/owner/contracts/{quote(agreement, safe='')}/end")
        wait_for("the cut", lambda: _is_reset(connection), pause=0.01)
    wait_for("its end", lambda: not sealed.provider.rows("SELECT 1 FROM use WHERE state <> 'closed'"))


def _is_reset(connection: socket.socket) -> bool:
    """Whether the kernel was told to forget the connection (TCP_CLOSE); an end in order is another state."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == CLOSED


def test_whom_nobody_vouches_for_is_not_called(sealed: Space, tmp_path: Path) -> None:
    """A certificate of another authority, as a thief of an address would show, ends the call at once."""
    consumer = sealed.consumer
    other = make_certificates(tmp_path)
    assert consumer.tls is not None
    settings = consumer.folder / "entrepot.toml"
    text = settings.read_text()
    product = sealed.offer(b"not for everybody", uses=3)
    consumer.stop()
    written = len(consumer.log.read_text())
    settings.write_text(
        text.replace(
            f'trusted_certificates = "{consumer.tls.authority}"',
            f'trusted_certificates = "{other.authority}"',
        )
    )
    consumer.start()
    try:
        wait_for("the consumer", lambda: connects(consumer.public))
        acquiring = sealed.begin(product)
        wait_for("a call that failed", lambda: "acquisition waits" in consumer.log.read_text()[written:])
        assert not acquiring.target.exists()
    finally:
        consumer.stop()
        settings.write_text(text)
        consumer.start()
        wait_for("the consumer", consumer.is_up)
    acquiring.received()
