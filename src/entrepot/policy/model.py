"""The policy model: a profile of ODRL 2.2, frozen.

A policy grants by permissions, takes back by prohibitions, and grants nothing where it is silent. What can
be asked about a use is listed in `vocabulary.py`; what has no entry there does not parse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from entrepot.policy.filters import RowFilter
from entrepot.values import MalformedError, Money, UtcTime

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
    """An identifier; on the wire an IRI or a plain word. Narrower terms go on after `:`, `/` or `#`."""
    WORD = "word"
    """One of the words that the operand lists."""
    KIND = "kind"
    """One of the kinds of use."""
    NAMES = "names"
    """Names, compared as a set with the names that the fact has."""
    PARTY = "party"
    """A DID."""
    REGION = "region"
    """A region code of GB/T 2260, two, four or six digits; equal to a region is what lies in it."""
    NETWORK = "network"
    """An address or a range of the Internet Protocol: `10.0.0.0/8`, `2001:db8::/32`."""
    TIME = "time"
    """An RFC 3339 time with its zone."""
    WINDOW = "window"
    """A daily window: `08:00/18:00+08:00`; without a zone at UTC+8, as the national texts have it."""
    DURATION = "duration"
    """Days, hours, minutes and seconds of ISO 8601: `P30D`; months and years have no fixed length."""
    USES = "uses"
    """A number of uses, at least one."""
    RATE = "rate"
    """A number of uses a minute, hour or day: `10/hour`."""
    BUDGET = "budget"
    """What all uses together may take, at least one; each use reserves the most that it may take."""
    NUMBER = "number"
    """A whole number, at least one."""
    MONEY = "money"
    """An amount with its currency: `100.00 CNY`."""
    FILTER = "filter"
    """Comparisons that every row in use satisfies: `year >= 2020 and province = '31'`."""


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


Value: TypeAlias = str | int | UtcTime | timedelta | Window | Rate | Money | RowFilter | frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Operand:
    """What can be asked about a use. Another operand is another entry of the vocabulary.

    There is one of each, so it is compared by identity: policies are hashed at every use.
    """

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
    words: tuple[tuple[str, str], ...] = ()
    """Of a WORD: each word with its national code."""
    everywhere: bool = False
    """It must hold in every case: it is charged or applied, and under an alternative nobody could say
    whether; so it stands alone or under `and`, in a permission."""

    @property
    def sources(self) -> frozenset[Source]:
        return self.or_else | {self.source}


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
    """Something to be done, and when; `duties.py` says which there are."""

    action: str
    moment: Moment = Moment.BEFORE
    within: timedelta | None = None
    """After a use: how long there is time, from the end of the use."""
    amount: Money | None = None
    """What is to be paid."""


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

    value: str | int | UtcTime | timedelta | frozenset[str]
    source: Source


Facts: TypeAlias = Mapping[str, Fact]
"""Facts by operand name; counts by counter and permission (`count[0]`, `rate:hour[1]`, `rows[0]`), what was
paid by currency (`payAmount:CNY`), duties done by their name (`duty:inform`).

A count is that of this use: one more than the uses that came before it. What is not there is unknown.
"""


class PolicyError(MalformedError):
    """A policy that cannot be read; `faults` lists each with its place."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults

    def remedy(self) -> str:
        return "Correct the policy at the places named; docs/reference/policy.md lists what can be said."
