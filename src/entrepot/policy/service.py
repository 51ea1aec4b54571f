"""Counting uses: what was counted becomes facts, what is decided is reserved, in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from entrepot.journal import Transaction
from entrepot.policy import store
from entrepot.policy.charges import Charge, CounterKind, amount_of, counter_name
from entrepot.policy.evaluate import Plan
from entrepot.policy.model import Fact, Facts, Period, Source
from entrepot.values import AgreementId, UseId, UtcTime

_ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REMEMBERED: Final = timedelta(hours=1)
"""How long a window that is over is kept: within that time a use may still be taken back."""
_NOTHING: Final[Facts] = MappingProxyType({})


def reserve(tx: Transaction, agreement_id: AgreementId, charges: Sequence[Charge]) -> bool:
    """Take all `charges`, or none and say no: somebody else took the last one first."""
    taken: list[tuple[store.Key, int]] = []
    for charge in charges:
        key = _key(agreement_id, charge, tx.now)
        oldest = key[3] - _REMEMBERED
        if not store.take(tx.connection, key, charge.amount, charge.limit, oldest):
            # Nobody sees what is not committed; a savepoint costs more than all the counters of a use.
            for other, amount in taken:
                store.give_back(tx.connection, other, amount)
            return False
        taken.append((key, charge.amount))
    return True


def release(
    tx: Transaction, agreement_id: AgreementId, charges: Sequence[Charge], reserved_at: UtcTime
) -> None:
    """Give back what was reserved at `reserved_at`. **Only for a use refused before data was touched.**

    What was taken from budgets is given back by `settle_budgets`.
    """
    for charge in charges:
        if not charge.counter.is_budget:
            store.give_back(tx.connection, _key(agreement_id, charge, reserved_at), charge.amount)


def hold(tx: Transaction, use_id: UseId, agreement_id: AgreementId, charges: Sequence[Charge]) -> None:
    """Remember what a use has reserved of its budgets, until it is settled."""
    for charge in charges:
        if charge.counter.is_budget:
            store.hold(tx.connection, use_id, _key(agreement_id, charge, tx.now), charge.amount)


def settle_budgets(tx: Transaction, use_id: UseId, spent: Mapping[CounterKind, int]) -> None:
    """Give back what a closed use had reserved and did not come to. Once: a repeat finds nothing held.

    What `spent` does not name counts as spent whole. A use never costs more than it reserved: its door
    stops there, and bytes that were sent twice are paid for once.
    """
    for key, amount in store.let_go(tx.connection, use_id):
        rest = amount - min(amount, spent.get(CounterKind(key[2]), amount))
        if rest:
            store.give_back(tx.connection, key, rest)


def counted(
    connection: Connection,
    agreement_id: AgreementId,
    plan: Plan,
    now: UtcTime,
    *,
    reserved: bool = False,
    asked: Facts = _NOTHING,
) -> dict[str, Fact]:
    """The counts that the next use would be, for every counter of every permission.

    `asked` has the most that it may take from budgets (`rowsPerUse` and the like); of a budget that it
    does not name nothing is known. With `reserved`, the use that is asked about has been counted already.
    """
    found = {}
    for charge in (c for charges in plan.charges for c in charges):
        amount = 0 if reserved else amount_of(charge.counter, asked)
        if amount is not None:
            used = store.used(connection, _key(agreement_id, charge, now))
            found[counter_name(charge.counter, charge.permission)] = Fact(used + amount, Source.OBSERVED)
    return found


def _key(agreement_id: AgreementId, charge: Charge, now: UtcTime) -> store.Key:
    return agreement_id, charge.permission, str(charge.counter), window_start(charge.counter, now)


def window_start(counter: CounterKind, now: UtcTime) -> UtcTime:
    """When the counter's present window began: on the full UTC minute, hour or day."""
    if counter is CounterKind.TOTAL or counter.is_budget:
        return _ALWAYS
    period = timedelta(seconds=Period(str(counter)).seconds)
    return now - (now - _ALWAYS) % period
