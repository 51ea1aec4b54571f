"""What is written down of our own credentials: held, asked for, offered; and who may have tokens made."""

import json
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from entrepot.identity.credential import CredentialForm
from entrepot.identity.wallet_model import Asked, AskedState, Held, Kind, Offer, TokenClient
from entrepot.journal import Transaction, UtcTimeColumn, metadata
from entrepot.values import Did

_held: Final = Table(
    "held_credential",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("issuer", String(500), nullable=False),
    Column("raw", Text, nullable=False),
    Column("held_since", UtcTimeColumn, nullable=False),
)
_asked: Final = Table(
    "credential_request",
    metadata,
    Column("holder_pid", String(200), primary_key=True),
    Column("issuer", String(500), nullable=False),
    Column("kinds", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("status_url", String(2000), nullable=False),
    Column("reason", String(1000), nullable=False),
    Column("made_at", UtcTimeColumn, nullable=False),
)
Index("ix_credential_request_issuer", _asked.c.issuer)
_offer: Final = Table(
    "credential_offer",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("issuer", String(500), nullable=False),
    Column("kinds", Text, nullable=False),
    Column("received_at", UtcTimeColumn, nullable=False),
)
_client: Final = Table(
    "token_client",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("secret_digest", LargeBinary(32), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("made_at", UtcTimeColumn, nullable=False),
)

_COUNT_HELD: Final = select(func.count()).select_from(_held)
_HELD: Final = select(_held).order_by(_held.c.held_since.desc(), _held.c.digest)
_IS_HELD: Final = select(_held.c.digest).where(_held.c.digest == bindparam("of"))
_DROP: Final = delete(_held).where(_held.c.digest == bindparam("of"))
_ASKED: Final = select(_asked).where(_asked.c.holder_pid == bindparam("of"))
_ALL_ASKED: Final = select(_asked).order_by(_asked.c.made_at.desc()).limit(bindparam("most"))
_WAITING: Final = (
    select(func.count())
    .select_from(_asked)
    .where(_asked.c.state.in_([AskedState.REQUESTED, AskedState.RECEIVED]))
)
_KNOWS_ISSUER: Final = select(_asked.c.holder_pid).where(_asked.c.issuer == bindparam("of")).limit(1)
_MOVE_ASKED: Final = (
    update(_asked)
    .where(_asked.c.holder_pid == bindparam("of"))
    .values(state=bindparam("to"), status_url=bindparam("url"), reason=bindparam("why"))
)
_OFFERS: Final = select(_offer).order_by(_offer.c.received_at.desc(), _offer.c.id)
_DROP_OFFER: Final = delete(_offer).where(_offer.c.id == bindparam("of"))
_CLIENT: Final = select(_client).where(_client.c.id == bindparam("of"))
_CLIENTS: Final = select(_client).order_by(_client.c.id)
_DROP_CLIENT: Final = delete(_client).where(_client.c.id == bindparam("of"))


def count_held(connection: Connection) -> int:
    return connection.execute(_COUNT_HELD).scalar_one()


def is_held(connection: Connection, digest: str) -> bool:
    return connection.execute(_IS_HELD, {"of": digest}).first() is not None


def hold(tx: Transaction, digest: str, issuer: Did, raw: str) -> None:
    values = {"digest": digest, "issuer": issuer, "raw": raw, "held_since": tx.now}
    tx.connection.execute(insert(_held), values)


def drop(tx: Transaction, digest: str) -> bool:
    return tx.connection.execute(_DROP, {"of": digest}).rowcount == 1


def held(connection: Connection) -> list[Held]:
    """What is held, the latest first."""
    return [Held(r.digest, Did(r.issuer), r.raw, r.held_since) for r in connection.execute(_HELD)]


def ask(tx: Transaction, asked: Asked) -> None:
    values = {
        "holder_pid": asked.holder_pid,
        "issuer": asked.issuer,
        "kinds": _written(asked.kinds),
        "state": str(asked.state),
        "status_url": asked.status_url,
        "reason": asked.reason,
        "made_at": asked.made_at,
    }
    tx.connection.execute(insert(_asked), values)


def read_asked(connection: Connection, holder_pid: str) -> Asked | None:
    row = connection.execute(_ASKED, {"of": holder_pid}).first()
    return None if row is None else _read_asked(row)


def all_asked(connection: Connection, most: int) -> list[Asked]:
    return [_read_asked(r) for r in connection.execute(_ALL_ASKED, {"most": most})]


def count_waiting(connection: Connection) -> int:
    return connection.execute(_WAITING).scalar_one()


def knows_issuer(connection: Connection, issuer: Did) -> bool:
    return connection.execute(_KNOWS_ISSUER, {"of": issuer}).first() is not None


def move_asked(tx: Transaction, holder_pid: str, state: AskedState, status_url: str, reason: str) -> None:
    values = {"of": holder_pid, "to": str(state), "url": status_url[:2000], "why": reason[:1000]}
    tx.connection.execute(_MOVE_ASKED, values)


def keep_offer(tx: Transaction, offer: Offer) -> None:
    values = {
        "id": offer.id,
        "issuer": offer.issuer,
        "kinds": _written(offer.kinds),
        "received_at": offer.received_at,
    }
    tx.connection.execute(_DROP_OFFER, {"of": offer.id})
    tx.connection.execute(insert(_offer), values)


def drop_offer(tx: Transaction, offer_id: str) -> None:
    tx.connection.execute(_DROP_OFFER, {"of": offer_id})


def offers(connection: Connection) -> list[Offer]:
    """What was offered, the latest first."""
    rows = connection.execute(_OFFERS)
    return [Offer(r.id, Did(r.issuer), _read(r.kinds), r.received_at) for r in rows]


def keep_client(tx: Transaction, client: TokenClient) -> None:
    values = {
        "id": client.id,
        "secret_digest": client.secret_digest,
        "scopes": " ".join(client.scopes),
        "made_at": client.made_at,
    }
    tx.connection.execute(insert(_client), values)


def read_client(connection: Connection, client_id: str) -> TokenClient | None:
    row = connection.execute(_CLIENT, {"of": client_id}).first()
    return None if row is None else _read_client(row)


def clients(connection: Connection) -> list[TokenClient]:
    return [_read_client(r) for r in connection.execute(_CLIENTS)]


def drop_client(tx: Transaction, client_id: str) -> bool:
    return tx.connection.execute(_DROP_CLIENT, {"of": client_id}).rowcount == 1


def _read_client(row: Row[tuple[object, ...]]) -> TokenClient:
    return TokenClient(row.id, bytes(row.secret_digest), tuple(row.scopes.split()), row.made_at)


def _read_asked(row: Row[tuple[object, ...]]) -> Asked:
    return Asked(
        holder_pid=row.holder_pid,
        issuer=Did(row.issuer),
        kinds=_read(row.kinds),
        state=AskedState(row.state),
        status_url=row.status_url,
        reason=row.reason,
        made_at=row.made_at,
    )


def _written(kinds: tuple[Kind, ...]) -> str:
    return json.dumps([[k.id, k.type, "" if k.form is None else k.form.value] for k in kinds])


def _read(kinds: str) -> tuple[Kind, ...]:
    return tuple(Kind(i, t, CredentialForm(f) if f else None) for i, t, f in json.loads(kinds))
