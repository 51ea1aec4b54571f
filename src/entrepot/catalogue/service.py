"""Use cases of the catalogue: attach a resource, offer a product, list another's, withdraw."""

import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from entrepot import regulation
from entrepot.catalogue import store
from entrepot.catalogue.model import Product, Resource, faults_of, product_digest
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
    ROLLED_BACK = "catalogue:product:roll-back"


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
    """Read a file once and say what it is. Outside a transaction: it may be long.

    A file that somebody writes meanwhile is refused: its digest would be that of no version of it.
    """
    try:
        # Without O_NONBLOCK a named pipe would be waited for.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise MalformedError(f"{path.name} is not a regular file")
            digest = hashlib.file_digest(file, "sha256").digest()
            after = path.stat()
    except OSError as error:
        raise MalformedError(f"{path.name} cannot be read: {error.strerror}") from error
    if _mark(after) != _mark(found):
        raise MalformedError(f"{path.name} was written to while it was read; attach it when it is finished")
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
    return _mark(found) == (resource.size, resource.modified_ns, resource.inode)


def _mark(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=64)
def examine(policy: Policy) -> tuple[str, ...]:
    """Say what stands against offering under `policy`; nothing where nothing does.

    **Ask before the transaction, in a thread.** A hostile policy takes half a second; the use cases ask
    again and find the answer.
    """
    reasons = [f"{c.path}: {c.why}" for c in contradictions(policy)]
    if not policy.permissions:
        reasons.append("the policy permits nothing")
    try:
        if parse_policy(render_policy(policy)) != policy:
            reasons.append("the policy does not survive the wire")
    except MalformedError as error:
        reasons.append(f"the policy does not survive the wire: {error}")
    return tuple(reasons)


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
    )
    judge(product, tx.now.date())
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


def judge(product: Product, today: date) -> None:
    """Refuse what may not be offered, with every reason that stands against it."""
    reasons = faults_of(product)
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
