"""A follower: keeps every entry of a log, runs the machine over them, and reads the log's copy again.

A witness cannot see what entries say, nor a row rewritten on the log's disk after it was cosigned. The
follower can: it holds the entries, recomputes every state root, and compares stored bytes on request.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

from entrepot.ledger.chronicle import MAX_ENTRIES, Chronicle
from entrepot.ledger.errors import InconsistentError, SizeConflictError
from entrepot.ledger.machine import Genesis, replay
from entrepot.ledger.note import Checkpoint, NoteKey, decode_note, verify_checkpoint
from entrepot.values import Digest, sha256


@dataclass(frozen=True, slots=True)
class Difference:
    """An entry that the log serves otherwise than the follower holds it; `None` where it serves none."""

    number: int
    held: Digest
    served: Digest | None


@dataclass(frozen=True, slots=True)
class Audit:
    """How many stored entries of the log were read again, and which of them differ."""

    size: int
    differences: tuple[Difference, ...]


class Follower:
    """One log, followed in a file of its own."""

    def __init__(self, path: Path, genesis: Genesis, key: NoteKey) -> None:
        self.key = key
        self._chronicle = Chronicle.open(path, genesis)
        self._turn = threading.Lock()

    def close(self) -> None:
        self._chronicle.close()

    @property
    def size(self) -> int:
        return self._chronicle.size

    @property
    def log(self) -> Chronicle:
        """What is held: entries, proofs and state, to refill a ledger or to look things up."""
        return self._chronicle

    @property
    def note(self) -> bytes | None:
        """The newest checkpoint that was followed, with the cosignatures it came with."""
        return self._chronicle.newest_note()

    def judge(self, note: bytes) -> Checkpoint:
        """The log's checkpoint, if it is not smaller than what is held and does not contradict it."""
        checkpoint = self._agreed(note)
        if checkpoint.size < self.size:
            raise SizeConflictError(self.size)
        return checkpoint

    def follow(self, note: bytes, entries: Iterable[bytes], start: int | None = None) -> Checkpoint:
        """Take in `entries`, from what is held to the checkpoint `note`; all of them or none.

        Every block is applied again and its state root compared; the entries together with those held
        before must have the root that the log signed, so a past rewritten under a valid signature fails.
        With `start`, where `entries` begin, what another caller has taken in meanwhile is passed over.
        """
        with self._turn:
            overtaken = 0 if start is None else self.size - start
            checkpoint = self._agreed(note) if overtaken else self.judge(note)
            if note == self.note or checkpoint.size < self.size:
                return checkpoint  # nothing new, so nothing is written
            new = islice(entries, overtaken, None)
            self._chronicle.extend(replay(self._chronicle.head, new), checkpoint)
            self._chronicle.add_note(checkpoint.size, note)
            return checkpoint

    def compare(self, start: int, end: int, theirs: Sequence[bytes]) -> tuple[Difference, ...]:
        """Compare what the log serves as its entries `start` to before `end` with those held, byte by byte.

        At most `MAX_ENTRIES` at once.
        """
        ours = self._chronicle.entries(start, end)
        return tuple(
            Difference(start + offset, sha256(held), None if served is None else sha256(served))
            for offset, (held, served) in enumerate(zip_longest(ours, theirs[: len(ours)]))
            if held != served
        )

    def audit(self, fetch: Callable[[int, int], Sequence[bytes]]) -> Audit:
        """Read every stored entry of the log again through `fetch(start, end)` and compare."""
        size = self.size
        differences: list[Difference] = []
        for start in range(0, size, MAX_ENTRIES):
            end = min(start + MAX_ENTRIES, size)
            differences += self.compare(start, end, fetch(start, end))
        return Audit(size, tuple(differences))

    def _agreed(self, note: bytes) -> Checkpoint:
        """The log's checkpoint, if it does not contradict what is held."""
        checkpoint = verify_checkpoint(decode_note(note), self.key)
        if checkpoint.size <= self.size and self._chronicle.root(checkpoint.size) != checkpoint.root:
            raise InconsistentError(f"two roots for one tree of {checkpoint.size} leaves of this log")
        return checkpoint
