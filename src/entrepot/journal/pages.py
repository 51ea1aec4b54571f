"""Pages of what a table holds, the newest first; each begins behind a row, and not at a number of rows.

So nothing is left out and nothing comes twice when rows are written while somebody turns the pages: what is
new stands before the first one. The columns of the key say which row is newer, and no two rows share them.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, tuple_

from entrepot.journal.database import UtcTimeColumn, micros_of, time_at
from entrepot.values import MalformedError, UtcTime

T = TypeVar("T")
S = TypeVar("S")

PAGE: Final = 100
_MOST_CHARACTERS: Final = 2_000
_STRANGE: Final = "after: expected what another page gave as `nextAfter`"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins, behind which row, and how many rows it may have."""

    after: str = ""
    """From `next_after` or `previous_after` of another page; empty for the newest."""
    size: int = PAGE


NEWEST: Final = Place()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of many, and where the pages around them begin."""

    items: tuple[T, ...]
    next_after: str | None
    previous_after: str | None

    def of(self, make: Callable[[T], S]) -> "Page[S]":
        """The same page of what is made of its rows."""
        return Page(tuple(map(make, self.items)), self.next_after, self.previous_after)


class Pages:
    """The pages of what a statement selects, by a key of some of its columns."""

    __slots__ = ("_before", "_behind", "_first", "_key")

    def __init__(self, rows: Select[Any], *key: ColumnElement[Any]) -> None:
        self._key = {column.name: isinstance(column.type, UtcTimeColumn) for column in key}
        row, mark = tuple_(*key), tuple_(*(bindparam(f"after_{c.name}", type_=c.type) for c in key))
        self._first = rows.order_by(*(c.desc() for c in key)).limit(bindparam("most"))
        self._behind = self._first.where(row < mark)
        above = rows.with_only_columns(*key).where(row > mark).order_by(*key)
        self._before = above.offset(bindparam("skip")).limit(1)

    def page(self, connection: Connection, place: Place, **values: str) -> Page[Row[Any]]:
        """One page; an `after` that no page gave is refused."""
        mark = self._parse(place.after) if place.after else {}
        statement = self._behind if mark else self._first
        found = connection.execute(statement, {**values, **mark, "most": place.size + 1}).all()
        shown = found[: place.size]
        return Page(
            items=tuple(shown),
            next_after=self._render(shown[-1]) if len(found) > place.size else None,
            previous_after=self._place_before(connection, {**values, **mark}, place) if mark else None,
        )

    def _place_before(self, connection: Connection, values: dict[str, Any], place: Place) -> str:
        """Behind which row the page before begins; it ends with the one behind which this one does."""
        row = connection.execute(self._before, {**values, "skip": place.size - 1}).first()
        return "" if row is None else self._render(row)

    def _render(self, row: Row[Any]) -> str:
        parts = [_written(getattr(row, name)) for name in self._key]
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")

    def _parse(self, text: str) -> dict[str, Any]:
        try:
            if len(text) > _MOST_CHARACTERS:
                raise MalformedError(_STRANGE)
            parts = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
            pairs = zip(self._key.items(), parts, strict=True)
            return {f"after_{name}": _read(part, is_time=is_time) for (name, is_time), part in pairs}
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise MalformedError(_STRANGE) from error


def _written(value: str | UtcTime) -> str | int:
    return value if isinstance(value, str) else micros_of(value)


def _read(part: object, *, is_time: bool) -> str | UtcTime:
    if is_time and type(part) is int:
        return time_at(part)
    if is_time or not isinstance(part, str) or "\x00" in part:
        raise MalformedError(_STRANGE)
    part.encode()  # no database keeps a half of a character
    return part
