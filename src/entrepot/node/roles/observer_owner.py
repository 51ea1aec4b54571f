"""The owner's API of a supervisor: the register, stop orders and who acknowledged them, openings."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from entrepot import oversight, space
from entrepot.identity import KeyJob
from entrepot.journal import new_uuid
from entrepot.node import rows
from entrepot.node.api import answer, owner_route, read_body
from entrepot.oversight import OpeningsRequest, Side
from entrepot.protocols import Call, Content, Response, Route, tds
from entrepot.values import ContractId, Did, MalformedError, render_time

if TYPE_CHECKING:
    from entrepot.journal import Transaction
    from entrepot.node.node import Node

Why = Annotated[str, Meta(min_length=1, max_length=256)]
_OPENINGS = (Content(rows.UsesUnder), Content({}, "application/x-tar"))


class StopBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    why: Why


class OpeningsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of whom; without a use, which uses there are."""

    contract: str
    party: str
    why: Why
    use: str = ""


def supervision_routes(node: Node, client: tds.Client) -> list[Route]:
    """Every route of the owner's API for this role."""
    api = _Api(node, client)
    return [
        owner_route("GET", "/owner/register", api.register, tuple[tds.RegisterEntry, ...]),
        owner_route("POST", "/owner/register/{id}/stop", api.stop, rows.OrderedRow, StopBody),
        owner_route("GET", "/owner/orders/{id}", api.order, list[rows.AcknowledgedRow]),
        owner_route("POST", "/owner/openings", api.openings, _OPENINGS, OpeningsBody),
        owner_route("GET", "/owner/openings", api.requests, list[rows.RequestRow]),
    ]


class _Api:
    """One method a route."""

    def __init__(self, node: Node, client: tds.Client) -> None:
        self._node = node
        self._client = client
        self._signer = node.vault.signer(KeyJob.EVIDENCE)

    async def register(self, _call: Call) -> Response:
        return answer((await self._client.register()).entries)

    async def stop(self, call: Call) -> Response:
        """Order a stop: the platform records it, ends the contract and tells both parties."""
        node, why = self._node, read_body(call, StopBody).why
        contract_id, order = ContractId(call.path["id"]), new_uuid()
        signed = tds.sign_stop(contract_id, why, node.clock(), order, self._signer)
        lasts = timedelta(seconds=node.settings.messages.deadline)

        def tell(tx: Transaction) -> None:
            tds.tell_stop(tx, signed, contract_id, node.settings.space.platform, tx.now + lasts)

        await node.journal.write(tell)
        return answer({"order": order, "contract": contract_id})

    async def order(self, call: Call) -> Response:
        found = await self._client.acknowledgements(call.path["id"])
        return answer(
            [{"party": p.party, "acknowledgedAt": p.acknowledged_at or None} for p in found.parties]
        )

    async def openings(self, call: Call) -> Response:
        """Ask a party in our own name; the request is written down before it is sent."""
        body, node = read_body(call, OpeningsBody), self._node
        at, of = render_time(node.clock()), new_uuid()
        request = OpeningsRequest(at=at, contract=body.contract, id=of, why=body.why, use=body.use)
        raw = tds.sign_openings_request(request, self._signer)
        statement = space.read_statement(raw, OpeningsRequest)
        await node.journal.write(lambda tx: oversight.write_down(tx, statement, Side.SUPERVISOR, body.party))
        given = await self._client.openings(Did(body.party), raw)
        if body.use:
            await asyncio.to_thread(oversight.unpack, given)  # refused here, before a file of it is written
            return Response(200, given, "application/x-tar")
        try:
            return answer(msgspec.json.decode(given, type=rows.UsesUnder))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedError("the party answered with no list of uses") from error

    async def requests(self, _call: Call) -> Response:
        found = await self._node.journal.read(oversight.requests)
        return answer([request_row(r) for r in found])


def request_row(r: oversight.WrittenRequest) -> rows.RequestRow:
    """A request for openings as its owner is shown it."""
    return {
        "supervisor": r.supervisor,
        "party": r.party,
        "contract": r.contract,
        "use": r.use,
        "why": r.why,
        "askedAt": render_time(r.asked_at),
    }
