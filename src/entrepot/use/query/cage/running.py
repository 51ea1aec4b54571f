"""The running child: a query of ours in, rows of groups out. It never sees a consumer's SQL.

It reads one `Job` from its input and writes one `Ran` to its output. Whatever goes wrong in the engine is one
word, for its errors hold values.
"""

import math
import os
import resource
import sys
from datetime import date
from decimal import Decimal
from typing import Final

import duckdb
import msgspec

from .difference import is_close
from .model import Job, Ran, Result, Rule, Told
from .table import INTEGERS, UnfitError, open_table

_LARGEST: Final = 2**53 - 1
_HEADROOM: Final = 2 << 30
"""Address space beside the engine's own memory: libraries, stacks, what the allocator reserves."""
_TYPES: Final = {
    **dict.fromkeys(INTEGERS, "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "number"),
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "datetime",
}


def run(job: Job) -> Ran:
    """Answer a query, or say which of two rules stands against it."""
    try:
        connection = open_table(job)
        if is_close(connection, job):
            return Ran(refused=Rule.DIFFERENCE)
        return Ran(result=_answer(connection, job))
    except (duckdb.Error, UnfitError, MemoryError, OverflowError, ValueError):
        return Ran(refused=Rule.ENGINE)


def _answer(connection: duckdb.DuckDBPyConnection, job: Job) -> Result:
    cursor = connection.execute(job.written.sql)
    kinds = [_type_of(str(column[1])) for column in cursor.description or ()]
    columns = tuple(Told(name=n, type=t) for n, t in zip(job.written.columns, kinds, strict=True))
    rows: list[tuple[bool | int | str | None, ...]] = []
    room = job.limits.bytes
    while len(rows) < job.limits.rows:
        found = cursor.fetchone()
        if found is None:
            return Result(columns=columns, rows=tuple(rows), cut=False)
        row = tuple(exact(value) for value in found)
        room -= sum(len(str(value)) + 8 for value in row)
        if room < 0:
            return Result(columns=columns, rows=tuple(rows), cut=True)
        rows.append(row)
    return Result(columns=columns, rows=tuple(rows), cut=cursor.fetchone() is not None)


def _type_of(name: str) -> str:
    return "decimal" if name.startswith("DECIMAL") else _TYPES.get(name, "text")


def exact(value: object) -> bool | int | str | None:
    """A value as it goes into the answer: nothing is rounded on the way."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) <= _LARGEST else str(value)
        case float():
            # Minus zero is zero; there are no two texts for one number.
            return repr(value + 0.0) if math.isfinite(value) else str(value)
        case Decimal():
            return f"{value:f}"
        case date():
            return value.isoformat()
    raise ValueError(type(value).__name__)


def limit(job: Job) -> None:
    """Bound this process; the one that started it ends it when its time is over."""
    memory = (job.limits.megabytes << 20) + _HEADROOM
    seconds = math.ceil(job.limits.seconds) + 1
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (most, most))


def main() -> None:
    """Do the one job on standard input."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    limit(job)
    answer = os.dup(1)
    os.dup2(2, 1)  # nothing that the engine prints is part of the answer
    with os.fdopen(answer, "wb") as out:
        out.write(msgspec.json.encode(run(job)))


if __name__ == "__main__":
    main()
