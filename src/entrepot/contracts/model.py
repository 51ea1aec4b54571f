"""What is negotiated: offers, agreements, and the messages that carry them."""

from dataclasses import dataclass, field
from typing import TypeAlias

from entrepot.contracts.exchange import Exchange, Move
from entrepot.policy import Policy
from entrepot.values import (
    AgreementId,
    ContractId,
    Did,
    Digest,
    MessageId,
    OfferId,
    ProcessId,
    ProductId,
    UtcTime,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """Terms on which a product may be used. `assigner` and `assignee` are named where they are known."""

    id: OfferId
    target: ProductId
    policy: Policy
    assigner: Did | None = None
    assignee: Did | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Terms that both parties hold to."""

    id: AgreementId
    target: ProductId
    policy: Policy
    assigner: Did
    assignee: Did
    timestamp: UtcTime


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a process was suspended or ended; never personal data."""

    code: str = ""
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DoorAddress:
    """Where a use begins, or where data is to be pushed: an endpoint and the token that opens it.

    The token is a bearer secret.
    """

    endpoint: str
    token: str = field(repr=False)
    kind: str = ""
    """What kind of endpoint it is, where it is not one of ours."""
    more: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Properties beside the token, by name: how it is renewed, and whatever another data plane says."""


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """What a consumer asks to open: a kind of use, by its format, under an agreement."""

    agreement_id: AgreementId
    format: str
    destination: DoorAddress | None = None
    """Where data is to be pushed, for a format that pushes."""


Content: TypeAlias = Offer | Agreement | Reason | TransferRequest | DoorAddress | None


@dataclass(frozen=True, slots=True)
class Message:
    """One protocol message, whichever machine it moves. A repeat has the same `id`."""

    id: MessageId
    move: Move
    consumer_pid: ProcessId | None
    provider_pid: ProcessId | None
    content: Content = None
    callback: str = ""
    """Where the sender wants the answers of a first message; empty otherwise."""
    addressed_to: ProcessId | None = None
    """The receiver's process id, once it is known."""


@dataclass(frozen=True, slots=True)
class Signing:
    """How far the digital contract of a negotiation is.

    The consumer signs before it verifies, the provider countersigns and files, and the negotiation is
    finalized after the filing receipt.
    """

    contract_id: ContractId | None = None
    product_digest: Digest | None = None
    payload: bytes = b""
    envelope: bytes = b""
    """Payload with the signatures so far."""
    handed_over: bool = False
    """The counterparty has our part."""
    receipt: bytes = b""
    """The platform's filing receipt."""
    one_sided: bool = False


@dataclass(frozen=True, slots=True)
class Negotiation:
    """One negotiation as this party sees it."""

    exchange: Exchange
    counterparty: Did
    address: str
    """Base address of the counterparty for this negotiation."""
    offer: Offer
    """The last offer on the table."""
    asked: Offer
    """What we would sign without asking a person: our published offer, or what our owner asked for."""
    agreement: Agreement | None = None
    signing: Signing = Signing()
    needs_person: bool = False
    """Even terms equal to ours wait for a person."""
    approved: bool = False
    """A person of ours has approved the offer on the table."""
    problem: str = ""
    created_at: UtcTime | None = None
