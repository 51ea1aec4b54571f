"""What the console reads from the owner's API. Fields that it does not show are left out."""

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from entrepot.values import FORMATS

T = TypeVar("T")


class _Row(msgspec.Struct, frozen=True, rename="camel"):
    """One answer, or one row of it."""


class Turned(_Row, Generic[T], frozen=True):
    """A page of rows, the newest first, and where the pages around it begin."""

    next_after: str | None
    previous_after: str | None
    rows: tuple[T, ...]


class Text(msgspec.Struct, frozen=True):
    """Sentences in both languages."""

    en: tuple[str, ...] = ()
    zh: tuple[str, ...] = ()


class Product(_Row, frozen=True):
    id: str
    version: int
    title: str
    description: str
    rights: str
    grade: str
    kinds: tuple[str, ...]
    keywords: tuple[str, ...]
    published_at: datetime
    size: int
    digest: str
    text: Text
    on_offer: bool = True


class ProductPage(_Row, frozen=True):
    """A page of what I offer, and where the pages around it begin."""

    total: int
    next_after: int | None
    previous_after: int | None
    products: tuple[Product, ...]


class FoundProduct(_Row, frozen=True):
    """A product of the space, as its catalogue tells of it."""

    id: str
    title: str
    description: str
    provider: str
    grade: str
    kinds: tuple[str, ...]
    size: int


class SpaceProduct(FoundProduct, frozen=True, rename="camel"):
    """A product of the space with its terms, as its provider offers them now."""

    rights: str
    policy: Any
    """The wire form (ODRL)."""
    text: Text


class NotAcceptable(_Row, frozen=True):
    """An offer that asks for what is not known here."""

    id: str
    title: str
    reasons: tuple[str, ...]


class FoundPage(_Row, frozen=True):
    """One page of what a search has found."""

    total: int
    next_offset: int | None
    products: tuple[FoundProduct, ...]
    not_acceptable: tuple[NotAcceptable, ...]


class Due(_Row, frozen=True):
    """Something that is owed after a use."""

    agreement: str
    title: str | None
    duty: str
    state: str
    due_at: datetime


class Left(_Row, frozen=True):
    """One limit of a contract, and what is left of it."""

    per: str
    limit: int
    left: int


class Contract(_Row, frozen=True):
    agreement: str
    contract: str
    role: str = msgspec.field(name="as")
    peer: str = msgspec.field(name="with")
    product: str
    title: str | None
    status: str
    in_force: bool
    signed_at: datetime
    ends_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    one_sided: bool
    envelope: str
    left: tuple[Left, ...]
    text: Text


class ContractPage(Turned[Contract], frozen=True):
    rows: tuple[Contract, ...] = msgspec.field(name="contracts")


class Use(_Row, frozen=True):
    """A use of what we offer."""

    use: str
    agreement: str
    consumer: str
    product: str
    title: str | None
    state: str
    outcome: str
    opened_at: datetime
    size: int
    sent: int
    receipt: str


class UsePage(Turned[Use], frozen=True):
    rows: tuple[Use, ...] = msgspec.field(name="uses")


class Acquisition(_Row, frozen=True):
    """A use of what others offer."""

    id: str
    product: str
    title: str | None
    state: str
    waiting_for: str
    problem: str
    provider: str | None
    agreement: str | None
    negotiation: str | None
    use: str | None
    size: int
    received: int


class Record(_Row, frozen=True):
    kind: str
    at: datetime
    outcome: str | None
    bytes: int
    status_age: int | None
    number: int | None
    batch: int | None
    state: str
    entry: int | None


class Receipt(_Row, frozen=True):
    at: datetime
    bytes: int
    artefact: str
    key: str


class Proof(_Row, frozen=True):
    """One use with its records, and how far each has come."""

    use: str
    role: str = msgspec.field(name="as")
    peer: str = msgspec.field(name="with")
    contract: str
    agreement: str | None
    product: str
    title: str | None
    artefact: str | None
    state: str
    outcome: str
    records: tuple[Record, ...]
    receipt: Receipt | None
    comparison: str

    @property
    def is_witnessed(self) -> bool:
        return all(r.state == "witnessed" for r in self.records)


class Disagreement(_Row, frozen=True):
    """One fact that the two sides of a use tell otherwise."""

    fact: str
    provider: str
    consumer: str


class SideRecord(_Row, frozen=True):
    kind: str
    at: datetime


class Sides(_Row, frozen=True):
    """One use as both sides tell it; no verdict before the provider has shown its side."""

    use: str
    verdict: str | None
    provider: tuple[SideRecord, ...]
    consumer: tuple[SideRecord, ...]
    disagreements: tuple[Disagreement, ...]


class Process(_Row, frozen=True):
    """A transfer process: a door, open or shut."""

    id: str
    role: str = msgspec.field(name="as")
    peer: str = msgspec.field(name="with")
    agreement: str
    product: str | None
    title: str | None
    format: str
    state: str
    pending: str | None
    problem: str

    @property
    def kind(self) -> str:
        """What is done through the door; the name of a format that is not ours stays as it is."""
        return str(FORMATS.get(self.format, self.format))


class ProcessPage(Turned[Process], frozen=True):
    rows: tuple[Process, ...] = msgspec.field(name="processes")


class SignatureRequest(_Row, frozen=True):
    """A contract that we are asked to sign as service party."""

    id: str
    contract: str
    provider: str
    consumer: str
    product: str
    title: str | None
    digest: str
    asked_at: datetime
    until: datetime
    algorithms: tuple[str, ...]
    state: str
    waits_for_you: bool
    problem: str
    text: Text


class Begun(_Row, frozen=True):
    """A negotiation that was begun."""

    id: str


class Negotiation(_Row, frozen=True):
    id: str
    role: str = msgspec.field(name="as")
    peer: str = msgspec.field(name="with")
    product: str
    title: str | None
    state: str
    waits_for_you: bool
    problem: str


class NegotiationPage(Turned[Negotiation], frozen=True):
    rows: tuple[Negotiation, ...] = msgspec.field(name="negotiations")


class Terms(_Row, frozen=True):
    policy: Any
    """The wire form (ODRL); it goes back as it came but for the values that a person changed."""
    text: Text
    assured: dict[str, Text] = msgspec.field(default_factory=dict)
    """By kind of use, what this node does about each condition and duty."""


class Version(_Row, frozen=True):
    number: int
    by: str
    at: datetime
    text: Text


class Talk(Negotiation, frozen=True, rename="camel"):
    """One negotiation with its terms."""

    ours: Terms
    table: Terms
    versions: tuple[Version, ...]
    agreement: str | None


class Explanation(_Row, frozen=True):
    allowed: bool
    reasons: tuple[str, ...]
    explained: Text
    assured: Text


class Member(_Row, frozen=True):
    did: str
    name: str
    subject_code: str
    region: str
    admitted_at: datetime | None
    state: str
    roles: tuple[str, ...]
    connector_code: str
    problem: str


class Filed(_Row, frozen=True):
    """A contract in the operator's register."""

    contract: str
    provider: str
    consumer: str
    state: str
    envelope: str | None
    end_reason: str


class FiledPage(Turned[Filed], frozen=True):
    rows: tuple[Filed, ...] = msgspec.field(name="contracts")


class Registered(msgspec.Struct, frozen=True):
    """A contract in the register that a regulator reads at the platform."""

    contract: str
    parties: tuple[str, ...]
    product: str
    state: str
    one_sided: bool
    filed_at: str
    end_reason: str


class Ordered(_Row, frozen=True):
    order: str


class Acknowledgement(_Row, frozen=True):
    """Whether a party has acknowledged a stop order."""

    party: str
    acknowledged_at: datetime | None


class Opening(_Row, frozen=True):
    """A request for the openings of records, as it was written down."""

    party: str
    contract: str
    why: str
    asked_at: datetime


class Observed(_Row, frozen=True):
    """What the regulator's follower has of the ledger."""

    size: int
    problem: str
    witness: str


class Difference(_Row, frozen=True):
    entry: int
    held: str
    served: str | None


class Audit(_Row, frozen=True):
    entries: int
    differences: tuple[Difference, ...]


class Opened(_Row, frozen=True):
    """What is open to another product's control plane: a product, or the taking in of data."""

    dataset: str
    product: str | None


class Plane(_Row, frozen=True):
    """Another product's control or data plane that is registered here."""

    id: str
    kind: str
    endpoint: str
    participant_id: str
    datasets: tuple[Opened, ...]
    products: tuple[str, ...]


class Flow(_Row, frozen=True):
    """A data flow that another product's control plane has at our data plane."""

    id: str
    plane: str
    party: str
    counterparty: str
    dataset: str
    format: str
    state: str
    problem: str


class Signaling(_Row, frozen=True):
    planes: tuple[Plane, ...]
    flows: tuple[Flow, ...]
