"""Tables of transfer processes, doors and uses."""

from typing import Any, Final

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
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from entrepot.contracts import (
    Party,
    State,
    by_message,
    by_peer,
    exchange_columns,
    exchange_of,
    exchange_row,
)
from entrepot.journal import Page, Pages, Place, Prepared, Transaction, UtcTimeColumn, metadata, postgresql
from entrepot.use.model import Door, Spent, TransferProcess, Use, UseState
from entrepot.values import (
    AgreementId,
    ConflictError,
    ContractId,
    Did,
    Digest,
    KindOfUse,
    MessageId,
    ProcessId,
    ProductId,
    UseId,
)

_process: Final = Table(
    "transfer_process",
    metadata,
    *exchange_columns(),
    Column("agreement_id", String(500), nullable=False, index=True),
    Column("format", String(100), nullable=False),
    Column("endpoint", String(2000), nullable=False),
    Column("sealed_token", LargeBinary, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("problem", String(1000), nullable=False),
    Column("created_at", UtcTimeColumn, nullable=False),
)
_door: Final = Table(
    "door",
    metadata,
    Column("process_id", String(200), primary_key=True),
    Column("token_digest", LargeBinary, nullable=False),
    Column("agreement_id", String(500), nullable=False),
    Column("consumer", String(500), nullable=False),
    Column("format", String(100), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("until", UtcTimeColumn),
)
_use: Final = Table(
    "use",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("process_id", String(200), nullable=False),
    Column("agreement_id", String(500), nullable=False, index=True),
    Column("contract_id", String(100), nullable=False),
    Column("consumer", String(500), nullable=False),
    Column("product_id", String(200), nullable=False),
    Column("artefact", LargeBinary, nullable=False),
    Column("state", String(20), nullable=False),
    Column("boot", String(100), nullable=False),
    Column("permission", Integer, nullable=False),
    Column("opened_at", UtcTimeColumn, nullable=False),
    Column("touched_at", UtcTimeColumn, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("outcome", String(100), nullable=False),
)
# A literal, not a parameter: else SQLite could not see that the index holds what is asked for.
_is_live: Final = _use.c.state != literal_column(f"'{UseState.CLOSED}'")
Index("ix_use_live", _use.c.process_id, sqlite_where=_is_live, info=postgresql(where=_is_live))
_meter: Final = Table(
    "meter",
    metadata,
    Column("use_id", String(200), primary_key=True),
    Column("agreement_id", String(500), nullable=False, index=True),
    Column("at", UtcTimeColumn, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("seconds", BigInteger, nullable=False),
)
"""What a use came to, in its own units; prices are made from it elsewhere."""

_INSERT: Final = Prepared(insert(_process))
_BY_ID: Final = Prepared(select(_process).where(_process.c.id == bindparam("of")))
_BY_PEER: Final = by_peer(_process)
_BY_MESSAGE: Final = by_message(_process)
_BY_AGREEMENT: Final = select(_process).where(_process.c.agreement_id == bindparam("agreement"))
_OPEN_AGREEMENTS: Final = (
    select(_process.c.agreement_id)
    .where(_process.c.state.in_([str(s) for s in (State.REQUESTED, State.STARTED, State.SUSPENDED)]))
    .distinct()
)
# Ids of ours begin with their time, so the newest is found without an index more.
_PAGES: Final = Pages(select(_process), _process.c.id)
_PAGES_UNDER: Final = Pages(
    select(_process).where(_process.c.agreement_id == bindparam("agreement")), _process.c.id
)
_UPDATE: Final = Prepared(
    update(_process)
    .where(_process.c.id == bindparam("of"), _process.c.version == bindparam("expected"))
    .values({c: bindparam(f"to_{c.name}") for c in _process.c if c.name not in {"id", "created_at"}})
)
_HANG: Final = Prepared(insert(_door))
_SHUT: Final = Prepared(delete(_door).where(_door.c.process_id == bindparam("of")))
_DOOR: Final = Prepared(
    select(_door).where(_door.c.process_id == bindparam("of"), _door.c.token_digest == bindparam("digest"))
)
_AT_DOORS: Final = select(_door.c.consumer).distinct()
_ANY_DOOR: Final = select(_door.c.epoch).where(_door.c.process_id == bindparam("of"))
_OPEN_USE: Final = Prepared(insert(_use))
_USE: Final = Prepared(select(_use).where(_use.c.id == bindparam("of")))
_LIVE_OF_PROCESS: Final = Prepared(select(_use).where(_use.c.process_id == bindparam("process"), _is_live))
_LIVE: Final = select(_use).where(_is_live).order_by(_use.c.opened_at)
_BY_OUTCOME: Final = select(_use.c.state, _use.c.outcome, func.count().label("number")).group_by(
    _use.c.state, _use.c.outcome
)
_USES: Final = Pages(select(_use), _use.c.id)
_USES_UNDER: Final = Pages(select(_use).where(_use.c.agreement_id == bindparam("agreement")), _use.c.id)
_TOUCH: Final = Prepared(
    update(_use)
    .where(_use.c.id == bindparam("of"), _is_live)
    .values(
        state=bindparam("to_state"),
        boot=bindparam("by_boot"),
        touched_at=bindparam("at"),
        sent=_use.c.sent + bindparam("more"),
        rows=_use.c.rows + bindparam("more_rows"),
        outcome=bindparam("how"),
    )
)
_KEEP_OPEN: Final = Prepared(
    update(_use).where(_use.c.id == bindparam("of"), _is_live).values(touched_at=bindparam("at"))
)
_METER: Final = Prepared(insert(_meter))


def create(tx: Transaction, process: TransferProcess) -> None:
    _INSERT.change(tx.connection, _row(process) | {"created_at": tx.now})


def save(tx: Transaction, process: TransferProcess, expected_version: int) -> None:
    """Write a process over the version it was read at; a later writer gets `ConflictError`."""
    row = _row(process)
    of = row.pop("id")
    values = {f"to_{name}": value for name, value in row.items()}
    changed = _UPDATE.change(tx.connection, values | {"of": of, "expected": expected_version})
    if changed != 1:
        raise ConflictError(f"transfer process {of} has moved on from version {expected_version}")


def read(connection: Connection, process_id: ProcessId) -> TransferProcess | None:
    row = _BY_ID.first(connection, {"of": process_id})
    return None if row is None else _process_of(row)


def find_by_peer(
    connection: Connection, counterparty: Did, party: Party, peer_pid: ProcessId
) -> TransferProcess | None:
    where = {"counterparty": counterparty, "party": str(party), "peer_pid": peer_pid}
    row = _BY_PEER.first(connection, where)
    return None if row is None else _process_of(row)


def find_by_message(connection: Connection, message_id: MessageId) -> TransferProcess | None:
    row = _BY_MESSAGE.first(connection, {"message": message_id})
    return None if row is None else _process_of(row)


def of_agreement(connection: Connection, agreement_id: AgreementId) -> list[TransferProcess]:
    return [_process_of(r) for r in connection.execute(_BY_AGREEMENT, {"agreement": agreement_id})]


def open_agreements(connection: Connection) -> list[AgreementId]:
    """Agreements under which a process is not over."""
    return [AgreementId(row.agreement_id) for row in connection.execute(_OPEN_AGREEMENTS)]


def page(connection: Connection, place: Place, agreement_id: AgreementId | None) -> Page[TransferProcess]:
    if agreement_id is None:
        return _PAGES.page(connection, place).of(_process_of)
    return _PAGES_UNDER.page(connection, place, agreement=agreement_id).of(_process_of)


def open_door(tx: Transaction, door: Door, token_digest: Digest) -> None:
    """Hang a door, in the place of an older one of the same process."""
    shut_door(tx, door.process_id)
    _HANG.change(
        tx.connection,
        {
            "process_id": door.process_id,
            "token_digest": token_digest,
            "agreement_id": door.agreement_id,
            "consumer": door.consumer,
            "format": door.format,
            "epoch": door.epoch,
            "until": door.until,
        },
    )


def shut_door(tx: Transaction, process_id: ProcessId) -> None:
    _SHUT.change(tx.connection, {"of": process_id})


def read_door(connection: Connection, process_id: ProcessId, token_digest: Digest) -> Door | None:
    row = _DOOR.first(connection, {"of": process_id, "digest": token_digest})
    if row is None:
        return None
    return Door(
        ProcessId(row.process_id),
        AgreementId(row.agreement_id),
        Did(row.consumer),
        row.format,
        row.epoch,
        row.until,
    )


def consumers_at_doors(connection: Connection) -> list[Did]:
    return [Did(row.consumer) for row in connection.execute(_AT_DOORS)]


def has_door(connection: Connection, process_id: ProcessId) -> bool:
    return connection.execute(_ANY_DOOR, {"of": process_id}).first() is not None


def open_use(tx: Transaction, use: Use) -> None:
    _OPEN_USE.change(
        tx.connection,
        {
            "id": use.id,
            "process_id": use.process_id,
            "agreement_id": use.agreement_id,
            "contract_id": use.contract_id,
            "consumer": use.consumer,
            "product_id": use.product_id,
            "artefact": use.artefact,
            "state": str(use.state),
            "boot": use.boot,
            "permission": use.permission,
            "opened_at": use.opened_at,
            "touched_at": use.touched_at,
            "size": use.size,
            "sent": use.sent,
            "kind": str(use.kind),
            "rows": use.rows,
            "outcome": use.outcome,
        },
    )


def touch_use(tx: Transaction, use: Use, spent: Spent) -> bool:
    """Save how a use stands that was not closed, and add what was spent; False where it is closed already."""
    values = {
        "of": use.id,
        "to_state": str(use.state),
        "by_boot": use.boot,
        "at": tx.now,
        "more": spent.bytes,
        "more_rows": spent.rows,
        "how": use.outcome,
    }
    return _TOUCH.change(tx.connection, values) == 1


def keep_open(tx: Transaction, use_id: UseId) -> None:
    """Note that a use still goes on."""
    _KEEP_OPEN.change(tx.connection, {"of": use_id, "at": tx.now})


def write_meter(tx: Transaction, use: Use, uses: int, seconds: int) -> None:
    values = {
        "use_id": use.id,
        "agreement_id": use.agreement_id,
        "at": tx.now,
        "uses": uses,
        "bytes": use.sent,
        "rows": use.rows,
        "seconds": seconds,
    }
    _METER.change(tx.connection, values)


def read_use(connection: Connection, use_id: UseId) -> Use | None:
    row = _USE.first(connection, {"of": use_id})
    return None if row is None else _use_of(row)


def live_uses_of(connection: Connection, process_id: ProcessId) -> list[Use]:
    return [_use_of(r) for r in _LIVE_OF_PROCESS.all(connection, {"process": process_id})]


def live_uses(connection: Connection) -> list[Use]:
    return [_use_of(r) for r in connection.execute(_LIVE)]


def uses_by_outcome(connection: Connection) -> dict[tuple[str, str], int]:
    """How many uses there are, by state and outcome."""
    return {(r.state, r.outcome): r.number for r in connection.execute(_BY_OUTCOME)}


def uses(connection: Connection, most: int) -> list[Use]:
    """The newest of them."""
    return list(use_page(connection, Place(size=most)).items)


def use_page(connection: Connection, place: Place, agreement_id: AgreementId | None = None) -> Page[Use]:
    """A page of all uses, or of those under one agreement."""
    if agreement_id is None:
        return _USES.page(connection, place).of(_use_of)
    return _USES_UNDER.page(connection, place, agreement=agreement_id).of(_use_of)


def _row(p: TransferProcess) -> dict[str, Any]:
    return exchange_row(p.exchange) | {
        "counterparty": p.counterparty,
        "address": p.address,
        "agreement_id": p.agreement_id,
        "format": p.format,
        "endpoint": p.endpoint,
        "sealed_token": p.sealed_token,
        "epoch": p.epoch,
        "problem": p.problem,
    }


def _process_of(row: Row[Any]) -> TransferProcess:
    return TransferProcess(
        exchange=exchange_of(row),
        counterparty=Did(row.counterparty),
        address=row.address,
        agreement_id=AgreementId(row.agreement_id),
        format=row.format,
        endpoint=row.endpoint,
        sealed_token=row.sealed_token,
        epoch=row.epoch,
        problem=row.problem,
    )


def _use_of(row: Row[Any]) -> Use:
    return Use(
        id=UseId(row.id),
        process_id=ProcessId(row.process_id),
        agreement_id=AgreementId(row.agreement_id),
        contract_id=ContractId(row.contract_id),
        consumer=Did(row.consumer),
        product_id=ProductId(row.product_id),
        artefact=Digest(row.artefact),
        state=UseState(row.state),
        boot=row.boot,
        permission=row.permission,
        opened_at=row.opened_at,
        touched_at=row.touched_at,
        size=row.size,
        sent=row.sent,
        kind=KindOfUse(row.kind),
        rows=row.rows,
        outcome=row.outcome,
    )
