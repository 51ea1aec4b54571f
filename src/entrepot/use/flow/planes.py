"""Planes that our owner has registered, and what is open to them. Nothing is, until our owner says so."""

from dataclasses import replace
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from entrepot import catalogue
from entrepot.contracts import (
    EndReason,
    Party,
    agreement_of,
    end_contract,
    in_force,
    vouched_agreements,
)
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.use.flow import store
from entrepot.use.flow.model import Flow, Opening, Order, Plane, PlaneKind, Quay
from entrepot.use.flow.serving import end
from entrepot.values import KindOfUse, MalformedError, NotFoundError, ProductId, RefusedError, UtcTime, sha256

MAX_DATASET: Final = 500
MAX_BYTES: Final = 2**53 - 1


class Event(StrEnum):
    REGISTERED = "use:plane:register"
    DROPPED = "use:plane:drop"
    OPENED = "use:plane:open"
    CLOSED = "use:plane:close"


def digest_of(authorization: str) -> bytes:
    """What is kept of an `Authorization` that a plane shows us."""
    return sha256(b"entrepot/plane/v1\n" + authorization.encode())


def register(tx: Transaction, plane: Plane) -> Plane:
    """Make a plane known, in the place of what was known of it."""
    store.keep_plane(tx, plane)
    audit(tx, AuditEvent(Event.REGISTERED, {"kind": str(plane.kind), "plane": plane.id}))
    return plane


def drop(tx: Transaction, quay: Quay, kind: PlaneKind, plane_id: str) -> list[Flow]:
    """Forget a plane. What was open to a control plane is shut, and its flows are ended."""
    if not store.drop_plane(tx, kind, plane_id):
        raise NotFoundError("there is no such plane here")
    ended: list[Flow] = []
    if kind is PlaneKind.CONTROL:
        for opening in store.openings(tx.connection, plane_id):
            ended += shut(tx, quay, plane_id, opening.dataset)
    else:
        for product_id in store.served_by(tx.connection, plane_id):
            store.serve_elsewhere(tx, product_id, None)
    audit(tx, AuditEvent(Event.DROPPED, {"kind": str(kind), "plane": plane_id}))
    return ended


def open_to(tx: Transaction, quay: Quay, opening: Opening) -> list[Flow]:
    """Open a data set to a control plane; what ran on other terms ends. Gives the flows that ended."""
    _existing(tx.connection, PlaneKind.CONTROL, opening.plane)
    if not 0 < len(opening.dataset) <= MAX_DATASET or not 0 <= opening.most_bytes <= MAX_BYTES:
        raise MalformedError("expected the name of a data set, and how many bytes of it are taken in at most")
    if opening.product_id is not None:
        product = catalogue.product(tx.connection, opening.product_id)
        if product is None:
            raise NotFoundError("there is no such product on offer here")
        reasons = [*catalogue.examine(opening.policy), *catalogue.unkept(opening.policy, _DELIVERY)]
        if KindOfUse.DELIVERY not in product.kinds:
            reasons.append("the product is not offered for delivery")
        if reasons:
            raise RefusedError(*reasons)
    elif opening.most_bytes <= 0:
        raise RefusedError("what is taken in has a size that it may have at most")
    ended = shut(tx, quay, opening.plane, opening.dataset)
    store.keep_opening(tx, replace(opening, id=tx.new_id()))
    audit(tx, AuditEvent(Event.OPENED, {"plane": opening.plane, "dataset": opening.dataset}))
    return ended


def shut(tx: Transaction, quay: Quay, plane_id: str, dataset: str) -> list[Flow]:
    """Shut a data set to a control plane: its doors, and the agreements that it has vouched for."""
    if not store.drop_opening(tx, plane_id, dataset):
        return []
    flows = store.about(tx.connection, plane_id, dataset)
    vouched = {*vouched_agreements(tx.connection, plane_id)}
    for agreement_id in {f.agreement_id for f in flows} & vouched:
        end_contract(tx, agreement_id, EndReason.AGREEMENT)
    audit(tx, AuditEvent(Event.CLOSED, {"plane": plane_id, "dataset": dataset}))
    return [end(tx, quay, flow, "the owner has shut this data set") for flow in flows]


def serve_elsewhere(tx: Transaction, product_id: ProductId, plane_id: str | None) -> None:
    """Let another product's data plane serve a product of ours, from its next transfer on."""
    if plane_id is not None:
        _existing(tx.connection, PlaneKind.DATA, plane_id)
    if catalogue.product(tx.connection, product_id) is None:
        raise NotFoundError("there is no such product on offer here")
    store.serve_elsewhere(tx, product_id, plane_id)


def flows_over(connection: Connection, now: UtcTime) -> list[Flow]:
    """Flows that give data out, though the terms of their agreement no longer hold."""
    over = []
    for flow in store.unfinished(connection):
        contract = agreement_of(connection, flow.agreement_id)
        if flow.party is Party.PROVIDER and (contract is None or in_force(contract, now)):
            over.append(flow)
    return over


def end_over(tx: Transaction, quay: Quay) -> list[Flow]:
    """End them; gives what ended."""
    reason = "the terms no longer hold"
    return [end(tx, quay, flow, reason) for flow in flows_over(tx.connection, tx.now)]


def open_by_owner(connection: Connection, order: Order, plane_id: str) -> Opening | None:
    """What our owner has opened; the product's answer to what is open."""
    return store.read_opening(connection, plane_id, order.dataset)


def plane_of(connection: Connection, kind: PlaneKind, plane_id: str) -> Plane | None:
    return store.read_plane(connection, kind, plane_id)


def known(connection: Connection) -> list[tuple[Plane, list[Opening], list[ProductId]]]:
    """Every plane, with what is open to it or served by it."""
    return [
        (p, store.openings(connection, p.id), store.served_by(connection, p.id))
        for p in store.planes(connection)
    ]


def showing(connection: Connection, kind: PlaneKind, authorization: str) -> Plane | None:
    """The plane that shows this `Authorization`."""
    return store.plane_showing(connection, kind, digest_of(authorization)) if authorization else None


def _existing(connection: Connection, kind: PlaneKind, plane_id: str) -> Plane:
    plane = store.read_plane(connection, kind, plane_id)
    if plane is None:
        raise NotFoundError(f"there is no {kind} plane of that name here; register it first")
    return plane


_DELIVERY = frozenset({KindOfUse.DELIVERY})
