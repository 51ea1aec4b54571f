"""The two-level tree: every record of every contract is provable, and nothing else is."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.ledger import (
    Part,
    ProofError,
    RecordProof,
    Units,
    batch_root,
    decode_leaf,
    outer_leaves,
    prove_record,
    tree_hash,
    verify_record,
)
from entrepot.values import EntrepotError, canonical, render_digest, sha256


def contract(number: int) -> str:
    return f"{number:046d}A"


def commitments(number: int, count: int) -> list[bytes]:
    return [sha256(f"{number} {index}".encode()) for index in range(count)]


def part(number: int, count: int, first: int = 1) -> Part:
    return Part(contract(number), first, commitments(number, count), Units(uses=count))


parts = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 9), st.integers(1, 1000)),
    min_size=1,
    max_size=9,
    unique_by=lambda p: p[0],
)


def proofs(drawn: list[tuple[int, int, int]], pick: st.DataObject) -> tuple[bytes, RecordProof, bytes]:
    """One record's commitment, its proof, and the root of the batch that holds it."""
    leaves = outer_leaves(part(*each) for each in drawn)
    number, count, first = pick.draw(st.sampled_from(drawn))
    place = sorted(contract(each[0]) for each in drawn).index(contract(number))
    index = pick.draw(st.integers(0, count - 1))
    own = commitments(number, count)
    return own[index], prove_record(first + index, own, leaves, place), batch_root(leaves)


@given(parts, st.data())
def test_every_record_is_provable(drawn: list[tuple[int, int, int]], pick: st.DataObject) -> None:
    """A record that cannot be proved might as well not have been written."""
    commitment, proof, root = proofs(drawn, pick)
    leaf = verify_record(commitment, proof, root)

    assert leaf.first <= proof.number <= leaf.last
    assert render_digest(tree_hash(commitments(int(leaf.contract[:46]), leaf.count))) == leaf.root


@given(parts, st.data())
@settings(max_examples=200)
def test_no_changed_proof_passes(drawn: list[tuple[int, int, int]], pick: st.DataObject) -> None:
    """Whatever is changed in a proof, it fails: no record can stand in for another."""
    commitment, proof, root = proofs(drawn, pick)
    flip = pick.draw(st.integers(1, 255))

    def changed(raw: bytes) -> Any:
        at = pick.draw(st.integers(0, len(raw) - 1))
        return raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]

    def path(old: Any) -> Any:
        if not old or pick.draw(st.booleans()):
            return pick.draw(st.sampled_from([(*old, sha256(b"")), old[1:] if old else (sha256(b""),)]))
        at = pick.draw(st.integers(0, len(old) - 1))
        return (*old[:at], changed(old[at]), *old[at + 1 :])

    attacks = [
        (changed(commitment), proof, root),
        (commitment, proof, changed(root)),
        (commitment, replace(proof, number=proof.number + pick.draw(st.sampled_from([-1, 1]))), root),
        (commitment, replace(proof, leaf=changed(proof.leaf)), root),
        (commitment, replace(proof, place=proof.place + pick.draw(st.sampled_from([-1, 1]))), root),
        (commitment, replace(proof, inner_path=path(proof.inner_path)), root),
        (commitment, replace(proof, outer_path=path(proof.outer_path)), root),
    ]
    for attack in attacks:
        with pytest.raises(EntrepotError):
            verify_record(*attack)


@given(parts, st.randoms())
def test_the_root_does_not_depend_on_which_contract_came_first(
    drawn: list[tuple[int, int, int]], random: Any
) -> None:
    """The same records must give the same root after a restart, whatever order rows come in."""
    shuffled = list(drawn)
    random.shuffle(shuffled)
    first, second = (batch_root(outer_leaves(part(*p) for p in order)) for order in (drawn, shuffled))
    assert first == second


def test_a_leaf_that_counts_wrongly_is_refused() -> None:
    """Count, first and last must tell one story, or a missing record could be hidden in them."""
    leaf = canonical.decode(outer_leaves([part(1, 3)])[0])
    assert isinstance(leaf, dict)
    with pytest.raises(ProofError):
        decode_leaf(canonical.encode(leaf | {"count": 2}))


def test_a_contract_has_one_part_and_it_has_records() -> None:
    """Two parts of one contract in one batch would allow two records of one number."""
    with pytest.raises(ValueError, match="one part"):
        outer_leaves([part(1, 2), part(1, 2, first=3)])
    with pytest.raises(ValueError, match="has records"):
        outer_leaves([Part(contract(1), 1, [], Units())])
    with pytest.raises(ProofError):
        prove_record(4, commitments(1, 3), outer_leaves([part(1, 3)]), 0)
    with pytest.raises(ProofError):
        prove_record(1, commitments(1, 2), outer_leaves([part(1, 3)]), 0)
