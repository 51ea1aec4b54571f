"""The issuer's side: what was asked of us, and what became of each request (DCP 1.0, 6.4 and 6.8)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Row,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)

from entrepot.journal import AuditEvent, Transaction, UtcTimeColumn, audit, metadata
from entrepot.values import Did, RefusedError, UtcTime

MAX_ON_THE_WAY: Final = 16
"""So many requests of one holder may wait for their delivery."""
MAX_LISTED: Final = 1000


class IssuanceState(StrEnum):
    """As the protocol calls them (DCP 1.0, CredentialStatus)."""

    RECEIVED = "RECEIVED"
    """Decided and signed; not delivered yet."""
    ISSUED = "ISSUED"
    REJECTED = "REJECTED"


class Event(StrEnum):
    RECEIVED = "identity:issuance:receive"
    ENDED = "identity:issuance:end"


@dataclass(frozen=True, slots=True)
class Issuance:
    """One request of a holder."""

    id: str
    holder: Did
    holder_pid: str
    kinds: tuple[str, ...]
    """The ids of what was asked for."""
    state: IssuanceState
    made_at: UtcTime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A request that is written down and answered with no; the reason is told to the holder."""

    reason: str


_issuance: Final = Table(
    "issuance",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("holder", String(500), nullable=False),
    Column("holder_pid", String(200), nullable=False),
    Column("kinds", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", String(1000), nullable=False),
    Column("made_at", UtcTimeColumn, nullable=False),
)
Index("ix_issuance_holder", _issuance.c.holder, _issuance.c.state)

_ONE: Final = select(_issuance).where(_issuance.c.id == bindparam("of"))
_LATEST: Final = select(_issuance).order_by(_issuance.c.made_at.desc()).limit(bindparam("most"))
_ON_THE_WAY: Final = (
    select(func.count())
    .select_from(_issuance)
    .where(_issuance.c.holder == bindparam("of"), _issuance.c.state == IssuanceState.RECEIVED)
)
_REPEATED: Final = select(_issuance).where(
    _issuance.c.holder == bindparam("of"),
    _issuance.c.state == IssuanceState.RECEIVED,
    _issuance.c.holder_pid == bindparam("pid"),
    _issuance.c.kinds == bindparam("wanted"),
)
_END: Final = (
    update(_issuance)
    .where(_issuance.c.id == bindparam("of"), _issuance.c.state == IssuanceState.RECEIVED)
    .values(state=bindparam("to"), reason=bindparam("why"))
)


def receive_request(tx: Transaction, holder: Did, holder_pid: str, kinds: tuple[str, ...]) -> Issuance | None:
    """Take in a holder's request; None where it is a repeat of one that is on its way already."""
    if pending(tx.connection, holder, holder_pid, kinds) is not None:
        return None
    if tx.connection.execute(_ON_THE_WAY, {"of": holder}).scalar_one() >= MAX_ON_THE_WAY:
        raise RefusedError(f"{MAX_ON_THE_WAY} requests of this holder wait for their delivery already")
    made = Issuance(tx.new_id(), holder, holder_pid, kinds, IssuanceState.RECEIVED, tx.now)
    values = {
        "id": made.id,
        "holder": holder,
        "holder_pid": holder_pid,
        "kinds": "\n".join(kinds),
        "state": str(made.state),
        "reason": "",
        "made_at": tx.now,
    }
    tx.connection.execute(insert(_issuance), values)
    audit(tx, AuditEvent(Event.RECEIVED, {"holder": holder, "issuance": made.id, "kinds": [*kinds]}))
    return made


def pending(connection: Connection, holder: Did, holder_pid: str, kinds: tuple[str, ...]) -> Issuance | None:
    """The same request, where it is on its way."""
    row = connection.execute(_REPEATED, {"of": holder, "pid": holder_pid, "wanted": "\n".join(kinds)}).first()
    return None if row is None else _read(row)


def end_issuance(tx: Transaction, issuance_id: str, state: IssuanceState, reason: str = "") -> bool:
    """Say what became of a request; what has ended stays as it is."""
    values = {"of": issuance_id, "to": str(state), "why": reason[:1000]}
    done = tx.connection.execute(_END, values).rowcount == 1
    if done:
        audit(tx, AuditEvent(Event.ENDED, {"issuance": issuance_id, "state": str(state)}))
    return done


def issuance(connection: Connection, issuance_id: str) -> Issuance | None:
    row = connection.execute(_ONE, {"of": issuance_id}).first()
    return None if row is None else _read(row)


def issuances(connection: Connection) -> list[Issuance]:
    """The latest requests first."""
    return [_read(row) for row in connection.execute(_LATEST, {"most": MAX_LISTED})]


def _read(row: Row[tuple[object, ...]]) -> Issuance:
    return Issuance(
        id=row.id,
        holder=Did(row.holder),
        holder_pid=row.holder_pid,
        kinds=tuple(row.kinds.split("\n")),
        state=IssuanceState(row.state),
        made_at=row.made_at,
        reason=row.reason,
    )
