"""Faults made on purpose, from outside: `strace` follows a running process and tampers with its calls."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TRIES: Final = 10
_PAUSE: Final = 0.2
_LINE: Final = re.compile(r"^(\d+) +(\w+)\((\d+)<([^>]*)>(?:, \"((?:[^\"\\]|\\.)*)\")?")


@dataclass(frozen=True)
class SystemCall:
    """One call as it was seen: the thread, the call, the file behind its descriptor, its first bytes."""

    thread: int
    name: str
    file: str
    data: str


@contextmanager
def followed(pid: int, *options: str, threads: bool = True) -> Iterator[None]:
    """Follow a process (all its threads, or its first alone) while the block runs."""
    with _attached(["strace", *(["-f"] if threads else []), *options, "-p", str(pid)]) as tracer:
        assert tracer.stderr is not None
        try:
            yield
        finally:
            if tracer.poll() is None:
                tracer.send_signal(signal.SIGINT)
            tracer.stderr.read()


def _attached(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a tracer; a process that has only just begun may refuse it, once in thousands of times."""
    for left in reversed(range(_TRIES)):
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert tracer.stderr is not None
        first = tracer.stderr.readline()
        if b"attached" in first:
            return tracer
        with tracer:  # which waits for its end
            tracer.stderr.read()
        if b"not permitted" not in first or not left:
            raise OSError(first.decode().strip())
        time.sleep(_PAUSE)
    raise AssertionError("unreachable")


def seen(trace: Path) -> list[SystemCall]:
    """Read a trace that was written with `-y`."""
    matches = (_LINE.match(line) for line in trace.read_text("utf-8", "replace").splitlines())
    return [SystemCall(int(m[1]), m[2], m[4], m[5] or "") for m in matches if m]


def why_not() -> str:
    """Why strace cannot be used here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        try:
            with followed(victim.pid):
                return ""
        except OSError as error:
            return f"strace may not follow a running process here: {error}"
        finally:
            victim.kill()
