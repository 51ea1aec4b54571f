"""What is used: transfer processes, doors, and uses."""

from dataclasses import dataclass, field
from enum import StrEnum

from entrepot.contracts import Exchange
from entrepot.values import AgreementId, ContractId, Did, Digest, ProcessId, UseId, UtcTime


@dataclass(frozen=True, slots=True)
class TransferProcess:
    """One transfer process as this party sees it."""

    exchange: Exchange
    counterparty: Did
    address: str
    agreement_id: AgreementId
    format: str
    endpoint: str = ""
    """As consumer: where the door is."""
    sealed_token: bytes = field(default=b"", repr=False)
    """As consumer: the door's token, sealed."""
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
    product_digest: Digest
    artefact: Digest
    """Digest of what is delivered."""
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
    outcome: str = ""
