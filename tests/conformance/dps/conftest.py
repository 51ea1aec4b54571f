"""The connector under test of the suite, as a process of its own, and a peer for each test."""

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SIZE = 400 << 20
CONNECTOR = Path(__file__).parents[1] / "tck" / "dps_connector.py"


def _load(name: str, path: Path) -> ModuleType:
    """Test folders are no packages; what several tests share is loaded by its path, once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


dps_peer = _load("entrepot_dps_peer", Path(__file__).with_name("peer.py"))


@dataclass
class UnderTest:
    """Where the connector under test is, and the peer that it knows."""

    url: str
    peer: Any
    pid: int
    folder: Path


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[UnderTest]:
    peer = dps_peer.Peer()
    port = _free_port()
    command = [sys.executable, str(CONNECTOR), "--port", str(port), "--suite-port", str(peer.port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, *arguments, str(folder)], stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "log")
        yield UnderTest(f"http://127.0.0.1:{port}", peer, process.pid, folder)
    finally:
        process.terminate()
        process.wait(10)
        peer.close()


@pytest.fixture(scope="session")
def connector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnderTest]:
    with running(tmp_path_factory.mktemp("dps")) as found:
        yield found


@pytest.fixture(scope="module")
def mover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnderTest]:
    """One that really moves data: a file too large for its memory to hide."""
    folder = tmp_path_factory.mktemp("mover")
    large = folder / "large.bin"
    with large.open("wb") as file:
        file.truncate(SIZE)
    with running(folder, "--data", str(large)) as found:
        yield found


@pytest.fixture
def under_test(connector: UnderTest) -> Iterator[UnderTest]:
    """With nothing awaited, and nothing come yet; at the end, all that came met its schema."""
    connector.peer.answers.clear()
    connector.peer.came.clear()
    connector.peer.faults.clear()
    yield connector
    assert connector.peer.faults == []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the connector under test does not listen")
