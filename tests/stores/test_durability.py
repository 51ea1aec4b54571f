"""What a journal on SQLite keeps when its process, its disk or the power fails: all it said it kept."""

import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

DEEDS = Path(__file__).with_name("deeds.py")
FOR_EVER = 1_000_000
LIMIT = 50

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def start(
    file: Path, *arguments: object, before: tuple[str, ...] = (), **more: object
) -> subprocess.Popen[bytes]:
    command = [*before, sys.executable, str(DEEDS), f"sqlite:///{file}", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, **more)  # type: ignore[call-overload, no-any-return]  # passed through


def run(file: Path, *arguments: object, before: tuple[str, ...] = (), **more: object) -> dict[str, list[str]]:
    """Run a process of deeds to its end; give the names of the deeds by what it was told of them."""
    process = start(file, *arguments, before=before, **more)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return told(out)


def told(out: bytes) -> dict[str, list[str]]:
    results: dict[str, list[str]] = {"did": [], "refused": [], "unknown": []}
    for line in out.decode().splitlines():
        verdict, name = line.split()
        results[verdict].append(name)
    return results


def kept(file: Path) -> set[str]:
    """What is in the file: every deed whole, and the file sound."""
    connection = sqlite3.connect(file)
    try:
        deeds = {name for (name,) in connection.execute("SELECT name FROM deed")}
        echoes = {name for (name,) in connection.execute("SELECT name FROM echo")}
        assert deeds == echoes
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()
    return deeds


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """SIGKILL in the middle of a group: what was told is there, and no deed is there by half."""
    file, acknowledged = tmp_path / "node.db", set[str]()
    for life, pause in enumerate((0, 0.02, 0.05, 0.11)):
        with start(file, f"life{life}", 64, FOR_EVER) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(pause)
            process.kill()
            rest = process.stdout.read()
        assert process.returncode == -signal.SIGKILL
        whole = (first + rest).rpartition(b"\n")[0]  # the last line may be cut short
        acknowledged |= set(told(whole)["did"])

        assert acknowledged <= kept(file)
    assert len(acknowledged) > 50


def test_two_processes_on_one_file_take_exactly_what_there_is(tmp_path: Path) -> None:
    """Two processes with 64 callers each against a limit of 50: exactly 50 are told yes."""
    processes = [start(tmp_path / "node.db", "take", 64, LIMIT) for _ in range(2)]
    results = [told(process.communicate(timeout=120)[0]) for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert sum(len(result["did"]) for result in results) == LIMIT


def test_two_processes_on_one_file_lose_nothing(tmp_path: Path) -> None:
    """Groups of two writers take turns; neither is told that the file is locked."""
    file = tmp_path / "node.db"
    processes = [start(file, prefix, 16, 50) for prefix in ("one", "two")]
    results = [told(process.communicate(timeout=120)[0]) for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert [len(result["did"]) for result in results] == [800, 800]
    assert len(kept(file)) == 1600


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 kB; skipped by name where we may not mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], check=False, capture_output=True
    )
    if mount.returncode:
        pytest.skip(f"no small disk here: {mount.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_told_and_loses_nothing(small_disk: Path) -> None:
    """On a full disk callers are refused, what was told before is kept, and with space it goes on."""
    file, filler = small_disk / "node.db", small_disk / "filler"
    filler.write_bytes(b"x" * 200_000)

    results = run(file, "full", 4, 40, 4_000)
    filler.unlink()

    assert results["did"]
    assert results["refused"]
    assert kept(file) == set(results["did"])
    assert run(file, "again", 1, 3)["did"] == ["again-0-0", "again-0-1", "again-0-2"]


def test_a_file_that_may_not_grow_is_told_and_loses_nothing(tmp_path: Path) -> None:
    """As a full disk, by a limit that any account can set."""
    file = tmp_path / "node.db"
    limit = (400_000, 400_000)

    results = run(
        file, "full", 4, 60, 4_000, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    )

    assert results["did"]
    assert results["refused"] + results["unknown"]
    assert kept(file) == set(results["did"])


def strace(*arguments: str) -> tuple[str, ...]:
    return ("strace", "-f", "-qq", *arguments)


@needs_strace
def test_a_disk_that_cannot_confirm_is_nobodys_success(tmp_path: Path) -> None:
    """`fdatasync` failing with EIO: callers are told that nobody knows, and what was told before is kept."""
    file = tmp_path / "node.db"
    trace = strace("-o", str(tmp_path / "trace"), "-e", "inject=fdatasync:error=EIO:when=12+")

    results = run(file, "eio", 1, 30, before=trace)

    assert results["did"]
    assert len(results["refused"] + results["unknown"]) > 10
    assert set(results["did"]) <= kept(file)
    assert results["did"] == [f"eio-0-{n}" for n in range(len(results["did"]))]


@needs_strace
def test_nobody_is_told_before_the_disk_confirmed(tmp_path: Path) -> None:
    """`fdatasync` delayed: each acknowledgement waits for it."""
    file = tmp_path / "node.db"
    run(file, "before", 1, 1)
    trace = strace("-o", str(tmp_path / "trace"), "-e", "inject=fdatasync:delay_enter=300000")
    with start(file, "slow", 1, 4, before=trace) as process:
        assert process.stdout is not None
        times = [time.monotonic() for _ in process.stdout]

    assert len(times) == 4
    assert all(later - earlier > 0.25 for earlier, later in pairwise(times))


@needs_strace
def test_power_may_fail_after_any_acknowledgement(tmp_path: Path) -> None:
    """Files cut back to what was synced when a caller was told: everything told by then is in them."""
    file, trace = tmp_path / "node.db", tmp_path / "trace"
    calls = "trace=pwrite64,fdatasync,fsync,ftruncate,write"
    run(file, "power", 4, 12, before=strace("-y", "-xx", "-s", "70000", "-o", str(trace), "-e", calls))
    checked = 0

    def check(acknowledged: set[str], synced: dict[str, bytes]) -> None:
        nonlocal checked
        folder = tmp_path / f"after{checked}"
        folder.mkdir()
        for name, content in synced.items():
            (folder / name).write_bytes(content)
        assert acknowledged <= kept(folder / "node.db")
        checked += 1

    lose_power(trace, check)
    assert checked == 48


_CALL = re.compile(r"^\d+ +(\w+)\((\d+)<([^>]*)>(?:, (.*?))?\) += (\d+)", re.ASCII)
_UNFINISHED = re.compile(r"^(\d+) +(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")


def lose_power(trace: Path, check: Callable[[set[str], dict[str, bytes]], None]) -> None:
    """Replay a trace; at each acknowledgement, hand over what was told and what the disk would hold."""
    written: defaultdict[str, bytearray] = defaultdict(bytearray)
    synced: dict[str, bytes] = {}
    acknowledged: set[str] = set()
    for call, descriptor, path, arguments in _calls(trace):
        name = Path(path).name
        if call == "write" and descriptor == 1:
            verdict, deed = _bytes(arguments).decode().split()
            assert verdict == "did"
            acknowledged.add(deed)
            check(acknowledged, {k: v for k, v in synced.items() if k in {"node.db", "node.db-wal"}})
        elif call == "pwrite64":
            text, _, offset = arguments.rsplit(", ", 2)
            data, at = _bytes(text), int(offset)
            content = written[name]
            content.extend(bytes(max(0, at + len(data) - len(content))))
            content[at : at + len(data)] = data
        elif call == "ftruncate":
            del written[name][int(arguments) :]
        elif call in {"fdatasync", "fsync"}:
            synced[name] = bytes(written[name])


def _calls(trace: Path) -> Iterator[tuple[str, int, str, str]]:
    """Give each finished call: its name, descriptor, path and further arguments, in the order they ended."""
    begun: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        if unfinished := _UNFINISHED.match(line):
            begun[unfinished[1]] = line.removesuffix(" <unfinished ...>")
            continue
        resumed = _RESUMED.match(line)
        whole = begun.pop(resumed[1]) + resumed[2] if resumed else line
        if call := _CALL.match(whole):
            yield call[1], int(call[2]), bytes(call[3], "ascii").decode("unicode_escape"), call[4] or ""


def _bytes(text: str) -> bytes:
    assert text.startswith('"')
    return bytes.fromhex(text.split('"')[1].replace("\\x", ""))
