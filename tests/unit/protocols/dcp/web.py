"""A web that misbehaves on demand: nodes by host, who is down, what is answered instead, who asked what."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from entrepot_identity_world import PLATFORM, START, STATUS_URL, Party, credential_of

from entrepot.identity import (
    ACCESS_LIFETIME,
    Access,
    Caller,
    OwnCredential,
    is_good,
    issue_id_token,
    issue_status_list,
    own_credentials,
    parse_token,
    read_credential,
    verify_access_token,
    write_access_token,
)
from entrepot.journal import Journal, new_uuid
from entrepot.protocols import Call, Reply, Response, Route
from entrepot.protocols.dcp import (
    ISSUER_PATH,
    MEMBERSHIP,
    PATH,
    STRICT,
    Acquaintance,
    Asking,
    Deliveries,
    Services,
    Storage,
    TokenService,
    Trust,
    routes,
)
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
        self.party = Party(name, services=self._services(name))
        self.credential: str | None = None
        self.raw_document = self.party.raw_document
        self.issuers: frozenset[Did] = frozenset()
        self.scopes = (MEMBERSHIP,)
        self.profile = STRICT
        self.believed = {PLATFORM.did}
        self.follows_offers = False
        self.start()

    @staticmethod
    def _services(name: str) -> dict[str, str]:
        base = f"https://{name}.example"
        return {"CredentialService": base + PATH, "IssuerService": base + ISSUER_PATH}

    def start(self) -> None:
        path = self.web.folder / f"{self.party.name}.db"
        if not path.exists():
            path.write_bytes(_empty_journal())
        self.journal = Journal.open(f"sqlite:///{path}", clock=lambda: self.web.now)
        self.meet()
        self.storage = Storage(
            journal=self.journal,
            me=self.party.did,
            platform=PLATFORM.did,
            identify=self._identify,
            document=self.acquaintance.document,
            access=self.access,
            believes=lambda issuer: issuer in self.believed,
            take_in_membership=self.acquaintance.take_in_own_credential,
            profile=self.profile,
            clock=self.clock,
            follows_offers=self.follows_offers,
        )
        services = Services(
            me=self.party.did,
            signer=self.party.identity,
            did_document=lambda: self.raw_document,
            held=self._held,
            identify=self._identify,
            access=self.access,
            clock=self.clock,
            storage=self.storage,
            profile=self.profile,
        )
        self.asking = Asking(
            self.journal,
            self.web,
            self.acquaintance.document,
            self.authorization,
            lambda access: write_access_token(self.key, access),
            self.clock,
        )
        self.tokens = TokenService(
            self.journal,
            self.party.did,
            self.id_token,
            lambda access: write_access_token(self.key, access),
            self.clock,
        )
        self.deliveries = Deliveries(self.journal, self.web, self.acquaintance.document, self.authorization)
        self.routes: list[Route] = [*routes(services), *self.tokens.routes()]

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

    @property
    def key(self) -> bytes:
        return f"secret of {self.party.name}".encode()

    def clock(self) -> datetime:
        return self.web.now

    def access_token(self, peer: Did, *scopes: str) -> str:
        ends = self.web.now + ACCESS_LIFETIME
        return write_access_token(self.key, Access(peer, scopes or (MEMBERSHIP,), ends))

    def access(self, raw: str, reader: Did) -> Access:
        return verify_access_token(self.key, raw, reader, self.web.now)

    def id_token(self, audience: Did, access_token: str) -> str:
        me, signer = self.party.did, self.party.identity
        return issue_id_token(signer, me, audience, self.web.now, new_uuid(), access_token)

    def authorization(self, peer: Did, access_token: str = "") -> str:
        return f"Bearer {self.id_token(peer, access_token)}"

    async def _identify(self, authorization: str) -> Caller:
        return await self.acquaintance.identify(authorization)

    async def _held(self, _reader: Did) -> list[OwnCredential]:
        found = await self.journal.read(lambda c: own_credentials(c, self.party.did))
        if self.credential is not None:
            found.append(OwnCredential(self.credential, read_credential(parse_token(self.credential))))
        return await self.journal.read(
            lambda c: [own for own in found if is_good(c, own.credential, self.web.now)]
        )

    async def serve(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        for route in self.routes:
            found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path), path)
            if route.method == method and found is not None:
                try:
                    return await route.handle(Call(found.groupdict(), body, headers))
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
