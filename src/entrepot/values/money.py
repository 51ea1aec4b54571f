"""Money: integer minor units with a currency."""

import re
from dataclasses import dataclass
from typing import Final

from entrepot.values.errors import MalformedError

_CURRENCY: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (fen, cents) of an ISO 4217 currency."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if not _CURRENCY.fullmatch(self.currency):
            raise MalformedError(f"expected an ISO 4217 code, got {self.currency[:80]!r}")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same_currency(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same_currency(other), self.currency)

    def _same_currency(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise MalformedError(f"{other.currency} cannot be counted as {self.currency}")
        return other.minor
