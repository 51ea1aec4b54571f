"""An operator, an observer and two connectors in one process, joined by a wire that is no network."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from entrepot.identity import KeyJob, Membership, Vault, issue_membership, issue_status_list
from entrepot.journal import Journal
from entrepot.node import making
from entrepot.node.http import Application, Gatekeeper
from entrepot.node.node import VAULT, Node, Part, open_node
from entrepot.node.parts import parts_of
from entrepot.node.settings import OWNER_TOKEN, Listen, Party, Role
from entrepot.protocols import Reply
from entrepot.protocols.dcp import Acquaintance, Trust
from entrepot.space import MemberRole
from entrepot.values import Did, UnavailableError, is_social_credit_code, system_clock

PASSPHRASE = "a passphrase for tests"


class Wire:
    """Carries calls from node to node without a socket."""

    def __init__(self) -> None:
        self.applications: dict[str, Application] = {}

    async def __call__(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
    ) -> Reply:
        del max_bytes
        parts = urlsplit(url)
        application = self.applications.get(parts.netloc)
        if application is None:
            raise UnavailableError(f"nobody at {parts.netloc}")
        return await call(application, method, parts.path, body, headers or {}, parts.query)

    async def pour(self, *_poured: object) -> Reply:
        raise UnavailableError("this wire carries no streams")

    async def close(self) -> None:
        """Nothing is open."""


async def call(
    application: Application,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    query: str = "",
) -> Reply:
    """One request to an application, as a server would hand it over."""
    from urllib.parse import unquote

    answer: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        if event["type"] == "http.response.start":
            answer["status"], answer["headers"] = event["status"], event["headers"]
        else:
            answer["body"] += event.get("body", b"")

    raw = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "headers": raw,
        "query_string": query.encode(),
    }
    await application(scope, receive, send)
    heads = {k.decode(): v.decode() for k, v in answer["headers"]}
    return Reply(answer["status"], answer["body"], heads)


@dataclasses.dataclass
class Home:
    """One node with its parts and its two ports."""

    node: Node
    parts: list[Part]
    public: Application
    owner: Application

    @property
    def did(self) -> Did:
        return self.node.me


class House:
    """All of them. `operator`, `observer`, `provider` and `consumer` are members; `stranger` is none."""

    def __init__(self, folder: Path) -> None:
        self.wire = Wire()
        self.homes: dict[str, Home] = {}
        clock = system_clock
        operator = making.make_operator(
            folder / "operator",
            name="harbour",
            party=Party(name="operator", subject_code=code("91310000MA1FL0"), region="3101"),
            listen=listen(9001),
            place="3101",
            passphrase=PASSPHRASE,
            clock=clock,
        )
        self.open("operator", operator.folder)
        for number, (name, role) in enumerate(
            (
                ("observer", Role.OBSERVER),
                ("provider", Role.CONNECTOR),
                ("consumer", Role.CONNECTOR),
                ("stranger", Role.CONNECTOR),
            )
        ):
            invitation = making.InvitationFile(
                code="none", roles=(MemberRole.CONSUMER,), space=operator.settings.space
            )
            made = making.make_member(
                folder / name,
                role=role,
                invitation=invitation,
                party=Party(name=name, subject_code=code("91310115MA1K4B"), region="3101"),
                listen=listen(9011 + 10 * number),
                passphrase=PASSPHRASE,
            )
            self.open(name, made.folder)

    def open(self, name: str, folder: Path) -> None:
        settings = making.Settings.read(folder / making.SETTINGS)
        vault = Vault.open(folder / VAULT, PASSPHRASE)
        journal = Journal.open(making.database_url(settings, folder))
        node = open_node(settings, folder, vault, journal, system_clock)
        trust = Trust(
            node.me, settings.space.platform, timedelta(seconds=settings.status.max_age), lambda _did: True
        )
        signer = vault.signer(KeyJob.IDENTITY)
        node = dataclasses.replace(
            node,
            outgoing=self.wire,  # type: ignore[arg-type]  # the wire stands in
            acquaintance=Acquaintance(journal, self.wire, trust, signer, system_clock, node.access_token),
        )
        parts = parts_of(node)
        token = (folder / OWNER_TOKEN).read_text()
        keeper = Gatekeeper(node.acquaintance.authenticate, lambda a: a == f"Bearer {token}")
        public = Application([r for p in parts for r in p.public], keeper)
        owner = Application([r for p in parts for r in p.owner], keeper)
        self.homes[name] = Home(node, parts, public, owner)
        self.wire.applications[settings.listen.public] = public

    async def admit(self, *names: str) -> None:
        """Give these nodes credentials of the platform, and everybody a fresh status list."""
        operator = self.homes["operator"].node
        now = operator.clock()
        for index, name in enumerate(names):
            node = self.homes[name].node
            evidence = node.vault.signer(KeyJob.EVIDENCE)
            credential = issue_membership(
                operator.vault.signer(KeyJob.IDENTITY),
                Membership(
                    did=node.me,
                    issuer=operator.me,
                    connector_code="5" * 32,
                    subject_code=code("91310115MA1K4B"),
                    region="3101",
                    roles=("consumer",),
                    evidence_key_id=evidence.key_id,
                    evidence_key=evidence.public,
                    status_url=node.status_url,
                    status_index=index,
                    valid_from=now - timedelta(minutes=1),
                    valid_until=now + timedelta(days=1),
                ),
            )
            await node.acquaintance.take_in_own_credential(credential)
        await self.publish()

    async def publish(self, *revoked: int) -> None:
        operator = self.homes["operator"].node
        signer = operator.vault.signer(KeyJob.IDENTITY)
        raw = issue_status_list(signer, operator.me, operator.status_url, revoked, operator.clock())
        for home in self.homes.values():
            await home.node.acquaintance.take_in_status_list(raw)

    def close(self) -> None:
        for home in self.homes.values():
            for part in home.parts:
                part.close()
            home.node.journal.close()


def listen(port: int) -> Listen:
    return Listen(public=f"127.0.0.1:{port}", owner=f"127.0.0.1:{port + 1}", url=f"http://127.0.0.1:{port}")


def code(stem: str) -> str:
    body = (stem + "0000000000")[:17]
    return next(body + c for c in "0123456789ABCDEFGHJKLMNPQRTUWXY" if is_social_credit_code(body + c))
