"""What the owner's API answers, row by row. The handlers fill these, the description of a node shows them.

Names are written as they travel. What has no value yet is null; what a row may lack is marked so.
"""

from typing import Any, NotRequired, TypeAlias, TypedDict

Policy: TypeAlias = dict[str, Any]
"""A policy in its wire form; docs/reference/policy.md lists what it may say."""


class Text(TypedDict):
    """The same sentences in both languages."""

    en: tuple[str, ...]
    zh: tuple[str, ...]


class Terms(TypedDict):
    policy: Policy
    text: Text
    assured: dict[str, Text]
    """By kind of use: what this environment enforces, detects or only records."""


class AttachedRow(TypedDict):
    resource: str
    size: int
    digest: str


class ColumnRow(TypedDict):
    name: str
    type: str
    nulls: int
    distinct: int
    least: Any
    greatest: Any


class ResourceRow(AttachedRow):
    """A resource; of a table also what stands in it."""

    mediaType: str
    kind: str | None
    where: str
    table: str
    rows: NotRequired[int]
    columns: NotRequired[list[ColumnRow]]
    preview: NotRequired[tuple[tuple[Any, ...], ...]]


class SecretRow(TypedDict):
    secret: str


class VersionRow(TypedDict):
    """A version of a product; in its history also whether it is the one on offer."""

    id: str
    version: int
    title: str
    grade: str
    size: int
    publishedAt: str
    artefact: str
    digest: str
    onOffer: NotRequired[bool]


class ProductRow(TypedDict):
    id: str
    version: int
    title: str
    description: str
    keywords: list[str]
    rights: str
    publishedAt: str
    provider: str
    grade: str
    kinds: list[str]
    size: int
    digest: str
    artefact: str
    text: Text
    assured: dict[str, Text]


class OfferedRow(ProductRow):
    """A product as it was just offered, and where it gives away what another one over the same data keeps."""

    tensions: list[str]


class WithdrawnRow(TypedDict):
    product: str
    listed: bool


class FoundProduct(TypedDict):
    id: str
    version: int
    title: str
    description: str
    keywords: list[str]
    provider: str
    grade: str
    kinds: list[str]
    mediaType: str
    size: int
    publishedAt: str
    digest: str


class UnacceptableRow(TypedDict):
    id: str
    title: str
    reasons: list[str]


class FoundRow(TypedDict):
    total: int
    nextOffset: int | None
    products: list[FoundProduct]
    notAcceptable: list[UnacceptableRow]
    """Offers that ask for something which is not known here; they can be seen, and not be used."""


class LeftRow(TypedDict):
    permission: int
    per: str
    limit: int
    left: int


class RestoredRow(TypedDict):
    """What a restored node has forgotten, and whether its owner has accepted that."""

    backupAt: str
    restoredAt: str
    comparedAt: str | None
    firstLost: int | None
    lastLost: int | None
    accepted: bool
    gap: str


class SignatureRequestRow(TypedDict):
    """What we were asked to sign as service party."""

    id: str
    contract: str
    provider: str
    consumer: str
    product: str
    algorithms: list[str]
    state: str
    waitsForYou: bool
    until: str
    problem: str
    text: Text


ContractRow = TypedDict(
    "ContractRow",
    {
        "agreement": str,
        "contract": str,
        "as": str,
        "with": str,
        "consumer": NotRequired[str],
        "product": str,
        "status": str,
        "inForce": bool,
        "whyNot": list[str],
        "signedAt": str,
        "endsAt": str | None,
        "endedAt": str | None,
        "endReason": str | None,
        "oneSided": bool,
        "envelope": str,
        "left": list[LeftRow],
        "text": Text,
    },
)


class EndedRow(TypedDict):
    agreement: str
    ended: str


class ReportLine(TypedDict):
    path: str
    asked: str
    found: str
    source: str
    verdict: str


class ExplainedRow(TypedDict):
    """Whether a use would be allowed now, and all that was looked at."""

    agreement: str
    allowed: bool
    reasons: list[str]
    report: list[ReportLine]
    explained: Text
    text: Text
    assured: Text


class MovedRow(TypedDict):
    """A negotiation after what its owner did."""

    id: str
    state: str


NegotiationRow = TypedDict(
    "NegotiationRow",
    {
        "id": str,
        "as": str,
        "with": str,
        "product": str,
        "state": str,
        "pending": str | None,
        "waitsForYou": bool,
        "problem": str,
    },
)


class TermsRow(Terms):
    """Terms that were on the table."""

    number: int
    by: str
    at: str


class WholeNegotiationRow(NegotiationRow):
    ours: Terms
    table: Terms
    versions: list[TermsRow]
    agreement: str | None


ProcessRow = TypedDict(
    "ProcessRow",
    {
        "id": str,
        "as": str,
        "with": str,
        "agreement": str,
        "product": str | None,
        "format": str,
        "state": str,
        "pending": str | None,
        "problem": str,
    },
)


class DutyRow(TypedDict):
    """Something owed. A duty that stands before every use is only named until it is done."""

    duty: str
    state: str
    agreement: NotRequired[str]
    use: NotRequired[str | None]
    begunAt: NotRequired[str]
    dueAt: NotRequired[str | None]
    performedAt: NotRequired[str | None]
    amount: NotRequired[str | None]
    isSigned: NotRequired[bool]


class AcquisitionRow(TypedDict):
    id: str
    product: str
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


class ElsewhereRow(TypedDict):
    """A dataset in another party's catalogue."""

    product: str
    kinds: list[str]
    graded: bool
    """Whether it is a product of a space like this one, with grade, digest and size."""
    problem: str
    """Why its terms cannot be agreed to here; what is not known is named."""


class UseRow(TypedDict):
    use: str
    contract: str
    agreement: str
    consumer: str
    product: str
    state: str
    outcome: str
    openedAt: str
    size: int
    sent: int
    receipt: str


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


class CredentialRow(TypedDict):
    """A credential that is held here; the one of the platform's admission has no name to drop it by."""

    credential: str
    types: list[str]
    issuer: str
    form: str
    id: str
    validFrom: str | None
    validUntil: str | None
    heldSince: str | None
    holds: bool
    """Whether it is in its time, and shut in no status list that is known here."""


class KindRow(TypedDict):
    """What an issuer issues; of an offer perhaps its id alone."""

    id: str
    type: str
    form: str


class CredentialRequestRow(TypedDict):
    request: str
    issuer: str
    credentials: list[KindRow]
    state: str
    reason: str
    madeAt: str


class CredentialOfferRow(TypedDict):
    offer: str
    issuer: str
    credentials: list[KindRow]
    receivedAt: str


class TokenClientRow(TypedDict):
    """A client of the token service; its secret is in the answer that made it, and nowhere else."""

    name: str
    scopes: list[str]
    madeAt: NotRequired[str]
    secret: NotRequired[str]


class GoneRow(TypedDict):
    """What is here no longer."""

    ended: str
