"""Opening the table: one file, read only, and every value such that nothing computed over rows can fail.

Numbers of more than 64 bits become binary floating point; what is not finite or absurdly large, and moments
outside the years 1 to 9999, become empty. Afterwards the engine reads that one file, and its settings are
locked.
"""

import re
import secrets
from typing import Final

import duckdb

from .draft import FILE, MARK, SUBJECT
from .model import KIND_OF, Job, Kind, Role
from .text import listed, quoted, words

_CONFIG: Final = {
    "threads": "1",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "allow_unsigned_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "max_temp_directory_size": "0KB",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
_SMALL: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_EXACT: Final = frozenset({*_SMALL, *(f"U{name}" for name in _SMALL)})
_WIDE: Final = frozenset({"HUGEINT", "UHUGEINT"})
INTEGERS: Final = _EXACT | _WIDE
_BINARY: Final = frozenset({"FLOAT", "DOUBLE"})
_MOMENTS: Final = frozenset({"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"})
_ZONED: Final = "TIMESTAMP WITH TIME ZONE"
_DECIMAL: Final = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_MOST_DIGITS: Final = 18
"""Sums of decimals up to this width are exact and cannot overflow."""


class UnfitError(Exception):
    """The file is not what its description says."""


def open_table(job: Job) -> duckdb.DuckDBPyConnection:
    """Open the file of a job as its table, then lock the engine."""
    connection = duckdb.connect(":memory:", config={**_CONFIG, "memory_limit": f"{job.limits.megabytes}MB"})
    path = "'" + job.path.replace("'", "''") + "'"
    file = f"read_parquet({path}, file_row_number = true)"
    described = connection.execute(words("DESCRIBE SELECT * FROM", file)).fetchall()
    connection.execute(_view(job, file, {str(name): str(kind) for name, kind, *_ in described}))
    connection.execute(f"SET allowed_paths = [{path}]")
    connection.execute("SET enable_progress_bar = false")  # it writes to the standard output
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _view(job: Job, file: str, types: dict[str, str]) -> str:
    columns = [f"{_bounded(c.name, KIND_OF[c.type], types)} AS {quoted(c.name)}" for c in job.table.columns]
    subjects = [quoted(c.name) for c in job.table.columns if c.role is Role.SUBJECT]
    subject = subjects[0] if subjects else "file_row_number"
    # Whoever knew the marks could choose rows whose marks, taken together, look like those of others.
    mark = f"hash(file_row_number, {secrets.randbits(63)})"
    hidden = [f"{subject} AS {quoted(SUBJECT)}", f"{mark} AS {quoted(MARK)}"]
    select = words("SELECT", listed([*columns, *hidden]), "FROM", file, f"WHERE {subject} IS NOT NULL")
    return words("CREATE VIEW", quoted(FILE), "AS", select)


def _bounded(name: str, kind: Kind, types: dict[str, str]) -> str:
    column, found = quoted(name), types.get(name, "")
    decimal = _DECIMAL.fullmatch(found)
    match kind:
        case Kind.NUMBER if found in _EXACT or (decimal and int(decimal[1]) <= _MOST_DIGITS):
            return column
        case Kind.NUMBER if found in _BINARY | _WIDE or decimal:
            number = f"TRY_CAST({column} AS DOUBLE)"
            return f"CASE WHEN isfinite({number}) AND abs({number}) < 1e100 THEN {number} END"
        case Kind.TEXT if found == "VARCHAR":
            return column
        case Kind.BOOLEAN if found == "BOOLEAN":
            return column
        case Kind.DATE if found == "DATE":
            return f"CASE WHEN {column} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {column} END"
        case Kind.DATETIME if found in _MOMENTS or found == _ZONED:
            moment = (
                f"make_timestamp(epoch_us({column}))"
                if found == _ZONED
                else f"TRY_CAST({column} AS TIMESTAMP)"
            )
            within = "BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59'"
            return f"CASE WHEN {moment} {within} THEN {moment} END"
    raise UnfitError(name)
