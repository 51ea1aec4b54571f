"""A witness: cosigns a log's checkpoints, never a smaller tree and never an inconsistent one.

Implements c2sp.org/tlog-witness, `add-checkpoint`. A witness checks signatures and consistency only; what
the entries say is the business of the follower. What it cosigned is durable before the cosignature leaves.

A witness that was restored from a backup has forgotten what it cosigned since, and could be shown another
history from there on. So it is *held*: it cosigns nothing until its owner resumes it, from the largest
checkpoint with its own cosignature that can be found.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entrepot.identity import Signer
from entrepot.ledger.errors import InconsistentError, NoteError, SizeConflictError, UnknownLogError
from entrepot.ledger.merkle import EMPTY_ROOT, MAX_PATH, verify_consistency
from entrepot.ledger.note import (
    MAX_NOTE,
    Checkpoint,
    NoteKey,
    SignatureType,
    cosign_checkpoint,
    decode_hash,
    decode_note,
    encode_base64,
    parse_checkpoint,
    parse_size,
    render_signature,
    verify_checkpoint,
    verify_cosignature,
)
from entrepot.values import Clock, Digest, TooLargeError, UnavailableError

MAX_REQUEST: Final = MAX_NOTE + 64 * (MAX_PATH + 2)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cosigned (origin TEXT PRIMARY KEY, note BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS contradiction (
    origin TEXT NOT NULL, size INTEGER NOT NULL, cosigned BLOB NOT NULL, refused BLOB NOT NULL,
    PRIMARY KEY (origin, size)
);
CREATE TABLE IF NOT EXISTS held (since TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the size the witness is believed to hold, the proof from there, the checkpoint's note."""

    old: int
    proof: tuple[Digest, ...]
    note: bytes


def encode_add_checkpoint(request: AddCheckpoint) -> bytes:
    lines = [f"old {request.old}", *map(encode_base64, request.proof), ""]
    return "\n".join(lines).encode() + b"\n" + request.note


def decode_add_checkpoint(raw: bytes) -> AddCheckpoint:
    """Read a request; anything that would be written otherwise is refused."""
    if len(raw) > MAX_REQUEST:
        raise TooLargeError(f"request of {len(raw)} bytes where at most {MAX_REQUEST} are allowed")
    head, empty_line, note = raw.partition(b"\n\n")
    try:
        first, *proof = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise NoteError("expected an old size and proof lines in ASCII") from error
    if not empty_line or not first.startswith("old ") or len(proof) > MAX_PATH:
        raise NoteError("expected an old size, proof lines, an empty line and a checkpoint")
    return AddCheckpoint(parse_size(first[4:]), tuple(map(decode_hash, proof)), note)


def judge(cosigned: Checkpoint | None, request: AddCheckpoint, key: NoteKey) -> Checkpoint:
    """The checkpoint to cosign next, given the one cosigned last; or the refusal, in the standard's order.

    Pure: **persist what this returns before you sign it.**
    """
    checkpoint = verify_checkpoint(decode_note(request.note), key)
    if request.old > checkpoint.size:
        raise NoteError(f"old size {request.old} is beyond the checkpoint's {checkpoint.size}")
    size, root = (0, EMPTY_ROOT) if cosigned is None else (cosigned.size, cosigned.root)
    if checkpoint.size == size and checkpoint.root != root:
        raise InconsistentError(f"two roots for one tree of {size} leaves of {checkpoint.origin}")
    if request.old != size:
        raise SizeConflictError(size)
    verify_consistency(size, root, checkpoint.size, checkpoint.root, request.proof)
    return checkpoint


def hold_witness(path: Path, since: str) -> None:
    """Let a restored witness cosign nothing until it is resumed; `since` says when its backup was made."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO held VALUES (?)", (since,))


class Witness:
    """A name, a key and a file in which it remembers what it cosigned of each log it knows."""

    def __init__(self, path: Path, name: str, signer: Signer, logs: Iterable[NoteKey], clock: Clock) -> None:
        self.key = NoteKey(name, SignatureType.COSIGNATURE, signer.public.raw)
        self._signer = signer
        self._logs = {log.name: log for log in logs}
        self._clock = clock
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        self._connection.close()

    def cosigned(self, origin: str) -> Checkpoint | None:
        """The latest checkpoint of a log that this witness cosigned."""
        with self._lock:
            note = self._latest(origin)
        return None if note is None else parse_checkpoint(decode_note(note).text)

    def held_since(self) -> str:
        """The time of the backup from which this witness was restored and not resumed; empty otherwise."""
        with self._lock:
            row = self._connection.execute("SELECT max(since) FROM held").fetchone()
        return row[0] or ""

    def resume(self, notes: Iterable[bytes]) -> int:
        """Cosign again, from the largest checkpoint that is shown with our own cosignature; gives its size.

        **The owner knows of no larger one**: whatever lies between is believed on the log's word.
        """
        shown = [self._own(note) for note in notes]
        with self._transaction():
            for checkpoint, note in shown:
                latest = self._latest(checkpoint.origin)
                before = None if latest is None else parse_checkpoint(decode_note(latest).text)
                if before is None or before.size < checkpoint.size:
                    row = (checkpoint.origin, note)
                    self._connection.execute("INSERT OR REPLACE INTO cosigned VALUES (?, ?)", row)
                elif before.size == checkpoint.size and before.root != checkpoint.root:
                    self._remember_contradiction(checkpoint.origin, before, latest, note)
                    raise InconsistentError(f"two roots for one tree of {before.size} leaves, both cosigned")
            self._connection.execute("DELETE FROM held")
        return max((c.size for c in map(self.cosigned, self._logs) if c is not None), default=0)

    def _own(self, raw: bytes) -> tuple[Checkpoint, bytes]:
        """A checkpoint of a log that we know, with a cosignature of ours under it; or raise."""
        note = decode_note(raw)
        key = self._logs.get(parse_checkpoint(note.text).origin)
        if key is None:
            raise UnknownLogError(parse_checkpoint(note.text).origin)
        checkpoint = verify_checkpoint(note, key)
        ours = [s for s in note.signatures if (s.name, s.key_id) == (self.key.name, self.key.id)]
        if not ours:
            raise NoteError(f"the checkpoint has no cosignature of {self.key.name}")
        verify_cosignature(note.text, ours[0], self.key)
        return checkpoint, raw

    def contradictions(self, origin: str) -> list[tuple[bytes, bytes]]:
        """Pairs of notes of one size and two roots, both signed by the log: proof of its misbehaviour."""
        query = "SELECT cosigned, refused FROM contradiction WHERE origin = ? ORDER BY size"
        with self._lock:
            return self._connection.execute(query, (origin,)).fetchall()

    def add_checkpoint(self, raw: bytes) -> bytes:
        """The cosignature line for a request, or its refusal as an error."""
        request = decode_add_checkpoint(raw)
        origin = parse_checkpoint(decode_note(request.note).text).origin
        key = self._logs.get(origin)
        if key is None:
            raise UnknownLogError(origin)
        # Reading the last size, judging and writing the new one are one step: of two racing requests
        # from the same size only one is answered, whatever process it came to.
        with self._transaction():
            if self._connection.execute("SELECT 1 FROM held").fetchone() is not None:
                raise UnavailableError("this witness was restored from a backup; its owner has to resume it")
            latest = self._latest(origin)
            before = None if latest is None else parse_checkpoint(decode_note(latest).text)
            try:
                checkpoint = judge(before, request, key)
            except InconsistentError:
                self._remember_contradiction(origin, before, latest, request.note)
                raise
            self._connection.execute("INSERT OR REPLACE INTO cosigned VALUES (?, ?)", (origin, request.note))
        time = int(self._clock().timestamp())
        return render_signature(cosign_checkpoint(checkpoint, time, self._signer, self.key)).encode()

    def _latest(self, origin: str) -> bytes | None:
        query = "SELECT note FROM cosigned WHERE origin = ?"
        row = self._connection.execute(query, (origin,)).fetchone()
        return None if row is None else bytes(row[0])

    def _remember_contradiction(
        self, origin: str, before: Checkpoint | None, latest: bytes | None, refused: bytes
    ) -> None:
        if before is not None:
            row = (origin, before.size, latest, refused)
            self._connection.execute("INSERT OR IGNORE INTO contradiction VALUES (?, ?, ?, ?)", row)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One durable step; a refusal keeps what was remembered of it, a bad disk is `UnavailableError`."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                finally:
                    self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise UnavailableError(f"the witness's file cannot be written: {error}") from error
