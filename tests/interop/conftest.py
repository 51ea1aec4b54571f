"""A real Eclipse connector beside a data space of ours; skipped by name where no EDC can be had."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "space"))
sys.path.insert(0, str(Path(__file__).parent))

from abroad import Chamber
from edc import Edc, prepared
from harness import Origin, Scripted, fetched
from jars import MOCK, RELEASE
from runtime import hang_up
from town import acquaint, found_town, known

from space import Space, wait_for

FULL = 500


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--crowd", type=int, default=40, help=f"how many negotiations at once (make interop: {FULL})"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counted = {
        name: len(terminalreporter.getreports(name)) for name in ("passed", "failed", "error", "skipped")
    }
    said = ", ".join(
        f"{count} {name}" for name, count in counted.items() if count or name in {"passed", "failed"}
    )
    at_once = config.getoption("--crowd", 40)
    terminalreporter.write_line(f"interop with EDC {RELEASE}: {said}; {at_once} at once each way")


@pytest.fixture(scope="session")
def origin() -> Iterator[Origin]:
    """A web server of the test: what an EDC offers lies there, and what it wants pushed goes there."""
    server = Origin(("127.0.0.1", 0))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def scripted() -> Iterator[Scripted]:
    """A peer that says it is an EDC and sends what a real one would not."""
    server = Scripted(("127.0.0.1", 0))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def chamber() -> Iterator[Chamber]:
    """An issuer of another space."""
    issuer = Chamber()
    yield issuer
    issuer.close()


@pytest.fixture(scope="session")
def edc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edc]:
    """One runtime, both as provider and as consumer."""
    fetched(MOCK)
    runtime = prepared(tmp_path_factory.mktemp("edc"), "did:web:edc.example")
    runtime.start()
    yield runtime
    runtime.stop()


@pytest.fixture(scope="session")
def town(
    edc: Edc, origin: Origin, scripted: Scripted, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Space]:
    """Our space; its provider and its consumer know the runtime and the scripted peer."""
    running = found_town(tmp_path_factory.mktemp("town"))
    try:
        for node in (running.provider, running.consumer):
            acquaint(node, [known(edc, origin.url), scripted.listed])
        wait_for("an EDC", edc.is_up)
        yield running
    finally:
        hang_up(int(node.public.rpartition(":")[2]) for node in running.nodes)
        running.stop()
