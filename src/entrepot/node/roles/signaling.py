"""Data Plane Signaling of a connector: our data plane for others' control planes, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from entrepot.identity import Caller, KeyJob, claimed_did, issue_id_token, use_once, verify_assertion
from entrepot.journal import new_uuid
from entrepot.node.http import RawRoute
from entrepot.node.loops import OutboxLoop
from entrepot.node.node import Loop, Part
from entrepot.node.roles.planes_owner import plane_routes
from entrepot.protocols import Content, Proof, Shape, dps
from entrepot.use.flow import planes, serving
from entrepot.use.flow.model import Plane, PlaneKind
from entrepot.use.flow.taking import FETCHING, Basin, Fetcher
from entrepot.values import Did, EntrepotError, TrustError

if TYPE_CHECKING:
    from entrepot.node.roles.connector import Connector

BASIN_PATH: Final = "/basin/{flow}"
_PUSHED: Final = Shape(
    {200: (), 201: ()}, Content({"type": "string", "format": "binary"}, "*/*"), fails={423: ()}
)
FLOWS: Final = "flows"
"""Folder of a node where lies what its data plane has taken in."""


class Signaling:
    """Who may call, and what is done when they do."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._node = connector.node

    async def plane(self, kind: PlaneKind, authorization: str) -> Plane:
        """The plane that shows this `Authorization`; nobody where our owner knows of none."""
        found = await self._node.journal.read(lambda c: planes.showing(c, kind, authorization))
        if found is None:
            raise TrustError(f"no {kind} plane with this authorization is registered here")
        return found

    async def client(self, authorization: str, did: Did, audience: str) -> Caller:
        """Who renews a token, if it is this party. **Nobody's document is fetched but its own.**"""
        try:
            token, claimed = claimed_did(authorization.removeprefix("Bearer "))
        except EntrepotError as error:
            raise TrustError("expected Authorization: Bearer and a token that its client signed") from error
        if claimed != did:
            raise TrustError("the refresh token is another party's")
        try:
            document = await self._node.acquaintance.document(did)
            return verify_assertion(token, document, audience, self._node.clock())
        except EntrepotError as error:
            raise TrustError(str(error)) from error

    def client_token(self, provider: str, access_token: str) -> str:
        node = self._node
        signer = node.vault.signer(KeyJob.IDENTITY)
        return issue_id_token(signer, node.me, Did(provider), node.clock(), new_uuid(), access_token)

    async def tidy(self) -> bool:
        """End flows whose terms no longer hold."""
        quay, journal, now = self._connector.quay, self._node.journal, self._node.clock()
        if not await journal.read(lambda c: planes.flows_over(c, now)):
            return False
        for flow in await journal.write(lambda tx: planes.end_over(tx, quay)):
            self._connector.streams.stop_process(flow.id)
        return True


def signaling_part(connector: Connector) -> Part:
    """The endpoints, loops and senders of both planes."""
    node, quay = connector.node, connector.quay
    signaling = Signaling(connector)
    folder = node.folder / FLOWS
    fetcher = Fetcher(
        journal=node.journal,
        quay=quay,
        finished=lambda tx, flow: serving.finished(tx, quay, flow),
        failed=lambda tx, flow, reasons: serving.failed(tx, quay, flow, reasons),
        folder=folder,
        outgoing=node.outgoing,
        client_token=signaling.client_token,
    )
    data_plane = dps.DataPlane(
        journal=node.journal,
        quay=quay,
        identify=lambda shown: signaling.plane(PlaneKind.CONTROL, shown),
        authenticate=signaling.client,
        use_once=use_once,
        stop=connector.streams.stop_process,
    )
    control_plane = dps.ControlPlane(
        node.journal, connector.helm, lambda shown: signaling.plane(PlaneKind.DATA, shown)
    )
    signals = dps.Signals(node.journal, connector.helm, node.outgoing, node.vault.unseal)
    basin = Basin(node.journal, quay, folder)
    fetches = OutboxLoop(node.journal, {FETCHING: fetcher.send}, node.boot, node.clock)
    return Part(
        public=[
            *dps.data_plane_routes(data_plane),
            *dps.control_plane_routes(control_plane),
            RawRoute("GET", BASIN_PATH, Proof.INBOX_TOKEN, basin, Shape({200: ()})),
            RawRoute("POST", BASIN_PATH, Proof.INBOX_TOKEN, basin, _PUSHED),
        ],
        owner=plane_routes(connector),
        loops=[
            Loop("fetch", 1.0, fetches.run, wakes=True),
            Loop("flows", 5.0, signaling.tidy, alone=True),
        ],
        senders={dps.DPS: signals.send},
    )
