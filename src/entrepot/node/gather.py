"""Gathering the evidence of one use: from this node's journal and from the ledger's log."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot import oversight
from entrepot.contracts import Contract, contract_by_id
from entrepot.ledger import (
    BatchState,
    EntryProof,
    RecordProof,
    SignedReceipt,
    Tree,
    WrittenRecord,
    batch_of,
    decode_note,
    decode_transaction,
    leaf_hash,
    parse_checkpoint,
    proof_of,
    receipt_of,
    records_of,
    records_under,
)
from entrepot.node.node import Node
from entrepot.values import ContractId, NotFoundError, UnavailableError, UseId, canonical


@dataclass(frozen=True, slots=True)
class _Ours:
    """What this node has of a use."""

    contract: Contract
    records: list[tuple[WrittenRecord, RecordProof, int]]
    """Each with its proof and the log entry of its batch."""
    receipt: SignedReceipt | None


async def evidence_of(node: Node, use_id: UseId) -> dict[str, bytes]:
    """The evidence package of one use, as files by name; refused until the ledger's witnesses have it."""
    ours = await node.journal.read(lambda c: _ours(c, use_id))
    note = await node.ledger.checkpoint()
    size = parse_checkpoint(decode_note(note).text).size
    log = await node.ledger.entries(0, size)
    numbers = await asyncio.to_thread(_numbers, ours, log)
    seen = await asyncio.gather(*(_seen(node, log[number], size) for number in numbers))
    return await asyncio.to_thread(_package, ours, note, log, dict(zip(numbers, seen, strict=True)))


async def packed_evidence(node: Node, contract_id: ContractId, use_id: UseId) -> bytes:
    """The evidence package of one use under a contract, in one file."""
    written = await node.journal.read(lambda c: records_of(c, use_id))
    if not written or written[0].record.contract != contract_id:
        raise NotFoundError("there is no such use under this contract here")
    return await asyncio.to_thread(oversight.pack, await evidence_of(node, use_id))


def uses_under(connection: Connection, contract_id: ContractId) -> bytes:
    """Which uses this node has records of under one of its contracts, as JSON."""
    contract = contract_by_id(connection, contract_id)
    if contract is None:
        raise NotFoundError("there is no such contract here")
    written: dict[str, list[WrittenRecord]] = {}
    for record in records_under(connection, contract_id):
        written.setdefault(record.record.use, []).append(record)
    rows: list[canonical.Json] = [
        {"begun": r[0].record.at, "last": str(r[-1].record.kind), "outcome": r[-1].record.outcome, "use": u}
        for u, r in written.items()
    ]
    return canonical.encode({"contract": contract_id, "uses": rows})


def _ours(connection: Connection, use_id: UseId) -> _Ours:
    written = records_of(connection, use_id)
    if not written:
        raise NotFoundError("there is no such use here, or its openings were destroyed")
    contract = contract_by_id(connection, ContractId(written[0].record.contract))
    if contract is None:
        raise NotFoundError("the contract of this use is not here")
    records = []
    for record in written:
        batch = None if record.batch is None else batch_of(connection, record.batch)
        proof = proof_of(connection, record.row)
        if (
            batch is None
            or proof is None
            or batch.position is None
            or batch.state is not BatchState.WITNESSED
        ):
            raise UnavailableError("the records of this use are not all witnessed yet")
        records.append((record, proof, batch.position))
    return _Ours(contract, records, receipt_of(connection, use_id))


async def _seen(node: Node, raw: bytes, size: int) -> EntryProof | None:
    """The proof of an entry under the first checkpoint that was witnessed over it, if the ledger has it."""
    try:
        proof = await node.ledger.proof(decode_transaction(raw).id)
    except NotFoundError:
        return None
    return proof if parse_checkpoint(decode_note(proof.note).text).size <= size else None


def _numbers(ours: _Ours, log: list[bytes]) -> list[int]:
    """Which entries must be shown; long logs make this long, so it runs in a thread."""
    agreement = ours.contract.agreement
    return oversight.choose_entries(
        enumerate(log),
        ours.contract.contract_id,
        (agreement.assigner, agreement.assignee),
        {position for _, _, position in ours.records},
    )


def _package(
    ours: _Ours, note: bytes, log: list[bytes], seen: Mapping[int, EntryProof | None]
) -> dict[str, bytes]:
    """Prove each entry that is shown; in a thread, as it hashes the whole log."""
    tree = Tree()
    for raw in log:
        tree.append(leaf_hash(raw))
    return oversight.export_evidence(
        envelope=ours.contract.envelope,
        checkpoint=note,
        entries=[
            oversight.LogEntry(n, log[n], tree.prove_inclusion(n, len(log)), p) for n, p in seen.items()
        ],
        records=[
            oversight.OpenedRecord(record.body, record.salt, proof, position)
            for record, proof, position in ours.records
        ],
        receipt=None if ours.receipt is None else ours.receipt.raw,
    )
