"""Claim: a catalogue of 10,000 products costs a twentieth of what it costs an EDC: whole, paged, filtered.

One process of ours beside one EDC on loopback, in the same run, asked by the same plain client with the same
protocol messages (EDC's mock identity on both sides). Counted is the CPU time of the process that answers.
*Whole* is every dataset in pages of 1,000 by the links of the answers; *paged* is 50 pages of 50; *filtered*
is one product out of all, by EDC's criterion on a property there, by a keyword in our own filter here.

    python bench/edc_catalogue.py [--products 10000] [--rounds 3] [--quick] [--folder FOLDER]
"""

# ruff: noqa: E402 (the rig of the tests is found on a path of its own)
import argparse
import contextlib
import http.client
import json
import re
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from machine import described

TESTS: Final = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / "space"), str(TESTS / "interop")]

from edc import NS, USE, SaidNoError, started
from jars import NotHereError
from ours import Ours

from entrepot.protocols.dsp.codec import SEARCH
from entrepot.protocols.dsp.envelope import CONTEXT
from space import free_ports, wait_for

GOAL: Final = 20.0
WHOLE_PAGE, PAGE, PAGES, FILTERED = 1_000, 50, 50, 50
CONTEXTS: Final = (CONTEXT, "https://w3id.org/edc/dspace/v0.0.1")
_NEXT: Final = re.compile(r'<([^>]+)>; *rel="next"')


@dataclass(frozen=True)
class Shop:
    """Whose catalogue is read: where it is, and what the process has spent so far."""

    name: str
    address: str
    spent: Callable[[], float]
    one: Callable[[int], Mapping[str, Any]]
    """The filter that finds one product out of all."""

    def page(self, url: str, query: Mapping[str, Any]) -> tuple[list[Any], str]:
        """One page: its datasets, and the address of the next one."""
        parts = urlsplit(url)
        link = http.client.HTTPConnection(parts.netloc, timeout=300)
        body = {"@context": [*CONTEXTS], "@type": "CatalogRequestMessage", "filter": [query]}
        word = json.dumps({"region": "eu", "audience": self.address, "clientId": "consumer"})
        headers = {"content-type": "application/json", "authorization": word}
        try:
            link.request("POST", f"{parts.path}?{parts.query}", json.dumps(body), headers)
            reply = link.getresponse()
            said = reply.read()
            assert reply.status == 200, said[:500]
            found = _NEXT.search(reply.getheader("link") or "")
        finally:
            link.close()
        datasets = json.loads(said).get("dataset", [])
        return datasets if isinstance(datasets, list) else [datasets], found[1] if found else ""

    def pages(self, size: int, most: int) -> int:
        """How many datasets there are on so many pages, turned one after the other."""
        url, count = f"{self.address}/catalog/request", 0
        for _ in range(most):
            datasets, url = self.page(url, {"@type": "QuerySpec", "limit": size, "offset": 0})
            count += len(datasets)
            if not url or not datasets:
                break
        return count

    def filtered(self, number: int) -> None:
        datasets, _ = self.page(f"{self.address}/catalog/request", self.one(number))
        assert len(datasets) == 1, len(datasets)


@contextlib.contextmanager
def ours(folder: Path, products: int) -> Iterator[Shop]:
    (port,) = free_ports(1)
    node = Ours(folder / "ours", port, "provider")
    node.start()
    try:
        wait_for("a connector of ours", node.is_up)
        before = node.cpu_seconds()
        node.ask("stock", products=products)
        print(
            f"  ours published {products:,} products in {node.cpu_seconds() - before:.1f} CPU s", flush=True
        )
        yield Shop(
            "ours",
            node.address,
            node.cpu_seconds,
            lambda number: {"@type": SEARCH, "keyword": f"name-{number}", "limit": 1},
        )
    finally:
        node.stop()


@contextlib.contextmanager
def edc(folder: Path, products: int) -> Iterator[Shop]:
    runtime = started(folder / "edc", "provider", options=())
    try:
        before = runtime.cpu_seconds()

        def defined() -> bool:
            with contextlib.suppress(SaidNoError):  # it says that it is ready a moment before it is
                odrl = {"@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", **USE}
                context = {"@context": {"@vocab": NS}}
                runtime.ask("POST", "/policydefinitions", {**context, "@id": "open", "policy": odrl})
                return True
            return False

        wait_for("its policy", defined)
        runtime.define("everything", "open")
        with ThreadPoolExecutor(16) as callers:
            list(
                callers.map(
                    lambda n: runtime.add_asset(f"product-{n}", "http://127.0.0.1:1/"), range(products)
                )
            )
        print(
            f"  EDC published {products:,} assets in {runtime.cpu_seconds() - before:.1f} CPU s", flush=True
        )
        yield Shop(
            "EDC",
            runtime.peer.address,
            runtime.cpu_seconds,
            lambda number: {
                "@type": "QuerySpec",
                "limit": 50,
                "offset": 0,
                "filterExpression": [
                    {
                        "@type": "Criterion",
                        "operandLeft": f"{NS}name",
                        "operator": "=",
                        "operandRight": f"product-{number}",
                    }
                ],
            },
        )
    finally:
        runtime.stop()


def measure(shop: Shop, products: int) -> dict[str, float]:
    """CPU seconds: whole, each page, each filtered answer."""
    found = {}
    before = shop.spent()
    whole = shop.pages(WHOLE_PAGE, products // WHOLE_PAGE + 2)
    assert whole == products, (shop.name, whole)
    found["whole"] = shop.spent() - before
    before = shop.spent()
    turned = shop.pages(PAGE, PAGES)
    found["paged"] = (shop.spent() - before) * PAGE / turned
    before = shop.spent()
    for number in range(0, products, max(products // FILTERED, 1)):
        shop.filtered(number)
    found["filtered"] = (shop.spent() - before) / len(range(0, products, max(products // FILTERED, 1)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small and rough: 1,000 products, one round")
    parser.add_argument("--folder", type=Path, help="where databases lie while measuring")
    options = parser.parse_args()
    products, rounds = (1_000, 1) if options.quick else (options.products, options.rounds)
    print(described())
    found: dict[str, dict[str, list[float]]] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        try:
            rival = stack.enter_context(edc(folder, products))
        except NotHereError as reason:
            print(f"EDC, the rival, is missing: {reason}")
            return 2
        own = stack.enter_context(ours(folder, products))
        for round_ in range(rounds + 1):  # the first one warms up
            for shop in (rival, own):
                for what, spent in measure(shop, products).items():
                    if round_:
                        found.setdefault(what, {}).setdefault(shop.name, []).append(spent)
    return tell(found, products, rounds)


def tell(found: dict[str, dict[str, list[float]]], products: int, rounds: int) -> int:
    said = {
        "whole": f"all {products:,}, in pages of {WHOLE_PAGE:,}",
        "paged": f"one page of {PAGE}",
        "filtered": "one product out of all",
    }
    print(f"input: {products:,} products, median of {rounds} rounds after one that warms up, in ms of a core")
    reached = True
    for what, words in said.items():
        mine, theirs = (statistics.median(found[what][name]) * 1e3 for name in ("ours", "EDC"))
        print(f"  {words}: ours {mine:.2f}, EDC {theirs:.1f}, ratio {theirs / mine:.0f}")
        reached = reached and theirs / mine >= GOAL
    print(f"  goal {GOAL:.0f} times: {'reached' if reached else 'missed'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
