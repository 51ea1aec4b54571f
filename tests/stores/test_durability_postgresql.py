"""What a journal on PostgreSQL keeps when its process, its server or the disk fails: all it said it kept."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from deeds import DEED, DEEDS, ECHO
from postgres import Server, why_not

from entrepot.journal import Journal

PROGRAM = Path(__file__).with_name("deeds.py")
FOR_EVER = 1_000_000
LIMIT = 50


def start(address: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), address, *map(str, arguments)], stdout=subprocess.PIPE
    )


def told(out: bytes) -> dict[str, list[str]]:
    results: dict[str, list[str]] = {"did": [], "refused": [], "unknown": []}
    for line in out.decode().splitlines():
        verdict, name = line.split()
        results[verdict].append(name)
    return results


def kept(address: str) -> set[str]:
    """What is in the database: every deed whole."""
    with Journal.open(address) as journal:
        deeds = set(journal.read_now(lambda c: c.execute(sa.select(DEED.c.name)).scalars().all()))
        echoes = set(journal.read_now(lambda c: c.execute(sa.select(ECHO.c.name)).scalars().all()))
    assert deeds == echoes
    return deeds


def prepared(address: str) -> str:
    with Journal.open(address) as journal:
        journal.write_now(lambda tx: DEEDS.create_all(tx.connection))
    return address


@pytest.fixture
def address(postgresql_url: str) -> str:
    return prepared(postgresql_url)


@pytest.fixture
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


def test_a_killed_worker_loses_nothing_it_acknowledged(address: str) -> None:
    """SIGKILL in the middle of many transactions: what was told is there, and no deed is there by half."""
    acknowledged = set[str]()
    for life, pause in enumerate((0, 0.05, 0.11)):
        with start(address, f"life{life}", 32, FOR_EVER) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(pause)
            process.kill()
            rest = process.stdout.read()
        assert process.returncode == -signal.SIGKILL
        whole = (first + rest).rpartition(b"\n")[0]  # the last line may be cut short
        acknowledged |= set(told(whole)["did"])

        assert acknowledged <= kept(address)
    assert len(acknowledged) > 20


def test_a_killed_server_loses_nothing_that_was_acknowledged(server: Server) -> None:
    """SIGKILL to the whole server: callers are told, and it comes back with all that was acknowledged."""
    address = prepared(server.create_database("node"))
    with start(address, "one", 16, 40) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        server.kill()
        server.start()
        rest = process.stdout.read()
    results = told(first + rest)

    assert process.returncode == 0
    assert sum(len(names) for names in results.values()) == 640
    assert set(results["did"]) <= kept(address)
    assert not set(results["refused"]) & kept(address)


def test_two_processes_take_exactly_what_there_is(address: str) -> None:
    """Two processes with 64 callers each against a limit of 50: exactly 50 are told yes."""
    processes = [start(address, "take", 64, LIMIT) for _ in range(2)]
    results = [told(process.communicate(timeout=120)[0]) for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert sum(len(result["did"]) for result in results) == LIMIT


def test_two_processes_lose_nothing(address: str) -> None:
    """Two pools of writers at once; neither is told that somebody else was at work."""
    processes = [start(address, prefix, 16, 25) for prefix in ("one", "two")]
    results = [told(process.communicate(timeout=120)[0]) for process in processes]

    assert [len(result["did"]) for result in results] == [400, 400]
    assert len(kept(address)) == 800


@pytest.fixture
def small_server() -> Iterator[Server]:
    """A server on a disk of 100 MB; skipped by name where we may not mount one."""
    if reason := why_not():
        pytest.skip(reason)
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    with TemporaryDirectory(prefix="entrepot-pg-") as folder:
        Path(folder).chmod(0o755)
        disk = Path(folder) / "disk"
        disk.mkdir()
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", disk], check=False, capture_output=True
        )
        if mount.returncode:
            pytest.skip(f"no small disk here: {mount.stderr.decode().strip()}")
        server = Server(
            disk, segment_megabytes=1, options=("-c", "max_wal_size=4MB", "-c", "min_wal_size=2MB")
        )
        try:
            server.make()
            server.start()
            yield server
        finally:
            server.stop()
            subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_told_and_loses_nothing(small_server: Server) -> None:
    """On a full disk callers are refused, what was told before is kept, and with space it goes on."""
    address = prepared(small_server.create_database("node"))
    filler = small_server.folder / "filler"
    # More than the server takes for itself meanwhile, and less than is written below.
    filler.write_bytes(b"x" * (shutil.disk_usage(small_server.folder).free - (8 << 20)))

    results = told(start(address, "full", 4, 300, 20_000).communicate(timeout=200)[0])
    filler.unlink()
    assert small_server.process is not None
    if small_server.process.poll() is not None:  # without space for its own log a server stops
        small_server.start()
    small_server.wait_until_up()

    assert results["did"]
    assert results["refused"]
    assert set(results["did"]) <= kept(address)
    assert not set(results["refused"]) & kept(address)
    assert told(start(address, "again", 1, 3).communicate(timeout=60)[0])["did"] == [
        "again-0-0", "again-0-1", "again-0-2"
    ]  # fmt: skip
