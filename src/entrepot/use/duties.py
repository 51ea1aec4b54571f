"""Duties of a contract in performance: what falls due, who did it, what stands against further use.

*Before* a use it is written down that something was done, and the gate sees that as a fact. *Alongside* it
the gate itself informs, sends the record, raises an alarm; what a door does to the data is seen by the
gate as its treatment. *After* it a duty is due, then performed or overdue. That a deletion was reported is
recorded with the consumer's signature; **that nothing was kept is not known to anybody but the consumer**.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from entrepot.contracts import Contract
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.policy import (
    BY_THE_GATE,
    Duty,
    Fact,
    Moment,
    Plan,
    Policy,
    Source,
    after_use,
    duty_name,
    kinds_let_in,
    owed,
)
from entrepot.use import duty_store
from entrepot.use.duty_store import Owed
from entrepot.use.model import Outcome, Use
from entrepot.values import AgreementId, KindOfUse, Money, NotFoundError, RefusedError, UseId, UtcTime

MOST: Final = 1_000
_ABNORMAL: Final = frozenset({Outcome.DIFFERS, Outcome.FAILED, Outcome.INTERRUPTED})
_BY_WHO_IS_PAID: Final = "compensate"


class Event(StrEnum):
    """What the audit trail says of duties."""

    FELL_DUE = "use:duty:owe"
    PERFORMED = "use:duty:perform"


class DutyState(StrEnum):
    DUE = "due"
    PERFORMED = "performed"
    OVERDUE = "overdue"


def state_of(found: Owed, now: UtcTime) -> DutyState:
    """How it stands with a duty."""
    if found.performed_at is not None:
        return DutyState.PERFORMED
    return DutyState.OVERDUE if found.due_at is not None and now > found.due_at else DutyState.DUE


def duties_of(connection: Connection, agreement_id: AgreementId) -> list[Owed]:
    """Everything that fell due or was done under an agreement, in its order."""
    return duty_store.all_of(connection, agreement_id, MOST)


def duties_waiting(connection: Connection) -> list[Owed]:
    """What is not performed yet under any agreement, the earliest due first."""
    return duty_store.open_everywhere(connection, MOST)


def against_use(connection: Connection, contract: Contract, now: UtcTime) -> tuple[str, ...]:
    """Why duties that are overdue forbid a further use; nothing where none is."""
    if not _owes_later(contract.agreement.policy):
        return ()
    late = [o for o in duty_store.open_of(connection, contract.agreement.id) if o.due_at is not None]
    return tuple(
        f"overdue since {o.due_at:%Y-%m-%d %H:%M} UTC: {o.name}"
        for o in late
        if o.due_at is not None and now > o.due_at
    )


def facts_of_duties(
    connection: Connection, agreement_id: AgreementId, plan: Plan, now: UtcTime
) -> Iterator[tuple[str, Fact]]:
    """What was done and paid, and how long copies are kept already: only what the policy asks for."""
    asked = {name.partition(":")[0] for name in plan.names}
    if asked & {"duty", "payAmount"}:
        done = duty_store.done_of(connection, agreement_id)
        for name, at in {o.name: o.performed_at for o in done}.items():
            if at is not None:
                yield f"duty:{name}", Fact(at, Source.OBSERVED)
        for name in (n for n in plan.names if n.startswith("payAmount:")):
            paid = _paid(done, name.partition(":")[2])
            yield name, Fact(paid, Source.OBSERVED)
    if "retention" in asked:
        kept = [
            now - o.begun_at for o in duty_store.open_of(connection, agreement_id) if o.action == "delete"
        ]
        yield "retention", Fact(max([now - now, *kept]), Source.OBSERVED)


def fulfil(tx: Transaction, policy: Policy, use: Use) -> None:
    """Do what the gate owes alongside a use that opens: inform, send the record."""
    for duty in _alongside(policy, use.permission):
        if duty.action != "alert":
            _perform(tx, _owed(tx, use.agreement_id, duty, use))


def fall_due(tx: Transaction, policy: Policy, use: Use, outcome: Outcome) -> None:
    """Write down what a use that was closed leaves to be done; an abnormal end raises the alarm."""
    if outcome is Outcome.REFUSED:
        return
    for duty in _alongside(policy, use.permission):
        if duty.action == "alert" and outcome in _ABNORMAL:
            _perform(tx, _owed(tx, use.agreement_id, duty, use))
    for duty in after_use(policy, use.permission, use.kind):
        due = _owed(tx, use.agreement_id, duty, use)
        if not _is_shared(tx, use, due):
            duty_store.add(tx.connection, due)
            _audit(tx, Event.FELL_DUE, due)


def expect(tx: Transaction, contract: Contract, use_id: UseId, kind: KindOfUse) -> None:
    """As consumer, when something has come: write down for ourselves what we owe now.

    The provider relies on the first permission that holds; of what it may be we take the first that lets
    this kind in. **The provider's list decides; ours reminds us.**
    """
    policy = contract.agreement.policy
    if any(o.use_id == use_id for o in duty_store.open_of(tx.connection, contract.agreement.id)):
        return
    for permission in range(len(policy.permissions)):
        only = replace(policy, permissions=policy.permissions[permission : permission + 1])
        if kind in kinds_let_in(only):
            for duty in after_use(policy, permission, kind):
                owed_here = replace(_owed(tx, contract.agreement.id, duty, None), use_id=use_id)
                duty_store.add(tx.connection, owed_here)
            return


def record_performance(
    tx: Transaction, contract: Contract, name: str, use_id: UseId | None = None, proof: bytes = b""
) -> Owed:
    """Write down that a duty of the contract was performed, named as the contract names it.

    With the use after which it fell due; without one the earliest by that name, or what is owed first.
    That is owed once.
    """
    agreement_id = contract.agreement.id
    for waiting in duty_store.open_of(tx.connection, agreement_id):
        if waiting.name == name and use_id in {None, waiting.use_id}:
            duty_store.perform(tx.connection, waiting.id, tx.now, proof)
            _audit(tx, Event.PERFORMED, waiting)
            return replace(waiting, performed_at=tx.now, proof=proof)
    known = {} if use_id else {duty_name(d): d for d in _owed_first(contract.agreement.policy)}
    if name not in known:
        raise NotFoundError(f"nothing by the name of {name!r} is due or owed first under this contract")
    if any(o.name == name for o in duty_store.done_of(tx.connection, agreement_id)):
        raise RefusedError(f"{name} was performed already")
    return _perform(tx, replace(_owed(tx, agreement_id, known[name], None), proof=proof))


def record_payment(tx: Transaction, contract: Contract, amount: Money) -> Owed:
    """Write down that the consumer has paid. **Said by whoever was paid.**

    It performs the earliest duty to pay this very amount that is due; else it counts as paid under the
    agreement.
    """
    for waiting in duty_store.open_of(tx.connection, contract.agreement.id):
        if waiting.action == _BY_WHO_IS_PAID and waiting.amount == amount:
            return record_performance(tx, contract, waiting.name, waiting.use_id)
    duty = Duty(_BY_WHO_IS_PAID, amount=amount)
    return _perform(tx, _owed(tx, contract.agreement.id, duty, None))


def is_performed_by_consumer(action: str) -> bool:
    """Whether the consumer's own word performs it; that somebody was paid is said by whoever was."""
    return action != _BY_WHO_IS_PAID


def _is_shared(tx: Transaction, use: Use, due: Owed) -> bool:
    """Whether a call of an open API owes what an earlier one owes still: who deletes, deletes all of it.

    The earliest counts. What is paid is owed for each.
    """
    if use.kind is not KindOfUse.API or due.amount is not None:
        return False
    return any(o.name == due.name for o in duty_store.open_of(tx.connection, due.agreement_id))


def _owes_later(policy: Policy) -> bool:
    return any(after_use(policy, i, KindOfUse.DELIVERY) for i in range(len(policy.permissions)))


def _owed_first(policy: Policy) -> Iterator[Duty]:
    for i in range(len(policy.permissions)):
        yield from owed(policy, i, Moment.BEFORE)


def _alongside(policy: Policy, permission: int) -> list[Duty]:
    return [d for d in owed(policy, permission, Moment.ALONGSIDE) if d.action in BY_THE_GATE]


def _paid(done: Iterable[Owed], currency: str) -> int:
    amounts = [o.amount for o in done if o.action == _BY_WHO_IS_PAID and o.amount is not None]
    return sum(a.minor for a in amounts if a.currency == currency)


def _owed(tx: Transaction, agreement_id: AgreementId, duty: Duty, use: Use | None) -> Owed:
    return Owed(
        id=tx.new_id(),
        agreement_id=agreement_id,
        use_id=None if use is None else use.id,
        action=duty.action,
        name=duty_name(duty),
        begun_at=tx.now,
        due_at=None if duty.within is None else tx.now + duty.within,
        amount=duty.amount,
    )


def _perform(tx: Transaction, found: Owed) -> Owed:
    done = replace(found, performed_at=tx.now)
    duty_store.add(tx.connection, done)
    _audit(tx, Event.PERFORMED, done)
    return done


def _audit(tx: Transaction, event: Event, found: Owed) -> None:
    audit(tx, AuditEvent(event, {"agreement": found.agreement_id, "duty": found.name, "use": found.use_id}))
