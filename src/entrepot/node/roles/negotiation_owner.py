"""The owner's API of negotiations: what is on the table, what waits for a person, and that person's word."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from entrepot import catalogue, contracts
from entrepot.contracts import Move, Negotiation, Next, Offer, Party, Reason
from entrepot.node import rows
from entrepot.node.api import PLACE, answer, answer_page, owner_route, place_of, read_body
from entrepot.policy import (
    Policy,
    assured,
    is_served,
    kinds_let_in,
    parse_policy,
    render_policy,
    sentences,
)
from entrepot.protocols import Asked, Call, Response, Route
from entrepot.values import (
    Did,
    MalformedError,
    NotFoundError,
    ProcessId,
    ProductId,
    RefusedError,
    canonical,
    render_time,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from entrepot.journal import Page
    from entrepot.node.roles.connector import Connector

_ASKS: Final = (*PLACE, Asked("waits", {"enum": ["true"], "description": "Only what waits for me."}))


class AskBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contract to be asked for, on other terms than those offered."""

    product: str
    policy: Any


class OfferBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contract to be offered to a consumer that has not asked for it."""

    consumer: str
    product: str
    policy: Any = None
    """The terms; those of the catalogue where none are given."""


class CounterBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other terms than those on the table."""

    policy: Any


def negotiation_routes(connector: Connector) -> list[Route]:
    api = _Api(connector)
    return [
        owner_route("GET", "/owner/negotiations", api.page, rows.NegotiationPage, asks=_ASKS),
        owner_route("POST", "/owner/negotiations", api.ask, rows.MovedRow, AskBody),
        owner_route("POST", "/owner/offers", api.offer, rows.MovedRow, OfferBody),
        owner_route("GET", "/owner/negotiations/{id}", api.one, rows.WholeNegotiationRow),
        owner_route("POST", "/owner/negotiations/{id}/approve", api.approve, rows.MovedRow),
        owner_route("POST", "/owner/negotiations/{id}/reject", api.reject, rows.MovedRow),
        owner_route("POST", "/owner/negotiations/{id}/counter", api.counter, rows.MovedRow, CounterBody),
    ]


class _Api:
    """One method a route."""

    def __init__(self, connector: Connector) -> None:
        self._acquirer = connector.acquirer
        self._connector = connector
        self._desk = connector.desk
        self._journal = connector.node.journal

    async def page(self, call: Call) -> Response:
        """What is and was being negotiated, or only what waits for a person of ours."""
        place, waits = place_of(call), call.query.get("waits", "")
        if waits not in {"", "true"}:
            raise MalformedError("waits: expected true, or nothing")
        find = contracts.waiting_for_a_person if waits else contracts.negotiation_page

        def query(connection: Connection) -> Page[rows.NegotiationRow]:
            return find(connection, place).of(lambda n: _row(connection, n))

        return answer_page(call, "negotiations", await self._journal.read(query))

    async def ask(self, call: Call) -> Response:
        """Ask a provider for a contract on our terms; where they are not its own, a person decides."""
        body = read_body(call, AskBody)
        policy = await _sound(body.policy)
        product, address = await self._acquirer.registered(ProductId(body.product))
        await self._connector.check_named(policy, counterparty=product.provider)
        offer = Offer(product.offer_id, product.id, policy, product.provider, self._desk.me)
        digest = catalogue.product_digest(product)
        begun = await self._journal.write(
            lambda tx: contracts.request_contract(tx, self._desk, product.provider, address, offer, digest)
        )
        return answer({"id": begun.exchange.id, "state": str(begun.exchange.state)})

    async def offer(self, call: Call) -> Response:
        """Offer a consumer a contract over a product of ours on our terms; a person there decides."""
        body = read_body(call, OfferBody)
        policy = None if body.policy is None else await _sound(body.policy)
        begun = await self._connector.offer_contract(Did(body.consumer), ProductId(body.product), policy)
        return answer({"id": begun.exchange.id, "state": str(begun.exchange.state)})

    async def one(self, call: Call) -> Response:
        """One negotiation with its terms: ours, those on the table, and every version before."""
        pid = ProcessId(call.path["id"])

        def query(connection: Connection) -> rows.WholeNegotiationRow:
            found = contracts.read_negotiation(connection, pid)
            if found is None:
                raise NotFoundError("there is no such negotiation here")
            versions = contracts.versions_of(connection, pid)
            return {
                **_row(connection, found),
                "ours": terms(found.asked.policy),
                "table": terms(found.offer.policy),
                "versions": [
                    {
                        "number": number,
                        "by": str(by),
                        "at": render_time(at),
                        **terms(parse_policy(canonical.decode(raw))),
                    }
                    for number, by, at, raw in versions
                ],
                "agreement": None if found.agreement is None else found.agreement.id,
            }

        return answer(await self._journal.read(query))

    async def approve(self, call: Call) -> Response:
        pid = ProcessId(call.path["id"])
        await self._look_up(pid)
        after = await self._journal.write(lambda tx: contracts.approve(tx, self._desk, pid))
        return answer({"id": pid, "state": str(after.exchange.state)})

    async def reject(self, call: Call) -> Response:
        pid = ProcessId(call.path["id"])
        no = Next(Move.TERMINATE, Reason("rejected", ("a person said no",)))
        after = await self._journal.write(lambda tx: contracts.move(tx, self._desk, pid, no))
        return answer({"id": pid, "state": str(after.exchange.state)})

    async def counter(self, call: Call) -> Response:
        """Answer the offer on the table with other terms."""
        policy = await _sound(read_body(call, CounterBody).policy)
        pid = ProcessId(call.path["id"])
        await self._look_up(pid)
        await self._connector.check_named(policy)
        after = await self._journal.write(lambda tx: contracts.counter(tx, self._desk, pid, policy))
        return answer({"id": pid, "state": str(after.exchange.state)})

    async def _look_up(self, pid: ProcessId) -> None:
        """Find out what an offer that came unasked is about: only what is registered is signed for."""
        found = await self._journal.read(lambda c: contracts.read_negotiation(c, pid))
        if (
            found is None
            or found.exchange.party is Party.PROVIDER
            or found.signing.product_digest is not None
        ):
            return
        product, _ = await self._acquirer.registered(found.offer.target)
        if product.provider != found.counterparty:
            raise RefusedError(
                f"{found.offer.target} is a product of {product.provider}, who offers nothing here"
            )
        digest = catalogue.product_digest(product)
        await self._journal.write(lambda tx: contracts.product_known(tx, pid, digest))


async def _sound(document: Any) -> Policy:  # noqa: ANN401 (JSON)
    """Terms as a person of ours proposes them, refused here where they contradict themselves."""
    policy = parse_policy(document)
    if reasons := await asyncio.to_thread(catalogue.examine, policy):
        raise RefusedError(*reasons)
    return policy


def terms(policy: Policy) -> rows.Terms:
    """A policy in its wire form, as sentences, and what this environment does about each of them."""
    return {
        "policy": render_policy(policy),
        "text": {"en": sentences(policy, "en"), "zh": sentences(policy, "zh")},
        "assured": {
            str(kind): {"en": assured(policy, kind, "en"), "zh": assured(policy, kind, "zh")}
            for kind in kinds_let_in(policy)
            if is_served(kind)
        },
    }


def _row(connection: Connection, n: Negotiation) -> rows.NegotiationRow:
    return {
        "id": n.exchange.id,
        "as": str(n.exchange.party),
        "with": n.counterparty,
        "product": n.offer.target,
        "title": catalogue.title_of(connection, n.offer.target),
        "state": str(n.exchange.state),
        "pending": None if n.exchange.pending is None else str(n.exchange.pending.move),
        "waitsForYou": contracts.waits_for_a_person(n),
        "problem": n.problem,
    }
