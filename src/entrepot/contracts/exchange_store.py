"""How an exchange is kept: the columns and lookups that a negotiation and a transfer process share."""

from typing import Any

from sqlalchemy import Column, Integer, Row, String, Table, UniqueConstraint, bindparam, or_, select

from entrepot.contracts.exchange import Exchange, Move, Party, Pending, State
from entrepot.journal import Prepared
from entrepot.values import MessageId, ProcessId


def exchange_columns() -> "list[Column[Any] | UniqueConstraint]":
    """Columns for one table: a process, who its other party is, and where that is reached."""
    return [
        Column("id", String(200), primary_key=True),
        Column("party", String(20), nullable=False),
        Column("state", String(20), nullable=False, index=True),
        Column("pending_move", String(20)),
        Column("pending_message", String(200), index=True),
        Column("behind_move", String(20)),
        Column("behind_message", String(200), index=True),
        Column("peer_pid", String(500)),
        Column("version", Integer, nullable=False),
        Column("counterparty", String(500), nullable=False),
        Column("address", String(2000), nullable=False),
        UniqueConstraint("counterparty", "party", "peer_pid"),
    ]


def by_peer(table: Table) -> Prepared:
    """Finds a process by `counterparty`, `party` and the `peer_pid` that the other party gave it."""
    names = ("counterparty", "party", "peer_pid")
    return Prepared(select(table).where(*(table.c[name] == bindparam(name) for name in names)))


def by_message(table: Table) -> Prepared:
    """Finds a process by a `message` of ours that is on its way."""
    kept = (table.c.pending_message, table.c.behind_message)
    return Prepared(select(table).where(or_(*(column == bindparam("message") for column in kept))))


def exchange_row(exchange: Exchange) -> dict[str, Any]:
    pending = exchange.pending
    behind = None if pending is None else pending.behind
    return {
        "id": exchange.id,
        "party": str(exchange.party),
        "state": str(exchange.state),
        "pending_move": None if pending is None else str(pending.move),
        "pending_message": None if pending is None else pending.message_id,
        "behind_move": None if behind is None else str(behind.move),
        "behind_message": None if behind is None else behind.message_id,
        "peer_pid": exchange.peer_pid,
        "version": exchange.version,
    }


def exchange_of(row: "Row[Any]") -> Exchange:
    behind = _pending(row.behind_move, row.behind_message, None)
    return Exchange(
        id=ProcessId(row.id),
        party=Party(row.party),
        state=State(row.state),
        pending=_pending(row.pending_move, row.pending_message, behind),
        peer_pid=None if row.peer_pid is None else ProcessId(row.peer_pid),
        version=row.version,
    )


def _pending(move: str | None, message: str, behind: Pending | None) -> Pending | None:
    return None if move is None else Pending(Move(move), MessageId(message), behind)
