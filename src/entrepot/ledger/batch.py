"""Batches of records: a tree for each contract inside one tree, and the proof of one record.

Inner leaves are the commitments of a contract's records in their order; an outer leaf says which contract,
which of its records, how many, their sums and the inner root; outer leaves stand in the order of contract
ids. Records are numbered for each contract, from 1 without a gap, so a party to one contract can tell that
none of its records is missing and learns nothing of how many others there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from entrepot.ledger.errors import ProofError
from entrepot.ledger.merkle import Tree, leaf_hash, root_from_inclusion, root_of, verify_inclusion
from entrepot.ledger.modules.contracts import ContractText
from entrepot.ledger.record import Units
from entrepot.ledger.transaction import DigestText
from entrepot.values import Digest, canonical, render_digest

Number = Annotated[int, Meta(ge=1, le=canonical.MAX_INTEGER)]


class ContractLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An outer leaf: the part of a batch that belongs to one contract."""

    contract: ContractText
    count: Number
    first: Number
    last: Number
    root: DigestText
    sums: Units


@dataclass(frozen=True, slots=True)
class Part:
    """The records of one contract that go into a batch: their commitments in order, and what they sum to."""

    contract: str
    first: int
    commitments: Sequence[bytes]
    sums: Units


@dataclass(frozen=True, slots=True)
class RecordProof:
    """The way from one record's commitment to the root of its batch."""

    number: int
    """The record's number under its contract."""
    inner_path: tuple[Digest, ...]
    leaf: bytes
    """The outer leaf, as canonical bytes."""
    place: int
    width: int
    """The outer leaf's index, of how many."""
    outer_path: tuple[Digest, ...]


def divide(records: Iterable[tuple[str, bytes, Units]], last: Mapping[str, int]) -> list[Part]:
    """The parts of a batch, from records in their order as contract, commitment and units.

    `last` says the last number given under each contract, 0 where there is none.
    """
    grouped: defaultdict[str, tuple[list[bytes], list[Units]]] = defaultdict(lambda: ([], []))
    for contract, commitment, units in records:
        commitments, amounts = grouped[contract]
        commitments.append(commitment)
        amounts.append(units)
    return [
        Part(contract, last[contract] + 1, commitments, _sum(amounts))
        for contract, (commitments, amounts) in grouped.items()
    ]


def outer_leaves(parts: Iterable[Part]) -> list[bytes]:
    """The outer leaves of a batch, in order; each contract has one part."""
    ordered = sorted(parts, key=lambda part: part.contract)
    if len({part.contract for part in ordered}) != len(ordered):
        raise ValueError("a contract has one part in a batch")
    return [_leaf_of(part) for part in ordered]


def batch_root(leaves: Sequence[bytes]) -> Digest:
    """The root that the ledger is told, over the outer leaves."""
    return root_of([sha256(b"\x00" + leaf).digest() for leaf in leaves])


def prove_record(
    number: int, commitments: Sequence[bytes], leaves: Sequence[bytes], place: int
) -> RecordProof:
    """The proof of record `number` of the part whose outer leaf is `leaves[place]`."""
    leaf = decode_leaf(leaves[place])
    if len(commitments) != leaf.count or not leaf.first <= number <= leaf.last:
        raise ProofError(f"record {number} is not among {leaf.first} to {leaf.last}")
    inner = Tree(map(leaf_hash, commitments))
    outer = Tree(map(leaf_hash, leaves))
    return RecordProof(
        number,
        inner.prove_inclusion(number - leaf.first),
        leaves[place],
        place,
        len(leaves),
        outer.prove_inclusion(place),
    )


def verify_record(commitment: bytes, proof: RecordProof, root: bytes) -> ContractLeaf:
    """Check that `commitment` is in the batch with `root`; give the contract's part, or raise `ProofError`.

    **Says nothing until the root is found in a transaction on the ledger.**
    """
    leaf = decode_leaf(proof.leaf)
    index = proof.number - leaf.first
    found = root_from_inclusion(leaf_hash(commitment), index, leaf.count, proof.inner_path)
    if render_digest(found) != leaf.root:
        raise ProofError(f"record {proof.number} is not in its contract's part of the batch")
    verify_inclusion(leaf_hash(proof.leaf), proof.place, proof.width, proof.outer_path, root)
    return leaf


def decode_leaf(raw: bytes) -> ContractLeaf:
    leaf = canonical.decode_struct(raw, ContractLeaf)
    if leaf.last - leaf.first + 1 != leaf.count:
        raise ProofError(f"{leaf.count} records cannot be {leaf.first} to {leaf.last}")
    return leaf


def _sum(amounts: Sequence[Units]) -> Units:
    return Units(
        sum(units.bytes for units in amounts),
        sum(units.rows for units in amounts),
        sum(units.seconds for units in amounts),
        sum(units.uses for units in amounts),
    )


def _leaf_of(part: Part) -> bytes:
    if not part.commitments:
        raise ValueError("a part of a batch has records")
    count = len(part.commitments)
    root = root_of([sha256(b"\x00" + item).digest() for item in part.commitments])
    last = part.first + count - 1
    return canonical.encode_struct(
        ContractLeaf(part.contract, count, part.first, last, render_digest(root), part.sums)
    )
