"""What stands around the two connectors: a web server, and a peer that sends exactly what it is told to."""

import json
import queue
import re
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

import pytest
from edc import Door, Edc, Peer
from jars import Mixture, NotHereError, classpath
from runtime import call

from entrepot.node.settings import InsecurePeer
from space import Running, wait_for

CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"


def fetched(mixture: Mixture) -> None:
    """Have all that a runtime is started from; where it cannot be had, its tests are skipped by name."""
    try:
        classpath(mixture)
    except NotHereError as reason:
        pytest.skip(str(reason))


class Quiet(BaseHTTPRequestHandler):
    """Answers without a word on the terminal."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base class)
        """Say nothing."""

    def body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        pieces = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def reply(self, status: int, body: bytes = b"", media_type: str = "application/octet-stream") -> None:
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Hold(NamedTuple):
    """Content that an origin keeps back until it is let go, all but the first bytes of it."""

    until: threading.Event
    first: int


class Origin(ThreadingHTTPServer):
    """Serves `content` by its path, and keeps what is posted in `posted`, by its path."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _AtOrigin)
        self.content: dict[str, bytes] = {}
        self.posted: dict[str, bytes] = {}
        self.held: dict[str, Hold] = {}
        """What of the content at such a path is kept back, and until when."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _AtOrigin(Quiet):
    server: Origin

    def do_GET(self) -> None:
        found = self.server.content.get(self.path)
        if found is None or (held := self.server.held.get(self.path)) is None:
            self.reply(404 if found is None else 200, found or b"")
            return
        if held.first == 0:
            held.until.wait(120)
        with suppress(OSError):  # who asked may have hung up
            self.send_response(200)
            self.send_header("content-length", str(len(found)))
            self.end_headers()
            self.wfile.write(found[: held.first])
            self.wfile.flush()
            held.until.wait(120)
            self.wfile.write(found[held.first :])

    def do_HEAD(self) -> None:
        self.reply(404)

    def do_POST(self) -> None:
        self.server.posted[self.path] = self.body()
        self.reply(200)


class Scripted(ThreadingHTTPServer):
    """A peer under EDC's mock identity: sends what the test says, and keeps what it is sent."""

    daemon_threads = True
    did: ClassVar[str] = "did:web:scripted.example"

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _AtScripted)
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def listed(self) -> InsecurePeer:
        return InsecurePeer(did=self.did, base=self.url, origins=(self.url,))

    def say(self, node: Running, path: str, message: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send a message to a node of ours; gives its answer."""
        identity = {"audience": node.did, "clientId": self.did, "region": "eu"}
        headers = {"authorization": json.dumps(identity)}
        port = int(node.public.rpartition(":")[2])
        body = json.dumps({"@context": [CONTEXT], "@id": f"urn:uuid:{uuid.uuid4()}", **message})
        status, said = call("POST", port, f"/dsp/2025-1{path}", body, headers)
        return status, json.loads(said or "{}")

    def linked(self, node: Running, path: str, message: Mapping[str, Any]) -> str | None:
        """Where the next page of a catalogue lies, as a path below our base address."""
        identity = {"audience": node.did, "clientId": self.did, "region": "eu"}
        request = urllib.request.Request(
            f"http://{node.public}/dsp/2025-1{path}",
            json.dumps({"@context": [CONTEXT], **message}).encode(),
            {"authorization": json.dumps(identity), "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 (of this machine)
            found = re.search(r'<[^>]*/dsp/2025-1([^>]*)>; rel="next"', reply.headers.get("link", ""))
        return None if found is None else found[1]

    def hears(self, kind: str, about: str) -> dict[str, Any]:
        """Wait for a message of this type about a process of ours (its consumerPid)."""

        def next_one() -> dict[str, Any] | None:
            message = self.heard.get(timeout=60)
            return message if (message["@type"], message["consumerPid"]) == (kind, about) else None

        return wait_for(f"{kind} about {about}", next_one)

    def requests(
        self, node: Running, consumer_pid: str, offer: Mapping[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        message = {
            "@type": "ContractRequestMessage",
            "consumerPid": consumer_pid,
            "callbackAddress": self.url,
            "offer": {"@type": "Offer", **offer},
        }
        return self.say(node, "/negotiations/request", message)

    def asks_for(self, node: Running, consumer_pid: str, agreement: str) -> tuple[int, dict[str, Any]]:
        message = {
            "@type": "TransferRequestMessage",
            "consumerPid": consumer_pid,
            "agreementId": agreement,
            "format": "HttpData-PULL",
            "callbackAddress": self.url,
        }
        return self.say(node, "/transfers/request", message)


class _AtScripted(Quiet):
    server: Scripted

    def do_POST(self) -> None:
        self.server.heard.put(json.loads(self.body()))
        self.reply(200)


def pulled(door: Door) -> tuple[int, bytes]:
    """What comes of a call at a door: the status, and the bytes."""
    request = urllib.request.Request(door.endpoint, headers={"authorization": door.authorization})  # noqa: S310 (of this machine)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 (of this machine)
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def offer_of(node: Running, product: str, scripted: Scripted) -> dict[str, Any]:
    """The offer of a product, as the catalogue of a node shows it to the scripted peer."""
    _, catalog = scripted.say(node, "/catalog/request", {"@type": "CatalogRequestMessage"})
    dataset = next(d for d in catalog["dataset"] if d["@id"] == product)
    return {**dataset["hasPolicy"][0], "target": product, "assigner": node.did}


def peer(node: Running) -> Peer:
    """A node of ours, as an EDC names it."""
    return Peer(node.did, f"http://{node.public}/dsp/2025-1")


# Our consumer takes from an EDC.


def begun(node: Running, edc: Edc, asset: str, target: Path, way: str) -> dict[str, Any]:
    """What a consumer of ours has begun to acquire."""
    body = {"product": asset, "provider": edc.id, "target": str(target), "format": way}
    found: dict[str, Any] = node.ask("POST", "/owner/uses", body)
    return found


def over(node: Running, acquisition: str) -> dict[str, Any]:
    """Wait for the end of an acquisition; gives how it ended."""

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = node.ask("GET", f"/owner/acquisitions/{acquisition}")
        return found if found["state"] in {"received", "failed"} else None

    return wait_for("the end of an acquisition", ended)


def process(node: Running, key: str) -> dict[str, Any]:
    """A transfer process as our owner sees it."""
    found: dict[str, Any] = next(
        p for p in node.ask("GET", "/owner/processes")["processes"] if p["id"] == key
    )
    return found


def started(node: Running, acquisition: str) -> str:
    """Wait until the process of an acquisition is started; gives its id."""

    def found() -> str | None:
        key: str | None = node.ask("GET", f"/owner/acquisitions/{acquisition}")["process"]
        return key if key is not None and process(node, key)["state"] == "STARTED" else None

    return wait_for("a started process", found)


def their_process(edc: Edc, ours: str) -> str:
    """The same transfer in the EDC, by the id that it has there."""
    found = (p["@id"] for p in edc.transfer_processes() if p.get("correlationId") == ours)
    return str(next(found))


def both_at(node: Running, ours: str, edc: Edc, theirs: str, state: str) -> None:
    """Wait until both sides call a transfer so, with nothing of ours on its way."""

    def agreed() -> bool:
        there, here = edc.transfer_process(theirs)["state"], process(node, ours)
        is_there = there == state or (there == "DEPROVISIONED" and state in {"COMPLETED", "TERMINATED"})
        return is_there and (here["state"], here["pending"]) == (state, None)

    wait_for(f"{state} on both sides", agreed)
