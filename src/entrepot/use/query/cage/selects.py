"""SELECT, WITH and UNION: what is still rows, and what may leave.

A SELECT over rows either stays rows (a projection, or a grouping by subject) or becomes an *answer*: groups
that each have at least `k` distinct subjects of every source. Only an answer leaves.
"""

from dataclasses import replace
from typing import Final

from sqlglot import exp

from .aggregates import aggregates_in
from .draft import Body, Draft
from .grouping import by_subject, groups, is_subject, keys_of
from .listing import finish, outer, placed, spelt_out, tail, terms_of
from .model import Kind, NotAdmittedError, Role, Rule
from .names import Scope, Views, alias_of, hidden_columns, marked, scope_of
from .scalars import Scalars, takes
from .text import Field, Relation, Value, alike, listed, words
from .windows import term, window

_LAST: Final = ("order", "limit", "offset", "distinct")
_CLAUSES: Final = ("expressions", "from_", "joins", "where", "group", "with_", "having", *_LAST)
_NOT_OF_ROWS: Final = ("having", *_LAST)


def write(draft: Draft, node: exp.Expression, views: Views) -> Body:
    """Write one query anew."""
    if isinstance(node, exp.Subquery):
        takes(node, "this", "with_")
        return write(draft, node.this, _named(draft, node, views))
    if isinstance(node, exp.Union):
        return _union(draft, node, _named(draft, node, views))
    if isinstance(node, exp.SetOperation):
        raise NotAdmittedError(Rule.SET, node.key)
    if not isinstance(node, exp.Select):
        raise NotAdmittedError(Rule.TABLE, f"{node.key} where a query is expected")
    takes(node, *_CLAUSES)
    return _select(draft, node, _named(draft, node, views))


def below(draft: Draft, node: exp.Expression, views: Views) -> Relation:
    """Write a query that others read from."""
    return draft.add(write(draft, node, views))


def _named(draft: Draft, node: exp.Expression, views: Views) -> Views:
    """Write what WITH names, in its order. No name hides a table, none is given twice."""
    clause = node.args.get("with_")
    if clause is None:
        return views
    takes(clause, "expressions")
    named = dict(views)
    for part in clause.expressions:
        takes(part, "this", "alias")
        name = alias_of(part)
        if name in draft.tables or name in named:
            raise NotAdmittedError(Rule.NAME, f"{name} is given already")
        named[name] = below(draft, part.this, named)
    return named


def _union(draft: Draft, node: exp.Expression, views: Views) -> Body:
    takes(node, "this", "expression", "distinct", "with_", "order", "limit", "offset")
    left, right = below(draft, node.this, views), below(draft, node.expression, views)
    if left.is_rows or right.is_rows:
        raise NotAdmittedError(Rule.SET, "over rows")
    if len(left.fields) != len(right.fields):
        raise NotAdmittedError(Rule.SET, "of different numbers of columns")
    pairs = list(zip(left.fields, right.fields, strict=True))
    fields = tuple(replace(a, kind=alike(Value("", a.kind), Value("", b.kind))[0]) for a, b in pairs)
    columns = [f.sql for f in fields]
    how = "UNION" if node.args.get("distinct") else "UNION ALL"
    select = words("SELECT", listed(columns), "FROM")
    both = words(select, left.name, how, select, right.name)
    terms = []
    for ordered in terms_of(node):
        place = placed(ordered.this, tuple(f.name for f in fields))
        if not place:
            raise NotAdmittedError(Rule.CLAUSE, "a union is ordered by what it gives")
        terms.append(term(ordered, place))
    return Body(words(select, f"({both})", tail(node, terms, columns)), fields, (), left.scans + right.scans)


def _select(draft: Draft, node: exp.Expression, views: Views) -> Body:
    scope = scope_of(draft, node, views, lambda query, seen: below(draft, query, seen))
    where = _where(scope, node)
    keys = keys_of(scope, node)
    if not keys and not _is_aggregated(node):
        return _rows(scope, node, where) if scope.is_rows else _answer(scope, node, where)
    if scope.is_rows and any(is_subject(scope, key) for key in keys):
        _refuse_sorting(node)
        return by_subject(scope, node, where, keys)
    return groups(scope, node, where, keys)


def _where(scope: Scope, node: exp.Expression) -> str:
    where = node.args.get("where")
    if where is None:
        return ""
    takes(where, "this")
    return f"WHERE {scope.scalars().of(Kind.BOOLEAN, where.this).sql}"


def _is_aggregated(node: exp.Expression) -> bool:
    having = node.args.get("having")
    return having is not None or any(map(aggregates_in, (*node.expressions, *terms_of(node))))


def _answer(scope: Scope, node: exp.Expression, where: str) -> Body:
    """A SELECT over answers, without grouping."""

    def leaf(part: exp.Expression) -> Value | None:
        return window(part, scalars) if isinstance(part, exp.Window) else scope.leaf(part)

    scalars = Scalars(leaf, over_rows=False)
    found = outer(scope, node, scalars)
    return Body(finish(found, scope.sql, where), found.fields, (), scope.scans)


def _rows(scope: Scope, node: exp.Expression, where: str) -> Body:
    """A projection of rows; it may be read from, it may not leave."""
    _refuse_sorting(node)
    fields: list[Field] = []
    given: list[str] = []
    for name, item in spelt_out(scope, node):
        found, at = _projected(scope, item), len(fields)
        given += marked(found, at)
        fields.append(replace(found, name=name, sql=f"c{at}", marks=f"p{at}" if found.marks else ""))
    sql = words("SELECT", listed([*given, hidden_columns(scope)]), "FROM", scope.sql, where)
    return Body(sql, tuple(fields), tuple(scope.sources), scope.scans, scope.is_single, scope.spread)


def _projected(scope: Scope, item: exp.Expression | Field) -> Field:
    """A column keeps its role; what is computed is a dimension."""
    if isinstance(item, Field):
        return item
    if isinstance(item, exp.Column):
        return scope.column(item)
    if item.find(exp.Window):
        raise NotAdmittedError(Rule.WINDOW, "over rows")
    value = scope.scalars().value(item)
    return Field("", value.sql, value.kind, Role.DIMENSION)


def _refuse_sorting(node: exp.Expression) -> None:
    for clause in _NOT_OF_ROWS:
        if node.args.get(clause) is not None:
            raise NotAdmittedError(Rule.ROW_CLAUSE, clause)
