"""Expressions: one function for each that is in the grammar, everything else is refused.

Over rows no expression may fail on any value, for an error would tell of one: numbers are computed in binary
floating point, which never fails, casts give NULL, dates were bounded when the table was opened.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from sqlglot import exp

from .model import Kind, NotAdmittedError, Rule
from .text import Value, alike, listed, number, text

Leaf: TypeAlias = Callable[[exp.Expression], Value | None]
Words: TypeAlias = Mapping[type[exp.Expression], str]
"""How each of some expressions is written."""
Write: TypeAlias = Callable[["Scalars", exp.Expression], Value]

_HINTS: Final = frozenset({"big_int", "safe", "typed", "ignore_nulls", "is_string", "coalesce", "over"})
"""What the parser notes beside its arguments; it says nothing that is written anew."""
_COMPARED: Final[Words] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_COMPUTED: Final[Words] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_JOINED: Final[Words] = {exp.And: "AND", exp.Or: "OR"}
_ROUNDED: Final[Words] = {exp.Abs: "abs", exp.Floor: "floor", exp.Ceil: "ceil"}
_CASED: Final[Words] = {exp.Lower: "lower", exp.Upper: "upper"}
_DATED: Final[Words] = {exp.Year: "year", exp.Quarter: "quarter", exp.Month: "month", exp.Day: "day"}
_UNITS: Final = frozenset({"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE"})
_CASTS: Final = {
    exp.DataType.Type.INT: ("BIGINT", Kind.NUMBER),
    exp.DataType.Type.BIGINT: ("BIGINT", Kind.NUMBER),
    exp.DataType.Type.FLOAT: ("DOUBLE", Kind.NUMBER),
    exp.DataType.Type.DOUBLE: ("DOUBLE", Kind.NUMBER),
    exp.DataType.Type.DECIMAL: ("DOUBLE", Kind.NUMBER),
    exp.DataType.Type.TEXT: ("VARCHAR", Kind.TEXT),
    exp.DataType.Type.VARCHAR: ("VARCHAR", Kind.TEXT),
    exp.DataType.Type.DATE: ("DATE", Kind.DATE),
    exp.DataType.Type.TIMESTAMP: ("TIMESTAMP", Kind.DATETIME),
}


def takes(node: exp.Expression, *allowed: str, rule: Rule = Rule.CLAUSE) -> None:
    """Refuse a node that has an argument beside those that are written anew."""
    for name, value in node.args.items():
        if value not in (None, False, []) and name not in allowed and name not in _HINTS:
            raise NotAdmittedError(rule, f"{node.key} with {name.strip('_')}")


class Scalars:
    """Writes expressions anew. `leaf` knows what columns, aggregates and windows are where they stand."""

    def __init__(self, leaf: Leaf, *, over_rows: bool) -> None:
        self._leaf = leaf
        self._over_rows = over_rows

    def value(self, node: exp.Expression) -> Value:
        """Write one expression anew, or refuse it."""
        known = self._leaf(node)
        if known is not None:
            return known
        write = _GRAMMAR.get(type(node))
        if write is None:
            rule = Rule.SUBQUERY if isinstance(node, exp.Query | exp.Exists) else _kind_of_fault(node)
            raise NotAdmittedError(rule, node.key)
        return write(self, node)

    def of(self, kind: Kind, node: exp.Expression) -> Value:
        """An expression of this kind."""
        found, (value,) = alike(self.value(node))
        if found not in {kind, Kind.NOTHING}:
            raise NotAdmittedError(Rule.TYPE, f"{found} where {kind} is expected")
        return value

    def number(self, node: exp.Expression) -> str:
        """A number to compute with."""
        value = self.of(Kind.NUMBER, node).sql
        return f"CAST({value} AS DOUBLE)" if self._over_rows else value


def _kind_of_fault(node: exp.Expression) -> Rule:
    if isinstance(node, exp.AggFunc | exp.Filter | exp.WithinGroup | exp.IgnoreNulls | exp.RespectNulls):
        return Rule.AGGREGATE
    if isinstance(node, exp.Window):
        return Rule.WINDOW
    return Rule.FUNCTION if isinstance(node, exp.Func) else Rule.EXPRESSION


def _literal(_: Scalars, node: exp.Expression) -> Value:
    takes(node, "this")
    return text(node.this) if node.args.get("is_string") else number(node.this)


def _boolean(_: Scalars, node: exp.Expression) -> Value:
    return Value("true" if node.this else "false", Kind.BOOLEAN)


def _null(_: Scalars, node: exp.Expression) -> Value:
    takes(node)
    return Value("NULL", Kind.NOTHING)


def _paren(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this")
    return scalars.value(node.this)


def _compare(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "expression")
    _, (left, right) = alike(scalars.value(node.this), scalars.value(node.expression))
    return Value(f"({left.sql} {_COMPARED[type(node)]} {right.sql})", Kind.BOOLEAN)


def _compute(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "expression")
    left, right = scalars.number(node.this), scalars.number(node.expression)
    return Value(f"({left} {_COMPUTED[type(node)]} {right})", Kind.NUMBER)


def _negate(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this")
    return Value(f"(- {scalars.number(node.this)})", Kind.NUMBER)


def _join(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "expression")
    left, right = scalars.of(Kind.BOOLEAN, node.this), scalars.of(Kind.BOOLEAN, node.expression)
    return Value(f"({left.sql} {_JOINED[type(node)]} {right.sql})", Kind.BOOLEAN)


def _not(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this")
    return Value(f"(NOT {scalars.of(Kind.BOOLEAN, node.this).sql})", Kind.BOOLEAN)


def _is(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "expression")
    value = scalars.value(node.this)
    match node.expression:
        case exp.Null():
            return Value(f"({value.sql} IS NULL)", Kind.BOOLEAN)
        case exp.Boolean() as truth if value.kind is Kind.BOOLEAN:
            return Value(f"({value.sql} IS {'true' if truth.this else 'false'})", Kind.BOOLEAN)
    raise NotAdmittedError(Rule.EXPRESSION, "IS takes NULL, and TRUE or FALSE after a boolean")


def _between(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "low", "high")
    _, parts = alike(*(scalars.value(node.args[part]) for part in ("this", "low", "high")))
    this, low, high = (part.sql for part in parts)
    return Value(f"({this} BETWEEN {low} AND {high})", Kind.BOOLEAN)


def _in(scalars: Scalars, node: exp.Expression) -> Value:
    if node.args.get("query") is not None:
        raise NotAdmittedError(Rule.SUBQUERY, "in")
    takes(node, "this", "expressions", rule=Rule.EXPRESSION)
    _, (this, *choices) = alike(scalars.value(node.this), *(scalars.value(e) for e in node.expressions))
    if not choices:
        raise NotAdmittedError(Rule.EXPRESSION, "an empty list")
    return Value(f"({this.sql} IN ({listed([c.sql for c in choices])}))", Kind.BOOLEAN)


def _like(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "expression")
    pattern = scalars.value(node.expression)
    if pattern.literal is None:
        raise NotAdmittedError(Rule.LITERAL, "LIKE takes a literal")
    return Value(f"({scalars.of(Kind.TEXT, node.this).sql} LIKE {pattern.sql})", Kind.BOOLEAN)


def _case(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "ifs", "default")
    branches, default = node.args["ifs"], node.args.get("default")
    for branch in branches:
        takes(branch, "this", "true")
    results = [scalars.value(branch.args["true"]) for branch in branches]
    results.append(Value("NULL", Kind.NOTHING) if default is None else scalars.value(default))
    if node.args.get("this") is None:
        return _choose("", [scalars.of(Kind.BOOLEAN, branch.this) for branch in branches], results)
    _, (subject, *compared) = alike(*(scalars.value(n) for n in (node.this, *(b.this for b in branches))))
    return _choose(subject.sql, compared, results)


def _if(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "true", "false")
    default = node.args.get("false")
    otherwise = Value("NULL", Kind.NOTHING) if default is None else scalars.value(default)
    condition = scalars.of(Kind.BOOLEAN, node.this)
    return _choose("", [condition], [scalars.value(node.args["true"]), otherwise])


def _choose(subject: str, conditions: list[Value], results: list[Value]) -> Value:
    kind, alikes = alike(*results)
    whens = [f"WHEN {c.sql} THEN {r.sql}" for c, r in zip(conditions, alikes[:-1], strict=True)]
    return Value(f"(CASE {subject} {' '.join(whens)} ELSE {alikes[-1].sql} END)", kind)


def _coalesce(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "expressions")
    kind, values = alike(scalars.value(node.this), *(scalars.value(e) for e in node.expressions))
    return Value(f"coalesce({listed([v.sql for v in values])})", kind)


def _nullif(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "expression")
    kind, (left, right) = alike(scalars.value(node.this), scalars.value(node.expression))
    return Value(f"nullif({left.sql}, {right.sql})", kind)


def _of_number(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", rule=Rule.FUNCTION)
    return Value(f"{_ROUNDED[type(node)]}({scalars.number(node.this)})", Kind.NUMBER)


def _round(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "decimals", rule=Rule.FUNCTION)
    places = whole(node.args.get("decimals") or exp.Literal.number(0), 15)
    return Value(f"round(CAST({scalars.number(node.this)} AS DOUBLE), {places})", Kind.NUMBER)


def whole(node: exp.Expression, most: int) -> int:
    """A small integer literal."""
    if (
        not isinstance(node, exp.Literal)
        or node.is_string
        or not node.this.isdigit()
        or int(node.this) > most
    ):
        raise NotAdmittedError(Rule.LITERAL, f"an integer of at most {most} is expected")
    return int(node.this)


def _of_text(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", rule=Rule.FUNCTION)
    return Value(f"{_CASED[type(node)]}({scalars.of(Kind.TEXT, node.this).sql})", Kind.TEXT)


def _length(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", rule=Rule.FUNCTION)
    return Value(f"length({scalars.of(Kind.TEXT, node.this).sql})", Kind.NUMBER)


def _substring(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "start", "length", rule=Rule.FUNCTION)
    start = whole(node.args["start"], 10_000)
    length = whole(node.args.get("length") or exp.Literal.number(10_000), 10_000)
    return Value(f"substring({scalars.of(Kind.TEXT, node.this).sql}, {start}, {length})", Kind.TEXT)


def _moment(scalars: Scalars, node: exp.Expression) -> Value:
    value = scalars.value(node)
    if value.kind not in {Kind.DATE, Kind.DATETIME}:
        raise NotAdmittedError(Rule.TYPE, f"{value.kind} where a date is expected")
    return value


def _part_of_date(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", rule=Rule.FUNCTION)
    return Value(f"{_DATED[type(node)]}({_moment(scalars, node.this).sql})", Kind.NUMBER)


def _extract(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "expression", rule=Rule.FUNCTION)
    return Value(f"date_part('{_unit(node.this)}', {_moment(scalars, node.expression).sql})", Kind.NUMBER)


def _truncate(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "unit", rule=Rule.FUNCTION)
    value = _moment(scalars, node.this)
    found = f"date_trunc('{_unit(node.args['unit'])}', {value.sql})"
    return Value(f"CAST({found} AS DATE)" if value.kind is Kind.DATE else found, value.kind)


def _unit(node: exp.Expression) -> str:
    name = str(node.name).upper()
    if name not in _UNITS:
        raise NotAdmittedError(Rule.FUNCTION, f"dates have {', '.join(sorted(_UNITS)).lower()}")
    return name.lower()


def _cast(scalars: Scalars, node: exp.Expression) -> Value:
    takes(node, "this", "to")
    value, to = scalars.value(node.this), node.args["to"]
    name, kind = (
        _CASTS.get(to.this, ("", Kind.NOTHING)) if isinstance(to, exp.DataType) else ("", Kind.NOTHING)
    )
    if not name:
        raise NotAdmittedError(Rule.CAST, "casts go to bigint, double, varchar, date and timestamp")
    if kind in {Kind.DATE, Kind.DATETIME}:
        if value.literal is not None:
            return alike(value, Value("", kind))[1][0]
        if value.kind not in {Kind.DATE, Kind.DATETIME}:
            raise NotAdmittedError(Rule.CAST, "only dates and literals become dates")
    return Value(f"TRY_CAST({value.sql} AS {name})", kind)


_GRAMMAR: Final[dict[type[exp.Expression], Write]] = {
    exp.Literal: _literal,
    exp.Boolean: _boolean,
    exp.Null: _null,
    exp.Paren: _paren,
    exp.Neg: _negate,
    exp.Not: _not,
    exp.Is: _is,
    exp.Between: _between,
    exp.In: _in,
    exp.Like: _like,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
    exp.Round: _round,
    exp.Length: _length,
    exp.Substring: _substring,
    exp.Extract: _extract,
    exp.TimestampTrunc: _truncate,
    exp.DateTrunc: _truncate,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    **dict.fromkeys(_COMPARED, _compare),
    **dict.fromkeys(_COMPUTED, _compute),
    **dict.fromkeys(_JOINED, _join),
    **dict.fromkeys(_ROUNDED, _of_number),
    **dict.fromkeys(_CASED, _of_text),
    **dict.fromkeys(_DATED, _part_of_date),
}
"""All that an expression can be."""
