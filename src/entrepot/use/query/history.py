"""What was asked before, by consumer and artefact: what a new answer is compared with.

Kept are queries of ours, which give the groups of an answer anew from the artefact that has not changed; no
subject and no value is kept. The consumer and not the agreement is the key: two agreements are one reader.
"""

from typing import Final

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
)

from entrepot.journal import Transaction, UtcTimeColumn, metadata
from entrepot.use.model import Use
from entrepot.use.query.cage.model import Cells, Limits
from entrepot.values import Did, Digest, UseId

_query: Final = Table(
    "use_query",
    metadata,
    Column("use_id", String(200), primary_key=True),
    Column("consumer", String(500), nullable=False, index=True),
    Column("artefact", LargeBinary, nullable=False),
    Column("cells", LargeBinary, nullable=False),
    Column("at", UtcTimeColumn, nullable=False),
)
_KEEP: Final = insert(_query)
_FORGET: Final = delete(_query).where(_query.c.use_id == bindparam("of"))
_EARLIER: Final = (
    select(_query.c.cells)
    .where(
        _query.c.consumer == bindparam("by"),
        _query.c.artefact == bindparam("over"),
        _query.c.use_id != bindparam("but"),
    )
    .order_by(_query.c.at, _query.c.use_id)
)
_NO_USE: Final = UseId("")
PLACES_A_SECOND: Final = 1_000_000
"""Places of rows in cells that are looked up in a second of one core, with half of it kept in hand."""
_BYTES_A_ROW: Final = 170
_BYTES_A_PLACE: Final = 28
"""What a comparison takes (`bench/query_history.py`): for each row once, and for each of its places."""


def remember(tx: Transaction, use: Use, cells: tuple[Cells, ...]) -> None:
    """Write down what is about to be answered, **before it is compared**: of two, one sees the other."""
    tx.connection.execute(
        _KEEP,
        {
            "use_id": use.id,
            "consumer": use.consumer,
            "artefact": use.artefact,
            "cells": msgspec.json.encode(cells),
            "at": tx.now,
        },
    )


def forget(tx: Transaction, use_id: UseId) -> None:
    """It was not answered after all."""
    tx.connection.execute(_FORGET, {"of": use_id})


def earlier(connection: Connection, use: Use) -> tuple[Cells, ...]:
    """What else was answered, or is being answered, to a use's consumer from its artefact."""
    return answered(connection, use.consumer, use.artefact, use.id)


def answered(
    connection: Connection, consumer: Did, artefact: Digest, but: UseId = _NO_USE
) -> tuple[Cells, ...]:
    """What was answered, or is being answered, to this consumer from this artefact; each query once."""
    rows = connection.execute(_EARLIER, {"by": consumer, "over": artefact, "but": but})
    asked = dict.fromkeys(msgspec.json.decode(row.cells, type=tuple[Cells, ...]) for row in rows)
    return tuple(cells for query in asked for cells in query)


def places(rows: int, fresh: tuple[Cells, ...], before: tuple[Cells, ...]) -> int:
    """In how many cells all rows together can be, of these questions and those before."""
    return rows * sum(cells.sets for cells in {*fresh, *before})


def is_too_much(rows: int, fresh: tuple[Cells, ...], before: tuple[Cells, ...], limits: Limits) -> bool:
    """Whether a comparison would take more than the limits: known before any data is touched.

    It says of the table no more than how large it is, roughly.
    """
    room = (limits.megabytes * 1_000_000 - rows * _BYTES_A_ROW) // _BYTES_A_PLACE
    return places(rows, fresh, before) > min(limits.seconds * PLACES_A_SECOND, room)
