"""A query while it is written anew: its parts under names of ours, and who is in its released groups."""

from dataclasses import dataclass, field
from typing import Final

from .model import KIND_OF, Cells, Filter, Limits, NotAdmittedError, Role, Rule, Table
from .text import Field, Relation, Source, Value, alike, listed, number, quoted, text, words

FILE: Final = "_file"
"""Under which name the file is opened: what was written for it once can be asked again later."""
SUBJECT: Final = "_subject"
MARK: Final = "_mark"
"""Columns that an opened table has beside its own: whose row it is, and the mark of the row."""


@dataclass(frozen=True, slots=True)
class Body:
    """A SELECT written anew, before it has a name."""

    sql: str
    fields: tuple[Field, ...]
    sources: tuple[Source, ...]
    scans: int
    is_single: bool = False
    spread: frozenset[str] = frozenset()


@dataclass(slots=True)
class Draft:
    """The parts written so far. A part reads only parts before it."""

    tables: dict[str, Table]
    limits: Limits
    parts: list[str] = field(default_factory=list)
    cells: list[Cells] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    _bases: dict[str, Relation] = field(default_factory=dict)

    def add(self, body: Body) -> Relation:
        """Give a body its name."""
        if body.scans > self.limits.scans:
            raise NotAdmittedError(Rule.SIZE, f"at most {self.limits.scans} readings of a table")
        name = f"r{len(self.parts)}"
        self.parts.append(f"{name} AS ({body.sql})")
        return Relation(name, body.fields, body.sources, body.scans, body.is_single, body.spread)

    def statement(self, sql: str) -> str:
        """A whole statement: what was written so far, then `sql`."""
        return words("WITH", listed(self.parts), sql) if self.parts else sql

    def base(self, name: str) -> Relation:
        """A table of this door. Hidden columns are not in it; rows of nobody are not either."""
        if name not in self._bases:
            self._bases[name] = self.add(_open(self.tables[name]))
        return self._bases[name]

    def look_at(self, field: Field) -> Field:
        """Note that a column is read."""
        self.reads |= field.origins
        return field


def _open(table: Table) -> Body:
    shown = [c for c in table.columns if c.role is not Role.HIDDEN]
    columns = [f"{quoted(c.name)} AS c{i}" for i, c in enumerate(shown)]
    hidden = [f"{quoted(SUBJECT)} AS s0", f"{quoted(MARK)} AS f0"]
    where = " AND ".join(_condition(table, f) for f in table.filters)
    sql = words(
        "SELECT", listed([*columns, *hidden]), "FROM", quoted(FILE), f"WHERE {where}" if where else ""
    )
    fields = tuple(
        Field(c.name, f"c{i}", KIND_OF[c.type], c.role, is_given=True, origins=frozenset({c.name}))
        for i, c in enumerate(shown)
    )
    return Body(sql, fields, (Source(table.name, table.k),), 1)


def _condition(table: Table, filter_: Filter) -> str:
    """A comparison that the provider or the contract has laid on the table; it meets no other kind either."""
    kinds = {c.name: KIND_OF[c.type] for c in table.columns}
    if filter_.column not in kinds:
        raise NotAdmittedError(Rule.TABLE, "its row filter names a column that is not there")
    literals = [text(v) if filter_.is_text else number(v) for v in filter_.values]
    _, (column, *values) = alike(Value(quoted(filter_.column), kinds[filter_.column]), *literals)
    right = f"({listed([v.sql for v in values])})" if filter_.mark == "in" else values[0].sql
    return f"({column.sql} {filter_.mark} {right})"
