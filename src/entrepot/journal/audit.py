"""The audit trail: typed events, chained by digest so that a change to an old one shows.

Events are written by use cases in any order; one sealer numbers them afterwards, from committed rows,
and each is sealed once. **The chain shows what was changed, not what was cut off at its end**: for that
keep its length and last link elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    bindparam,
    insert,
    select,
    update,
)

from entrepot.journal.database import RowNumber, UtcTimeColumn, metadata
from entrepot.journal.lease import lease
from entrepot.journal.postgresql import postgresql
from entrepot.journal.prepared import Prepared
from entrepot.journal.transaction import Transaction
from entrepot.values import Digest, TrustError, UtcTime, canonical, render_time, sha256


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What happened: `subject:object:action`, and the facts that belong to it."""

    name: str
    facts: Mapping[str, canonical.Json]


_event: Final = Table(
    "audit_event",
    metadata,
    Column("row", RowNumber, primary_key=True, autoincrement=True),
    Column("name", String(100), nullable=False, index=True),
    Column("at", UtcTimeColumn, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("number", RowNumber, unique=True),
    Column("chain", LargeBinary),
    sqlite_autoincrement=True,
)
_unsealed: Final = _event.c.number.is_(None)
Index("ix_audit_event_unsealed", _event.c.row, sqlite_where=_unsealed, info=postgresql(where=_unsealed))

_START: Final = sha256(b"entrepot/audit/v1\n")
_LEASE: Final = "audit:trail:seal"
_LEASE_SECONDS: Final = 30

_WRITE: Final = Prepared(insert(_event))
_SEALED: Final = select(_event).where(~_unsealed)
_LAST: Final = _SEALED.order_by(_event.c.number.desc()).limit(1)
_CHAIN: Final = _SEALED.order_by(_event.c.number)
_UNSEALED: Final = (
    select(_event.c.row, _event.c.body).where(_unsealed).order_by(_event.c.row).limit(bindparam("most"))
)
_SEAL: Final = (
    update(_event)
    .where(_event.c.row == bindparam("of"), _unsealed)
    .values(number=bindparam("next"), chain=bindparam("link"))
)


def audit(tx: Transaction, event: AuditEvent) -> None:
    """Write down `event` at the transaction's time."""
    body = _body(event.name, tx.now, dict(event.facts))
    _WRITE.change(tx.connection, {"name": event.name, "at": tx.now, "body": body})


def seal_audit(tx: Transaction, limit: int = 1000) -> int:
    """Chain events that are not chained yet; say how many. **For one sealer at a time.**"""
    last = tx.connection.execute(_LAST).first()
    number, chain = (0, _START) if last is None else (last.number, Digest(last.chain))
    seals = []
    for row in tx.connection.execute(_UNSEALED, {"most": limit}):
        number += 1
        chain = _link(chain, row.body)
        seals.append({"of": row.row, "next": number, "link": chain})
    if seals:
        tx.connection.execute(_SEAL, seals)
    return len(seals)


def seal_audit_as(tx: Transaction, holder: str, limit: int = 1000) -> int:
    """As `seal_audit`, where `holder` has or gets the sealer's lease; else nothing."""
    if tx.connection.execute(_UNSEALED, {"most": 1}).first() is None:
        return 0  # an idle sealer writes nothing, not even its lease
    return seal_audit(tx, limit) if lease(tx, _LEASE, holder, _LEASE_SECONDS) else 0


def verify_audit_chain(connection: Connection) -> int:
    """Follow the chain from its start and give its length, or raise `TrustError` at the first break."""
    number, chain = 0, _START
    for row in connection.execute(_CHAIN):
        number += 1
        if row.number != number:
            raise TrustError(f"audit event {number} is missing")
        chain = _link(chain, row.body)
        if chain != row.chain or not _is_told_alike(row):
            raise TrustError(f"audit event {number} was changed")
    return number


def _body(name: str, at: UtcTime, facts: canonical.Json) -> bytes:
    return canonical.encode({"at": render_time(at), "facts": facts, "name": name})


def _link(chain: Digest, body: bytes) -> Digest:
    return sha256(chain + sha256(body))


def _is_told_alike(row: Row[tuple[object, ...]]) -> bool:
    """Say whether the columns that searches use say what the chained body says."""
    body = canonical.decode(row.body)
    return isinstance(body, dict) and _body(row.name, row.at, body["facts"]) == row.body
