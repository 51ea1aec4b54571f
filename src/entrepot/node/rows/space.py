"""Who takes part and who watches: members, filed contracts, the ledger, supervision, restored nodes."""

from typing import TypedDict

from entrepot.node.rows.turned import TurnedRow


class RestoredRow(TypedDict):
    """What a restored node has forgotten, and whether its owner has accepted that."""

    backupAt: str
    restoredAt: str
    comparedAt: str | None
    firstLost: int | None
    lastLost: int | None
    accepted: bool
    gap: str


class MemberRow(TypedDict):
    did: str
    name: str
    subjectCode: str
    region: str
    admittedAt: str | None
    state: str
    roles: list[str]
    connectorCode: str
    problem: str


class MemberStateRow(TypedDict):
    did: str
    state: str


class FiledRow(TypedDict):
    contract: str
    provider: str
    consumer: str
    state: str
    envelope: str | None
    endReason: str | None


class FiledPage(TurnedRow):
    contracts: list[FiledRow]


class FollowedRow(TypedDict):
    size: int
    problem: str
    witness: str


class ObserverRow(FollowedRow):
    """How far the copy is, and since when a restored witness waits to be resumed."""

    heldSince: str | None


class ResumedRow(TypedDict):
    """From which size a witness cosigns again, and how many checkpoints with its cosignature were found."""

    size: int
    checkpoints: int


class DifferenceRow(TypedDict):
    entry: int
    held: str
    served: str | None


class AuditRow(TypedDict):
    entries: int
    differences: list[DifferenceRow]


class OrderedRow(TypedDict):
    order: str
    contract: str


class AcknowledgedRow(TypedDict):
    party: str
    acknowledgedAt: str | None


class RequestRow(TypedDict):
    """A request for openings, as it was written down."""

    supervisor: str
    party: str
    contract: str
    use: str
    why: str
    askedAt: str
