"""How a filed contract ends: by a party's notice, by expiry, or by a supervisor's stop order.

A party's notice and a stop order are signed by evidence keys and kept as they came. A stop order is passed
on to every signatory until each has acknowledged it (design: a stop once known never expires).
"""

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.ledger import ContractEnd, EndReason
from entrepot.space import filing_store, member_store, statement_store
from entrepot.space.errors import FilingConflictError
from entrepot.space.filing import signatories_of
from entrepot.space.model import FiledContract, FilingState, Member, MemberRole, Rules, StopDelivery
from entrepot.space.notices import Notice, tell
from entrepot.space.operations import END, want
from entrepot.space.statement import Statement, read_statement, verify_statement
from entrepot.values import (
    ContractId,
    Did,
    Digest,
    MessageId,
    NotFoundError,
    RefusedError,
    TrustError,
    UtcTime,
    parse_time,
    sha256,
)

END_NOTICE: Final = "contract-end"
"""What a party's notice of an end is signed as."""
STOP_ORDER: Final = "stop-order"
"""What a supervisor's order is signed as."""

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Contract = Annotated[str, Meta(min_length=1, max_length=100)]


class Event(StrEnum):
    ENDING = "space:contract:end"
    ENDED = "space:contract:ended"
    CLOSED = "space:contract:close"
    ORDERED = "space:order:record"
    ACKNOWLEDGED = "space:order:acknowledge"


class PartyReason(StrEnum):
    """For which reasons a party may end a contract."""

    EXPIRY = "expiry"
    AGREEMENT = "agreement"
    BREACH = "breach"


class EndNotice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A party ends a contract (contractTerminate)."""

    at: str
    contract: Contract
    id: Id
    reason: PartyReason


class StopOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A supervisor stops what is done under a contract (abnormalTermination)."""

    at: str
    contract: Contract
    id: Id
    reason: Annotated[str, Meta(min_length=1, max_length=256)]


def verify_end_notice(statement: Statement[EndNotice], signer: Member) -> EndNotice:
    """Check that a member's evidence key signed the notice, or raise."""
    notice = verify_statement(END_NOTICE, statement, signer.evidence_key_id, signer.evidence_key)
    parse_time(notice.at)
    return notice


def verify_stop_order(statement: Statement[StopOrder], signer: Member) -> StopOrder:
    """Check that the order is signed by a supervisor's evidence key, or raise."""
    order = verify_statement(STOP_ORDER, statement, signer.evidence_key_id, signer.evidence_key)
    parse_time(order.at)
    if MemberRole.REGULATOR not in signer.roles or not signer.in_force:
        raise RefusedError("only a supervisor in force orders a stop")
    return order


def end_contract(
    tx: Transaction, rules: Rules, statement: Statement[EndNotice], sender: Did
) -> FiledContract:
    """A party ends its contract. A repeat changes nothing. **The caller has verified the statement.**

    It counts at once, however far the filing is: an id that nothing was filed under is closed for ever, and
    what is on its way to the ledger ends when it got there.
    """
    notice = statement.content
    contract = filing_store.read_contract(tx.connection, ContractId(notice.contract))
    if contract is None or sender not in signatories_of(contract) or statement.signer != sender:
        raise NotFoundError("there is no such contract of yours")
    name = _name(sender, notice.id)
    if not _first_time(tx, name, statement.digest):
        return contract
    if contract.state is FilingState.GIVEN and sender != contract.holder:
        raise NotFoundError("the contract is not filed yet")
    statement_store.keep_statement(
        tx, name, END_NOTICE, contract.contract_id, sender, statement.digest, statement.raw
    )
    _end(tx, contract, EndReason(notice.reason))
    if contract.state is FilingState.GIVEN:
        return contract
    for other in signatories_of(contract):
        if other != sender:
            tell(tx, other, Notice.CONTRACT_END, statement.raw, contract.contract_id, tx.now + rules.deadline)
    return contract


def order_stop(tx: Transaction, rules: Rules, statement: Statement[StopOrder], sender: Did) -> StopOrder:
    """Record a supervisor's order, end the contract, and pass the order on to every signatory.

    **The caller has verified the statement**; that its signer is a supervisor in force is asked again here.
    """
    order = statement.content
    issuer = member_store.read_member(tx.connection, sender)
    if issuer is None or not issuer.in_force or MemberRole.REGULATOR not in issuer.roles:
        raise RefusedError("only a supervisor in force orders a stop")
    if statement.key_id != issuer.evidence_key_id:
        raise TrustError("the order is signed by another key than the supervisor's")
    contract = filing_store.read_contract(tx.connection, ContractId(order.contract))
    if contract is None or contract.envelope_digest is None:
        raise NotFoundError("no such contract is filed here")
    name = _name(sender, order.id)
    if not _first_time(tx, name, statement.digest):
        return order
    statement_store.keep_statement(
        tx, name, STOP_ORDER, contract.contract_id, sender, statement.digest, statement.raw
    )
    audit(tx, AuditEvent(Event.ORDERED, {"order": order.id, "contract": contract.contract_id, "by": sender}))
    _end(tx, contract, EndReason.ORDER)
    for party in signatories_of(contract):
        message_id = tell(
            tx, party, Notice.STOP, statement.raw, contract.contract_id, tx.now + rules.deadline
        )
        statement_store.send_stop(tx, name, party, message_id)
    return order


def acknowledged(tx: Transaction, message_id: MessageId) -> bool:
    """A party has acknowledged a stop order that was passed on to it; False where that was known."""
    done = statement_store.acknowledge(tx, message_id)
    if done:
        audit(tx, AuditEvent(Event.ACKNOWLEDGED, {"message": message_id}))
    return done


def acknowledgements(connection: Connection, supervisor: Did, order_id: str) -> list[StopDelivery]:
    """To whom an order was passed on, and who has acknowledged it."""
    return statement_store.deliveries(connection, _name(supervisor, order_id))


def statements_on(connection: Connection, contract_id: ContractId) -> list[tuple[str, Did, bytes]]:
    """Every signed notice and order on a contract, oldest first."""
    return statement_store.statements(connection, contract_id)


def end_expired(tx: Transaction, limit: int = 100) -> int:
    """End filed contracts whose time is over; say how many."""
    over = filing_store.over(tx.connection, tx.now, limit)
    for contract in over:
        _end(tx, contract, EndReason.EXPIRY)
    return len(over)


def has_expired(connection: Connection, now: UtcTime) -> bool:
    """Whether `end_expired` has anything to do."""
    return bool(filing_store.over(connection, now, 1))


def end_where_told(tx: Transaction, contract_id: ContractId) -> None:
    """End a contract that was ended or ordered to stop while it was on its way to the ledger."""
    said = statement_store.statements(tx.connection, contract_id)
    contract = filing_store.read_contract(tx.connection, contract_id)
    if said and contract is not None:
        is_ordered = any(kind == STOP_ORDER for kind, _, _ in said)
        _end(tx, contract, EndReason.ORDER if is_ordered else _reason(said[0][2]))


def _reason(notice: bytes) -> EndReason:
    return EndReason(read_statement(notice, EndNotice).content.reason)


def ended(tx: Transaction, contract_id: ContractId) -> None:
    """The ledger has the end."""
    filing_store.move_contract(tx, contract_id, FilingState.ENDING, state=str(FilingState.ENDED))
    audit(tx, AuditEvent(Event.ENDED, {"contract": contract_id}))


def not_ended(tx: Transaction, contract_id: ContractId, reason: str) -> None:
    """The ledger refused the end: it had one already, from a party or the supervisor directly."""
    filing_store.move_contract(
        tx, contract_id, FilingState.ENDING, state=str(FilingState.ENDED), problem=reason[:1000]
    )


def _end(tx: Transaction, contract: FiledContract, reason: EndReason) -> None:
    """Ask the ledger for the end, once; a contract on its way to the ledger ends after it got there."""
    if contract.state is FilingState.GIVEN:  # the ledger has nothing of it, and now never will
        closed = str(FilingState.ENDED)
        filing_store.move_contract(
            tx, contract.contract_id, FilingState.GIVEN, state=closed, end_reason=str(reason)
        )
        audit(tx, AuditEvent(Event.CLOSED, {"contract": contract.contract_id, "reason": str(reason)}))
    if contract.state is not FilingState.FILED:
        return
    filing_store.move_contract(
        tx, contract.contract_id, FilingState.FILED, state=str(FilingState.ENDING), end_reason=str(reason)
    )
    want(tx, END, contract.contract_id, ContractEnd(contract=contract.contract_id, reason=reason))
    audit(tx, AuditEvent(Event.ENDING, {"contract": contract.contract_id, "reason": str(reason)}))


def _name(signer: Did, statement_id: str) -> str:
    """What a statement is kept under: ids are its signer's own, so nobody can occupy another's."""
    return sha256(f"{signer} {statement_id}".encode()).hex()


def _first_time(tx: Transaction, statement_id: str, digest: Digest) -> bool:
    known = statement_store.statement_digest(tx.connection, statement_id)
    if known is not None and known != digest:
        raise FilingConflictError("another statement came under this id")
    return known is None
