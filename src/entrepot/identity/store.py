"""What this node knows of others: their memberships, and the newest status lists."""

from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
)

from entrepot.identity.status import StatusList
from entrepot.journal import Transaction, UtcTimeColumn, metadata
from entrepot.values import Did

_known: Final = Table(
    "known_member",
    metadata,
    Column("did", String(500), primary_key=True),
    Column("credential", Text, nullable=False),
    Column("status_url", String(1000), nullable=False),
    Column("status_index", Integer, nullable=False),
    Column("verified_at", UtcTimeColumn, nullable=False),
)
_list: Final = Table(
    "status_list",
    metadata,
    Column("url", String(1000), primary_key=True),
    Column("signed_at", UtcTimeColumn, nullable=False),
    Column("raw", Text, nullable=False),
    # Every revocation that any list ever showed, not only those of the list in `raw`.
    Column("bits", LargeBinary, nullable=False),
    Column("issuer", String(500), nullable=False),
)

_FORGET: Final = delete(_known).where(_known.c.did == bindparam("of"))
_KNOW: Final = insert(_known)
_MEMBER: Final = select(_known).where(_known.c.did == bindparam("of"))
_LIST: Final = select(_list).where(_list.c.url == bindparam("of"))
_DROP_LIST: Final = delete(_list).where(_list.c.url == bindparam("of"))
_KEEP_LIST: Final = insert(_list)


def keep_member(tx: Transaction, did: Did, credential: str, status_url: str, status_index: int) -> None:
    tx.connection.execute(_FORGET, {"of": did})
    values = {
        "did": did,
        "credential": credential,
        "status_url": status_url,
        "status_index": status_index,
        "verified_at": tx.now,
    }
    tx.connection.execute(_KNOW, values)


def credential_of(connection: Connection, did: Did) -> str | None:
    row = connection.execute(_MEMBER, {"of": did}).first()
    return None if row is None else row.credential


def read_list(connection: Connection, url: str) -> tuple[StatusList, str] | None:
    """The newest list known, and its signed form for relaying."""
    row = connection.execute(_LIST, {"of": url}).first()
    if row is None:
        return None
    return StatusList(Did(row.issuer), row.url, row.signed_at, row.bits), row.raw


def replace_list(tx: Transaction, found: StatusList, raw: str) -> None:
    tx.connection.execute(_DROP_LIST, {"of": found.url})
    keep_list(tx, found, raw)


def keep_list(tx: Transaction, found: StatusList, raw: str) -> None:
    values = {
        "url": found.url,
        "signed_at": found.signed_at,
        "raw": raw,
        "bits": found.bits,
        "issuer": found.issuer,
    }
    tx.connection.execute(_KEEP_LIST, values)


def dids(connection: Connection, most: int) -> list[Did]:
    """Members known here, the latest first."""
    rows = connection.execute(select(_known.c.did).order_by(_known.c.verified_at.desc()).limit(most))
    return [Did(r.did) for r in rows]
