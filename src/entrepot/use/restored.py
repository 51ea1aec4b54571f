"""After a restore: nobody uses anything here until the owner has read what this node does not know any more.

A restored node knows nothing of what it did after its backup: its counters may be too low, its records are
gone. What the ledger has of that time is looked up once; what was not anchored yet nobody can look up. So the
gate stays shut until the owner accepts the gap, and says so to whoever knocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from entrepot import contracts
from entrepot.contracts import EndReason, Status
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.ledger import last_batch_number
from entrepot.use import restored_store as store
from entrepot.values import ConflictError, ContractId, UnavailableError, UtcTime


class Event(StrEnum):
    COMPARED = "use:restore:compare"
    ACCEPTED = "use:restore:accept"


@dataclass(frozen=True, slots=True)
class Restored:
    """That this node was restored, and what is known of the time after its backup."""

    number: int
    backup_at: str
    restored_at: UtcTime
    batches: int
    """How many batches of ours came back."""
    compared_at: UtcTime | None
    """When the ledger was read; None while it was not."""
    first: int | None
    """The first batch of ours that the ledger has and we do not."""
    last: int | None
    accepted_at: UtcTime | None

    @property
    def gap(self) -> str:
        """What is missing here, in words."""
        since = f"this node was restored from a backup of {self.backup_at}"
        if self.compared_at is None:
            return f"{since} and has not been compared with the ledger yet"
        if self.first is None:
            return (
                f"{since}; the ledger has no later batch of its records, later records may be lost unanchored"
            )
        return (
            f"{since}; batches {self.first} to {self.last} on the ledger are of later uses, not counted here"
        )


def begin_restored(tx: Transaction, backup_at: str) -> None:
    """Shut the gate of a node that was just restored; its earlier restores are past."""
    store.begin(tx, backup_at, last_batch_number(tx.connection))


def newest_restore(connection: Connection) -> Restored | None:
    """The latest restore of this node; None where it never was restored."""
    row = store.newest(connection)
    if row is None:
        return None
    return Restored(
        number=row.number,
        backup_at=row.backup_at,
        restored_at=row.restored_at,
        batches=row.batches,
        compared_at=row.compared_at,
        first=row.first_lost,
        last=row.last_lost,
        accepted_at=row.accepted_at,
    )


def not_accepted(connection: Connection) -> tuple[str, ...]:
    """Why nothing may be used here; nothing where nothing of this kind stands against it."""
    if not store.is_open(connection):
        return ()
    found = newest_restore(connection)
    return () if found is None else (f"{found.gap}; its owner has to accept that first",)


def compared(
    tx: Transaction, number: int, lost: tuple[int, int] | None, ends: Mapping[ContractId, EndReason]
) -> list[contracts.Contract]:
    """The ledger was read: note the gap, and end what was ended there meanwhile; gives those contracts."""
    first, last = lost or (None, None)
    if not store.compare(tx, number, first, last):
        return []
    held = (contracts.contract_by_id(tx.connection, of) for of in ends)
    over = [c for c in held if c is not None and c.status is not Status.ENDED]
    for contract in over:
        contracts.end_contract(tx, contract.agreement.id, ends[contract.contract_id])
    for of, reason in ends.items():
        contracts.end_service(tx, of, reason)
    audit(tx, AuditEvent(Event.COMPARED, {"first": first, "last": last, "ended": len(over)}))
    return over


def accept_restored(tx: Transaction) -> Restored:
    """The owner takes the gap as it is, once it is known: the gate opens again."""
    found = newest_restore(tx.connection)
    if found is None or found.accepted_at is not None:
        raise ConflictError("there is nothing to accept: no restore of this node is open")
    if found.compared_at is None:
        raise UnavailableError(
            "the ledger has not been read yet, so nobody knows the gap; try again in a moment"
        )
    store.accept(tx, found.number)
    audit(tx, AuditEvent(Event.ACCEPTED, {"first": found.first, "last": found.last}))
    return found
