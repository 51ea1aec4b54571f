"""RFC 6962 trees: every proof of every tree, and nothing else, leads to the root."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.ledger import (
    EMPTY_ROOT,
    ProofError,
    Tree,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)

# The eight entries of the reference implementation's own tests, and the roots it gives for sizes 1 to 8.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

entries = st.lists(st.binary(max_size=40), min_size=1, max_size=70)


def grown(items: list[bytes]) -> Tree:
    return Tree(map(leaf_hash, items))


def by_definition(items: list[bytes]) -> bytes:
    """MTH exactly as the RFC writes it, recursive and slow."""
    if not items:
        return sha256(b"").digest()
    if len(items) == 1:
        return sha256(b"\x00" + items[0]).digest()
    k = 1
    while k * 2 < len(items):
        k *= 2
    return sha256(b"\x01" + by_definition(items[:k]) + by_definition(items[k:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference_implementation(size: int) -> None:
    """If this fails, no outside verifier will accept our checkpoints."""
    assert tree_hash(ENTRIES[:size]).hex() == ROOTS[size - 1]
    assert grown(ENTRIES).root(size).hex() == ROOTS[size - 1]


def test_the_root_of_nothing_is_the_digest_of_nothing() -> None:
    """A log that has just begun has a root too."""
    assert tree_hash([]) == EMPTY_ROOT == Tree().root() == sha256(b"").digest()


@given(entries)
def test_both_ways_to_a_root_agree_with_the_definition(items: list[bytes]) -> None:
    """A tree that grows leaf by leaf and one that is hashed at once are the same tree, at every size."""
    tree = grown(items)

    assert tree_hash(items) == by_definition(items) == tree.root()
    assert all(tree.root(size) == tree_hash(items[:size]) for size in range(len(items)))


@given(entries, st.data())
def test_every_entry_is_provable_and_no_other_passes(items: list[bytes], pick: st.DataObject) -> None:
    """Any entry of any earlier tree can be proved, and no other entry passes the same proof."""
    size = pick.draw(st.integers(1, len(items)))
    index = pick.draw(st.integers(0, size - 1))
    tree = grown(items)
    path = tree.prove_inclusion(index, size)

    verify_inclusion(leaf_hash(items[index]), index, size, path, tree.root(size))
    assert root_from_inclusion(leaf_hash(items[index] + b"!"), index, size, path) != tree.root(size)


@given(entries, st.data())
def test_a_proof_holds_for_one_place_only(items: list[bytes], pick: st.DataObject) -> None:
    """A path that is shortened, lengthened, changed or given for another index is refused."""
    index = pick.draw(st.integers(0, len(items) - 1))
    tree = grown([item + bytes([i]) for i, item in enumerate(items)])  # all leaves differ
    path = list(tree.prove_inclusion(index))
    leaf = tree.hash_at(0, index)
    other = pick.draw(st.integers(0, len(items) - 1))
    wrong = [(index, [*path, leaf]), *([(other, path)] if other != index else [])]
    if path:
        at = pick.draw(st.integers(0, len(path) - 1))
        wrong += [(index, path[:-1]), (index, [*path[:at], node_hash(path[at], b""), *path[at + 1 :]])]

    for place, bad in wrong:
        with pytest.raises(ProofError):
            verify_inclusion(leaf, place, len(items), bad, tree.root())


@given(entries, st.data())
def test_every_tree_extends_every_earlier_one(items: list[bytes], pick: st.DataObject) -> None:
    """Any two sizes of one log are consistent, and the proof shows it."""
    new = pick.draw(st.integers(0, len(items)))
    old = pick.draw(st.integers(0, new))
    tree = grown(items)

    verify_consistency(old, tree.root(old), new, tree.root(new), tree.prove_consistency(old, new))


@given(entries, st.data())
def test_a_changed_past_is_never_consistent(items: list[bytes], pick: st.DataObject) -> None:
    """One entry rewritten before the old size: no proof of the new log, nor the old one, fits both roots."""
    old = pick.draw(st.integers(1, len(items)))
    changed = pick.draw(st.integers(0, old - 1))
    before, after = grown(items), grown([*items[:changed], items[changed] + b"!", *items[changed + 1 :]])

    for path in (before.prove_consistency(old), after.prove_consistency(old)):
        with pytest.raises(ProofError):
            verify_consistency(old, before.root(old), len(items), after.root(), path)


@given(st.integers(0, 40), st.integers(0, 40), st.lists(st.binary(min_size=32, max_size=32), max_size=7))
def test_invented_consistency_proofs_fail(old: int, new: int, path: list[bytes]) -> None:
    """No list of random hashes shows that one random root extends another."""
    with pytest.raises(ProofError):
        verify_consistency(old, sha256(b"old").digest(), new, sha256(b"new").digest(), path)


@given(entries, st.data())
def test_a_block_that_was_not_committed_is_forgotten(items: list[bytes], pick: st.DataObject) -> None:
    """After truncation the tree goes on as if the lost leaves had never been there."""
    size = pick.draw(st.integers(0, len(items)))
    tree = grown(items)
    tree.truncate(size)

    assert (len(tree), tree.root()) == (size, tree_hash(items[:size]))
    tree.append(leaf_hash(b"next"))
    assert tree.root() == tree_hash([*items[:size], b"next"])


def test_what_is_not_in_the_tree_has_no_proof() -> None:
    """Sizes and indexes beyond the tree are refused by name."""
    tree = grown(ENTRIES)
    for ask in (lambda: tree.prove_inclusion(8), lambda: tree.prove_inclusion(0, 9), lambda: tree.root(-1)):
        with pytest.raises(ProofError):
            ask()
    with pytest.raises(ProofError):
        tree.prove_consistency(5, 4)
    with pytest.raises(IndexError):
        tree.hash_at(3, 1)


def test_hashes_of_the_wrong_width_are_refused() -> None:
    """A 'hash' of another width could move bytes between leaf and sibling."""
    with pytest.raises(ProofError):
        root_from_inclusion(leaf_hash(b"a"), 0, 2, [b"short"])
    with pytest.raises(ProofError):
        root_from_inclusion(leaf_hash(b"a"), 0, 2**63, [bytes(32)] * 64)


@pytest.mark.parametrize(("index", "size"), [(1, 1), (0, 0), (-1, 1), (3, 3), (7, 4)])
def test_a_place_outside_the_tree_proves_nothing(index: int, size: int) -> None:
    """Else the only leaf of a tree would be provable at every number."""
    for path in ([], [leaf_hash(b"a")], [leaf_hash(b"a")] * 2):
        with pytest.raises(ProofError, match="no leaf"):
            root_from_inclusion(leaf_hash(b"a"), index, size, path)


def test_a_path_has_exactly_the_length_of_its_place() -> None:
    """Too short would make an inner node an entry, too long would let bytes be added that nobody signed."""
    tree = grown(ENTRIES)
    path = list(tree.prove_inclusion(2))
    for bad, why in ((path[:-1], "too short"), ([*path, path[0]], "too long"), (path * 22, "at most 63")):
        with pytest.raises(ProofError, match=why):
            root_from_inclusion(leaf_hash(ENTRIES[2]), 2, 8, bad)
    with pytest.raises(ProofError, match="at most 63"):
        root_from_inclusion(leaf_hash(b"a"), 0, 2**70, [leaf_hash(b"a")] * 70)


def test_consistency_at_the_ends_is_strict() -> None:
    """From nothing, to itself, backwards, and with a proof where none belongs."""
    tree = grown(ENTRIES)
    root = tree.root()
    verify_consistency(0, EMPTY_ROOT, 8, root, [])
    verify_consistency(8, root, 8, root, [])
    for old, old_root, new, path, why in (
        (9, root, 8, [], "cannot extend"),
        (-1, root, 8, [], "cannot extend"),
        (0, root, 8, [], "digest of nothing"),
        (0, EMPTY_ROOT, 8, [root], "must be empty"),
        (8, root, 8, [root], "must be empty"),
        (8, EMPTY_ROOT, 8, [], "two roots"),
        (4, tree.root(4), 8, [], "too short"),
        (3, tree.root(3), 8, [], "too short"),
        (3, tree.root(3), 8, [*tree.prove_consistency(3), root], "too long"),
    ):
        with pytest.raises(ProofError, match=why):
            verify_consistency(old, old_root, new, root, path)
