"""What every role of our connector has under the suite of the Decentralized Claims Protocol.

The product's acquaintance with others and its credential service, over real sockets. What belongs to the
suite alone is said here: a DID of its form, fresh keys, and that only its issuer is believed.
"""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from dcp import did

from entrepot.identity import (
    ACCESS_LIFETIME,
    SUITES,
    Access,
    KeyJob,
    Signer,
    issue_id_token,
    read_did_document,
    verify_access_token,
    write_access_token,
    write_did_document,
)
from entrepot.journal import Journal, OutboxMessage, claim, new_uuid
from entrepot.node.http import Application, Gatekeeper
from entrepot.node.node import Send
from entrepot.node.outgoing import HttpClient
from entrepot.node.server import http1
from entrepot.protocols import Call, Proof, Response, Route
from entrepot.protocols.dcp import INSECURE_RC6, STRICT, Acquaintance, Trust
from entrepot.values import Did, KeyId, UtcTime

PROFILES = {"strict": STRICT, "rc6": INSECURE_RC6}
_KEY = b"of access tokens: a process, a key"


class Party:
    """One party under test."""

    def __init__(self, name: str, services: Mapping[str, str], options: argparse.Namespace) -> None:
        self.name = name
        self.base = f"http://127.0.0.1:{options.port}"
        self.me = Did(did(options.port, name))
        self.issuer = Did(did(options.suite_port, "issuer"))
        self.profile = PROFILES[options.profile]
        self.signer = Signer(KeyId(f"{self.me}#identity"), "es256", SUITES["es256"].generate())
        self.document = write_did_document(
            self.me,
            {KeyJob.IDENTITY: self.signer},
            {kind: self.base + path for kind, path in services.items()},
        )
        options.folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal.open(f"sqlite:///{options.folder / 'connector.db'}")
        self.journal.create_schema()
        self.outgoing = HttpClient(allow_private=[f"http://127.0.0.1:{options.suite_port}"], seconds=10)
        self.trust = Trust(
            me=self.me,
            platform=self.me,  # a node of no space: only the suite's issuer vouches for anybody
            status_max_age=timedelta(minutes=1),
            allows_http=lambda _did: True,
            issuers=frozenset({self.issuer}),
            profile=self.profile,
        )
        self.acquaintance = self.made_acquaintance()

    def made_acquaintance(self) -> Acquaintance:
        """One that knows nobody yet but ourselves."""
        made = Acquaintance(
            self.journal,
            self.outgoing,
            self.trust,
            self.signer,
            self.clock,
            lambda peer: self.grant(Access(peer, (), self.clock() + ACCESS_LIFETIME)),
        )
        made.introduce(read_did_document(self.document, self.me))
        return made

    async def authenticate(self, authorization: str) -> Did:
        """Meet each caller for the first time: the same holder shows something else in each test."""
        return await self.made_acquaintance().authenticate(authorization)

    def clock(self) -> UtcTime:
        return datetime.now(UTC)

    def grant(self, access: Access) -> str:
        return write_access_token(_KEY, access)

    def access(self, raw: str, reader: Did) -> Access:
        return verify_access_token(_KEY, raw, reader, self.clock())

    def id_token(self, audience: Did, access_token: str) -> str:
        return issue_id_token(self.signer, self.me, audience, self.clock(), new_uuid(), access_token)

    async def serve(self, port: int, routes: Sequence[Route], senders: Mapping[str, Send]) -> None:
        """Serve until the process is stopped, and send what waits in the outbox."""

        async def did_document(_call: Call) -> Response:
            return Response(200, self.document, "application/did+json")

        served = [Route("GET", f"/{self.name}/did.json", Proof.NONE, did_document), *routes]
        application = Application(served, Gatekeeper(self.authenticate))
        sending = asyncio.create_task(self._send(senders))
        try:
            await uvicorn.Server(http1(f"127.0.0.1:{port}", application)).serve()
        finally:
            sending.cancel()

    async def _send(self, senders: Mapping[str, Send]) -> None:
        while True:
            due = await self.journal.write(lambda tx: claim(tx, "rig", tuple(senders), 30))
            await asyncio.gather(*(self._sent(senders, message) for message in due))
            await asyncio.sleep(0.05)

    async def _sent(self, senders: Mapping[str, Send], message: OutboxMessage) -> None:
        await senders[message.kind](message, self.clock())


def main(about: str | None, start: Callable[[argparse.Namespace], Coroutine[None, None, None]]) -> None:
    """Run one role as the runner of the suites starts it."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--port", type=int, default=18300)
    parser.add_argument("--suite-port", type=int, default=18093)
    parser.add_argument("--profile", choices=PROFILES, default="strict")
    parser.add_argument("folder", type=Path)
    asyncio.run(start(parser.parse_args()))
