"""Anchoring: from records in a node's journal to batches on the ledger.

A record is written in the transaction of what it records. One sealer, under a lease, numbers committed
records and closes them into the next batch, once the one before it is committed; the batch's transaction is
signed outside the writer, put in the outbox, and kept until the ledger's witnesses have seen it. Every step
is one transaction and starts from what is written, so a crash between two of them neither loses nor repeats
a record or a number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row

from entrepot.identity import Signer
from entrepot.journal import OutboxMessage, Transaction, enqueue, lease, withdraw
from entrepot.ledger import record_store
from entrepot.ledger.batch import RecordProof, batch_root, divide, outer_leaves, prove_record
from entrepot.ledger.modules.usage import UsageBatch
from entrepot.ledger.record import (
    Comparison,
    Record,
    SignedReceipt,
    Units,
    commitment,
    compare_receipt,
    decode_receipt,
    decode_record,
    encode_record,
    new_salt,
)
from entrepot.ledger.transaction import decode_transaction, make_payload, sign_transaction
from entrepot.values import (
    ConflictError,
    ContractId,
    Did,
    Digest,
    KeyId,
    MalformedError,
    MessageId,
    NotFoundError,
    UseId,
    UtcTime,
    canonical,
    render_digest,
)

BATCH_RECORDS: Final = 10_000
"""How many records go into one batch at most."""

OUTBOX_KIND: Final = "ledger"
_LEASE: Final = "ledger:records:seal"
_LEASE_SECONDS: Final = 30.0


class BatchState(StrEnum):
    """How far a batch has come on its way to the ledger."""

    SEALED = "sealed"
    SUBMITTED = "submitted"
    COMMITTED = "committed"
    WITNESSED = "witnessed"


_UNANCHORED: Final = (BatchState.SEALED, BatchState.SUBMITTED)
_UNWITNESSED: Final = (*_UNANCHORED, BatchState.COMMITTED)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of this node: what the ledger is told, and how far that has come."""

    number: int
    previous: Digest | None
    root: Digest
    count: int
    oldest: UtcTime
    state: BatchState
    transaction: bytes | None
    """The signed transaction once there is one; kept until it is witnessed, and after."""
    position: int | None
    """Number of its log entry, once committed."""

    @property
    def body(self) -> UsageBatch:
        previous = None if self.previous is None else render_digest(self.previous)
        return UsageBatch(self.number, previous, render_digest(self.root))


@dataclass(frozen=True, slots=True)
class WrittenRecord:
    """A record of this node with its opening; number and batch once it is sealed."""

    row: int
    record: Record
    salt: bytes
    body: bytes
    number: int | None
    batch: int | None


class _Counted(msgspec.Struct):
    units: Units


_read_units: Final = msgspec.json.Decoder(_Counted)


def write_record(
    tx: Transaction, record: Record, retain_until: UtcTime, salt: Callable[[], bytes] = new_salt
) -> int:
    """Write down a record with a fresh salt; it is durable when the transaction is. Gives its row."""
    body, secret = encode_record(record), salt()
    row = record_store.add_record(tx, record.contract, commitment(secret, body))
    record_store.add_opening(tx, row, record.use, secret, body, retain_until)
    return row


def seal_records(tx: Transaction, holder: str, limit: int = BATCH_RECORDS) -> Batch | None:
    """Number what is not numbered yet and close it into the next batch; None when nothing is to be done.

    One batch at a time is on its way: what is written meanwhile goes into the next, so nothing queues up
    while the ledger is away, and no batch can overtake another. One `holder` at a time seals. Signs and
    sends nothing: that is for `sign_batch` and `submit_batch`.
    """
    last = record_store.last_batch(tx.connection)
    if (last is not None and last.state in _UNANCHORED) or not record_store.has_unsealed(tx.connection):
        return None  # an idle sealer writes nothing, not even its lease
    if not lease(tx, _LEASE, holder, _LEASE_SECONDS):
        return None
    rows = record_store.unsealed(tx.connection, limit)
    number, previous = (1, None) if last is None else (last.number + 1, Digest(last.root))
    numbers = record_store.last_numbers(tx.connection, limit)
    parts = divide(((r.contract_id, r.commitment, _read_units.decode(r.body).units) for r in rows), numbers)
    leaves = outer_leaves(parts)
    oldest = min(row.written_at for row in rows)
    batch = Batch(number, previous, batch_root(leaves), len(rows), oldest, BatchState.SEALED, None, None)
    record_store.seal(tx, _number(rows, numbers, number))
    _add(tx, batch, leaves, sorted(part.contract for part in parts))
    return batch


def sign_batch(batch: Batch, *, chain: str, height: int, actor: Did, key: KeyId, signer: Signer) -> bytes:
    """The signed transaction that anchors `batch`. Pure, and outside the writer."""
    payload = make_payload(
        chain=chain, height=height, actor=actor, key=key, op="usage.batch", body=batch.body
    )
    return sign_transaction(payload, signer)


def submit_batch(tx: Transaction, number: int, raw: bytes, address: str, deadline: UtcTime) -> bool:
    """Keep a batch's signed transaction and queue it for the ledger; False when one was queued before."""
    batch = _require(tx.connection, number)
    _require_of(batch, raw)
    if not record_store.submit(tx, number, BatchState.SEALED, BatchState.SUBMITTED, raw):
        return False
    _queue(tx, number, raw, address, deadline)
    return True


def resubmit_batch(tx: Transaction, number: int, raw: bytes, address: str, deadline: UtcTime) -> None:
    """Queue a transaction signed anew for a batch whose first one can no longer be taken.

    **Ask the ledger what became of the first one before**: what is committed needs no second.
    """
    batch = _require(tx.connection, number)
    _require_of(batch, raw)
    if not record_store.submit(tx, number, BatchState.SUBMITTED, BatchState.SUBMITTED, raw):
        raise ConflictError(f"batch {number} is {batch.state}, nothing to send again")
    if batch.transaction is not None:
        withdraw(tx, MessageId(decode_transaction(batch.transaction).id))
    _queue(tx, number, raw, address, deadline)


def batch_committed(tx: Transaction, number: int, position: int) -> None:
    """Note that the ledger has committed a batch as entry `position`: its records are anchored."""
    if record_store.commit(tx, number, BatchState.SUBMITTED, BatchState.COMMITTED, position):
        return
    batch = _require(tx.connection, number)
    if batch.position != position:
        raise ConflictError(f"batch {number} is {batch.state} at {batch.position}, not at {position}")


def batch_witnessed(tx: Transaction, number: int) -> None:
    """Note that witnesses have cosigned a checkpoint over a committed batch: evidence may be given."""
    if record_store.move(tx, number, BatchState.COMMITTED, BatchState.WITNESSED):
        return
    batch = _require(tx.connection, number)
    if batch.state is not BatchState.WITNESSED:
        raise ConflictError(f"batch {number} is {batch.state}; it must be committed first")


def batches_in(connection: Connection, *states: BatchState, limit: int = 100) -> list[Batch]:
    """The oldest batches in these states: what a worker still has to sign, send or ask about."""
    return [_batch(row) for row in record_store.batch_rows(connection, states, limit)]


def batch_of(connection: Connection, number: int) -> Batch | None:
    row = record_store.batch_row(connection, number)
    return None if row is None else _batch(row)


def oldest_unanchored(connection: Connection, now: UtcTime) -> timedelta:
    """How long the oldest record has waited that no committed batch holds; zero when none waits."""
    return _age(connection, now, _UNANCHORED)


def oldest_unwitnessed(connection: Connection, now: UtcTime) -> timedelta:
    """How long the oldest record has waited that no witnessed batch holds; zero when none waits."""
    return _age(connection, now, _UNWITNESSED)


def records_of(connection: Connection, use: UseId) -> list[WrittenRecord]:
    """The records of one use whose openings are still kept, in the order they were written."""
    return [_written(row) for row in record_store.records_of_use(connection, use)]


def records_under(connection: Connection, contract: ContractId) -> list[WrittenRecord]:
    """The records of all uses under a contract whose openings are still kept."""
    return [_written(row) for row in record_store.records_under(connection, contract)]


def proof_of(connection: Connection, row: int) -> RecordProof | None:
    """The way from a record to the root of its batch; None until it is sealed."""
    record = record_store.record_row(connection, row)
    if record is None:
        raise NotFoundError(f"no record {row}")
    if record.number is None:
        return None
    parts = record_store.parts(connection, record.batch)
    place = [part.contract_id for part in parts].index(record.contract_id)
    leaves = [part.leaf for part in parts]
    extent = _extent.decode(leaves[place])
    commitments = record_store.commitments(connection, record.contract_id, extent.first, extent.last)
    return prove_record(record.number, commitments, leaves, place)


def keep_receipt(tx: Transaction, receipt: SignedReceipt, retain_until: UtcTime) -> bool:
    """Keep the consumer's receipt for a use; False when the same one is kept already.

    **Its signature must have been verified.** A second, different receipt for one use is refused.
    """
    kept = record_store.receipt_of(tx.connection, receipt.receipt.use)
    if kept is None:
        record_store.add_receipt(tx, receipt.receipt.use, receipt.raw, retain_until)
        return True
    if kept != receipt.raw:
        raise ConflictError(f"use {receipt.receipt.use} has another receipt already")
    return False


def receipt_of(connection: Connection, use: UseId) -> SignedReceipt | None:
    raw = record_store.receipt_of(connection, use)
    return None if raw is None else decode_receipt(raw)


def compare(connection: Connection, use: UseId) -> Comparison:
    """Set what we wrote down of a use beside the consumer's receipt."""
    receipt = receipt_of(connection, use)
    named = [w.record for w in records_of(connection, use) if w.record.artefact is not None]
    if receipt is None:
        return Comparison.NO_RECEIPT
    return compare_receipt(named[-1], receipt.receipt) if named else Comparison.DIFFERS


def destroy_openings(tx: Transaction) -> int:
    """Destroy openings and receipts that need not be kept any longer; say how many openings.

    Commitments stay, so every other record can still be proved. What is in no batch yet stays whole.
    """
    record_store.destroy_receipts(tx)
    return record_store.destroy_openings(tx)


def kept_until(connection: Connection, use: UseId) -> UtcTime | None:
    """Until when the openings of a use must be kept by law; None where there are none any more."""
    return record_store.kept_until(connection, use)


def erase_openings(tx: Transaction, use: UseId) -> int:
    """Destroy the openings and the receipt of one use, where their time is over; say how many openings.

    What stays are commitments under a salt that nobody has any more: they say nothing of anybody.
    """
    return record_store.erase(tx, use)


def _written(row: "Row[Any]") -> WrittenRecord:
    return WrittenRecord(row.row, decode_record(row.body), row.salt, row.body, row.number, row.batch)


class _Extent(msgspec.Struct):
    first: int
    last: int


_extent: Final = msgspec.json.Decoder(_Extent)


def _number(rows: record_store.Rows, last: Mapping[str, int], batch: int) -> list[dict[str, int]]:
    """The number that each row gets under its contract."""
    numbers = dict(last)
    seals = []
    for row in rows:
        numbers[row.contract_id] = number = numbers[row.contract_id] + 1
        seals.append({"of": row.row, "next": number, "into": batch})
    return seals


def _add(tx: Transaction, batch: Batch, leaves: list[bytes], contracts: list[str]) -> None:
    values = {
        "number": batch.number,
        "previous": batch.previous,
        "root": batch.root,
        "records": batch.count,
        "oldest": batch.oldest,
        "state": batch.state,
    }
    parts = [
        {"batch": batch.number, "place": place, "contract_id": contract, "leaf": leaf}
        for place, (contract, leaf) in enumerate(zip(contracts, leaves, strict=True))
    ]
    record_store.add_batch(tx, values, parts)


def _queue(tx: Transaction, number: int, raw: bytes, address: str, deadline: UtcTime) -> None:
    name = MessageId(decode_transaction(raw).id)
    # A lane for each batch: one that is committed and waits for witnesses must not hold up the next.
    lane = f"ledger:usage:{number}"
    enqueue(tx, OutboxMessage(name, OUTBOX_KIND, lane, address, raw, tx.now, deadline))


def _require(connection: Connection, number: int) -> Batch:
    batch = batch_of(connection, number)
    if batch is None:
        raise NotFoundError(f"no batch {number}")
    return batch


def _require_of(batch: Batch, raw: bytes) -> None:
    transaction = decode_transaction(raw).transaction
    if transaction.op != "usage.batch" or bytes(transaction.body) != canonical.encode_struct(batch.body):
        raise MalformedError(f"the transaction does not anchor batch {batch.number}")


def _batch(row: "Row[Any]") -> Batch:
    return Batch(
        row.number,
        None if row.previous is None else Digest(row.previous),
        Digest(row.root),
        row.records,
        row.oldest,
        BatchState(row.state),
        row.transaction,
        row.position,
    )


def _age(connection: Connection, now: UtcTime, states: tuple[BatchState, ...]) -> timedelta:
    times = [time for time in record_store.oldest(connection, states) if time is not None]
    return max(now - min(times), timedelta()) if times else timedelta()
