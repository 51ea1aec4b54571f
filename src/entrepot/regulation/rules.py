"""The rules in force on a day, read from dated data: which kinds of use a grade admits, and more.

Before the first entry of a table nothing is known, and unknown means no.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any, Final

from entrepot.values import Grade, KindOfUse, RefusedError

_RULES: Final = "rules.toml"


@dataclass(frozen=True, slots=True)
class Ruling:
    """An answer of the rules, and the article it rests on. Advice to a responsible person."""

    allowed: bool
    reason: str
    article: str


def kinds_admitted(grade: Grade, on: date) -> frozenset[KindOfUse]:
    """The kinds of use that a contract over data of `grade` may contain on that day."""
    entry = _in_force("kinds", on)
    return frozenset(KindOfUse(k) for k in entry.get(grade, ()))


def may_list(grade: Grade | None, on: date) -> Ruling:
    """Whether data of this grade may be listed; without a grade, never."""
    entry = _in_force("kinds", on)
    if grade is None:
        return Ruling(False, "a product without a grade cannot be listed", entry.get("article", ""))
    if not kinds_admitted(grade, on):
        return Ruling(False, f"{grade} data is not offered by any kind of use", entry.get("article", ""))
    return Ruling(True, "", entry["article"])


def may_use(grade: Grade, kind: KindOfUse, on: date) -> Ruling:
    """Whether data of `grade` may be used by this kind of use."""
    entry = _in_force("kinds", on)
    if kind in kinds_admitted(grade, on):
        return Ruling(True, "", entry["article"])
    return Ruling(False, f"{grade} data does not admit {kind}", entry.get("article", ""))


def grace(grade: Grade, on: date) -> timedelta:
    """How old the knowledge of a member's status may be where no newer can be had."""
    return timedelta(hours=_in_force("grace", on).get(grade, 0))


def needs_person(grade: Grade, on: date) -> bool:
    """Whether a person must approve each contract over data of this grade; unknown means yes."""
    entry = _in_force("person", on)
    return not entry or grade in entry["grades"]


def retention(kind: str, on: date) -> timedelta:
    """How long records of this kind are kept at least; a kind that no rule names is refused."""
    days = _in_force("retention", on).get(kind)
    if days is None:
        raise RefusedError(f"no rule says how long {kind} is kept on {on}")
    return timedelta(days=days)


def _in_force(table: str, on: date) -> Mapping[str, Any]:
    """The newest entry of a table whose date has come; nothing before the first."""
    entries = [e for e in _read()[table] if e["from"] <= on]
    return max(entries, key=lambda e: e["from"]) if entries else {}


@cache
def _read() -> Mapping[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath(_RULES).read_text("utf-8"))
