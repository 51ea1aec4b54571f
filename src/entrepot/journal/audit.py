"""The audit trail: typed events, chained by digest so that a change to an old one shows.

Events are written by use cases in any order; one sealer numbers them afterwards, from committed rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    insert,
    select,
)

from entrepot.journal.database import UtcTimeColumn, metadata
from entrepot.journal.writer import Transaction
from entrepot.values import Digest, TrustError, canonical, render_time, sha256


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What happened: `subject:object:action`, and the facts that belong to it."""

    name: str
    facts: Mapping[str, canonical.Json]


_event: Final = Table(
    "audit_event",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=True),
    Column("name", String(100), nullable=False, index=True),
    Column("at", UtcTimeColumn, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
_seal: Final = Table(
    "audit_seal",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("row", Integer, nullable=False, unique=True),
    Column("chain", LargeBinary, nullable=False),
)

_START: Final = sha256(b"entrepot/audit/v1\n")
_WRITE: Final = insert(_event)
_WRITE_SEAL: Final = insert(_seal)
_LAST: Final = select(_seal).order_by(_seal.c.number.desc()).limit(1)
_UNSEALED: Final = (
    select(_event.c.row, _event.c.body)
    .outerjoin(_seal, _seal.c.row == _event.c.row)
    .where(_seal.c.number.is_(None), _event.c.row > bindparam("after"))
    .order_by(_event.c.row)
    .limit(bindparam("most"))
)
_CHAIN: Final = (
    select(_seal.c.number, _seal.c.chain, _event.c.body)
    .outerjoin(_event, _event.c.row == _seal.c.row)
    .order_by(_seal.c.number)
)


def audit(tx: Transaction, event: AuditEvent) -> None:
    """Write down `event` at the transaction's time."""
    body = canonical.encode({"at": render_time(tx.now), "facts": dict(event.facts), "name": event.name})
    tx.connection.execute(_WRITE, {"name": event.name, "at": tx.now, "body": body})


def seal_audit(tx: Transaction, limit: int = 1000) -> int:
    """Chain events that are not chained yet; say how many.

    **To be called under one lease.**
    """
    last = tx.connection.execute(_LAST).first()
    number, chain = (0, _START) if last is None else (last.number, Digest(last.chain))
    rows = tx.connection.execute(_UNSEALED, {"after": 0, "most": limit}).all()
    seals = []
    for row in rows:
        number += 1
        chain = _link(chain, row.body)
        seals.append({"number": number, "row": row.row, "chain": chain})
    if seals:
        tx.connection.execute(_WRITE_SEAL, seals)
    return len(seals)


def verify_audit_chain(connection: Connection) -> int:
    """Follow the chain from its start and give its length, or raise `TrustError` at the first break."""
    number, chain = 0, _START
    for row in connection.execute(_CHAIN):
        number += 1
        if row.number != number or row.body is None:
            raise TrustError(f"audit event {number} is missing")
        chain = _link(chain, row.body)
        if chain != row.chain:
            raise TrustError(f"audit event {number} was changed")
    return number


def _link(chain: Digest, body: bytes) -> Digest:
    return sha256(chain + sha256(body))
