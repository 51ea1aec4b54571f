"""Column types as Arrow has them, and what a column of text seems to hold.

A type is taken for a column of text only where every value of it is written in that type's one plain way:
`007` and numbers of more digits than a number holds stay text, and so do days in an order that a reader
could mistake.
"""

from types import MappingProxyType
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from entrepot.catalogue.errors import SourceError
from entrepot.catalogue.source import Column, ColumnType

Arrow: TypeAlias = Any
"""Whatever is Arrow's own: an array, a schema, a type. It ships no types of its own."""

MAX_DIGITS: Final = 38
ARROW: Final = MappingProxyType(
    {
        ColumnType.BOOLEAN: pa.bool_(),
        ColumnType.INTEGER: pa.int64(),
        ColumnType.NUMBER: pa.float64(),
        ColumnType.TEXT: pa.string(),
        ColumnType.DATE: pa.date32(),
        ColumnType.DATETIME: pa.timestamp("us"),
        ColumnType.INSTANT: pa.timestamp("us", "UTC"),
    }
)
"""How a column is kept. A decimal has a precision and scale of its own."""

_DAY: Final = r"(\d{4}-\d{2}-\d{2}|\d{4}/\d{2}/\d{2})"
_TIME: Final = r"[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_WRITTEN: Final = MappingProxyType(
    {
        ColumnType.BOOLEAN: r"^(true|false|True|False|TRUE|FALSE)$",
        ColumnType.INTEGER: r"^-?(0|[1-9]\d*)$",
        ColumnType.NUMBER: r"^-?((0|[1-9]\d{0,14})(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$",
        ColumnType.DATE: f"^{_DAY}$",
        ColumnType.DATETIME: f"^{_DAY}{_TIME}$",
        ColumnType.INSTANT: rf"^{_DAY}{_TIME}(Z|[+-]\d{{2}}:?\d{{2}})$",
    }
)
"""How each type is written, in the order in which they are tried."""
_DAYS: Final = frozenset({ColumnType.DATE, ColumnType.DATETIME, ColumnType.INSTANT})
_TEXTS: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
_MISSING: Final = pa.array(["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"])
"""What stands where there is no value, in a column that does not hold text."""


class Guess:
    """What a column of text may be, narrowed by each batch of it that is seen."""

    def __init__(self, among: frozenset[ColumnType] = frozenset(_WRITTEN)) -> None:
        self._left = [t for t in _WRITTEN if t in among]
        self._has_seen = False

    def see(self, texts: Arrow) -> None:
        words = pc.drop_null(_without_missing(texts))
        if len(words) and self._left:
            self._has_seen = True
            self._left = [t for t in self._left if _is_written(t, words)]

    @property
    def type(self) -> ColumnType:
        return self._left[0] if self._left and self._has_seen else ColumnType.TEXT


def read_texts(texts: Arrow, kind: ColumnType) -> Arrow:
    """A column of text as the type that was guessed."""
    if kind is ColumnType.TEXT:
        return texts
    words = _without_missing(texts)
    if kind in _DAYS:
        words = pc.replace_substring(words, "/", "-")
    return words.cast(ARROW[kind])


def column_of(place: int, field: Arrow) -> Column:
    """The column that an Arrow field becomes, or say that no table may have it."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    is_a = pa.types
    if is_a.is_boolean(kind):
        found = ColumnType.BOOLEAN
    elif is_a.is_integer(kind):
        found = ColumnType.INTEGER
    elif is_a.is_floating(kind):
        found = ColumnType.NUMBER
    elif is_a.is_decimal(kind) and kind.precision <= MAX_DIGITS:
        found = ColumnType.DECIMAL
    elif any(is_text(kind) for is_text in _TEXTS):
        found = ColumnType.TEXT
    elif is_a.is_date(kind):
        found = ColumnType.DATE
    elif is_a.is_timestamp(kind):
        found = ColumnType.DATETIME if kind.tz is None else ColumnType.INSTANT
    else:
        raise SourceError(f"column {place} is of type {kind}, which no table may hold; leave it out")
    return Column(field.name, found)


def arrow_of(column: Column, kind: Arrow) -> Arrow:
    """How a column of that Arrow type is kept."""
    if column.type is not ColumnType.DECIMAL:
        return ARROW[column.type]
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.decimal128(value.precision, value.scale)


def _without_missing(texts: Arrow) -> Arrow:
    return pc.if_else(pc.is_in(texts, _MISSING), pa.scalar(None, pa.string()), texts)


def _is_written(kind: ColumnType, words: Arrow) -> bool:
    if not pc.all(pc.match_substring_regex(words, _WRITTEN[kind])).as_py():
        return False
    try:
        read_texts(words, kind)
    except pa.ArrowInvalid:  # the 31st of February; an integer beyond 64 bits
        return False
    return True
