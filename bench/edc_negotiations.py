"""Claim: negotiations and transfer starts, both sides, cost a tenth of what they cost a pair of EDCs.

Like with like: two processes of ours against two of EDC's, all on loopback, in the same run. Callers are
believed on both sides (EDC's mock identity) and nothing is signed, for which EDC has nothing. Ours writes
every message durably to SQLite, EDC keeps its state in memory. Counted is the CPU time of both processes of
a pair, from the first request until both sides show all negotiations FINALIZED, all transfers STARTED with
their tokens; what warms up is done before and not counted.

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
sys.path[:0] = [str(TESTS / "space"), str(TESTS / "interop")]

# ruff: noqa: E402 (the rig of the tests is found on a path of its own)
from edc import NS, Edc, SaidNoError, started
from jars import NotHereError
from ours import Ours

from space import Running, Space, found_space, free_ports, wait_for

GOAL: Final = 10.0
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
            lambda: consumer.ask("negotiate"),
            lambda: consumer.ask("transfer", agreement="agreed"),
            count("negotiation FINALIZED"),
            count("transfer_process STARTED"),
        )


@contextlib.contextmanager
def edcs(folder: Path) -> Iterator[Pair]:
    with contextlib.ExitStack() as stack:
        pair: list[Edc] = []
        for name in ("provider", "consumer"):
            pair.append(started(folder / f"edc-{name}", name, options=()))
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
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        try:
            rival = stack.enter_context(edcs(folder))
        except NotHereError as reason:
            print(f"EDC, the rival, is missing: {reason}")
            return 2
        own = stack.enter_context(ours(folder))
        found: dict[str, list[float]] = {}
        for round_ in range(rounds + 1):  # the first one warms up, and EDC's takes its time
            for name, pair in (("EDC", rival), ("ours", own)):
                for what, ask, there in (
                    ("negotiations", pair.negotiate, pair.finalized),
                    ("transfer starts", pair.transfer, pair.started),
                ):
                    figure = rate(pair, ask, there, count)
                    print(f"    {name} {what}: {figure:.1f}", file=sys.stderr, flush=True)
                    if round_:
                        found.setdefault(f"{name} {what}", []).append(figure)
    return tell(found, count, rounds, whole_way(folder_of(options.folder), count))


def folder_of(folder: Path | None) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def tell(found: dict[str, list[float]], count: int, rounds: int, whole: tuple[float, float]) -> int:
    print(f"input: {rounds} rounds of {count}, {CALLERS} asked for at a time, after one that warms up")
    middle = {name: statistics.median(figures) for name, figures in found.items()}
    reached = True
    for what in ("negotiations", "transfer starts"):
        mine, theirs = middle[f"ours {what}"], middle[f"EDC {what}"]
        print(f"  {what} a CPU second of both sides, ratio {mine / theirs:.1f}:")
        for name in ("ours", "EDC"):
            figures = found[f"{name} {what}"]
            print(f"    {name} {middle[f'{name} {what}']:.1f} ({min(figures):.1f} to {max(figures):.1f})")
        reached = reached and mine / theirs >= GOAL
    both, everybody = whole
    theirs = middle["EDC negotiations"]
    print(
        f"  negotiations, the product's whole way (members' tokens, two signatures, filed on the ledger):"
        f" {both:.1f} a CPU second of both sides, ratio {both / theirs:.1f};"
        f" {everybody:.1f} with the platform's share, ratio {everybody / theirs:.1f}"
    )
    print(f"  goal {GOAL:.0f} times: {'reached' if reached else 'missed'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
