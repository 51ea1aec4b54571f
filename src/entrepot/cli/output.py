"""What a command prints: the answer on standard output, everything else on standard error.

Exit codes: 0 done · 1 a fault · 2 wrong usage · 3 refused by a rule · 4 not found · 5 cannot be reached
now · 6 waits for a person · 8 does not verify.
"""

import json
import re
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

from entrepot.values import (
    EntrepotError,
    MalformedError,
    NotFoundError,
    RefusedError,
    TrustError,
    UnavailableError,
)


class NodeError(EntrepotError):
    """The node refused what was asked; carries its own words and remedy."""

    def __init__(self, status: int, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.http_status = status
        self._remedy = remedy

    def remedy(self) -> str:
        return self._remedy


class Exit(IntEnum):
    DONE = 0
    FAULT = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    UNAVAILABLE = 5
    WAITS = 6
    NOT_VERIFIED = 8


_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def show(value: Any, *, as_json: bool, text: str) -> None:  # noqa: ANN401 (whatever JSON can hold)
    """Print the answer, as JSON or as text for a person.

    Much of it is a stranger's word, or its data. On a terminal no character of it moves the cursor.
    """
    told = json.dumps(value, ensure_ascii=False, indent=2) if as_json else text
    print(_CONTROL.sub("\ufffd", told) if sys.stdout.isatty() else told)  # noqa: T201 (the answer)


def say(text: str) -> None:
    """Tell a person something that is not the answer."""
    print(text, file=sys.stderr)  # noqa: T201 (standard error)


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str], empty: str) -> str:
    """Write rows as an aligned table; where there are none, say what to do next."""
    if not rows:
        return empty
    cells = [[str(r.get(c, "")) for c in columns] for r in rows]
    widths = [max(len(c), *(len(line[i]) for line in cells)) for i, c in enumerate(columns)]
    lines = ["  ".join(c.upper().ljust(w) for c, w in zip(columns, widths, strict=True))]
    lines += ["  ".join(v.ljust(w) for v, w in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(line.rstrip() for line in lines)


def called(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each with a title: its product's code where nobody has told one."""
    return [row | {"title": row["title"] or row["product"] or ""} for row in rows]


def complain(error: EntrepotError, *, as_json: bool) -> Exit:
    """Say what went wrong and what to do about it; give the exit code."""
    if as_json:
        problem = {"error": type(error).__name__, "detail": str(error), "remedy": error.remedy()}
        print(json.dumps(problem, ensure_ascii=False))  # noqa: T201 (the answer)
    say(f"entrepot: {error}")
    if error.remedy():
        say(f"  {error.remedy()}")
    return code_of(error)


def code_of(error: EntrepotError) -> Exit:
    if isinstance(error, NodeError):
        by_status = {401: Exit.REFUSED, 403: Exit.REFUSED, 404: Exit.NOT_FOUND, 503: Exit.UNAVAILABLE}
        return by_status.get(error.http_status, Exit.FAULT)
    match error:
        case RefusedError() | TrustError():
            return Exit.REFUSED
        case NotFoundError():
            return Exit.NOT_FOUND
        case UnavailableError():
            return Exit.UNAVAILABLE
        case MalformedError():
            return Exit.USAGE
        case _:
            return Exit.FAULT
