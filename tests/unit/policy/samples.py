"""Any policy and any facts, over words few enough that they often meet."""

from datetime import UTC, datetime, time, timedelta, timezone

from hypothesis import strategies as st

from entrepot.policy import (
    OPERANDS,
    Atom,
    Duty,
    Fact,
    Group,
    Junction,
    Operand,
    OperandType,
    Operator,
    Period,
    Policy,
    Rate,
    Rule,
    Source,
    Window,
)
from entrepot.policy.model import Constraint, Value
from entrepot.values import KindOfUse

MANY = {Operator.IS_ANY_OF, Operator.IS_NONE_OF}
LIMITS = {OperandType.USES, OperandType.RATE}
DAY = datetime(2026, 11, 25, tzinfo=UTC)

TERMS = st.sampled_from(["research", "urn:purpose:billing", "统计分析", "a b"])
PARTIES = st.sampled_from(["did:web:a.example", "did:web:b.example%3A8080:x", "did:key:z6Mk"])
REGIONS = st.sampled_from(["31", "3101", "310115", "310104", "11", "1101", "33"])
KINDS = st.sampled_from([str(k) for k in KindOfUse])
TIMES = st.integers(-3, 3).map(lambda n: DAY + timedelta(hours=11 * n)) | st.datetimes(timezones=st.just(UTC))
CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
OFFSETS = st.sampled_from([timedelta(0), timedelta(hours=8), timedelta(hours=-9, minutes=-30)])
WINDOWS = st.builds(Window, CLOCKS, CLOCKS, OFFSETS).filter(lambda w: w.opens != w.closes)
USES = st.integers(1, 5)
RATES = st.builds(Rate, USES, st.sampled_from(Period))

VALUES: dict[OperandType, st.SearchStrategy[Value]] = {
    OperandType.TERM: TERMS,
    OperandType.PARTY: PARTIES,
    OperandType.REGION: REGIONS,
    OperandType.KIND: KINDS,
    OperandType.TIME: TIMES,
    OperandType.WINDOW: WINDOWS,
    OperandType.USES: USES,
    OperandType.RATE: RATES,
}


@st.composite
def atoms(draw: st.DrawFn, *, limits: bool = True) -> Atom:
    operand: Operand = draw(st.sampled_from([o for o in OPERANDS.values() if limits or o.type not in LIMITS]))
    operator = draw(st.sampled_from(sorted(operand.operators)))
    values = VALUES[operand.type]
    if operator in MANY:
        return Atom(operand, operator, frozenset(map(str, draw(st.sets(values, min_size=1, max_size=3)))))
    return Atom(operand, operator, draw(values))


def constraints(*, limits: bool = True, depth: int = 2) -> st.SearchStrategy[Constraint]:
    """Comparisons and groups; a limit stands only where it must hold in every case."""
    if depth == 0:
        return atoms(limits=limits)
    alternatives = st.builds(
        Group,
        st.sampled_from([Junction.OR, Junction.XONE]),
        st.lists(constraints(limits=False, depth=depth - 1), min_size=1, max_size=3).map(tuple),
    )
    together = st.builds(
        Group,
        st.just(Junction.AND),
        st.lists(constraints(limits=limits, depth=depth - 1), min_size=1, max_size=3).map(tuple),
    )
    return st.one_of(atoms(limits=limits), atoms(limits=limits), alternatives, together)


DUTIES = st.lists(st.builds(Duty, st.sampled_from(["inform", "compensate"])), max_size=2).map(tuple)
RULE_ACTIONS = st.sampled_from(["use", "use", "use", "read", "sell"])
PERMISSIONS = st.builds(
    Rule, RULE_ACTIONS, st.lists(constraints(), max_size=3).map(tuple), st.just(()) | DUTIES
)
PROHIBITIONS = st.builds(Rule, RULE_ACTIONS, st.lists(constraints(limits=False), max_size=2).map(tuple))
POLICIES = st.builds(
    Policy,
    st.lists(PERMISSIONS, max_size=3).map(tuple),
    st.lists(PROHIBITIONS, max_size=2).map(tuple),
    st.just(()) | DUTIES,
)

NAMES = [
    *(o.name for o in OPERANDS.values() if o.type not in LIMITS),
    *(f"count[{i}]" for i in range(3)),
    *(f"rate:{p}[{i}]" for p in Period for i in range(3)),
]
WRONG = st.sampled_from(
    [
        7,
        -1,
        True,
        "",
        "00",
        "0065",
        "310015",
        "elsewhere",
        datetime(2026, 11, 25),  # noqa: DTZ001  # a time without a zone is one of the faults
        datetime(2026, 11, 25, 8, tzinfo=timezone(timedelta(hours=8))),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
    ]
)


def _right(name: str) -> st.SearchStrategy[Fact]:
    operand = next((o for o in OPERANDS.values() if o.name == name), None)
    if operand is None:
        return st.builds(Fact, st.integers(0, 6), st.just(Source.OBSERVED))
    values = TIMES if operand.type is OperandType.WINDOW else VALUES[operand.type]
    coarse = st.sampled_from(["3100", "310000", "310100"]) if operand.type is OperandType.REGION else values
    return st.builds(Fact, values | coarse, st.sampled_from(sorted(operand.sources)))


def any_facts() -> st.SearchStrategy[dict[str, Fact]]:
    """For each name: what should be there, nothing, or what should never be there."""
    one = {
        name: st.one_of(
            _right(name),
            _right(name),
            _right(name),
            st.none(),
            st.builds(Fact, WRONG, st.sampled_from(Source)),
        )
        for name in NAMES
    }
    return st.fixed_dictionaries(one).map(lambda d: {k: v for k, v in d.items() if v is not None})


ASKED = st.sampled_from(["use", "use", "read", "distribute", "sell"])
