"""Evidence of one use: from bytes that a node gathered to the files of a package.

A package opens the records of one use and nothing else; every other record of the same batches stays a
commitment. The format is law in docs/reference/evidence.md. Gathering is the node's work, and verifying
that of `verify`, which stands alone: the product runs the very file that a court runs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from entrepot.ledger import EntryProof, RecordProof, decode_receipt, decode_transaction, is_block_leaf
from entrepot.oversight import verify
from entrepot.oversight.reading import contract_text
from entrepot.values import Did, Digest, TrustError, canonical, sha256

MAX_RECORDS: Final = 900
"""A use of more records than this needs more than one package."""


class EvidenceError(TrustError):
    """What was gathered does not prove the use."""

    def remedy(self) -> str:
        return "Gather again once the batches are witnessed; what fails then is itself evidence."


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A transaction on the ledger's log, and its inclusion path to the checkpoint of the package.

    `seen` proves it under the earliest witnessed checkpoint that is known to hold it, so that the time of
    record is that of the entry and not that of the package.
    """

    number: int
    raw: bytes
    path: Sequence[Digest]
    seen: EntryProof | None = None


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """A record with its opening, and the way to the log entry of the batch that holds it."""

    body: bytes
    salt: bytes
    proof: RecordProof
    batch: int
    """Number of the log entry."""


def export_evidence(
    *,
    envelope: bytes,
    checkpoint: bytes,
    entries: Iterable[LogEntry],
    records: Sequence[OpenedRecord],
    receipt: bytes | None = None,
) -> dict[str, bytes]:
    """The files of a package, by name; refused with `EvidenceError` when they would not hold together.

    `records` are the provider's in the order of their numbers, then the consumer's own, if at hand.
    """
    files = write_evidence(envelope, checkpoint, entries, records, receipt)
    report = verify.verify(files, None)
    if report.verdict == "refused":
        raise EvidenceError(f"no evidence can be given: {report.why}")
    return files


def write_evidence(
    envelope: bytes,
    checkpoint: bytes,
    entries: Iterable[LogEntry],
    records: Sequence[OpenedRecord],
    receipt: bytes | None,
) -> dict[str, bytes]:
    """The files of a package. **Does not ask whether they prove anything.**"""
    files = {
        "contract.json": envelope,
        "contract.txt": contract_text(envelope),
        "checkpoint.txt": checkpoint,
    }
    for entry in entries:
        files[f"entry-{entry.number}.json"] = _entry(entry)
    for place, record in enumerate(records[:MAX_RECORDS], 1):
        files[f"record-{place:04d}.json"] = _record(record)
    if receipt is not None:
        files["receipt.json"] = _receipt(receipt)
    return files | {"manifest.json": manifest(files)}


def manifest(files: dict[str, bytes]) -> bytes:
    """The manifest over `files`: names, lengths, digests, and nothing else."""
    return canonical.encode(
        {
            "files": [
                {"bytes": len(raw), "name": name, "sha256": sha256(raw).hex()}
                for name, raw in sorted(files.items())
                if name != "manifest.json"
            ]
        }
    )


def choose_entries(
    log: Iterable[tuple[int, bytes]], contract: str, parties: Iterable[Did], batches: Iterable[int]
) -> list[int]:
    """The numbers of the log entries that evidence of a use must show, from all entries of the log.

    These are all that concern the contract, the batches named, and everything that ever happened to the
    membership of whoever acts in any of them: leaving out an end or a revocation would be a lie.
    """
    wanted = set(batches)
    read = [(number, decode_transaction(raw).transaction) for number, raw in log if not is_block_leaf(raw)]
    told = [(number, t, canonical.decode(bytes(t.body))) for number, t in read]
    people: set[Any] = set(parties)
    chosen: set[int] = set()
    while True:
        found = {
            number
            for number, transaction, body in told
            if isinstance(body, dict)
            and (
                number in wanted
                or body.get("contract") == contract
                or (transaction.op.startswith("member.") and body.get("did") in people)
            )
        }
        if found == chosen:
            return sorted(chosen)
        chosen = found
        for number, transaction, body in told:
            if number in chosen:
                people |= {transaction.actor, *_parties(body)}


def _parties(body: Any) -> Iterable[Any]:  # noqa: ANN401 (the body of any operation)
    """Who a filing names: every signatory, service parties too."""
    return body.get("parties", ()) if isinstance(body, dict) else ()


def _entry(entry: LogEntry) -> bytes:
    signed = decode_transaction(entry.raw)
    return canonical.encode(
        {
            "entry": canonical.decode(signed.payload),
            "number": entry.number,
            "path": [node.hex() for node in entry.path],
            "seen": None if entry.seen is None else _seen(entry.seen),
            "signature": signed.signature.hex(),
        }
    )


def _seen(proof: EntryProof) -> canonical.Json:
    return {"checkpoint": proof.note.decode(), "path": [node.hex() for node in proof.path]}


def _record(record: OpenedRecord) -> bytes:
    proof = record.proof
    return canonical.encode(
        {
            "batch": record.batch,
            "inner": [node.hex() for node in proof.inner_path],
            "number": proof.number,
            "outer": [node.hex() for node in proof.outer_path],
            "part": canonical.decode(proof.leaf),
            "place": proof.place,
            "record": canonical.decode(record.body),
            "salt": record.salt.hex(),
            "width": proof.width,
        }
    )


def _receipt(raw: bytes) -> bytes:
    signed = decode_receipt(raw)
    return canonical.encode(
        {"receipt": canonical.decode(signed.payload), "signature": signed.signature.hex()}
    )
