"""National codes and their check characters.

- nodes, data and contracts: MOD 37-2 of ISO/IEC 7064 (GB/T 17710), structures of NDI-04 clause 4 and
  of the digital-contract specification, table C.1;
- organisations: the unified social credit code (GB 32100);
- citizens: the identity number (GB 11643). **Never put one on a ledger or in a log.**
"""

import re
from enum import StrEnum
from typing import Final

from entrepot.values.clock import UtcTime, require_utc
from entrepot.values.errors import MalformedError

_ALPHANUMERIC: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALPHABET_37: Final = _ALPHANUMERIC + "*"
_ALPHABET_31: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS_31: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_CITIZEN: Final = re.compile(r"\d{17}[\dX]", re.ASCII)
_NO_MARKS: Final = str.maketrans("", "", "-:T")
_PLACE: Final = re.compile(r"\d{4}", re.ASCII)


class NodeType(StrEnum):
    """First character of a node's code (NDI-04, 4.2)."""

    GLOBAL = "1"
    REGIONAL = "2"
    INDUSTRY = "3"
    BUSINESS = "4"
    CONNECTOR = "5"


class DataType(StrEnum):
    """First character of a data code (NDI-04, 4.3)."""

    PRODUCT = "6"
    RESOURCE = "7"


def check_character(body: str) -> str:
    """The MOD 37-2 check character of `body`, one of `0-9A-Z*`."""
    total = 0
    for character in body:
        total = 2 * (total + _value(character)) % 37
    return _ALPHABET_37[(1 - total) % 37]


def is_checked(code: str) -> bool:
    """Say whether the last character of `code` is the check character of the rest."""
    return (
        len(code) > 1
        and all(c in _ALPHANUMERIC for c in code[:-1])
        and code[-1] == check_character(code[:-1])
    )


def is_social_credit_code(code: str) -> bool:
    """Say whether `code` is a well-formed unified social credit code (GB 32100)."""
    if len(code) != 18 or not all(c in _ALPHABET_31 for c in code):
        return False
    total = sum(_ALPHABET_31.index(c) * w for c, w in zip(code, _WEIGHTS_31, strict=False))
    return code[-1] == _ALPHABET_31[-total % 31]


def is_citizen_id(code: str) -> bool:
    """Say whether `code` has the form and check character of an identity number (GB 11643)."""
    if not _CITIZEN.fullmatch(code):
        return False
    total = sum(int(c) * (2 ** (17 - i) % 11) for i, c in enumerate(code[:-1]))
    return code[-1] == "10X98765432"[total % 11]


def node_code(kind: NodeType, subject: str, place: str, random: str) -> str:
    """The 32-character code of a platform or connector (NDI-04, 4.2).

    `place` is four digits: a region of GB/T 2260, or `00` and two digits of an industry of GB/T 4754.
    """
    return _checked(kind + _subject(subject) + _place(place) + _random(random))


def data_code(kind: DataType, subject: str, place: str, random: str) -> str:
    """The 32-character code of a data product or resource (NDI-04, 4.3)."""
    return _checked(kind + _subject(subject) + _place(place) + _random(random))


def contract_code(kind: str, node: NodeType, subject: str, place: str, at: UtcTime, random: str) -> str:
    """The 47-character code of a digital contract (table C.1).

    The consulted text lists no values for `kind` and names no check algorithm; the caller's setting
    gives the one, MOD 37-2 is used for the other.
    """
    if len(kind) != 1 or kind not in _ALPHANUMERIC:
        raise MalformedError(f"expected one character of 0-9A-Z as contract type, got {kind[:80]!r}")
    time = require_utc(at).isoformat(timespec="seconds").translate(_NO_MARKS)[:14]
    return _checked(kind + node + _subject(subject) + _place(place) + time + _random(random))


def _checked(body: str) -> str:
    return body + check_character(body)


def _value(character: str) -> int:
    position = _ALPHANUMERIC.find(character)
    if position < 0 or len(character) != 1:
        raise MalformedError(f"expected a character of 0-9A-Z, got {character!r}")
    return position


def _subject(subject: str) -> str:
    if len(subject) != 18 or not all(c in _ALPHANUMERIC for c in subject):
        raise MalformedError(f"expected 18 characters of 0-9A-Z as subject, got {len(subject)} characters")
    return subject


def _place(place: str) -> str:
    if not _PLACE.fullmatch(place):
        raise MalformedError(f"expected four digits as region or industry, got {place[:80]!r}")
    return place


def _random(random: str) -> str:
    if len(random) != 8 or not all(c in _ALPHANUMERIC for c in random):
        raise MalformedError("expected eight random characters of 0-9A-Z")
    return random
