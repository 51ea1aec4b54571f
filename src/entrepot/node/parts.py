"""The parts of a node: what every node has, and what its roles add."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from entrepot import identity, space
from entrepot.identity import KeyJob
from entrepot.node.making import INVITATION, read_invitation
from entrepot.node.metrics import metrics_route
from entrepot.node.node import Loop, Node, Part
from entrepot.node.openapi import description_part
from entrepot.node.roles.connector import Connector
from entrepot.node.roles.connector_part import connector_part
from entrepot.node.roles.ledger import ledger_part
from entrepot.node.roles.observer import observer_part
from entrepot.node.roles.platform import platform_part, rules_of
from entrepot.node.roles.records_owner import record_routes, retention_loop
from entrepot.node.roles.signaling import signaling_part
from entrepot.node.roles.wallet_owner import wallet_routes
from entrepot.node.settings import Role
from entrepot.node.wallet import asking, credential_service, token_service
from entrepot.protocols import dcp, tds
from entrepot.values import Did, EntrepotError, Log, UnavailableError

_log: Final = Log()
_APPLICATION: Final = "application.json"
_RELAYS: Final = 5


def parts_of(node: Node) -> list[Part]:
    """Every part of this node, by its roles."""
    client = tds_client(node)
    roles = node.settings.roles
    parts: list[Part] = []
    if Role.LEDGER in roles:
        parts.append(ledger_part(node))
    if Role.PLATFORM in roles:
        parts.append(platform_part(node, client))
    if Role.CONNECTOR in roles:
        connector = Connector(node, client.member_card)
        parts += [connector_part(connector, client), signaling_part(connector)]
    if Role.OBSERVER in roles:
        parts.append(observer_part(node, client))
    url = node.settings.listen.url
    services = {
        "CredentialService": url + dcp.PATH,
        tds.SERVICE: url + tds.PATH,
        **{kind: address for part in parts for kind, address in part.services.items()},
    }
    parts.append(_common_part(node, client, services))
    return [*parts, description_part(parts, f"Entrepot: {', '.join(sorted(roles))}")]


def tds_client(node: Node) -> tds.Client:
    return tds.Client(
        node.outgoing,
        node.acquaintance.document,
        node.acquaintance.authorization,
        node.settings.space.platform,
    )


def _common_part(node: Node, client: tds.Client, services: Mapping[str, str]) -> Part:
    """What every node does: say who it is, relay the status list, and join the space."""
    document = identity.write_did_document(node.me, node.vault.signers, services, node.vault.receiver)
    node.acquaintance.introduce(identity.read_did_document(document, node.me))

    async def credential() -> str | None:
        return await node.journal.read(lambda c: identity.known_credential(c, node.me))

    asks = asking(node)
    routes = [*dcp.routes(credential_service(node, document)), *token_service(node).routes()]
    poll = Loop("status list", node.settings.status.poll, _StatusPoll(node, client).run, alone=True)
    loops = [poll, retention_loop(node)]
    if Role.PLATFORM not in node.settings.roles:
        loops.append(Loop("join", 0.5, _Joining(node, client, credential).run, alone=True))
    return Part(
        public=[*routes, tds.status_list_route(_newest_list(node))],
        owner=[*record_routes(node), *wallet_routes(node), metrics_route(node)],
        loops=loops,
        senders={dcp.DCP_REQUEST: asks.send},
    )


def _newest_list(node: Node) -> Callable[[], Awaitable[str | None]]:
    """The newest status list that this node has: the platform's own, or the last one that came in."""
    if Role.PLATFORM in node.settings.roles:
        rules = rules_of(node)
        return lambda: node.journal.read(lambda c: space.published_status_list(c, rules))

    async def newest() -> str | None:
        found = await node.journal.read(lambda c: identity.newest_status_list(c, node.status_url))
        return None if found is None else found[1]

    return newest


class _StatusPoll:
    """Fetches the newest status list: from the platform, or from whoever else can be reached."""

    def __init__(self, node: Node, client: tds.Client) -> None:
        self._node = node
        self._client = client

    async def run(self) -> None:
        problems = []
        for relay in await self._relays():
            try:
                raw = await self._client.status_list(relay)
                await self._node.acquaintance.take_in_status_list(raw)
            except EntrepotError as error:
                problems.append(f"{relay}: {type(error).__name__}")
            else:
                return
        raise UnavailableError(f"no status list can be had ({', '.join(problems)})")

    async def _relays(self) -> list[Did]:
        platform = self._node.settings.space.platform
        known = await self._node.journal.read(lambda c: identity.known_dids(c, _RELAYS))
        return [platform, *(d for d in known if d not in {platform, self._node.me})]


class _Joining:
    """Applies for membership with the invitation, and picks the credential up."""

    def __init__(
        self, node: Node, client: tds.Client, credential: Callable[[], Awaitable[str | None]]
    ) -> None:
        self._node = node
        self._client = client
        self._credential = credential
        self._said = ""

    async def run(self) -> float:
        if await self._credential() is not None:
            return 60.0
        status = await self._client.apply(await asyncio.to_thread(self._application))
        if status.credential:
            await self._node.acquaintance.take_in_own_credential(status.credential)
            _log.info("membership", did=self._node.me, code=status.connectorCode)
        elif status.state != self._said:
            self._said = status.state
            _log.info("application", state=status.state)
        return 0.5

    def _application(self) -> bytes:
        """The application, made once and kept: the same bytes ask where it stands."""
        kept = self._node.folder / _APPLICATION
        if kept.exists():
            return kept.read_bytes()
        invitation = read_invitation(self._node.folder / INVITATION)
        party = self._node.settings.party
        raw = space.make_application(
            invitation.code,
            self._node.vault.signer(KeyJob.IDENTITY),
            self._node.vault.signer(KeyJob.EVIDENCE),
            did=self._node.me,
            name=party.name,
            subject_code=party.subject_code,
            region=party.region,
            roles=invitation.roles,
            origins=(self._node.settings.listen.url,),
        )
        fresh = kept.with_suffix(".new")
        fresh.write_bytes(raw)
        fresh.replace(kept)
        return raw
