"""A ledger's history in one place: its file, its tree and the head of its state machine, kept in step.

The embedded ledger appends to one, the follower keeps one of somebody else's. Opening one re-reads every
entry and the whole state and compares both roots with the marker, so a changed row is found at the start.
"""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from entrepot.ledger.errors import CorruptError, InconsistentError
from entrepot.ledger.machine import Block, Genesis, Head, genesis_head
from entrepot.ledger.merkle import EMPTY_ROOT, Tree, leaf_hash
from entrepot.ledger.note import Checkpoint
from entrepot.ledger.store import LedgerStore, Marker, Row
from entrepot.ledger.transaction import SIGNATURE_BYTES
from entrepot.values import Digest, NotFoundError, TransactionId, canonical, parse_digest, sha256

MAX_ENTRIES: Final = 4096
"""How many entries are read at once."""


class Chronicle:
    """The committed history. One appends at a time; any thread reads."""

    def __init__(self, store: LedgerStore, head: Head, tree: Tree) -> None:
        self._store = store
        self._tree = tree
        self._appending = threading.Lock()
        self.head = head
        self.size = len(tree)

    @classmethod
    def open(cls, path: Path, genesis: Genesis) -> "Chronicle":
        """Begin or go on with the history in `path`; another genesis or a changed row is `CorruptError`."""
        store = LedgerStore(path)
        try:
            return cls(store, *_load(store, genesis))
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        self._store.close()

    @property
    def checkpoint(self) -> Checkpoint:
        size = self.size
        return Checkpoint(self.head.chain, size, self._tree.root(size))

    def append(self, block: Block) -> None:
        """Commit one block: durable first, visible after."""
        self.extend([block])

    def extend(self, blocks: Iterable[Block], expected: Checkpoint | None = None) -> None:
        """Commit blocks, all or none; with `expected`, only if they lead exactly there."""
        with self._appending:
            head = self.head
            try:
                with self._store.transaction():
                    for block in blocks:
                        self._append(head, block)
                        head = block.head
                    self._require(expected)
            except BaseException:
                self._tree.truncate(self.size)
                raise
            self.head, self.size = head, len(self._tree)

    def entries(self, start: int, end: int) -> list[bytes]:
        """The stored entries from `start` to before `end`, at most `MAX_ENTRIES` of them."""
        if not 0 <= start <= end <= self.size:
            raise NotFoundError(f"no entries {start} to {end} in a log of {self.size}")
        return self._store.entries(start, min(end, start + MAX_ENTRIES))

    def find(self, transaction: TransactionId) -> tuple[int, int] | None:
        """Where a transaction stands, as number and height."""
        return self._store.find(parse_digest(transaction))

    def root(self, size: int) -> Digest:
        return self._tree.root(self._known(size))

    def leaf(self, number: int) -> Digest:
        """The leaf hash as it was committed, whatever the file says now."""
        self._known(number + 1)
        return self._tree.hash_at(0, number)

    def prove_inclusion(self, number: int, size: int) -> tuple[Digest, ...]:
        return self._tree.prove_inclusion(number, self._known(size))

    def prove_consistency(self, old: int, size: int) -> tuple[Digest, ...]:
        return self._tree.prove_consistency(old, self._known(size))

    def hashes(self, level: int, start: int, end: int) -> list[Digest]:
        """The roots of complete subtrees `start` to before `end` of `level`."""
        self._known(end << level)
        return [self._tree.hash_at(level, index) for index in range(start, end)]

    def newest_note(self) -> bytes | None:
        return self._store.newest_note()

    def first_note(self, number: int) -> bytes | None:
        """The earliest witnessed checkpoint over entry `number`: its cosignatures date the entry best."""
        return self._store.first_note(number)

    def add_note(self, size: int, note: bytes) -> None:
        self._store.add_note(size, note)

    def _append(self, head: Head, block: Block) -> None:
        start = len(self._tree)
        # The last leaf is the block's own, and has no digest; an empty block has no leaf at all.
        digests: Sequence[Digest | None] = [*(signed.digest for signed in block.applied), None]
        rows = [
            Row(start + offset, block.head.height, digest, leaf)
            for offset, (digest, leaf) in enumerate(zip(digests, block.leaves, strict=bool(block.leaves)))
        ]
        for leaf in block.leaves:
            self._tree.append(leaf_hash(leaf))
        self._store.append(rows, block.writes, head.height, _marker(block.head, self._tree))

    def _require(self, expected: Checkpoint | None) -> None:
        if expected is None:
            return
        found = Checkpoint(self.head.chain, len(self._tree), self._tree.root())
        if found != expected:
            raise InconsistentError(
                f"entries lead to {found.size} leaves with root {found.root.hex()}, "
                f"the checkpoint says {expected.size} with {expected.root.hex()}"
            )

    def _known(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise NotFoundError(f"no size {size} in a log of {self.size}")
        return size


def _load(store: LedgerStore, genesis: Genesis) -> tuple[Head, Tree]:
    raw = canonical.encode_struct(genesis)
    first = genesis_head(genesis)
    store.begin_life(raw, Marker(0, first.time, 0, EMPTY_ROOT, first.state.root))
    if store.genesis() != raw:
        raise CorruptError("the ledger's file begins with another genesis")
    marker = store.marker()
    head = Head(first.chain, marker.height, marker.time, first.state.update(dict(store.state())))
    if head.state.root != marker.state_root:
        raise CorruptError(f"the stored state is not that of height {marker.height}")
    return head, _load_tree(store, marker)


def _load_tree(store: LedgerStore, marker: Marker) -> Tree:
    tree = Tree()
    suspect = None
    for number, digest, body in store.rows():
        tree.append(leaf_hash(body))
        if suspect is None and (number + 1 != len(tree) or _is_changed(digest, body)):
            suspect = number
    if (len(tree), tree.root()) != (marker.size, marker.tree_root):
        where = f"entry {suspect} was changed" if suspect is not None else "an entry was changed"
        raise CorruptError(f"the stored log is not that of height {marker.height}: {where}")
    return tree


def _is_changed(digest: Digest | None, body: bytes) -> bool:
    return digest is not None and sha256(body[:-SIGNATURE_BYTES]) != digest


def _marker(head: Head, tree: Tree) -> Marker:
    return Marker(head.height, head.time, len(tree), tree.root(), head.state.root)
