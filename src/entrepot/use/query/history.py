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
from entrepot.use.query.cage.model import Cells
from entrepot.values import UseId

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
    """What was answered, or is being answered, to this consumer from this artefact; each query once."""
    rows = connection.execute(_EARLIER, {"by": use.consumer, "over": use.artefact, "but": use.id})
    asked = dict.fromkeys(msgspec.json.decode(row.cells, type=tuple[Cells, ...]) for row in rows)
    return tuple(cells for query in asked for cells in query)
