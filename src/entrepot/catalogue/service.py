"""Use cases of the catalogue: attach a resource, offer a product, list another's, withdraw."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

from sqlalchemy import Connection

from entrepot import regulation
from entrepot.catalogue import store
from entrepot.catalogue.model import Product, Resource, faults_of, misfits, product_digest
from entrepot.catalogue.protection import Protection
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.policy import (
    Policy,
    contradictions,
    parse_policy,
    render_policy,
    say_refusal,
    service_faults,
    shortfalls,
    tensions,
)
from entrepot.values import (
    Did,
    Digest,
    Grade,
    KindOfUse,
    MalformedError,
    NotFoundError,
    ProductId,
    RefusedError,
    render_digest,
)
from entrepot.values.canonical import Json


class Event(StrEnum):
    OFFERED = "catalogue:product:offer"
    LISTED = "catalogue:product:list"
    WITHDRAWN = "catalogue:product:withdraw"
    ROLLED_BACK = "catalogue:product:roll-back"
    CLEARED = "catalogue:artefact:clear"
    SECRET_KEPT = "catalogue:secret:keep"  # noqa: S105 (the name of an event)


@dataclass(frozen=True, slots=True)
class Description:
    """What a provider says of a product that it offers."""

    title: str
    description: str
    rights: str
    grade: Grade | None
    kinds: frozenset[KindOfUse]
    policy: Policy
    keywords: tuple[str, ...] = ()
    protection: Protection | None = None
    """What may be asked about it, where it is offered for queries."""


@lru_cache(maxsize=64)
def examine(policy: Policy) -> tuple[str, ...]:
    """Say what stands against offering under `policy`; nothing where nothing does.

    **Ask before the transaction, in a thread.** A hostile policy takes half a second; the use cases ask
    again and find the answer.
    """
    reasons = [say_refusal(r, "en") for r in contradictions(policy)]
    reasons += service_faults(policy)
    if not policy.permissions:
        reasons.append("the policy permits nothing")
    try:
        if parse_policy(render_policy(policy)) != policy:
            reasons.append("the policy does not survive the wire")
    except MalformedError as error:
        reasons.append(f"the policy does not survive the wire: {error}")
    return tuple(reasons)


@lru_cache(maxsize=64)
def unkept(policy: Policy, kinds: frozenset[KindOfUse]) -> tuple[str, ...]:
    """Say what a policy promises that this node cannot keep by these kinds of use. As costly as `examine`."""
    return tuple(say_refusal(r, "en") for r in shortfalls(policy, kinds))


def tensions_of(connection: Connection, product: Product) -> tuple[str, ...]:
    """What a product gives away that another one on offer over the same data holds back: to be shown.

    It is no refusal: two products may serve different people.
    """
    same = [p for p in store.listed_over(connection, product.artefact) if p.id != product.id]
    return tuple(
        f"{other.id}: {say_refusal(r, 'en')}"
        for other in same
        for r in tensions(product.policy, other.policy)
    )


def attach_resource(tx: Transaction, resource: Resource) -> Resource:
    """Write a resource down. What is attached again as it was stays as it is."""
    if store.read_resource(tx.connection, resource.id) != resource:
        store.attach(tx, resource)
    return resource


def keep_secret(tx: Transaction, name: str, sealed: bytes) -> None:
    """Keep what lets us in at a source, under a name. **Sealed by the vault; never as it is.**"""
    store.keep_secret(tx, name, sealed)
    audit(tx, AuditEvent(Event.SECRET_KEPT, {"secret": name}))


def sealed_secret(connection: Connection, name: str) -> bytes:
    """What was kept under that name, still sealed."""
    found = store.read_secret(connection, name)
    if found is None:
        raise NotFoundError("there is no secret of that name here")
    return found


def offer_product(
    tx: Transaction, product_id: ProductId, provider: Did, resource_id: str, described: Description
) -> Product:
    """Offer a product, or refuse with every reason that stands against it."""
    resource = store.read_resource(tx.connection, resource_id)
    if resource is None:
        raise NotFoundError("there is no such resource here")
    before = store.newest(tx.connection, product_id)
    if before is not None and before.provider != provider:
        raise RefusedError("this product id is another provider's")
    product = Product(
        id=product_id,
        version=1 if before is None else before.version + 1,
        title=described.title,
        description=described.description,
        keywords=described.keywords,
        provider=provider,
        grade=_graded(described.grade, tx.now.date()),
        rights=described.rights,
        kinds=described.kinds,
        policy=described.policy,
        media_type=resource.media_type,
        size=resource.size,
        artefact=resource.digest,
        published_at=tx.now,
        resource_id=resource.id,
        protection=described.protection,
    )
    also = [
        *misfits(resource, product.kinds, product.protection),
        *unkept(product.policy, product.kinds),
    ]
    judge(product, tx.now.date(), also)
    store.offer(tx, product)
    _audit(tx, Event.OFFERED, product)
    return product


def list_product(tx: Transaction, product: Product) -> Product:
    """Take another's product into this catalogue (the platform's); the same rules hold as for our own."""
    known = store.newest(tx.connection, product.id)
    if known is not None and known.provider != product.provider:
        raise RefusedError("this product id is another provider's")
    if known is not None and known.version >= product.version:
        if product_digest(known) != product_digest(product):
            raise RefusedError(f"version {known.version} of this product is listed already")
        if store.current(tx.connection, known.id) is None:
            store.relist(tx, known)
            _audit(tx, Event.LISTED, known)
        return known
    judge(product, tx.now.date())
    store.offer(tx, product)
    _audit(tx, Event.LISTED, product)
    return product


def withdraw_product(tx: Transaction, product_id: ProductId) -> None:
    """Offer it no longer. Contracts in force go on."""
    if not store.unlist(tx, product_id):
        raise NotFoundError("there is no such product here")
    audit(tx, AuditEvent(Event.WITHDRAWN, {"product": product_id}))


def restock(tx: Transaction, most: int = 200) -> int:
    """Put on the shelf what is on offer and not there as this release makes it; say how many products.

    **At a start, until there are none.** Whatever publishes or withdraws a product keeps the shelf by itself.
    """
    return store.restock(tx, most)


def products(connection: Connection) -> list[Product]:
    """What is on offer here."""
    return store.listed(connection)


def product(connection: Connection, product_id: ProductId) -> Product | None:
    """The version on offer."""
    return store.current(connection, product_id)


def product_under(connection: Connection, product_id: ProductId, digest: Digest) -> Product | None:
    """The version that a contract names, whether it is still on offer or not."""
    return store.by_digest(connection, product_id, digest)


def resource(connection: Connection, resource_id: str) -> Resource | None:
    return store.read_resource(connection, resource_id)


def _graded(grade: Grade | None, today: date) -> Grade:
    """What nobody has graded is not offered."""
    if grade is None:
        ruling = regulation.may_list(None, today)
        raise RefusedError(f"{ruling.reason} ({ruling.article})")
    return grade


def judge(product: Product, today: date, also: Sequence[str] = ()) -> None:
    """Refuse what may not be offered, with every reason that stands against it."""
    reasons = [*faults_of(product), *also]
    ruling = regulation.may_list(product.grade, today)
    if not ruling.allowed:
        reasons.append(f"{ruling.reason} ({ruling.article})")
    if not product.kinds:
        reasons.append("a product names the kinds of use it is offered for")
    for kind in sorted(product.kinds):
        use = regulation.may_use(product.grade, kind, today)
        if not use.allowed:
            reasons.append(f"{use.reason} ({use.article})")
    reasons += examine(product.policy)
    if reasons:
        raise RefusedError(*reasons)


def _audit(tx: Transaction, event: Event, product: Product) -> None:
    facts: dict[str, Json] = {
        "product": product.id,
        "version": product.version,
        "digest": render_digest(product_digest(product)),
    }
    audit(tx, AuditEvent(event, facts))
