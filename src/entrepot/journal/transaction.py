"""What a use case is given: one open write transaction, its time, and a source of fresh ids."""

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from sqlalchemy import Connection

from entrepot.values import UtcTime

T = TypeVar("T")
_LOW: Final = (1 << 62) - 1


def new_uuid() -> str:
    """A fresh id, as a URN: 74 random bits behind the time in milliseconds (UUID version 7, RFC 9562).

    What is written together lies together in every index; with random ids alone each use would change
    pages of its own, and a use would cost a quarter more (bench/gate_uses.py).
    """
    low = secrets.randbits(74)
    number = (time.time_ns() // 1_000_000) << 80 | 7 << 76 | (low >> 62) << 64 | 2 << 62 | low & _LOW
    return f"urn:uuid:{uuid.UUID(int=number)}"


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
