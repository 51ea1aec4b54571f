"""The holder's side: which credentials this node has, has asked for and was offered (DCP 1.0, 5.4 and 6.5).

What is kept here was verified by whoever keeps it. All is bounded: an issuer that is believed may still be
broken, and must not fill the disk.
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection

from entrepot.identity import store, wallet_store
from entrepot.identity.credential import Credential, check_validity, read_credential
from entrepot.identity.jwt import parse_token
from entrepot.identity.wallet_model import Asked, AskedState, Kind, Offer, TokenClient
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.values import (
    ConflictError,
    Did,
    NotFoundError,
    RefusedError,
    TrustError,
    UtcTime,
    sha256,
)
from entrepot.values.canonical import Json

MAX_HELD: Final = 1000
MAX_OFFERS: Final = 100
MAX_WAITING: Final = 100
MAX_CLIENTS: Final = 100
MAX_LISTED: Final = 1000
_SECRET_BYTES: Final = 32


class Event(StrEnum):
    KEPT = "identity:credential:keep"
    DROPPED = "identity:credential:drop"
    ASKED = "identity:credential:ask"
    ANSWERED = "identity:credential:answer"
    OFFERED = "identity:credential:offer"
    CLIENT = "identity:client:make"
    CLIENT_CLOSED = "identity:client:close"


@dataclass(frozen=True, slots=True)
class OwnCredential:
    """A credential of ours, and what it says."""

    raw: str
    credential: Credential
    since: UtcTime | None = None
    digest: str = ""


def keep_credential(tx: Transaction, raw: str, credential: Credential) -> bool:
    """Keep a verified credential of ours; one that is kept already is not kept twice."""
    digest = sha256(raw.encode()).hex()
    if wallet_store.is_held(tx.connection, digest):
        return False
    if wallet_store.count_held(tx.connection) >= MAX_HELD:
        raise RefusedError(f"no more than {MAX_HELD} credentials are held here; drop some")
    wallet_store.hold(tx, digest, credential.issuer, raw)
    types: list[Json] = [*credential.types]
    audit(tx, AuditEvent(Event.KEPT, {"issuer": credential.issuer, "types": types, "digest": digest}))
    return True


def drop_credential(tx: Transaction, digest: str) -> None:
    """Hold a credential no longer, and show it to nobody."""
    if not wallet_store.drop(tx, digest):
        raise NotFoundError("no such credential is held here")
    audit(tx, AuditEvent(Event.DROPPED, {"digest": digest}))


def own_credentials(connection: Connection, me: Did) -> list[OwnCredential]:
    """All that we hold, the latest first; before them the membership that the platform gave us."""
    membership = store.credential_of(connection, me)
    found = [] if membership is None else [OwnCredential(membership, _read(membership))]
    return found + [
        OwnCredential(held.raw, _read(held.raw), held.since, held.digest)
        for held in wallet_store.held(connection)
        if held.raw != membership
    ]


def is_good(connection: Connection, credential: Credential, now: UtcTime) -> bool:
    """Whether a credential of ours is in its time, and shut in no status list that is known here."""
    try:
        check_validity(credential, now)
    except TrustError:
        return False
    known = (store.entry_of(connection, entry.url, entry.index) for entry in credential.status)
    return not any(entry is not None and entry.is_revoked for entry in known)


def ask_for(tx: Transaction, issuer: Did, kinds: Sequence[Kind]) -> Asked:
    """Write down that we ask an issuer for credentials; what is sent to it goes through the outbox."""
    if wallet_store.count_waiting(tx.connection) >= MAX_WAITING:
        raise RefusedError(f"{MAX_WAITING} requests wait for their issuers already")
    asked = Asked(tx.new_id(), issuer, tuple(kinds), AskedState.REQUESTED, tx.now)
    wallet_store.ask(tx, asked)
    ids: list[Json] = [kind.id for kind in kinds]
    audit(tx, AuditEvent(Event.ASKED, {"issuer": issuer, "request": asked.holder_pid, "kinds": ids}))
    return asked


def answer(
    tx: Transaction, holder_pid: str, state: AskedState, *, status_url: str = "", reason: str = ""
) -> None:
    """Take in how far a request has come; what is finished stays as it is."""
    asked = wallet_store.read_asked(tx.connection, holder_pid)
    if asked is None or not asked.is_open or (asked.state, asked.status_url) == (state, status_url):
        return
    wallet_store.move_asked(tx, holder_pid, state, status_url or asked.status_url, reason)
    facts = {"issuer": asked.issuer, "request": holder_pid, "state": str(state)}
    audit(tx, AuditEvent(Event.ANSWERED, facts))


def request_of(connection: Connection, holder_pid: str) -> Asked | None:
    return wallet_store.read_asked(connection, holder_pid)


def requests(connection: Connection) -> list[Asked]:
    """What we have asked for, the latest first."""
    return wallet_store.all_asked(connection, MAX_LISTED)


def have_asked(connection: Connection, issuer: Did) -> bool:
    """Whether we ever asked this issuer for anything."""
    return wallet_store.knows_issuer(connection, issuer)


def keep_offer(tx: Transaction, issuer: Did, kinds: Sequence[Kind], digest: str) -> Offer:
    """Keep an issuer's offer; beyond so many, the oldest are let go."""
    offer = Offer(digest, issuer, tuple(kinds), tx.now)
    wallet_store.keep_offer(tx, offer)
    for old in wallet_store.offers(tx.connection)[MAX_OFFERS:]:
        wallet_store.drop_offer(tx, old.id)
    audit(tx, AuditEvent(Event.OFFERED, {"issuer": issuer, "offer": digest}))
    return offer


def offers(connection: Connection) -> list[Offer]:
    return wallet_store.offers(connection)


def new_client_secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)


def make_token_client(tx: Transaction, name: str, secret: str, scopes: Sequence[str]) -> None:
    """Let a client of the owner have tokens made; of its secret only a digest is kept."""
    if len(secret) < _SECRET_BYTES:
        raise RefusedError(f"a secret of at least {_SECRET_BYTES} characters was expected")
    if wallet_store.read_client(tx.connection, name) is not None:
        raise ConflictError(f"there is a client {name}; close it first")
    if len(wallet_store.clients(tx.connection)) >= MAX_CLIENTS:
        raise RefusedError(f"no more than {MAX_CLIENTS} clients; close some")
    wallet_store.keep_client(tx, TokenClient(name, sha256(secret.encode()), tuple(scopes), tx.now))
    audit(tx, AuditEvent(Event.CLIENT, {"client": name, "scopes": [*scopes]}))


def close_token_client(tx: Transaction, name: str) -> None:
    """Make no more tokens for this client; those that it has end by themselves."""
    if not wallet_store.drop_client(tx, name):
        raise NotFoundError("there is no such client")
    audit(tx, AuditEvent(Event.CLIENT_CLOSED, {"client": name}))


def token_clients(connection: Connection) -> list[TokenClient]:
    return wallet_store.clients(connection)


def verify_token_client(connection: Connection, name: str, secret: str) -> TokenClient:
    """The client that this secret is of, or `TrustError`: the same for no client and a wrong secret.

    Secrets are 32 random bytes, so a plain digest gives nothing to guess at.
    """
    found = wallet_store.read_client(connection, name)
    kept = bytes(32) if found is None else found.secret_digest
    if not hmac.compare_digest(sha256(secret.encode()), kept) or found is None:
        raise TrustError("no such client, or a wrong secret")
    return found


@lru_cache(maxsize=4096)
def _read(raw: str) -> Credential:
    """Read a credential of our own store. **It was verified before it was kept, and is not verified now.**"""
    return read_credential(parse_token(raw), insecure_shape=True)
