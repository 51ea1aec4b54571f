"""What was seen before: tokens that may be used once, and answers that a repeat gets again."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from entrepot.journal.database import UtcTimeColumn, metadata
from entrepot.journal.prepared import Prepared
from entrepot.journal.transaction import Transaction
from entrepot.values import Digest, MessageId, ProcessId, UtcTime, sha256


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a message, and the digest of that message."""

    digest: Digest
    status: int
    body: bytes


_seen: Final = Table(
    "seen",
    metadata,
    Column("scope", String(100), primary_key=True),
    # A stranger chooses the key: its digest has one length and any alphabet, and tells no secret.
    Column("key", LargeBinary(32), primary_key=True),
    Column("until", UtcTimeColumn, nullable=False, index=True),
)
_answer: Final = Table(
    "answer",
    metadata,
    Column("process", String(200), primary_key=True),
    Column("message_id", String(200), primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", UtcTimeColumn, nullable=False, index=True),
)

_SEE: Final = Prepared(insert(_seen))
_SEEN: Final = select(_seen.c.until).where(
    _seen.c.scope == bindparam("scope"), _seen.c.key == bindparam("key")
)
_FORGET: Final = delete(_seen).where(_seen.c.until < bindparam("now"))
_REMEMBER: Final = Prepared(insert(_answer))
_RECALL: Final = Prepared(
    select(_answer).where(
        _answer.c.process == bindparam("process"), _answer.c.message_id == bindparam("message_id")
    )
)
_FORGET_ANSWERS: Final = delete(_answer).where(_answer.c.at < bindparam("before"))


def first_seen(tx: Transaction, scope: str, key: str, until: UtcTime) -> bool:
    """Say whether `key` is seen for the first time in `scope`, and remember it until `until`."""
    digest = sha256(key.encode("utf-8", "surrogatepass"))
    try:
        with tx.connection.begin_nested():
            _SEE.change(tx.connection, {"scope": scope, "key": digest, "until": until})
    except IntegrityError:
        return False
    return True


def was_seen(connection: Connection, scope: str, key: str) -> bool:
    """Say whether `key` was seen in `scope`, without seeing it."""
    values = {"scope": scope, "key": sha256(key.encode("utf-8", "surrogatepass"))}
    return connection.execute(_SEEN, values).first() is not None


def forget_seen(tx: Transaction) -> int:
    """Drop what no longer needs to be remembered; say how much."""
    return tx.connection.execute(_FORGET, {"now": tx.now}).rowcount


def remember_answer(
    tx: Transaction, process: ProcessId, message_id: MessageId, digest: Digest, status: int, body: bytes
) -> None:
    """Keep what was answered to a message of a process, so that a repeat is answered alike."""
    _REMEMBER.change(
        tx.connection,
        {
            "process": process,
            "message_id": message_id,
            "digest": digest,
            "status": status,
            "body": body,
            "at": tx.now,
        },
    )


def recall_answer(
    where: Transaction | Connection, process: ProcessId, message_id: MessageId
) -> Answer | None:
    """Give the answer to a message seen before.

    **The caller compares the digests.**
    """
    connection = where.connection if isinstance(where, Transaction) else where
    row = _RECALL.first(connection, {"process": process, "message_id": message_id})
    return None if row is None else Answer(Digest(row.digest), row.status, row.body)


def forget_answers(tx: Transaction, before: UtcTime) -> int:
    """Drop answers given before a time when no repeat can come any more; say how many."""
    return tx.connection.execute(_FORGET_ANSWERS, {"before": before}).rowcount
