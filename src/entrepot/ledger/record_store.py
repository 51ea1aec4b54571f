"""Tables of a node's own records, in its journal: commitments for ever, openings while they may be kept.

Unlike `store`, which is the file of a ledger, these are private truth of one node. What a record says
stands in its opening alone, so nothing is left of it once that is destroyed.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from entrepot.journal import Prepared, Transaction, UtcTimeColumn, metadata, postgresql
from entrepot.values import UtcTime

Rows: TypeAlias = "Sequence[Row[Any]]"

_record: Final = Table(
    "ledger_record",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=True),
    Column("contract_id", String(100), nullable=False),
    Column("written_at", UtcTimeColumn, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("number", BigInteger),
    Column("batch", BigInteger),
    UniqueConstraint("contract_id", "number"),
    sqlite_autoincrement=True,
)
_unsealed: Final = _record.c.number.is_(None)
Index("ix_ledger_record_unsealed", _record.c.row, sqlite_where=_unsealed, info=postgresql(where=_unsealed))

_opening: Final = Table(
    "ledger_opening",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("use_id", String(100), nullable=False, index=True),
    Column("salt", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("retain_until", UtcTimeColumn, nullable=False),
)
_batch: Final = Table(
    "ledger_batch",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("previous", LargeBinary),
    Column("root", LargeBinary, nullable=False),
    Column("records", Integer, nullable=False),
    Column("oldest", UtcTimeColumn, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("transaction", LargeBinary),
    Column("position", BigInteger),
)
_part: Final = Table(
    "ledger_batch_part",
    metadata,
    Column("batch", BigInteger, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("contract_id", String(100), nullable=False),
    Column("leaf", LargeBinary, nullable=False),
)
_receipt: Final = Table(
    "ledger_receipt",
    metadata,
    Column("use_id", String(100), primary_key=True),
    Column("raw", LargeBinary, nullable=False),
    Column("retain_until", UtcTimeColumn, nullable=False),
)

_ADD_RECORD: Final = Prepared(insert(_record))
_ADD_OPENING: Final = Prepared(insert(_opening))
_ADD_BATCH: Final = insert(_batch)
_ADD_PART: Final = insert(_part)
_ADD_RECEIPT: Final = insert(_receipt)
_ANY_UNSEALED: Final = select(_record.c.row).where(_unsealed).limit(1)
_UNSEALED: Final = (
    select(_record.c.row, _record.c.contract_id, _record.c.written_at, _record.c.commitment, _opening.c.body)
    .join(_opening, _opening.c.row == _record.c.row)
    .where(_unsealed)
    .order_by(_record.c.row)
    .limit(bindparam("most"))
)
_waiting = (
    select(_record.c.contract_id).where(_unsealed).order_by(_record.c.row).limit(bindparam("most")).subquery()
)
_of_contract = select(_waiting.c.contract_id).distinct().subquery()
_known = _record.alias("known")
# One look into the index for each contract: grouping would read every record the contract ever had.
_LAST_NUMBERS: Final = select(
    _of_contract.c.contract_id,
    select(func.max(_known.c.number))
    .where(_known.c.contract_id == _of_contract.c.contract_id)
    .scalar_subquery()
    .label("last"),
)
_SEAL: Final = (
    update(_record)
    .where(_record.c.row == bindparam("of"), _unsealed)
    .values(number=bindparam("next"), batch=bindparam("into"))
)
_LAST_BATCH: Final = select(_batch).order_by(_batch.c.number.desc()).limit(1)
_BATCH: Final = select(_batch).where(_batch.c.number == bindparam("of"))
_BATCHES: Final = (
    select(_batch)
    .where(_batch.c.state.in_(bindparam("states", expanding=True)))
    .order_by(_batch.c.number)
    .limit(bindparam("most"))
)
_MOVE: Final = (
    update(_batch)
    .where(_batch.c.number == bindparam("of"), _batch.c.state == bindparam("from_state"))
    .values(state=bindparam("to_state"))
)
_SUBMIT: Final = _MOVE.values(transaction=bindparam("raw"))
_COMMIT: Final = _MOVE.values(position=bindparam("at"))
_LOST: Final = select(
    func.min(_batch.c.number).label("first"), func.max(_batch.c.number).label("last")
).where(_batch.c.records == 0)
_RENUMBER: Final = (
    update(_batch)
    .where(_batch.c.number == bindparam("of"))
    .values(
        number=bindparam("to"), previous=bindparam("behind"), state=bindparam("to_state"), transaction=None
    )
)
_RENUMBER_RECORDS: Final = (
    update(_record).where(_record.c.batch == bindparam("of")).values(batch=bindparam("to"))
)
_RENUMBER_PARTS: Final = update(_part).where(_part.c.batch == bindparam("of")).values(batch=bindparam("to"))
_OLDEST_UNSEALED: Final = (
    select(_record.c.written_at).where(_unsealed).order_by(_record.c.row).limit(1).scalar_subquery()
)
_RECORD: Final = select(_record).where(_record.c.row == bindparam("of"))
_RECORDS_OF_USE: Final = (
    select(_record, _opening.c.salt, _opening.c.body)
    .join(_opening, _opening.c.row == _record.c.row)
    .where(_opening.c.use_id == bindparam("of"))
    .order_by(_record.c.row)
)
_RECORDS_UNDER: Final = (
    select(_record, _opening.c.salt, _opening.c.body)
    .join(_opening, _opening.c.row == _record.c.row)
    .where(_record.c.contract_id == bindparam("of"))
    .order_by(_record.c.row)
)
_COMMITMENTS: Final = (
    select(_record.c.commitment)
    .where(
        _record.c.contract_id == bindparam("of"),
        _record.c.number >= bindparam("first"),
        _record.c.number <= bindparam("last"),
    )
    .order_by(_record.c.number)
)
_PARTS: Final = (
    select(_part.c.contract_id, _part.c.leaf).where(_part.c.batch == bindparam("of")).order_by(_part.c.place)
)
_RECEIPT_OF: Final = select(_receipt.c.raw).where(_receipt.c.use_id == bindparam("of"))
_DESTROY_OPENINGS: Final = delete(_opening).where(
    _opening.c.retain_until <= bindparam("now"),
    exists().where(_record.c.row == _opening.c.row, _record.c.number.is_not(None)),
)
_DESTROY_RECEIPTS: Final = delete(_receipt).where(_receipt.c.retain_until <= bindparam("now"))
_KEPT_UNTIL: Final = select(func.max(_opening.c.retain_until, type_=UtcTimeColumn)).where(
    _opening.c.use_id == bindparam("of")
)
_ERASE_OPENINGS: Final = _DESTROY_OPENINGS.where(_opening.c.use_id == bindparam("of"))
_ERASE_RECEIPT: Final = _DESTROY_RECEIPTS.where(_receipt.c.use_id == bindparam("of"))


def kept_until(connection: Connection, use_id: str) -> UtcTime | None:
    """Until when the openings of a use must be kept; None where there are none."""
    found: UtcTime | None = connection.execute(_KEPT_UNTIL, {"of": use_id}).scalar_one()
    return found


def erase(tx: Transaction, use_id: str) -> int:
    values = {"of": use_id, "now": tx.now}
    tx.connection.execute(_ERASE_RECEIPT, values)
    return tx.connection.execute(_ERASE_OPENINGS, values).rowcount


def add_record(tx: Transaction, contract_id: str, commitment: bytes) -> int:
    values = {"contract_id": contract_id, "written_at": tx.now, "commitment": commitment}
    return _ADD_RECORD.add(tx.connection, values)


def add_opening(
    tx: Transaction, row: int, use_id: str, salt: bytes, body: bytes, retain_until: UtcTime
) -> None:
    values = {"row": row, "use_id": use_id, "salt": salt, "body": body, "retain_until": retain_until}
    _ADD_OPENING.change(tx.connection, values)


def has_unsealed(connection: Connection) -> bool:
    return connection.execute(_ANY_UNSEALED).first() is not None


def unsealed(connection: Connection, most: int) -> Rows:
    return list(connection.execute(_UNSEALED, {"most": most}))


def last_numbers(connection: Connection, most: int) -> dict[str, int]:
    """The last number given under each contract of the next `most` records; 0 where there is none yet."""
    return {row.contract_id: row.last or 0 for row in connection.execute(_LAST_NUMBERS, {"most": most})}


def seal(tx: Transaction, seals: list[dict[str, int]]) -> None:
    tx.connection.execute(_SEAL, seals)


def last_batch(connection: Connection) -> "Row[Any] | None":
    return connection.execute(_LAST_BATCH).first()


def batch_row(connection: Connection, number: int) -> "Row[Any] | None":
    return connection.execute(_BATCH, {"of": number}).first()


def batch_rows(connection: Connection, states: Sequence[str], most: int) -> Rows:
    return connection.execute(_BATCHES, {"states": list(states), "most": most}).all()


def add_batch(tx: Transaction, values: dict[str, Any], parts: list[dict[str, Any]]) -> None:
    tx.connection.execute(_ADD_BATCH, values)
    tx.connection.execute(_ADD_PART, parts)


def add_lost_batch(tx: Transaction, values: dict[str, Any]) -> None:
    """Add a batch of which nothing is known but what the ledger has."""
    tx.connection.execute(_ADD_BATCH, values)


def lost_batches(connection: Connection) -> tuple[int, int] | None:
    """The first and the last of them."""
    row = connection.execute(_LOST).one()
    return None if row.first is None else (row.first, row.last)


def renumber(tx: Transaction, number: int, to: int, previous: bytes) -> None:
    """Move the batch that the ledger did not take behind another one, to be signed anew."""
    values = {"of": number, "to": to}
    tx.connection.execute(_RENUMBER, values | {"behind": previous, "to_state": "sealed"})
    tx.connection.execute(_RENUMBER_RECORDS, values)
    tx.connection.execute(_RENUMBER_PARTS, values)


def submit(tx: Transaction, number: int, before: str, after: str, raw: bytes) -> bool:
    values = {"of": number, "from_state": before, "to_state": after, "raw": raw}
    return tx.connection.execute(_SUBMIT, values).rowcount == 1


def commit(tx: Transaction, number: int, before: str, after: str, position: int) -> bool:
    values = {"of": number, "from_state": before, "to_state": after, "at": position}
    return tx.connection.execute(_COMMIT, values).rowcount == 1


def move(tx: Transaction, number: int, before: str, after: str) -> bool:
    values = {"of": number, "from_state": before, "to_state": after}
    return tx.connection.execute(_MOVE, values).rowcount == 1


def oldest(connection: Connection, states: Sequence[str]) -> tuple[datetime | None, datetime | None]:
    """When the oldest record was written that is in no batch, and the oldest in a batch of these states."""
    row = _oldest(tuple(states)).first(connection, {})
    return row.unsealed, row.batched


@cache
def _oldest(states: tuple[str, ...]) -> Prepared:
    batched = select(func.min(_batch.c.oldest)).where(_batch.c.state.in_(states))
    return Prepared(select(_OLDEST_UNSEALED.label("unsealed"), batched.scalar_subquery().label("batched")))


def record_row(connection: Connection, row: int) -> "Row[Any] | None":
    return connection.execute(_RECORD, {"of": row}).first()


def records_of_use(connection: Connection, use_id: str) -> Rows:
    return connection.execute(_RECORDS_OF_USE, {"of": use_id}).all()


def records_under(connection: Connection, contract_id: str) -> Rows:
    return connection.execute(_RECORDS_UNDER, {"of": contract_id}).all()


def commitments(connection: Connection, contract_id: str, first: int, last: int) -> list[bytes]:
    found = connection.execute(_COMMITMENTS, {"of": contract_id, "first": first, "last": last})
    return list(found.scalars())


def parts(connection: Connection, batch: int) -> Rows:
    return list(connection.execute(_PARTS, {"of": batch}))


def add_receipt(tx: Transaction, use_id: str, raw: bytes, retain_until: UtcTime) -> None:
    tx.connection.execute(_ADD_RECEIPT, {"use_id": use_id, "raw": raw, "retain_until": retain_until})


def receipt_of(connection: Connection, use_id: str) -> bytes | None:
    return connection.execute(_RECEIPT_OF, {"of": use_id}).scalar_one_or_none()


def destroy_openings(tx: Transaction) -> int:
    return tx.connection.execute(_DESTROY_OPENINGS, {"now": tx.now}).rowcount


def destroy_receipts(tx: Transaction) -> int:
    return tx.connection.execute(_DESTROY_RECEIPTS, {"now": tx.now}).rowcount
