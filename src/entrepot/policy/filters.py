"""Row filters: which rows of a table may be used, as comparisons of columns that must all hold.

    province = '31' and year >= 2020 and status in ('open', 'closed')

A language of its own, small on purpose: no function, no operator between columns, no negation of a whole,
nothing that could be a statement. One filter has one text; what it says is asked of a database with its
values apart from it, or it is not asked.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from entrepot.values import MalformedError

MAX_COMPARISONS: Final = 16
MAX_LISTED: Final = 64

_COLUMN: Final = r"[^\W\d]\w{0,63}"
_NUMBER: Final = r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?"
_TEXT: Final = r"'(?:[^'\x00-\x1f]|''){0,200}'"
_TOKEN: Final = re.compile(
    rf"\s*(?:(?P<word>{_COLUMN})|(?P<column>\"[^\"\x00-\x1f]{{1,64}}\")|(?P<number>{_NUMBER})"
    rf"|(?P<text>{_TEXT})|(?P<mark>!=|<=|>=|[=<>(),]))"
)
_MARKS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
_WORDS: Final = frozenset({"and", "in"})

Literal: TypeAlias = str | Decimal


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with one value, or (`in`) with several."""

    column: str
    mark: str
    values: tuple[Literal, ...]

    @property
    def text(self) -> str:
        """The one text of this comparison."""
        is_plain = re.fullmatch(_COLUMN, self.column) and self.column.lower() not in _WORDS
        column = self.column if is_plain else f'"{self.column}"'
        written = [_written(v) for v in self.values]
        right = f"({', '.join(written)})" if self.mark == "in" else written[0]
        return f"{column} {self.mark} {right}"


@dataclass(frozen=True, slots=True)
class RowFilter:
    """All comparisons must hold; a value that is missing in a row satisfies none of them."""

    comparisons: tuple[Comparison, ...]

    def __str__(self) -> str:
        return " and ".join(c.text for c in self.comparisons)

    @property
    def texts(self) -> frozenset[str]:
        """Each comparison as text: a filter in force is at least as narrow as another that has fewer."""
        return frozenset(c.text for c in self.comparisons)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(c.column for c in self.comparisons)

    def where(self) -> tuple[str, tuple[Literal, ...]]:
        """The condition of a `WHERE` with a `?` for each value, and the values."""
        parts = [
            f'"{c.column}" {_in(len(c.values))}' if c.mark == "in" else f'"{c.column}" {c.mark} ?'
            for c in self.comparisons
        ]
        return " AND ".join(parts), tuple(v for c in self.comparisons for v in c.values)

    def __and__(self, other: "RowFilter") -> "RowFilter":
        return _in_order([*self.comparisons, *other.comparisons])


def parse_filter(text: str) -> RowFilter:
    """Read a filter, or raise `MalformedError`; two spellings of one filter give the same value."""
    tokens = _tokens(text)
    comparisons = [_comparison(tokens)]
    while tokens:
        _expect(tokens, "and")
        comparisons.append(_comparison(tokens))
    if len(comparisons) > MAX_COMPARISONS:
        raise MalformedError(f"a row filter has at most {MAX_COMPARISONS} comparisons")
    return _in_order(comparisons)


def _in_order(comparisons: list[Comparison]) -> RowFilter:
    return RowFilter(tuple(sorted(set(comparisons), key=lambda c: c.text)))


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise MalformedError(f"expected comparisons such as year >= 2020, got {text[at : at + 40]!r}")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def _comparison(tokens: list[tuple[str, str]]) -> Comparison:
    group, column = tokens.pop(0) if tokens else ("end", "")
    if group not in {"word", "column"} or (group == "word" and column.lower() in _WORDS):
        raise MalformedError(f"expected a column in a row filter, got {column!r}")
    column = column.strip('"')
    _, mark = tokens.pop(0) if tokens else ("end", "")
    if mark in _MARKS:
        return Comparison(column, mark, (_literal(tokens),))
    if mark.lower() == "in":
        return Comparison(column, "in", _listed(tokens))
    raise MalformedError(f"expected =, !=, <, <=, >, >= or in, got {mark!r}")


def _listed(tokens: list[tuple[str, str]]) -> tuple[Literal, ...]:
    _expect(tokens, "(")
    values = [_literal(tokens)]
    while tokens and tokens[0][1] == ",":
        tokens.pop(0)
        values.append(_literal(tokens))
    _expect(tokens, ")")
    if len(values) > MAX_LISTED or len({type(v) for v in values}) > 1:
        raise MalformedError(f"expected at most {MAX_LISTED} values of one type after in")
    return tuple(sorted(set(values)))


def _literal(tokens: list[tuple[str, str]]) -> Literal:
    group, token = tokens.pop(0) if tokens else ("end", "")
    if group == "text":
        return token[1:-1].replace("''", "'")
    if group == "number":
        return Decimal(token) + 0  # no minus zero
    raise MalformedError(f"expected a number or a 'text' in a row filter, got {token!r}")


def _expect(tokens: list[tuple[str, str]], wanted: str) -> None:
    _, token = tokens.pop(0) if tokens else ("end", "")
    if token.lower() != wanted:
        raise MalformedError(f"expected {wanted} in a row filter, got {token!r}")


def _written(value: Literal) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _in(values: int) -> str:
    return f"IN ({', '.join('?' * values)})"
