"""No byte of data leaves before the commit that allows it is durable; and a stop cuts what runs."""

import contextlib
import socket
import time
from typing import Final
from urllib.parse import quote

import pytest
from doors import Doors
from strace import followed

from space import Acquiring, SaidNoError, Space, made_bytes, settled, wait_for

ESTABLISHED: Final = 1
Contract = tuple[str, str, bytes, Acquiring]


@pytest.fixture(scope="module")
def contract(space: Space) -> Contract:
    """A contract with uses enough: product, agreement, content, and the first use under it."""
    content = made_bytes(40_000, seed=4)
    product = space.offer(content, uses=100)
    first = space.begin(product)
    return product, first.received().agreement, content, first


@pytest.mark.faults
@pytest.mark.usefixtures("strace")
def test_no_byte_arrives_before_the_disk_has_confirmed(
    space: Space, doors: Doors, contract: Contract
) -> None:
    """A disk that takes two seconds to confirm keeps the caller waiting two seconds, for the first byte."""
    product, agreement, content, _ = contract
    delay = ("-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=2000000")
    with doors.alone_at(product, agreement) as door:
        with followed(space.provider.pid, *delay):
            began = time.monotonic()
            with door.knock() as connection:
                connection.settimeout(60)
                first = connection.recv(1)
            waited = time.monotonic() - began
        assert first == b"H"
        assert waited >= 2
        assert door.call().body == content


@pytest.mark.faults
@pytest.mark.usefixtures("strace")
def test_a_disk_that_cannot_confirm_lets_no_byte_out(space: Space, doors: Doors, contract: Contract) -> None:
    """`fdatasync` failing with EIO: a refusal, and not one byte of data; afterwards the use goes on, once."""
    product, agreement, content, _ = contract
    broken = ("-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO")
    with doors.alone_at(product, agreement) as door:
        counted = "SELECT used FROM policy_counter WHERE agreement_id = ?"
        before = space.provider.rows(counted, agreement)
        with followed(space.provider.pid, *broken):
            answer = door.call()
        assert answer.status >= 500
        assert not any(content[n : n + 16] in answer.body for n in range(0, len(content), 1000))
        assert space.provider.rows(counted, agreement) == before
        assert door.call().body == content


def test_a_use_that_waited_for_a_disk_was_counted_once(
    space: Space, doors: Doors, contract: Contract
) -> None:
    """A door that was called by somebody else and then by its consumer saw one use."""
    product, agreement, content, _ = contract
    with doors.alone_at(product, agreement) as door:
        assert door.call().body == content
    ended = door.acquiring.received()
    uses = space.provider.rows("SELECT id FROM use WHERE agreement_id = ? AND id = ?", agreement, ended.use)
    assert uses == [(ended.use,)]


def test_a_stop_cuts_a_stream_that_nobody_reads(space: Space, doors: Doors) -> None:
    """A contract that is stopped in mid-stream cuts the socket within a second, drained or not."""
    small = made_bytes(64 << 20, seed=5)
    product = space.offer(small, uses=10)
    agreement = space.use(product).agreement
    with doors.alone_at(product, agreement) as door, door.knock() as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        time.sleep(0.5)  # now every buffer between us is full
        assert _state(connection) == ESTABLISHED
        space.provider.ask("POST", f"/owner/contracts/{quote(agreement, safe='')}/end")
        stopped = time.monotonic()
        wait_for("the cut", lambda: _state(connection) != ESTABLISHED, patience=10, pause=0.01)

        assert time.monotonic() - stopped < 1
        assert door.call().status in {403, 404}
    assert door.acquiring.ended().state == "failed"
    with contextlib.suppress(SaidNoError):
        assert space.begin(product, agreement).ended().state == "failed"


def _state(connection: socket.socket) -> int:
    """The state of a connection as the kernel has it (TCP_INFO)."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def test_nothing_was_lost_by_all_this(space: Space, contract: Contract) -> None:
    """After all faults of this module both sides and the ledger agree."""
    _, agreement, content, first = contract
    targets = space.consumer.rows(
        "SELECT target FROM acquisition WHERE agreement_id = ? ORDER BY target", agreement
    )
    del first
    settled(space, agreement, content, [space.at(target) for (target,) in targets])
