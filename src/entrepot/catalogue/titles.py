"""What products are called: our own by their newest version, others' by what was last seen of them.

A contract names its product by code and digest; a person knows it by its title. A title that another party
gave binds nobody, and is kept for being read only.
"""

from typing import Final

from sqlalchemy import Column, Connection, String, Table, Text, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from entrepot.catalogue import store
from entrepot.catalogue.model import Product
from entrepot.journal import Prepared, Transaction, metadata
from entrepot.values import ProductId

_seen: Final = Table(
    "seen_title",
    metadata,
    Column("product_id", String(200), primary_key=True),
    Column("title", Text, nullable=False),
)
_READ: Final = Prepared(select(_seen.c.title).where(_seen.c.product_id == bindparam("of")))
_KEEP: Final = insert(_seen)
_CHANGE: Final = update(_seen).where(_seen.c.product_id == bindparam("of")).values(title=bindparam("called"))


def title_of(connection: Connection, product_id: ProductId) -> str | None:
    """What a product is called, where that is known here."""
    ours = store.title(connection, product_id)
    if ours is not None:
        return ours
    row = _READ.first(connection, {"of": product_id})
    return None if row is None else str(row.title)


def keep_title(tx: Transaction, product: Product) -> None:
    """Remember what another party calls its product."""
    try:
        with tx.connection.begin_nested():
            tx.connection.execute(_KEEP, {"product_id": product.id, "title": product.title})
    except IntegrityError:
        tx.connection.execute(_CHANGE, {"of": product.id, "called": product.title})
