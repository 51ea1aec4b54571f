"""Merkle trees as RFC 6962, section 2.1, defines them: hashes, roots, inclusion and consistency proofs.

Everything here is a pure function of bytes; `Tree` keeps the hashes of complete subtrees so that proofs
for any earlier size cost a logarithm. Who signed a root is the business of `note`.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from entrepot.ledger.errors import ProofError
from entrepot.values import Digest

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
_WIDTH: Final = 32

EMPTY_ROOT: Final = Digest(sha256(b"").digest())
MAX_PATH: Final = 63
"""No proof in a tree of fewer than 2^63 leaves is longer."""


def leaf_hash(entry: bytes) -> Digest:
    # Leaves and nodes are hashed under different prefixes; without them an attacker could present an
    # inner node as if it were an entry.
    return Digest(sha256(_LEAF + entry).digest())


def node_hash(left: bytes, right: bytes) -> Digest:
    return Digest(sha256(_NODE + left + right).digest())


def tree_hash(entries: Iterable[bytes]) -> Digest:
    """The root over `entries` (`MTH` of the RFC)."""
    return root_of([sha256(_LEAF + entry).digest() for entry in entries])


def root_of(leaves: Sequence[bytes]) -> Digest:
    """The root over leaf hashes: pairs level by level, the odd one out moves up as it is."""
    level = list(leaves)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [
            sha256(_NODE + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ] + odd
    return Digest(level[0])


class Tree:
    """An append-only tree that keeps the hashes of all complete subtrees, 64 bytes a leaf.

    Level 0 holds leaf hashes; index `i` of level `k` is the root over leaves `i·2^k` to `(i+1)·2^k`.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0]) // _WIDTH

    def append(self, leaf: bytes) -> None:
        """Add one leaf **hash** at the end."""
        index = len(self)
        self._levels[0] += leaf
        level = 0
        while index % 2:
            start = (index - 1) * _WIDTH
            node = sha256(_NODE + self._levels[level][start : start + 2 * _WIDTH]).digest()
            index //= 2
            level += 1
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += node

    def truncate(self, size: int) -> None:
        """Forget every leaf from `size` on: what was appended for a block that was not committed."""
        for level, hashes in enumerate(self._levels):
            del hashes[(size >> level) * _WIDTH :]

    def hash_at(self, level: int, index: int) -> Digest:
        """The hash of one complete subtree; `IndexError` when it is not complete."""
        if level >= len(self._levels) or not 0 <= index < len(self._levels[level]) // _WIDTH:
            raise IndexError(f"no complete subtree {index} at level {level}")
        return Digest(bytes(self._levels[level][index * _WIDTH : (index + 1) * _WIDTH]))

    def root(self, size: int | None = None) -> Digest:
        size = self._checked(len(self) if size is None else size)
        return self._subtree(0, size) if size else EMPTY_ROOT

    def prove_inclusion(self, index: int, size: int | None = None) -> tuple[Digest, ...]:
        """The audit path of leaf `index` in the tree of `size` leaves, from the leaf's sibling upwards."""
        size = self._checked(len(self) if size is None else size)
        if not 0 <= index < size:
            raise ProofError(f"no leaf {index} in a tree of {size}")
        path: list[Digest] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start = middle
        return tuple(reversed(path))

    def prove_consistency(self, old: int, size: int | None = None) -> tuple[Digest, ...]:
        """The proof that the first `old` leaves of the tree of `size` leaves are the older tree."""
        size = self._checked(len(self) if size is None else size)
        if not 0 <= old <= size:
            raise ProofError(f"no consistency between sizes {old} and {size}")
        if old in {0, size}:
            return ()
        path: list[Digest] = []
        start, end, whole = 0, size, True
        while old != end:
            middle = start + _split(end - start)
            if old <= middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start, whole = middle, False
        # The older root itself is left out when it is a subtree of its own: the verifier holds it.
        return tuple(reversed(path)) if whole else (self._subtree(start, end), *reversed(path))

    def _checked(self, size: int) -> int:
        if not 0 <= size <= len(self):
            raise ProofError(f"tree of {len(self)} leaves has no size {size}")
        return size

    def _subtree(self, start: int, end: int) -> Digest:
        """The root over leaves `start` to `end`; `start` is where a left subtree of that size may begin."""
        parts: list[Digest] = []
        while start < end:
            level = (end - start).bit_length() - 1
            parts.append(self.hash_at(level, start >> level))
            start += 1 << level
        node = parts.pop()
        while parts:
            node = node_hash(parts.pop(), node)
        return node


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> Digest:
    """The root that `path` leads to from leaf hash `leaf` (RFC 9162, 2.1.3.2).

    **Says nothing until the root is compared with a signed one.**
    """
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    node = Digest(leaf)
    for on_left, sibling in _climb(index, size - 1, _bounded(path)):
        node = node_hash(sibling, node) if on_left else node_hash(node, sibling)
    return node


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that leaf hash `leaf` is number `index` of the tree with `root`, or raise `ProofError`."""
    found = root_from_inclusion(leaf, index, size, path)
    if found != root:
        raise ProofError(f"inclusion proof leads to root {found.hex()}, expected {root.hex()}")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check that the tree of `new` leaves extends that of `old` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        raise ProofError(f"tree of {new} leaves cannot extend a tree of {old}")
    if old in {0, new}:
        _verify_trivial(old, old_root, new, new_root, path)
        return
    hashes = _bounded(path)
    if old & (old - 1) == 0:  # the older root is itself a subtree, and left out of the proof
        hashes = [Digest(old_root), *hashes]
    if not hashes:
        raise ProofError("consistency proof is too short")
    skip = (old & -old).bit_length() - 1
    before = after = hashes[0]
    for on_left, sibling in _climb(old - 1 >> skip, new - 1 >> skip, hashes[1:]):
        before = node_hash(sibling, before) if on_left else before
        after = node_hash(sibling, after) if on_left else node_hash(after, sibling)
    if before != old_root or after != new_root:
        raise ProofError(f"tree of {new} leaves does not extend the tree of {old}")


def _verify_trivial(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    if path:
        raise ProofError(f"consistency proof from {old} to {new} must be empty")
    if old == 0 and old_root != EMPTY_ROOT:
        raise ProofError("the root of an empty tree is the digest of nothing")
    if old == new and old_root != new_root:
        raise ProofError(f"two roots for one tree of {old} leaves")


def _climb(position: int, last: int, path: Sequence[Digest]) -> Iterator[tuple[bool, Digest]]:
    """Each sibling on the way up and whether it stands on the left; a wrong length is refused."""
    for sibling in path:
        if last == 0:
            raise ProofError("proof is too long")
        on_left = position % 2 == 1 or position == last
        yield on_left, sibling
        while on_left and position % 2 == 0 and position:
            position, last = position >> 1, last >> 1
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("proof is too short")


def _bounded(path: Sequence[bytes]) -> list[Digest]:
    if len(path) > MAX_PATH or any(len(item) != _WIDTH for item in path):
        raise ProofError(f"a proof is at most {MAX_PATH} hashes of {_WIDTH} bytes")
    return [Digest(item) for item in path]


def _split(width: int) -> int:
    """The largest power of two smaller than `width`."""
    return 1 << (width - 1).bit_length() - 1
