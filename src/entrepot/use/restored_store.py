"""Table of the restores of this node."""

from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    Row,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    update,
)

from entrepot.journal import Prepared, Transaction, UtcTimeColumn, metadata

_restore: Final = Table(
    "restore",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("backup_at", String(40), nullable=False),
    Column("restored_at", UtcTimeColumn, nullable=False),
    Column("batches", Integer, nullable=False),
    Column("compared_at", UtcTimeColumn),
    Column("first_lost", Integer),
    Column("last_lost", Integer),
    Column("accepted_at", UtcTimeColumn),
)
_NEWEST: Final = select(_restore).order_by(_restore.c.number.desc()).limit(1)
_LAST: Final = select(func.max(_restore.c.number))
_OPEN: Final = Prepared(select(_restore.c.number).where(_restore.c.accepted_at.is_(None)).limit(1))
_INSERT: Final = insert(_restore)
_SUPERSEDE: Final = (
    update(_restore).where(_restore.c.accepted_at.is_(None)).values(accepted_at=bindparam("now"))
)
_COMPARE: Final = (
    update(_restore)
    .where(_restore.c.number == bindparam("of"), _restore.c.compared_at.is_(None))
    .values(compared_at=bindparam("now"), first_lost=bindparam("first"), last_lost=bindparam("last"))
)
_ACCEPT: Final = (
    update(_restore).where(_restore.c.number == bindparam("of")).values(accepted_at=bindparam("now"))
)


def begin(tx: Transaction, backup_at: str, batches: int) -> None:
    tx.connection.execute(_SUPERSEDE, {"now": tx.now})
    last = tx.connection.execute(_LAST).scalar_one_or_none() or 0
    values = {"number": last + 1, "backup_at": backup_at, "restored_at": tx.now, "batches": batches}
    tx.connection.execute(_INSERT, values)


def newest(connection: Connection) -> "Row[Any] | None":
    return connection.execute(_NEWEST).first()


def is_open(connection: Connection) -> bool:
    """Whether a restore is not accepted; asked at every use."""
    return _OPEN.first(connection, {}) is not None


def compare(tx: Transaction, number: int, first: int | None, last: int | None) -> bool:
    values = {"of": number, "now": tx.now, "first": first, "last": last}
    return tx.connection.execute(_COMPARE, values).rowcount == 1


def accept(tx: Transaction, number: int) -> None:
    tx.connection.execute(_ACCEPT, {"of": number, "now": tx.now})
