"""Going on behind batches that this node does not know any more: it was restored from a backup.

The ledger takes a batch only as the next one after the last. A node that has forgotten its last ones finds
them in the log and takes them into its chain as they stand there, without records: what they hold cannot
be opened any more, but that they were is proved. Its own batch moves behind them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.ledger import record_store
from entrepot.ledger.anchoring import BatchState, batch_committed, batch_of, batch_witnessed
from entrepot.ledger.errors import InconsistentError
from entrepot.ledger.machine import is_block_leaf
from entrepot.ledger.merkle import Tree, leaf_hash
from entrepot.ledger.modules.usage import UsageBatch
from entrepot.ledger.note import Checkpoint
from entrepot.ledger.transaction import decode_transaction
from entrepot.values import Did, Digest, UnavailableError, canonical, parse_digest

USAGE: Final = "usage.batch"


class Event(StrEnum):
    LOST = "ledger:batch:lose"


@dataclass(frozen=True, slots=True)
class Anchored:
    """A batch as it stands in the log."""

    number: int
    previous: Digest | None
    root: Digest
    position: int


def batches_on_ledger(entries: Iterable[bytes], checkpoint: Checkpoint, actor: Did) -> list[Anchored]:
    """A member's batches in the log, whose entries must be those of the checkpoint."""
    tree, found = Tree(), []
    for position, raw in enumerate(entries):
        tree.append(leaf_hash(raw))
        batch = _batch_in(raw, actor)
        if batch is not None:
            previous = None if batch.previous is None else parse_digest(batch.previous)
            found.append(Anchored(batch.number, previous, parse_digest(batch.root), position))
    if (len(tree), tree.root()) != (checkpoint.size, checkpoint.root):
        raise InconsistentError("the entries that were served are not those of the checkpoint")
    return found


def last_batch_number(connection: Connection) -> int:
    """The number of our last batch; nothing is 0."""
    row = record_store.last_batch(connection)
    return 0 if row is None else int(row.number)


def rejoin_batches(tx: Transaction, refused: int, anchored: Sequence[Anchored]) -> int:
    """Take the log's batches from `refused` on into our chain; say how many of them we did not know.

    Our own batch of that number is either among them, or moves behind the last one and is to be signed anew.
    """
    ours = batch_of(tx.connection, refused)
    theirs = [a for a in anchored if a.number >= refused]
    if ours is None or ours.state is not BatchState.SUBMITTED:
        return 0  # somebody else has done it
    if not theirs:
        raise UnavailableError(f"the ledger refuses batch {refused}, and shows no other; it will in a moment")
    if theirs[0].root == ours.root:
        batch_committed(tx, refused, theirs[0].position)
        batch_witnessed(tx, refused)
        lost = theirs[1:]
    else:
        lost = theirs
        record_store.renumber(tx, refused, theirs[-1].number + 1, theirs[-1].root)
    for batch in lost:
        values = {
            "number": batch.number,
            "previous": batch.previous,
            "root": batch.root,
            "records": 0,
            "oldest": tx.now,
            "state": BatchState.WITNESSED,
            "position": batch.position,
        }
        record_store.add_lost_batch(tx, values)
    if lost:
        audit(tx, AuditEvent(Event.LOST, {"first": lost[0].number, "last": lost[-1].number}))
    return len(lost)


def lost_batches(connection: Connection) -> tuple[int, int] | None:
    """The first and the last of our batches that the ledger has and we do not; None where none was lost."""
    return record_store.lost_batches(connection)


def _batch_in(raw: bytes, actor: Did) -> UsageBatch | None:
    if is_block_leaf(raw):
        return None
    transaction = decode_transaction(raw).transaction
    if transaction.op != USAGE or transaction.actor != actor:
        return None
    return canonical.decode_struct(bytes(transaction.body), UsageBatch)
