"""Tables of resources and products, ours and (on a platform) those that providers have listed."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

from entrepot.catalogue import shelf_store, source
from entrepot.catalogue.model import Product, Resource, product_digest
from entrepot.catalogue.protection import decode_protection, encode_protection
from entrepot.journal import Prepared, Transaction, UtcTimeColumn, metadata
from entrepot.policy import parse_policy, render_policy
from entrepot.values import Did, Digest, Grade, KindOfUse, ProductId, canonical

_resource: Final = Table(
    "resource",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("path", Text, nullable=False),
    Column("media_type", String(200), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("columns", LargeBinary, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("source", LargeBinary),
)
_secret: Final = Table(
    "source_secret",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""What lets us in at a source, sealed by the vault."""
_product: Final = Table(
    "product",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("listed", Boolean, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("keywords", LargeBinary, nullable=False),
    Column("provider", String(500), nullable=False),
    Column("grade", String(20), nullable=False),
    Column("rights", Text, nullable=False),
    Column("kinds", LargeBinary, nullable=False),
    Column("policy", LargeBinary, nullable=False),
    Column("media_type", String(200), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("artefact", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("published_at", UtcTimeColumn, nullable=False),
    Column("resource_id", String(200), nullable=False),
    Column("protection", LargeBinary),
)

_ATTACH: Final = insert(_resource)
_RESOURCE: Final = select(_resource).where(_resource.c.id == bindparam("of"))
_RESOURCES: Final = select(_resource).order_by(_resource.c.id)
_MOVE: Final = (
    update(_resource)
    .where(_resource.c.id == bindparam("of"))
    .values(path=bindparam("to"), modified_ns=bindparam("at"), inode=bindparam("node"))
)
_DETACH: Final = delete(_resource).where(_resource.c.id == bindparam("of"))
_OFFERED: Final = select(_product.c.id).where(_product.c.resource_id == bindparam("of")).limit(1)
_KEEP: Final = insert(_secret)
_FORGET: Final = delete(_secret).where(_secret.c.name == bindparam("of"))
_SECRET: Final = select(_secret.c.sealed).where(_secret.c.name == bindparam("of"))
_OFFER: Final = insert(_product)
_CURRENT: Final = (
    select(_product)
    .where(_product.c.id == bindparam("of"), _product.c.listed)
    .order_by(_product.c.version.desc())
    .limit(1)
)
_NEWEST: Final = (
    select(_product).where(_product.c.id == bindparam("of")).order_by(_product.c.version.desc()).limit(1)
)
_TITLE: Final = Prepared(
    select(_product.c.title)
    .where(_product.c.id == bindparam("of"))
    .order_by(_product.c.version.desc())
    .limit(1)
)
_BY_DIGEST: Final = Prepared(
    select(_product).where(_product.c.id == bindparam("of"), _product.c.digest == bindparam("is_"))
)
_VERSIONS: Final = (
    select(_product).where(_product.c.id == bindparam("of")).order_by(_product.c.version.desc())
)
_shelved: Final = shelf_store.shelf.c
_NOT_ON_SHELF: Final = (
    select(_product)
    .where(
        _product.c.listed,
        ~exists().where(_shelved.product_id == _product.c.id, _shelved.made_by == shelf_store.MADE_BY),
    )
    .order_by(_product.c.published_at, _product.c.id)
    .limit(bindparam("most"))
)
_LISTED: Final = select(_product).where(_product.c.listed).order_by(_product.c.published_at, _product.c.id)
_PAGE_OF: Final = (
    select(_product, _shelved.number)
    .join(shelf_store.shelf, _shelved.product_id == _product.c.id)
    .where(
        _product.c.listed, _shelved.provider == bindparam("provider"), _shelved.number < bindparam("below")
    )
    .order_by(_shelved.number.desc())
    .limit(bindparam("most"))
)
_OVER: Final = _LISTED.where(_product.c.artefact == bindparam("over"))
_UNLIST: Final = (
    update(_product).where(_product.c.id == bindparam("of"), _product.c.listed).values(listed=False)
)
_RELIST: Final = (
    update(_product)
    .where(_product.c.id == bindparam("of"), _product.c.version == bindparam("at"))
    .values(listed=True)
)


def attach(tx: Transaction, resource: Resource) -> None:
    tx.connection.execute(
        _ATTACH,
        {
            "id": resource.id,
            "path": str(resource.path),
            "media_type": resource.media_type,
            "size": resource.size,
            "digest": resource.digest,
            "modified_ns": resource.modified_ns,
            "inode": resource.inode,
            "columns": canonical.encode([[c.name, str(c.type)] for c in resource.columns]),
            "rows": resource.rows,
            "source": None
            if resource.source is None
            else canonical.encode(source.render_source(resource.source)),
        },
    )


def read_resource(connection: Connection, resource_id: str) -> Resource | None:
    row = connection.execute(_RESOURCE, {"of": resource_id}).first()
    return None if row is None else _resource_of(row)


def every_resource(connection: Connection) -> list[Resource]:
    return [_resource_of(row) for row in connection.execute(_RESOURCES)]


def is_offered(connection: Connection, resource_id: str) -> bool:
    """Whether any version of any product names it, on offer or not."""
    return connection.execute(_OFFERED, {"of": resource_id}).first() is not None


def detach(tx: Transaction, resource_id: str) -> None:
    tx.connection.execute(_DETACH, {"of": resource_id})


def move_resource(tx: Transaction, resource: Resource) -> None:
    """Save where a file of the same content lies now, and what it looks like from outside."""
    values = {
        "of": resource.id,
        "to": str(resource.path),
        "at": resource.modified_ns,
        "node": resource.inode,
    }
    tx.connection.execute(_MOVE, values)


def _resource_of(row: Row[Any]) -> Resource:
    return Resource(
        id=row.id,
        path=Path(row.path),
        media_type=row.media_type,
        size=row.size,
        digest=Digest(row.digest),
        modified_ns=row.modified_ns,
        inode=row.inode,
        columns=tuple(
            source.Column(name, source.ColumnType(kind)) for name, kind in msgspec.json.decode(row.columns)
        ),
        rows=row.rows,
        source=None if row.source is None else source.parse_source(row.source),
    )


def keep_secret(tx: Transaction, name: str, sealed: bytes) -> None:
    """Write a sealed secret down, in the place of an older one of that name."""
    tx.connection.execute(_FORGET, {"of": name})
    tx.connection.execute(_KEEP, {"name": name, "sealed": sealed})


def read_secret(connection: Connection, name: str) -> bytes | None:
    row = connection.execute(_SECRET, {"of": name}).first()
    return None if row is None else bytes(row.sealed)


def offer(tx: Transaction, product: Product) -> None:
    """Write a new version down; it takes the place of the one that was listed."""
    unlist(tx, product.id)
    tx.connection.execute(
        _OFFER,
        {
            "id": product.id,
            "version": product.version,
            "listed": True,
            "title": product.title,
            "description": product.description,
            "keywords": canonical.encode([*product.keywords]),
            "provider": product.provider,
            "grade": str(product.grade),
            "rights": product.rights,
            "kinds": canonical.encode([*sorted(str(k) for k in product.kinds)]),
            "policy": canonical.encode(render_policy(product.policy)),
            "media_type": product.media_type,
            "size": product.size,
            "artefact": product.artefact,
            "digest": product_digest(product),
            "published_at": product.published_at,
            "resource_id": product.resource_id,
            "protection": None if product.protection is None else encode_protection(product.protection),
        },
    )
    shelf_store.put(tx, product)


def unlist(tx: Transaction, product_id: ProductId) -> bool:
    shelf_store.take(tx, product_id)
    return tx.connection.execute(_UNLIST, {"of": product_id}).rowcount > 0


def relist(tx: Transaction, product: Product) -> None:
    """List a version again that was withdrawn."""
    unlist(tx, product.id)
    tx.connection.execute(_RELIST, {"of": product.id, "at": product.version})
    shelf_store.put(tx, product)


def restock(tx: Transaction, most: int) -> int:
    """Put listed products on the shelf that are not there as this release makes them; say how many."""
    shelf_store.prepare(tx.connection)
    found = [_product_of(r) for r in tx.connection.execute(_NOT_ON_SHELF, {"most": most})]
    for product in found:
        shelf_store.put(tx, product)
    return len(found)


def versions(connection: Connection, product_id: ProductId) -> list[tuple[Product, bool]]:
    """Every version that there ever was, the newest first, and whether it is on offer."""
    rows = connection.execute(_VERSIONS, {"of": product_id})
    return [(_product_of(r), bool(r.listed)) for r in rows]


def newest(connection: Connection, product_id: ProductId) -> Product | None:
    """The newest version that there ever was, listed or withdrawn: it says whose the product is."""
    row = connection.execute(_NEWEST, {"of": product_id}).first()
    return None if row is None else _product_of(row)


def title(connection: Connection, product_id: ProductId) -> str | None:
    """What the newest version is called, listed or withdrawn."""
    row = _TITLE.first(connection, {"of": product_id})
    return None if row is None else str(row.title)


def current(connection: Connection, product_id: ProductId) -> Product | None:
    row = connection.execute(_CURRENT, {"of": product_id}).first()
    return None if row is None else _product_of(row)


def by_digest(connection: Connection, product_id: ProductId, digest: Digest) -> Product | None:
    """The version that a contract was made over, listed or not."""
    row = _BY_DIGEST.first(connection, {"of": product_id, "is_": digest})
    return None if row is None else _product_of(row)


def listed(connection: Connection) -> list[Product]:
    return [_product_of(r) for r in connection.execute(_LISTED)]


def page_of(connection: Connection, provider: Did, below: int, most: int) -> list[tuple[int, Product]]:
    """What a provider has on offer below a number of the shelf, the newest first."""
    values = {"provider": provider, "below": below, "most": most}
    return [(r.number, _product_of(r)) for r in connection.execute(_PAGE_OF, values)]


def listed_over(connection: Connection, artefact: Digest) -> list[Product]:
    """What is on offer over this very data."""
    return [_product_of(r) for r in connection.execute(_OVER, {"over": artefact})]


@lru_cache(maxsize=1024)
def _product_of(row: Row[Any]) -> Product:
    """What a row says; rows are read at each use, and one that says the same is parsed once."""
    keywords, kinds = canonical.decode(row.keywords), canonical.decode(row.kinds)
    return Product(
        id=ProductId(row.id),
        version=row.version,
        title=row.title,
        description=row.description,
        keywords=tuple(str(k) for k in keywords) if isinstance(keywords, list) else (),
        provider=Did(row.provider),
        grade=Grade(row.grade),
        rights=row.rights,
        kinds=frozenset(KindOfUse(str(k)) for k in kinds) if isinstance(kinds, list) else frozenset(),
        policy=parse_policy(canonical.decode(row.policy)),
        media_type=row.media_type,
        size=row.size,
        artefact=Digest(row.artefact),
        published_at=row.published_at,
        resource_id=row.resource_id,
        protection=None if row.protection is None else decode_protection(row.protection),
    )
