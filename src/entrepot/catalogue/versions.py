"""Versions of a product: every one is kept, one at most is on offer, and an older one can come back.

A version is never changed and never revived under its own number: a contract names the version it was
made on, by digest. So to go back is to publish a new version with an older one's content.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from entrepot.catalogue import store
from entrepot.catalogue.model import Product, misfits, product_digest
from entrepot.catalogue.service import Event, judge
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.values import Did, NotFoundError, ProductId, RefusedError, render_digest


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a product, and whether it is the one on offer."""

    product: Product
    is_on_offer: bool


def versions(connection: Connection, product_id: ProductId) -> list[Version]:
    """Every version that there ever was, the newest first."""
    return [Version(product, listed) for product, listed in store.versions(connection, product_id)]


def roll_back(tx: Transaction, product_id: ProductId, provider: Did, version: int) -> Product:
    """Publish an older version's content as the newest version, or refuse with every reason against it.

    The law is asked again: what might be offered then may not be now. **Whether the file is still the one
    that was measured is for the caller to check**, as before every use.
    """
    known = store.versions(tx.connection, product_id)
    wanted = next((product for product, _ in known if product.version == version), None)
    if wanted is None or wanted.provider != provider:
        raise NotFoundError(f"there is no version {version} of this product of ours")
    if any(listed and product.version == version for product, listed in known):
        raise RefusedError(f"version {version} is the one on offer")
    resource = store.read_resource(tx.connection, wanted.resource_id)
    if resource is None or resource.digest != wanted.artefact:
        raise RefusedError(f"the artefact of version {version} is no longer here")
    product = replace(wanted, version=known[0][0].version + 1, published_at=tx.now)
    judge(product, tx.now.date(), misfits(resource, product.kinds))
    store.offer(tx, product)
    audit(
        tx,
        AuditEvent(
            Event.ROLLED_BACK,
            {
                "product": product.id,
                "version": product.version,
                "content": version,
                "digest": render_digest(product_digest(product)),
            },
        ),
    )
    return product
