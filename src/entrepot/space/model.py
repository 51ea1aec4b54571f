"""Who takes part and what the platform keeps of them: invitations, members, filed contracts, orders."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from entrepot.identity import PublicKey, older_list
from entrepot.values import (
    ContractId,
    Did,
    Digest,
    Grade,
    KeyId,
    MalformedError,
    ProductId,
    TransactionId,
    UtcTime,
    is_social_credit_code,
)

PLACE: Final = re.compile(r"\d{4}", re.ASCII)


class MemberRole(StrEnum):
    """What a member does in the space (parties of a trusted data space, NDI-01)."""

    PROVIDER = "provider"
    CONSUMER = "consumer"
    SERVICE = "service"
    REGULATOR = "regulator"


class MemberState(StrEnum):
    """Where a member-to-be, a member or a former one stands."""

    APPLIED = "applied"
    ADMITTING = "admitting"
    IN_FORCE = "in-force"
    SUSPENDED = "suspended"
    REVOKING = "revoking"
    REVOKED = "revoked"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator has decided for its space."""

    name: str
    platform: Did
    subject_code: str
    """The operator's unified social credit code: contract ids carry it."""
    place: str
    """Four digits: a region, or `00` and two digits of an industry."""
    status_url: str
    """Where the status list lies."""
    ledger_url: str
    contract_type: str = "1"
    """First character of a contract id; the national text lists no values for it."""
    one_sided_up_to: Grade | None = None
    """Highest grade for which one signature is enough; nothing refuses every one-sided contract."""
    one_sided_unregistered: bool = False
    """Whether it is enough too over products of those who are no members, which are registered nowhere."""
    membership: timedelta = timedelta(days=365)
    deadline: timedelta = timedelta(hours=24)
    """How long a message or transaction is tried."""

    @property
    def status_url_2021(self) -> str:
        """Where the status list lies in the form that credentials of VC 1.1 name."""
        return older_list(self.status_url)

    def __post_init__(self) -> None:
        if not is_social_credit_code(self.subject_code):
            raise MalformedError("the operator's code is no unified social credit code")
        if not PLACE.fullmatch(self.place):
            raise MalformedError("the place of a space is four digits")
        if len(self.contract_type) != 1 or not re.fullmatch(r"[0-9A-Z]", self.contract_type):
            raise MalformedError("the contract type is one character of 0-9A-Z")


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code that admits one applicant. The code itself is not kept, only its digest."""

    id: str
    code_digest: Digest
    roles: frozenset[MemberRole]
    """The roles that the applicant may ask for."""
    expires_at: UtcTime
    used_for: Digest | None = None
    """The digest of the application it was used for."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the platform knows it. What the ledger says comes first; this is its projection."""

    did: Did
    state: MemberState
    name: str
    subject_code: str
    region: str
    roles: tuple[MemberRole, ...]
    connector_code: str
    """Its national node code, drawn at the decision and handed out once the ledger has the member."""
    evidence_key_id: KeyId
    evidence_key: PublicKey
    epoch: int
    origins: tuple[str, ...]
    application_digest: Digest
    status_index: int | None
    admitted_at: UtcTime | None
    credential: str
    """The signed membership credential; empty until it is signed."""
    problem: str

    @property
    def in_force(self) -> bool:
        return self.state is MemberState.IN_FORCE


class FilingState(StrEnum):
    """How far the platform is with a contract."""

    GIVEN = "given"
    FILING = "filing"
    COMMITTED = "committed"
    """The ledger has it; its receipt is to be signed."""
    FILED = "filed"
    ENDING = "ending"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class FiledContract:
    """A contract id that was given, and what was filed under it."""

    contract_id: ContractId
    holder: Did
    """Who asked for the id, and may file under it."""
    counterparty: Did
    negotiation: str
    state: FilingState
    given_at: UtcTime
    product: ProductId | None
    envelope: bytes
    envelope_digest: Digest | None
    one_sided: bool
    ends_at: UtcTime | None
    transaction: TransactionId | None
    filed_at: UtcTime | None
    receipt: bytes
    """The signed filing receipt; empty until it is signed."""
    end_reason: str
    problem: str

    @property
    def parties(self) -> tuple[Did, Did]:
        return (self.holder, self.counterparty)


@dataclass(frozen=True, slots=True)
class RegisteredProduct:
    """A product's version on the ledger: which description, whose, how sensitive."""

    id: ProductId
    owner: Did
    digest: Digest
    grade: Grade
    registered: bool


class OperationState(StrEnum):
    """How far a wish of ours to the ledger is."""

    WANTED = "wanted"
    SENT = "sent"
    COMMITTED = "committed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Operation:
    """One wish to the ledger: decided in one transaction, signed outside, sent from the outbox."""

    id: str
    op: str
    subject: str
    """What it is about: a DID, a contract id, a product and its digest."""
    body: bytes
    state: OperationState
    transaction: TransactionId | None
    reason: str


@dataclass(frozen=True, slots=True)
class StopDelivery:
    """A stop order on its way to one party."""

    order: str
    party: Did
    message_id: str
    acknowledged_at: UtcTime | None
