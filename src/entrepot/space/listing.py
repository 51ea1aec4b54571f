"""Products on the platform's catalogue, registered on the ledger under their provider's own signature.

The first who registers a product's name owns it for ever, so the provider signs the registration itself
and the platform only passes it on. A contract can be filed once the ledger has the registration.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec
from sqlalchemy import Connection

from entrepot import catalogue
from entrepot.catalogue import Product, product_digest
from entrepot.identity import PublicKey, Signer
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.ledger import ProductRegister, decode_transaction, make_payload, sign_transaction
from entrepot.space import listing_store
from entrepot.space.membership import existing
from entrepot.space.model import RegisteredProduct, Rules
from entrepot.space.operations import REGISTER, forward
from entrepot.values import (
    Did,
    Digest,
    MalformedError,
    NotFoundError,
    ProductId,
    RefusedError,
    TrustError,
    canonical,
    parse_digest,
    render_digest,
)


class Event(StrEnum):
    LISTED = "space:product:list"
    REGISTERED = "space:product:register"
    REFUSED = "space:product:refuse"


@dataclass(frozen=True, slots=True)
class ProductListing:
    """A product as its provider lists it, with the signed registration for the ledger."""

    product: Product
    registration: bytes


def sign_registration(product: Product, chain: str, height: int, signer: Signer) -> bytes:
    """Sign the ledger transaction that registers a product of ours."""
    payload = make_payload(
        chain=chain,
        height=height,
        actor=product.provider,
        key=signer.key_id,
        op=REGISTER,
        body=_registration(product),
    )
    return sign_transaction(payload, signer)


def verify_listing(listing: ProductListing, sender: Did, key_id: str, key: PublicKey) -> None:
    """Check that the provider itself registers this very product, or raise."""
    if listing.product.provider != sender:
        raise RefusedError("a product is listed by its provider")
    signed = decode_transaction(listing.registration)
    wanted = signed.transaction
    if (wanted.op, wanted.actor, wanted.key) != (REGISTER, sender, key_id):
        raise TrustError("the registration is not the provider's, or not by its evidence key")
    if bytes(wanted.body) != canonical.encode_struct(_registration(listing.product)):
        raise MalformedError("the registration is not that of the product listed")
    signed.verify(key.raw)


def list_product(tx: Transaction, rules: Rules, listing: ProductListing, sender: Did) -> RegisteredProduct:
    """Put a product on the catalogue and pass its registration on. **The caller has verified it.**"""
    if not existing(tx.connection, sender).in_force:
        raise RefusedError(f"{sender} is no member in force")
    product, digest = listing.product, product_digest(listing.product)
    owner = listing_store.owner_of(tx.connection, product.id)
    if owner not in {None, sender}:
        raise RefusedError("this product id is another provider's")
    known = listing_store.read_product(tx.connection, product.id, digest)
    if known is not None:
        return known
    catalogue.list_product(tx, product)
    found = RegisteredProduct(product.id, sender, digest, product.grade, registered=False)
    listing_store.list_product(tx, found)
    forward(tx, rules, REGISTER, _subject(product.id, digest), listing.registration)
    audit(tx, AuditEvent(Event.LISTED, {"product": product.id, "digest": render_digest(digest)}))
    return found


def withdraw_product(tx: Transaction, product_id: ProductId, version: int, sender: Did) -> None:
    """Take a product off the catalogue, as its provider wants; what it has listed since then stays."""
    if listing_store.owner_of(tx.connection, product_id) != sender:
        raise NotFoundError("there is no such product of yours")
    now = catalogue.product(tx.connection, product_id)
    if now is not None and now.version <= version:
        catalogue.withdraw_product(tx, product_id)


def registered(tx: Transaction, subject: str) -> None:
    """The ledger has the registration."""
    product_id, digest = _parsed(subject)
    listing_store.register_product(tx, product_id, digest)
    audit(tx, AuditEvent(Event.REGISTERED, {"product": product_id}))


def not_registered(tx: Transaction, subject: str, reason: str) -> None:
    """The ledger refused the registration: what nobody can make a contract on is not offered."""
    product_id, digest = _parsed(subject)
    listing_store.unlist_product(tx, product_id, digest)
    now = catalogue.product(tx.connection, product_id)
    if now is not None and product_digest(now) == digest:
        catalogue.withdraw_product(tx, product_id)
    audit(tx, AuditEvent(Event.REFUSED, {"product": product_id, "reason": reason}))


def registered_product(
    connection: Connection, product_id: ProductId, digest: Digest
) -> RegisteredProduct | None:
    return listing_store.read_product(connection, product_id, digest)


def _registration(product: Product) -> msgspec.Struct:
    return ProductRegister(
        digest=render_digest(product_digest(product)),
        grade=str(product.grade),  # type: ignore[arg-type]  # core data has no such form; the ledger refuses it
        product=product.id,
    )


def _subject(product_id: ProductId, digest: Digest) -> str:
    return f"{product_id} {render_digest(digest)}"


def _parsed(subject: str) -> tuple[ProductId, Digest]:
    product_id, _, digest = subject.rpartition(" ")
    return ProductId(product_id), parse_digest(digest)
