"""Search: what on the shelf answers to these words, and lies within these filters?

Words are looked for in titles, keywords and descriptions, in Chinese and English, each with what else it
is called (`synonyms`). Every word must be found; where nothing has them all, what has most comes first.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection

from entrepot.catalogue import search_store, shelf_store
from entrepot.catalogue.grams import folded
from entrepot.catalogue.shelf_store import keyword_tag, shelf
from entrepot.catalogue.synonyms import words_of
from entrepot.values import Did, Grade, KindOfUse, MalformedError, UtcTime

LONGEST_QUERY: Final = 500
MOST: Final = 100
"""Products on one page of an answer."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for. A filter that is empty excludes nothing."""

    words: str = ""
    grades: frozenset[Grade] = frozenset()
    kinds: frozenset[KindOfUse] = frozenset()
    """Products that are offered for any of these."""
    provider: Did | None = None
    keywords: tuple[str, ...] = ()
    """Products that have all of these."""
    media_type: str = ""
    """A media type, or a whole family of them: `text/*`."""
    since: UtcTime | None = None
    until: UtcTime | None = None
    """Published from `since` on, and before `until`."""
    offset: int = 0
    limit: int = 20

    def check(self) -> None:
        """Refuse what would make the search long for nothing."""
        if len(self.words) > LONGEST_QUERY or len(self.keywords) > MOST:
            raise MalformedError(f"a search has at most {LONGEST_QUERY} characters and {MOST} keywords")
        if not 0 <= self.offset <= 1_000_000 or not 1 <= self.limit <= MOST:
            raise MalformedError(f"a page has 1 to {MOST} products and does not begin before the first")


@dataclass(frozen=True, slots=True)
class Found:
    """One page of an answer: how many products there are in all, and these, the best first."""

    total: int
    datasets: tuple[bytes, ...]
    """Each as the catalogue shows it."""
    next_offset: int | None
    providers: tuple[Did, ...] = ()
    """Whose each is, where that was asked here and not of another node."""


def search(connection: Connection, wanted: Search) -> Found:
    """Look for products on offer."""
    wanted.check()
    words = words_of(wanted.words)
    if wanted.words.strip() and not words:
        return Found(0, (), None)  # marks alone name nothing
    total, numbers = search_store.find(connection, words, _filters(wanted), wanted.offset, wanted.limit)
    after = wanted.offset + len(numbers)
    shown = shelf_store.datasets(connection, numbers)
    return Found(
        total,
        tuple(dataset for _, dataset in shown),
        after if numbers and after < total else None,
        tuple(whose for whose, _ in shown),
    )


def _filters(wanted: Search) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if wanted.grades:
        where.append(shelf.c.grade.in_(sorted(str(g) for g in wanted.grades)))
    if wanted.kinds:
        where.append(search_store.has_tag(*(f"kind:{k}" for k in wanted.kinds)))
    if wanted.provider is not None:
        where.append(shelf.c.provider == wanted.provider)
    where += [search_store.has_tag(keyword_tag(k)) for k in wanted.keywords]
    if wanted.media_type:
        where.append(_media_type(folded(wanted.media_type)))
    if wanted.since is not None:
        where.append(shelf.c.published_at >= wanted.since)
    if wanted.until is not None:
        where.append(shelf.c.published_at < wanted.until)
    return where


def _media_type(wanted: str) -> ColumnElement[bool]:
    if wanted.endswith("/*"):
        return shelf.c.media_type.startswith(wanted[:-1], autoescape=True)
    return shelf.c.media_type == wanted
