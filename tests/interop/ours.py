"""A connector of ours as bare as the EDC beside it: the protocol alone, callers believed, nothing signed.

For measuring like with like: the product's routes, use cases, outbox and durable SQLite in a process of its
own, with EDC's mock identity and without the digital contract (contract number, signatures, filing), for
which EDC has nothing. Agreed is what equals the listing, as in the product.

    python tests/interop/ours.py FOLDER PORT DID [DID=ADDRESS ...]
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from runtime import call, hang_up
from sqlalchemy import Connection

from entrepot import catalogue, contracts
from entrepot.contracts import Desk, Listing, Move, Negotiation, Next, Offer, Party, Step
from entrepot.journal import Journal, Transaction
from entrepot.node.http import Application, Gatekeeper
from entrepot.node.loops import Loops, OutboxLoop
from entrepot.node.node import Loop
from entrepot.node.outgoing import HttpClient
from entrepot.node.server import http1
from entrepot.policy import Policy, Rule
from entrepot.protocols import Call, Proof, Response, Route, dsp
from entrepot.use import process as transfers
from entrepot.values import (
    AgreementId,
    ContractId,
    Did,
    Digest,
    Grade,
    KindOfUse,
    OfferId,
    ProcessId,
    ProductId,
    TrustError,
    UtcTime,
    sha256,
    system_clock,
)

OPEN = Policy(permissions=(Rule("use"),))
PRODUCT = ProductId("asset")
DIGEST = Digest(sha256(b"asset"))
IN_ONE_WRITE = 500


def respond(negotiation: Negotiation, now: UtcTime) -> Next | None:
    """The product's responder; where that wants a step of signing, what comes after it."""
    signing = replace(negotiation.signing, contract_id=ContractId(negotiation.exchange.id))
    wanted = contracts.respond(replace(negotiation, signing=signing), now)
    match wanted:
        case Step.SIGN_AND_HAND_OVER:
            return Next(Move.VERIFY)
        case Step.COUNTERSIGN_AND_FILE:
            return Next(Move.FINALIZE)
        case Step():
            raise AssertionError(wanted)
        case _:
            return wanted


def seed(tx: Transaction, me: Did, first: int, last: int) -> None:
    """Products whose datasets are as long as those of the street."""
    for number in range(first, last):
        catalogue.list_product(
            tx,
            catalogue.Product(
                id=ProductId(f"product-{number}"),
                version=1,
                title=f"product {number} 气象",
                description="",
                keywords=(f"name-{number}",),
                provider=me,
                grade=Grade.L1,
                rights="use",
                kinds=frozenset({KindOfUse.DELIVERY}),
                policy=OPEN,
                media_type="application/octet-stream",
                size=1,
                artefact=DIGEST,
                published_at=tx.now,
            ),
        )


class Bare:
    """The connector of one process: what the product's parts are given, and what a measurement asks of it."""

    def __init__(self, folder: Path, port: int, me: Did, peers: Mapping[Did, str]) -> None:
        self.me, self.peers = me, peers
        self.journal = Journal.open(f"sqlite:///{folder / 'node.db'}")
        self.journal.create_schema()
        self.base = f"http://127.0.0.1:{port}{dsp.PATH}"
        self.cover = catalogue.Cover(
            f"{self.base}/catalog", me, self.base, (dsp.envelope.CONTEXT,), only_own=True
        )
        self.desk = Desk(me, dsp.render_negotiation, respond, self.base)
        self.rail = transfers.Rail(
            render=dsp.render_transfer,
            respond=transfers.start_when_in_force,
            door_token=lambda process, epoch: sha256(f"{process} {epoch}".encode()).hex(),
            door_endpoint=lambda process: f"http://127.0.0.1:{port}/door/{process}",
            callback=self.base,
        )

    def routes(self) -> list[Route]:
        services = dsp.Services(
            self.journal,
            self.desk,
            self.rail,
            self._published,
            lambda *_: (),
            lambda connection, _caller, place: catalogue.page(connection, self.cover, place),
            lambda connection, wanted, _caller: catalogue.dataset_page(
                connection, self.cover, ProductId(wanted)
            ),
            self._check_callback,
        )
        asked = (self.negotiate, self.transfer, self.hold, self.stock, self.states)
        own = [Route("POST", f"/bench/{handle.__name__}", Proof.NONE, handle) for handle in asked]
        return [*dsp.routes(services), *own]

    def outbox(self) -> OutboxLoop:
        outgoing = HttpClient(allow_private=[*self.peers.values()], seconds=30)
        sending = dsp.Correspondence(self.journal, self.desk, self.rail, outgoing, self._authorization)
        return OutboxLoop(self.journal, {contracts.DSP: sending.send}, "bench", system_clock)

    async def negotiate(self, _call: Call) -> Response:
        (peer, address), *_ = self.peers.items()
        offer = Offer(OfferId("offer"), PRODUCT, OPEN, peer, self.me)
        begun = await self.journal.write(
            lambda tx: contracts.request_contract(tx, self.desk, peer, address, offer, DIGEST)
        )
        return _said({"id": begun.exchange.id})

    async def transfer(self, call: Call) -> Response:
        agreement = AgreementId(json.loads(call.body)["agreement"])

        def request(tx: Transaction) -> ProcessId:
            contract = contracts.agreement_of(tx.connection, agreement)
            assert contract is not None
            address = self.peers[contract.counterparty]
            return transfers.request_transfer(tx, self.rail, contract, address, "HttpData-PULL").exchange.id

        return _said({"id": await self.journal.write(request)})

    async def hold(self, call: Call) -> Response:
        """Hold an agreement that nobody signed, as EDC's are; its transfers are to be measured."""
        said = json.loads(call.body)
        party, other = Party(said["party"]), next(iter(self.peers))
        parties = (self.me, other) if party is Party.PROVIDER else (other, self.me)
        agreement = contracts.Agreement(
            AgreementId(said["agreement"]), PRODUCT, OPEN, *parties, system_clock()
        )
        await self.journal.write(lambda tx: contracts.hold_insecure_unsigned(tx, agreement, party, other))
        return _said({})

    async def stock(self, call: Call) -> Response:
        count = int(json.loads(call.body)["products"])
        for first in range(0, count, IN_ONE_WRITE):
            last = min(first + IN_ONE_WRITE, count)
            await self.journal.write(lambda tx, a=first, b=last: seed(tx, self.me, a, b))
        return _said({})

    async def states(self, _call: Call) -> Response:
        """How many processes stand where, those with a move on its way apart."""

        def count(connection: Connection) -> dict[str, int]:
            found = {}
            for table in ("negotiation", "transfer_process"):
                query = f"SELECT state, pending_move IS NULL, count(*) FROM {table} GROUP BY 1, 2"  # noqa: S608 (two names of ours)
                for state, is_settled, number in connection.exec_driver_sql(query):
                    found[f"{table} {state}{'' if is_settled else ' pending'}"] = number
            return found

        return _said(await self.journal.read(count))

    async def authenticate(self, authorization: str) -> Did:
        """Believe what EDC's mock identity says."""
        try:
            said = json.loads(authorization)
        except ValueError:
            said = None
        if not isinstance(said, dict) or not said.keys() >= {"region", "clientId"}:
            raise TrustError("that is no word of the mock identity")
        return Did(said["clientId"])

    async def _authorization(self, peer: Did) -> str:
        return json.dumps({"region": "eu", "audience": self.peers[peer], "clientId": self.me})

    async def _check_callback(self, address: str, sender: Did) -> None:
        if not address.startswith(self.peers[sender].rpartition(dsp.PATH)[0]):
            raise TrustError("the callback address is another's")

    @staticmethod
    def _published(_connection: Connection, offer: Offer) -> Listing | None:
        listed = Offer(OfferId("offer"), PRODUCT, OPEN)
        return Listing(listed, DIGEST) if offer.target == PRODUCT else None


def _said(answer: Mapping[str, Any]) -> Response:
    return Response(200, json.dumps(answer).encode())


async def serve(bare: Bare, port: int) -> None:
    application = Application(bare.routes(), Gatekeeper(bare.authenticate))
    loops = Loops(bare.journal, "bench", [Loop("outbox", 1.0, bare.outbox().run, wakes=True)])
    gc.freeze()  # as a node does
    loops.start()
    await uvicorn.Server(http1(f"127.0.0.1:{port}", application)).serve()
    await loops.stop()
    bare.journal.close()


@dataclass(eq=False)
class Ours:
    """One such process, as a measurement holds it."""

    folder: Path
    port: int
    did: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}{dsp.PATH}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, *peers: "Ours") -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        known = [f"{peer.did}={peer.address}" for peer in peers]
        command = [
            sys.executable,
            "-W",
            "ignore",
            __file__,
            str(self.folder),
            str(self.port),
            self.did,
            *known,
        ]
        self.process = subprocess.Popen(command)

    def is_up(self) -> bool:
        with suppress(OSError):
            return self.ask("states") is not None
        return False

    def ask(self, what: str, **body: Any) -> Any:
        """Ask as an EDC is asked: over connections that are kept."""
        status, said = call("POST", self.port, f"/bench/{what}", json.dumps(body))
        assert status == 200, said
        return json.loads(said)

    def cpu_seconds(self) -> float:
        return time.clock_gettime((~self.pid << 3) | 2)

    def stop(self) -> None:
        hang_up([self.port])
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


if __name__ == "__main__":
    where, number, name, *known = sys.argv[1:]
    others = {Did(did): address for did, _, address in (item.partition("=") for item in known)}
    uvloop.run(serve(Bare(Path(where), int(number), Did(name), others), int(number)))
