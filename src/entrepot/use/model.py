"""What is used: transfer processes, doors, and uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from entrepot.contracts import Contract, Exchange
from entrepot.identity import Welcome
from entrepot.policy import Decision, Fact
from entrepot.values import (
    AgreementId,
    ContractId,
    Did,
    Digest,
    Grade,
    KindOfUse,
    ProcessId,
    ProductId,
    UseId,
    UtcTime,
)


@dataclass(frozen=True, slots=True)
class TransferProcess:
    """One transfer process as this party sees it."""

    exchange: Exchange
    counterparty: Did
    address: str
    agreement_id: AgreementId
    format: str
    endpoint: str = ""
    """As consumer: where the door is. As provider of a push: where to push."""
    sealed_token: bytes = field(default=b"", repr=False)
    """The token for that endpoint, sealed."""
    epoch: int = 0
    """As provider: how often a door was hung."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Door:
    """An open door: whoever has its token uses data under its agreement, and nobody else's."""

    process_id: ProcessId
    agreement_id: AgreementId
    consumer: Did
    format: str
    epoch: int
    until: UtcTime | None = None
    """When its token lapses, where that is before the door is shut."""


class UseState(StrEnum):
    OPEN = "open"
    INTERRUPTED = "interrupted"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Use:
    """One use under one agreement, from *opened* to *closed*."""

    id: UseId
    process_id: ProcessId
    agreement_id: AgreementId
    contract_id: ContractId
    consumer: Did
    product_id: ProductId
    artefact: Digest
    """Digest of what is delivered, or of what is asked about."""
    kind: KindOfUse
    state: UseState
    boot: str
    """The run of the node that serves it; a use of a dead boot was interrupted."""
    permission: int
    """Index of the permission it relies on."""
    opened_at: UtcTime
    touched_at: UtcTime
    size: int
    sent: int = 0
    """Bytes that went out, repeats included."""
    rows: int = 0
    outcome: str = ""

    def is_closed_by(self, outcome: "Outcome") -> bool:
        """Whether this outcome ends it. Only a delivery goes on after an interruption."""
        return outcome.closes or (outcome is Outcome.INTERRUPTED and self.kind is not KindOfUse.DELIVERY)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a use came to since it was last settled."""

    bytes: int = 0
    """Bytes that went out."""
    rows: int = 0
    answer: Digest | None = None
    """Digest of what was answered, where that is not the artefact itself."""
    size: int = 0
    """Length of the answer."""
    environment: str | None = None
    """Where it ran, in a few fixed words."""

    @property
    def touched(self) -> bool:
        """Whether anything of the data went out."""
        return self.bytes > 0 or self.rows > 0 or self.answer is not None


NOTHING: Final = Spent()


class Outcome(StrEnum):
    """How a use goes on or ends. `SENT` never closes it, `INTERRUPTED` not a delivery; all others do."""

    SENT = "sent"
    """All that was asked for has left; the receipt is awaited."""
    INTERRUPTED = "interrupted"
    ANSWERED = "answered"
    """It was one call, and that was answered."""
    FAILED = "failed"
    """It went wrong after data was touched; it counts."""
    RECEIVED = "received"
    """The consumer's receipt agrees."""
    DIFFERS = "differs"
    """The consumer's receipt names another digest or size."""
    ENDED = "ended"
    """Its transfer process or contract ended without a receipt."""
    LAPSED = "lapsed"
    """The resume window is over without a receipt."""
    REFUSED = "refused"
    """Refused before data was touched: the only way in which a use is taken back."""

    @property
    def closes(self) -> bool:
        return self not in {Outcome.SENT, Outcome.INTERRUPTED}


@dataclass(frozen=True, slots=True)
class Knock:
    """A call at a door, before anything is known of the caller."""

    process_id: ProcessId
    token: str = field(repr=False)
    kind: KindOfUse
    purpose: str | None = None
    """What the caller says it is for; the agreement's purpose where it says nothing."""
    observed: Mapping[str, Fact] = field(default_factory=dict)
    """What the door itself has seen of this call, for the policy: fields, rows at most, and the like."""


@dataclass(frozen=True, slots=True)
class House:
    """What the gate knows of its own node."""

    me: Did
    boot: str
    """This run of the node."""
    status_max_age: timedelta
    oldest_unanchored: timedelta
    """How old the oldest record not yet on the ledger may be."""
    resume_window: timedelta = timedelta(hours=1)
    insecure_peers: frozenset[Did] = frozenset()
    """Whom the settings let in under a test identity: they are no members, and nobody vouches for them."""
    welcome: Welcome = field(default_factory=Welcome)
    """Whose credentials let in those who are no members; nobody's, unless the owner has named them."""
    receipt_wait: timedelta = timedelta(seconds=30)
    """How long after the end of a process its receipt may still come."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A use that may begin as soon as this is durable."""

    use: Use
    contract: Contract


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a use may not begin. To a caller whom no door knows, nothing is said."""

    reasons: tuple[str, ...]
    known: bool = True
    again: int | None = None
    """In how many seconds the next period begins, where nothing but a rate stands against it."""


@dataclass(frozen=True, slots=True)
class Goods:
    """What lies behind a door: the product of the contract, and the artefact that is delivered."""

    product_id: ProductId
    grade: Grade
    kinds: frozenset[KindOfUse]
    """What the product is offered for; nothing else may be done with it, whatever its grade admits."""
    resource_id: str
    artefact: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """A use that nothing stands against: what was found of it in this transaction."""

    decision: Decision
    goods: Goods
    status_age: timedelta
    """How old the knowledge of the consumer's standing is."""


class AcquisitionState(StrEnum):
    LOOKING = "looking"
    """The product is looked up."""
    NEGOTIATING = "negotiating"
    OPENING = "opening"
    """The transfer process is requested; the provider starts it."""
    FETCHING = "fetching"
    ASKING = "asking"
    """A call is under way; it is made once, since each call is a use."""
    RECEIVED = "received"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self in {AcquisitionState.RECEIVED, AcquisitionState.FAILED}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked at a door that answers calls: below the door, and in what words."""

    below: str = ""
    """Path and query below the door: `items?limit=10`."""
    body: str = ""
    """JSON to be posted; a GET where there is none."""


NOTHING_ASKED: Final = Asked()


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What is wanted, and how far it has come."""

    id: str
    product_id: ProductId
    purpose: str | None
    target: Path
    format: str = "HttpData-PULL"
    asked: Asked = NOTHING_ASKED
    state: AcquisitionState = AcquisitionState.LOOKING
    provider: Did | None = None
    address: str = ""
    product_digest: Digest | None = None
    artefact: Digest | None = None
    size: int = 0
    negotiation_id: ProcessId | None = None
    agreement_id: AgreementId | None = None
    process_id: ProcessId | None = None
    use_id: UseId | None = None
    waiting_for: str = ""
    """Whom or what it waits for, in words for a person."""
    problem: str = ""
    version: int = 0
