"""Table of contract ids and of what was filed under them."""

from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)

from entrepot.journal import Page, Pages, Place, Transaction, UtcTimeColumn, metadata
from entrepot.space.model import FiledContract, FilingState
from entrepot.values import ConflictError, ContractId, Did, Digest, ProductId, TransactionId, UtcTime

_contract: Final = Table(
    "space_contract",
    metadata,
    Column("contract_id", String(47), primary_key=True),
    Column("holder", String(500), nullable=False),
    Column("negotiation", String(500), nullable=False),
    Column("counterparty", String(500), nullable=False),
    Column("state", String(20), nullable=False),
    Column("given_at", UtcTimeColumn, nullable=False),
    Column("product", String(500)),
    Column("envelope", LargeBinary, nullable=False),
    Column("envelope_digest", LargeBinary(32)),
    Column("one_sided", Boolean, nullable=False),
    Column("ends_at", UtcTimeColumn),
    Column("ledger_transaction", String(80)),
    Column("filed_at", UtcTimeColumn),
    Column("receipt", LargeBinary, nullable=False),
    Column("end_reason", String(20), nullable=False),
    Column("problem", String(1000), nullable=False),
    UniqueConstraint("holder", "negotiation"),
)
Index("ix_space_contract_given", _contract.c.given_at, _contract.c.contract_id)
Index("ix_space_contract_state", _contract.c.state, _contract.c.ends_at)

_GIVE: Final = insert(_contract)
_CONTRACT: Final = select(_contract).where(_contract.c.contract_id == bindparam("of"))
_GIVEN: Final = select(_contract).where(
    _contract.c.holder == bindparam("holder"), _contract.c.negotiation == bindparam("negotiation")
)
_CONTRACTS: Final = Pages(select(_contract), _contract.c.given_at, _contract.c.contract_id)
_MOVE_CONTRACT: Final = update(_contract).where(
    _contract.c.contract_id == bindparam("of"), _contract.c.state == bindparam("before")
)
_UNRECEIPTED: Final = (
    select(_contract)
    .where(_contract.c.state == str(FilingState.COMMITTED))
    .order_by(_contract.c.contract_id)
    .limit(bindparam("most"))
)
_OVER: Final = (
    select(_contract)
    .where(_contract.c.state == str(FilingState.FILED), _contract.c.ends_at < bindparam("now"))
    .order_by(_contract.c.ends_at)
    .limit(bindparam("most"))
)


def give(tx: Transaction, contract: FiledContract) -> None:
    tx.connection.execute(
        _GIVE,
        {
            "contract_id": contract.contract_id,
            "holder": contract.holder,
            "negotiation": contract.negotiation,
            "counterparty": contract.counterparty,
            "state": str(FilingState.GIVEN),
            "given_at": tx.now,
            "product": None,
            "envelope": b"",
            "envelope_digest": None,
            "one_sided": False,
            "ends_at": None,
            "ledger_transaction": None,
            "filed_at": None,
            "receipt": b"",
            "end_reason": "",
            "problem": "",
        },
    )


def read_contract(connection: Connection, contract_id: ContractId) -> FiledContract | None:
    row = connection.execute(_CONTRACT, {"of": contract_id}).first()
    return None if row is None else _contract_of(row)


def read_given(connection: Connection, holder: Did, negotiation: str) -> FiledContract | None:
    row = connection.execute(_GIVEN, {"holder": holder, "negotiation": negotiation}).first()
    return None if row is None else _contract_of(row)


def page_of_contracts(connection: Connection, place: Place) -> Page[FiledContract]:
    return _CONTRACTS.page(connection, place).of(_contract_of)


def move_contract(
    tx: Transaction,
    contract_id: ContractId,
    before: FilingState,
    **values: str | bool | bytes | UtcTime | None,
) -> None:
    """Write over the state that was read; a later writer gets `ConflictError`."""
    where = {"of": contract_id, "before": str(before)}
    if tx.connection.execute(_MOVE_CONTRACT.values(**values), where).rowcount != 1:
        raise ConflictError(f"contract {contract_id} is no longer {before}")


def without_receipt(connection: Connection, most: int) -> list[FiledContract]:
    return [_contract_of(r) for r in connection.execute(_UNRECEIPTED, {"most": most})]


def over(connection: Connection, now: UtcTime, most: int) -> list[FiledContract]:
    return [_contract_of(r) for r in connection.execute(_OVER, {"now": now, "most": most})]


def _contract_of(row: "Row[Any]") -> FiledContract:
    return FiledContract(
        contract_id=ContractId(row.contract_id),
        holder=Did(row.holder),
        counterparty=Did(row.counterparty),
        negotiation=row.negotiation,
        state=FilingState(row.state),
        given_at=row.given_at,
        product=None if row.product is None else ProductId(row.product),
        envelope=row.envelope,
        envelope_digest=None if row.envelope_digest is None else Digest(row.envelope_digest),
        one_sided=row.one_sided,
        ends_at=row.ends_at,
        transaction=None if row.ledger_transaction is None else TransactionId(row.ledger_transaction),
        filed_at=row.filed_at,
        receipt=row.receipt,
        end_reason=row.end_reason,
        problem=row.problem,
    )
