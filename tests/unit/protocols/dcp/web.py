"""A web that misbehaves on demand: nodes by host, who is down, what is answered instead, who asked what."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from entrepot_identity_world import PLATFORM, START, STATUS_URL, Party, credential_of

from entrepot.identity import Caller, issue_status_list
from entrepot.journal import Journal
from entrepot.protocols import Call, Reply, Response, Route
from entrepot.protocols.dcp import MEMBERSHIP, PATH, STRICT, Acquaintance, Services, Trust, routes
from entrepot.values import Did, EntrepotError, UnavailableError

MAX_AGE = timedelta(seconds=60)


@cache
def _empty_journal() -> bytes:
    """A database with every table, made once: it is what takes longest."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        with Journal.open(f"sqlite:///{path}") as journal:
            journal.create_schema()
        return path.read_bytes()


class Node:
    """One node: its journal on disk, its acquaintance with others, and the routes that it serves."""

    def __init__(self, web: "Web", name: str) -> None:
        self.web = web
        self.party = Party(name, services={"CredentialService": f"https://{name}.example{PATH}"})
        self.credential: str | None = None
        self.raw_document = self.party.raw_document
        self.issuers: frozenset[Did] = frozenset()
        self.scopes = (MEMBERSHIP,)
        self.profile = STRICT
        self.start()

    def start(self) -> None:
        path = self.web.folder / f"{self.party.name}.db"
        if not path.exists():
            path.write_bytes(_empty_journal())
        self.journal = Journal.open(f"sqlite:///{path}", clock=lambda: self.web.now)
        self.meet()
        services = Services(
            me=self.party.did,
            signer=self.party.identity,
            did_document=lambda: self.raw_document,
            credential=self._credential,
            identify=self._identify,
            access_token=self.access_token,
            clock=lambda: self.web.now,
        )
        self.routes: list[Route] = routes(services)

    def meet(self, party: Party | None = None) -> None:
        trust = Trust(
            self.party.did,
            PLATFORM.did,
            MAX_AGE,
            lambda _did: False,
            self.issuers,
            self.scopes,
            self.profile,
        )
        self.acquaintance = Acquaintance(
            self.journal,
            self.web,
            trust,
            (party or self.party).identity,
            lambda: self.web.now,
            self.access_token,
        )

    def restart(self) -> None:
        self.journal.close()
        self.start()

    def access_token(self, peer: Did) -> str:
        return f"secret of {self.party.name} for {peer}"

    async def _identify(self, authorization: str) -> Caller:
        return await self.acquaintance.identify(authorization)

    async def _credential(self) -> str | None:
        return self.credential

    async def serve(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        for route in self.routes:
            if (route.method, route.path) == (method, path):
                try:
                    return await route.handle(Call({}, body, headers))
                except EntrepotError as error:
                    return Response(error.status, str(error).encode())
        return Response(404)


@dataclass
class Web:
    folder: Path
    now: datetime = START
    nodes: dict[str, Node] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    instead: dict[str, Reply] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    slow: bool = False

    def node(self, name: str, **membership: Any) -> Node:
        """A node that is a member, unless it is the platform."""
        made = Node(self, name)
        self.nodes[f"{name}.example"] = made
        if name != PLATFORM.name:
            made.credential = credential_of(made.party, **membership)
        return made

    def status_list(self, *revoked: int) -> str:
        return issue_status_list(PLATFORM.identity, PLATFORM.did, STATUS_URL, revoked, self.now)

    async def __call__(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
    ) -> Reply:
        self.asked.append(url)
        parts = urlsplit(url)
        host = str(parts.hostname)
        if self.slow:
            await asyncio.sleep(0.01)
        if url in self.instead:
            return self.instead[url]
        if host in self.down or host not in self.nodes:
            raise UnavailableError(f"{host} cannot be reached")
        response = await self.nodes[host].serve(method, parts.path, body, headers or {})
        assert len(response.body) <= max_bytes
        return Reply(response.status, response.body, response.headers)

    def close(self) -> None:
        for node in self.nodes.values():
            node.journal.close()
