"""The rules in force on a day, read from dated data: which kinds of use a grade admits, and more.

Before the first entry of a table nothing is known, and unknown means no.
"""

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from importlib import resources
from typing import Final, Protocol, TypeVar

import msgspec

from entrepot.values import Grade, KindOfUse, RefusedError

_RULES: Final = "rules.toml"


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    begins: date = msgspec.field(name="from")
    article: str


class _Kinds(_Entry, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The kinds of use that each grade admits; an entry speaks of every grade."""

    L1: frozenset[KindOfUse]
    L2: frozenset[KindOfUse]
    L3: frozenset[KindOfUse]
    L4: frozenset[KindOfUse]
    important: frozenset[KindOfUse]
    core: frozenset[KindOfUse]


class _Grace(_Entry, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Hours for each grade."""

    L1: int
    L2: int
    L3: int
    L4: int
    important: int
    core: int


class _Person(_Entry, frozen=True, forbid_unknown_fields=True, kw_only=True):
    grades: frozenset[Grade]


class _Retention(_Entry, frozen=True, forbid_unknown_fields=True, kw_only=True):
    kinds: frozenset[str]
    days: int


class _Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that `rules.toml` may hold."""

    kinds: tuple[_Kinds, ...]
    grace: tuple[_Grace, ...]
    person: tuple[_Person, ...]
    retention: tuple[_Retention, ...]


class _Dated(Protocol):
    @property
    def begins(self) -> date: ...


_T = TypeVar("_T", bound=_Dated)


@dataclass(frozen=True, slots=True)
class Ruling:
    """An answer of the rules, and the article it rests on. Advice to a responsible person."""

    allowed: bool
    reason: str
    article: str


def kinds_admitted(grade: Grade, on: date) -> frozenset[KindOfUse]:
    """The kinds of use that a contract over data of `grade` may contain on that day."""
    entry = _in_force(_read().kinds, on)
    return frozenset() if entry is None else _of_grade(entry, grade)


def may_list(grade: Grade | None, on: date) -> Ruling:
    """Whether data of this grade may be listed; without a grade, never."""
    entry = _in_force(_read().kinds, on)
    if entry is None:
        return Ruling(False, f"no rule for kinds of use is in force on {on}", "")
    if grade is None:
        return Ruling(False, "a product without a grade cannot be listed", entry.article)
    if not _of_grade(entry, grade):
        return Ruling(False, f"{grade} data is not offered by any kind of use", entry.article)
    return Ruling(True, "", entry.article)


@lru_cache(maxsize=1024)
def may_use(grade: Grade, kind: KindOfUse, on: date) -> Ruling:
    """Whether data of `grade` may be used by this kind of use."""
    entry = _in_force(_read().kinds, on)
    if entry is None:
        return Ruling(False, f"no rule for kinds of use is in force on {on}", "")
    if kind not in _of_grade(entry, grade):
        return Ruling(False, f"{grade} data does not admit {kind}", entry.article)
    return Ruling(True, "", entry.article)


@lru_cache(maxsize=1024)
def grace(grade: Grade, on: date) -> timedelta:
    """How old the knowledge of a member's status may be where no newer can be had."""
    entry = _in_force(_read().grace, on)
    if entry is None:
        return timedelta(0)
    hours: int = getattr(entry, str(grade))
    return timedelta(hours=hours)


def needs_person(grade: Grade, on: date) -> bool:
    """Whether a person must approve each contract over data of this grade; unknown means yes."""
    entry = _in_force(_read().person, on)
    return entry is None or grade in entry.grades


@lru_cache(maxsize=1024)
def retention(kind: str, on: date) -> timedelta:
    """How long records of this kind are kept at least; a kind that no rule names is refused.

    Of several rules the longest counts.
    """
    days = [entry.days for entry in _read().retention if kind in entry.kinds and entry.begins <= on]
    if not days:
        raise RefusedError(f"no rule says how long {kind} is kept on {on}")
    return timedelta(days=max(days))


def _of_grade(entry: _Kinds, grade: Grade) -> frozenset[KindOfUse]:
    kinds: frozenset[KindOfUse] = getattr(entry, str(grade))
    return kinds


def _in_force(entries: tuple[_T, ...], on: date) -> _T | None:
    """The newest entry whose day has come; nothing before the first."""
    begun = [entry for entry in entries if entry.begins <= on]
    return max(begun, key=lambda entry: entry.begins) if begun else None


@cache
def _read() -> _Book:
    text = resources.files(__package__).joinpath(_RULES).read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _Book)
