"""What a use case is given: one open write transaction, its time, and a source of fresh ids."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection

from entrepot.values import UtcTime

T = TypeVar("T")


def new_uuid() -> str:
    """A fresh random id, as a URN."""
    return f"urn:uuid:{uuid.uuid4()}"


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open write transaction: the connection, the time it began at, and a source of fresh ids."""

    connection: Connection
    now: UtcTime
    new_id: Callable[[], str]


UseCase: TypeAlias = Callable[[Transaction], T]
"""A plain function over an open transaction. It never opens one, sends nothing, and waits for nobody."""

Query: TypeAlias = Callable[[Connection], T]
"""A plain function over a snapshot, which it cannot change."""
