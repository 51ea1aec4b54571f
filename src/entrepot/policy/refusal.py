"""Why a policy says no: a value, which `reasons.py` puts into words.

To a use, and to an offer that promises what cannot be kept.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NOTHING: Final = "nothing"
OTHERWISE: Final = "something else"
"""Instead of what a caller has claimed: that is not repeated to others, as it may be personal."""
NOT_UTC: Final = "a time that is not UTC"


class Outcome(StrEnum):
    PERMIT = "permit"
    CONDITIONAL = "conditional"
    DENY = "deny"


class Reason(StrEnum):
    """Every reason that a policy has; `REFUSALS` says each in both languages."""

    UNCOVERED = "uncovered"
    FORBIDDEN = "forbidden"
    MAYBE_FORBIDDEN = "maybe forbidden"
    UNMET = "unmet"
    NOT_ONE = "not one"
    OWED_FIRST = "owed first"
    # Against an offer; about an operand, a kind of use, treatments, or a prohibition by its place.
    NO_VALUE = "no value"
    NO_FACTS = "no facts"
    TAKEN_BACK = "taken back"
    TAKEN_BACK_TOGETHER = "taken back together"
    DUTY_FORBIDDEN = "duty forbidden"
    UNKEPT = "unkept"
    UNSEEN = "unseen"
    UNPERMITTED = "unpermitted"
    GIVEN_AWAY = "given away"
    UNPROTECTED = "unprotected"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason, where it stands in the policy, what it is about, and what was found instead."""

    reason: Reason
    path: str = ""
    about: str = ""
    found: str = ""
