"""What every page says of those around it."""

from typing import TypedDict


class TurnedRow(TypedDict):
    """Where the pages around this one begin, as `after` of a call; the newest rows come first."""

    nextAfter: str | None
    previousAfter: str | None
    """Empty where the page before is the first."""
