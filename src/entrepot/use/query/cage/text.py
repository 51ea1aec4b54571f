"""The words of which a query is written anew: quoted names, checked literals, values that know their kind."""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from .model import Kind, NotAdmittedError, Role, Rule

MAX_TEXT: Final = 1_000
_NUMBER: Final = re.compile(r"\d{1,15}|(?=[\d.]{2,16}$)\d{0,15}\.\d{1,15}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Value:
    """An expression written anew."""

    sql: str
    kind: Kind
    literal: str | None = None
    """The text of a text literal, which becomes a date where one is expected."""


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def words(*parts: str) -> str:
    """A statement of its words; empty ones are left out."""
    return " ".join(part for part in parts if part)


def listed(parts: list[str]) -> str:
    return ", ".join(parts)


def number(text: str) -> Value:
    """A number: exact where it is an integer, else binary, so that no cast of a column can fail over it."""
    if not _NUMBER.fullmatch(text):
        raise NotAdmittedError(Rule.LITERAL, "a number has at most 15 digits and no exponent")
    return Value(text if text.isdigit() else f"CAST({text} AS DOUBLE)", Kind.NUMBER)


def text(raw: str) -> Value:
    if len(raw) > MAX_TEXT or _CONTROL.search(raw):
        raise NotAdmittedError(Rule.LITERAL, f"a text has at most {MAX_TEXT} characters and none of control")
    return Value("'" + raw.replace("'", "''") + "'", Kind.TEXT, raw)


def as_moment(value: Value, kind: Kind) -> Value:
    """A text literal read as a date or a date with time."""
    literal = value.literal or ""
    try:
        if kind is Kind.DATE:
            return Value(f"DATE '{date.fromisoformat(literal).isoformat()}'", kind)
        moment = datetime.fromisoformat(literal)
    except ValueError as error:
        raise NotAdmittedError(Rule.LITERAL, "a date is written as 2026-01-31") from error
    if moment.tzinfo is not None:
        raise NotAdmittedError(Rule.LITERAL, "times are in UTC and written without a zone")
    return Value(f"TIMESTAMP '{moment.isoformat(sep=' ')}'", kind)


def alike(*values: Value) -> tuple[Kind, tuple[Value, ...]]:
    """Bring values to their one kind: text literals beside dates become dates, nothing else is cast."""
    kinds = {v.kind for v in values if v.literal is None} - {Kind.NOTHING}
    moment = next((k for k in kinds if k in {Kind.DATE, Kind.DATETIME}), None)
    if moment is not None:
        values = tuple(v if v.literal is None else as_moment(v, moment) for v in values)
    kinds = {v.kind for v in values} - {Kind.NOTHING}
    if len(kinds) > 1:
        raise NotAdmittedError(Rule.TYPE, f"{' and '.join(sorted(kinds))} do not meet")
    return (kinds.pop() if kinds else Kind.NOTHING), values


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a relation."""

    name: str
    """As the consumer names it."""
    sql: str
    """As we name it."""
    kind: Kind
    role: Role | None
    """None where it tells of released groups only."""
    is_given: bool = False
    """Whether it is a column of a table as it is: only of these may empty values be counted."""
    origins: frozenset[str] = frozenset()
    """The columns of the table that its values are made of."""
    marks: str = ""
    """Where the marks of the rows are that its values are made of; empty where these are all rows."""
    key: str = ""
    """Which key it is of a grouping by subject and more."""

    def below(self, alias: str) -> "Field":
        marks = f"{alias}.{self.marks}" if self.marks else ""
        return replace(self, sql=f"{alias}.{self.sql}", marks=marks)


@dataclass(frozen=True, slots=True)
class Source:
    """A table whose subjects the rows of a relation still belong to."""

    table: str
    k: int
    has_many: bool = False
    """Whether its rows are made of many of the table: their marks are lists then."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A part of the query that has a name of ours. Rows that belong to subjects have columns `s0`, `f0` ...

    `s` is the subject and `f` the mark of the row of the table that it is, or those of all rows that it is
    made of; one pair a source.
    """

    name: str
    fields: tuple[Field, ...]
    sources: tuple[Source, ...]
    scans: int
    is_single: bool = False
    """Whether each subject has at most one row."""
    spread: frozenset[str] = frozenset()
    """By which keys a subject has several rows, where it was grouped by them."""

    @property
    def is_rows(self) -> bool:
        return bool(self.sources)
