"""Grouping rows: by subject they stay rows; otherwise they become groups, and only large ones go on.

A group that is too small is emptied before anything of the consumer's is computed with it, and then left out:
what follows cannot fail, or take longer, over a value of a group that nobody may see.
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from .aggregates import MOST_SHARE, Aggregates, aggregates_in, is_aggregate
from .cells import cells_of, gathered
from .draft import Body
from .listing import aliases_of, finish, meant, outer, spelt_out
from .model import NotAdmittedError, Role, Rule
from .names import Scope, hidden_columns, marked
from .scalars import Scalars, takes, whole
from .text import Field, Value, listed, words
from .windows import window


def keys_of(scope: Scope, node: exp.Expression) -> list[exp.Expression]:
    """What is grouped by: expressions, places in the list, or names given there."""
    group = node.args.get("group")
    if group is None:
        return []
    takes(group, "expressions", rule=Rule.GROUPING)
    if any(isinstance(e, exp.Rollup | exp.Cube | exp.GroupingSets) for e in group.expressions):
        raise NotAdmittedError(Rule.GROUPING, "totals beside groups give away what was left out")
    keys = [_key_meant(scope, node, key) for key in group.expressions]
    if not keys or len(keys) > scope.draft.limits.keys:
        raise NotAdmittedError(Rule.SIZE, f"from one to {scope.draft.limits.keys} group keys")
    return keys


def _key_meant(scope: Scope, node: exp.Expression, key: exp.Expression) -> exp.Expression:
    if isinstance(key, exp.Literal) and not key.is_string:
        place = whole(key, len(node.expressions))
        key = node.expressions[place - 1].unalias() if place else key
    else:
        key = meant(scope, key, aliases_of(node))
    if not key.find(exp.Column) or key.find(exp.Star) or aggregates_in(key) or key.find(exp.Window):
        raise NotAdmittedError(Rule.GROUPING, "groups are made by expressions over columns")
    while isinstance(key, exp.Paren):
        key = key.this
    return key


def is_subject(scope: Scope, key: exp.Expression) -> bool:
    return isinstance(key, exp.Column) and scope.column(key).role is Role.SUBJECT


def groups(scope: Scope, node: exp.Expression, where: str, keys: list[exp.Expression]) -> Body:
    """Write a grouping that becomes an answer."""
    known = {scope.column(key).key for key in keys if isinstance(key, exp.Column)}
    aggregates = Aggregates(scope, is_spread=not scope.spread <= known)
    places: dict[str, Value] = {}
    for value in (scope.scalars().value(key) for key in keys):
        places.setdefault(value.sql, Value(f"g{len(places)}", value.kind))
    found = outer(scope, node, _after(scope, aggregates, places))
    large = _large(scope, where, aggregates, places)
    having = f"WHERE {found.having}" if found.having else ""
    return Body(finish(found, large, having), found.fields, (), scope.scans)


def _after(scope: Scope, aggregates: Aggregates, places: Mapping[str, Value]) -> Scalars:
    """What names mean after grouping: keys and aggregates, nothing else."""

    def leaf(node: exp.Expression) -> Value | None:
        if isinstance(node, exp.Window):
            return window(node, scalars)
        if is_aggregate(node):
            return aggregates.value(node)
        if not node.find(exp.Column) or aggregates_in(node) or node.find(exp.Window):
            return None
        known = places.get(scope.scalars().value(node).sql)
        if known is None and isinstance(node, exp.Column):
            raise NotAdmittedError(Rule.GROUPING, f"{node.name} is neither grouped by nor aggregated")
        return known

    scalars = Scalars(leaf, over_rows=False)
    return scalars


def _large(scope: Scope, where: str, aggregates: Aggregates, places: Mapping[str, Value]) -> str:
    """Write the rows that are grouped, the groups, and those large enough; gives the name of the last."""
    draft, names = scope.draft, [v.sql for v in places.values()]
    keys = [f"{sql} AS {v.sql}" for sql, v in places.items()]
    arguments = [f"{sql} AS {name}" for sql, name in aggregates.arguments.items()]
    hidden = [hidden_columns(scope)] if scope.is_rows else ["1 AS one"]
    rows = words("SELECT", listed([*keys, *arguments, *hidden]), "FROM", scope.sql, where)
    grouped = draft.add(Body(rows, (), tuple(scope.sources), scope.scans))
    found = [f"{sql} AS {name}" for sql, name in aggregates.found.items()]
    by = f"GROUP BY {listed(names)}" if names else ""
    counted = words(
        "SELECT", listed([*names, *found, f"{aggregates.enough()} AS enough"]), "FROM", grouped.name, by
    )
    shares = _shares(grouped.name, aggregates, names)
    emptied = [f"CASE WHEN {aggregates.condition(n)} THEN {n} END AS {n}" for n in aggregates.found.values()]
    labels = [f"CASE WHEN enough THEN {n} END AS {n}" for n in names]
    kept = words("SELECT", listed([*labels, *emptied, "enough"]), f"FROM ({counted})", shares, "WHERE enough")
    if scope.is_rows:
        draft.cells += cells_of(draft, grouped, names, aggregates.patterns)
    return draft.add(Body(kept, (), (), scope.scans)).name


def _shares(grouped: str, aggregates: Aggregates, keys: list[str]) -> str:
    """Join what says of each group and argument whether one subject makes up most of it."""
    judged = sorted({m for columns in aggregates.judged.values() for m in columns})
    if not judged:
        return ""
    of_each = [f"sum(abs(CAST({m} AS DOUBLE))) AS {m}" for m in judged]
    named = [f"{key} AS k{key}" for key in keys]
    each = words("SELECT", listed([*keys, *of_each]), f"FROM {grouped}", f"GROUP BY {listed([*keys, 's0'])}")
    fair = [f"max({m}) <= {MOST_SHARE} * sum({m}) AS fair_{m}" for m in judged]
    by = f"GROUP BY {listed(keys)}" if keys else ""
    on = " AND ".join(f"{key} IS NOT DISTINCT FROM k{key}" for key in keys) or "true"
    return words("JOIN (SELECT", listed([*named, *fair]), f"FROM ({each})", by, ") ON", on)


def by_subject(scope: Scope, node: exp.Expression, where: str, keys: list[exp.Expression]) -> Body:
    """Write a grouping by subject: still rows, each subject's its own."""
    if len(scope.sources) != 1:
        raise NotAdmittedError(Rule.GROUPING, "joined rows are not grouped by subject")
    aggregates = Aggregates(scope, is_spread=bool(scope.spread))
    places = {_key(scope, key).sql: f"g{i}" for i, key in enumerate(keys)}
    given: list[str] = []
    fields: list[Field] = []
    for name, item in spelt_out(scope, node):
        if not isinstance(item, Field) and is_aggregate(item):
            column = aggregates.per_subject(item)
        else:
            column = item if isinstance(item, Field) else _key(scope, item)
            if column.sql not in places:
                raise NotAdmittedError(Rule.GROUPING, f"{name} is neither grouped by nor aggregated")
            at_key = places[column.sql]
            column = replace(column, sql=at_key, marks="", key=at_key)
        at = len(fields)
        given += marked(column, at)
        marks = f"p{at}" if column.marks else ""
        fields.append(replace(column, name=name, sql=f"c{at}", marks=marks, is_given=False))
    shown = [f"{sql} AS {name}" for sql, name in (*places.items(), *aggregates.arguments.items())]
    rows = words("SELECT", listed([*shown, hidden_columns(scope)]), "FROM", scope.sql, where)
    by = words("GROUP BY", listed([*places.values(), "s0"]))
    (source,) = scope.sources
    marks = gathered("f0", are_lists=source.has_many)
    sql = words("SELECT", listed([*given, "s0", f"{marks} AS f0"]), "FROM", f"({rows})", by)
    spread = frozenset(places[_key(scope, key).sql] for key in keys if not is_subject(scope, key))
    sources = (replace(source, has_many=True),)
    return Body(sql, tuple(fields), sources, scope.scans, is_single=not spread, spread=spread)


def _key(scope: Scope, node: exp.Expression) -> Field:
    """A key of a grouping by subject: the subject itself, or an expression over dimensions."""
    if is_subject(scope, node):
        return scope.column(node)
    value = scope.scalars().value(node)
    return Field("", value.sql, value.kind, Role.DIMENSION)
