"""Claim: a node is ready in a fifth of an EDC's CPU time, and at rest takes a quarter of its memory.

Ours is the provider of a space of three, the whole product: keys opened, schema checked, loops running,
doors, console and protocols up. EDC is the control plane with its HTTP data plane and mock identity; once
with its stores in PostgreSQL, which is like with like (the server's own share is not counted), and once in
memory. All are started in turns in the same run; ready is when a node answers that it is, and EDC also its
management API, which it opens a moment later. Both start from what was compiled before: EDC from its jars,
ours from the bytecode that an installation writes. Memory is what is resident ten seconds after that; what
it comes to after work is told by `edc_negotiations.py`.

    python bench/edc_start.py [--rounds 3] [--quick] [--folder FOLDER]
"""

# ruff: noqa: E402 (the rig of the tests is found on a path of its own)
import argparse
import compileall
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from machine import described

TESTS: Final = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / "space"), str(TESTS / "interop"), str(TESTS / "stores")]

from edc import Edc, SaidNoError, keeping, prepared
from jars import DURABLE, NotHereError, classpath
from postgres import Server, why_not
from runtime import resident_bytes

import entrepot
from space import Running, found_space, wait_for

GOALS: Final = {"CPU": 5.0, "memory": 4.0}
OURS: Final = "ours"
LASTING: Final = "EDC with PostgreSQL"
IN_MEMORY: Final = "EDC in memory"
AT_REST: Final = 10.0
PAUSE: Final = 0.02


class Started(NamedTuple):
    """One start: seconds by the clock and of a core until ready, and megabytes at rest."""

    wall: float
    cpu: float
    memory: float


def edc_started(edc: Edc) -> Started:
    def answers() -> bool:
        if not edc.is_up():
            return False
        with contextlib.suppress(SaidNoError):
            edc.negotiations()
            return True
        return False

    began = time.monotonic()
    edc.start(options=())
    try:
        wait_for("an EDC", answers, pause=PAUSE)
        wall, cpu = time.monotonic() - began, edc.cpu_seconds()
        time.sleep(AT_REST)
        return Started(wall, cpu, resident_bytes(edc.pid) / 1e6)
    finally:
        edc.stop()


def node_started(node: Running) -> Started:
    node.stop()
    began = time.monotonic()
    node.start()
    wait_for("a node", node.is_up, pause=PAUSE)
    wall, cpu = time.monotonic() - began, time.clock_gettime((~node.pid << 3) | 2)
    time.sleep(AT_REST)
    return Started(wall, cpu, node.memory()[0] / 1e6)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--folder", type=Path, help="where the nodes lie while measuring")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    print(described())
    if reason := why_not():
        print(f"EDC's database is missing: {reason}")
        return 2
    compileall.compile_dir(entrepot.__path__[0], quiet=1)
    found: dict[str, list[Started]] = {OURS: [], LASTING: [], IN_MEMORY: []}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        folder.chmod(0o755)  # the database server's own account must reach its place inside
        place = folder / "server"
        place.mkdir()
        try:
            server = stack.enter_context(Server(place, durable=True).running())
            more = keeping(server.create_database("edc"))
            rivals = {
                LASTING: prepared(folder / "lasting", "provider", DURABLE, more),
                IN_MEMORY: prepared(folder / "memory", "provider"),
            }
            for edc in rivals.values():
                classpath(edc.mixture)
        except NotHereError as reason:
            print(f"EDC, the rival, is missing: {reason}")
            return 2
        space = found_space(folder / "space")
        stack.callback(space.stop)
        edc_started(rivals[LASTING])  # the first start also makes its tables
        for _ in range(rounds):
            for name, edc in rivals.items():
                found[name].append(edc_started(edc))
            found[OURS].append(node_started(space.provider))
    return tell(found)


def tell(found: dict[str, list[Started]]) -> int:
    middle = {
        name: Started(*(statistics.median(s[i] for s in starts) for i in range(3)))
        for name, starts in found.items()
    }
    print(f"input: {len(found[OURS])} starts of each, in turns, medians")
    for name, (wall, cpu, memory) in middle.items():
        print(f"  {name}: ready after {cpu:.2f} CPU s ({wall:.1f} s by the clock), {memory:.0f} MB at rest")
    mine, reached = middle[OURS], True
    for rival in (LASTING, IN_MEMORY):
        theirs = middle[rival]
        ratios = {"CPU": theirs.cpu / mine.cpu, "memory": theirs.memory / mine.memory}
        for what, goal in GOALS.items():
            fine = ratios[what] >= goal
            said = "reached" if fine else "missed"
            print(f"  {what} of {rival}: ratio {ratios[what]:.1f}, goal {goal:.0f}: {said}")
            reached = reached and fine
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
