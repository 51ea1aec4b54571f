"""A whole space whose nodes keep their journals on PostgreSQL: the same promises, the same deaths."""

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stores"))

from doors import Door
from postgres import Server, why_not

from space import Space, found_space, made_bytes, settled, wait_for

CALLERS = 64
LIMIT = 20


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that waits for its disk, and may be killed."""
    if reason := why_not():
        pytest.skip(reason)
    with TemporaryDirectory(prefix="entrepot-pg-") as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "server"
        place.mkdir()
        server = Server(place, durable=True)
        server.make()
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def harbour(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """Three nodes, each with a database of its own on one server."""
    databases = {name: server.create_database(name) for name in ("operator", "provider", "consumer")}
    running = found_space(tmp_path_factory.mktemp("harbour"), databases)
    yield running
    running.stop()


def test_exactly_as_many_uses_succeed_as_were_promised(harbour: Space) -> None:
    """64 at once against a limit of 20, on a pool of writers: exactly 20 files, and no byte more."""
    content = made_bytes(40_000, seed=11)
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


@pytest.mark.parametrize("who", ["provider", "consumer"])
def test_a_node_that_is_killed_goes_on_where_it_was(harbour: Space, who: str) -> None:
    """SIGKILL with uses under way: after the start each comes to its end, and is counted once."""
    content = made_bytes(3_000_000, seed=12)
    product = harbour.offer(content, uses=100)
    first = harbour.begin(product)
    agreement = first.received().agreement
    begun = [harbour.begin(product, agreement) for _ in range(8)]
    node = harbour.provider if who == "provider" else harbour.consumer
    wait_for("a use", lambda: harbour.provider.rows("SELECT 1 FROM use WHERE state = 'open'"), pause=0.005)
    node.kill()
    harbour.revive()

    settled(harbour, agreement, content, [first, *(a for a in begun if a.stands())])


def test_a_server_that_is_killed_loses_nothing(harbour: Space, server: Server) -> None:
    """SIGKILL to PostgreSQL with uses under way: nodes wait for it, and every use comes to its end, once."""
    content = made_bytes(1_000_000, seed=13)
    product = harbour.offer(content, uses=100)
    first = harbour.begin(product)
    agreement = first.received().agreement
    begun = [harbour.begin(product, agreement) for _ in range(8)]
    server.kill()
    told = Door(harbour.provider.public, "/door/urn:uuid:1", "a token", first).call()
    assert (told.status, told.headers["retry-after"]) == (503, "1")
    server.start()

    settled(harbour, agreement, content, [first, *(a for a in begun if a.stands())])
