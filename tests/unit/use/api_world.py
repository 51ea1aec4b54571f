"""A provider's open API over a real table, called as a server would call it."""

import asyncio
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from entrepot import catalogue
from entrepot.catalogue import Resource, Source, SourceKind
from entrepot.contracts import Agreement, Party, Status, ends_at, render_agreement, store
from entrepot.journal import Transaction
from entrepot.policy import parse_policy
from entrepot.use import Door, Doors, Streams, TransferProcess
from entrepot.use import store as use_store
from entrepot.use.api import ApiDoor
from entrepot.use.api_live import Answered
from entrepot.use.process import token_digest
from entrepot.values import AgreementId, Did, Grade, KindOfUse, ProcessId, ProductId, UseId, canonical, sha256

_SPEC = importlib.util.spec_from_file_location("gate_world", Path(__file__).with_name("gate_world.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
if "gate_world" not in sys.modules:
    sys.modules["gate_world"] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(sys.modules["gate_world"])
import gate_world  # noqa: E402 (loaded just now: test folders are no packages)

CONTRACT = "1491310000MA1FL0000N31012026112508010855RZ32S1A"
AGREEMENT = AgreementId(CONTRACT)
PROCESS = ProcessId("urn:uuid:api")
TOKEN = "the token of the api"
WEATHER = """date,place,rain,note
2012-01-01,31,0.0,dry
2012-01-02,31,10.9,wet
2012-01-03,44,0.8,
2012-01-04,44,20.3,wet
2012-01-05,31,NA,broken
"""
SECRET = "Bearer geheim"


@dataclass
class Reply:
    """What came back from a door."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Upstream:
    """A service that answers what it was told to, and remembers what it was asked."""

    answered: Answered | Exception = field(
        default_factory=lambda: Answered(200, "application/json; charset=utf-8", b'{"warm":true}')
    )
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    before: Callable[[], object] = lambda: None
    """What happens while it is asked."""

    async def __call__(self, url: str, headers: Mapping[str, str], most: int) -> Answered:
        del most
        self.before()
        self.asked.append((url, headers))
        if isinstance(self.answered, Exception):
            raise self.answered
        return self.answered


class ApiWorld(gate_world.World):
    """One product that is used by api, under a contract of these constraints."""

    def __init__(
        self, folder: Path, *constraints: tuple[str, str, object], service: bool = False, text: str = WEATHER
    ) -> None:
        super().__init__(folder)
        self.upstream = Upstream()
        self.streams = Streams()
        self.resource = self._resource(folder, text, service=service)
        terms = parse_policy(
            {"permission": [{"action": "use", "constraint": [_atom(c) for c in constraints]}]}
        )

        def fill(tx: Transaction) -> None:
            catalogue.attach_resource(tx, self.resource)
            described = catalogue.Description(
                "Weather", "Days of weather.", "open", Grade.L1, frozenset({KindOfUse.API}), terms
            )
            product = catalogue.offer_product(
                tx, ProductId("6WEATHER"), gate_world.PROVIDER, self.resource.id, described
            )
            agreement = Agreement(
                AGREEMENT, product.id, terms, gate_world.PROVIDER, gate_world.CONSUMER,
                gate_world.NOW - timedelta(hours=1),
            )  # fmt: skip
            store.keep_contract(
                tx,
                {
                    "agreement_id": AGREEMENT, "contract_id": CONTRACT, "negotiation_id": "urn:uuid:api-n",
                    "party": str(Party.PROVIDER), "counterparty": gate_world.CONSUMER,
                    "status": str(Status.PERFORMING),
                    "agreement": canonical.encode(render_agreement(agreement)),
                    "product_digest": catalogue.product_digest(product), "envelope": b"",
                    "envelope_digest": sha256(b""), "receipt": b"", "one_sided": False,
                    "ends_at": ends_at(terms), "end_reason": None, "ended_at": None, "end_told": True,
                },
            )  # fmt: skip
            self._open_process(tx)

        self.journal.write_now(fill)

        async def let_in(source: Source) -> str:
            return SECRET if source.secret else ""

        door = ApiDoor(
            self.journal, self.house, self.streams, self.upstream, let_in, lambda a: sha256(a.encode())
        )
        self.doors = Doors(self.journal, {"EntrepotApi-PULL": door})

    def get(self, below: str, *, token: str = TOKEN, method: str = "GET", purpose: str = "") -> Reply:
        return asyncio.run(self.aget(below, token=token, method=method, purpose=purpose))

    async def aget(self, below: str, *, token: str = TOKEN, method: str = "GET", purpose: str = "") -> Reply:
        """One call, as a server hands it to the door."""
        path, _, query = below.partition("?")
        reply = Reply()
        headers = [(b"authorization", f"Bearer {token}".encode())]
        if purpose:
            headers.append((b"entrepot-purpose", purpose.encode()))
        scope = {
            "type": "http", "method": method, "query_string": query.encode(), "headers": headers,
            "client": ("127.0.0.1", 40_000),
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(event: Mapping[str, Any]) -> None:
            if event["type"] == "http.response.start":
                reply.status = event["status"]
                reply.headers = {k.decode(): v.decode("latin-1") for k, v in event["headers"]}
            else:
                reply.body += event["body"]

        await self.doors(scope, receive, send, {"process": PROCESS, **({"below": path} if path else {})})
        return reply

    def used(self) -> Sequence[Any]:
        """The uses of this product, in the order in which they began."""
        found = self.journal.read_now(lambda c: use_store.uses(c, 1_000))
        return sorted((u for u in found if u.agreement_id == AGREEMENT), key=lambda u: (len(u.id), u.id))

    def use_of(self, reply: Reply) -> UseId:
        return UseId(reply.headers["entrepot-use"])

    def _resource(self, folder: Path, text: str, *, service: bool) -> Resource:
        path = folder / "weather.csv"
        path.write_text(text, "utf-8")
        source = Source(SourceKind.CSV, str(path))
        if service:
            source = Source(
                SourceKind.HTTP, "https://api.example/v1/", secret="key", paths=("/days", "/places/31"),
                parameters=("from", "to"),
            )  # fmt: skip
        return replace(catalogue.prepare(source, "", folder / "artefacts"), id="weather")

    def _open_process(self, tx: Transaction) -> None:
        from entrepot.contracts import Exchange, State

        exchange = Exchange(PROCESS, Party.PROVIDER, State.STARTED, None, ProcessId("urn:uuid:theirs"), 0)
        process = TransferProcess(
            exchange, gate_world.CONSUMER, "https://consumer.example", AGREEMENT, "EntrepotApi-PULL"
        )
        use_store.create(tx, process)
        door = Door(PROCESS, AGREEMENT, Did(gate_world.CONSUMER), "EntrepotApi-PULL", 1)
        use_store.open_door(tx, door, token_digest(TOKEN))


def _atom(constraint: tuple[str, str, object]) -> dict[str, object]:
    left, operator, right = constraint
    return {"leftOperand": left, "operator": operator, "rightOperand": right}
