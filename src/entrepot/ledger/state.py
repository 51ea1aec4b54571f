"""The ledger's state: an immutable map with one root, whoever built it and in whatever order.

A radix tree over the digests of the keys, sixteen children wide; every branch holds at least two leaves,
so the shape, and with it the root, is a function of the contents alone. An update copies only the
branches on its way, so the state before a block stays valid until the block is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from entrepot.ledger.merkle import EMPTY_ROOT
from entrepot.values import Digest

_LEAF: Final = b"\x00"
_BRANCH: Final = b"\x01"
_EMPTY: Final = (None,) * 16


# Neither kind can be part of a cycle, so the collector need not walk them.
class _Leaf(msgspec.Struct, frozen=True, gc=False):
    path: bytes
    hash: bytes
    key: str
    value: bytes


class _Branch(msgspec.Struct, frozen=True, gc=False):
    hash: bytes
    children: tuple[_Node | None, ...]


_Node: TypeAlias = "_Leaf | _Branch"
_Change: TypeAlias = "tuple[bytes, _Leaf | None]"
Writes: TypeAlias = Mapping[str, bytes | None]
"""What changes: a value for each key, or `None` where the key goes away."""


class State:
    """A frozen map of text to bytes with its root."""

    __slots__ = ("_node",)

    def __init__(self, items: Iterable[tuple[str, bytes]] = ()) -> None:
        self._node: _Node | None = _merge(None, [_change(key, value) for key, value in items], 0)

    @property
    def root(self) -> Digest:
        return EMPTY_ROOT if self._node is None else Digest(self._node.hash)

    def get(self, key: str) -> bytes | None:
        path, depth, node = sha256(key.encode()).digest(), 0, self._node
        while isinstance(node, _Branch):
            node = node.children[_nibble(path, depth)]
            depth += 1
        return node.value if node is not None and node.path == path else None

    def update(self, writes: Writes) -> State:
        """The state after `writes`; this one stays as it is."""
        after = State()
        after._node = _merge(self._node, [_change(key, value) for key, value in writes.items()], 0)
        return after

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Every key and value, in the order of the keys' digests."""
        stack = [self._node]
        while stack:
            node = stack.pop()
            if isinstance(node, _Branch):
                stack.extend(reversed(node.children))
            elif node is not None:
                yield node.key, node.value


def _change(key: str, value: bytes | None) -> _Change:
    path = sha256(key.encode()).digest()
    if value is None:
        return path, None
    return path, _Leaf(path, sha256(_LEAF + path + value).digest(), key, value)


def _merge(node: _Node | None, changes: list[_Change], depth: int) -> _Node | None:
    """The subtree at `depth` after `changes`, all of which lie below it and differ in path."""
    if isinstance(node, _Leaf):
        if all(path != node.path for path, _ in changes):
            changes = [*changes, (node.path, node)]
        node = None
    if node is None:
        changes = [change for change in changes if change[1] is not None]
        if len(changes) < 2:
            return changes[0][1] if changes else None
    parts: dict[int, list[_Change]] = {}
    for change in changes:
        parts.setdefault(_nibble(change[0], depth), []).append(change)
    children = list(_EMPTY if node is None else node.children)
    for place, part in parts.items():
        children[place] = _merge(children[place], part, depth + 1)
    return _branch(children)


def _branch(children: list[_Node | None]) -> _Node | None:
    places, hashes = 0, []
    for place, child in enumerate(children):
        if child is not None:
            places |= 1 << place
            hashes.append(child.hash)
            last = child
    if not hashes:
        return None
    if len(hashes) == 1 and isinstance(last, _Leaf):
        return last
    return _Branch(sha256(_BRANCH + places.to_bytes(2, "big") + b"".join(hashes)).digest(), tuple(children))


def _nibble(path: bytes, depth: int) -> int:
    byte = path[depth >> 1]
    return byte & 15 if depth & 1 else byte >> 4
