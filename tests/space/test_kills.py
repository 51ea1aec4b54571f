"""SIGKILL at the points of a running use, found from a trace: nothing is lost, nothing counted twice.

A use is run once under `strace`, and its commits and sends are counted, each in its thread. Then it is
run again for each of them, and the node dies at that very call: at `fdatasync` (written, perhaps not
durable), at `write` (durable, not yet said), at its first write to the log. The node starts again, and
the use must come to its end by itself. A point that does not fire fails the test.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from strace import SystemCall, followed, seen

from space import Acquiring, Running, Space, at_rest, made_bytes, settled, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600), pytest.mark.usefixtures("strace")]
CALLS: Final = "trace=pwrite64,fdatasync,write"
_BOOKS: Final = ("node.db", "ledger.db")
TRIES: Final = 12
OBSERVED: Final = 3
_NAMES: Final = re.compile(r"/(urn:|sha256:).*| HTTP/1.1.*|(?<=HTTP/1.1 ...).*", re.ASCII)


@dataclass
class Bench:
    """One contract with uses enough, over a file of three chunks."""

    space: Space
    product: str
    agreement: str
    content: bytes
    done: list[Acquiring] = field(default_factory=list)

    def observe(self, node: Running, trace: Path) -> list[SystemCall]:
        """Run one use, and give the calls that this node made for it."""
        with followed(node.pid, "-y", "-s", "60", "-o", str(trace), "-e", CALLS):
            self.done.append(self.space.begin(self.product, self.agreement))
            self._check()
        return seen(trace)

    def kill(
        self, node: Running, call: str, number: int, *, thread: int | None = None, file: str = ""
    ) -> bool:
        """Run one use in which the node dies at this call; False where the use ended without it.

        `strace` counts the calls of each thread for itself, and with a file only those on that file.
        """
        inject = f"inject={call}:signal=KILL:when={number}"
        target = node.pid if thread is None else thread
        only = ("-P", file) if file else ()
        with followed(target, *only, "-o", "/dev/null", "-e", inject, threads=thread is None):
            acquiring = self.space.begin(self.product, self.agreement)
            fired = wait_for(f"{call} {number}", lambda: _what_came(self.space, node, acquiring))
        if fired == "killed":
            assert node.process is not None
            node.process.wait()
            node.start()
            wait_for("the node after its death", node.is_up)
        if not acquiring.stands():  # it had never been acknowledged: nothing is owed
            assert fired == "killed"
            assert node is self.space.consumer
            acquiring = self.space.begin(self.product, self.agreement)
        self.done.append(acquiring)
        self._check()
        return fired == "killed"

    def kill_surely(
        self, node: Running, call: str, number: int, *, first_thread: bool = False, file: str = ""
    ) -> None:
        """Kill at this point; groups of commits vary a little, so a use may have to be run again."""
        name = f"{node.folder.name}: {call} {number} {Path(file).name}".rstrip()
        for _ in range(TRIES):
            if self.kill(node, call, number, thread=node.pid if first_thread else None, file=file):
                print(f"fired: {name}", flush=True)
                return
        raise AssertionError(f"did not fire: {name}")

    def _check(self) -> None:
        """Both sides and the ledger agree on all that was used so far; the last file in detail."""
        settled(self.space, self.agreement, self.content, self.done)


def _what_came(space: Space, node: Running, acquiring: Acquiring) -> str:
    assert node.process is not None
    if node.process.poll() is not None:
        return "killed"
    return "ended" if acquiring.is_over() and at_rest(space) else ""


@pytest.fixture(scope="module")
def bench(space: Space) -> Bench:
    content = made_bytes(600_000, seed=2)
    product = space.offer(content, uses=1000)
    first = space.begin(product)
    agreement = first.received().agreement
    return Bench(space, product, agreement, content, [first])


@pytest.fixture(params=["provider", "consumer", "operator"])
def node(request: pytest.FixtureRequest, space: Space) -> Running:
    found: Running = getattr(space, request.param)
    return found


def test_a_use_survives_a_death_at_any_commit(bench: Bench, node: Running, tmp_path: Path) -> None:
    """Killed before the first write to the log, or at any fdatasync: the use ends well, and counts once."""
    seen_so_far = [_commits(calls) for calls in _observed(bench, node, tmp_path)]
    commits = {file: min(seen[file] for seen in seen_so_far) for file in seen_so_far[0]}
    assert any(commits.values())

    bench.kill_surely(node, "pwrite64", 1)
    for file, most in commits.items():
        for number in range(1, most + 1):
            bench.kill_surely(node, "fdatasync", number, file=file)
    print(f"{node.folder.name}: {sum(commits.values()) + 1} points of commits fired")


def test_a_use_survives_a_death_at_a_send(
    bench: Bench, node: Running, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Killed when all is durable and nothing said yet: at the first and last message of each kind."""
    sends = min((_sends(node, calls) for calls in _observed(bench, node, tmp_path)), key=len)
    every = request.config.getoption("--all-points")
    numbers = range(1, len(sends) + 1) if every else _first_and_last(sends)

    for number in numbers:
        bench.kill_surely(node, "write", number, first_thread=True)
    print(f"{node.folder.name}: {len(numbers)} points of sends fired")


def _observed(bench: Bench, node: Running, tmp_path: Path) -> Iterator[list[SystemCall]]:
    """Several uses as they went: what is anchored together, and so said together, differs a little."""
    return (bench.observe(node, tmp_path / f"trace{n}") for n in range(OBSERVED))


def _commits(calls: Sequence[SystemCall]) -> Counter[str]:
    """How often each file of a node's books was made durable."""
    return Counter(c.file for c in calls if c.name == "fdatasync" and Path(c.file).name.startswith(_BOOKS))


def _sends(node: Running, calls: Sequence[SystemCall]) -> list[SystemCall]:
    """All that the first thread writes: to its sockets, and a consumer to the file that it receives."""
    return [c for c in calls if c.name == "write" and c.thread == node.pid]


def _first_and_last(sends: Sequence[SystemCall]) -> list[int]:
    places = defaultdict(list)
    for number, call in enumerate(sends, 1):
        places[_kind(call.data)].append(number)
    return sorted({number for found in places.values() for number in (found[0], found[-1])})


def _kind(data: str) -> str:
    """Heads of messages by method and path, or by status; bodies by what they begin with."""
    return _NAMES.sub("", data)[:32] if data[:1].isalpha() else data[:4]
