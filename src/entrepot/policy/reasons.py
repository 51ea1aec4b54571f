"""What a policy is refused for, and what it asks, put into words from the names and values that stand there.

A refusal goes out and is kept in English. Whoever shows it to a reader of Chinese reads that back, so that
nothing on the wire or in a record need be said twice. The words are in `phrases.py`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from entrepot.policy.literals import parse_duration
from entrepot.policy.model import Operand, OperandType, Operator
from entrepot.policy.phrases import (
    FOUND,
    PERIODS,
    PLACES,
    REFUSALS,
    ROLES,
    WORDS,
    Language,
    length,
    phrase,
)
from entrepot.policy.refusal import Reason, Refusal
from entrepot.policy.vocabulary import ACTIONS, OPERANDS
from entrepot.values import MalformedError

_EN, _ZH = Language.ENGLISH, Language.CHINESE

_ACTION_WORDS: Final = {name: action.chinese for name, action in ACTIONS.items()}
_OWN_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "role": ROLES,
    "treatment": _ACTION_WORDS,
    **{o.name: WORDS for o in OPERANDS.values() if o.type in {OperandType.WORD, OperandType.KIND}},
}
"""The operands whose values are words of ours, with these words."""
_NAMES: Final = {**_ACTION_WORDS, **WORDS, **{o.name: o.chinese for o in OPERANDS.values()}}


def say_refusal(refusal: Refusal, language: str) -> str:
    """Put a refusal into words; `language` is `en` or `zh`."""
    words = Language(language)
    path, about, found = refusal.path, refusal.about, refusal.found
    if words is _ZH:
        path = place_said(path)
        if refusal.reason is Reason.UNMET:
            operand, _, _ = about.partition(" ")
            found = seen(found, OPERANDS[operand])
        if refusal.reason in _ABOUT:
            about = _ABOUT[refusal.reason][1](about)
    return REFUSALS[words][refusal.reason].format(path=path, about=about, found=found)


def read_refusal(text: str) -> Refusal | None:
    """The refusal that an English text is; None where it is any other text, whoever wrote it."""
    for reason, pattern in _PATTERNS.items():
        if match := pattern.fullmatch(text):
            return Refusal(reason, **match.groupdict())
    return None


def place_said(path: str) -> str:
    """A path through a policy, in Chinese."""
    return "·".join(PLACES[name].format(int(number) + 1) for name, number in _STEP.findall(path))


def condition(operand: Operand, operator: Operator, value: str) -> str:
    """A comparison in Chinese, its value as `show_value` has it."""
    return phrase(operand.type, operator, _ZH).format(operand.chinese, shown(value, operand))


def seen(text: str, operand: Operand) -> str:
    """What was found, in Chinese."""
    return FOUND.get(text) or shown(text, operand)


def shown(text: str, operand: Operand) -> str:
    """A value as `show_value` has it, in Chinese: what is a word of ours is one, the rest stays as it is."""
    words = _OWN_WORDS.get(operand.name)
    if words is not None:
        return _WORD.sub(lambda m: f"{words[m[0]]}（{m[0]}）" if m[0] in words else m[0], text)
    if operand.type is OperandType.RATE:
        uses, _, period = text.partition("/")
        return PERIODS[period].format(uses) if period in PERIODS else text
    return _length(text) if operand.type is OperandType.DURATION else text


def duty_said(name: str) -> str:
    """What `duty_name` calls a duty, in Chinese."""
    head, _, within = name.partition(" within ")
    action, _, amount = head.partition(" ")
    said = f"“{_ACTION_WORDS.get(action, action)}”" + (f" {amount}" if amount else "")
    return f"{said}（{_length(within)}内）" if within else said


def _length(text: str) -> str:
    try:
        return length(parse_duration(text), _ZH)
    except MalformedError:
        return text


def _asked(text: str) -> str:
    operand, operator, value = (*text.split(" ", 2), "")[:3]
    return condition(OPERANDS[operand], Operator(operator), value)


def _named(text: str) -> str:
    return "、".join(_NAMES[name] for name in text.split(", "))


def _any(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(words)})"


_WORD: Final = re.compile(r"[A-Za-z]+")
_STEP: Final = re.compile(r"([a-z]+)\[(\d+)\]")
_A_PLACE: Final = rf"{_any(PLACES)}(?:\[\d{{1,9}}\](?:\.{_any(PLACES)}\[\d{{1,9}}\])*)?"
_VALUE: Final = "(?:(?!; ).)*"
"""Reasons of one text are joined like that; a value that holds it is not read back."""
_A_NAME: Final = _any(_NAMES)

_Shape: TypeAlias = tuple[str, Callable[[str], str]]
_COMPARISON: Final[_Shape] = (rf"{_any(OPERANDS)} {_any(Operator)}(?: {_VALUE}?)?", _asked)
_NAMED: Final[_Shape] = (rf"{_A_NAME}(?:, {_A_NAME})*", _named)
_PLACED: Final[_Shape] = (_A_PLACE, place_said)
_ABOUT: Final[Mapping[Reason, _Shape]] = {
    Reason.UNMET: _COMPARISON,
    Reason.OWED_FIRST: (rf"{_any(ACTIONS)}(?: [\d.]+ [A-Z]{{3}})?(?: within P\w+)?", duty_said),
    Reason.NO_VALUE: _NAMED,
    Reason.TAKEN_BACK: _PLACED,
    Reason.DUTY_FORBIDDEN: _PLACED,
    Reason.UNSEEN: _NAMED,
    Reason.UNPERMITTED: _NAMED,
    Reason.GIVEN_AWAY: _PLACED,
    Reason.UNPROTECTED: _NAMED,
}
"""What a refusal is about: how that looks, and how it is said in Chinese."""


def _pattern(reason: Reason) -> re.Pattern[str]:
    text = re.escape(REFUSALS[_EN][reason])
    holes = {"path": _A_PLACE, "about": _ABOUT[reason][0] if reason in _ABOUT else "", "found": _VALUE}
    for name, shape in holes.items():
        text = text.replace(rf"\{{{name}\}}", f"(?P<{name}>{shape})")
    return re.compile(text, re.DOTALL | re.ASCII)


_PATTERNS: Final = {reason: _pattern(reason) for reason in Reason}
