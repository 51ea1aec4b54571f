"""Open API among real processes: sources of every kind, exactly the promised calls, one answer one use."""

import http.client
import json
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from entrepot.identity import Vault
from entrepot.node import making
from entrepot.node.settings import Outgoing, Settings
from entrepot.values import DataType, data_code, render_digest, sha256
from space import COMMAND, PASSPHRASE, Acquiring, Space, agrees_with_ledger, at_rest, records, wait_for

CALLERS = 64
LIMIT = 20
SECRET = "Bearer geheim-4711"


def offer(space: Space, attached: dict[str, Any], serial: str, uses: int) -> str:
    """Offer what was attached for so many calls."""
    constraint = {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": str(uses)}
    product: str = space.provider.ask(
        "POST",
        "/owner/products",
        {
            "id": data_code(DataType.PRODUCT, space.provider.code, "3101", serial),
            "resource": attached["resource"],
            "title": "Days of weather",
            "description": "Rows made for a test",
            "rights": "open",
            "grade": "L1",
            "kinds": ["api"],
            "policy": {"permission": [{"action": "use", "constraint": [constraint]}]},
        },
    )["id"]
    wait_for("its listing", lambda: space.operator.rows("SELECT 1 FROM product WHERE id = ?", product))
    return product


def call(space: Space, product: str, below: str, name: str) -> Acquiring:
    """One call of the consumer's, by its owner's API."""
    target = space.root / name
    space.consumer.ask(
        "POST",
        "/owner/uses",
        {"product": product, "target": str(target), "format": "EntrepotApi-PULL", "below": below},
    )
    return Acquiring(space, target)


def at_door(space: Space, agreement: str, below: str) -> tuple[int, dict[str, str], bytes]:
    """A call of somebody who has the token, as the provider derives it."""
    hung = space.provider.rows("SELECT process_id, epoch FROM door WHERE agreement_id = ?", agreement)
    process_id, epoch = hung[0]
    vault = Vault.open(space.provider.folder / "vault", PASSPHRASE)
    token = vault.derive("door", f"{process_id} {epoch}".encode()).hex()
    connection = http.client.HTTPConnection(space.provider.public, timeout=60)
    try:
        connection.request("GET", f"/door/{process_id}/{below}", headers={"authorization": f"Bearer {token}"})
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def weather(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "weather.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE days (day DATE, rain REAL)")
    connection.executemany(
        "INSERT INTO days VALUES (?, ?)", [(f"2012-01-{d:02d}", d / 2) for d in range(1, 31)]
    )
    connection.commit()
    connection.close()
    return path


def test_exactly_as_many_calls_are_answered_as_were_promised(space: Space) -> None:
    """64 at once against what is left of 20 calls: each answer is one use on record, with rows and digest."""
    attached = space.provider.ask(
        "POST",
        "/owner/sources",
        {"kind": "sqlite", "where": str(weather(space.root)), "table": "days", "sensitive": ["rain"]},
    )
    assert attached["rows"] == 30
    assert [(c["name"], c["type"]) for c in attached["columns"]] == [("day", "date"), ("rain", "number")]
    assert attached["preview"][0] == ["2012-01-01", "…"]
    product = offer(space, attached, "A0000001", LIMIT)

    first = call(space, product, "items?limit=3&fields=day", "page-1.json")
    ended = first.received()
    items = json.loads(first.target.read_bytes())["items"]
    assert items == [{"day": "2012-01-01"}, {"day": "2012-01-02"}, {"day": "2012-01-03"}]

    with ThreadPoolExecutor(CALLERS) as pool:
        below = [f"items?limit=2&filter=rain%20%3E%20{n % 14}" for n in range(CALLERS)]
        answers = list(pool.map(lambda b: at_door(space, ended.agreement, b), below))

    assert Counter(status for status, _, _ in answers) == {200: LIMIT - 1, 403: CALLERS - LIMIT + 1}
    good = [(headers["entrepot-use"], body) for status, headers, body in answers if status == 200]
    assert len({use for use, _ in good}) == LIMIT - 1
    wait_for("rest", lambda: at_rest(space))
    for use, body in good:
        opened, closed = records(space.provider, use)
        assert (opened["kind"], closed["kind"], closed["outcome"]) == ("opened", "closed", "answered")
        assert closed["units"]["rows"] == len(json.loads(body)["items"])
        assert closed["artefact"] == render_digest(sha256(body))
    counted = space.provider.rows("SELECT used FROM policy_counter WHERE agreement_id = ?", ended.agreement)
    assert counted == [(LIMIT,)]
    agrees_with_ledger(space.operator, space.provider)


def test_the_description_of_a_door_comes_by_the_command_and_is_no_use(space: Space) -> None:
    """A consumer must know what can be asked before the first call is paid for."""
    where = str(weather(space.root / "described"))
    attached = space.provider.ask(
        "POST", "/owner/sources", {"kind": "sqlite", "where": where, "table": "days"}
    )
    product = offer(space, attached, "A0000077", 1)
    target = space.root / "openapi.json"

    command = [
        *COMMAND,
        "use",
        product,
        str(target),
        "--get",
        "openapi.json",
        "--node",
        str(space.consumer.folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    assert "no use" in done.stdout
    described = json.loads(target.read_bytes())
    assert described["openapi"].startswith("3.1")
    assert "/items" in described["paths"]
    ended = call(space, product, "items?limit=1", "described-items.json").received()
    wait_for("rest", lambda: at_rest(space))
    uses = space.provider.rows("SELECT id FROM use WHERE agreement_id = ?", ended.agreement)
    assert uses == [(ended.use,)]


@dataclass
class Upstream:
    """A service of the provider's, on loopback."""

    port: int
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def upstream() -> Iterator[Upstream]:
    found: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.append((self.path, self.headers.get("authorization", "")))
            body = b'{"warm": 21.5}'
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Upstream(server.server_address[1], found)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def allow(space: Space, origin: str) -> None:
    """Let the provider call one more private address, as its owner would: by the settings, and anew."""
    path = space.provider.folder / making.SETTINGS
    settings = Settings.read(path)
    allowed = (*settings.outgoing.allow_private, origin)
    outgoing = Outgoing(allow_private=allowed, seconds=settings.outgoing.seconds)
    making.write_settings(msgspec.structs.replace(settings, outgoing=outgoing), path)
    space.provider.stop()
    space.provider.start()
    wait_for("the provider", space.provider.is_up)


def test_a_live_service_answers_through_the_gate_and_its_key_stays_with_the_provider(space: Space) -> None:
    """The consumer reaches what was allowed; the key lies sealed, in no file, log or answer as it is."""
    with upstream() as service:
        origin = f"http://127.0.0.1:{service.port}"
        space.provider.ask("POST", "/owner/secrets", {"name": "weather", "value": SECRET})
        attached = space.provider.ask(
            "POST",
            "/owner/sources",
            {
                "kind": "http", "where": f"{origin}/v1", "secret": "weather", "paths": ["/now"],
                "parameters": ["place"],
            },
        )  # fmt: skip
        product = offer(space, attached, "A0000002", 3)
        refused = call(space, product, "service/now?place=31", "now-0.json").ended()
        assert (refused.state, service.asked) == ("failed", [])

        allow(space, origin)
        received = call(space, product, "service/now?place=31", "now-1.json")

        assert json.loads(received.target.read_bytes() if received.received() else b"") == {"warm": 21.5}
        assert service.asked == [("/v1/now?place=31", SECRET)]
    wait_for("rest", lambda: at_rest(space))
    uses = space.provider.rows("SELECT outcome FROM use WHERE product_id = ? ORDER BY opened_at", product)
    assert uses == [("refused",), ("answered",)]
    for file in space.root.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file
