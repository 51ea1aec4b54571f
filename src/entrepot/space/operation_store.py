"""Table of operations wanted of the ledger."""

from typing import Any, Final

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

from entrepot.journal import Transaction, UtcTimeColumn, metadata
from entrepot.space.model import Operation, OperationState
from entrepot.values import TransactionId

_operation: Final = Table(
    "space_operation",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("op", String(40), nullable=False),
    Column("subject", String(600), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(20), nullable=False),
    Column("ledger_transaction", String(80), unique=True),
    Column("reason", String(200), nullable=False),
    Column("wanted_at", UtcTimeColumn, nullable=False),
)
Index("ix_space_operation_state", _operation.c.state, _operation.c.wanted_at)

_WANT: Final = insert(_operation)
_WANTED: Final = (
    select(_operation)
    .where(_operation.c.state == str(OperationState.WANTED))
    .order_by(_operation.c.wanted_at, _operation.c.id)
    .limit(bindparam("most"))
)
_OPERATION: Final = select(_operation).where(_operation.c.ledger_transaction == bindparam("of"))
_WISH: Final = select(_operation).where(
    _operation.c.op == bindparam("op"),
    _operation.c.subject == bindparam("of"),
    _operation.c.state == str(OperationState.WANTED),
)
_MOVE_OPERATION: Final = (
    update(_operation)
    .where(_operation.c.id == bindparam("of"), _operation.c.state == bindparam("before"))
    .values(
        state=bindparam("after"),
        ledger_transaction=bindparam("name"),
        reason=bindparam("why"),
    )
)


def want(tx: Transaction, operation: Operation) -> None:
    tx.connection.execute(
        _WANT,
        {
            "id": operation.id,
            "op": operation.op,
            "subject": operation.subject,
            "body": operation.body,
            "state": str(operation.state),
            "ledger_transaction": operation.transaction,
            "reason": "",
            "wanted_at": tx.now,
        },
    )


def wanted(connection: Connection, most: int) -> list[Operation]:
    return [_operation_of(r) for r in connection.execute(_WANTED, {"most": most})]


def wish(connection: Connection, op: str, subject: str) -> Operation | None:
    """What is wanted of the ledger and not signed yet."""
    row = connection.execute(_WISH, {"op": op, "of": subject}).first()
    return None if row is None else _operation_of(row)


def operation_of(connection: Connection, transaction: TransactionId) -> Operation | None:
    row = connection.execute(_OPERATION, {"of": transaction}).first()
    return None if row is None else _operation_of(row)


def move_operation(
    tx: Transaction,
    operation: Operation,
    after: OperationState,
    transaction: TransactionId | None,
    reason: str = "",
) -> bool:
    values = {
        "of": operation.id,
        "before": str(operation.state),
        "after": str(after),
        "name": transaction,
        "why": reason[:200],
    }
    return tx.connection.execute(_MOVE_OPERATION, values).rowcount == 1


def _operation_of(row: "Row[Any]") -> Operation:
    return Operation(
        id=row.id,
        op=row.op,
        subject=row.subject,
        body=row.body,
        state=OperationState(row.state),
        transaction=None if row.ledger_transaction is None else TransactionId(row.ledger_transaction),
        reason=row.reason,
    )
