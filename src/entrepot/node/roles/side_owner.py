"""The owner's API of disputes: our records of a use beside the other side's, with what they differ on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from entrepot import oversight
from entrepot.contracts import Contract, contract_by_id
from entrepot.identity import KeyJob
from entrepot.journal import new_uuid
from entrepot.node import rows
from entrepot.node.api import answer, owner_route
from entrepot.oversight import OpeningsRequest, Sides
from entrepot.protocols import Call, Response, Route, tds
from entrepot.values import ContractId, NotFoundError, UseId, render_time

if TYPE_CHECKING:
    from entrepot.ledger import Record
    from entrepot.node.node import Node


def side_routes(node: Node, client: tds.Client) -> list[Route]:
    """What is known here of both sides of a use; POST asks the provider for its own first."""
    api, path = _Api(node, client), "/owner/uses/{id}/sides"
    return [
        owner_route("GET", path, api.known, rows.SidesRow),
        owner_route("POST", path, api.asked, rows.SidesRow),
    ]


class _Api:
    """One method a route."""

    def __init__(self, node: Node, client: tds.Client) -> None:
        self._node, self._client = node, client

    async def known(self, call: Call) -> Response:
        use_id = UseId(call.path["id"])
        return answer(_row(await self._node.journal.read(lambda c: oversight.use_beside(c, use_id))))

    async def asked(self, call: Call) -> Response:
        """Ask the provider for its records of a use of ours. A provider has all there is, and asks nobody."""
        use_id = UseId(call.path["id"])
        known = await self._node.journal.read(lambda c: oversight.use_beside(c, use_id))
        if known.provider:
            return answer(_row(known))
        shown = await self._shown(use_id, ContractId(known.consumer[0].contract))
        return answer(_row(await self._node.journal.read(lambda c: oversight.use_beside(c, use_id, shown))))

    async def _shown(self, use_id: UseId, contract_id: ContractId) -> oversight.Shown:
        node = self._node
        contract = await node.journal.read(lambda c: contract_by_id(c, contract_id))
        if contract is None:
            raise NotFoundError("the contract of this use is not here")
        packed = await ask_provider(node, self._client, contract, use_id)
        # Verifying is slow, and none of the event loop's business.
        return await asyncio.to_thread(oversight.read_shown, packed, self._policy())

    def _policy(self) -> str | None:
        """Whom this node trusts to have seen the log; nobody where its space has no witnesses."""
        space = self._node.settings.space
        if not space.witnesses:
            return None
        return oversight.write_policy(space.ledger_key, space.witnesses, space.quorum)


async def ask_provider(node: Node, client: tds.Client, contract: Contract, use_id: UseId) -> bytes:
    """As consumer: the evidence package of a use of ours, as the provider shows it. **To be verified.**"""
    at, of = render_time(node.clock()), new_uuid()
    request = OpeningsRequest(at=at, contract=contract.contract_id, id=of, why="a use of ours", use=use_id)
    raw = tds.sign_openings_request(request, node.vault.signer(KeyJob.EVIDENCE))
    return await client.openings(contract.counterparty, raw)


def _row(sides: Sides) -> rows.SidesRow:
    return {
        "use": sides.use,
        "verdict": None if sides.verdict is None else str(sides.verdict),
        "provider": [_record(record) for record in sides.provider],
        "consumer": [_record(record) for record in sides.consumer],
        "receipt": None if sides.receipt is None else sides.receipt.digest,
        "disagreements": [
            {"fact": d.fact, "provider": d.provider, "consumer": d.consumer} for d in sides.disagreements
        ],
    }


def _record(record: Record) -> rows.SideRecordRow:
    return {
        "kind": str(record.kind),
        "at": record.at,
        "outcome": record.outcome,
        "artefact": record.artefact,
        "size": record.size,
        "receipt": record.receipt,
    }
