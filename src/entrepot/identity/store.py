"""What this node knows of others: members, guests, and the newest status lists."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
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
    func,
    insert,
    select,
)

from entrepot.identity.status import StatusList
from entrepot.journal import Prepared, Transaction, UtcTimeColumn, metadata
from entrepot.values import Did, UtcTime

_known: Final = Table(
    "known_member",
    metadata,
    Column("did", String(500), primary_key=True),
    Column("credential", Text, nullable=False),
    Column("status_url", String(1000), nullable=False),
    Column("status_index", Integer, nullable=False),
    Column("verified_at", UtcTimeColumn, nullable=False),
)
_guest: Final = Table(
    "known_guest",
    metadata,
    Column("did", String(500), primary_key=True),
    # Lists of texts, as JSON: credentials as they were signed, and digests of those that were revoked.
    Column("shown", Text, nullable=False),
    Column("checked_at", UtcTimeColumn, nullable=False),
    Column("against", String(500), nullable=False),
    Column("revoked", Text, nullable=False),
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
_CREDENTIAL: Final = Prepared(select(_known.c.credential).where(_known.c.did == bindparam("of")))
_GUEST: Final = Prepared(select(_guest).where(_guest.c.did == bindparam("of")))
_FORGET_GUEST: Final = delete(_guest).where(_guest.c.did == bindparam("of"))
_KEEP_GUEST: Final = insert(_guest)
_LIST: Final = select(_list).where(_list.c.url == bindparam("of"))
# One octet of the list's 16 KB: this runs at every use.
_ENTRY: Final = Prepared(
    select(
        _list.c.issuer,
        _list.c.signed_at,
        func.substr(_list.c.bits, bindparam("place"), 1, type_=LargeBinary).label("octet"),
    ).where(_list.c.url == bindparam("of"))
)
_DROP_LIST: Final = delete(_list).where(_list.c.url == bindparam("of"))
_KEEP_LIST: Final = insert(_list)


class Entry(NamedTuple):
    """One member's entry in the newest list known."""

    issuer: Did
    signed_at: UtcTime
    is_revoked: bool


class GuestRow(NamedTuple):
    """What is known of a guest."""

    shown: tuple[str, ...]
    checked_at: UtcTime
    against: str
    revoked: tuple[str, ...]


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
    row = _CREDENTIAL.first(connection, {"of": did})
    return None if row is None else row.credential


def keep_guest(
    tx: Transaction, did: Did, shown: Sequence[str], checked_at: UtcTime, against: str, revoked: Sequence[str]
) -> None:
    tx.connection.execute(_FORGET_GUEST, {"of": did})
    values = {
        "did": did,
        "shown": msgspec.json.encode(shown).decode(),
        "checked_at": checked_at,
        "against": against,
        "revoked": msgspec.json.encode(revoked).decode(),
    }
    tx.connection.execute(_KEEP_GUEST, values)


def read_guest(connection: Connection, did: Did) -> GuestRow | None:
    row = _GUEST.first(connection, {"of": did})
    if row is None:
        return None
    return GuestRow(_texts(row.shown), row.checked_at, row.against, _texts(row.revoked))


def entry_of(connection: Connection, url: str, index: int) -> Entry | None:
    """What the newest list known says of one member; an index beyond the list counts as revoked."""
    row = _ENTRY.first(connection, {"of": url, "place": index // 8 + 1})
    if row is None:
        return None
    return Entry(Did(row.issuer), row.signed_at, not row.octet or bool(row.octet[0] >> (7 - index % 8) & 1))


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


def _texts(raw: str) -> tuple[str, ...]:
    return msgspec.json.decode(raw, type=tuple[str, ...])
