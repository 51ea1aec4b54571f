"""What is done about uses that nobody goes on with: dead boots, ended processes, lapsed windows."""

import time

from sqlalchemy import Connection

from entrepot.contracts import agreement_of, in_force
from entrepot.journal import Journal, Transaction, present_holders
from entrepot.use import store
from entrepot.use.flow.behind import behind_door
from entrepot.use.flow.store import is_running
from entrepot.use.gate import settle
from entrepot.use.model import House, Outcome, Use, UseState
from entrepot.use.process import TRANSFER
from entrepot.values import UseId, UtcTime


class GoingOn:
    """Says now and then that a stream goes on: one that outlasts the resume window has not lapsed."""

    def __init__(self, journal: Journal, house: House, use_id: UseId) -> None:
        self._journal = journal
        self._use_id = use_id
        self._every = house.resume_window.total_seconds() / 4
        self._said = time.monotonic()

    async def tick(self) -> None:
        if time.monotonic() - self._said >= self._every:
            self._said = time.monotonic()
            await self._journal.write(lambda tx: store.keep_open(tx, self._use_id))


def interrupt_dead(tx: Transaction, house: House) -> int:
    """What a run had open that is dead was interrupted; what it had reserved stays reserved."""
    dead = _dead(tx.connection, house)
    for use in dead:
        settle(tx, house, use.id, Outcome.INTERRUPTED)
    return len(dead)


def has_dead(connection: Connection, house: House) -> bool:
    """Whether `interrupt_dead` has anything to do."""
    return bool(_dead(connection, house))


def close_due(tx: Transaction, house: House) -> int:
    """Close uses whose process or contract has ended, or whose resume window is over; say how many."""
    due = _due(tx.connection, house, tx.now)
    for use, outcome in due:
        settle(tx, house, use.id, outcome)
    return len(due)


def has_due(connection: Connection, house: House, now: UtcTime) -> bool:
    """Whether `close_due` has anything to do."""
    return bool(_due(connection, house, now))


def _dead(connection: Connection, house: House) -> list[Use]:
    """Open uses of runs that are gone: all but ours, and on a shared database all but those present."""
    living = {house.boot, *present_holders(connection)}
    return [u for u in store.live_uses(connection) if u.state is UseState.OPEN and u.boot not in living]


def _due(connection: Connection, house: House, now: UtcTime) -> list[tuple[Use, Outcome]]:
    due: list[tuple[Use, Outcome]] = []
    for use in store.live_uses(connection):
        process = behind_door(connection, use.process_id)
        contract = agreement_of(connection, use.agreement_id)
        waited = now - use.touched_at
        if process is not None and is_running(connection, use.process_id):
            continue  # it goes on where nobody here sees it
        if waited > house.resume_window:
            due.append((use, Outcome.LAPSED))
        elif process is None or contract is None or in_force(contract, now):
            due.append((use, Outcome.ENDED))
        elif TRANSFER.is_final(process.exchange.state) and waited > house.receipt_wait:
            due.append((use, Outcome.ENDED))  # a receipt may still be on its way behind the completion
    return due
