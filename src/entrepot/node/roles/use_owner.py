"""The owner's API of uses: what was used of ours, what we used, and the proof of each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from entrepot import catalogue, oversight, use
from entrepot.contracts import Contract, Party, contract_by_id
from entrepot.ledger import WrittenRecord, batch_of, compare, receipt_of, records_of
from entrepot.node import rows
from entrepot.node.api import UNDER, agreement_in, answer, answer_page, owner_route, place_of
from entrepot.node.gather import evidence_of
from entrepot.node.roles.side_owner import ask_provider
from entrepot.protocols import Call, Content, Response, Route, tds
from entrepot.use import acquisition as acquisitions
from entrepot.values import (
    ContractId,
    NotFoundError,
    ProductId,
    TrustError,
    UseId,
    render_digest,
    render_time,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from entrepot.journal import Page
    from entrepot.node.roles.connector import Connector

_MOST = 200
_ARCHIVE = "application/x-tar"


def use_routes(connector: Connector, client: tds.Client) -> list[Route]:
    api = _Api(connector, client)
    return [
        owner_route("GET", "/owner/uses", api.uses, rows.UsePage, asks=UNDER),
        owner_route("GET", "/owner/uses/{id}", api.one, rows.ProofRow),
        owner_route("GET", "/owner/acquisitions", api.acquisitions, list[rows.AcquisitionRow]),
        owner_route("GET", "/owner/acquisitions/{id}", api.acquisition, rows.AcquisitionRow),
        owner_route("GET", "/owner/evidence/{id}", api.evidence, Content({}, _ARCHIVE)),
    ]


class _Api:
    """One method a route."""

    def __init__(self, connector: Connector, client: tds.Client) -> None:
        self._client = client
        self._node = connector.node
        self._journal = connector.node.journal

    async def uses(self, call: Call) -> Response:
        place, agreement_id = place_of(call), agreement_in(call)

        def query(connection: Connection) -> Page[rows.UseRow]:
            found = use.use_page(connection, place, agreement_id)
            return found.of(lambda u: _use(connection, u))

        return answer_page(call, "uses", await self._journal.read(query))

    async def one(self, call: Call) -> Response:
        """One use, with every record that this node wrote of it and how far each has come."""
        return answer(await self._journal.read(lambda c: _proof(c, UseId(call.path["id"]))))

    async def acquisitions(self, _call: Call) -> Response:
        def query(connection: Connection) -> list[rows.AcquisitionRow]:
            return [acquisition_row(connection, a) for a in acquisitions.newest(connection, _MOST)]

        return answer(await self._journal.read(query))

    async def acquisition(self, call: Call) -> Response:
        def query(connection: Connection) -> rows.AcquisitionRow:
            return acquisition_row(connection, acquisitions.read(connection, call.path["id"]))

        return answer(await self._journal.read(query))

    async def evidence(self, call: Call) -> Response:
        """The package of one use. A consumer gets the one that its provider shows, once that holds."""
        use_id = UseId(call.path["id"])
        contract = await self._journal.read(lambda c: _contract_of(c, use_id))
        if contract.party is Party.PROVIDER:
            packed = await asyncio.to_thread(oversight.pack, await evidence_of(self._node, use_id))
        else:
            packed = await ask_provider(self._node, self._client, contract, use_id)
            await asyncio.to_thread(oversight.read_shown, packed, None)
            if oversight.unpack(packed).get("contract.json") != contract.envelope:
                raise TrustError("the provider has shown the evidence of another contract")
        return Response(200, packed, _ARCHIVE)


def acquisition_row(connection: Connection, a: use.Acquisition) -> rows.AcquisitionRow:
    return {
        "id": a.id,
        "product": a.product_id,
        "title": catalogue.title_of(connection, a.product_id),
        "state": str(a.state),
        "waitingFor": a.waiting_for,
        "problem": a.problem,
        "provider": a.provider,
        "agreement": a.agreement_id,
        "negotiation": a.negotiation_id,
        "process": a.process_id,
        "use": a.use_id,
        "path": str(a.target),
        "size": a.size,
        "received": use.received_so_far(a),
        "digest": None if a.artefact is None else render_digest(a.artefact),
    }


def _use(connection: Connection, u: use.Use) -> rows.UseRow:
    return {
        "use": u.id,
        "contract": u.contract_id,
        "agreement": u.agreement_id,
        "consumer": u.consumer,
        "product": u.product_id,
        "title": catalogue.title_of(connection, u.product_id),
        "state": str(u.state),
        "outcome": u.outcome,
        "openedAt": render_time(u.opened_at),
        "size": u.size,
        "sent": u.sent,
        "receipt": str(compare(connection, u.id)),
    }


def _proof(connection: Connection, use_id: UseId) -> rows.ProofRow:
    written = records_of(connection, use_id)
    ours = use.read_use(connection, use_id)
    if not written:
        raise NotFoundError("there is no such use here, or its openings were destroyed")
    first = written[0].record
    contract = contract_by_id(connection, ContractId(first.contract))
    receipt = receipt_of(connection, use_id)
    return {
        "use": use_id,
        "as": str(Party.PROVIDER if ours is not None else Party.CONSUMER),
        "contract": first.contract,
        "agreement": None if contract is None else contract.agreement.id,
        "with": _other(contract, first.consumer),
        "product": first.product,
        "title": catalogue.title_of(connection, ProductId(first.product)),
        "artefact": first.artefact,
        "state": "closed" if ours is None else str(ours.state),
        "outcome": "received" if ours is None else ours.outcome,
        "records": [_record(connection, w) for w in written],
        "receipt": None
        if receipt is None
        else {
            "at": receipt.receipt.at,
            "bytes": receipt.receipt.bytes,
            "artefact": receipt.receipt.artefact,
            "key": receipt.receipt.key,
        },
        "comparison": str(compare(connection, use_id)),
    }


def _contract_of(connection: Connection, use_id: UseId) -> Contract:
    """The contract of a use that this node has records of."""
    written = records_of(connection, use_id)
    contract = contract_by_id(connection, ContractId(written[0].record.contract)) if written else None
    if contract is None:
        raise NotFoundError("there is no such use here, or its openings were destroyed")
    return contract


def _other(contract: Contract | None, consumer: str) -> str:
    return consumer if contract is None else contract.counterparty


def _record(connection: Connection, written: WrittenRecord) -> rows.RecordRow:
    """One record, and how far its batch has come on its way to the ledger."""
    batch = None if written.batch is None else batch_of(connection, written.batch)
    record = written.record
    return {
        "kind": str(record.kind),
        "at": record.at,
        "outcome": record.outcome,
        "bytes": record.units.bytes,
        "seconds": record.units.seconds,
        "statusAge": record.status_age,
        "number": written.number,
        "batch": written.batch,
        "state": "written" if batch is None else str(batch.state),
        "entry": None if batch is None else batch.position,
    }
