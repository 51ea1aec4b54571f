"""How long openings are kept, how they are handed out to whom they concern, and how they are erased.

Each record has its clock from the day it was written (dated rules in `regulation`). When it has run out the
opening is destroyed; the salted commitment stays in its batch and on the ledger, and says nothing any more.
An erasure that is asked for sooner is refused with the day and the reason: until then the law has it kept.
"""

from enum import StrEnum

from entrepot import ledger
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.values import NotFoundError, RefusedError, UseId, canonical, render_time


class Event(StrEnum):
    EXPORTED = "oversight:openings:export"
    ERASED = "oversight:openings:erase"
    RUN_OUT = "oversight:openings:run-out"


def export(tx: Transaction, use: UseId) -> bytes:
    """Everything that is kept here of one use: each record as it was written, with its salt; audited."""
    written = ledger.records_of(tx.connection, use)
    if not written:
        raise NotFoundError("there is no such use here, or its openings were destroyed")
    until = ledger.kept_until(tx.connection, use)
    audit(tx, AuditEvent(Event.EXPORTED, {"use": use}))
    receipt = ledger.receipt_of(tx.connection, use)
    records: list[canonical.Json] = [
        {"record": canonical.decode(w.body), "salt": w.salt.hex(), "written": w.row} for w in written
    ]
    return canonical.encode(
        {
            "keptUntil": None if until is None else render_time(until),
            "receipt": None if receipt is None else canonical.decode(receipt.payload),
            "records": records,
            "use": use,
        }
    )


def erase(tx: Transaction, use: UseId) -> int:
    """Destroy the openings of one use; refused while the law has them kept."""
    until = ledger.kept_until(tx.connection, use)
    if until is None:
        raise NotFoundError("there is no such use here, or its openings were destroyed")
    if until > tx.now:
        raise RefusedError(f"the law has these records kept until {until:%Y-%m-%d}")
    erased = ledger.erase_openings(tx, use)
    if ledger.kept_until(tx.connection, use) is not None:
        raise RefusedError("a record of this use is in no batch yet; ask again when it is")
    audit(tx, AuditEvent(Event.ERASED, {"use": use, "records": erased}))
    return erased


def run_out(tx: Transaction) -> int:
    """Destroy every opening whose time is over; say how many."""
    destroyed = ledger.destroy_openings(tx)
    if destroyed:
        audit(tx, AuditEvent(Event.RUN_OUT, {"records": destroyed}))
    return destroyed
