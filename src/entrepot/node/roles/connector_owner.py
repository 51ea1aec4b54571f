"""The owner's API of a connector: what I offer, what I may use, what was used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from entrepot import catalogue, contracts, oversight, use
from entrepot.contracts import EndReason, Move, Next, Reason
from entrepot.identity import known_member
from entrepot.ledger import compare
from entrepot.node.api import answer, read_body
from entrepot.node.gather import evidence_of
from entrepot.policy import parse_policy, sentences
from entrepot.protocols import Call, Proof, Response, Route
from entrepot.use import acquisition as acquisitions
from entrepot.values import (
    AgreementId,
    Grade,
    KindOfUse,
    NotFoundError,
    ProcessId,
    ProductId,
    RefusedError,
    UseId,
    render_digest,
    render_time,
)

if TYPE_CHECKING:
    from entrepot.node.roles.connector import Connector


class AttachBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of this machine to be attached."""

    path: str
    media_type: str = "application/octet-stream"


class ProductBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product to be offered over an attached resource."""

    id: str
    resource: str
    title: str
    description: str
    rights: str
    policy: Any
    kinds: tuple[KindOfUse, ...]
    grade: Grade | None = None
    keywords: tuple[str, ...] = ()


class UseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product to be used: where the data goes, and what for."""

    product: str
    target: str
    purpose: str | None = None
    agreement: str | None = None
    """Use this contract and no other."""


class EndBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: EndReason = EndReason.AGREEMENT


class ExplainBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A use that one would like to know about without spending it."""

    agreement: str
    purpose: str | None = None
    kind: KindOfUse = KindOfUse.DELIVERY


def owner_routes(connector: Connector) -> list[Route]:
    """Every route of the owner's API for this role."""
    api = _Api(connector)
    table = {
        ("POST", "/owner/resources"): api.attach,
        ("POST", "/owner/products"): api.offer,
        ("GET", "/owner/products"): api.products,
        ("POST", "/owner/products/{id:path}/withdraw"): api.withdraw,
        ("POST", "/owner/uses"): api.begin_use,
        ("GET", "/owner/uses"): api.uses,
        ("GET", "/owner/acquisitions/{id}"): api.acquisition,
        ("GET", "/owner/negotiations"): api.negotiations,
        ("POST", "/owner/negotiations/{id}/approve"): api.approve,
        ("POST", "/owner/negotiations/{id}/reject"): api.reject,
        ("GET", "/owner/contracts"): api.contracts,
        ("POST", "/owner/contracts/{id:path}/end"): api.end,
        ("POST", "/owner/policy/explain"): api.explain,
        ("GET", "/owner/evidence/{id}"): api.evidence,
    }
    return [Route(method, path, Proof.OWNER, handle) for (method, path), handle in table.items()]


class _Api:
    """One method a route."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._node = connector.node
        self._journal = connector.node.journal

    async def attach(self, call: Call) -> Response:
        import asyncio

        body = read_body(call, AttachBody)
        resource_id = f"resource-{self._node.vault.derive('resource', body.path.encode()).hex()[:16]}"
        measured = await asyncio.to_thread(catalogue.measure, Path(body.path), body.media_type, resource_id)
        known = await self._journal.read(lambda c: catalogue.resource(c, resource_id))
        if known is None:
            await self._journal.write(lambda tx: catalogue.attach_resource(tx, measured))
        elif known != measured:
            raise RefusedError(
                "this file was attached before and has changed; attach a copy under another name"
            )
        return answer(
            {"resource": resource_id, "size": measured.size, "digest": render_digest(measured.digest)}
        )

    async def offer(self, call: Call) -> Response:
        body = read_body(call, ProductBody)
        described = catalogue.Description(
            body.title,
            body.description,
            body.rights,
            body.grade,
            frozenset(body.kinds),
            parse_policy(body.policy),
            body.keywords,
        )
        product = await self._connector.offer(ProductId(body.id), body.resource, described)
        return answer(_product(product))

    async def products(self, _call: Call) -> Response:
        found = await self._journal.read(catalogue.products)
        return answer([_product(p) for p in found])

    async def withdraw(self, call: Call) -> Response:
        product_id = ProductId(call.path["id"])
        await self._journal.write(lambda tx: catalogue.withdraw_product(tx, product_id))
        return answer({"product": product_id, "listed": False})

    async def begin_use(self, call: Call) -> Response:
        body = read_body(call, UseBody)
        target = Path(body.target)
        if not target.is_absolute() or not target.parent.is_dir():
            raise RefusedError(f"{target} does not lie in a folder that exists; give an absolute path")
        begun = await self._journal.write(
            lambda tx: acquisitions.begin(
                tx,
                ProductId(body.product),
                body.purpose,
                target,
                None if body.agreement is None else AgreementId(body.agreement),
            )
        )
        return answer(self._acquisition(begun))

    async def acquisition(self, call: Call) -> Response:
        found = await self._journal.read(lambda c: acquisitions.read(c, call.path["id"]))
        return answer(self._acquisition(found))

    async def uses(self, _call: Call) -> Response:
        def query(connection: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (SQLAlchemy's connection)
            return [
                {
                    "use": u.id,
                    "contract": u.contract_id,
                    "agreement": u.agreement_id,
                    "consumer": u.consumer,
                    "product": u.product_id,
                    "state": str(u.state),
                    "outcome": u.outcome,
                    "openedAt": render_time(u.opened_at),
                    "size": u.size,
                    "sent": u.sent,
                    "receipt": str(compare(connection, UseId(u.id))),
                }
                for u in use.uses(connection, 200)
            ]

        return answer(await self._journal.read(query))

    async def negotiations(self, _call: Call) -> Response:
        found = await self._journal.read(contracts.negotiations)
        waiting = {n.exchange.id for n in await self._journal.read(contracts.waiting_for_a_person)}
        return answer(
            [
                {
                    "id": n.exchange.id,
                    "as": str(n.exchange.party),
                    "with": n.counterparty,
                    "product": n.offer.target,
                    "state": str(n.exchange.state),
                    "pending": None if n.exchange.pending is None else str(n.exchange.pending.move),
                    "waitsForYou": n.exchange.id in waiting,
                    "problem": n.problem,
                }
                for n in found
            ]
        )

    async def approve(self, call: Call) -> Response:
        pid = ProcessId(call.path["id"])
        after = await self._journal.write(lambda tx: contracts.approve(tx, self._connector.desk, pid))
        return answer({"id": pid, "state": str(after.exchange.state)})

    async def reject(self, call: Call) -> Response:
        pid = ProcessId(call.path["id"])
        no = Next(Move.TERMINATE, Reason("rejected", ("a person said no",)))
        after = await self._journal.write(lambda tx: contracts.move(tx, self._connector.desk, pid, no))
        return answer({"id": pid, "state": str(after.exchange.state)})

    async def contracts(self, _call: Call) -> Response:
        now = self._node.clock()
        held = await self._journal.read(contracts.contracts_held)
        return answer(
            [
                {
                    "agreement": c.agreement.id,
                    "contract": c.contract_id,
                    "as": str(c.party),
                    "with": c.counterparty,
                    "product": c.agreement.target,
                    "status": str(c.status),
                    "inForce": not contracts.in_force(c, now),
                    "whyNot": list(contracts.in_force(c, now)),
                    "endsAt": None if c.ends_at is None else render_time(c.ends_at),
                    "text": {
                        "en": sentences(c.agreement.policy, "en"),
                        "zh": sentences(c.agreement.policy, "zh"),
                    },
                }
                for c in held
            ]
        )

    async def end(self, call: Call) -> Response:
        reason = read_body(call, EndBody).reason if call.body else EndReason.AGREEMENT
        agreement_id = AgreementId(call.path["id"])
        await self._connector.end_contract(agreement_id, reason)
        return answer({"agreement": agreement_id, "ended": str(reason)})

    async def explain(self, call: Call) -> Response:
        """Say whether a use would be allowed, and why, without spending it."""
        body = read_body(call, ExplainBody)

        def query(connection: Any) -> dict[str, Any]:  # noqa: ANN401 (SQLAlchemy's connection)
            contract = contracts.agreement_of(connection, AgreementId(body.agreement))
            if contract is None:
                raise NotFoundError("there is no such agreement here")
            now = self._node.clock()
            member = known_member(connection, contract.counterparty)
            plan = use.plan_of(contract.agreement.policy)
            knock = use.Knock(ProcessId(""), "", body.kind, body.purpose)
            facts = use.facts_of(connection, contract, plan, member, knock, now, reserved=False)
            decision = plan.decide(facts)
            against = [*contracts.in_force(contract, now), *decision.reasons()]
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
                "text": {
                    "en": sentences(contract.agreement.policy, "en"),
                    "zh": sentences(contract.agreement.policy, "zh"),
                },
            }

        return answer(await self._journal.read(query))

    async def evidence(self, call: Call) -> Response:
        files = await evidence_of(self._node, UseId(call.path["id"]))
        return Response(200, oversight.pack(files), "application/x-tar")

    def _acquisition(self, a: use.Acquisition) -> dict[str, Any]:
        done = self._connector.received_bytes(a.id)
        return {
            "id": a.id,
            "product": a.product_id,
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
            "received": a.size if a.state is use.AcquisitionState.RECEIVED else done,
            "digest": None if a.artefact is None else render_digest(a.artefact),
        }


def _product(p: catalogue.Product) -> dict[str, Any]:
    return {
        "id": p.id,
        "version": p.version,
        "title": p.title,
        "provider": p.provider,
        "grade": str(p.grade),
        "kinds": sorted(p.kinds),
        "size": p.size,
        "digest": render_digest(catalogue.product_digest(p)),
        "artefact": render_digest(p.artefact),
        "text": {"en": sentences(p.policy, "en"), "zh": sentences(p.policy, "zh")},
    }
