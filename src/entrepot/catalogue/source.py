"""Sources: where the data of a resource comes from, and what its columns are.

A source is named by the owner of the node. It never holds a password: what it needs to be let in lies
sealed by the vault, under the name given here. Reading one is done in `source_table.py`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from entrepot.catalogue.errors import SourceError
from entrepot.values.canonical import Json

MAX_COLUMNS: Final = 1_000
MAX_NAME: Final = 200
MAX_WHERE: Final = 2_000
MAX_ALLOWED: Final = 100

_PATH: Final = re.compile(r"(/[A-Za-z0-9._~!$'()*,;:@-]+)+", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9._~\[\]:-]{1,100}", re.ASCII)


class SourceKind(StrEnum):
    """What can be made a resource, beside a file that is attached as it is."""

    CSV = "csv"
    PARQUET = "parquet"
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    HTTP = "http"
    """A live service; it has no table, and its resource is its description."""

    @property
    def is_table(self) -> bool:
        return self is not SourceKind.HTTP


class ColumnType(StrEnum):
    """What stands in a column; every kind of source comes down to these."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    """64 bits with a sign."""
    NUMBER = "number"
    """Binary floating point of 64 bits."""
    DECIMAL = "decimal"
    """An exact number of at most 38 digits."""
    TEXT = "text"
    DATE = "date"
    DATETIME = "datetime"
    """A date and time of day without a zone."""
    INSTANT = "instant"
    """A moment, in UTC."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Source:
    """Where the data of a resource comes from."""

    kind: SourceKind
    where: str
    """A path on this machine, or an address without a password."""
    table: str = ""
    """The table of a database; `schema.table` where it has schemas."""
    secret: str = ""
    """Name of the sealed secret that lets us in: a database's password, or a service's `Authorization`."""
    encoding: str = "utf-8"
    """How the text of a CSV file is written."""
    paths: tuple[str, ...] = ()
    """Paths below a service's address that may be asked for."""
    parameters: tuple[str, ...] = ()
    """Parameters that may be sent along."""


def render_source(source: Source) -> dict[str, Json]:
    """A source as canonical JSON has it."""
    return {
        "encoding": source.encoding,
        "kind": str(source.kind),
        "parameters": [*source.parameters],
        "paths": [*source.paths],
        "secret": source.secret,
        "table": source.table,
        "where": source.where,
    }


def parse_source(raw: bytes) -> Source:
    """Read what `render_source` gave, as it was written down."""
    return msgspec.json.decode(raw, type=Source)


def check_source(source: Source) -> None:
    """Refuse a source that nobody could mean, with every reason."""
    faults = [f for f in (_where_fault(source), _table_fault(source)) if f]
    if len(source.secret) > MAX_NAME or not source.secret.isprintable():
        faults.append(f"the name of a secret has at most {MAX_NAME} printable characters")
    if source.kind is SourceKind.HTTP:
        faults += _service_faults(source)
    elif source.paths or source.parameters:
        faults.append("only a service has paths and parameters")
    if faults:
        raise SourceError("; ".join(faults))


def check_columns(names: list[str]) -> None:
    """Refuse a row of column names in which one could be mistaken for another."""
    if not names:
        raise SourceError("the table has no columns")
    if len(names) > MAX_COLUMNS:
        raise SourceError(f"the table has {len(names)} columns, {MAX_COLUMNS} are the most")
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise SourceError(f"column {place} has no name of at most {MAX_NAME} printable characters")
        # A query engine knows no capitals.
        earlier = seen.setdefault(name.casefold(), place)
        if earlier != place:
            raise SourceError(f"columns {earlier} and {place} have the same name, capitals aside")


def _where_fault(source: Source) -> str:
    if not source.where or len(source.where) > MAX_WHERE or not source.where.isprintable():
        return f"a source lies somewhere, said in at most {MAX_WHERE} printable characters"
    if source.kind in {SourceKind.HTTP, SourceKind.POSTGRESQL}:
        return _address_fault(source)
    return "" if Path(source.where).is_absolute() else "give the absolute path of the file"


def _address_fault(source: Source) -> str:
    """Whoever reads an address must not read a password in it."""
    parts = split_address(source.where)
    schemes = {"http", "https"} if source.kind is SourceKind.HTTP else {"postgresql"}
    if parts is None or parts.scheme not in schemes or not parts.hostname:
        return f"expected an address that begins with {' or '.join(sorted(schemes))}://"
    if parts.password is not None:
        return "a password does not stand in an address; keep it as a secret and name that"
    if parts.query or parts.fragment:
        return "an address has no query and no fragment here"
    if source.kind is SourceKind.HTTP and (parts.username is not None or parts.path.rstrip("/").count("//")):
        return "a service's address is scheme, host, port and path"
    return ""


def split_address(address: str) -> SplitResult | None:
    """The parts of an address; None where it has none."""
    try:
        parts = urlsplit(address)
        _ = parts.port, parts.hostname
    except ValueError:
        return None
    return parts


def _table_fault(source: Source) -> str:
    needs = source.kind in {SourceKind.SQLITE, SourceKind.POSTGRESQL}
    if needs and not (0 < len(source.table) <= MAX_NAME and source.table.isprintable()):
        return f"name the table of the database, in at most {MAX_NAME} printable characters"
    return "only a database has tables" if source.table and not needs else ""


def _service_faults(source: Source) -> list[str]:
    faults = []
    if not 0 < len(source.paths) <= MAX_ALLOWED:
        faults.append(f"a service names from 1 to {MAX_ALLOWED} paths that may be asked for")
    for path in source.paths:
        if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            faults.append("a path begins with a slash and goes down from there, without escapes")
            break
    if len(source.parameters) > MAX_ALLOWED or not all(_WORD.fullmatch(p) for p in source.parameters):
        faults.append(f"a service allows at most {MAX_ALLOWED} parameters of plain letters and digits")
    return faults
