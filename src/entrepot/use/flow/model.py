"""Data flows, the planes at their ends, and what a data plane opens to a control plane."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.contracts import DoorAddress, Party
from entrepot.journal import Transaction
from entrepot.policy import Policy
from entrepot.values import AgreementId, Did, ProcessId, ProductId, ProtocolError, canonical

HTTP_PULL: Final = "https://w3id.org/dspace-sig/profile/http-pull"
HTTP_PUSH: Final = "https://w3id.org/dspace-sig/profile/http-push"
PROFILES: Final = {"HttpData-PULL": HTTP_PULL, "HttpData-PUSH": HTTP_PUSH}
"""The transfer profile that a format of ours goes by between the planes."""
_SHORT: Final = {"http-pull": "HttpData-PULL", "http-push": "HttpData-PUSH"}
NO_TERMS: Final = Policy()
"""Terms that permit nothing."""
NO_AGREEMENT: Final = AgreementId("")
RENEWAL: Final = ("refreshToken", "expiresIn", "refreshEndpoint")
"""Properties of an address whose token can be renewed (Token Renewal profile)."""


class FlowState(StrEnum):
    """States of a data flow (Data Plane Signaling 1.0-RC3, Data Flow State Machine)."""

    INITIALIZED = "INITIALIZED"
    PREPARING = "PREPARING"
    PREPARED = "PREPARED"
    STARTING = "STARTING"
    STARTED = "STARTED"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    TERMINATED = "TERMINATED"


class Step(StrEnum):
    """What moves a data flow: a control plane's word, or that something is ready."""

    PREPARE = "prepare"
    PREPARED = "prepared"
    START = "start"
    STARTED = "started"
    SUSPEND = "suspend"
    RESUME = "resume"
    COMPLETE = "completed"
    TERMINATE = "terminate"


class PlaneKind(StrEnum):
    CONTROL = "control"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Plane:
    """Another product's plane, as our owner has registered it."""

    id: str
    kind: PlaneKind
    endpoint: str
    profiles: tuple[str, ...] = ()
    """Of a data plane: the transfer profiles that it serves."""
    participant: str = ""
    """Of a control plane: the participant id that it speaks for."""
    shows: bytes = field(default=b"", repr=False)
    """Digest of the `Authorization` that it shows us; nothing opens where it is empty."""
    sealed: bytes = field(default=b"", repr=False)
    """The `Authorization` that we show to it, sealed."""

    def profile(self, format_name: str) -> str | None:
        """The name by which it serves a format of ours; None where it does not."""
        names = (PROFILES.get(format_name, ""), format_name)
        return next((name for name in names if name in self.profiles), None)


@dataclass(frozen=True, slots=True)
class Opening:
    """What our owner lets one control plane do with one data set."""

    plane: str
    dataset: str
    product_id: ProductId | None = None
    """What is provided under it; None where data is taken in."""
    policy: Policy = NO_TERMS
    """On which terms, whatever the control plane has agreed on."""
    by_hand: bool = False
    """A person of ours says yes to each flow."""
    most_bytes: int = 0
    """How much of it is taken in at most."""
    id: str = ""
    """Another one each time that it is opened: what was used before is not counted again."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a control plane says of a flow: for whom, of what, under which agreement of its own."""

    process_id: str
    participant: str
    counterparty: str
    dataset: str
    agreement: str
    profile: str

    @property
    def format(self) -> str:
        """Our name of its profile."""
        known = {**_SHORT, **{profile: name for name, profile in PROFILES.items()}}
        found = known.get(self.profile, self.profile)
        if found not in PROFILES:
            raise ProtocolError(f"the profile {self.profile[:200]!r} is not served here")
        return found


@dataclass(frozen=True, slots=True)
class Flow:
    """One data flow at our data plane."""

    id: ProcessId
    plane: str
    """The control plane that drives it."""
    order: Order
    party: Party
    """Whose data plane we are in it."""
    state: FlowState = FlowState.INITIALIZED
    agreement_id: AgreementId = NO_AGREEMENT
    """What uses under it are judged by; empty where data is taken in."""
    sealed_address: bytes = field(default=b"", repr=False)
    """Where to push to or to fetch from, with its token, sealed."""
    epoch: int = 0
    """How many tokens its door has had."""
    since: int = 0
    """The epoch of the last start or resumption; what renews tokens is as old as that."""
    refresh_digest: bytes = field(default=b"", repr=False)
    problem: str = ""
    version: int = 0

    @property
    def is_push(self) -> bool:
        return self.order.format.endswith("-PUSH")


Signal = Callable[[Transaction, Flow, DoorAddress | None], None]
"""Queues a word to the control plane of a flow: where it stands now, and its address."""


@dataclass(frozen=True, slots=True)
class Quay:
    """What the use cases of our data plane need to know of their node."""

    opening: Callable[[Connection, Order, str], Opening | None]
    """What is open to a control plane of an order."""
    door_token: Callable[[ProcessId, int], str]
    door_endpoint: Callable[[ProcessId], str]
    refresh_token: Callable[[ProcessId, int], str]
    refresh_endpoint: str
    basin: Callable[[ProcessId], DoorAddress]
    """Where what is pushed to us in a flow is taken in."""
    seal: Callable[[bytes], bytes]
    unseal: Callable[[bytes], bytes]
    signal: Signal
    may_call: Callable[[str], bool] = lambda address: address.startswith("https://")
    """Whether data may travel to or from an address that a control plane names (HTTP profile: by HTTPS)."""
    client_of: Callable[[str], Did] = Did
    """The DID that renews the tokens of a counterparty: its own."""
    token_life: timedelta = timedelta(minutes=5)

    def keep(self, address: DoorAddress) -> bytes:
        """An address as it is written down, sealed for it holds a token; refused where none may go there."""
        if not self.may_call(address.endpoint):
            raise ProtocolError("dataAddress: expected an endpoint with https")
        return self.seal(
            canonical.encode(
                [address.endpoint, address.token, address.kind, [[n, v] for n, v in address.more]]
            )
        )

    def read(self, flow: Flow) -> DoorAddress:
        """Where a flow pushes to, or fetches from."""
        kept = msgspec.json.decode(
            self.unseal(flow.sealed_address), type=tuple[str, str, str, list[tuple[str, str]]]
        )
        return DoorAddress(*kept[:3], tuple(kept[3]))
