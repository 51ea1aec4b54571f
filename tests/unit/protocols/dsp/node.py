"""A node without sockets: a real journal, real use cases, the routes called as a server would."""

import asyncio
import json
import re
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import Connection

from entrepot import contracts
from entrepot.catalogue import Page, Place, Search
from entrepot.contracts import Desk, Listing, Negotiation, Next, Offer, Party
from entrepot.journal import Journal, OutboxMessage, Transaction, claim
from entrepot.policy import Policy, Rule
from entrepot.protocols import Call, Proof, Reply, Response, Route, dsp
from entrepot.protocols.dsp import envelope
from entrepot.use import TransferProcess
from entrepot.use import process as transfers
from entrepot.values import (
    AgreementId,
    Did,
    OfferId,
    ProductId,
    ProtocolError,
    UnavailableError,
    UtcTime,
    canonical,
)

ME, PEER, STRANGER = (Did(f"did:web:{n}.example") for n in ("us", "them", "mallory"))
PEER_BASE = "https://them.example/dsp/2025-1"
OPEN = Policy(permissions=(Rule("use"),))
PRODUCT = ProductId("urn:product:weather")
OFFER = Offer(OfferId("urn:product:weather#offer-1"), PRODUCT, OPEN)
AGREEMENT = AgreementId("urn:agreement:1")
START = datetime(2026, 11, 25, 8, tzinfo=UTC)


@dataclass
class Outside:
    """The network as a test wants it: answers in order, then silence. It keeps what was asked."""

    answers: list[Reply | Exception] = field(default_factory=list)
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    meanwhile: list[Coroutine[Any, Any, object]] = field(default_factory=list)
    """What happens here between a question and its answer."""

    async def __call__(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: object = None,
        max_bytes: int = 1 << 20,
    ) -> Reply:
        del headers, max_bytes
        self.asked.append((method, url, body))
        if self.meanwhile:
            await self.meanwhile.pop(0)
        answer = self.answers.pop(0) if self.answers else UnavailableError("silence")
        if isinstance(answer, Exception):
            raise answer
        return answer


class Node:
    """One party; `respond` and `respond_transfer` say what it does next, nothing unless a test sets them."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.journal = Journal.open(f"sqlite:///{folder / 'node.db'}", clock=lambda: self.now)
        self.journal.create_schema()
        self.wanted: list[Next] = []
        self.wanted_of_transfer: list[Next] = []
        self.refuses_to_open: tuple[str, ...] = ()
        self.padding = ""
        """What makes a page of the catalogue longer."""
        self.outside = Outside()
        self.authorization: Exception | None = None
        self.desk = Desk(ME, dsp.render_negotiation, self._respond, "https://us.example/dsp/2025-1")
        self.rail = transfers.Rail(
            render=dsp.render_transfer,
            respond=self._respond_transfer,
            door_token=lambda process, epoch: f"token {process} {epoch}",
            door_endpoint=lambda process: f"https://us.example/door/{process}",
            callback="https://us.example/dsp/2025-1",
        )
        self.services = dsp.Services(
            self.journal,
            self.desk,
            self.rail,
            self._published,
            lambda *_: self.refuses_to_open,
            self._catalog,
            self._dataset,
            self._check_callback,
        )
        self.routes = dsp.routes(self.services)
        self.correspondence = dsp.Correspondence(
            self.journal, self.desk, self.rail, self.outside, self._authorization
        )

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        caller: Did | None = PEER,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Response:
        """Call an endpoint; what the route asks for has been shown already."""
        return asyncio.run(self.called(method, path, body, caller, headers=headers))

    def follow(self, method: str, url: str, body: Any = None) -> Response:
        """Call an address of ours as somebody wrote it."""
        path, _, query = url.removeprefix("https://us.example").partition("?")
        return asyncio.run(self.called(method, path, body, query=dict(parse_qsl(query))))

    async def called(
        self,
        method: str,
        path: str,
        body: Any = None,
        caller: Did | None = PEER,
        query: Mapping[str, str] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Response:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        found = self._find(method, dsp.PATH + path) or self._find(method, path)
        assert found is not None, f"no route for {method} {path}"
        route, steps = found
        asking = caller if route.proof is Proof.MEMBERSHIP else None
        return await route.handle(Call(steps, raw, headers, query, asking))

    def send_due(self) -> dsp.Meaning:
        """Send the one message that is due."""
        (message,) = self.due()
        return asyncio.run(self.correspondence.send(message, self.now))

    def due(self) -> list[OutboxMessage]:
        return self.journal.write_now(lambda tx: claim(tx, "test", (contracts.DSP,), 0.001))

    def negotiation(self) -> Negotiation:
        (found,) = self.journal.read_now(contracts.negotiations)
        return found

    def process(self) -> TransferProcess:
        (found,) = self.journal.read_now(transfers.processes)
        return found

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def request_contract(self) -> Negotiation:
        return self.journal.write_now(
            lambda tx: contracts.request_contract(tx, self.desk, PEER, PEER_BASE, OFFER, None)
        )

    def hold_agreement(self, party: Party = Party.PROVIDER) -> None:
        """Hold an agreement with the peer in which we are this party."""
        parties = (ME, PEER) if party is Party.PROVIDER else (PEER, ME)
        agreement = contracts.Agreement(AGREEMENT, PRODUCT, OPEN, *parties, START)

        def hold(tx: Transaction) -> None:
            contracts.hold_insecure_unsigned(tx, agreement, party, PEER)

        with pytest.warns(UserWarning, match="without signatures"):
            self.journal.write_now(hold)

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self.routes:
            pattern = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", route.path)
            match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern), path)
            if match is not None and route.method == method:
                return route, match.groupdict()
        return None

    def _respond(self, _negotiation: Negotiation, _now: UtcTime) -> Next | None:
        return self.wanted.pop(0) if self.wanted else None

    def _respond_transfer(self, _c: Connection, _p: TransferProcess, _now: UtcTime) -> Next | None:
        return self.wanted_of_transfer.pop(0) if self.wanted_of_transfer else None

    async def _authorization(self, _peer: Did) -> str:
        if self.authorization is not None:
            raise self.authorization
        return "Bearer token"

    @staticmethod
    def _published(_connection: Connection, offer: Offer) -> Listing | None:
        return Listing(OFFER, None) if offer.target == PRODUCT else None

    def _catalog(self, _connection: Connection, caller: Did | None, place: Place | Search) -> Page:
        """Three datasets, numbered from one; a search finds them all."""
        words = place.words if isinstance(place, Search) else ""
        if isinstance(place, Search):
            place = Place(place.offset, place.limit)
        begin = place.after + place.skip
        shown = [n for n in (1, 2, 3) if begin < n <= begin + place.size]
        datasets: list[canonical.Json] = [{"@id": f"urn:d:{n}"} for n in shown]
        body = canonical.encode(
            {
                "@context": [envelope.CONTEXT],
                "for": caller,
                "words": words,
                "pad": self.padding,
                "dataset": datasets,
            }
        )
        more = bool(shown) and shown[-1] < 3
        return Page(body, shown[-1] if more else None, max(place.after - place.size, 0) or None)

    @staticmethod
    def _dataset(_connection: Connection, wanted: str, _caller: Did | None) -> bytes | None:
        return canonical.encode({"@id": wanted}) if wanted.startswith("urn:d:") else None

    @staticmethod
    async def _check_callback(address: str, sender: Did) -> None:
        if not address.startswith("https://" + sender.removeprefix("did:web:") + "/"):
            raise ProtocolError("callbackAddress does not lie on an origin of the sender's DID services")
