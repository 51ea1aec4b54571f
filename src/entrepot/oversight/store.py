"""Tables of oversight: which openings a supervisor has asked for."""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Column, Connection, LargeBinary, String, Table, bindparam, insert, select

from entrepot.journal import Transaction, UtcTimeColumn, metadata
from entrepot.values import Digest, UtcTime

_request: Final = Table(
    "openings_request",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("side", String(20), nullable=False),
    Column("supervisor", String(500), nullable=False),
    Column("party", String(500), nullable=False),
    Column("contract", String(100), nullable=False),
    Column("use_id", String(100), nullable=False),
    Column("why", String(256), nullable=False),
    Column("asked_at", UtcTimeColumn, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("written_at", UtcTimeColumn, nullable=False),
    Column("retain_until", UtcTimeColumn, nullable=False),
)

_INSERT: Final = insert(_request)
_DIGEST: Final = select(_request.c.digest).where(_request.c.name == bindparam("of"))
_NEWEST: Final = select(_request).order_by(_request.c.written_at.desc()).limit(bindparam("most"))


@dataclass(frozen=True, slots=True)
class WrittenRequest:
    """A supervisor's request as it was written down."""

    name: str
    side: str
    supervisor: str
    party: str
    """Who was asked."""
    contract: str
    use: str
    why: str
    asked_at: UtcTime
    raw: bytes = field(repr=False)


def keep(tx: Transaction, r: WrittenRequest, digest: Digest, retain_until: UtcTime) -> None:
    values = {
        "name": r.name,
        "side": r.side,
        "supervisor": r.supervisor,
        "party": r.party,
        "contract": r.contract,
        "use_id": r.use,
        "why": r.why,
        "asked_at": r.asked_at,
        "digest": digest,
        "raw": r.raw,
        "written_at": tx.now,
        "retain_until": retain_until,
    }
    tx.connection.execute(_INSERT, values)


def request_digest(connection: Connection, name: str) -> Digest | None:
    found = connection.execute(_DIGEST, {"of": name}).scalar_one_or_none()
    return None if found is None else Digest(found)


def newest(connection: Connection, most: int) -> list[WrittenRequest]:
    return [
        WrittenRequest(
            name=r.name,
            side=r.side,
            supervisor=r.supervisor,
            party=r.party,
            contract=r.contract,
            use=r.use_id,
            why=r.why,
            asked_at=r.asked_at,
            raw=r.raw,
        )
        for r in connection.execute(_NEWEST, {"most": most})
    ]
