"""What a call of an open API asks for, read from its query and held against the table and its terms.

What a stranger sent is not said back: a fault names the parameter, and what is expected there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from entrepot.catalogue import MAX_ROWS as MAX_PAGE
from entrepot.catalogue import Ask, Cursors, Resource, conditions_of
from entrepot.policy import Fact, RowFilter, Terms, parse_filter
from entrepot.use.facts import seen
from entrepot.values import MalformedError

LIMIT: Final = 100
"""Rows of a page where the call does not say how many."""
PARAMETERS: Final = ("limit", "cursor", "fields", "filter")
_MAX_QUERY: Final = 8_000


@dataclass(frozen=True, slots=True)
class Table:
    """A table behind a door, and what the contract makes of it."""

    resource: Resource
    terms: Terms
    fields: tuple[str, ...]
    """The columns that may be used, in the order of the table."""
    most: int
    """Rows that a page may have."""
    cursors: Cursors


@dataclass(frozen=True, slots=True)
class Asked:
    """One page that is asked for, and what the policy is to know of that."""

    ask: Ask
    observed: Mapping[str, Fact]
    query: Mapping[str, str]

    def next_page(self, table: Table, row: int) -> str:
        """Where the next page is, seen from this one."""
        return "items?" + urlencode({**self.query, "cursor": table.cursors.cursor_of(row)})


def table_under(resource: Resource, terms: Terms, key: bytes) -> Table:
    """A table as its contract lets it be used; the key is for the cursors of that contract alone."""
    only, hidden = terms.fields, terms.hidden
    names = (c.name for c in resource.columns)
    fields = tuple(n for n in names if n not in hidden and (only is None or n in only))
    most = MAX_PAGE if terms.max_rows is None else min(MAX_PAGE, terms.max_rows)
    return Table(resource, terms, fields, most, Cursors(key, resource))


def parse_query(raw: bytes, known: tuple[str, ...]) -> dict[str, str]:
    """Read a query string whose parameters are all known and there once."""
    if len(raw) > _MAX_QUERY:
        raise MalformedError(f"a query has at most {_MAX_QUERY} bytes")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, strict_parsing=bool(raw), errors="strict",
            max_num_fields=len(known) + 1,
        )  # fmt: skip
    except (ValueError, UnicodeDecodeError) as error:
        raise MalformedError(f"expected name=value, each at most once, of {', '.join(known)}") from error
    query = dict(pairs)
    if len(query) < len(pairs):
        raise MalformedError("a parameter stands there twice")
    if not query.keys() <= set(known):
        raise MalformedError(f"an unknown parameter; known are {', '.join(known) or 'none'}")
    return query


def parse_ask(raw: bytes, table: Table) -> Asked:
    """Read the query of a page, or say what is wrong with it. **Before the gate: nothing is counted yet.**"""
    query = parse_query(raw, PARAMETERS)
    fields = _fields(query.get("fields"), table)
    asked = _filter(query.get("filter"), table)
    agreed = table.terms.row_filter
    in_force = asked if agreed is None else asked & agreed
    conditions = conditions_of(table.resource.columns, in_force.comparisons)
    most = _limit(query.get("limit"), table)
    cursor = query.get("cursor")
    start = 0 if cursor is None else table.cursors.parse_cursor(cursor)
    # A filter tells of a column as much as the column does: what it names is in use.
    observed = seen(fields=asked.columns.union(fields), row_filter=in_force, rows=most)
    return Asked(Ask(fields, conditions, start, most), observed, query)


def _fields(text: str | None, table: Table) -> tuple[str, ...]:
    if text is None:
        if not table.fields:
            raise MalformedError("the contract leaves no field of this table to be used")
        return table.fields
    names = tuple(text.split(","))
    if len(set(names)) < len(names) or not set(names) <= {c.name for c in table.resource.columns}:
        raise MalformedError("fields: expected columns of this table, each once, with commas between them")
    return names


def _filter(text: str | None, table: Table) -> RowFilter:
    """The caller's own filter; every row satisfies the one of a call that has none."""
    if text is None:
        return RowFilter(())
    try:
        asked = parse_filter(text)
    except MalformedError as error:
        raise MalformedError("filter: expected comparisons, such as year >= 2020 and place = '31'") from error
    if not asked.columns <= {c.name for c in table.resource.columns}:
        raise MalformedError("filter: expected columns of this table")
    return asked


def _limit(text: str | None, table: Table) -> int:
    if text is None:
        return min(LIMIT, table.most)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= table.most):
        raise MalformedError(f"limit: expected a number from 1 to {table.most}")
    return int(text)
