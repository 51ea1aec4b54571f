"""Windows: over answers only, with whole partitions or the default frame."""

from typing import Final

from sqlglot import exp

from .model import Kind, NotAdmittedError, Rule
from .scalars import Scalars, Words, takes, whole
from .text import Value, listed, words

_RANKS: Final[Words] = {exp.RowNumber: "row_number", exp.Rank: "rank", exp.DenseRank: "dense_rank"}
_MOVES: Final[Words] = {exp.Lag: "lag", exp.Lead: "lead"}
_SUMS: Final[Words] = {exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max", exp.Count: "count"}


def window(node: exp.Expression, scalars: Scalars) -> Value:
    """Write a window anew."""
    takes(node, "this", "partition_by", "order", rule=Rule.WINDOW)
    function, kind = _function(node.this, scalars)
    partition = [scalars.value(n).sql for n in node.args.get("partition_by") or ()]
    order = node.args.get("order")
    terms = [] if order is None else [term(n, scalars.value(n.this).sql) for n in order.expressions]
    over = words(
        f"PARTITION BY {listed(partition)}" if partition else "", f"ORDER BY {listed(terms)}" if terms else ""
    )
    return Value(f"{function} OVER ({over})", kind)


def term(node: exp.Expression, sql: str) -> str:
    """One term of an order, with everything said that SQL leaves open."""
    takes(node, "this", "desc", "nulls_first")
    down, first = node.args.get("desc"), node.args.get("nulls_first")
    return words(sql, "DESC" if down else "ASC", "NULLS FIRST" if first else "NULLS LAST")


def _function(node: exp.Expression, scalars: Scalars) -> tuple[str, Kind]:
    if type(node) in _RANKS:
        takes(node, rule=Rule.WINDOW)
        return f"{_RANKS[type(node)]}()", Kind.NUMBER
    if type(node) in _MOVES:
        takes(node, "this", "offset", rule=Rule.WINDOW)
        value = scalars.value(node.this)
        offset = whole(node.args.get("offset") or exp.Literal.number(1), 1_000)
        return f"{_MOVES[type(node)]}({value.sql}, {offset})", value.kind
    if type(node) in _SUMS:
        takes(node, "this", rule=Rule.WINDOW)
        if isinstance(node, exp.Count):
            if not isinstance(node.this, exp.Star):
                raise NotAdmittedError(Rule.WINDOW, "over a window COUNT takes *")
            return "count(*)", Kind.NUMBER
        value = scalars.of(Kind.NUMBER, node.this)
        return f"{_SUMS[type(node)]}({value.sql})", Kind.NUMBER
    raise NotAdmittedError(Rule.WINDOW, node.key)
