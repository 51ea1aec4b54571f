"""Table of registered products."""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from entrepot.journal import Transaction, metadata
from entrepot.space.model import RegisteredProduct
from entrepot.values import Did, Digest, Grade, ProductId

_product: Final = Table(
    "space_product",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("owner", String(500), nullable=False),
    Column("grade", String(20), nullable=False),
    Column("registered", Boolean, nullable=False),
)

_LIST_PRODUCT: Final = insert(_product)
_PRODUCT: Final = select(_product).where(
    _product.c.id == bindparam("of"), _product.c.digest == bindparam("described")
)
_OWNER: Final = select(_product.c.owner).where(_product.c.id == bindparam("of")).limit(1)
_REGISTER: Final = (
    update(_product)
    .where(_product.c.id == bindparam("of"), _product.c.digest == bindparam("described"))
    .values(registered=True)
)
_UNLIST_PRODUCT: Final = delete(_product).where(
    _product.c.id == bindparam("of"),
    _product.c.digest == bindparam("described"),
    _product.c.registered.is_(False),
)


def list_product(tx: Transaction, product: RegisteredProduct) -> None:
    tx.connection.execute(
        _LIST_PRODUCT,
        {
            "id": product.id,
            "digest": product.digest,
            "owner": product.owner,
            "grade": str(product.grade),
            "registered": product.registered,
        },
    )


def read_product(connection: Connection, product_id: ProductId, digest: Digest) -> RegisteredProduct | None:
    row = connection.execute(_PRODUCT, {"of": product_id, "described": digest}).first()
    if row is None:
        return None
    return RegisteredProduct(
        ProductId(row.id), Did(row.owner), Digest(row.digest), Grade(row.grade), row.registered
    )


def owner_of(connection: Connection, product_id: ProductId) -> Did | None:
    owner = connection.execute(_OWNER, {"of": product_id}).scalar_one_or_none()
    return None if owner is None else Did(owner)


def register_product(tx: Transaction, product_id: ProductId, digest: Digest) -> bool:
    return tx.connection.execute(_REGISTER, {"of": product_id, "described": digest}).rowcount == 1


def unlist_product(tx: Transaction, product_id: ProductId, digest: Digest) -> None:
    """Drop a version that the ledger did not take."""
    tx.connection.execute(_UNLIST_PRODUCT, {"of": product_id, "described": digest})
