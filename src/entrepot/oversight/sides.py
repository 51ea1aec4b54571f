"""Both sides of one use: what the provider wrote down beside what the consumer did, and where they differ.

A difference blocks nothing; it is shown, to be settled between the parties or before a court. What a side
says is its own word either way. The receipt is the consumer's, whoever keeps it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot.ledger import (
    Comparison,
    Record,
    RecordKind,
    SignedReceipt,
    decode_receipt,
    decode_record,
    receipt_of,
    records_of,
)
from entrepot.oversight.archive import unpack
from entrepot.oversight.evidence import EvidenceError
from entrepot.oversight.verify import verify
from entrepot.values import NotFoundError, UseId, canonical, parse_time, render_time

SKEW: Final = timedelta(seconds=60)
"""How far two honest clocks may lie apart, as in evidence."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One fact that the sides tell otherwise; empty where a side says nothing of it."""

    fact: str
    provider: str
    consumer: str


@dataclass(frozen=True, slots=True)
class Sides:
    """One use as both sides tell it."""

    use: UseId
    verdict: Comparison | None
    """None where only the consumer's side is known: the provider has not shown its records yet."""
    provider: tuple[Record, ...]
    consumer: tuple[Record, ...]
    receipt: SignedReceipt | None
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the other side has shown of a use in an evidence package that held."""

    records: tuple[Record, ...]
    receipt: SignedReceipt | None


def lay_beside(
    provider: Sequence[Record],
    consumer: Sequence[Record],
    receipt: SignedReceipt | None,
    kept_by_provider: SignedReceipt | None = None,
) -> Sides:
    """Set both sides' records of one use beside each other. Pure.

    `provider` are its records in their order, `consumer` the other side's own, and `receipt` the consumer's
    as the consumer knows it; `kept_by_provider` is the receipt that the provider shows, where both are known.
    """
    if not provider and not consumer:
        raise NotFoundError("neither side has a record of this use")
    use = UseId((*provider, *consumer)[0].use)
    told = () if receipt is None and not consumer else _differences(provider, consumer, receipt)
    if receipt is not None and kept_by_provider is not None and kept_by_provider.raw != receipt.raw:
        told = (*told, Disagreement("receipt", kept_by_provider.digest, receipt.digest))
    verdict = Comparison.DIFFERS if told else Comparison.AGREED
    if receipt is None and not consumer:
        verdict = Comparison.NO_RECEIPT
    return Sides(use, verdict, tuple(provider), tuple(consumer), receipt, told)


def read_shown(packed: bytes, policy: str | None) -> Shown:
    """What an evidence package shows of both sides, or `EvidenceError` where it does not hold.

    Slow, as it verifies: **outside of the writer.** Without a policy its times and its log are not trusted.
    """
    files = unpack(packed)
    report = verify(files, policy)
    if report.verdict == "refused":
        raise EvidenceError(f"what the other side has shown does not hold: {report.why}")
    return Shown(tuple(_records_in(files)), _receipt_in(files))


def use_beside(connection: Connection, use_id: UseId, shown: Shown | None = None) -> Sides:
    """This node's records of a use beside the other side's, as its owner is shown them.

    A provider has the consumer's receipt at hand; a consumer learns of the provider's records from the
    package that the provider has `shown`.
    """
    ours = [written.record for written in records_of(connection, use_id)]
    theirs = [record for record in (() if shown is None else shown.records) if record not in ours]
    if any(record.use != use_id for record in theirs):
        raise EvidenceError("the other side has shown another use")
    told = [*ours, *theirs]
    if not told:
        raise NotFoundError("there is no such use here, or its openings were destroyed")
    mine, kept = receipt_of(connection, use_id), None if shown is None else shown.receipt
    provider = [record for record in told if record.kind is not RecordKind.RECEIPT]
    consumer = [record for record in told if record.kind is RecordKind.RECEIPT]
    if not provider and shown is None:
        return Sides(use_id, None, (), tuple(consumer), mine, ())
    return lay_beside(provider, consumer, mine or kept, kept)


def disagreements(connection: Connection, uses: Iterable[UseId]) -> list[Sides]:
    """Those of `uses` on which the sides differ, by what this node has of them."""
    known = (use_id for use_id in uses if records_of(connection, use_id))
    found = (use_beside(connection, use_id) for use_id in known)
    return [sides for sides in found if sides.verdict is Comparison.DIFFERS]


def _differences(
    provider: Sequence[Record], consumer: Sequence[Record], receipt: SignedReceipt | None
) -> tuple[Disagreement, ...]:
    given, taken = _provider_s(provider), _consumer_s(consumer, receipt)
    told = [
        Disagreement(fact, given[fact], said)
        for fact, words in taken.items()
        for said in words
        if given.get(fact, "") != said
    ]
    told += [*_of_receipt(provider, consumer, receipt), *_of_time(provider, receipt)]
    return tuple(dict.fromkeys(told))


def _provider_s(provider: Sequence[Record]) -> dict[str, str]:
    """The facts by the provider's word; of an artefact, the last it names."""
    named = [record for record in provider if record.artefact is not None][-1:]
    first = provider[:1]
    return {
        "contract": "".join(record.contract for record in first),
        "consumer": "".join(record.consumer for record in first),
        "product": "".join(record.product for record in first),
        "artefact": "".join(record.artefact or "" for record in named),
        "size": "".join(_number(record.size) for record in named),
        # A use that the provider took back is one that never was; a receipt says otherwise.
        "taken back": "yes" if sum(record.units.uses for record in provider) == 0 and provider else "",
    }


def _consumer_s(consumer: Sequence[Record], receipt: SignedReceipt | None) -> dict[str, list[str]]:
    """The facts by the consumer's word: of its own records, and of its receipt."""
    said = None if receipt is None else receipt.receipt
    signed = [] if said is None else [said]
    return {
        "contract": [*(record.contract for record in consumer), *(each.contract for each in signed)],
        "consumer": [*(record.consumer for record in consumer), *(each.consumer for each in signed)],
        "product": [record.product for record in consumer],
        "artefact": [*(record.artefact or "" for record in consumer), *(each.artefact for each in signed)],
        "size": [*(_number(record.size) for record in consumer), *(_number(each.bytes) for each in signed)],
        "taken back": [""],
    }


def _of_receipt(
    provider: Sequence[Record], consumer: Sequence[Record], receipt: SignedReceipt | None
) -> list[Disagreement]:
    """Receipts that a side names, where they are not the one that is there."""
    there = "" if receipt is None else receipt.digest
    told = [Disagreement("receipt", r.receipt, there) for r in provider if r.receipt not in {None, there}]
    told += [Disagreement("receipt", there, r.receipt or "") for r in consumer if r.receipt != there]
    return [Disagreement(d.fact, d.provider or "", d.consumer) for d in told]


def _of_time(provider: Sequence[Record], receipt: SignedReceipt | None) -> list[Disagreement]:
    """A receipt from before the use was opened, by more than clocks may differ."""
    if receipt is None or not provider:
        return []
    opened, received = parse_time(provider[0].at), parse_time(receipt.receipt.at)
    if received >= opened - SKEW:
        return []
    return [Disagreement("time", render_time(opened), render_time(received))]


def _number(count: int | None) -> str:
    return "" if count is None else str(count)


def _records_in(files: Mapping[str, bytes]) -> list[Record]:
    shown = [json.loads(raw)["record"] for name, raw in sorted(files.items()) if name.startswith("record-")]
    return [decode_record(canonical.encode(record)) for record in shown]


def _receipt_in(files: Mapping[str, bytes]) -> SignedReceipt | None:
    raw = files.get("receipt.json")
    if raw is None:
        return None
    shown = json.loads(raw)
    return decode_receipt(canonical.encode(shown["receipt"]) + bytes.fromhex(shown["signature"]))
