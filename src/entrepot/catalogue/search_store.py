"""Finding what stands on the shelf: one question, as each of the two databases wants it asked.

Statements are put together as the question is: which filters there are decides which parts they have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
)

from entrepot.catalogue.shelf_store import shelf, tag
from entrepot.catalogue.synonyms import Word, Wording
from entrepot.journal import PostgresqlType

_TSQUERY: Final = PostgresqlType("TSQUERY")
_text: Final = table("shelf_fts", column("rowid"))
_itself: Final[ColumnElement[Any]] = column("shelf_fts", is_literal=True)
_WEIGHTS: Final = (8.0, 4.0, 1.0)
"""What a token counts in title, keywords and description: for bm25 on SQLite …"""
_CLASSES: Final[ColumnElement[Any]] = literal_column("'{0.1, 0.1, 0.4, 1.0}'::real[]")
"""… and for the classes D, C, B, A of a `tsvector`."""
_BY_LENGTH: Final = 1
"""PostgreSQL: divide a rank by one and the logarithm of the length."""


def find(
    connection: Connection, words: Sequence[Word], where: Sequence[ColumnElement[bool]], skip: int, most: int
) -> tuple[int, list[int]]:
    """How many there are in which every word stands in one of its wordings, and the best of them.

    Those that have the words as they were typed come first, then those that have another wording. Where
    none has every word, those that have any of them. Without words, the newest first.
    """
    if not words:
        return _counted(connection, select(shelf.c.number).where(*where), [], skip, most)
    speaks = SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL
    typed = speaks.typed(words) if any(len(w) > 1 for w in words) else ""
    found = _ask(connection, speaks, speaks.every(words), typed, where, skip, most)
    if found[0] or _is_one_token(words):
        return found
    return _ask(connection, speaks, speaks.any(words), typed, where, skip, most)


def has_tag(*values: str) -> ColumnElement[bool]:
    """Products with any of these tags."""
    # Found by the tag, and not product by product: a rare one is found at once among however many.
    return shelf.c.number.in_(select(tag.c.number).where(tag.c.tag.in_([*values])))


@dataclass(frozen=True, slots=True)
class _Language:
    """How a database wants tokens asked for."""

    is_sqlite: bool
    quote: str
    both: str
    either: str

    def every(self, words: Sequence[Word]) -> str:
        return self.both.join(self._word(w) for w in words)

    def typed(self, words: Sequence[Word]) -> str:
        """The words as they were typed, without what else they are called."""
        return self.both.join(self._wording(w[0]) for w in words)

    def any(self, words: Sequence[Word]) -> str:
        tokens = dict.fromkeys(t for word in words for wording in word for t in wording)
        return self.either.join(self._token(t) for t in tokens)

    def _word(self, word: Word) -> str:
        return "(" + self.either.join(self._wording(w) for w in word) + ")"

    def _wording(self, wording: Wording) -> str:
        return "(" + self.both.join(self._token(t) for t in wording) + ")"

    def _token(self, token: str) -> str:
        # A token has letters and digits only (`grams`), so that nothing in it ends the quotes.
        return f"{self.quote}{token}{self.quote}"


SQLITE: Final = _Language(is_sqlite=True, quote='"', both=" AND ", either=" OR ")
POSTGRESQL: Final = _Language(is_sqlite=False, quote="'", both=" & ", either=" | ")


def _is_one_token(words: Sequence[Word]) -> bool:
    return len(words) == len(words[0]) == len(words[0][0]) == 1


def _ask(
    connection: Connection,
    speaks: _Language,
    asked: str,
    typed: str,
    where: Sequence[ColumnElement[bool]],
    skip: int,
    most: int,
) -> tuple[int, list[int]]:
    rank: list[ColumnElement[Any]]
    if speaks.is_sqlite:
        found = select(shelf.c.number).join_from(_text, shelf, shelf.c.number == _text.c.rowid)
        found = found.where(_itself.op("MATCH")(asked), *where)
        as_typed = _text.c.rowid.in_(select(_text.c.rowid).where(_itself.op("MATCH")(typed)))
        rank = [func.bm25(_itself, *_WEIGHTS)]
    else:
        query = cast(literal(asked), _TSQUERY)
        found = select(shelf.c.number).where(shelf.c.tokens.op("@@")(query), *where)
        as_typed = shelf.c.tokens.op("@@")(cast(literal(typed), _TSQUERY))
        rank = [func.ts_rank(_CLASSES, shelf.c.tokens, query, _BY_LENGTH).desc()]
    return _counted(connection, found, [as_typed.desc(), *rank] if typed else rank, skip, most)


def _counted(
    connection: Connection,
    found: Select[tuple[int]],
    rank: Sequence[ColumnElement[Any]],
    skip: int,
    most: int,
) -> tuple[int, list[int]]:
    total = connection.execute(select(func.count()).select_from(found.subquery())).scalar_one()
    if total <= skip:
        return total, []
    best = found.order_by(*rank, shelf.c.number.desc()).limit(most).offset(skip)
    return total, [row.number for row in connection.execute(best)]
