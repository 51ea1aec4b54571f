"""The short text that proves one entry."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.ledger import (
    Checkpoint,
    EntryProof,
    Note,
    Tree,
    decode_proof,
    encode_note,
    encode_proof,
    leaf_hash,
    sign_checkpoint,
    verify_entry,
)
from entrepot.values import EntrepotError, TrustError

ENTRIES = [bytes([n]) * 9 for n in range(11)]


def proof_of(space: Any, index: int) -> bytes:
    tree = Tree(map(leaf_hash, ENTRIES))
    one = Checkpoint(space.log_key.name, len(ENTRIES), tree.root())
    note = encode_note(Note(one.text, (sign_checkpoint(one, space.log, space.log_key),)))
    return encode_proof(EntryProof(index, tree.prove_inclusion(index), note))


@pytest.mark.parametrize("index", range(len(ENTRIES)))
def test_a_proof_proves_its_entry_and_no_other(space: Any, index: int) -> None:
    """Read back from its text, it holds for one entry only."""
    raw = proof_of(space, index)
    proof = decode_proof(raw)

    assert encode_proof(proof) == raw
    assert verify_entry(ENTRIES[index], proof, space.log_key).size == len(ENTRIES)
    with pytest.raises(TrustError):
        verify_entry(ENTRIES[index - 1], proof, space.log_key)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_any_change_to_a_proof_is_noticed(space: Any, pick: st.DataObject) -> None:
    """One byte anywhere in the text: it is refused, or does not hold."""
    raw = bytearray(proof_of(space, 6))
    raw[pick.draw(st.integers(0, len(raw) - 1))] ^= pick.draw(st.integers(1, 255))

    with pytest.raises(EntrepotError):
        verify_entry(ENTRIES[6], decode_proof(bytes(raw)), space.log_key)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_a_proof_reads_one_way_or_not_at_all(space: Any, noise: bytes, at: int) -> None:
    """Proofs are a stranger's bytes."""
    good = proof_of(space, 3)
    for raw in (noise, good[:at] + noise + good[at:], good[:at]):
        try:
            proof = decode_proof(raw)
        except EntrepotError:
            continue
        assert encode_proof(proof) == raw
