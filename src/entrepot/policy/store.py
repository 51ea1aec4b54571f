"""Counters: how much of a permission was used. One row a counter and window, changed by guarded updates.

Nothing is read before it is written: two callers who both saw room would both take it.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from entrepot.journal import Prepared, UtcTimeColumn, metadata
from entrepot.values import AgreementId, UseId, UtcTime

_counter: Final = Table(
    "policy_counter",
    metadata,
    Column("agreement_id", String(200), primary_key=True),
    Column("permission", Integer, primary_key=True, autoincrement=False),
    Column("counter", String(20), primary_key=True),
    Column("window_start", UtcTimeColumn, primary_key=True, autoincrement=False),
    Column("used", BigInteger, nullable=False),
)
_held: Final = Table(
    "policy_held",
    metadata,
    Column("use_id", String(200), primary_key=True),
    Column("counter", String(20), primary_key=True),
    Column("agreement_id", String(200), nullable=False),
    Column("permission", Integer, nullable=False),
    Column("window_start", UtcTimeColumn, nullable=False),
    Column("amount", BigInteger, nullable=False),
)
_of_window: Final = (
    (_counter.c.agreement_id == bindparam("of"))
    & (_counter.c.permission == bindparam("at"))
    & (_counter.c.counter == bindparam("kind"))
    & (_counter.c.window_start == bindparam("start"))
)
_OPEN: Final = insert(_counter)
_FORGET: Final = delete(_counter).where(
    _counter.c.agreement_id == bindparam("of"),
    _counter.c.permission == bindparam("at"),
    _counter.c.counter == bindparam("kind"),
    _counter.c.window_start < bindparam("before"),
)
_TAKE: Final = Prepared(
    update(_counter)
    .where(_of_window, _counter.c.used + bindparam("amount") <= bindparam("most"))
    .values(used=_counter.c.used + bindparam("amount"))
)
_GIVE_BACK: Final = Prepared(
    update(_counter)
    .where(_of_window, _counter.c.used >= bindparam("amount"))
    .values(used=_counter.c.used - bindparam("amount"))
)
_USED: Final = Prepared(select(_counter.c.used).where(_of_window))
_HOLD: Final = insert(_held)
_HELD: Final = Prepared(
    select(
        _held.c.agreement_id, _held.c.permission, _held.c.counter, _held.c.window_start, _held.c.amount
    ).where(_held.c.use_id == bindparam("use"))
)
_LET_GO: Final = Prepared(delete(_held).where(_held.c.use_id == bindparam("use")))

Key = tuple[AgreementId, int, str, UtcTime]


def take(connection: Connection, key: Key, amount: int, limit: int, oldest: UtcTime) -> bool:
    """Add `amount` unless that would pass `limit`; one guarded update decides.

    When a new window begins, those of the same counter that are older than `oldest` are forgotten.
    """
    where = _bound(key) | {"amount": amount, "most": limit}
    if _TAKE.change(connection, where):
        return True
    try:
        with connection.begin_nested():
            of, at, kind, start = key
            connection.execute(
                _OPEN,
                {"agreement_id": of, "permission": at, "counter": kind, "window_start": start, "used": 0},
            )
            connection.execute(_FORGET, {"of": of, "at": at, "kind": kind, "before": oldest})
    except IntegrityError:
        pass  # the row was there, or somebody else has just made it: the guard decides
    return bool(_TAKE.change(connection, where))


def give_back(connection: Connection, key: Key, amount: int) -> bool:
    return bool(_GIVE_BACK.change(connection, _bound(key) | {"amount": amount}))


def used(connection: Connection, key: Key) -> int:
    row = _USED.first(connection, _bound(key))
    return 0 if row is None else row.used


def hold(connection: Connection, use_id: UseId, key: Key, amount: int) -> None:
    """Remember what a use has taken from one budget."""
    of, at, kind, start = key
    connection.execute(
        _HOLD,
        {
            "use_id": use_id,
            "counter": kind,
            "agreement_id": of,
            "permission": at,
            "window_start": start,
            "amount": amount,
        },
    )


def let_go(connection: Connection, use_id: UseId) -> list[tuple[Key, int]]:
    """What a use had taken from budgets, told once."""
    rows = [*_HELD.all(connection, {"use": use_id})]
    if rows:
        _LET_GO.change(connection, {"use": use_id})
    return [((r.agreement_id, r.permission, r.counter, r.window_start), r.amount) for r in rows]


def _bound(key: Key) -> dict[str, object]:
    of, at, kind, start = key
    return {"of": of, "at": at, "kind": kind, "start": start}
