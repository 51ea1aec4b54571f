"""The owner's API of a connector: what I may use, under which contracts, and how one ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from entrepot import catalogue, contracts, oversight, use
from entrepot.contracts import Contract, EndReason
from entrepot.identity import known_member
from entrepot.node import rows
from entrepot.node.api import PLACE, answer, answer_page, owner_route, place_of, read_body
from entrepot.node.roles.duties_owner import duty_routes
from entrepot.node.roles.negotiation_owner import negotiation_routes
from entrepot.node.roles.observer_owner import request_row
from entrepot.node.roles.service_owner import service_row
from entrepot.node.roles.use_owner import acquisition_row
from entrepot.policy import assured, explain, sentences
from entrepot.protocols import Call, Content, Response, Route
from entrepot.space import PartyReason
from entrepot.use import acquisition as acquisitions
from entrepot.values import (
    AgreementId,
    Did,
    KindOfUse,
    NotFoundError,
    ProcessId,
    ProductId,
    RefusedError,
    UtcTime,
    render_digest,
    render_time,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from entrepot.contracts import ServiceContract
    from entrepot.journal import Page, Transaction
    from entrepot.node.roles.connector import Connector


class UseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product to be used: where the data goes, and what for."""

    product: str
    target: str
    purpose: str | None = None
    agreement: str | None = None
    """Use this contract and no other."""
    provider: str | None = None
    """Ask this party for the product, though it may be no member and its product registered nowhere."""
    format: str = acquisitions.DELIVERY
    below: Annotated[str, Meta(max_length=4000, pattern=r"^[A-Za-z0-9][!-~]*\Z|^\Z")] = ""
    """For a door that answers calls: path and query below it."""
    body: Annotated[str, Meta(max_length=1 << 20)] = ""
    """JSON to be posted there."""


class EndBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: PartyReason = PartyReason.AGREEMENT


class ExplainBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A use that one would like to know about without spending it."""

    agreement: str
    purpose: str | None = None
    kind: KindOfUse = KindOfUse.DELIVERY


def owner_routes(connector: Connector) -> list[Route]:
    """Every route of the owner's API for this role."""
    api = _Api(connector)
    routes = [
        owner_route("POST", "/owner/uses", api.begin_use, rows.AcquisitionRow, UseBody),
        owner_route("GET", "/owner/contracts", api.contracts, rows.ContractPage, asks=PLACE),
        owner_route(
            "POST", "/owner/contracts/{id:path}/end", api.end, rows.EndedRow, Content(EndBody, optional=True)
        ),
        owner_route("POST", "/owner/policy/explain", api.explain, rows.ExplainedRow, ExplainBody),
        owner_route("GET", "/owner/openings", api.openings, list[rows.RequestRow]),
    ]
    # Last, since an agreement's id may hold a slash: what stands below a contract is asked for first.
    one = owner_route("GET", "/owner/contracts/{id:path}", api.contract, rows.ContractRow)
    return [*routes, *negotiation_routes(connector), *duty_routes(connector), one]


class _Api:
    """One method a route."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._node = connector.node
        self._journal = connector.node.journal

    async def begin_use(self, call: Call) -> Response:
        body = read_body(call, UseBody)
        target = Path(body.target)
        if not target.is_absolute() or not target.parent.is_dir():
            raise RefusedError(f"{target} does not lie in a folder that exists; give an absolute path")

        def begin(tx: Transaction) -> rows.AcquisitionRow:
            begun = acquisitions.begin(
                tx,
                ProductId(body.product),
                body.purpose,
                target,
                None if body.agreement is None else AgreementId(body.agreement),
                format_name=body.format,
                asked=use.Asked(body.below, body.body),
                provider=None if body.provider is None else Did(body.provider),
            )
            return acquisition_row(tx.connection, begun)

        return answer(await self._journal.write(begin))

    async def contracts(self, call: Call) -> Response:
        """Every contract that we have a part in, the newest first."""
        place, now = place_of(call), self._node.clock()

        def query(connection: Connection) -> Page[rows.ContractRow]:
            return contracts.contract_page(connection, place).of(lambda c: _shown(connection, c, now))

        return answer_page(call, "contracts", await self._journal.read(query))

    async def contract(self, call: Call) -> Response:
        """One contract, by its agreement's id or its own."""
        of, now = call.path["id"], self._node.clock()

        def query(connection: Connection) -> rows.ContractRow:
            found = contracts.find_contract(connection, of)
            if found is None:
                raise NotFoundError("there is no such contract here")
            return _shown(connection, found, now)

        return answer(await self._journal.read(query))

    async def openings(self, _call: Call) -> Response:
        """Which supervisors have asked for openings here."""
        found = await self._journal.read(oversight.requests)
        return answer([request_row(r) for r in found])

    async def end(self, call: Call) -> Response:
        body = read_body(call, EndBody) if call.body else EndBody()
        reason = EndReason(body.reason)
        agreement_id = AgreementId(call.path["id"])
        await self._connector.end_contract(agreement_id, reason)
        return answer({"agreement": agreement_id, "ended": str(reason)})

    async def explain(self, call: Call) -> Response:
        """Say whether a use would be allowed, and why, without spending it."""
        body = read_body(call, ExplainBody)

        def query(connection: Connection) -> rows.ExplainedRow:
            contract = contracts.agreement_of(connection, AgreementId(body.agreement))
            if contract is None:
                raise NotFoundError("there is no such agreement here")
            now = self._node.clock()
            member = known_member(connection, contract.agreement.assignee)
            policy = contract.agreement.policy
            plan = use.plan_of(policy)
            foreseen = use.foreseen(policy, body.kind)
            knock = use.Knock(ProcessId(""), "", body.kind, body.purpose, foreseen)
            facts = use.facts_of(connection, contract, plan, member, knock, now, reserved=False)
            decision = plan.decide({**facts, **use.counts_of(connection, contract, plan, now)})
            overdue = use.duties.against_use(connection, contract, now)
            shut = use.not_accepted(connection) if contract.party is contracts.Party.PROVIDER else ()
            against = [*contracts.in_force(contract, now), *shut, *overdue, *decision.reasons()]
            return {
                "agreement": body.agreement,
                "allowed": not against,
                "reasons": against,
                "report": [
                    {
                        "path": line.path,
                        "asked": line.asked,
                        "found": line.found,
                        "source": line.source,
                        "verdict": line.verdict,
                    }
                    for line in decision.report()
                ],
                "explained": {"en": explain(decision, "en"), "zh": explain(decision, "zh")},
                "text": {"en": sentences(policy, "en"), "zh": sentences(policy, "zh")},
                "assured": {"en": assured(policy, body.kind, "en"), "zh": assured(policy, body.kind, "zh")},
            }

        return answer(await self._journal.read(query))


def _shown(connection: Connection, c: Contract | ServiceContract, now: UtcTime) -> rows.ContractRow:
    return _contract(connection, c, now) if isinstance(c, Contract) else service_row(connection, c, now)


def _contract(connection: Connection, c: Contract, now: UtcTime) -> rows.ContractRow:
    return {
        "agreement": c.agreement.id,
        "contract": c.contract_id,
        "as": str(c.party),
        "with": c.counterparty,
        "product": c.agreement.target,
        "title": catalogue.title_of(connection, c.agreement.target),
        "status": str(c.status),
        "inForce": not contracts.in_force(c, now),
        "whyNot": list(contracts.in_force(c, now)),
        "signedAt": render_time(c.agreement.timestamp),
        "endsAt": None if c.ends_at is None else render_time(c.ends_at),
        "endedAt": None if c.ended_at is None else render_time(c.ended_at),
        "endReason": None if c.end_reason is None else str(c.end_reason),
        "oneSided": c.one_sided,
        "envelope": render_digest(c.envelope_digest),
        "left": [
            {"permission": x.permission, "per": str(x.counter), "limit": x.limit, "left": x.left}
            for x in use.left_of(connection, c, now)
        ],
        "text": {
            "en": sentences(c.agreement.policy, "en"),
            "zh": sentences(c.agreement.policy, "zh"),
        },
    }
