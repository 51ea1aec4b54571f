"""The shelf: every product on offer, ready to be found and to be shown.

A product is put here when it is published: its dataset as the bytes that every catalogue shows, and the
tokens under which it is found. All of it follows from the product, so it can be made again at any time.

The tokens lie in a full-text index of the database's own: FTS5 on SQLite, a `tsvector` on PostgreSQL.
Neither is given text to cut: see `grams`.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    bindparam,
    delete,
    event,
    func,
    insert,
    select,
    text,
)

from entrepot.catalogue.dcat import SERVED, render_dataset, service_of
from entrepot.catalogue.grams import folded, grams
from entrepot.catalogue.model import Product
from entrepot.journal import (
    DERIVED,
    PostgresqlType,
    RowNumber,
    Transaction,
    UtcTimeColumn,
    metadata,
    postgresql,
)
from entrepot.values import Did, ProductId, canonical, render_digest, sha256

MADE_BY: Final = render_digest(sha256(canonical.encode(["shelf", 1, [*sorted(SERVED)]])))[-16:]
"""What rows are made by: a release that serves other formats, or cuts words otherwise, makes them anew."""
LONGEST_KEYWORD: Final = 100
_LAST_PLACE: Final = 16_383
_MOST_PLACES: Final = 16
"""Places of one token that are kept: more of them say no more about what a product is."""

shelf: Final = Table(
    "shelf",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("product_id", String(200), nullable=False, unique=True),
    Column("provider", String(500), nullable=False),
    Column("grade", String(20), nullable=False),
    Column("media_type", String(200), nullable=False),
    Column("published_at", UtcTimeColumn, nullable=False),
    Column("dataset", LargeBinary, nullable=False),
    Column("made_by", String(16), nullable=False),
    # On SQLite the tokens lie in `shelf_fts`, and this stays empty.
    Column("tokens", Text().with_variant(PostgresqlType("TSVECTOR"), "postgresql"), nullable=False),
    sqlite_autoincrement=True,
    info={DERIVED: True},
)
"""`number` grows with each publication and is never given twice: pages go on after it."""
tag: Final = Table(
    "shelf_tag",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=False),
    Column("tag", String(120), primary_key=True),
    info={DERIVED: True},
)
"""What a product has several of: `kind:` and `keyword:`."""
Index("ix_shelf_tag_tag", tag.c.tag)
Index("ix_shelf_provider_number", shelf.c.provider, shelf.c.number)
Index("ix_shelf_tokens", shelf.c.tokens, info=postgresql(using="gin"))

FULL_TEXT: Final = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS shelf_fts USING fts5(title, keywords, description, tokenize='ascii')"
)
"""SQLite's index. `ascii` splits at spaces and leaves every other character as it is.

It holds nothing that could not be made again, so no revision of the schema makes it: whoever fills it does.
"""

_PUT: Final = insert(shelf)
_PUT_TAG: Final = insert(tag)
_PUT_TEXT: Final = text(
    "INSERT INTO shelf_fts (rowid, title, keywords, description) VALUES (:number, :title, :keywords, :rest)"
)
_NUMBER: Final = select(shelf.c.number).where(shelf.c.product_id == bindparam("of"))
_TAKE: Final = delete(shelf).where(shelf.c.number == bindparam("at"))
_TAKE_TAGS: Final = delete(tag).where(tag.c.number == bindparam("at"))
_TAKE_TEXT: Final = text("DELETE FROM shelf_fts WHERE rowid = :at")
_DATASET: Final = select(shelf.c.provider, shelf.c.dataset).where(shelf.c.product_id == bindparam("of"))
_DATASETS: Final = select(shelf.c.number, shelf.c.provider, shelf.c.dataset).where(
    shelf.c.number.in_(bindparam("numbers", expanding=True))
)
_PAGE: Final = (
    select(shelf.c.number, shelf.c.provider, shelf.c.dataset)
    .where(shelf.c.number > bindparam("after"))
    .order_by(shelf.c.number)
    .limit(bindparam("most"))
    .offset(bindparam("skip"))
)
_PAGE_OF: Final = _PAGE.where(shelf.c.provider == bindparam("provider"))
_ABOVE_OF: Final = (
    select(shelf.c.number)
    .where(shelf.c.provider == bindparam("provider"), shelf.c.number >= bindparam("after"))
    .order_by(shelf.c.number)
    .limit(1)
    .offset(bindparam("skip"))
)
_COUNT: Final = select(func.count()).where(shelf.c.provider == bindparam("provider"))
_BEFORE: Final = (
    select(shelf.c.number)
    .where(shelf.c.number <= bindparam("after"))
    .order_by(shelf.c.number.desc())
    .limit(1)
    .offset(bindparam("skip"))
)
_BEFORE_OF: Final = _BEFORE.where(shelf.c.provider == bindparam("provider"))


@event.listens_for(shelf, "after_create")
def _created(_table: Table, connection: Connection, **_options: object) -> None:
    prepare(connection)


def prepare(connection: Connection) -> None:
    """Make the index where there is none yet."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(FULL_TEXT)


def put(tx: Transaction, product: Product) -> None:
    """Put a product where it is found and shown, in the place of an earlier version of it."""
    take(tx, product.id)
    title, keywords, rest = (
        grams(t) for t in (product.title, " ".join(product.keywords), product.description)
    )
    is_sqlite = tx.connection.dialect.name == "sqlite"
    prepare(tx.connection)
    made = tx.connection.execute(
        _PUT,
        {
            "product_id": product.id,
            "provider": product.provider,
            "grade": str(product.grade),
            "media_type": folded(product.media_type)[:200],
            "published_at": product.published_at,
            "dataset": canonical.encode(render_dataset(product, service_of(product.provider))),
            "made_by": MADE_BY,
            "tokens": "" if is_sqlite else _vector((title, "A"), (keywords, "B"), (rest, "D")),
        },
    )
    (number,) = made.inserted_primary_key or (None,)
    tags = {*(f"kind:{k}" for k in product.kinds), *(keyword_tag(k) for k in product.keywords)}
    if tags:
        tx.connection.execute(_PUT_TAG, [{"number": number, "tag": t} for t in sorted(tags)])
    if is_sqlite:
        values = {"title": " ".join(title), "keywords": " ".join(keywords), "rest": " ".join(rest)}
        tx.connection.execute(_PUT_TEXT, {"number": number} | values)


def take(tx: Transaction, product_id: ProductId) -> None:
    """Take a product off the shelf."""
    number = tx.connection.execute(_NUMBER, {"of": product_id}).scalar()
    if number is None:
        return
    tx.connection.execute(_TAKE, {"at": number})
    tx.connection.execute(_TAKE_TAGS, {"at": number})
    if tx.connection.dialect.name == "sqlite":
        tx.connection.execute(_TAKE_TEXT, {"at": number})


def keyword_tag(keyword: str) -> str:
    return "keyword:" + folded(keyword)[:LONGEST_KEYWORD]


def dataset(connection: Connection, product_id: ProductId) -> tuple[Did, bytes] | None:
    """The dataset of one product, and whose it is."""
    row = connection.execute(_DATASET, {"of": product_id}).first()
    return None if row is None else (Did(row.provider), row.dataset)


def datasets(connection: Connection, numbers: Sequence[int]) -> list[tuple[Did, bytes]]:
    """These datasets, in this order, and whose each is."""
    rows = connection.execute(_DATASETS, {"numbers": [*numbers]})
    found = {r.number: (Did(r.provider), r.dataset) for r in rows}
    return [found[n] for n in numbers]


def page(
    connection: Connection, provider: Did | None, after: int, skip: int, most: int
) -> list[tuple[int, Did, bytes]]:
    """What stands on the shelf after a number, in the order of publication."""
    values = {"after": after, "skip": skip, "most": most}
    rows = (
        connection.execute(_PAGE, values)
        if provider is None
        else connection.execute(_PAGE_OF, values | {"provider": provider})
    )
    return [(r.number, Did(r.provider), r.dataset) for r in rows]


def before(connection: Connection, provider: Did | None, after: int, size: int) -> int:
    """The number after which the page begins that ends at `after`; 0 for the first one."""
    values = {"after": after, "skip": size}
    found = (
        connection.execute(_BEFORE, values)
        if provider is None
        else connection.execute(_BEFORE_OF, values | {"provider": provider})
    ).scalar()
    return 0 if found is None else int(found)


def above(connection: Connection, provider: Did, after: int, size: int) -> int:
    """As `before`, where pages go from the newest to the oldest; 0 for the first one."""
    values = {"provider": provider, "after": after, "skip": size}
    found = connection.execute(_ABOVE_OF, values).scalar()
    return 0 if found is None else int(found)


def count(connection: Connection, provider: Did) -> int:
    """How many products of a provider stand on the shelf."""
    found: int = connection.execute(_COUNT, {"provider": provider}).scalar_one()
    return found


def _vector(*parts: tuple[Sequence[str], str]) -> str:
    """Tokens with their places and classes, as PostgreSQL writes a `tsvector`."""
    places: dict[str, list[str]] = {}
    at = 0
    for tokens, weight in parts:
        for token in tokens:
            at += 1
            found = places.setdefault(token, [])
            if len(found) < _MOST_PLACES:
                found.append(f"{min(at, _LAST_PLACE)}{weight}")
    return " ".join(f"'{token}':{','.join(found)}" for token, found in places.items())
