"""Tables of planes, openings and data flows."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from entrepot.contracts import Party
from entrepot.journal import Prepared, Transaction, UtcTimeColumn, metadata
from entrepot.policy import parse_policy, render_policy
from entrepot.use.flow.model import Flow, FlowState, Opening, Order, Plane, PlaneKind
from entrepot.values import AgreementId, ConflictError, ProcessId, ProductId, UseId, canonical

_plane: Final = Table(
    "plane",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("endpoint", String(2000), nullable=False),
    Column("profiles", String(4000), nullable=False),
    Column("participant", String(500), nullable=False),
    Column("shows", LargeBinary, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
)
_opening: Final = Table(
    "opening",
    metadata,
    Column("plane", String(200), primary_key=True),
    Column("dataset", String(500), primary_key=True),
    Column("product_id", String(200)),
    Column("policy", LargeBinary, nullable=False),
    Column("by_hand", Boolean, nullable=False),
    Column("most_bytes", BigInteger, nullable=False),
    Column("id", String(200), nullable=False),
)
_flow: Final = Table(
    "data_flow",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("plane", String(200), nullable=False),
    Column("process_id", String(500), nullable=False),
    Column("participant", String(500), nullable=False),
    Column("counterparty", String(500), nullable=False),
    Column("dataset", String(500), nullable=False, index=True),
    Column("agreement", String(500), nullable=False),
    Column("profile", String(500), nullable=False),
    Column("party", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("agreement_id", String(500), nullable=False),
    Column("sealed_address", LargeBinary, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("since", Integer, nullable=False),
    Column("refresh_digest", LargeBinary, nullable=False, index=True),
    Column("problem", String(1000), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcTimeColumn, nullable=False),
    UniqueConstraint("plane", "process_id"),
)
_served: Final = Table(
    "served_elsewhere",
    metadata,
    Column("product_id", String(200), primary_key=True),
    Column("plane", String(200), nullable=False),
)
"""Which data plane of another product serves a product of ours."""
_driven: Final = Table(
    "driven_flow",
    metadata,
    Column("process_id", String(200), primary_key=True),
    Column("plane", String(200), nullable=False),
    Column("flow_id", String(500), nullable=False),
    Column("state", String(20), nullable=False),
    Column("use_id", String(200), nullable=False),
)
"""Our transfer processes whose bytes another product's data plane carries."""

_PLANE: Final = select(_plane).where(_plane.c.kind == bindparam("of_kind"), _plane.c.id == bindparam("of"))
_PLANE_SHOWING: Final = select(_plane).where(
    _plane.c.kind == bindparam("of_kind"), _plane.c.shows == bindparam("shown")
)
_PLANES: Final = select(_plane).order_by(_plane.c.kind, _plane.c.id)
_DROP_PLANE: Final = delete(_plane).where(
    _plane.c.kind == bindparam("of_kind"), _plane.c.id == bindparam("of")
)
_KEEP_PLANE: Final = insert(_plane)
_OPENING: Final = select(_opening).where(
    _opening.c.plane == bindparam("of"), _opening.c.dataset == bindparam("about")
)
_OPENINGS: Final = select(_opening).where(_opening.c.plane == bindparam("of")).order_by(_opening.c.dataset)
_DROP_OPENING: Final = delete(_opening).where(
    _opening.c.plane == bindparam("of"), _opening.c.dataset == bindparam("about")
)
_KEEP_OPENING: Final = insert(_opening)
_INSERT: Final = insert(_flow)
_FLOW: Final = select(_flow).where(_flow.c.id == bindparam("of"))
_FLOW_OF: Final = select(_flow).where(
    _flow.c.plane == bindparam("by"), _flow.c.process_id == bindparam("process")
)
_FLOW_RENEWED: Final = select(_flow).where(_flow.c.refresh_digest == bindparam("digest"))
_FLOWS: Final = select(_flow).order_by(_flow.c.created_at.desc()).limit(bindparam("most"))
_UNFINISHED: Final = select(_flow).where(
    _flow.c.state.not_in([str(FlowState.COMPLETED), str(FlowState.TERMINATED)])
)
_FLOWS_ABOUT: Final = select(_flow).where(
    _flow.c.plane == bindparam("by"), _flow.c.dataset == bindparam("about")
)
_UPDATE: Final = (
    update(_flow)
    .where(_flow.c.id == bindparam("of"), _flow.c.version == bindparam("expected"))
    .values(
        state=bindparam("to_state"),
        sealed_address=bindparam("to_address"),
        epoch=bindparam("to_epoch"),
        since=bindparam("to_since"),
        refresh_digest=bindparam("to_refresh"),
        problem=bindparam("to_problem"),
        version=bindparam("to_version"),
    )
)
_SERVED: Final = Prepared(select(_served).where(_served.c.product_id == bindparam("of")))
_DROP_SERVED: Final = delete(_served).where(_served.c.product_id == bindparam("of"))
_KEEP_SERVED: Final = insert(_served)
_SERVES: Final = select(_served.c.product_id).where(_served.c.plane == bindparam("of"))
# Asked at every move of every transfer process.
_DRIVEN: Final = Prepared(select(_driven).where(_driven.c.process_id == bindparam("of")))
_DRIVE: Final = insert(_driven)
_MOVE_DRIVEN: Final = (
    update(_driven)
    .where(_driven.c.process_id == bindparam("of"))
    .values(flow_id=bindparam("to_flow"), state=bindparam("to_state"), use_id=bindparam("to_use"))
)


def read_plane(connection: Connection, kind: PlaneKind, plane_id: str) -> Plane | None:
    row = connection.execute(_PLANE, {"of_kind": str(kind), "of": plane_id}).first()
    return None if row is None else _plane_of(row)


def plane_showing(connection: Connection, kind: PlaneKind, shown: bytes) -> Plane | None:
    row = connection.execute(_PLANE_SHOWING, {"of_kind": str(kind), "shown": shown}).first()
    return None if row is None else _plane_of(row)


def planes(connection: Connection) -> list[Plane]:
    return [_plane_of(r) for r in connection.execute(_PLANES)]


def keep_plane(tx: Transaction, plane: Plane) -> None:
    """Write a plane down, in the place of what was known of it."""
    drop_plane(tx, plane.kind, plane.id)
    values = {
        "kind": str(plane.kind),
        "id": plane.id,
        "endpoint": plane.endpoint,
        "profiles": "\n".join(plane.profiles),
        "participant": plane.participant,
        "shows": plane.shows,
        "sealed": plane.sealed,
    }
    tx.connection.execute(_KEEP_PLANE, values)


def drop_plane(tx: Transaction, kind: PlaneKind, plane_id: str) -> bool:
    return tx.connection.execute(_DROP_PLANE, {"of_kind": str(kind), "of": plane_id}).rowcount == 1


def read_opening(connection: Connection, plane_id: str, dataset: str) -> Opening | None:
    row = connection.execute(_OPENING, {"of": plane_id, "about": dataset}).first()
    return None if row is None else _opening_of(row)


def openings(connection: Connection, plane_id: str) -> list[Opening]:
    return [_opening_of(r) for r in connection.execute(_OPENINGS, {"of": plane_id})]


def keep_opening(tx: Transaction, opening: Opening) -> None:
    drop_opening(tx, opening.plane, opening.dataset)
    values = {
        "plane": opening.plane,
        "dataset": opening.dataset,
        "product_id": opening.product_id,
        "policy": canonical.encode(render_policy(opening.policy)),
        "by_hand": opening.by_hand,
        "most_bytes": opening.most_bytes,
        "id": opening.id,
    }
    tx.connection.execute(_KEEP_OPENING, values)


def drop_opening(tx: Transaction, plane_id: str, dataset: str) -> bool:
    return tx.connection.execute(_DROP_OPENING, {"of": plane_id, "about": dataset}).rowcount == 1


def create(tx: Transaction, flow: Flow) -> None:
    order = flow.order
    values = {
        "id": flow.id,
        "plane": flow.plane,
        "process_id": order.process_id,
        "participant": order.participant,
        "counterparty": order.counterparty,
        "dataset": order.dataset,
        "agreement": order.agreement,
        "profile": order.profile,
        "party": str(flow.party),
        "state": str(flow.state),
        "agreement_id": flow.agreement_id,
        "sealed_address": flow.sealed_address,
        "epoch": flow.epoch,
        "since": flow.since,
        "refresh_digest": flow.refresh_digest,
        "problem": flow.problem,
        "version": flow.version,
        "created_at": tx.now,
    }
    tx.connection.execute(_INSERT, values)


def save(tx: Transaction, flow: Flow) -> None:
    """Write a flow over the version before it; a later writer gets `ConflictError`."""
    values = {
        "of": flow.id,
        "expected": flow.version - 1,
        "to_state": str(flow.state),
        "to_address": flow.sealed_address,
        "to_epoch": flow.epoch,
        "to_since": flow.since,
        "to_refresh": flow.refresh_digest,
        "to_problem": flow.problem,
        "to_version": flow.version,
    }
    if tx.connection.execute(_UPDATE, values).rowcount != 1:
        raise ConflictError(f"data flow {flow.id} has moved on from version {flow.version - 1}")


def read(connection: Connection, flow_id: ProcessId) -> Flow | None:
    row = connection.execute(_FLOW, {"of": flow_id}).first()
    return None if row is None else _flow_of(row)


def find_by_process(connection: Connection, plane_id: str, process_id: str) -> Flow | None:
    row = connection.execute(_FLOW_OF, {"by": plane_id, "process": process_id}).first()
    return None if row is None else _flow_of(row)


def find_by_refresh(connection: Connection, digest: bytes) -> Flow | None:
    row = connection.execute(_FLOW_RENEWED, {"digest": digest}).first()
    return None if row is None else _flow_of(row)


def every(connection: Connection, most: int) -> list[Flow]:
    return [_flow_of(r) for r in connection.execute(_FLOWS, {"most": most})]


def unfinished(connection: Connection) -> list[Flow]:
    return [_flow_of(r) for r in connection.execute(_UNFINISHED)]


def about(connection: Connection, plane_id: str, dataset: str) -> list[Flow]:
    return [_flow_of(r) for r in connection.execute(_FLOWS_ABOUT, {"by": plane_id, "about": dataset})]


def serve_elsewhere(tx: Transaction, product_id: ProductId, plane_id: str | None) -> None:
    """Let a data plane serve a product; with None, our own does again."""
    tx.connection.execute(_DROP_SERVED, {"of": product_id})
    if plane_id is not None:
        tx.connection.execute(_KEEP_SERVED, {"product_id": product_id, "plane": plane_id})


def server_of(connection: Connection, product_id: ProductId) -> str | None:
    row = _SERVED.first(connection, {"of": product_id})
    return None if row is None else str(row.plane)


def served_by(connection: Connection, plane_id: str) -> list[ProductId]:
    return [ProductId(r.product_id) for r in connection.execute(_SERVES, {"of": plane_id})]


def drive(tx: Transaction, process_id: ProcessId, plane_id: str, state: FlowState, use_id: UseId) -> None:
    values = {"process_id": process_id, "plane": plane_id, "flow_id": "", "state": str(state)}
    tx.connection.execute(_DRIVE, values | {"use_id": use_id})


def driven(connection: Connection, process_id: ProcessId) -> "Row[Any] | None":
    """Plane, their flow id, state and use of a process that another data plane carries."""
    row: Row[Any] | None = _DRIVEN.first(connection, {"of": process_id})
    return row


def is_running(connection: Connection, process_id: ProcessId) -> bool:
    """Whether another data plane may be sending now: then a use goes on, though nobody here sees it."""
    row = driven(connection, process_id)
    return row is not None and FlowState(row.state) is FlowState.STARTED


def move_driven(
    tx: Transaction, process_id: ProcessId, flow_id: str, state: FlowState, use_id: UseId
) -> None:
    values = {"of": process_id, "to_flow": flow_id, "to_state": str(state), "to_use": use_id}
    tx.connection.execute(_MOVE_DRIVEN, values)


def _plane_of(row: "Row[Any]") -> Plane:
    return Plane(
        id=row.id,
        kind=PlaneKind(row.kind),
        endpoint=row.endpoint,
        profiles=tuple(p for p in row.profiles.split("\n") if p),
        participant=row.participant,
        shows=row.shows,
        sealed=row.sealed,
    )


def _opening_of(row: "Row[Any]") -> Opening:
    return Opening(
        plane=row.plane,
        dataset=row.dataset,
        product_id=None if row.product_id is None else ProductId(row.product_id),
        policy=parse_policy(canonical.decode(row.policy)),
        by_hand=row.by_hand,
        most_bytes=row.most_bytes,
        id=row.id,
    )


def _flow_of(row: "Row[Any]") -> Flow:
    return Flow(
        id=ProcessId(row.id),
        plane=row.plane,
        order=Order(
            process_id=row.process_id,
            participant=row.participant,
            counterparty=row.counterparty,
            dataset=row.dataset,
            agreement=row.agreement,
            profile=row.profile,
        ),
        party=Party(row.party),
        state=FlowState(row.state),
        agreement_id=AgreementId(row.agreement_id),
        sealed_address=row.sealed_address,
        epoch=row.epoch,
        since=row.since,
        refresh_digest=row.refresh_digest,
        problem=row.problem,
        version=row.version,
    )
