"""What is left under a contract, without spending any of it.

The provider counts, and knows. A consumer knows only what it has given receipts for; a rate it cannot
know, since the provider's clock opens and closes the periods.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.contracts import Contract, Party
from entrepot.policy import Charge, CounterKind, Fact, Plan, Source, counted, counter_name
from entrepot.use import acquisition_store
from entrepot.use.steps import plan_of
from entrepot.values import UtcTime


@dataclass(frozen=True, slots=True)
class Left:
    """One limit of one permission, and how much of it was used."""

    permission: int
    counter: CounterKind
    limit: int
    used: int

    @property
    def left(self) -> int:
        return max(self.limit - self.used, 0)


def left_of(connection: Connection, contract: Contract, now: UtcTime) -> tuple[Left, ...]:
    """Every limit that this party can know, in the policy's order."""
    plan = plan_of(contract.agreement.policy)
    counts = contract.party is Party.PROVIDER
    facts = (
        counted(connection, contract.agreement.id, plan, now, reserved=True)
        if counts
        else counts_of(connection, contract, plan, now)
    )
    found = []
    for charge in (c for charges in plan.charges for c in charges):
        fact = facts.get(counter_name(charge.counter, charge.permission))
        if fact is not None and isinstance(fact.value, int):
            used = fact.value if counts else fact.value - charge.amount
            found.append(Left(charge.permission, charge.counter, charge.limit, used))
    return tuple(found)


def counts_of(connection: Connection, contract: Contract, plan: Plan, now: UtcTime) -> dict[str, Fact]:
    """The counts that the next use would be, as far as this party knows them."""
    if contract.party is Party.PROVIDER:
        return counted(connection, contract.agreement.id, plan, now)
    received = acquisition_store.received_under(connection, contract.agreement.id)
    return {
        counter_name(charge.counter, charge.permission): Fact(received + charge.amount, Source.OBSERVED)
        for charges in plan.charges
        for charge in charges
        if _is_known_to_consumer(charge)
    }


def _is_known_to_consumer(charge: Charge) -> bool:
    return charge.counter is CounterKind.TOTAL
