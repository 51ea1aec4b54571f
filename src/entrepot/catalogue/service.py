"""Use cases of the catalogue: attach a resource, offer a product, list another's, withdraw."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from entrepot import regulation
from entrepot.catalogue import store
from entrepot.catalogue.model import Product, Resource, product_digest
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.policy import Policy, contradictions, parse_policy, render_policy
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

_CHUNK: Final = 1 << 20


class Event(StrEnum):
    OFFERED = "catalogue:product:offer"
    LISTED = "catalogue:product:list"
    WITHDRAWN = "catalogue:product:withdraw"


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


def measure(path: Path, media_type: str, resource_id: str) -> Resource:
    """Read a file once and say what it is. Outside a transaction: it may be long."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            found = path.stat()
    except OSError as error:
        raise MalformedError(f"{path.name} cannot be read: {error.strerror}") from error
    return Resource(
        resource_id,
        path.resolve(),
        media_type,
        found.st_size,
        Digest(digest),
        found.st_mtime_ns,
        found.st_ino,
    )


def is_unchanged(resource: Resource) -> bool:
    """Say whether the file is still the one that was measured, without reading it."""
    try:
        found = resource.path.stat()
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns, found.st_ino) == (
        resource.size,
        resource.modified_ns,
        resource.inode,
    )


def attach_resource(tx: Transaction, resource: Resource) -> Resource:
    store.attach(tx, resource)
    return resource


def offer_product(
    tx: Transaction, product_id: ProductId, provider: Did, resource_id: str, described: Description
) -> Product:
    """Offer a product, or refuse with every reason that stands against it."""
    resource = store.read_resource(tx.connection, resource_id)
    if resource is None:
        raise NotFoundError("there is no such resource here")
    grade = _graded(tx, described)
    before = store.current(tx.connection, product_id)
    product = Product(
        id=product_id,
        version=1 if before is None else before.version + 1,
        title=described.title,
        description=described.description,
        keywords=described.keywords,
        provider=provider,
        grade=grade,
        rights=described.rights,
        kinds=described.kinds,
        policy=described.policy,
        media_type=resource.media_type,
        size=resource.size,
        artefact=resource.digest,
        published_at=tx.now,
        resource_id=resource.id,
    )
    store.offer(tx, product)
    _audit(tx, Event.OFFERED, product)
    return product


def list_product(tx: Transaction, product: Product) -> Product:
    """Take another's product into this catalogue (the platform's); the same rules hold as for our own."""
    known = store.current(tx.connection, product.id)
    if known is not None and known.provider != product.provider:
        raise RefusedError("this product id is another provider's")
    if known is not None and known.version >= product.version:
        if product_digest(known) == product_digest(product):
            return known
        raise RefusedError(f"version {known.version} of this product is listed already")
    _graded(
        tx,
        Description(
            product.title,
            product.description,
            product.rights,
            product.grade,
            product.kinds,
            product.policy,
        ),
    )
    store.offer(tx, product)
    _audit(tx, Event.LISTED, product)
    return product


def withdraw_product(tx: Transaction, product_id: ProductId) -> None:
    """Offer it no longer. Contracts in force go on."""
    if not store.unlist(tx, product_id):
        raise NotFoundError("there is no such product here")
    audit(tx, AuditEvent(Event.WITHDRAWN, {"product": product_id}))


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


def _graded(tx: Transaction, described: Description) -> Grade:
    """Judge what is to be offered; give its grade, or refuse with all the reasons."""
    today = tx.now.date()
    reasons = []
    ruling = regulation.may_list(described.grade, today)
    if not ruling.allowed:
        reasons.append(f"{ruling.reason} ({ruling.article})")
    if not described.kinds:
        reasons.append("a product names the kinds of use it is offered for")
    for kind in sorted(described.kinds):
        if described.grade is not None:
            use = regulation.may_use(described.grade, kind, today)
            if not use.allowed:
                reasons.append(f"{use.reason} ({use.article})")
    reasons += [f"{c.path}: {c.why}" for c in contradictions(described.policy)]
    if not described.policy.permissions:
        reasons.append("the policy permits nothing")
    if parse_policy(render_policy(described.policy)) != described.policy:
        reasons.append("the policy does not survive the wire")
    if reasons or described.grade is None:
        raise RefusedError(*reasons)
    return described.grade


def _audit(tx: Transaction, event: Event, product: Product) -> None:
    facts: dict[str, Json] = {
        "product": product.id,
        "version": product.version,
        "digest": render_digest(product_digest(product)),
    }
    audit(tx, AuditEvent(event, facts))
