"""Embedded ordering: one thread puts transactions in order, a block and one fsync at a time.

A transaction is accepted, then committed, then witnessed. What embedded ordering does not give: the
operator can censor, reorder or drop what is not yet cosigned, and the ledger is up when this one machine
is. What it does give: nothing that outside witnesses have cosigned can be rewritten unseen, because after
a start nothing is ordered until every witness has cosigned the history that this file holds.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from entrepot.identity import Signer
from entrepot.ledger.chronicle import Chronicle
from entrepot.ledger.errors import CorruptError, InconsistentError, RefusedTransactionError
from entrepot.ledger.machine import Block, Call, Genesis, apply_block, check, read_call, replay
from entrepot.ledger.note import (
    Checkpoint,
    Note,
    NoteKey,
    NoteSignature,
    SignatureType,
    decode_note,
    encode_note,
    parse_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
)
from entrepot.ledger.operation import Context, Reason, Refusal, View
from entrepot.ledger.quorum import Witnesses
from entrepot.values import Clock, EntrepotError, Log, TransactionId, UnavailableError

BLOCK_TRANSACTIONS: Final = 1_000
BLOCK_SECONDS: Final = 0.004
QUEUE: Final = 20_000
_REMEMBERED: Final = 10_000
_SKEW_SECONDS: Final = 60
_log = Log()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TransactionState(StrEnum):
    """How far a transaction has come."""

    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    COMMITTED = "committed"
    WITNESSED = "witnessed"


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a transaction: where it stands once committed, why not once refused."""

    state: TransactionState
    number: int | None = None
    height: int | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the ledger stands, for whoever makes a transaction or watches one."""

    height: int
    size: int
    witnessed: int
    witnesses: int
    ordering: bool
    waiting_for: tuple[str, ...]
    behind: int | None
    """The size a witness has cosigned and this file does not have: it must be refilled."""


class EmbeddedLedger:
    """A ledger over one SQLite file. Every method may be called from any thread."""

    def __init__(
        self,
        path: Path,
        genesis: Genesis,
        signer: Signer,
        *,
        clock: Clock,
        witnesses: Sequence[NoteKey] = (),
        quorum: int | None = None,
        block_seconds: float = BLOCK_SECONDS,
        most_waiting: int = QUEUE,
    ) -> None:
        """Open the ledger and start its thread.

        `signer` holds the checkpoint key; `quorum` of the `witnesses` (all, if not given) make *witnessed*.
        Without witnesses it orders at once, and nothing is ever more than committed.
        """
        self.chain = genesis.chain
        self.key = NoteKey(genesis.chain, SignatureType.ED25519, signer.public.raw)
        self._signer = signer
        self._clock = clock
        self._block_seconds = block_seconds
        self._most_waiting = most_waiting
        quorum = len(witnesses) if quorum is None else quorum
        self._witnesses = Witnesses(witnesses, quorum, int(clock().timestamp()) - _SKEW_SECONDS)
        self._chronicle = Chronicle.open(path, genesis)
        self._recall(self._chronicle.newest_note())
        self._view = View(self._chronicle.head.state)
        self._lock = threading.Condition()
        self._queue: deque[tuple[TransactionId, Call]] = deque()
        self._pending: dict[TransactionId, Future[Status] | None] = {}
        self._refused: OrderedDict[TransactionId, Reason] = OrderedDict()
        self._failure: UnavailableError | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()
        if not witnesses:
            _log.warning("ledger:start:unwitnessed", chain=self.chain, size=self._chronicle.size)

    def close(self) -> None:
        """Stop after the block at hand; what still waits is told to come again."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        self._thread.join()
        self._fail(UnavailableError("the ledger was stopped"))
        self._chronicle.close()

    def submit(self, raw: bytes) -> TransactionId:
        """Accept a signed transaction for the next block; what is already known is accepted again.

        **Accepted is not committed**: keep the bytes until `status` says witnessed.
        """
        call = read_call(raw)
        name = call.signed.id
        self._require_ordering()
        found = check(self._view, call, Context(self.chain, self._chronicle.head.height, 0))
        if isinstance(found, Refusal):
            if found.reason is Reason.REPEATED:
                return name
            raise RefusedTransactionError(found.reason)
        with self._lock:
            if name in self._pending:
                return name
            if len(self._queue) >= self._most_waiting:
                raise UnavailableError(f"{self._most_waiting} transactions are waiting already")
            self._pending[name] = None
            self._queue.append((name, call))
            if len(self._queue) in {1, BLOCK_TRANSACTIONS}:  # what the ledger's thread waits for
                self._lock.notify_all()
        return name

    def outcome(self, name: TransactionId) -> Future[Status]:
        """A future that is done when the transaction is committed or refused; at once when it is known."""
        future: Future[Status] = Future()
        future.set_running_or_notify_cancel()  # a caller that goes away cancels nothing
        with self._lock:
            if name in self._pending:
                self._pending[name] = future = self._pending[name] or future
                return future
        future.set_result(self.status(name))
        return future

    def status(self, name: TransactionId) -> Status:
        """What became of a transaction; `unknown` if this ledger holds nothing of it."""
        with self._lock:
            if name in self._pending:
                return Status(TransactionState.ACCEPTED)
            reason = self._refused.get(name)
        place = self._chronicle.find(name)
        if place is None:
            return (
                Status(TransactionState.UNKNOWN)
                if reason is None
                else Status(TransactionState.REFUSED, reason=reason)
            )
        seen = place[0] < self.standing().witnessed
        state = TransactionState.WITNESSED if seen else TransactionState.COMMITTED
        return Status(state, place[0], place[1])

    def query(self, key: str) -> bytes | None:
        """The committed value of one key of the state (`members/did:web:…`, `contracts/…`)."""
        return self._chronicle.head.state.get(key)

    def standing(self) -> Standing:
        size = self._chronicle.size
        return Standing(
            self._chronicle.head.height,
            size,
            self._witnesses.witnessed,
            len(self._witnesses.keys),
            self._failure is None and self._witnesses.open,
            self._witnesses.waiting_for,
            self._witnesses.behind(size),
        )

    @property
    def log(self) -> Chronicle:
        """The committed history, to read entries and proofs from."""
        return self._chronicle

    def head(self) -> bytes:
        """The newest committed checkpoint, signed by the log alone: what witnesses are asked to cosign."""
        return self._sign(self._chronicle.checkpoint)

    def published(self) -> bytes:
        """The checkpoint for strangers: the newest with a quorum of cosignatures, or the head without any."""
        return self._witnesses.note or self.head()

    def size_known_to(self, witness: str) -> int:
        """The size from which `witness` wants its next consistency proof."""
        return self._witnesses.sizes.get(witness, 0)

    def named(self, witness: str, size: int) -> None:
        """Take note of the largest size that `witness` says it cosigned."""
        with self._lock:
            self._witnesses.name_size(witness, size)

    def cosigned(self, head: bytes, signatures: Sequence[NoteSignature]) -> None:
        """Take in the cosignatures that witnesses gave for `head`; unknown signers are ignored.

        The first cosignature of each witness opens the gate: it holds the history that this file holds.
        """
        note = decode_note(head)
        checkpoint = verify_checkpoint(note, self.key)
        if self._chronicle.root(checkpoint.size) != checkpoint.root:
            raise InconsistentError(f"the head of {checkpoint.size} leaves is not of this log")
        with self._lock:
            reached = self._witnesses.add(note, checkpoint, signatures)
        if reached is not None:
            self._chronicle.add_note(checkpoint.size, encode_note(reached))

    def refill(self, entries: Iterable[bytes], note: bytes) -> None:
        """Take back from a follower what a restored backup has lost, up to the cosigned checkpoint `note`.

        Nothing is believed: the note must be this log's and cosigned by a quorum, and the entries, run
        through the machine again from where the file stands, must lead exactly to its root.
        """
        with self._lock:
            if self._witnesses.open:
                raise InconsistentError("a ledger that orders is not refilled")
            cosigned = decode_note(note)
            checkpoint = verify_checkpoint(cosigned, self.key)
            self._witnesses.require_quorum(cosigned)
            self._chronicle.extend(replay(self._chronicle.head, entries), checkpoint)
            self._chronicle.add_note(checkpoint.size, note)
            self._recall(note)
            self._view = View(self._chronicle.head.state)

    def _recall(self, note: bytes | None) -> None:
        """Take up the newest witnessed checkpoint: of this file's own history, or the file was changed."""
        self._witnesses.recall(note, self.key)
        if self._witnesses.note is not None:
            checkpoint = parse_checkpoint(decode_note(self._witnesses.note).text)
            size = checkpoint.size
            if size > self._chronicle.size or self._chronicle.root(size) != checkpoint.root:
                self._chronicle.close()
                raise CorruptError(f"the witnessed checkpoint of {size} leaves is not of this log")

    def _require_ordering(self) -> None:
        if self._failure is not None:
            raise self._failure
        if not self._witnesses.open:
            names = ", ".join(self._witnesses.waiting_for)
            raise UnavailableError(f"the ledger orders nothing until it has heard from: {names}")

    def _sign(self, checkpoint: Checkpoint) -> bytes:
        signature = sign_checkpoint(checkpoint, self._signer, self.key)
        return encode_note(Note(checkpoint.text, (signature,)))

    def _run(self) -> None:
        while waiting := self._gather():
            try:
                block = self._order([call for _, call in waiting])
            except EntrepotError as error:
                # What the disk holds now is unknown; a new start reads it and goes on from there.
                self._fail(UnavailableError(str(error)))
                return
            except Exception:  # noqa: BLE001  a loop of the process: nobody may wait for ever
                _log.exception("ledger:block:fail", chain=self.chain)
                self._fail(UnavailableError("the ledger stopped on a fault of its own; see the log"))
                return
            self._settle([name for name, _ in waiting], block)

    def _gather(self) -> list[tuple[TransactionId, Call]]:
        """Wait for a transaction, then a few milliseconds for company; nothing means to stop."""
        with self._lock:
            self._lock.wait_for(lambda: self._queue or self._closing)
            if not self._closing and len(self._queue) < BLOCK_TRANSACTIONS:
                self._lock.wait_for(
                    lambda: len(self._queue) >= BLOCK_TRANSACTIONS or self._closing, self._block_seconds
                )
            if self._closing:
                return []
            return [self._queue.popleft() for _ in range(min(len(self._queue), BLOCK_TRANSACTIONS))]

    def _order(self, calls: list[Call]) -> Block:
        head = self._chronicle.head
        now = (self._clock() - _EPOCH) // timedelta(microseconds=1)
        block = apply_block(head, head.height + 1, max(now, head.time + 1), calls)
        if block.applied:
            self._chronicle.append(block)
            self._view = View(block.head.state)
        return block

    def _settle(self, names: list[TransactionId], block: Block) -> None:
        number = self._chronicle.size - len(block.leaves)
        done: list[tuple[Future[Status], Status]] = []
        with self._lock:
            for name, result in zip(names, block.results, strict=True):
                if isinstance(result, Refusal):
                    status = Status(TransactionState.REFUSED, reason=result.reason)
                    self._refused[name] = result.reason
                else:
                    status = Status(TransactionState.COMMITTED, number, block.head.height)
                    number += 1
                future = self._pending.pop(name)
                if future is not None:
                    done.append((future, status))
            while len(self._refused) > _REMEMBERED:
                self._refused.popitem(last=False)
        for future, status in done:
            future.set_result(status)

    def _fail(self, error: UnavailableError) -> None:
        with self._lock:
            self._failure = error
            waiting = [future for future in self._pending.values() if future is not None]
            self._pending.clear()
            self._queue.clear()
        for future in waiting:
            future.set_exception(error)
