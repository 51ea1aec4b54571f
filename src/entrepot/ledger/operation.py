"""What every operation of a module is given, and what it gives back.

An operation is a pure function of a view, the acting member, its body and the block's context; it gives
the writes it wants, or a refusal. It never raises on what a stranger sent, and never touches the view.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

import msgspec

from entrepot.ledger.state import State, Writes
from entrepot.values import Digest, canonical

S = TypeVar("S", bound=msgspec.Struct)
_WIDTH = 32


class Role(StrEnum):
    """What a member may do on the ledger beyond acting for itself."""

    OPERATOR = "operator"
    CONNECTOR = "connector"
    REGULATOR = "regulator"


class Reason(StrEnum):
    """Why a transaction is refused; the vocabulary is closed, so no refusal carries what was sent."""

    MALFORMED = "malformed"
    PERSONAL_DATA = "personal-data"
    OTHER_CHAIN = "other-chain"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    CROWDED = "crowded"
    REPEATED = "repeated"
    NOT_A_MEMBER = "not-a-member"
    WRONG_KEY = "wrong-key"
    BAD_SIGNATURE = "bad-signature"
    NOT_ALLOWED = "not-allowed"
    EXISTS = "exists"
    UNKNOWN = "unknown"
    ENDED = "ended"
    NOT_NEXT = "not-next"
    WRONG_PREVIOUS = "wrong-previous"
    PARTY_NOT_IN_FORCE = "party-not-in-force"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The transaction does not take effect; nothing of it is kept."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Context:
    """All that an operation knows of the world: which ledger, which block, and its time in microseconds.

    Under a replicated ledger the time of a block may lag by the interval of empty blocks
    (field/cometbft.md §6), so no rule may need it to be closer than that.
    """

    chain: str
    height: int
    time: int


class EvidenceKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One Ed25519 key of a member: its verification method, and 32 bytes in hexadecimal."""

    id: str
    public: str


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the ledger knows of a member; `ended` says why it is one no more."""

    code: str
    did: str
    ended: str | None
    epoch: int
    keys: tuple[EvidenceKey, ...]
    role: Role

    @property
    def in_force(self) -> bool:
        return self.ended is None


Values: TypeAlias = Mapping[str, msgspec.Struct]
Outcome: TypeAlias = "Values | Refusal"


@dataclass(frozen=True, slots=True)
class Operation(Generic[S]):
    """An operation's name is the key of the table in `machine`; this is its body and its rule."""

    body: type[S]
    rule: "Callable[[View, Member, S, Context], Outcome]"


class View:
    """The state as one block sees it while its transactions are applied in order."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._read: dict[str, msgspec.Struct] = {}
        self._written: dict[str, bytes | None] = {}
        self._changed: set[str] = set()
        self._made: dict[int, dict[Digest, None]] = {}
        self._marked: set[int] = set()

    def read(self, key: str, kind: type[S]) -> S | None:
        value = self._read.get(key)
        if value is None:
            raw = self._state.get(key)
            if raw is None:
                return None  # not remembered: strangers may ask for any key
            value = self._read[key] = msgspec.json.decode(raw, type=kind)
        if not isinstance(value, kind):
            raise TypeError(f"{key} is read as {kind.__name__} and was {type(value).__name__}")
        return value

    def member(self, did: str) -> Member | None:
        return self.read(f"members/{did}", Member)

    def write(self, values: Values) -> None:
        self._read.update(values)
        self._changed.update(values)

    def made_at(self, height: int) -> Mapping[Digest, None]:
        """The payload digests of the transactions that were made at `height` and took effect, in order."""
        if height not in self._made:
            raw = self._state.get(f"made/{height}") or b""
            digests = (Digest(raw[at : at + _WIDTH]) for at in range(0, len(raw), _WIDTH))
            self._made[height] = dict.fromkeys(digests)
        return self._made[height]

    def mark(self, height: int, digest: Digest) -> None:
        """Remember a transaction that was made at `height`, so that its repeat is recognised."""
        self.made_at(height)
        self._made[height][digest] = None
        self._marked.add(height)

    def forget(self, height: int) -> None:
        """Drop what was made at `height`: nothing that old is admitted any more."""
        if self._state.get(f"made/{height}") is not None:
            self._written[f"made/{height}"] = None

    def writes(self) -> Writes:
        """All that this block changed, as bytes, in a fixed order."""
        for key in self._changed:
            self._written[key] = canonical.encode_struct(self._read[key])
        for height in self._marked:
            self._written[f"made/{height}"] = b"".join(self._made[height])
        return dict(sorted(self._written.items()))
