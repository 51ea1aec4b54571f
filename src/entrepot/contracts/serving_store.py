"""Table of the contracts that this node signs as service party."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    bindparam,
    false,
    func,
    insert,
    select,
    update,
)

from entrepot.journal import Transaction, UtcTimeColumn, metadata
from entrepot.values import ContractId, Did

_service: Final = Table(
    "service_contract",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("contract_id", String(100), nullable=False, index=True),
    Column("provider", String(500), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Column("problem", String(1000), nullable=False),
    Column("asked_at", UtcTimeColumn, nullable=False),
    Column("until", UtcTimeColumn, nullable=False),
    Column("end_reason", String(20)),
    Column("ended_at", UtcTimeColumn),
)
_INSERT: Final = insert(_service)
_BY_ID: Final = select(_service).where(_service.c.id == bindparam("of"))
_OF_CONTRACT: Final = select(_service).where(_service.c.contract_id == bindparam("of"))
_ALL: Final = select(_service).order_by(_service.c.asked_at.desc(), _service.c.id).limit(bindparam("most"))
_WAITING: Final = select(func.count()).where(
    _service.c.provider == bindparam("provider"), _service.c.state == bindparam("state")
)


def create(tx: Transaction, values: dict[str, Any]) -> None:
    tx.connection.execute(_INSERT, values)


def read(connection: Connection, request_id: str) -> "Row[Any] | None":
    return connection.execute(_BY_ID, {"of": request_id}).first()


def of_contract(connection: Connection, contract_id: ContractId) -> "list[Row[Any]]":
    return list(connection.execute(_OF_CONTRACT, {"of": contract_id}).all())


def newest(connection: Connection, most: int) -> "list[Row[Any]]":
    return list(connection.execute(_ALL, {"most": most}).all())


def in_states(states: Iterable[str]) -> "Select[Any]":
    """What selects those in these states: since when, the id, and that they are not ours."""
    columns = _service.c.asked_at.label("since"), _service.c.id.label("id"), false().label("is_ours")
    return select(*columns).where(_service.c.state.in_([str(s) for s in states]))


def count_of(connection: Connection, provider: Did, state: str) -> int:
    found: int = connection.execute(_WAITING, {"provider": provider, "state": state}).scalar_one()
    return found


def move(tx: Transaction, request_id: str, before: str, **values: Any) -> bool:  # noqa: ANN401 (columns)
    """Change a row that is still in the state it was read in; False where it is not."""
    change = update(_service).where(_service.c.id == request_id, _service.c.state == before).values(**values)
    return tx.connection.execute(change).rowcount == 1
