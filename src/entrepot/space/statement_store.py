"""Tables of statements and of deliveries of stop orders."""

from typing import Final

from sqlalchemy import Column, Connection, LargeBinary, String, Table, bindparam, insert, select, update

from entrepot.journal import Transaction, UtcTimeColumn, metadata
from entrepot.space.model import StopDelivery
from entrepot.values import Did, Digest

_statement: Final = Table(
    "space_statement",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("subject", String(500), nullable=False, index=True),
    Column("signer", String(500), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("at", UtcTimeColumn, nullable=False),
)
_delivery: Final = Table(
    "space_stop_delivery",
    metadata,
    Column("order_id", String(200), primary_key=True),
    Column("party", String(500), primary_key=True),
    Column("message_id", String(200), nullable=False, unique=True),
    Column("acknowledged_at", UtcTimeColumn),
)

_KEEP_STATEMENT: Final = insert(_statement)
_STATEMENT: Final = select(_statement).where(_statement.c.id == bindparam("of"))
_STATEMENTS: Final = (
    select(_statement).where(_statement.c.subject == bindparam("of")).order_by(_statement.c.at)
)
_SEND_STOP: Final = insert(_delivery)
_ACKNOWLEDGE: Final = (
    update(_delivery)
    .where(_delivery.c.message_id == bindparam("of"), _delivery.c.acknowledged_at.is_(None))
    .values(acknowledged_at=bindparam("at"))
)
_DELIVERIES: Final = (
    select(_delivery).where(_delivery.c.order_id == bindparam("of")).order_by(_delivery.c.party)
)


def keep_statement(
    tx: Transaction, statement_id: str, kind: str, subject: str, signer: Did, digest: Digest, raw: bytes
) -> None:
    tx.connection.execute(
        _KEEP_STATEMENT,
        {
            "id": statement_id,
            "kind": kind,
            "subject": subject,
            "signer": signer,
            "digest": digest,
            "raw": raw,
            "at": tx.now,
        },
    )


def statement_digest(connection: Connection, statement_id: str) -> Digest | None:
    row = connection.execute(_STATEMENT, {"of": statement_id}).first()
    return None if row is None else Digest(row.digest)


def statements(connection: Connection, subject: str) -> list[tuple[str, Did, bytes]]:
    """What was said of a subject, oldest first: kind, signer, signed bytes."""
    return [(r.kind, Did(r.signer), r.raw) for r in connection.execute(_STATEMENTS, {"of": subject})]


def send_stop(tx: Transaction, order: str, party: Did, message_id: str) -> None:
    values = {"order_id": order, "party": party, "message_id": message_id, "acknowledged_at": None}
    tx.connection.execute(_SEND_STOP, values)


def acknowledge(tx: Transaction, message_id: str) -> bool:
    return tx.connection.execute(_ACKNOWLEDGE, {"of": message_id, "at": tx.now}).rowcount == 1


def deliveries(connection: Connection, order: str) -> list[StopDelivery]:
    rows = connection.execute(_DELIVERIES, {"of": order})
    return [StopDelivery(r.order_id, Did(r.party), r.message_id, r.acknowledged_at) for r in rows]
