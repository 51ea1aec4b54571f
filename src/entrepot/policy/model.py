"""The policy model: a profile of ODRL 2.2, frozen.

A policy grants by permissions, takes back by prohibitions, and grants nothing where it is silent. An
operand is one entry of `OPERANDS`: its name on the wire, its type, who says what its value is, and the
operators that make sense on it. What has no entry here does not parse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from entrepot.values import MalformedError, UtcTime

ODRL: Final = "http://www.w3.org/ns/odrl/2/"
ENTREPOT: Final = "https://w3id.org/entrepot/v1/"
NATIONAL: Final = "https://w3id.org/entrepot/cn/"

_MINUTE: Final = timedelta(minutes=1)


class Operator(StrEnum):
    """The twelve operators of ODRL 2.2, which are those of the national contract (table 5.2)."""

    EQ = "eq"
    NEQ = "neq"
    LT = "lt"
    LTEQ = "lteq"
    GT = "gt"
    GTEQ = "gteq"
    IS_A = "isA"
    IS_PART_OF = "isPartOf"
    HAS_PART = "hasPart"
    IS_ANY_OF = "isAnyOf"
    IS_ALL_OF = "isAllOf"
    IS_NONE_OF = "isNoneOf"


class Source(StrEnum):
    """Who says so. A decision names the source beside each value."""

    CREDENTIAL = "credential"
    AGREEMENT = "agreement"
    OBSERVED = "observed"
    CLAIMED = "claimed"


class OperandType(StrEnum):
    """What a right operand must be; it fixes the unit, so none travels beside the value."""

    TERM = "term"
    """An identifier; on the wire an IRI or a plain word."""
    PARTY = "party"
    """A DID."""
    TIME = "time"
    """An RFC 3339 time with its zone."""
    WINDOW = "window"
    """A daily window: `08:00/18:00+08:00`; without a zone at UTC+8, as the national texts have it."""
    USES = "uses"
    """A number of uses, at least one."""
    RATE = "rate"
    """A number of uses a minute, hour or day: `10/hour`."""
    REGION = "region"
    """A region code of GB/T 2260, two, four or six digits; equal to a region is what lies in it."""
    KIND = "kind"
    """One of the kinds of use."""


class Period(StrEnum):
    """The period of a rate: fixed windows that begin on the full UTC minute, hour or day."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def seconds(self) -> int:
        return {Period.MINUTE: 60, Period.HOUR: 3_600, Period.DAY: 86_400}[self]


@dataclass(frozen=True, slots=True)
class Window:
    """Every day from `opens` until `closes` at a fixed offset; past midnight where it closes earlier."""

    opens: time
    closes: time
    offset: timedelta

    def has(self, moment: UtcTime) -> bool:
        # In minutes of the day: no calendar is needed, so no moment is too early or too late to ask.
        local = (moment.hour * 60 + moment.minute + self.offset // _MINUTE) % 1_440
        opens = self.opens.hour * 60 + self.opens.minute
        closes = self.closes.hour * 60 + self.closes.minute
        if opens <= closes:
            return opens <= local < closes
        return local >= opens or local < closes


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many uses in one period."""

    uses: int
    period: Period


Value: TypeAlias = str | int | UtcTime | Window | Rate | frozenset[str]


@dataclass(frozen=True, slots=True)
class Operand:
    """What can be asked about a use. Another operand is another entry, not another mechanism."""

    name: str
    iri: str
    type: OperandType
    source: Source
    operators: frozenset[Operator]
    national: str
    """The constraint's code in the national contract (table 5.1), `expansionItem` where it has none."""
    english: str
    chinese: str
    or_else: frozenset[Source] = frozenset()
    """Other sources that are as good; a fact from any but these is no fact."""

    @property
    def sources(self) -> frozenset[Source]:
        return self.or_else | {self.source}


_CHOICE: Final = frozenset({Operator.EQ, Operator.NEQ, Operator.IS_ANY_OF, Operator.IS_NONE_OF})
_ORDER: Final = frozenset({Operator.LT, Operator.LTEQ, Operator.GT, Operator.GTEQ})
_LIMIT: Final = frozenset({Operator.LTEQ})

PURPOSE: Final = Operand(
    "purpose",
    ODRL + "purpose",
    OperandType.TERM,
    Source.CLAIMED,
    _CHOICE,
    "expansionItem",
    "the purpose of use",
    "使用目的",
    or_else=frozenset({Source.AGREEMENT}),
)
DATE_TIME: Final = Operand(
    "dateTime",
    ODRL + "dateTime",
    OperandType.TIME,
    Source.OBSERVED,
    _ORDER | {Operator.EQ, Operator.NEQ},
    "time",
    "the time of use",
    "使用时间",
)
TIME_WINDOW: Final = Operand(
    "timeWindow",
    ENTREPOT + "timeWindow",
    OperandType.WINDOW,
    Source.OBSERVED,
    frozenset({Operator.IS_PART_OF}),
    "timeWindow",
    "the time of day",
    "每日时段",
)
COUNT: Final = Operand(
    "count",
    ODRL + "count",
    OperandType.USES,
    Source.OBSERVED,
    _LIMIT,
    "count",
    "the number of uses",
    "使用次数",
)
RATE: Final = Operand(
    "rate",
    ENTREPOT + "rate",
    OperandType.RATE,
    Source.OBSERVED,
    _LIMIT,
    "frequency",
    "the number of uses in a period",
    "使用频次",
)
CONSUMER: Final = Operand(
    "consumer",
    ENTREPOT + "consumer",
    OperandType.PARTY,
    Source.CREDENTIAL,
    _CHOICE,
    "expansionItem",
    "the consumer",
    "使用方",
)
CONNECTOR: Final = Operand(
    "connector",
    ENTREPOT + "connector",
    OperandType.TERM,
    Source.CREDENTIAL,
    _CHOICE,
    "expansionItem",
    "the consumer's connector",
    "使用方连接器",
)
REGION: Final = Operand(
    "region",
    ODRL + "spatial",
    OperandType.REGION,
    Source.CREDENTIAL,
    frozenset({Operator.EQ, Operator.NEQ, Operator.IS_PART_OF, Operator.IS_ANY_OF, Operator.IS_NONE_OF}),
    "region",
    "the consumer's region",
    "使用方地域",
)
KIND: Final = Operand(
    "kind",
    ENTREPOT + "kindOfUse",
    OperandType.KIND,
    Source.OBSERVED,
    _CHOICE,
    "expansionItem",
    "the kind of use",
    "使用方式",
)

OPERANDS: Final[Mapping[str, Operand]] = MappingProxyType(
    {o.name: o for o in (PURPOSE, DATE_TIME, TIME_WINDOW, COUNT, RATE, CONSUMER, CONNECTOR, REGION, KIND)}
)

ACTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "use": ODRL + "use",
        "read": ODRL + "read",
        "reproduce": ODRL + "reproduce",
        "transform": ODRL + "transform",
        "anonymize": ODRL + "anonymize",
        "distribute": ODRL + "distribute",
        "grantUse": ODRL + "grantUse",
        "sell": ODRL + "sell",
        "delete": ODRL + "delete",
        "inform": ODRL + "inform",
        "compensate": ODRL + "compensate",
    }
)
"""Actions by name."""

NOT_USE: Final = frozenset({"sell"})
"""Actions that `use` does not include: they transfer the thing itself (ODRL 2.2 vocabulary, 4.1)."""

EVERY_USE: Final = frozenset({"use", "read"})
"""What every use does, whatever its kind; to prohibit one of these prohibits the use."""


class Moment(StrEnum):
    """When a duty falls due, seen from the use."""

    BEFORE = "before"
    ALONGSIDE = "alongside"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison: what is (the fact), how, and what is asked for."""

    operand: Operand
    operator: Operator
    value: Value

    def __post_init__(self) -> None:
        if self.operator not in self.operand.operators:
            raise ValueError(f"{self.operand.name} is not compared by {self.operator}")


class Junction(StrEnum):
    """How several constraints count as one."""

    AND = "and"
    OR = "or"
    XONE = "xone"


@dataclass(frozen=True, slots=True)
class Group:
    """Several constraints that count as one; never empty."""

    junction: Junction
    members: "tuple[Constraint, ...]"

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("a group of no constraints would hold, or fail, by accident")


Constraint: TypeAlias = Atom | Group


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done, and when."""

    action: str
    moment: Moment = Moment.BEFORE


@dataclass(frozen=True, slots=True)
class Rule:
    """An action with all the constraints that must hold; duties only on a permission."""

    action: str
    constraints: tuple[Constraint, ...] = ()
    duties: tuple[Duty, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be done. Nothing may, where no permission says so."""

    permissions: tuple[Rule, ...] = ()
    prohibitions: tuple[Rule, ...] = ()
    obligations: tuple[Duty, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """What is, and who says so."""

    value: str | int | UtcTime
    source: Source


Facts: TypeAlias = Mapping[str, Fact]
"""Facts by operand name; counts by counter and permission (`count[0]`, `rate:hour[1]`).

A count is that of this use: one more than the uses that came before it. What is not there is unknown.
"""


class PolicyError(MalformedError):
    """A policy that cannot be read; `faults` lists each with its place."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults

    def remedy(self) -> str:
        return "Correct the policy at the places named; docs/reference/policy.md lists what can be said."
