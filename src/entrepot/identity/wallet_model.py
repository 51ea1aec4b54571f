"""Values of a holder: credentials held, asked for and offered, and clients of the token service."""

from dataclasses import dataclass, field
from enum import StrEnum

from entrepot.identity.credential import CredentialForm
from entrepot.values import Did, UtcTime


@dataclass(frozen=True, slots=True)
class Kind:
    """What an issuer can issue, or has offered (DCP 1.0, CredentialObject)."""

    id: str
    type: str = ""
    """Empty where an offer names the id alone: the issuer's metadata has the rest."""
    form: CredentialForm | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A credential of ours, as its issuer signed it; it was verified before it was kept."""

    digest: str
    issuer: Did
    raw: str = field(repr=False)
    since: UtcTime


class AskedState(StrEnum):
    REQUESTED = "REQUESTED"
    """On its way to the issuer."""
    RECEIVED = "RECEIVED"
    ISSUED = "ISSUED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Asked:
    """Credentials that we have asked an issuer for."""

    holder_pid: str
    issuer: Did
    kinds: tuple[Kind, ...]
    state: AskedState
    made_at: UtcTime
    status_url: str = ""
    """Where the issuer says how far it has come."""
    reason: str = ""

    @property
    def is_open(self) -> bool:
        return self.state in {AskedState.REQUESTED, AskedState.RECEIVED}


@dataclass(frozen=True, slots=True)
class Offer:
    """Credentials that an issuer has offered us; nobody has asked for them yet."""

    id: str
    issuer: Did
    kinds: tuple[Kind, ...]
    received_at: UtcTime


@dataclass(frozen=True, slots=True)
class TokenClient:
    """Software of the owner that may have tokens made in this node's name."""

    id: str
    secret_digest: bytes = field(repr=False)
    scopes: tuple[str, ...]
    """All that its access tokens may grant."""
    made_at: UtcTime
