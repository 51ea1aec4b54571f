"""Claim: an open API answers a thousand calls a second on one core, each a use with durable records.

A provider's database (contracts with members of their own, a door each) is served over loopback by a process
of its own, held to one core; keep-alive clients in another process on another core page through a table. Each
call is admitted, read, settled and answered: two use cases of the journal with a commit each, made durable
(`synchronous=FULL`) in groups with those of the others. Two tables: real weather, whose pages are soon at
hand, and a million rows asked for at random places.

The share says how much of its core the server had: where others want that core too, or the disk, the clock
says less than the core-seconds.

Beside it the *rival*: the same server with the same pages as bytes in memory, no gate, nothing written.
The node's own loops (sealing of batches, anchoring) are not running; `anchoring.py` measures those.

    python bench/open_api.py [--seconds 10] [--contracts 100] [--clients 64] [--limit 20] [--folder FOLDER]
"""

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn

from gate_uses import TOKEN, Provider
from machine import described

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from data import fetch

from entrepot import catalogue
from entrepot.catalogue import Cursors, Resource, Source, SourceKind
from entrepot.contracts import Exchange, Party, State
from entrepot.identity import Membership
from entrepot.journal import Transaction
from entrepot.node.http import Application, Gatekeeper, RawRoute
from entrepot.protocols import Proof
from entrepot.use import Answered, ApiDoor, Doors, Streams, TransferProcess
from entrepot.use import store as use_store
from entrepot.values import AgreementId, Did, ProcessId, UnavailableError, sha256

GOAL = 1_000
ROWS = 1_000_000
SERVER_CORE, CLIENT_CORE = 0, 1
Send = Callable[[MutableMapping[str, Any]], Any]


@dataclass(frozen=True)
class Figure:
    """What was measured."""

    calls: float
    """A second, by the clock."""
    core_ms: float
    """Of the server's core, a call."""
    share: float
    """Of that core, while it was asked."""
    p50: float
    p99: float

    def __str__(self) -> str:
        return (
            f"{self.core_ms:.3f} ms of a core a call, {1e3 / self.core_ms:,.0f} calls a core-second; "
            f"{self.calls:,.0f} a second by the clock with {self.share:.0%} of the core; "
            f"{self.p50:.1f} ms at the median, {self.p99:.1f} at the 99th"
        )


class ApiProvider(Provider):
    """A provider whose contracts are over a table used by api, each with a process that is started."""

    def __init__(self, folder: Path, contracts: int, table: Resource) -> None:
        self._table = table
        super().__init__(folder, contracts)

    def _fill(self, tx: Transaction, resource: Resource, credentials: list[tuple[str, Membership]]) -> None:
        super()._fill(tx, replace(self._table, id=resource.id), credentials)
        for number, (_, membership) in enumerate(credentials):
            theirs, agreement = ProcessId(f"their:{number}"), agreement_of(number)
            exchange = Exchange(self.doors[number], Party.PROVIDER, State.STARTED, None, theirs)
            process = TransferProcess(
                exchange, membership.did, "https://consumer.example", agreement, "EntrepotApi-PULL"
            )
            use_store.create(tx, process)


def agreement_of(number: int) -> AgreementId:
    return AgreementId(f"{number:046d}A")


def key_of(agreement_id: AgreementId) -> bytes:
    """The key of a contract's cursors; a node derives it from its vault."""
    return sha256(agreement_id.encode())


def serve(table: Resource, folder: Path, port: int, contracts: int) -> None:
    """Serve the provider's doors until the process is ended."""
    provider = ApiProvider(folder, contracts, table)

    async def nowhere(_url: str, _headers: Mapping[str, str], _most: int) -> Answered:
        raise UnavailableError("no live service here")

    async def nothing(_source: Source) -> str:
        return ""

    async def nobody(_authorization: str) -> Did:
        raise UnavailableError("nobody")

    door = ApiDoor(provider.journal, provider.house, Streams(), nowhere, nothing, key_of)
    doors = Doors(provider.journal, {"EntrepotApi-PULL": door})
    route = RawRoute("GET", "/door/{process}/{below:path}", Proof.DOOR_TOKEN, doors)
    _run(Application([route], Gatekeeper(nobody)), port)


def serve_bytes(table: Resource, port: int, limit: int) -> None:
    """Serve pages from memory, asking nobody: what the server alone costs."""
    reader = catalogue.open_reader()
    fields = tuple(c.name for c in table.columns)
    pages = [
        reader.read(table, catalogue.Ask(fields, (), start, limit)).items
        for start in range(0, min(table.rows, 100 * limit), limit)
    ]

    async def answer(_scope: object, _receive: object, send: Send, _path: Mapping[str, str]) -> None:
        body = random.choice(pages)  # noqa: S311 (no secret)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def nobody(_authorization: str) -> Did:
        raise UnavailableError("nobody")

    route = RawRoute("GET", "/door/{process}/{below:path}", Proof.DOOR_TOKEN, answer)
    _run(Application([route], Gatekeeper(nobody)), port)


def _run(application: Application, port: int) -> None:
    config = uvicorn.Config(
        application, host="127.0.0.1", port=port, log_config=None, access_log=False, server_header=False,
        lifespan="off",
    )  # fmt: skip
    uvicorn.Server(config).run()


@contextmanager
def child(port: int, *arguments: str) -> Iterator[int]:
    """A process of its own on one core, ready to answer; its number."""
    process = subprocess.Popen([sys.executable, __file__, "--port", str(port), *arguments])
    os.sched_setaffinity(process.pid, {SERVER_CORE})
    try:
        asyncio.run(_ready(port))
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


async def _ready(port: int) -> None:
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise TimeoutError("the server did not start")


async def ask(port: int, pid: int, requests: Sequence[bytes], clients: int, seconds: float) -> Figure:
    """Ask over as many connections for so long, each its next call when it has its answer."""
    took: list[float] = []

    async def client(number: int, ends: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        choose = random.Random(number)  # noqa: S311 (no secret)
        while time.perf_counter() < ends:
            began = time.perf_counter()
            writer.write(choose.choice(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head + await reader.read(500)
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            took.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(client(n, time.perf_counter() + 1.5) for n in range(clients)))
    took.clear()
    cpu, wall = _cpu_of(pid), time.perf_counter()
    await asyncio.gather(*(client(n, wall + seconds) for n in range(clients)))
    cpu, wall = _cpu_of(pid) - cpu, time.perf_counter() - wall
    cuts = statistics.quantiles(took, n=100)
    return Figure(len(took) / wall, 1e3 * cpu / len(took), cpu / wall, 1e3 * cuts[49], 1e3 * cuts[98])


def _cpu_of(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def requests_of(table: Resource, contracts: int, limit: int, pages: int) -> list[bytes]:
    """Calls at every door, for pages all over the table."""
    chosen = random.Random(7)  # noqa: S311 (no secret)
    starts = [chosen.randrange(0, table.rows) for _ in range(pages)]
    cursors = [Cursors(key_of(agreement_of(n)), table) for n in range(contracts)]
    return [
        (
            f"GET /door/urn:uuid:{number % contracts:032x}/items?limit={limit}"
            f"&cursor={cursors[number % contracts].cursor_of(start)} HTTP/1.1\r\n"
            f"host: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
        ).encode()
        for number, start in enumerate(starts)
    ]


def prepared(path: Path, folder: Path) -> Resource:
    return catalogue.prepare(Source(SourceKind.CSV, str(path)), "", folder / "artefacts")


def large_table(folder: Path) -> Path:
    """A table too large for its pages to be at hand."""
    path = folder / "large.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("station,day,low,high,rain,word\n")
        file.writelines(
            f"{i % 700},2012-{i % 12 + 1:02d}-{i % 28 + 1:02d},{i % 97 / 10},{i % 331 / 10},{i % 50},wet\n"
            for i in range(ROWS)
        )
    return path


def measure(asked: argparse.Namespace) -> int:
    print(described())
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        paths = {"real weather": fetch("seattle-weather").path, "a million rows": large_table(folder)}
        reached = True
        for words, path in paths.items():
            table = prepared(path, folder)
            requests = requests_of(table, asked.contracts, asked.limit, 20_000)
            print(
                f"input: {words}: {table.rows:,} rows of {len(table.columns)} columns, pages of {asked.limit}"
            )
            figures = {}
            for kind, options in (("ours", ()), ("rival, bytes without a gate", ("--bytes",))):
                arguments = ["--serve", str(folder), "--source", str(path), "--limit", str(asked.limit)]
                with child(asked.port, *arguments, "--contracts", str(asked.contracts), *options) as pid:
                    os.sched_setaffinity(0, {CLIENT_CORE})
                    figure = asyncio.run(ask(asked.port, pid, requests, asked.clients, asked.seconds))
                figures[kind] = figure
                print(f"  {kind}: {figure}")
                for left in folder.glob("node.db*"):
                    left.unlink()
            ratio = figures["ours"].core_ms / figures["rival, bytes without a gate"].core_ms
            is_reached = figures["ours"].core_ms <= 1e3 / GOAL
            reached = reached and is_reached
            verdict = "reached" if is_reached else "missed"
            print(f"  ratio {ratio:.1f}; goal {GOAL:,} calls a core-second: {verdict}")
    return 0 if reached else 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--contracts", type=int, default=100)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--limit", type=int, default=20, help="rows of a page")
    parser.add_argument("--folder", type=Path, help="where the databases lie while measuring")
    parser.add_argument("--port", type=int, default=18_590)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--bytes", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve is None:
        return measure(asked)
    table = prepared(asked.source, asked.serve)
    if asked.bytes:
        serve_bytes(table, asked.port, asked.limit)
    else:
        serve(table, asked.serve, asked.port, asked.contracts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
