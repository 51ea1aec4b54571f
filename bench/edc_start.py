"""Claim: a node is ready in a fifth of an EDC's CPU time, and at rest takes a quarter of its memory.

Ours is the provider of a space of three, the whole product: keys opened, schema checked, loops running,
doors, console and protocols up. EDC is the control plane with its HTTP data plane, stores in memory, mock
identity. Both are started in turns in the same run; ready is when a node answers that it is, and EDC also
its management API, which it opens a moment later. Memory is what is resident ten seconds after that.

    python bench/edc_start.py [--rounds 3] [--quick] [--folder FOLDER]
"""

# ruff: noqa: E402 (the rig of the tests is found on a path of its own)
import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from machine import described

TESTS: Final = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / "space"), str(TESTS / "interop")]

from edc import Edc, SaidNoError, prepared
from jars import NotHereError, classpath

from space import Running, found_space, wait_for

GOALS: Final = {"CPU": 5.0, "memory": 4.0}
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
        return Started(wall, cpu, edc.resident_bytes() / 1e6)
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
    found: dict[str, list[Started]] = {"ours": [], "EDC": []}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        try:
            edc = prepared(folder / "edc", "provider")
            classpath(edc.mixture)
        except NotHereError as reason:
            print(f"EDC, the rival, is missing: {reason}")
            return 2
        space = found_space(folder / "space")
        stack.callback(space.stop)
        for _ in range(rounds):
            found["EDC"].append(edc_started(edc))
            found["ours"].append(node_started(space.provider))
    return tell(found)


def tell(found: dict[str, list[Started]]) -> int:
    middle = {
        name: Started(*(statistics.median(s[i] for s in starts) for i in range(3)))
        for name, starts in found.items()
    }
    print(f"input: {len(found['ours'])} starts of each, in turns, medians")
    for name, (wall, cpu, memory) in middle.items():
        print(f"  {name}: ready after {cpu:.2f} CPU s ({wall:.1f} s by the clock), {memory:.0f} MB at rest")
    mine, theirs = middle["ours"], middle["EDC"]
    ratios = {"CPU": theirs.cpu / mine.cpu, "memory": theirs.memory / mine.memory}
    reached = True
    for what, goal in GOALS.items():
        fine = ratios[what] >= goal
        print(f"  {what}: ratio {ratios[what]:.1f}, goal {goal:.0f}: {'reached' if fine else 'missed'}")
        reached = reached and fine
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
