"""What is asked of a table: which fields of which rows, from where on, and how many.

Whatever is asked is held against the columns first, so that nothing is read for a question without an
answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeAlias

from entrepot.catalogue.source import Column, ColumnType
from entrepot.policy import Comparison
from entrepot.values import MalformedError

MAX_ROWS: Final = 1_000
MAX_BYTES: Final = 4 << 20
"""How large a page may be, before it is written as JSON."""

Value: TypeAlias = bool | int | float | Decimal | str | date | datetime

_WHOLE: Final = 2**63


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison with a column whose values have that column's type."""

    column: Column
    mark: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """One page of a table."""

    fields: tuple[str, ...]
    conditions: tuple[Condition, ...]
    start: int
    """The row, counted from the table's first, from which on to look."""
    most: int


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one page, as a list in JSON, and the row at which the next one begins."""

    items: bytes
    rows: int
    after: int | None


def conditions_of(columns: Sequence[Column], comparisons: Sequence[Comparison]) -> tuple[Condition, ...]:
    """Hold comparisons against the columns of a table, or say which of them means nothing there."""
    known = {c.name: c for c in columns}
    found = []
    for comparison in comparisons:
        column = known.get(comparison.column)
        if column is None:
            raise MalformedError(f"there is no column {comparison.column!r}")
        if column.type is ColumnType.BOOLEAN and comparison.mark not in {"=", "!=", "in"}:
            raise MalformedError(f"column {column.name!r} is true or false, and has no order")
        values = tuple(_typed(column, v) for v in comparison.values)
        found.append(Condition(column, comparison.mark, values))
    return tuple(found)


def _typed(column: Column, value: str | Decimal) -> Value:
    """A literal of a filter as the type of the column."""
    try:
        return _READ[column.type](value)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise MalformedError(f"column {column.name!r} is compared with {_SPELT[column.type]}") from error


def _text(value: str | Decimal) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _bit(value: str | Decimal) -> bool:
    return {"true": True, "false": False}[_text(value)] if value in {"true", "false"} else _refuse()


def _refuse() -> bool:
    raise ValueError


def _number(value: str | Decimal) -> Decimal:
    if not isinstance(value, Decimal):
        raise TypeError
    return value


def _whole(value: str | Decimal) -> int:
    number = _number(value)
    if number != int(number) or not -_WHOLE <= number < _WHOLE:
        raise ValueError
    return int(number)


def _without_zone(value: str | Decimal) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is not None:
        raise ValueError
    return moment


def _with_zone(value: str | Decimal) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


_READ: Final[Mapping[ColumnType, Callable[[str | Decimal], Value]]] = MappingProxyType(
    {
        ColumnType.BOOLEAN: _bit,
        ColumnType.INTEGER: _whole,
        ColumnType.NUMBER: lambda value: float(_number(value)),
        ColumnType.DECIMAL: _number,
        ColumnType.TEXT: _text,
        ColumnType.DATE: lambda value: date.fromisoformat(_text(value)),
        ColumnType.DATETIME: _without_zone,
        ColumnType.INSTANT: _with_zone,
    }
)
_SPELT: Final[Mapping[ColumnType, str]] = MappingProxyType(
    {
        ColumnType.BOOLEAN: "'true' or 'false'",
        ColumnType.INTEGER: "whole numbers of 64 bits",
        ColumnType.NUMBER: "numbers",
        ColumnType.DECIMAL: "numbers",
        ColumnType.TEXT: "texts in single quotes",
        ColumnType.DATE: "days such as '2026-11-25'",
        ColumnType.DATETIME: "times such as '2026-11-25T08:00:00', without a zone",
        ColumnType.INSTANT: "times with their zone, such as '2026-11-25T08:00:00Z'",
    }
)
