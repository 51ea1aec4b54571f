"""One node, several processes, one PostgreSQL database: what one of them promised, all of them keep."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stores"))

from doors import Door, Doors
from postgres import Server, why_not

from entrepot.node import making
from entrepot.node.settings import Settings
from space import Running, Space, connects, found_space, made_bytes, settled, wait_for

CALLERS = 64
LIMIT = 20
WORKERS = 3
ESTABLISHED = 1


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A space whose provider is three workers."""
    if reason := why_not():
        pytest.skip(reason)
    with TemporaryDirectory(prefix="entrepot-pg-") as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "server"
        place.mkdir()
        server = Server(place)
        server.make()
        server.start()
        databases = {"provider": server.create_database("provider")}
        running = found_space(tmp_path_factory.mktemp("harbour"), databases)
        provider = running.provider
        provider.stop()
        path = provider.folder / making.SETTINGS
        making.write_settings(msgspec.structs.replace(Settings.read(path), workers=WORKERS), path)
        provider.start()
        wait_for("the workers", lambda: provider.is_up() and len(workers_of(provider)) == WORKERS)
        yield running
        running.stop()
        server.stop()


def workers_of(node: Running) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(node.pid)], capture_output=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def test_exactly_as_many_uses_succeed_as_were_promised(harbour: Space) -> None:
    """64 at once against a limit of 20, at three processes: exactly 20 files, and no byte more."""
    content = made_bytes(40_000, seed=31)
    product = harbour.offer(content, uses=LIMIT)
    first = harbour.begin(product)
    agreement = first.received().agreement

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = list(pool.map(lambda _: harbour.begin(product, agreement), range(CALLERS)))
    outcomes = {caller: caller.ended(patience=240) for caller in callers}

    assert Counter(o.state for o in outcomes.values()) == {
        "received": LIMIT - 1,
        "failed": CALLERS - LIMIT + 1,
    }
    received = [caller for caller, outcome in outcomes.items() if outcome.state == "received"]
    settled(harbour, agreement, content, [first, *received])


def test_a_worker_that_is_killed_is_replaced_and_loses_nothing(harbour: Space) -> None:
    """SIGKILL to one worker with uses under way: the others go on, and each use is counted once."""
    content = made_bytes(3_000_000, seed=32)
    product = harbour.offer(content, uses=100)
    first = harbour.begin(product)
    agreement = first.received().agreement
    begun = [harbour.begin(product, agreement) for _ in range(12)]
    wait_for("a use", lambda: harbour.provider.rows("SELECT 1 FROM use WHERE state = 'open'"), pause=0.005)
    victim, *others = workers_of(harbour.provider)
    os.kill(victim, signal.SIGKILL)

    settled(harbour, agreement, content, [first, *begun])
    now = wait_for("a new worker", lambda: (w := workers_of(harbour.provider)) and len(w) == WORKERS and w)
    assert set(others) < set(now)
    assert victim not in now


def test_a_stop_reaches_the_streams_of_every_worker(harbour: Space) -> None:
    """The owner speaks to one worker, the stream runs in another: it is cut all the same."""
    content = made_bytes(64 << 20, seed=33)
    product = harbour.offer(content, uses=10)
    agreement = harbour.use(product).agreement
    doors = Doors(harbour)
    with doors.alone_at(product, agreement) as door, door.knock() as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        harbour.provider.ask("POST", f"/owner/contracts/{quote(agreement, safe='')}/end")
        # Nobody reads, so every buffer between us is full and only a cut ends the connection.
        wait_for("the cut", lambda: _state(connection) != ESTABLISHED, patience=10, pause=0.01)
        wait_for("a refusal", lambda: _is_refused(door))


def _is_refused(door: Door) -> bool:
    """A call may be cut like any other while the workers hear of the end; then it is refused."""
    with contextlib.suppress(ConnectionError):
        return door.call().status in {403, 404}
    return False


def _state(connection: socket.socket) -> int:
    """The state of a connection as the kernel has it (TCP_INFO)."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def test_when_the_first_process_dies_its_workers_stop(harbour: Space) -> None:
    """SIGKILL to the process that watches: nobody is left who serves unwatched, and the folder is free."""
    left = workers_of(harbour.provider)
    harbour.provider.kill()

    wait_for("their end", lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))
    assert not connects(harbour.provider.public)
    harbour.revive()
    content = made_bytes(10_000, seed=34)
    assert harbour.use(harbour.offer(content, uses=1)).state == "received"
