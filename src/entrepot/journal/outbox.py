"""The outbox: what this node still has to tell others.

A message is queued in the transaction that decides it and sent afterwards, in the order of its lane,
under a lease, until its deadline. Its id is the idempotency key: a repeat carries the same bytes.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from entrepot.journal.database import RowNumber, UtcTimeColumn, metadata
from entrepot.journal.prepared import Prepared
from entrepot.journal.transaction import Transaction
from entrepot.values import MessageId, UtcTime


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message on its way: who delivers it (`kind`), behind which others (`lane`), where and what."""

    id: MessageId
    kind: str
    lane: str
    address: str
    body: bytes
    not_before: UtcTime
    deadline: UtcTime
    attempts: int = 0


outbox: Final = Table(
    "outbox",
    metadata,
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("id", String(200), nullable=False, unique=True),
    Column("kind", String(40), nullable=False),
    Column("lane", String(200), nullable=False),
    Column("address", String(2000), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("not_before", UtcTimeColumn, nullable=False),
    Column("deadline", UtcTimeColumn, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("leased_by", String(200)),
    Column("leased_until", UtcTimeColumn),
    sqlite_autoincrement=True,
)
Index("ix_outbox_lane_position", outbox.c.lane, outbox.c.position)

_earlier: Final = outbox.alias("earlier")
_is_first: Final = ~exists().where(
    and_(_earlier.c.lane == outbox.c.lane, _earlier.c.position < outbox.c.position)
)
_is_of_kind: Final = outbox.c.kind.in_(bindparam("kinds", expanding=True))
_is_free: Final = or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= bindparam("now"))
_free_from: Final = case(
    (outbox.c.leased_until > outbox.c.not_before, outbox.c.leased_until), else_=outbox.c.not_before
)

_INSERT: Final = Prepared(insert(outbox))
_DUE: Final = (
    select(outbox)
    .where(_is_of_kind, outbox.c.not_before <= bindparam("now"), _is_free, _is_first)
    .order_by(outbox.c.position)
    .limit(bindparam("most"))
)
_NEXT_DUE: Final = select(func.min(_free_from, type_=UtcTimeColumn)).where(_is_of_kind, _is_first)
_LEASE: Final = Prepared(
    update(outbox)
    .where(outbox.c.id == bindparam("of"), _is_free)
    .values(leased_by=bindparam("holder"), leased_until=bindparam("until"), attempts=outbox.c.attempts + 1)
)
_POSTPONE: Final = Prepared(
    update(outbox)
    .where(outbox.c.id == bindparam("of"))
    .values(not_before=bindparam("until"), leased_by=None, leased_until=None)
)
_FREE: Final = (
    update(outbox)
    .where(outbox.c.leased_by.not_in(bindparam("living", expanding=True)))
    .values(leased_by=None, leased_until=None)
)
_DELETE: Final = Prepared(delete(outbox).where(outbox.c.id == bindparam("of")))
_DELETE_UNSENT: Final = Prepared(
    delete(outbox).where(outbox.c.lane == bindparam("of"), outbox.c.attempts == 0)
)
_BACKLOG: Final = select(func.count(), func.min(outbox.c.not_before, type_=UtcTimeColumn))
_IN_LANE: Final = Prepared(select(outbox.c.id).where(outbox.c.lane == bindparam("of")).limit(1))
_IS_UNTRIED: Final = Prepared(
    select(outbox.c.id).where(outbox.c.id == bindparam("of"), outbox.c.attempts == 0)
)
_DELETE_LANE: Final = Prepared(delete(outbox).where(outbox.c.lane == bindparam("of")))


def enqueue(tx: Transaction, message: OutboxMessage) -> None:
    """Queue `message`; its id must be new among what is still to be sent."""
    _INSERT.change(
        tx.connection,
        {
            "id": message.id,
            "kind": message.kind,
            "lane": message.lane,
            "address": message.address,
            "body": message.body,
            "not_before": message.not_before,
            "deadline": message.deadline,
            "attempts": message.attempts,
        },
    )


def claim(
    tx: Transaction, holder: str, kinds: tuple[str, ...], lease_seconds: float, limit: int = 100
) -> list[OutboxMessage]:
    """Take the first message of each lane that is due, for at most `lease_seconds`.

    Each claim counts as an attempt. A message past its deadline is given too: its sender settles it as
    undeliverable.
    """
    due = tx.connection.execute(_DUE, {"kinds": list(kinds), "now": tx.now, "most": limit}).all()
    lease = {"holder": holder, "now": tx.now, "until": tx.now + timedelta(seconds=lease_seconds)}
    return [_message(row) for row in due if _LEASE.change(tx.connection, {"of": row.id} | lease)]


def free_claims(tx: Transaction, living: Collection[str]) -> int:
    """Free what all but the living have claimed; say how many messages that were.

    **Whoever calls knows the others to be dead**: it owns the folder, or the database says who is present.
    """
    return tx.connection.execute(_FREE, {"living": [*living]}).rowcount


def next_due(connection: Connection, kinds: tuple[str, ...]) -> UtcTime | None:
    """When the next message of these kinds can be claimed; None while there is none."""
    due: UtcTime | None = connection.execute(_NEXT_DUE, {"kinds": list(kinds)}).scalar_one()
    return due


def backlog(connection: Connection) -> tuple[int, UtcTime | None]:
    """How many messages are on their way, and since when the oldest is due."""
    count, oldest = connection.execute(_BACKLOG).one()
    return count, oldest


def settle(tx: Transaction, message_id: MessageId) -> bool:
    """Take a message out: it was delivered, or nobody needs it any more. False when it was out already."""
    return _DELETE.change(tx.connection, {"of": message_id}) == 1


withdraw = settle


def withdraw_lane(tx: Transaction, lane: str) -> int:
    """Take out all that is queued in a lane; say how many messages that were."""
    return _DELETE_LANE.change(tx.connection, {"of": lane})


def withdraw_unsent(tx: Transaction, lane: str) -> int:
    """Take out what is queued in a lane and was never tried; what may have been sent stays until answered."""
    return _DELETE_UNSENT.change(tx.connection, {"of": lane})


def holds_lane(tx: Transaction, lane: str) -> bool:
    """Say whether anything is queued in a lane."""
    return _IN_LANE.first(tx.connection, {"of": lane}) is not None


def is_untried(tx: Transaction, message_id: MessageId) -> bool:
    """Say whether a message is queued and certainly has not left yet."""
    return _IS_UNTRIED.first(tx.connection, {"of": message_id}) is not None


def postpone(tx: Transaction, message_id: MessageId, until: UtcTime) -> None:
    """Give a message back, to be tried again from `until` on."""
    _POSTPONE.change(tx.connection, {"of": message_id, "until": until})


def _message(row: Row[tuple[object, ...]]) -> OutboxMessage:
    return OutboxMessage(
        id=MessageId(row.id),
        kind=row.kind,
        lane=row.lane,
        address=row.address,
        body=row.body,
        not_before=row.not_before,
        deadline=row.deadline,
        attempts=row.attempts + 1,
    )
