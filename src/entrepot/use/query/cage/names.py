"""Where names lead: what FROM brings together, and which column a name means there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlglot import exp

from .draft import Draft
from .model import Kind, NotAdmittedError, Role, Rule
from .scalars import Leaf, Scalars, takes
from .text import Field, Relation, Source, Value, alike, listed, words

Views: TypeAlias = Mapping[str, Relation]
"""What WITH has named, in lower case."""
Below: TypeAlias = Callable[[exp.Expression, Views], Relation]
"""Writes a query that stands in FROM."""


@dataclass(slots=True)
class Scope:
    """What one SELECT reads from."""

    draft: Draft
    sql: str = ""
    bindings: list[tuple[str, tuple[Field, ...]]] = field(default_factory=list)
    merged: set[str] = field(default_factory=set)
    """Names that USING made one of."""
    sources: list[Source] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    """Where subject and marks of each source are, in turn."""
    scans: int = 0
    is_single: bool = True
    """Whether each subject has at most one row."""
    spread: frozenset[str] = frozenset()
    """By which keys a subject has several rows, where it was grouped by them."""

    @property
    def is_rows(self) -> bool:
        return bool(self.sources)

    def find(self, node: exp.Expression) -> Field | None:
        """The column that a name means; None where there is none."""
        takes(node, "this", "table", rule=Rule.TABLE)
        if not isinstance(node.this, exp.Identifier):
            raise NotAdmittedError(Rule.COLUMN, "a star stands only in the list of a SELECT")
        name, qualifier = (
            node.name.lower(),
            str(node.args["table"].name).lower() if node.args.get("table") else "",
        )
        found = [
            f
            for at, fields in self.bindings
            if qualifier in {"", at}
            for f in fields
            if f.name.lower() == name
        ]
        if len(found) > 1 and not (name in self.merged and not qualifier):
            raise NotAdmittedError(Rule.COLUMN, f"{node.name} could be two columns")
        return self.draft.look_at(found[0]) if found else None

    def column(self, node: exp.Expression) -> Field:
        found = self.find(node)
        if found is None:
            raise NotAdmittedError(Rule.COLUMN, f"there is no column {node.name}")
        return found

    def star(self, qualifier: str = "") -> list[Field]:
        """All columns, or those of one relation."""
        found = [f for at, fields in self.bindings if qualifier in {"", at} for f in fields]
        if not found:
            raise NotAdmittedError(Rule.COLUMN, f"there is no {qualifier}")
        return [self.draft.look_at(f) for f in found]

    def scalars(self, leaf: Leaf | None = None) -> Scalars:
        return Scalars(leaf or self.leaf, over_rows=self.is_rows)

    def leaf(self, node: exp.Expression) -> Value | None:
        """Columns. Of rows, only dimensions are compared and computed with."""
        if not isinstance(node, exp.Column):
            return None
        found = self.column(node)
        if found.role not in {None, Role.DIMENSION}:
            raise NotAdmittedError(Rule.ROLE, f"{found.name} is a {found.role}")
        return Value(found.sql, found.kind)


def scope_of(draft: Draft, select: exp.Expression, views: Views, below: Below) -> Scope:
    """Bring together what FROM and JOIN name."""
    start = select.args.get("from_")
    if start is None:
        raise NotAdmittedError(Rule.TABLE, "a query reads a table")
    takes(start, "this")
    scope = Scope(draft)
    scope.sql = _bind(scope, start.this, views, below)
    for join in select.args.get("joins") or ():
        _join(scope, join, views, below)
    return scope


def _bind(scope: Scope, node: exp.Expression, views: Views, below: Below) -> str:
    relation, name = _relation(scope.draft, node, views, below)
    if scope.bindings and relation.is_rows != scope.is_rows:
        raise NotAdmittedError(Rule.JOIN, "rows are not joined with answers")
    if any(name == at for at, _ in scope.bindings):
        raise NotAdmittedError(Rule.NAME, f"{name} is given twice")
    alias = f"q{len(scope.bindings)}"
    scope.bindings.append((name, tuple(f.below(alias) for f in relation.fields)))
    for i in range(len(relation.sources)):
        scope.hidden += [f"{alias}.s{i}", f"{alias}.f{i}"]
    scope.sources += relation.sources
    scope.scans += relation.scans
    scope.is_single = scope.is_single and relation.is_single
    scope.spread |= relation.spread
    return f"{relation.name} AS {alias}"


def _relation(draft: Draft, node: exp.Expression, views: Views, below: Below) -> tuple[Relation, str]:
    """A table, a view of WITH, or a query in brackets; and the name that it has here."""
    if isinstance(node, exp.Subquery):
        takes(node, "this", "alias")
        return below(node.this, views), alias_of(node)
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        raise NotAdmittedError(Rule.TABLE, "only tables and queries are read from")
    takes(node, "this", "alias", rule=Rule.TABLE)
    name = node.name.lower()
    if name in views:
        return views[name], alias_of(node) or name
    if name not in draft.tables:
        raise NotAdmittedError(Rule.TABLE, f"there is no table {node.name}")
    return draft.base(name), alias_of(node) or name


def alias_of(node: exp.Expression) -> str:
    """The name given with AS; empty where none is."""
    alias = node.args.get("alias")
    if alias is None:
        return ""
    if isinstance(alias, exp.TableAlias):
        takes(alias, "this")
    return str(alias.name).lower()


def _join(scope: Scope, join: exp.Expression, views: Views, below: Below) -> None:
    takes(join, "this", "side", "kind", "on", "using", rule=Rule.JOIN)
    side, kind = str(join.args.get("side") or ""), str(join.args.get("kind") or "")
    on, using = join.args.get("on"), join.args.get("using") or []
    if side not in {"", "LEFT"} or kind not in {"", "INNER", "CROSS"}:
        raise NotAdmittedError(Rule.JOIN, words(side, kind).lower())
    before = list(scope.bindings)
    right = _bind(scope, join.this, views, below)
    conditions = [_using(scope, before, i) for i in using]
    if scope.is_rows:
        conditions += _of_rows(scope, before, on, is_inner=not side and kind != "CROSS")
        if not conditions:
            raise NotAdmittedError(Rule.JOIN, "rows are joined by equality of their subjects")
    elif on is not None:
        conditions.append(scope.scalars().of(Kind.BOOLEAN, on).sql)
    how = "CROSS JOIN" if not conditions else words(side or "INNER", "JOIN")
    scope.sql = words(scope.sql, how, right, "ON " + " AND ".join(conditions) if conditions else "")


def _of_rows(
    scope: Scope, before: list[tuple[str, tuple[Field, ...]]], on: exp.Expression | None, *, is_inner: bool
) -> list[str]:
    """The conditions of a join of rows.

    A join that repeats rows weighs them: who has more rows than others could be taken out of the difference
    to a sum of the same rows without the weights.
    """
    if not is_inner:
        raise NotAdmittedError(Rule.JOIN, "rows are joined by INNER JOIN only")
    if not scope.is_single:
        raise NotAdmittedError(Rule.JOIN, "rows are joined after both sides are grouped by subject alone")
    return _links(scope, before, on)


def _using(scope: Scope, before: list[tuple[str, tuple[Field, ...]]], node: exp.Expression) -> str:
    name = node.name.lower()
    left = [f for _, fields in before for f in fields if f.name.lower() == name]
    right = [f for f in scope.bindings[-1][1] if f.name.lower() == name]
    if not right or (len(left) != 1 and name not in scope.merged) or not left:
        raise NotAdmittedError(Rule.COLUMN, f"USING {node.name} is not one column on each side")
    scope.merged.add(name)
    return _equal(scope, left[0], right[0])


def _links(scope: Scope, before: list[tuple[str, tuple[Field, ...]]], on: exp.Expression | None) -> list[str]:
    """The equalities of a condition over rows; nothing else may be in it."""
    if on is None:
        return []
    if isinstance(on, exp.Paren):
        return _links(scope, before, on.this)
    if isinstance(on, exp.And):
        takes(on, "this", "expression")
        return _links(scope, before, on.this) + _links(scope, before, on.expression)
    if not isinstance(on, exp.EQ) or not all(isinstance(n, exp.Column) for n in (on.this, on.expression)):
        raise NotAdmittedError(Rule.JOIN, "rows are joined by equality of their subjects")
    left, right = scope.column(on.this), scope.column(on.expression)
    known = {f.sql for _, fields in before for f in fields}
    if (left.sql in known) == (right.sql in known):
        raise NotAdmittedError(Rule.JOIN, "each equality has a column of either side")
    return [_equal(scope, left, right)]


def _equal(scope: Scope, left: Field, right: Field) -> str:
    if scope.is_rows and {left.role, right.role} != {Role.SUBJECT}:
        raise NotAdmittedError(Rule.JOIN, "rows are joined by equality of their subjects")
    alike(Value(left.sql, left.kind), Value(right.sql, right.kind))
    return f"{left.sql} = {right.sql}"


def hidden_columns(scope: Scope) -> str:
    """Subject and marks of each source, under their names in the next relation."""
    named = [f"s{i // 2}" if i % 2 == 0 else f"f{i // 2}" for i in range(len(scope.hidden))]
    return listed([f"{at} AS {name}" for at, name in zip(scope.hidden, named, strict=True)])


def marked(field: Field, at: int) -> list[str]:
    """A column as one of the next relation, and the marks that go with it."""
    return [f"{field.sql} AS c{at}", *([f"{field.marks} AS p{at}"] if field.marks else [])]
