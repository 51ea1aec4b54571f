"""A supervisor's request to see what the records of a use say; itself written down on both sides.

What the ledger holds are commitments. Whoever wrote the records holds their openings, and gives them to a
supervisor in force who asks in its own name, says about which contract and why.
"""

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from entrepot import regulation
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.oversight import store
from entrepot.oversight.store import WrittenRequest
from entrepot.space import Statement
from entrepot.values import ConflictError, parse_time, sha256

OPENINGS_REQUEST: Final = "openings-request"
"""What a request is signed as."""


class Event(StrEnum):
    ASKED = "oversight:openings:ask"
    GIVEN = "oversight:openings:give"


class Side(StrEnum):
    """On which side of a request this node stands."""

    SUPERVISOR = "supervisor"
    PARTY = "party"


class OpeningsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks a party for the openings of one use under a contract; without a use, which uses there are."""

    at: str
    contract: Annotated[str, Meta(min_length=1, max_length=100)]
    id: Annotated[str, Meta(min_length=1, max_length=200)]
    why: Annotated[str, Meta(min_length=1, max_length=256)]
    use: Annotated[str, Meta(max_length=100)] = ""


def write_down(tx: Transaction, statement: Statement[OpeningsRequest], side: Side, party: str) -> bool:
    """Write a request down before it is sent, or before it is answered. False where it was known.

    **The caller has verified the statement.** Another request under a known id is refused.
    """
    request = statement.content
    name = sha256(f"{statement.signer} {request.id}".encode()).hex()
    known = store.request_digest(tx.connection, name)
    if known is not None:
        if known != statement.digest:
            raise ConflictError("another request came under this id")
        return False
    written = WrittenRequest(
        name=name,
        side=str(side),
        supervisor=statement.signer,
        party=party,
        contract=request.contract,
        use=request.use,
        why=request.why,
        asked_at=parse_time(request.at),
        raw=statement.raw,
    )
    store.keep(tx, written, statement.digest, tx.now + regulation.retention("record", tx.now.date()))
    event = Event.ASKED if side is Side.SUPERVISOR else Event.GIVEN
    facts = {"request": request.id, "contract": request.contract, "use": request.use, "by": statement.signer}
    audit(tx, AuditEvent(event, facts))
    return True


def requests(connection: Connection, most: int = 200) -> list[WrittenRequest]:
    """The requests that this node made or answered, newest first."""
    return store.newest(connection, most)
