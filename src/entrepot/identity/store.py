"""What this node knows of others: their memberships, the newest status lists, revocations seen."""

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
    Column("bits", LargeBinary, nullable=False),
    Column("issuer", String(500), nullable=False),
)
_revoked: Final = Table(
    "revocation_seen",
    metadata,
    Column("url", String(1000), primary_key=True),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTimeColumn, nullable=False),
)

_FORGET: Final = delete(_known).where(_known.c.did == bindparam("of"))
_KNOW: Final = insert(_known)
_MEMBER: Final = select(_known).where(_known.c.did == bindparam("of"))
_MEMBERS: Final = select(_known).where(_known.c.status_url == bindparam("url"))
_LIST: Final = select(_list).where(_list.c.url == bindparam("of"))
_DROP_LIST: Final = delete(_list).where(_list.c.url == bindparam("of"))
_KEEP_LIST: Final = insert(_list)
_SEE_REVOKED: Final = insert(_revoked)
_SEEN_REVOKED: Final = select(_revoked.c.at).where(
    _revoked.c.url == bindparam("url"), _revoked.c.index == bindparam("at_index")
)


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


def indexes_on(connection: Connection, url: str) -> list[int]:
    return [r.status_index for r in connection.execute(_MEMBERS, {"url": url})]


def read_list(connection: Connection, url: str) -> tuple[StatusList, str] | None:
    """The newest list known, and its signed form for relaying."""
    row = connection.execute(_LIST, {"of": url}).first()
    if row is None:
        return None
    return StatusList(Did(row.issuer), row.url, row.signed_at, row.bits), row.raw


def replace_list(tx: Transaction, found: StatusList, raw: str) -> None:
    tx.connection.execute(_DROP_LIST, {"of": found.url})
    values = {
        "url": found.url,
        "signed_at": found.signed_at,
        "raw": raw,
        "bits": found.bits,
        "issuer": found.issuer,
    }
    tx.connection.execute(_KEEP_LIST, values)


def see_revoked(tx: Transaction, url: str, index: int) -> None:
    if not was_revoked(tx.connection, url, index):
        tx.connection.execute(_SEE_REVOKED, {"url": url, "index": index, "at": tx.now})


def was_revoked(connection: Connection, url: str, index: int) -> bool:
    return connection.execute(_SEEN_REVOKED, {"url": url, "at_index": index}).first() is not None
