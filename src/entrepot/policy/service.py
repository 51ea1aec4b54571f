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
_CLOCK_MAY_GO_BACK: Final = timedelta(hours=1)


def reserve(tx: Transaction, agreement_id: AgreementId, charges: Sequence[Charge]) -> bool:
    """Take all `charges`, or none and say no: somebody else took the last one first."""
    for number, charge in enumerate(charges):
        key, oldest = _key(agreement_id, charge, tx.now), _oldest_kept(charge.counter, tx.now)
        if not store.take(tx.connection, key, charge.amount, charge.limit, oldest):
            release(tx, agreement_id, charges[:number], tx.now)  # nobody else sees what is not committed
            return False
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


def _oldest_kept(counter: CounterKind, now: UtcTime) -> UtcTime:
    """The first window that is kept when a new one begins."""
    start = window_start(counter, now)
    return start if start == _ALWAYS else window_start(counter, now - _CLOCK_MAY_GO_BACK)
