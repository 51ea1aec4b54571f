"""Any policy and any facts, over words few enough that they often meet."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from entrepot.policy import (
    ACTIONS,
    MOMENTS,
    OPERANDS,
    Atom,
    Comparison,
    Duty,
    Fact,
    Group,
    Junction,
    Moment,
    Operand,
    OperandType,
    Operator,
    Period,
    Policy,
    Rate,
    RowFilter,
    Rule,
    Source,
    Window,
)
from entrepot.policy.literals import read_value
from entrepot.policy.model import Constraint, Value
from entrepot.values import KindOfUse, Money

MANY = {Operator.IS_ANY_OF, Operator.IS_NONE_OF, Operator.IS_ALL_OF}
COUNTED = {OperandType.USES, OperandType.RATE, OperandType.BUDGET}
CURRENCIES = ["CNY", "JPY", "KWD"]
DAY = datetime(2026, 11, 25, tzinfo=UTC)

TERMS = st.sampled_from(["research", "research:clinical", "urn:purpose:billing", "统计分析", "a b"])
NAMES_OF_COLUMNS = st.sampled_from(["age", "arm", "cd4", "病人编号", "a b"])
NETWORKS = st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "192.0.2.0/24", "2001:db8::/32"])
PARTIES = st.sampled_from(["did:web:a.example", "did:web:b.example%3A8080:x", "did:key:z6Mk"])
REGIONS = st.sampled_from(["31", "3101", "310115", "310104", "11", "1101", "33"])
KINDS = st.sampled_from([str(k) for k in KindOfUse])
TIMES = st.integers(-3, 3).map(lambda n: DAY + timedelta(hours=11 * n)) | st.datetimes(timezones=st.just(UTC))
CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
OFFSETS = st.sampled_from([timedelta(0), timedelta(hours=8), timedelta(hours=-9, minutes=-30)])
WINDOWS = st.builds(Window, CLOCKS, CLOCKS, OFFSETS).filter(lambda w: w.opens != w.closes)
USES = st.integers(1, 5)
RATES = st.builds(Rate, USES, st.sampled_from(Period))
DURATIONS = st.sampled_from(
    [timedelta(days=30), timedelta(hours=36), timedelta(seconds=59), timedelta(minutes=1)]
)
AMOUNTS = st.builds(Money, st.integers(1, 5), st.sampled_from(CURRENCIES))
COLUMNS = st.sampled_from(["year", "region code", "省", "and", "IN"])
NUMBERS = st.decimals(-9999, 9999, places=2).map(lambda d: d.normalize() + 0)
LITERALS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.sampled_from(" '"), max_size=8
)
COMPARISONS = st.builds(
    lambda column, mark, value: Comparison(column, mark, (value,)),
    COLUMNS,
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    NUMBERS | LITERALS,
) | st.builds(
    lambda column, values: Comparison(column, "in", tuple(sorted(values))),
    COLUMNS,
    st.sets(NUMBERS, min_size=1, max_size=3) | st.sets(LITERALS, min_size=1, max_size=3),  # type: ignore[arg-type]  # of one type
)
FILTERS = st.lists(COMPARISONS, min_size=1, max_size=3).map(
    lambda cs: RowFilter(tuple(sorted(set(cs), key=lambda c: c.text)))
)

VALUES: dict[OperandType, st.SearchStrategy[Value]] = {
    OperandType.TERM: TERMS,
    OperandType.PARTY: PARTIES,
    OperandType.REGION: REGIONS,
    OperandType.KIND: KINDS,
    OperandType.TIME: TIMES,
    OperandType.WINDOW: WINDOWS,
    OperandType.USES: USES,
    OperandType.RATE: RATES,
    OperandType.NAMES: NAMES_OF_COLUMNS,
    OperandType.NETWORK: NETWORKS,
    OperandType.DURATION: DURATIONS,
    OperandType.BUDGET: USES,
    OperandType.NUMBER: USES,
    OperandType.MONEY: AMOUNTS,
    OperandType.FILTER: FILTERS,
}


def values_of(operand: Operand) -> st.SearchStrategy[Value]:
    if operand.type is OperandType.WORD:
        return st.sampled_from([word for word, _ in operand.words])
    return VALUES[operand.type]


@st.composite
def atoms(draw: st.DrawFn, *, limits: bool = True) -> Atom:
    operand: Operand = draw(st.sampled_from([o for o in OPERANDS.values() if limits or not o.everywhere]))
    return draw(atoms_of(operand))


@st.composite
def atoms_of(draw: st.DrawFn, operand: Operand, among: Iterable[Operator] = ()) -> Atom:
    """Any comparison of one operand, by any of its operators or those named."""
    operator = draw(st.sampled_from(sorted(among or operand.operators)))
    values = values_of(operand)
    if operator in MANY or (operand.type is OperandType.NAMES and operator is Operator.IS_PART_OF):
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


ANY_DUTY = st.one_of(
    st.builds(Duty, st.sampled_from(sorted(ACTIONS))),
    st.builds(Duty, st.just("compensate"), amount=AMOUNTS),
    st.builds(Duty, st.sampled_from(sorted(MOMENTS[Moment.ALONGSIDE])), st.just(Moment.ALONGSIDE)),
    st.builds(Duty, st.sampled_from(sorted(MOMENTS[Moment.AFTER])), st.just(Moment.AFTER), DURATIONS),
    st.builds(Duty, st.just("compensate"), st.just(Moment.AFTER), DURATIONS, AMOUNTS),
)
FEW_DUTIES = st.sampled_from(
    [
        Duty("inform"),
        Duty("compensate", amount=Money(1, "CNY")),
        Duty("inform", Moment.ALONGSIDE),
        Duty("encrypt", Moment.ALONGSIDE),
        Duty("delete", Moment.AFTER, timedelta(days=30)),
    ]
)
DUTIES = st.lists(FEW_DUTIES | ANY_DUTY, max_size=2).map(tuple)
RULE_ACTIONS = st.sampled_from(["use", "use", "use", "read", "sell", "compute", "download", "distribute"])
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
    *(o.name for o in OPERANDS.values() if o.type not in COUNTED | {OperandType.MONEY}),
    *(f"{name}[{i}]" for name in ("count", "rows", "bytes", "seconds") for i in range(3)),
    *(f"payAmount:{c}" for c in CURRENCIES),
    *("duty:inform", "duty:compensate 0.01 CNY"),
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
        frozenset({"age"}),
        timedelta(days=1),
        datetime(2026, 11, 25),  # noqa: DTZ001  # a time without a zone is one of the faults
        datetime(2026, 11, 25, 8, tzinfo=timezone(timedelta(hours=8))),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
    ]
)


FACTS: dict[OperandType, st.SearchStrategy[Any]] = {
    OperandType.WINDOW: TIMES,
    OperandType.REGION: REGIONS | st.sampled_from(["3100", "310000", "310100"]),
    OperandType.NETWORK: NETWORKS
    | st.sampled_from(["10.1.2.3", "::ffff:10.1.2.4", "2001:db8::1", "0.0.0.0/0"]),
    OperandType.NAMES: st.frozensets(NAMES_OF_COLUMNS | st.just("encrypt"), max_size=3),
    OperandType.FILTER: FILTERS.map(lambda f: f.texts),
    OperandType.NUMBER: st.integers(0, 6),
}
"""What a fact looks like where it is not what stands in a policy."""


def _right(name: str) -> st.SearchStrategy[Fact]:
    operand = OPERANDS.get(name)
    if operand is None:
        seen = TIMES if name.startswith("duty:") else st.integers(0, 6)
        return st.builds(Fact, seen, st.just(Source.OBSERVED))
    values = FACTS[operand.type] if operand.type in FACTS else values_of(operand)
    return st.builds(Fact, values, st.sampled_from(sorted(operand.sources)))


_ONE = {
    name: st.one_of(
        _right(name),
        _right(name),
        _right(name),
        st.none(),
        st.builds(Fact, WRONG, st.sampled_from(Source)),
    )
    for name in NAMES
}


def facts_for(policy: Policy) -> st.SearchStrategy[dict[str, Fact]]:
    """For each fact that a policy may ask for: what should be there, nothing, or what should never be."""
    rules = (*policy.permissions, *policy.prohibitions)
    said = {"kind", "treatment", "duty"} | {n for r in rules for n in _named(r.constraints)}
    asked = [name for name in NAMES if re.split(r"[\[:]", name)[0] in said]
    one = st.fixed_dictionaries({name: _ONE[name] for name in asked})
    return one.map(lambda d: {k: v for k, v in d.items() if v is not None})


def _named(constraints: Iterable[Constraint]) -> set[str]:
    """The operands that are named, and what a budget's use takes from it."""
    names = set()
    for constraint in constraints:
        if isinstance(constraint, Group):
            names |= _named(constraint.members)
        else:
            names |= {constraint.operand.name, f"{constraint.operand.name}PerUse"}
    return names


CASES = POLICIES.flatmap(lambda policy: st.tuples(st.just(policy), facts_for(policy)))
"""A policy, and facts that it may ask for."""
CASES_WITH_MORE = POLICIES.flatmap(lambda p: st.tuples(st.just(p), facts_for(p), facts_for(p)))
"""A policy, facts, and more facts."""


ASKED = st.sampled_from(["use", "use", "read", "distribute", "sell", "compute"])

EXAMPLES: dict[str, tuple[str, str | list[str], str, Any]] = {
    "purpose": ("eq", "research", "purpose", "research"),
    "consumer": ("eq", "did:web:a", "consumer", "did:web:a"),
    "role": ("hasPart", "consumer", "role", frozenset({"consumer", "provider"})),
    "connector": ("eq", "C", "connector", "C"),
    "recipient": ("isAnyOf", ["did:web:a", "did:web:b"], "recipient", "did:web:b"),
    "serviceParty": ("hasPart", "did:web:s", "serviceParty", frozenset({"did:web:s"})),
    "serviceAlgorithm": (
        "hasPart",
        f"tide@1#sha256:{'5' * 64}",
        "serviceAlgorithm",
        frozenset({f"tide@1#sha256:{'5' * 64}"}),
    ),
    "dateTime": ("lteq", "2026-11-26T00:00:00.000000Z", "dateTime", DAY),
    "timeWindow": ("isPartOf", "08:00/18:00+08:00", "timeWindow", DAY),
    "elapsedTime": ("lteq", "P90D", "elapsedTime", timedelta(days=90)),
    "retention": ("lteq", "P30D", "retention", timedelta(days=29)),
    "region": ("isPartOf", "31", "region", "310115"),
    "networkAddress": ("isPartOf", "192.0.2.0/24", "networkAddress", "192.0.2.7"),
    "physicalAddress": ("eq", "tpm:1", "physicalAddress", "tpm:1"),
    "count": ("lteq", "100", "count[0]", 100),
    "rate": ("lteq", "10/day", "rate:day[0]", 10),
    "rows": ("lteq", "1000", "rows[0]", 1000),
    "bytes": ("lteq", "1000000", "bytes[0]", 999),
    "seconds": ("lteq", "3600", "seconds[0]", 3600),
    "rowsPerUse": ("lteq", "50", "rowsPerUse", 50),
    "bytesPerUse": ("lteq", "50", "bytesPerUse", 0),
    "secondsPerUse": ("lteq", "10", "secondsPerUse", 9),
    "payAmount": ("gteq", "100.00 CNY", "payAmount:CNY", 10_000),
    "fields": ("isPartOf", ["age", "arm"], "fields", frozenset({"arm"})),
    "rowFilter": ("isPartOf", "year >= 2020", "rowFilter", frozenset({"year >= 2020", "arm = 1"})),
    "minimumGroupSize": ("gteq", "10", "minimumGroupSize", 10),
    "kind": ("eq", "query", "kind", "query"),
    "deliveryMethod": ("eq", "file", "deliveryMethod", "file"),
    "encryption": ("eq", "cipher", "encryption", "cipher"),
    "treatment": ("hasPart", "encrypt", "treatment", frozenset({"encrypt"})),
    "environment": ("isAnyOf", ["sandbox", "trustedExecution"], "environment", "sandbox"),
    "application": ("eq", "sha256:1", "application", "sha256:1"),
    "algorithm": ("eq", "sha256:2", "algorithm", "sha256:2"),
    "model": ("eq", "sha256:3", "model", "sha256:3"),
}
"""For each operand a comparison as it is written, the name of its fact, and a value that satisfies it."""


def example(name: str) -> dict[str, Any]:
    """The policy that permits a use under the example's one constraint, as it is written."""
    operator, right, _, _ = EXAMPLES[name]
    constraint = {"leftOperand": OPERANDS[name].iri, "operator": operator, "rightOperand": right}
    return {"permission": [{"action": "use", "constraint": [constraint]}]}


def _sample_atom(operand: Operand, operator: Operator) -> Atom:
    right = EXAMPLES[operand.name][1]
    value = read_value(operand, right if isinstance(right, str) else right[0])
    listed = operator in MANY or (operand.type is OperandType.NAMES and operator is Operator.IS_PART_OF)
    return Atom(operand, operator, frozenset({str(value)}) if listed else value)


SAMPLE_ATOMS = {(o.name, op): _sample_atom(o, op) for o in OPERANDS.values() for op in o.operators}
"""One comparison for each operand and each of its operators."""

SAMPLE_DUTIES = (
    Duty("inform"),
    Duty("compensate", amount=Money(10_000, "CNY")),
    *(Duty(action, Moment.ALONGSIDE) for action in sorted(MOMENTS[Moment.ALONGSIDE])),
    *(Duty(action, Moment.AFTER, timedelta(days=30)) for action in sorted(MOMENTS[Moment.AFTER])),
    Duty("compensate", Moment.AFTER, timedelta(hours=1), Money(1, "JPY")),
)
"""One duty of each kind at each moment."""
