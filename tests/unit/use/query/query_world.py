"""A provider's door of queries over the planted trial, called as a server would call it."""

import asyncio
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from planted import K, write_trial

from entrepot import catalogue
from entrepot.catalogue import ColumnRole, Protection, Source, SourceKind
from entrepot.contracts import Agreement, Exchange, Party, State, Status, ends_at, render_agreement, store
from entrepot.journal import Transaction
from entrepot.policy import parse_policy
from entrepot.use import Door, Doors, Streams, TransferProcess, Use
from entrepot.use import store as use_store
from entrepot.use.process import token_digest
from entrepot.use.query import Limits, QueryDoor, Tier
from entrepot.use.query.cage.admitting import verdict_on
from entrepot.use.query.cage.model import Asked, Cells, Job, Ran, Verdict, Written
from entrepot.use.query.cage.running import run
from entrepot.use.query.schema import Askable
from entrepot.values import (
    AgreementId,
    Grade,
    KindOfUse,
    ProcessId,
    ProductId,
    UnavailableError,
    canonical,
    sha256,
)

_SPEC = importlib.util.spec_from_file_location("gate_world", Path(__file__).parents[1] / "gate_world.py")
assert _SPEC is not None
assert _SPEC.loader is not None
if "gate_world" not in sys.modules:
    sys.modules["gate_world"] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(sys.modules["gate_world"])
import gate_world  # noqa: E402 (loaded just now: test folders are no packages)

CONTRACT = "1491310000MA1FL0000N31012026112508010856RZ32S1A"
AGREEMENT = AgreementId(CONTRACT)
PROCESS = ProcessId("urn:uuid:query")
FORMAT = "EntrepotQuery-PULL"
TOKEN = "the token of the query"
PROTECTION = Protection(
    "trial",
    "person",
    K,
    (
        ("arm", ColumnRole.DIMENSION),
        ("site", ColumnRole.DIMENSION),
        ("age", ColumnRole.DIMENSION),
        ("cd4", ColumnRole.MEASURE),
        ("dose", ColumnRole.MEASURE),
    ),
)
QUICK = Limits(bucket=0.01, seconds=20.0)


@dataclass
class InProcess:
    """What children do, without their processes; tests/space/test_query.py holds both to the same answers."""

    limits: Limits

    is_there: bool = True
    """Whether children can be started at all."""
    running: int = 0
    most: int = 0
    """How many ran at once, at most."""

    async def tier(self) -> Tier:
        if not self.is_there:
            raise UnavailableError("no child can be started")
        return Tier.LIMITS

    async def read(self, sql: str, about: Askable) -> Verdict:
        await self.tier()
        return verdict_on(Asked(sql=sql, tables=(about.table,), limits=about.limits))

    async def run(self, path: Path, about: Askable, written: Written, earlier: tuple[Cells, ...]) -> Ran:
        job = Job(table=about.table, path=str(path), written=written, earlier=earlier, limits=about.limits)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await asyncio.to_thread(run, job)
        finally:
            self.running -= 1


@dataclass
class Reply:
    """What came back from the door."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class QueryWorld(gate_world.World):
    """One product that is used by query, under a contract of these constraints."""

    def __init__(
        self,
        folder: Path,
        *constraints: tuple[str, str, object],
        protection: Protection | None = PROTECTION,
        limits: Limits = QUICK,
        is_there: bool = True,
    ) -> None:
        super().__init__(folder)
        self.streams = Streams()
        source = Source(SourceKind.PARQUET, str(write_trial(folder / "trial.parquet")))
        self.resource = replace(catalogue.prepare(source, "", folder / "artefacts"), id="trial")
        atoms = [dict(zip(("leftOperand", "operator", "rightOperand"), c, strict=True)) for c in constraints]
        terms = parse_policy(
            {"permission": [{"action": "use", "constraint": atoms} if atoms else {"action": "use"}]}
        )

        def fill(tx: Transaction) -> None:
            catalogue.attach_resource(tx, self.resource)
            described = catalogue.Description(
                "Trial", "A trial.", "research", Grade.L4, frozenset({KindOfUse.QUERY}), terms, (), protection
            )
            product = catalogue.offer_product(
                tx, ProductId("6TRIAL"), gate_world.PROVIDER, self.resource.id, described
            )
            agreement = Agreement(
                AGREEMENT, product.id, terms, gate_world.PROVIDER, gate_world.CONSUMER,
                gate_world.NOW - timedelta(hours=1),
            )  # fmt: skip
            store.keep_contract(
                tx,
                {
                    "agreement_id": AGREEMENT, "contract_id": CONTRACT, "negotiation_id": "urn:uuid:query-n",
                    "party": str(Party.PROVIDER), "counterparty": gate_world.CONSUMER,
                    "status": str(Status.PERFORMING),
                    "agreement": canonical.encode(render_agreement(agreement)),
                    "product_digest": catalogue.product_digest(product), "envelope": b"",
                    "envelope_digest": sha256(b""), "receipt": b"", "one_sided": False,
                    "ends_at": ends_at(terms), "end_reason": None, "ended_at": None, "end_told": True,
                },
            )  # fmt: skip
            exchange = Exchange(PROCESS, Party.PROVIDER, State.STARTED, None, ProcessId("urn:uuid:theirs"), 0)
            process = TransferProcess(
                exchange, gate_world.CONSUMER, "https://consumer.example", AGREEMENT, FORMAT
            )
            use_store.create(tx, process)
            door = Door(PROCESS, AGREEMENT, gate_world.CONSUMER, FORMAT, 1)
            use_store.open_door(tx, door, token_digest(TOKEN))

        self.journal.write_now(fill)
        self.children = InProcess(limits, is_there=is_there)
        door = QueryDoor(self.journal, self.house, self.streams, self.children)  # type: ignore[arg-type]
        self.doors = Doors(self.journal, {FORMAT: door})

    def ask_for(self, sql: str) -> Reply:
        return self.call(msgspec.json.encode({"sql": sql}))

    def call(self, body: bytes = b"", *, method: str = "POST", token: str = TOKEN) -> Reply:
        return asyncio.run(self.acall(body, method=method, token=token))

    async def acall(self, body: bytes = b"", *, method: str = "POST", token: str = TOKEN) -> Reply:
        """One call, as a server hands it to the door."""
        reply = Reply()
        scope = {
            "type": "http", "method": method, "query_string": b"", "client": ("127.0.0.1", 40_000),
            "headers": [(b"authorization", f"Bearer {token}".encode())],
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(event: Mapping[str, Any]) -> None:
            if event["type"] == "http.response.start":
                reply.status = event["status"]
                reply.headers = {k.decode(): v.decode("latin-1") for k, v in event["headers"]}
            else:
                reply.body += event["body"]

        await self.doors(scope, receive, send, {"process": PROCESS})
        return reply

    def used(self) -> list[Use]:
        """The uses of this product, in the order in which they began."""
        found = self.journal.read_now(lambda c: use_store.uses(c, 1_000))
        return sorted((u for u in found if u.agreement_id == AGREEMENT), key=lambda u: (len(u.id), u.id))
