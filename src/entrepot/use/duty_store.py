"""What is owed and what was done: one row for each duty that fell due or was performed.

A duty before a use has a row only once it was done. Nothing is deleted: that a copy was kept too long
remains known.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    BigInteger,
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

from entrepot.journal import Prepared, UtcTimeColumn, metadata
from entrepot.values import AgreementId, Money, UseId, UtcTime

_duty: Final = Table(
    "use_duty",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("agreement_id", String(200), nullable=False),
    Column("use_id", String(200), nullable=False),
    Column("action", String(50), nullable=False),
    Column("name", String(200), nullable=False),
    Column("minor", BigInteger),
    Column("currency", String(3)),
    Column("begun_at", UtcTimeColumn, nullable=False),
    Column("due_at", UtcTimeColumn),
    Column("performed_at", UtcTimeColumn),
    Column("proof", LargeBinary, nullable=False),
    Index("ix_use_duty_agreement", "agreement_id", "performed_at"),
)
_of_agreement: Final = _duty.c.agreement_id == bindparam("of")
_is_open: Final = _duty.c.performed_at.is_(None)
_ADD: Final = insert(_duty)
_ALL: Final = (
    select(_duty).where(_of_agreement).order_by(_duty.c.begun_at, _duty.c.id).limit(bindparam("most"))
)
_OPEN: Final = Prepared(select(_duty).where(_of_agreement, _is_open).order_by(_duty.c.due_at, _duty.c.id))
_DONE: Final = Prepared(select(_duty).where(_of_agreement, ~_is_open))
_EVERYWHERE: Final = (
    select(_duty).where(_is_open).order_by(_duty.c.due_at, _duty.c.id).limit(bindparam("most"))
)
_PERFORM: Final = Prepared(
    update(_duty)
    .where(_duty.c.id == bindparam("which"), _is_open)
    .values(performed_at=bindparam("at"), proof=bindparam("how"))
)
_PROVEN: Final = Prepared(select(_duty).where(_of_agreement, _duty.c.proof == bindparam("how")))


@dataclass(frozen=True, slots=True)
class Owed:
    """A duty under an agreement: when it began, by when it is due, when it was performed."""

    id: str
    agreement_id: AgreementId
    use_id: UseId | None
    """The use after which it fell due, or with which it was done."""
    action: str
    name: str
    """As the policy has it: `delete within P30D`."""
    begun_at: UtcTime
    due_at: UtcTime | None = None
    performed_at: UtcTime | None = None
    amount: Money | None = None
    proof: bytes = b""
    """The signed notice of who performed it; empty where this node did, or its owner said so."""


def add(connection: Connection, owed: Owed) -> None:
    connection.execute(
        _ADD,
        {
            "id": owed.id,
            "agreement_id": owed.agreement_id,
            "use_id": owed.use_id or "",
            "action": owed.action,
            "name": owed.name,
            "minor": None if owed.amount is None else owed.amount.minor,
            "currency": None if owed.amount is None else owed.amount.currency,
            "begun_at": owed.begun_at,
            "due_at": owed.due_at,
            "performed_at": owed.performed_at,
            "proof": owed.proof,
        },
    )


def perform(connection: Connection, owed_id: str, at: UtcTime, proof: bytes) -> bool:
    """Write down that it was done; once, by whoever says so first."""
    return bool(_PERFORM.change(connection, {"which": owed_id, "at": at, "how": proof}))


def all_of(connection: Connection, agreement_id: AgreementId, most: int) -> list[Owed]:
    rows = connection.execute(_ALL, {"of": agreement_id, "most": most})
    return [_owed(row) for row in rows]


def open_of(connection: Connection, agreement_id: AgreementId) -> list[Owed]:
    """What is not performed yet, the earliest due first."""
    return [_owed(row) for row in _OPEN.all(connection, {"of": agreement_id})]


def done_of(connection: Connection, agreement_id: AgreementId) -> list[Owed]:
    return [_owed(row) for row in _DONE.all(connection, {"of": agreement_id})]


def open_everywhere(connection: Connection, most: int) -> list[Owed]:
    """What is not performed yet under any agreement, the earliest due first."""
    return [_owed(row) for row in connection.execute(_EVERYWHERE, {"most": most})]


def proven(connection: Connection, agreement_id: AgreementId, proof: bytes) -> Owed | None:
    """What this very notice has performed before."""
    row = _PROVEN.first(connection, {"of": agreement_id, "how": proof})
    return None if row is None else _owed(row)


def _owed(row: Row[tuple[object, ...]]) -> Owed:
    return Owed(
        id=row.id,
        agreement_id=AgreementId(row.agreement_id),
        use_id=UseId(row.use_id) if row.use_id else None,
        action=row.action,
        name=row.name,
        begun_at=row.begun_at,
        due_at=row.due_at,
        performed_at=row.performed_at,
        amount=None if row.currency is None else Money(row.minor, row.currency),
        proof=row.proof,
    )
