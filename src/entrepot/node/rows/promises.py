"""What was promised and what is being negotiated: terms, contracts, signatures that are asked for, duties."""

from typing import NotRequired, TypedDict

from entrepot.node.rows.offers import Terms, Text
from entrepot.node.rows.turned import TurnedRow


class LeftRow(TypedDict):
    permission: int
    per: str
    limit: int
    left: int


class SignatureRequestRow(TypedDict):
    """What we were asked to sign as service party."""

    id: str
    contract: str
    provider: str
    consumer: str
    product: str
    title: str | None
    digest: str
    """Of the bytes that are to be signed."""
    askedAt: str
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
        "title": str | None,
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


class ContractPage(TurnedRow):
    contracts: list[ContractRow]


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
        "title": str | None,
        "state": str,
        "pending": str | None,
        "waitsForYou": bool,
        "problem": str,
    },
)


class NegotiationPage(TurnedRow):
    negotiations: list[NegotiationRow]


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


class DutyRow(TypedDict):
    """Something owed. A duty that stands before every use is only named until it is done."""

    duty: str
    state: str
    agreement: NotRequired[str]
    title: NotRequired[str | None]
    """Of the product that the contract is about."""
    use: NotRequired[str | None]
    begunAt: NotRequired[str]
    dueAt: NotRequired[str | None]
    performedAt: NotRequired[str | None]
    amount: NotRequired[str | None]
    isSigned: NotRequired[bool]
