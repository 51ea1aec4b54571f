"""The owner's API of a service party: what it is asked to sign, and its person's word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from entrepot import catalogue, contracts
from entrepot.contracts import SIGNED_AS, ServiceContract, Signatory, Signature
from entrepot.identity import KeyJob
from entrepot.node import rows
from entrepot.node.api import answer, owner_route, read_body
from entrepot.policy import sentences, service_algorithms
from entrepot.protocols import Call, Response, Route
from entrepot.values import UtcTime, render_digest, render_time, sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from entrepot.journal import Transaction
    from entrepot.node.roles.connector import Connector


class RefuseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why we do not sign; the provider is told."""

    reason: Annotated[str, Meta(min_length=1, max_length=300)]


def service_routes(connector: Connector) -> list[Route]:
    api = _Api(connector)
    return [
        owner_route("GET", "/owner/requests", api.every, list[rows.SignatureRequestRow]),
        owner_route("GET", "/owner/requests/{id}", api.one, rows.SignatureRequestRow),
        owner_route("POST", "/owner/requests/{id}/sign", api.sign, rows.SignatureRequestRow),
        owner_route("POST", "/owner/requests/{id}/refuse", api.refuse, rows.SignatureRequestRow, RefuseBody),
    ]


class _Api:
    """One method a route."""

    def __init__(self, connector: Connector) -> None:
        self._node = connector.node
        self._journal = connector.node.journal

    async def every(self, _call: Call) -> Response:
        """What we were asked to sign as service party, and what waits for us."""
        now = self._node.clock()

        def query(connection: Connection) -> list[rows.SignatureRequestRow]:
            return [_row(connection, c, now) for c in contracts.service_contracts(connection)]

        return answer(await self._journal.read(query))

    async def one(self, call: Call) -> Response:
        """One request, with what is to be signed and what is said of it."""
        of, now = call.path["id"], self._node.clock()

        def query(connection: Connection) -> rows.SignatureRequestRow:
            return _row(connection, contracts.existing_service(connection, of), now)

        return answer(await self._journal.read(query))

    async def sign(self, call: Call) -> Response:
        """Sign as service party, under our own evidence key; the provider files when all have signed."""
        of, signer = call.path["id"], self._node.vault.signer(KeyJob.EVIDENCE)
        found = await self._journal.read(lambda c: contracts.existing_service(c, of))
        said = signer.sign(SIGNED_AS + found.payload)
        signature = Signature.of(signer.key_id, Signatory.SERVICE_PARTY, said)
        return await self._said(lambda tx: contracts.sign_request(tx, of, signature))

    async def refuse(self, call: Call) -> Response:
        of, why = call.path["id"], read_body(call, RefuseBody).reason
        return await self._said(lambda tx: contracts.refuse_request(tx, of, why))

    async def _said(self, say: Callable[[Transaction], ServiceContract]) -> Response:
        now = self._node.clock()
        return answer(await self._journal.write(lambda tx: _row(tx.connection, say(tx), now)))


def service_row(connection: Connection, c: ServiceContract, now: UtcTime) -> rows.ContractRow:
    """A contract that we have signed as service party, as the list of contracts shows it."""
    ends = contracts.ends_at(c.agreement.policy)
    provider, consumer = c.parties
    return {
        "agreement": c.agreement.id,
        "contract": c.contract_id,
        "as": "service",
        "with": provider,
        "consumer": consumer,
        "product": c.agreement.target,
        "title": catalogue.title_of(connection, c.agreement.target),
        "status": str(c.status),
        "inForce": c.holds(now),
        "whyNot": [] if c.holds(now) else [f"the contract has status {c.status}"],
        "signedAt": render_time(c.agreement.timestamp),
        "endsAt": None if ends is None else render_time(ends),
        "endedAt": None if c.ended_at is None else render_time(c.ended_at),
        "endReason": None if c.end_reason is None else str(c.end_reason),
        "oneSided": False,
        "envelope": render_digest(sha256(c.envelope)),
        "left": [],
        "text": _text(c),
    }


def _row(connection: Connection, c: ServiceContract, now: UtcTime) -> rows.SignatureRequestRow:
    provider, consumer = c.parties
    return {
        "id": c.id,
        "contract": c.contract_id,
        "provider": provider,
        "consumer": consumer,
        "product": c.agreement.target,
        "title": catalogue.title_of(connection, c.agreement.target),
        "digest": render_digest(sha256(c.payload)),
        "askedAt": render_time(c.asked_at),
        "algorithms": sorted(service_algorithms(c.agreement.policy)),
        "state": str(c.state),
        "waitsForYou": c.waits(now),
        "until": render_time(c.until),
        "problem": c.problem,
        "text": _text(c),
    }


def _text(c: ServiceContract) -> rows.Text:
    return {"en": sentences(c.agreement.policy, "en"), "zh": sentences(c.agreement.policy, "zh")}
