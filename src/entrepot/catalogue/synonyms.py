"""Words that mean the same in the catalogue's two languages, and how a query is read with them."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final, TypeAlias

from entrepot.catalogue.grams import SILENT, SILENT_HAN, is_han, pairs, runs, stem

Wording: TypeAlias = tuple[str, ...]
"""Tokens that must all be there."""
Word: TypeAlias = tuple[Wording, ...]
"""Wordings of which one is enough; the first is the one that was typed."""

MAX_WORDS: Final = 24
_LONGEST: Final = 5
"""Words that an English term has at most."""


@dataclass(frozen=True, slots=True)
class _Synonyms:
    groups: Mapping[Wording, Word]
    """By the runs of each term: the wordings of all terms of its group."""
    longest_han: int


def words_of(query: str) -> tuple[Word, ...]:
    """What a query asks for, word by word; each word with what else it may be called."""
    found = runs(query)
    words: list[Word] = []
    at = 0
    while at < len(found) and len(words) < MAX_WORDS:
        if is_han(found[at]):
            words += _han_words(found[at])
            at += 1
            continue
        known, length = _known_at(found, at)
        if known is not None:
            words.append(known)
        elif found[at] not in SILENT:
            words.append(((stem(found[at]),),))
        at += length
    return tuple(dict.fromkeys(words[:MAX_WORDS]))


def _known_at(found: list[str], at: int) -> tuple[Word | None, int]:
    """The longest known term that begins here, and how many words it has."""
    groups = _synonyms().groups
    for length in range(min(_LONGEST, len(found) - at), 0, -1):
        typed = tuple(stem(r) for r in found[at : at + length])
        known = groups.get(typed)
        if known is not None:
            return _typed_first(typed, known), length
    return None, 1


def _han_words(run: str) -> Iterator[Word]:
    """Cut a run at the terms that are known; the rest is looked for by its pairs."""
    synonyms = _synonyms()
    at = begun = 0
    while at < len(run):
        known, length = None, 0
        for length in range(min(synonyms.longest_han, len(run) - at), 1, -1):
            known = synonyms.groups.get((run[at : at + length],))
            if known is not None:
                break
        if known is None:
            at += 1
            continue
        yield from _unknown(run[begun:at])
        yield _typed_first((run[at : at + length],), known)
        begun = at = at + length
    yield from _unknown(run[begun:])


def _typed_first(term: tuple[str, ...], known: Word) -> Word:
    return tuple(dict.fromkeys((_wording(term), *known)))


def _unknown(text: str) -> Iterator[Word]:
    for piece in SILENT_HAN.split(text):
        if piece:
            yield (_wording((piece,)),)


def _wording(term: tuple[str, ...]) -> Wording:
    """The tokens by which the runs of a term are found."""
    tokens: list[str] = []
    for run in term:
        if not is_han(run):
            tokens.append(run)
        else:
            tokens += pairs(run) or [run]
    return tuple(dict.fromkeys(tokens))


@lru_cache(maxsize=1)
def _synonyms() -> _Synonyms:
    text = resources.files(__package__).joinpath("synonyms.toml").read_text("utf-8")
    document = tomllib.loads(text)
    groups: dict[Wording, Word] = {}
    longest = 2
    for group in [*document["glossary"], *document["everyday"]]:
        terms = [tuple(r if is_han(r) else stem(r) for r in runs(term)) for term in group]
        word = tuple(dict.fromkeys(_wording(term) for term in terms))
        for term in terms:
            groups[term] = word
            longest = max(longest, *(len(r) for r in term if is_han(r)), 2)
    return _Synonyms(groups, longest)
