"""Claim: negotiations and transfer starts, both sides, cost a tenth of what they cost a pair of EDCs.

Two processes of ours against two of EDC's, all on loopback, in the same run. Callers are believed on both
sides (EDC's mock identity) and nothing is signed, for which EDC has nothing. EDC is measured twice: with its
states in PostgreSQL, which is like with like, for ours writes every message durably to SQLite; and with its
states in memory, as it comes. Counted is the CPU time of both processes of a pair (that of the PostgreSQL
server is not), from the first request until both sides show all negotiations FINALIZED, all transfers
STARTED with their tokens; what warms up is done before and not counted.

The product's whole way, with tokens of members, the digital contract's number, both signatures and the
filing on the ledger, is measured beside it: provider and consumer together, and the platform apart.

    python bench/edc_negotiations.py [--count 300] [--rounds 3] [--quick] [--folder FOLDER]
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from machine import described

TESTS: Final = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / "space"), str(TESTS / "interop"), str(TESTS / "stores")]

# ruff: noqa: E402 (the rig of the tests is found on a path of its own)
from edc import NS, Edc, SaidNoError, keeping, started
from jars import DURABLE, MOCK, NotHereError
from ours import Ours
from postgres import Server, why_not
from runtime import resident_bytes

from space import Running, Space, found_space, free_ports, wait_for

GOAL: Final = 10.0
OURS: Final = "ours"
LASTING: Final = "EDC with PostgreSQL"
IN_MEMORY: Final = "EDC in memory"
CALLERS: Final = 16
PATIENCE: Final = 30.0
"""Seconds without another arrival after which the rest is lost."""
ASSET: Final = "asset"
WHOLE: Final = 600.0
SEEN_EVERY: Final = 1.0
"""Seconds between two looks at how far a pair is: looking costs both of them."""


class Pair(NamedTuple):
    """Two processes, and what one of them is asked for until both are there."""

    spent: Callable[[], float]
    resident: Callable[[], float]
    """Megabytes of both."""
    negotiate: Callable[[], object]
    transfer: Callable[[], object]
    finalized: Callable[[], int]
    started: Callable[[], int]


@contextlib.contextmanager
def ours(folder: Path) -> Iterator[Pair]:
    first, second = free_ports(2)
    provider = Ours(folder / "provider", first, "provider")
    consumer = Ours(folder / "consumer", second, "consumer")
    with contextlib.ExitStack() as stack:
        for node, other in ((provider, consumer), (consumer, provider)):
            stack.callback(node.stop)
            node.start(other)
        for node in (provider, consumer):
            wait_for("a connector of ours", node.is_up)
            node.ask("hold", agreement="agreed", party=node.did)

        def count(state: str) -> Callable[[], int]:
            return lambda: min(int(n.ask("states").get(state, 0)) for n in (provider, consumer))

        yield Pair(
            lambda: provider.cpu_seconds() + consumer.cpu_seconds(),
            lambda: sum(resident_bytes(node.pid) for node in (provider, consumer)) / 1e6,
            lambda: consumer.ask("negotiate"),
            lambda: consumer.ask("transfer", agreement="agreed"),
            count("negotiation FINALIZED"),
            count("transfer_process STARTED"),
        )


@contextlib.contextmanager
def edcs(folder: Path, server: Server | None = None) -> Iterator[Pair]:
    """Two of EDC, keeping their states in a database each of this server; without one, in memory."""
    with contextlib.ExitStack() as stack:
        pair: list[Edc] = []
        for name in ("provider", "consumer"):
            mixture, more = (DURABLE, keeping(server.create_database(name))) if server else (MOCK, None)
            pair.append(started(folder / f"edc-{name}", name, mixture, more, options=()))
            stack.callback(pair[-1].stop)
        provider, consumer = pair
        provider.publish(ASSET, "http://127.0.0.1:1/")

        def offered() -> dict[str, Any] | None:
            with contextlib.suppress(SaidNoError):  # it says that it is ready a moment before it is
                return consumer.offer_of(provider.peer, ASSET)
            return None

        offer = wait_for("its offer", offered)
        agreement = consumer.agreed(consumer.negotiate(provider.peer, offer))

        yield Pair(
            lambda: provider.cpu_seconds() + consumer.cpu_seconds(),
            lambda: sum(resident_bytes(edc.pid) for edc in pair) / 1e6,
            lambda: consumer.negotiate(provider.peer, offer),
            lambda: consumer.transfer(provider.peer, agreement),
            lambda: min(_count(n, "/contractnegotiations/request", "FINALIZED") for n in pair),
            lambda: min(_count(n, "/transferprocesses/request", "STARTED") for n in pair),
        )


def _count(edc: Edc, path: str, state: str) -> int:
    """How many are in a state: the smallest question that the management API answers."""
    query = {
        "@context": {"@vocab": NS},
        "limit": 100_000,
        "offset": 0,
        "filterExpression": [{"operandLeft": "state", "operator": "=", "operandRight": _CODES[state]}],
    }
    return len(edc.ask("POST", path, query))


_CODES: Final = {"FINALIZED": 1200, "STARTED": 600}


def rate(pair: Pair, ask: Callable[[], object], there: Callable[[], int], count: int) -> float:
    """How many a CPU second of both processes together, until the last that arrived."""
    before, spent = there(), pair.spent()
    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(lambda _: ask(), range(count)))
    arrived, seen = 0, (pair.spent(), time.monotonic())
    while arrived < count and time.monotonic() - seen[1] < PATIENCE:
        time.sleep(SEEN_EVERY)
        now = there() - before
        if now > arrived:
            arrived, seen = now, (pair.spent(), time.monotonic())
    if arrived < count:
        print(f"    {count - arrived} of {count} never arrived", file=sys.stderr, flush=True)
    return arrived / (seen[0] - spent)


def whole_way(folder: Path, count: int) -> tuple[float, float]:
    """The product's own nodes: negotiations a CPU second of both parties, and with the platform's share."""
    space = found_space(folder)
    try:
        product = space.offer(b"x" * 1000, uses=1000)
        terms = _terms(space.provider, product)

        def ask(_: object) -> None:
            space.consumer.ask("POST", "/owner/negotiations", {"product": product, "policy": terms})

        def finalized() -> int:
            query = "SELECT count(*) FROM negotiation WHERE state = 'FINALIZED' AND pending_move IS NULL"
            return min(node.rows(query)[0][0] for node in (space.provider, space.consumer))

        spent = _measured(space, ask, finalized, count)
    finally:
        space.stop()
    return count / spent[0], count / spent[1]


def _measured(
    space: Space, ask: Callable[[object], None], there: Callable[[], int], count: int
) -> tuple[float, float]:
    both = 0.0
    everybody = 0.0
    for number in (count // 5, count):  # the first round warms up
        before = there()
        spent = [_cpu(node) for node in space.nodes]
        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(ask, range(number)))
        wait_for("all of them", lambda b=before, n=number: there() >= b + n, WHOLE, SEEN_EVERY)
        operator, *parties = (now - then for now, then in zip(map(_cpu, space.nodes), spent, strict=True))
        both, everybody = sum(parties), operator + sum(parties)
    return both, everybody


def _cpu(node: Running) -> float:
    return time.clock_gettime((~node.pid << 3) | 2)


def _terms(provider: Running, product: str) -> dict[str, object]:
    """The terms that the catalogue shows, as one who agrees to them asks for them."""
    (dataset,) = provider.rows("SELECT dataset FROM shelf WHERE product_id = ?", product)[0]
    offer = json.loads(dataset)["hasPolicy"][0]
    return {name: value for name, value in offer.items() if not name.startswith("@")}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=300, help="negotiations and transfers a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small and rough: one round of 60")
    parser.add_argument("--folder", type=Path, help="where databases lie while measuring")
    options = parser.parse_args()
    count, rounds = (60, 1) if options.quick else (options.count, options.rounds)
    print(described())
    if reason := why_not():
        print(f"EDC's database is missing: {reason}")
        return 2
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        folder.chmod(0o755)  # the database server's own account must reach its place inside
        place = folder / "server"
        place.mkdir()
        try:
            server = stack.enter_context(Server(place, durable=True).running())
            pairs = {
                LASTING: stack.enter_context(edcs(folder / "lasting", server)),
                IN_MEMORY: stack.enter_context(edcs(folder / "memory")),
            }
        except NotHereError as reason:
            print(f"EDC, the rival, is missing: {reason}")
            return 2
        pairs[OURS] = stack.enter_context(ours(folder))
        found: dict[str, list[float]] = {}
        for round_ in range(rounds + 1):  # the first one warms up, and EDC's takes its time
            for name, pair in pairs.items():
                for what, ask, there in (
                    ("negotiations", pair.negotiate, pair.finalized),
                    ("transfer starts", pair.transfer, pair.started),
                ):
                    figure = rate(pair, ask, there, count)
                    print(f"    {name} {what}: {figure:.1f}", file=sys.stderr, flush=True)
                    if round_:
                        found.setdefault(f"{name} {what}", []).append(figure)
        for name, pair in pairs.items():
            print(f"  {name}: {pair.resident():.0f} MB resident in both processes after all of it")
    return tell(found, count, rounds, whole_way(folder_of(options.folder), count))


def folder_of(folder: Path | None) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def tell(found: dict[str, list[float]], count: int, rounds: int, whole: tuple[float, float]) -> int:
    print(f"input: {rounds} rounds of {count}, {CALLERS} asked for at a time, after one that warms up")
    middle = {name: statistics.median(figures) for name, figures in found.items()}
    reached = True
    for what in ("negotiations", "transfer starts"):
        mine = middle[f"{OURS} {what}"]
        print(f"  {what} a CPU second of both sides; goal {GOAL:.0f} times:")
        for name in (OURS, LASTING, IN_MEMORY):
            figures, theirs = found[f"{name} {what}"], middle[f"{name} {what}"]
            line = f"    {name} {theirs:.1f} ({min(figures):.1f} to {max(figures):.1f})"
            if name != OURS:
                ratio = mine / theirs
                line += f": ratio {ratio:.1f}, {'reached' if ratio >= GOAL else 'missed'}"
                reached = reached and ratio >= GOAL
            print(line)
    both, everybody = whole
    lasting, memory = (middle[f"{name} negotiations"] for name in (LASTING, IN_MEMORY))
    print(
        "  negotiations, the product's whole way (members' tokens, two signatures, filed on the ledger):\n"
        f"    {both:.1f} a CPU second of both sides, ratio {both / lasting:.1f} and {both / memory:.1f};"
        f" {everybody:.1f} with the platform's share, ratio {everybody / lasting:.1f}"
        f" and {everybody / memory:.1f}"
    )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
