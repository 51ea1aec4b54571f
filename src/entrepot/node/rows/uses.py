"""What was used: doors, uses on both sides, records, receipts and where two sides differ."""

from typing import Any, TypedDict

from entrepot.node.rows.turned import TurnedRow

ProcessRow = TypedDict(
    "ProcessRow",
    {
        "id": str,
        "as": str,
        "with": str,
        "agreement": str,
        "product": str | None,
        "title": str | None,
        "format": str,
        "state": str,
        "pending": str | None,
        "problem": str,
    },
)


class ProcessPage(TurnedRow):
    processes: list[ProcessRow]


class AcquisitionRow(TypedDict):
    id: str
    product: str
    title: str | None
    state: str
    waitingFor: str
    problem: str
    provider: str | None
    agreement: str | None
    negotiation: str | None
    process: str | None
    use: str | None
    path: str
    size: int
    received: int
    digest: str | None


class UseRow(TypedDict):
    use: str
    contract: str
    agreement: str
    consumer: str
    product: str
    title: str | None
    state: str
    outcome: str
    openedAt: str
    size: int
    sent: int
    receipt: str


class UsePage(TurnedRow):
    uses: list[UseRow]


class RecordRow(TypedDict):
    kind: str
    at: str
    outcome: str | None
    bytes: int
    seconds: int
    statusAge: int | None
    number: int | None
    batch: int | None
    state: str
    entry: int | None


class ReceiptRow(TypedDict):
    at: str
    bytes: int
    artefact: str
    key: str


ProofRow = TypedDict(
    "ProofRow",
    {
        "use": str,
        "as": str,
        "contract": str,
        "agreement": str | None,
        "with": str,
        "product": str,
        "title": str | None,
        "artefact": str | None,
        "state": str,
        "outcome": str,
        "records": list[RecordRow],
        "receipt": ReceiptRow | None,
        "comparison": str,
    },
)


class SideRecordRow(TypedDict):
    kind: str
    at: str
    outcome: str | None
    artefact: str | None
    size: int | None
    receipt: str | None


class DisagreementRow(TypedDict):
    fact: str
    provider: str
    consumer: str


class SidesRow(TypedDict):
    use: str
    verdict: str | None
    provider: list[SideRecordRow]
    consumer: list[SideRecordRow]
    receipt: str | None
    disagreements: list[DisagreementRow]


class ExportedRecord(TypedDict):
    """A record as it was written, its salt, and its place in the order of writing."""

    record: dict[str, Any]
    salt: str
    written: int


class ExportedUse(TypedDict):
    """Everything that is kept here of one use."""

    keptUntil: str | None
    receipt: dict[str, Any] | None
    records: list[ExportedRecord]
    use: str


class UseUnder(TypedDict):
    begun: str
    last: str
    outcome: str | None
    use: str


class UsesUnder(TypedDict):
    """Which uses a party has records of under one of its contracts."""

    contract: str
    uses: list[UseUnder]


class ErasedRow(TypedDict):
    use: str
    erased: int
