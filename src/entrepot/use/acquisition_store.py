"""Table of acquisitions."""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    bindparam,
    distinct,
    func,
    insert,
    select,
    update,
)

from entrepot.journal import Transaction, UtcTimeColumn, metadata
from entrepot.use.model import Acquisition, AcquisitionState, Asked
from entrepot.values import AgreementId, ConflictError, Did, Digest, ProcessId, ProductId, UseId

_acquisition: Final = Table(
    "acquisition",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("product_id", String(200), nullable=False),
    Column("purpose", String(500)),
    Column("target", Text, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("provider", String(500)),
    Column("address", String(2000), nullable=False),
    Column("product_digest", LargeBinary),
    Column("artefact", LargeBinary),
    Column("size", BigInteger, nullable=False),
    Column("negotiation_id", String(200)),
    Column("agreement_id", String(500)),
    Column("process_id", String(200)),
    Column("use_id", String(200)),
    Column("waiting_for", String(500), nullable=False),
    Column("problem", String(1000), nullable=False),
    Column("version", Integer, nullable=False),
    Column("format", String(100), nullable=False),
    Column("below", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcTimeColumn, nullable=False),
)

_INSERT: Final = insert(_acquisition)
_BY_ID: Final = select(_acquisition).where(_acquisition.c.id == bindparam("of"))
_RUNNING: Final = (
    select(_acquisition)
    .where(_acquisition.c.state.not_in(("received", "failed")))
    .order_by(_acquisition.c.created_at)
)
_NEWEST: Final = select(_acquisition).order_by(_acquisition.c.created_at.desc()).limit(bindparam("most"))
_RECEIVED_UNDER: Final = select(func.count(distinct(_acquisition.c.use_id))).where(
    _acquisition.c.agreement_id == bindparam("of"), _acquisition.c.state == "received"
)
_OF_PROCESS: Final = select(_acquisition).where(_acquisition.c.process_id == bindparam("of"))
_UPDATE: Final = update(_acquisition).where(
    _acquisition.c.id == bindparam("of"), _acquisition.c.version == bindparam("expected")
)


def create(tx: Transaction, acquisition: Acquisition) -> None:
    tx.connection.execute(_INSERT, _row(acquisition) | {"created_at": tx.now})


def save(tx: Transaction, acquisition: Acquisition, expected_version: int) -> None:
    values = _row(acquisition)
    of = values.pop("id")
    done = tx.connection.execute(_UPDATE.values(**values), {"of": of, "expected": expected_version})
    if done.rowcount != 1:
        raise ConflictError(f"acquisition {of} has moved on from version {expected_version}")


def read(connection: Connection, acquisition_id: str) -> Acquisition | None:
    row = connection.execute(_BY_ID, {"of": acquisition_id}).first()
    return None if row is None else _acquisition_of(row)


def of_process(connection: Connection, process_id: ProcessId) -> Acquisition | None:
    row = connection.execute(_OF_PROCESS, {"of": process_id}).first()
    return None if row is None else _acquisition_of(row)


def running(connection: Connection) -> list[Acquisition]:
    return [_acquisition_of(r) for r in connection.execute(_RUNNING)]


def newest(connection: Connection, most: int) -> list[Acquisition]:
    return [_acquisition_of(r) for r in connection.execute(_NEWEST, {"most": most})]


def received_under(connection: Connection, agreement_id: AgreementId) -> int:
    """How many uses under an agreement brought us what we wanted."""
    return int(connection.execute(_RECEIVED_UNDER, {"of": agreement_id}).scalar_one())


def _row(a: Acquisition) -> dict[str, Any]:
    return {
        "id": a.id,
        "product_id": a.product_id,
        "purpose": a.purpose,
        "target": str(a.target),
        "state": str(a.state),
        "provider": a.provider,
        "address": a.address,
        "product_digest": a.product_digest,
        "artefact": a.artefact,
        "size": a.size,
        "negotiation_id": a.negotiation_id,
        "agreement_id": a.agreement_id,
        "process_id": a.process_id,
        "use_id": a.use_id,
        "waiting_for": a.waiting_for,
        "problem": a.problem[:1000],
        "version": a.version,
        "format": a.format,
        "below": a.asked.below,
        "body": a.asked.body,
    }


def _acquisition_of(row: Row[Any]) -> Acquisition:
    return Acquisition(
        id=row.id,
        product_id=ProductId(row.product_id),
        purpose=row.purpose,
        target=Path(row.target),
        format=row.format,
        asked=Asked(row.below, row.body),
        state=AcquisitionState(row.state),
        provider=None if row.provider is None else Did(row.provider),
        address=row.address,
        product_digest=None if row.product_digest is None else Digest(row.product_digest),
        artefact=None if row.artefact is None else Digest(row.artefact),
        size=row.size,
        negotiation_id=None if row.negotiation_id is None else ProcessId(row.negotiation_id),
        agreement_id=None if row.agreement_id is None else AgreementId(row.agreement_id),
        process_id=None if row.process_id is None else ProcessId(row.process_id),
        use_id=None if row.use_id is None else UseId(row.use_id),
        waiting_for=row.waiting_for,
        problem=row.problem,
        version=row.version,
    )
