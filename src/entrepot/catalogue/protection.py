"""Protection: what may be asked about a table that never leaves, and of how many at least an answer tells.

The provider says it with the product; it enters the product's digest, and so the contract. What follows from
each role is enforced in `use/query`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from entrepot.catalogue.source import Column, ColumnType
from entrepot.values import MalformedError, canonical
from entrepot.values.canonical import Json

LEAST_K: Final = 5
MOST_K: Final = 1_000_000
MAX_ROLES: Final = 1_000
_TABLE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_NUMBERS: Final = frozenset({ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.DECIMAL})
_OURS: Final = frozenset({"_subject", "_mark", "file_row_number"})


class ColumnRole(StrEnum):
    """What a consumer may do with a column. One that has no role is hidden."""

    JOIN = "join"
    """Joined on, nothing else."""
    DIMENSION = "dimension"
    """Filtered by, grouped by, shown as the label of a group that is large enough."""
    MEASURE = "measure"
    """Counted, summed, averaged; never compared or shown."""


@dataclass(frozen=True, slots=True)
class Protection:
    """Under which name a table is asked about, whose rows they are, and what each column is for."""

    table: str
    subject: str
    """The column that says whose a row is; empty where each row is a subject of its own."""
    k: int
    """An answer tells of groups of at least so many distinct subjects."""
    roles: tuple[tuple[str, ColumnRole], ...]


def protection_faults(protection: Protection) -> list[str]:
    """What no protection may be."""
    faults = []
    names = [name for name, _ in protection.roles]
    if not _TABLE.fullmatch(protection.table):
        faults.append("the name of a table is of small letters, digits and _, and begins with a letter")
    if not LEAST_K <= protection.k <= MOST_K:
        faults.append(f"a smallest group has at least {LEAST_K} subjects")
    if not names or len(names) > MAX_ROLES:
        faults.append(f"from one to {MAX_ROLES} columns have a role")
    if len({n.lower() for n in (*names, protection.subject)}) != len(names) + 1:
        faults.append("a column has one role, and the subject is none of them")
    if any(
        not name.isprintable() or len(name) > 200 or name in _OURS for name in (*names, protection.subject)
    ):
        faults.append("a column with a role has a printable name that we do not use ourselves")
    return faults


def unfit_roles(protection: Protection, columns: tuple[Column, ...]) -> list[str]:
    """Roles of columns that a table does not have, or that hold something else than the role needs."""
    types = {c.name: c.type for c in columns}
    named = [*(name for name, _ in protection.roles), *([protection.subject] if protection.subject else [])]
    faults = [f"the table has no column {name}" for name in named if name not in types]
    return faults + [
        f"{name} is measured and holds no numbers"
        for name, role in protection.roles
        if role is ColumnRole.MEASURE and types.get(name, ColumnType.INTEGER) not in _NUMBERS
    ]


def encode_protection(protection: Protection) -> bytes:
    """The canonical bytes of a protection."""
    return canonical.encode(
        {
            "k": protection.k,
            "roles": [[name, str(role)] for name, role in sorted(protection.roles)],
            "subject": protection.subject,
            "table": protection.table,
        }
    )


def decode_protection(raw: bytes) -> Protection:
    """Read a protection; what no protection may be is refused."""
    document = canonical.decode(raw)
    if not isinstance(document, dict) or document.keys() != {"k", "roles", "subject", "table"}:
        raise MalformedError("protection: expected k, roles, subject and table")
    table, subject, k = document["table"], document["subject"], document["k"]
    if not isinstance(table, str) or not isinstance(subject, str) or not isinstance(k, int) or k is True:
        raise MalformedError("protection: table and subject are text, k is a number")
    protection = Protection(table, subject, k, tuple(_roles(document["roles"])))
    if faults := protection_faults(protection):
        raise MalformedError("protection: " + "; ".join(faults))
    return protection


def _roles(document: Json) -> list[tuple[str, ColumnRole]]:
    if not isinstance(document, list):
        raise MalformedError("protection: roles are a list")
    roles = []
    for pair in document:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise MalformedError("protection: a role is a pair of column and role")
        try:
            roles.append((pair[0], ColumnRole(str(pair[1]))))
        except ValueError as error:
            raise MalformedError(f"protection: {error}") from error
    return roles
