"""Leases: a job of the node that one worker at a time may do."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from sqlalchemy import Column, String, Table, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from entrepot.journal.database import UtcTimeColumn, metadata
from entrepot.journal.transaction import Transaction

_lease: Final = Table(
    "lease",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("until", UtcTimeColumn, nullable=False),
)
_TAKE: Final = insert(_lease)
_RETAKE: Final = (
    update(_lease)
    .where(
        _lease.c.name == bindparam("of"),
        or_(_lease.c.holder == bindparam("by"), _lease.c.until <= bindparam("now")),
    )
    .values(holder=bindparam("by"), until=bindparam("ends"))
)
_TAKEN: Final = select(_lease.c.holder).where(
    _lease.c.name == bindparam("of"), _lease.c.holder != bindparam("by"), _lease.c.until > bindparam("now")
)
_FREE: Final = delete(_lease).where(_lease.c.holder.not_in(bindparam("living", expanding=True)))


def free_leases(tx: Transaction, living: Collection[str]) -> int:
    """Free the leases of all but the living; say how many.

    **Whoever calls knows the others to be dead**: it owns the folder, or the database says who is present.
    """
    return tx.connection.execute(_FREE, {"living": [*living]}).rowcount


def lease(tx: Transaction, name: str, holder: str, seconds: float) -> bool:
    """Take or renew the lease `name` for `holder`; False, and nothing written, while another holds it."""
    ends = tx.now + timedelta(seconds=seconds)
    if tx.connection.execute(_TAKEN, {"of": name, "by": holder, "now": tx.now}).first() is not None:
        return False
    if tx.connection.execute(_RETAKE, {"of": name, "by": holder, "now": tx.now, "ends": ends}).rowcount:
        return True
    try:
        with tx.connection.begin_nested():
            tx.connection.execute(_TAKE, {"name": name, "holder": holder, "until": ends})
    except IntegrityError:
        return False
    return True
