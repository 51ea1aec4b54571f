"""What a SELECT gives, under which names, in which order: the part of it that is computed last.

Whatever the consumer orders by, all columns follow: the same question has the same answer, row by row, so
that its digest is evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from .model import Kind, NotAdmittedError, Rule
from .names import Scope
from .scalars import Scalars, takes, whole
from .text import Field, Value, listed, words
from .windows import term

MOST_ROWS: Final = 1_000_000
_MOST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Outer:
    """The list, the order and the filter of a SELECT, written anew."""

    node: exp.Expression
    names: tuple[str, ...]
    values: tuple[Value, ...]
    terms: tuple[tuple[str, str], ...]
    """What it is ordered by, as (column, what that is where it is none of the list)."""
    having: str = ""

    @property
    def fields(self) -> tuple[Field, ...]:
        """What can be read from it."""
        pairs = zip(self.names, self.values, strict=True)
        return tuple(Field(name, f"c{i}", v.kind, None) for i, (name, v) in enumerate(pairs))


def spelt_out(scope: Scope, node: exp.Expression) -> list[tuple[str, exp.Expression | Field]]:
    """What the SELECT lists, by name, stars spelt out."""
    found: list[tuple[str, exp.Expression | Field]] = []
    for item in node.expressions:
        star = item.this if isinstance(item, exp.Column) else item
        if isinstance(star, exp.Star):
            takes(star)
            takes(item, "this", "table")
            qualifier = item.args.get("table")
            found += [
                (f.name, f) for f in scope.star("" if qualifier is None else str(qualifier.name).lower())
            ]
        elif isinstance(item, exp.Alias):
            takes(item, "this", "alias")
            found.append((item.alias, item.this))
        else:
            found.append((item.name if isinstance(item, exp.Column) else _shown(item), item))
        if len(found) > scope.draft.limits.nodes:
            raise NotAdmittedError(Rule.SIZE, f"at most {scope.draft.limits.nodes} columns are selected")
    if not found:
        raise NotAdmittedError(Rule.STATEMENT, "nothing is selected")
    return found


def _shown(node: exp.Expression) -> str:
    return node.sql("duckdb")[:_MOST_NAME]


def aliases_of(node: exp.Expression) -> dict[str, exp.Expression]:
    """The names given in the list of a SELECT."""
    return {e.alias.lower(): e.this for e in node.expressions if isinstance(e, exp.Alias)}


def meant(scope: Scope, node: exp.Expression, aliases: Mapping[str, exp.Expression]) -> exp.Expression:
    """The expression with names of the list replaced by what they name; columns come before them."""

    def replaced(part: exp.Expression) -> exp.Expression:
        if not isinstance(part, exp.Column) or part.args.get("table") or part.name.lower() not in aliases:
            return part
        return part if scope.find(part) else exp.Paren(this=aliases[part.name.lower()].copy())

    return node.transform(replaced)


def terms_of(node: exp.Expression) -> list[exp.Expression]:
    """The terms of ORDER BY."""
    order = node.args.get("order")
    if order is None:
        return []
    takes(order, "expressions")
    if not all(isinstance(t, exp.Ordered) for t in order.expressions):
        raise NotAdmittedError(Rule.CLAUSE, "order by")
    return list(order.expressions)


def outer(scope: Scope, node: exp.Expression, scalars: Scalars) -> Outer:
    """Write anew what is computed last."""
    aliases = aliases_of(node)
    items = spelt_out(scope, node)
    values = tuple(Value(i.sql, i.kind) if isinstance(i, Field) else scalars.value(i) for _, i in items)
    names = tuple(name for name, _ in items)
    having = node.args.get("having")
    condition = ""
    if having is not None:
        takes(having, "this")
        test = meant(scope, having.this, aliases)
        if test.find(exp.Window):
            raise NotAdmittedError(Rule.WINDOW, "in HAVING")
        condition = scalars.of(Kind.BOOLEAN, test).sql
    terms: list[tuple[str, str]] = []
    for ordered in terms_of(node):
        place = placed(ordered.this, names)
        sql = "" if place else scalars.value(meant(scope, ordered.this, aliases)).sql
        terms.append((term(ordered, place or f"o{len(terms)}"), sql))
    if node.args.get("distinct") and any(sql for _, sql in terms):
        raise NotAdmittedError(Rule.CLAUSE, "with DISTINCT, order by what is selected")
    return Outer(node, names, values, tuple(terms), condition)


def placed(node: exp.Expression, names: tuple[str, ...]) -> str:
    """The column of the list that a term names, by its place or its name; empty where it is no such."""
    if isinstance(node, exp.Literal) and not node.is_string:
        place = whole(node, len(names))
        if not place:
            raise NotAdmittedError(Rule.LITERAL, "places begin at 1")
        return f"c{place - 1}"
    if isinstance(node, exp.Column) and not node.args.get("table"):
        lower = [name.lower() for name in names]
        return f"c{lower.index(node.name.lower())}" if node.name.lower() in lower else ""
    return ""


def finish(found: Outer, read: str, where: str) -> str:
    """The whole SELECT, from what it reads to its order."""
    distinct = found.node.args.get("distinct")
    if distinct is not None:
        takes(distinct)
    given = [f"{v.sql} AS c{i}" for i, v in enumerate(found.values)]
    extra = [f"{sql} AS o{i}" for i, (_, sql) in enumerate(found.terms) if sql]
    inner = words("SELECT", "DISTINCT" if distinct else "", listed([*given, *extra]), "FROM", read, where)
    columns = [f.sql for f in found.fields]
    return words(
        "SELECT",
        listed(columns),
        "FROM",
        f"({inner})",
        tail(found.node, [t for t, _ in found.terms], columns),
    )


def tail(node: exp.Expression, terms: list[str], columns: list[str]) -> str:
    """ORDER BY, LIMIT and OFFSET. The order is a total one."""
    parts = ["ORDER BY", listed([*terms, *(f"{c} ASC NULLS LAST" for c in columns)])]
    for clause in ("limit", "offset"):
        asked = node.args.get(clause)
        if asked is not None:
            takes(asked, "expression")
            parts += [clause.upper(), str(whole(asked.expression, MOST_ROWS))]
    return words(*parts)
