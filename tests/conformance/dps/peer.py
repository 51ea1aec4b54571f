"""The other side of Data Plane Signaling, written from the specification alone: nothing of the product in it.

It plays what a suite plays: a control plane that drives the data plane under test, or a data plane and the
counterparty's connector in one for the control plane under test. What comes is kept, checked for what the
schemas require, and answered as the scenario says.
"""

import base64
import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"
PATIENCE = 10.0
PIECE = 1 << 20
_ORDER = [
    "messageId",
    "participantId",
    "counterPartyId",
    "dataspaceContext",
    "processId",
    "agreementId",
    "datasetId",
    "profile",
]
REQUIRED = {
    r"/dataflows/(prepare|start)": _ORDER,
    r"/dataflows/[^/]+/(started|suspend|resume|terminate)": ("messageId",),
    r"/dataflows/[^/]+/completed": (),
    r"/transfers/[^/]+/dataflow/\w+": ("messageId", "dataFlowId", "state"),
}
"""What each message must hold (schemas of 1.0-RC3)."""


@dataclass
class Answer:
    """What was answered to a call of ours."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Came:
    """One message that came in."""

    path: str
    body: Any
    headers: dict[str, str]


@dataclass
class Peer:
    """Listens on a port of its own from the first moment on; `refuse` holds what is not awaited yet."""

    came: list[Came] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    answers: dict[str, Callable[[Came], tuple[int, Any]]] = field(default_factory=dict)
    """By pattern of the path; what is not named is answered 404, as nobody waits for it."""

    taken: int = 0
    """Bytes that came to `/large`."""
    gives: int = 0
    """Bytes that `/large` gives out."""

    def __post_init__(self) -> None:
        self._news = threading.Condition()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.did = f"did:web:127.0.0.1%3A{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def expect(self, pattern: str, status: int = 200, body: Any = None) -> None:
        """From now on, answer what comes to this path so."""
        self.answers[pattern] = lambda _came: (status, {} if body is None else body)

    def wait_for(self, pattern: str, patience: float = PATIENCE) -> Came:
        """The newest message that came to this path and was welcome, once there is one."""
        with self._news:
            arrived = self._news.wait_for(lambda: bool(self.at(pattern)), patience)
        assert arrived, f"nothing came to {pattern}; there came {[c.path for c in self.came]}"
        return self.at(pattern)[-1]

    def at(self, pattern: str) -> list[Came]:
        return [c for c in self.came if re.fullmatch(pattern, c.path)]

    def take(self, came: Came) -> tuple[int, Any]:
        """What a message that comes in is answered."""
        if came.path == "/.well-known/did.json":
            return 200, self._document()
        for pattern, names in REQUIRED.items():
            if re.fullmatch(pattern, came.path):
                missing = [n for n in names if n not in (came.body or {})]
                self.faults += [f"{came.path} has no {n}" for n in missing]
        for pattern, answer in self.answers.items():
            if re.fullmatch(pattern, came.path):
                status, body = answer(came)
                with self._news:
                    self.came.append(came)
                    self._news.notify_all()
                return status, body
        return 404, {}

    def client_token(self, audience: str, access_token: str) -> str:
        """A client's proof that it may renew a token (Token Renewal profile, Client Authentication)."""
        now = int(time.time())
        head = {"alg": "ES256", "typ": "JWT", "kid": f"{self.did}#key"}
        claims = {
            "iss": self.did,
            "sub": self.did,
            "aud": audience,
            "iat": now,
            "exp": now + 600,
            "jti": str(uuid.uuid4()),
            "token": access_token,
        }
        signed = f"{_base64(json.dumps(head).encode())}.{_base64(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def _document(self) -> Any:
        numbers = self._key.public_key().public_numbers()
        x, y = (_base64(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
        jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        key = f"{self.did}#key"
        method = {"id": key, "type": "JsonWebKey2020", "controller": self.did, "publicKeyJwk": jwk}
        return {"id": self.did, "verificationMethod": [method], "authentication": [key]}


def call(
    method: str, url: str, body: Any = None, headers: dict[str, str] | None = None, *, form: bool = False
) -> Answer:
    """Call an address; the answer is read as JSON where it is some."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=PATIENCE)
    raw = None if body is None else urlencode(body) if form else json.dumps(body)
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    try:
        connection.request(method, parts.path, raw, {"content-type": kind, **(headers or {})})
        response = connection.getresponse()
        came = response.read()
        told = {k.lower(): v for k, v in response.getheaders()}
    finally:
        connection.close()
    is_json = told.get("content-type", "").endswith("json")
    return Answer(response.status, json.loads(came) if is_json and came else came, told)


def _handler(peer: Peer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            if self.path.startswith("/large"):
                self._move()
                return
            raw = self.rfile.read(int(self.headers.get("content-length", "0")))
            body = json.loads(raw) if raw else None
            status, answered = peer.take(
                Came(self.path, body, {k.lower(): v for k, v in self.headers.items()})
            )
            told = json.dumps(answered).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def _move(self) -> None:
            """Take in or give out much, a piece at a time; what came is counted and thrown away."""
            if self.command == "POST":
                left = int(self.headers["content-length"])
                while left:
                    left -= len(self.rfile.read(min(left, PIECE)))
                peer.taken += int(self.headers["content-length"])
            self.send_response(200)
            size = peer.gives if self.command == "GET" else 0
            self.send_header("content-length", str(size))
            self.end_headers()
            for start in range(0, size, PIECE):
                self.wfile.write(bytes(min(PIECE, size - start)))

        do_GET = do_POST = do_HEAD = _answer  # noqa: N815 (the names that the library looks for)

        def log_message(self, *_said: object) -> None:
            """Nobody reads it."""

    return Handler


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
