"""UTC time: aware, to the microsecond, written in one way (RFC 3339 with `Z`)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeAlias

from entrepot.values.errors import MalformedError

UtcTime: TypeAlias = datetime
"""An aware time whose zone is UTC. `require_utc` keeps the promise at a border."""

Clock: TypeAlias = Callable[[], UtcTime]

_ZONED: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:[0-5]\d)", re.ASCII | re.IGNORECASE
)


def system_clock() -> UtcTime:
    """Read the machine's clock. For edge modules only; everything else takes `now`."""
    return datetime.now(UTC)


def require_utc(time: datetime) -> UtcTime:
    if time.utcoffset() is None:
        raise MalformedError(f"time without a zone: {time.isoformat()}")
    return time.astimezone(UTC)


def parse_time(text: str) -> UtcTime:
    """Read an RFC 3339 time; a time without a zone is refused, digits below a microsecond are cut.

    Zero seconds may be left out, as Java writes them.
    """
    if not _ZONED.fullmatch(text):
        raise MalformedError(f"expected a time such as 2026-11-25T08:00:00Z, got {text[:80]!r}")
    try:
        return require_utc(datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.upper())))
    except (ValueError, OverflowError) as error:
        raise MalformedError(f"no such time: {text!r}") from error


def render_time(time: UtcTime) -> str:
    """Write `time` in UTC; the same instant always gives the same text."""
    return require_utc(time).isoformat(timespec="microseconds").replace("+00:00", "Z")
