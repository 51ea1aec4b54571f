"""Right operands as text: how each type is read, how it is written, how it is shown to a person.

The type fixes the unit; a number is text. One meaning has one value, whatever its spelling.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Final

from entrepot.policy.filters import parse_filter
from entrepot.policy.model import Operand, OperandType, Period, Rate, Value, Window
from entrepot.policy.network import short_network
from entrepot.policy.region import short_region
from entrepot.policy.vocabulary import ENTREPOT
from entrepot.values import KindOfUse, MalformedError, Money, parse_time, render_time

MAX_NAME: Final = 128

_DEFAULT_ZONE: Final = timedelta(hours=8)
_NO_OFFSET: Final = timedelta(0)

_WINDOW: Final = re.compile(r"(\d\d):(\d\d)/(\d\d):(\d\d)(?:Z|([+-])(\d\d):([0-5]\d))?", re.ASCII)
_RATE: Final = re.compile(r"([1-9]\d{0,8})/(minute|hour|day)", re.ASCII)
_WHOLE: Final = re.compile(r"[1-9]\d{0,14}", re.ASCII)
_DID: Final = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._%-]", re.ASCII)
_DURATION: Final = re.compile(
    r"P(?:(\d{1,5})W|(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?)", re.ASCII
)
_MONEY: Final = re.compile(r"(\d{1,12})(?:\.(\d{2,3}))? ([A-Z]{3})", re.ASCII)
_DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Digits behind the point where they are not two (ISO 4217)."""


def read_value(operand: Operand, text: str) -> Value:
    """What a text means to an operand, or `MalformedError`."""
    if operand.type is OperandType.WORD:
        return _read_word(operand, text)
    return _READERS[operand.type](text)


def write_value(value: Value, kind: OperandType) -> str:
    """The text of one value on the wire; `read_value` gives the value again."""
    match value:
        case Window(opens, closes, offset):
            return f"{opens:%H:%M}/{closes:%H:%M}{_zone(offset)}"
        case datetime():
            return render_time(value)
        case str():
            return ENTREPOT + value if kind is OperandType.KIND else value
        case _:
            return show_value(value)


def show_value(value: Value) -> str:  # noqa: PLR0911  # one line a type of value
    """A value as a person reads it."""
    match value:
        case frozenset():
            return "[" + ", ".join(sorted(value)) + "]"
        case Window(opens, closes, offset):
            return f"{opens:%H:%M}-{closes:%H:%M} UTC{_zone(offset)}"
        case Rate(uses, period):
            return f"{uses}/{period}"
        case datetime():
            return render_time(value)
        case timedelta():
            return render_duration(value)
        case Money():
            return render_money(value)
        case _:
            return str(value)


def parse_duration(text: str) -> timedelta:
    """Read weeks, days, hours, minutes and seconds of ISO 8601, more than none of them."""
    match = _DURATION.fullmatch(text)
    parts = [int(p or 0) for p in match.groups()] if match else []
    if not any(parts):
        raise MalformedError(f"expected days, hours, minutes or seconds such as P30D or PT12H, got {text!r}")
    weeks, days, hours, minutes, seconds = parts
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def render_duration(length: timedelta) -> str:
    """Write a length of whole seconds in one way: `P30D`, `P1DT12H`, `PT0S`."""
    hours, seconds = divmod(length.seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    clock = "".join(f"{n}{u}" for n, u in ((hours, "H"), (minutes, "M"), (seconds, "S")) if n)
    days = f"{length.days}D" if length.days else ""
    return f"P{days}T{clock}" if clock else f"P{days}" if days else "PT0S"


def parse_money(text: str) -> Money:
    """Read an amount with all the digits that its currency has, and no more: `100.00 CNY`, `100 JPY`."""
    match = _MONEY.fullmatch(text)
    if match is None or len(match[2] or "") != _DIGITS.get(match[3], 2):
        raise MalformedError(f"expected an amount such as 100.00 CNY or 100 JPY, got {text!r}")
    minor = int(match[1] + (match[2] or ""))
    if minor == 0:
        raise MalformedError("an amount of nothing is no amount")
    return Money(minor, match[3])


def render_money(amount: Money) -> str:
    digits = _DIGITS.get(amount.currency, 2)
    whole, rest = divmod(amount.minor, 10**digits)
    return f"{whole}.{rest:0{digits}} {amount.currency}" if digits else f"{whole} {amount.currency}"


def _zone(offset: timedelta) -> str:
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return f"{'-' if offset < _NO_OFFSET else '+'}{hours:02}:{minutes:02}"


def _read_name(text: str) -> str:
    if len(text) > MAX_NAME:
        raise MalformedError(f"expected a name of at most {MAX_NAME} characters")
    return text


def _read_word(operand: Operand, text: str) -> str:
    words = [word for word, _ in operand.words]
    if text not in words:
        raise MalformedError(f"expected one of {', '.join(words)}, got {text!r}")
    return text


def _read_whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise MalformedError(f"expected a positive whole number, got {text!r}")
    return int(text)


def _read_rate(text: str) -> Rate:
    match = _RATE.fullmatch(text)
    if match is None:
        raise MalformedError(f"expected a rate such as 10/minute, 10/hour or 10/day, got {text!r}")
    return Rate(int(match[1]), Period(match[2]))


def _read_region(text: str) -> str:
    code = short_region(text)
    if code is None:
        raise MalformedError(f"expected a region of GB/T 2260 of two, four or six digits, got {text!r}")
    return code


def _read_party(text: str) -> str:
    if not _DID.fullmatch(text):
        raise MalformedError(f"expected a DID such as did:web:example.org, got {text!r}")
    return text


def _read_kind(text: str) -> str:
    name = text.removeprefix(ENTREPOT)
    if name not in tuple(KindOfUse):
        raise MalformedError(f"expected one of {', '.join(KindOfUse)}, got {text!r}")
    return name


def _read_window(text: str) -> Window:
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise MalformedError(f"expected a daily window such as 08:00/18:00+08:00, got {text!r}")
    if match[5]:
        offset = timedelta(hours=int(match[6]), minutes=int(match[7])) * (-1 if match[5] == "-" else 1)
    else:
        offset = _NO_OFFSET if text.endswith("Z") else _DEFAULT_ZONE
    try:
        window = Window(time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4])), offset)
    except ValueError as error:
        raise MalformedError(f"no such time of day in {text!r}") from error
    if window.opens == window.closes or abs(offset) > timedelta(hours=14):
        raise MalformedError(f"an empty window or no such zone: {text!r}")
    return window


_READERS: Final[Mapping[OperandType, Callable[[str], Value]]] = {
    OperandType.TERM: str,
    OperandType.NAMES: _read_name,
    OperandType.PARTY: _read_party,
    OperandType.KIND: _read_kind,
    OperandType.REGION: _read_region,
    OperandType.NETWORK: short_network,
    OperandType.TIME: parse_time,
    OperandType.WINDOW: _read_window,
    OperandType.DURATION: parse_duration,
    OperandType.USES: _read_whole,
    OperandType.RATE: _read_rate,
    OperandType.BUDGET: _read_whole,
    OperandType.NUMBER: _read_whole,
    OperandType.MONEY: parse_money,
    OperandType.FILTER: parse_filter,
}
