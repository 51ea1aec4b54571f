"""Counting uses: what was counted becomes facts, what is decided is reserved, in one transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot.journal import Transaction
from entrepot.policy import store
from entrepot.policy.evaluate import Charge, CounterKind, Plan, counter_name
from entrepot.policy.model import Fact, Period, Source
from entrepot.values import AgreementId, UtcTime

_ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)


def reserve(tx: Transaction, agreement_id: AgreementId, charges: Sequence[Charge]) -> bool:
    """Take all `charges`, or none and say no: somebody else took the last one first."""
    savepoint = tx.connection.begin_nested()
    for charge in charges:
        if not store.take(tx.connection, _key(agreement_id, charge, tx.now), charge.amount, charge.limit):
            savepoint.rollback()
            return False
    savepoint.commit()
    return True


def release(
    tx: Transaction, agreement_id: AgreementId, charges: Sequence[Charge], reserved_at: UtcTime
) -> None:
    """Give back what was reserved at `reserved_at`. **Only for a use refused before data was touched.**"""
    for charge in charges:
        store.give_back(tx.connection, _key(agreement_id, charge, reserved_at), charge.amount)


def counted(
    connection: Connection, agreement_id: AgreementId, plan: Plan, now: UtcTime, *, reserved: bool = False
) -> dict[str, Fact]:
    """The counts that the next use would be, for every counter of every permission.

    With `reserved`, the use that is asked about has been counted already.
    """
    return {
        counter_name(charge.counter, charge.permission): Fact(
            store.used(connection, _key(agreement_id, charge, now)) + (0 if reserved else charge.amount),
            Source.OBSERVED,
        )
        for charges in plan.charges
        for charge in charges
    }


def _key(agreement_id: AgreementId, charge: Charge, now: UtcTime) -> store.Key:
    return agreement_id, charge.permission, str(charge.counter), window_start(charge.counter, now)


def window_start(counter: CounterKind, now: UtcTime) -> UtcTime:
    """When the counter's present window began: on the full UTC minute, hour or day."""
    if counter is CounterKind.TOTAL:
        return _ALWAYS
    period = timedelta(seconds=Period(str(counter)).seconds)
    return now - (now - _ALWAYS) % period
