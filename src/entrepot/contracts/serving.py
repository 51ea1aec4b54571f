"""Signing as service party (数据服务方): what we were asked to sign, what our person said, what came of it.

A request is known by the digest of what is to be signed, so a repeat of it is the same request and another
text is another. Nothing here lets anybody use data: the contract is its provider's and consumer's to perform.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row

from entrepot.contracts import serving_store as store
from entrepot.contracts.digital import (
    EndReason,
    Signatory,
    Signature,
    Status,
    ends_at,
    open_envelope,
    read_payload,
    signatories,
)
from entrepot.contracts.events import Event
from entrepot.contracts.model import Agreement
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.values import (
    ConflictError,
    ContractId,
    Did,
    NotFoundError,
    TrustError,
    UnavailableError,
    UtcTime,
    canonical,
    sha256,
)

MOST_WAITING: Final = 100
"""Requests of one provider that may wait at a time."""


class ServiceState(StrEnum):
    WAITING = "waiting"
    """For a person of ours."""
    SIGNED = "signed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    """The negotiation ended without a contract."""
    FILED = "filed"
    ENDED = "ended"


SERVICE_LIFE: Final[Mapping[ServiceState, frozenset[ServiceState]]] = MappingProxyType(
    {
        ServiceState.WAITING: frozenset({ServiceState.SIGNED, ServiceState.REFUSED, ServiceState.WITHDRAWN}),
        ServiceState.SIGNED: frozenset({ServiceState.WITHDRAWN, ServiceState.FILED, ServiceState.ENDED}),
        ServiceState.REFUSED: frozenset(),
        # A withdrawal may cross the filing: what is filed with our signature is a contract.
        ServiceState.WITHDRAWN: frozenset({ServiceState.FILED}),
        ServiceState.FILED: frozenset({ServiceState.ENDED}),
        ServiceState.ENDED: frozenset(),
    }
)
_STATUS: Final[Mapping[ServiceState, Status]] = MappingProxyType(
    {
        ServiceState.WAITING: Status.SIGNING,
        ServiceState.SIGNED: Status.SIGNING,
        ServiceState.REFUSED: Status.SIGN_FAILED,
        ServiceState.WITHDRAWN: Status.ENDED,
        ServiceState.FILED: Status.PERFORMING,
        ServiceState.ENDED: Status.ENDED,
    }
)


@dataclass(frozen=True, slots=True)
class ServiceContract:
    """A contract that we were asked to sign as service party."""

    id: str
    contract_id: ContractId
    agreement: Agreement
    state: ServiceState
    envelope: bytes
    """With the signatures that came with the request; once it is filed, with all."""
    signature: Signature | None
    receipt: bytes
    problem: str
    """Why it was refused; never personal data."""
    asked_at: UtcTime
    until: UtcTime
    """Until when the provider waits for us."""
    end_reason: EndReason | None
    ended_at: UtcTime | None

    @property
    def payload(self) -> bytes:
        return open_envelope(self.envelope).raw_payload

    @property
    def status(self) -> Status:
        return _STATUS[self.state]

    @property
    def parties(self) -> tuple[Did, Did]:
        """Provider and consumer."""
        return (self.agreement.assigner, self.agreement.assignee)

    def waits(self, now: UtcTime) -> bool:
        """Whether a person of ours can still answer."""
        return self.state is ServiceState.WAITING and now < self.until

    def holds(self, now: UtcTime) -> bool:
        ends = ends_at(self.agreement.policy)
        return self.state is ServiceState.FILED and (ends is None or now < ends)


def take_request(tx: Transaction, me: Did, sender: Did, envelope: bytes, until: UtcTime) -> ServiceContract:
    """Take in a provider's request; a repeat changes nothing. **The caller has verified its signatures.**"""
    payload = open_envelope(envelope).raw_payload
    terms = read_payload(payload)
    if sender != terms.agreement.assigner or (Signatory.SERVICE_PARTY, me) not in signatories(
        terms.agreement
    ):
        raise NotFoundError("there is no such contract with you")
    known = service_contract(tx.connection, request_id(payload))
    if known is not None:
        return known
    if store.count_of(tx.connection, sender, str(ServiceState.WAITING)) >= MOST_WAITING:
        raise UnavailableError(f"{MOST_WAITING} requests of yours wait here already")
    store.create(
        tx,
        {
            "id": request_id(payload),
            "contract_id": terms.contract_id,
            "provider": sender,
            "state": str(ServiceState.WAITING),
            "envelope": envelope,
            "signature": b"",
            "receipt": b"",
            "problem": "",
            "asked_at": tx.now,
            "until": until,
            "end_reason": None,
            "ended_at": None,
        },
    )
    audit(tx, AuditEvent(Event.ASKED, {"contract": terms.contract_id, "by": sender}))
    return existing_service(tx.connection, request_id(payload))


def sign_request(tx: Transaction, of: str, signature: Signature) -> ServiceContract:
    """A person of ours agrees; the provider gets the signature when it asks again. A repeat is the same."""
    found = existing_service(tx.connection, of)
    if found.signature is not None:
        return found
    _require_waiting(found, tx.now)
    values = {"state": str(ServiceState.SIGNED), "signature": canonical.encode_struct(signature)}
    _move(tx, found, Event.SERVICE_SIGNED, **values)
    return existing_service(tx.connection, of)


def refuse_request(tx: Transaction, of: str, why: str) -> ServiceContract:
    """A person of ours refuses; the provider is told why and ends the negotiation."""
    found = existing_service(tx.connection, of)
    if found.state is ServiceState.REFUSED:
        return found
    _require_waiting(found, tx.now)
    _move(tx, found, Event.SERVICE_REFUSED, state=str(ServiceState.REFUSED), problem=why[:1000])
    return existing_service(tx.connection, of)


def withdraw_request(tx: Transaction, of: str, sender: Did) -> None:
    """The provider needs no signature any more; what is filed, refused or over stays as it is."""
    found = existing_service(tx.connection, of)
    if found.agreement.assigner != sender:
        raise NotFoundError("there is no such request of yours")
    if ServiceState.WITHDRAWN in SERVICE_LIFE[found.state]:
        _move(tx, found, Event.WITHDRAWN, state=str(ServiceState.WITHDRAWN))


def service_filed(tx: Transaction, of: str, envelope: bytes, receipt: bytes) -> ServiceContract:
    """The contract is filed with our signature. **The caller has verified signatures and receipt.**"""
    found = existing_service(tx.connection, of)
    if found.signature is None or found.signature not in open_envelope(envelope).signatures:
        raise TrustError("the contract is not signed by us, as we signed it")
    if found.receipt:
        if found.envelope != envelope:
            raise ConflictError("another contract was filed for this request")
        return found
    after = found.state if found.state is ServiceState.ENDED else ServiceState.FILED
    _move(tx, found, Event.FILED, state=str(after), envelope=envelope, receipt=receipt)
    return existing_service(tx.connection, of)


def end_service(tx: Transaction, contract_id: ContractId, reason: EndReason) -> bool:
    """A contract that we have signed has ended, whether we knew of its filing or not; False if it had."""
    open_ones = [
        c for c in services_of(tx.connection, contract_id) if ServiceState.ENDED in SERVICE_LIFE[c.state]
    ]
    for found in open_ones:
        values = {"state": str(ServiceState.ENDED), "end_reason": str(reason), "ended_at": tx.now}
        _move(tx, found, Event.ENDED, **values)
    return bool(open_ones)


def service_contract(connection: Connection, of: str) -> ServiceContract | None:
    row = store.read(connection, of)
    return None if row is None else _of(row)


def services_of(connection: Connection, contract_id: ContractId) -> list[ServiceContract]:
    """What we were asked to sign under a contract's id: one, unless somebody asked in its name."""
    return [_of(row) for row in store.of_contract(connection, contract_id)]


def service_contracts(connection: Connection, most: int = 1000) -> list[ServiceContract]:
    """What we were asked to sign, the latest first."""
    return [_of(row) for row in store.newest(connection, most)]


def existing_service(connection: Connection, of: str) -> ServiceContract:
    found = service_contract(connection, of)
    if found is None:
        raise NotFoundError("there is no such request here")
    return found


def request_id(payload: bytes) -> str:
    """What a request is known by: the digest of what is to be signed."""
    return sha256(payload).hex()


def _require_waiting(found: ServiceContract, now: UtcTime) -> None:
    if found.state is not ServiceState.WAITING:
        raise ConflictError(f"the request is {found.state}; it waits for nobody")
    if now >= found.until:
        raise ConflictError("it is too late: the provider waits no more")


def _move(tx: Transaction, found: ServiceContract, event: Event, **values: Any) -> None:  # noqa: ANN401 (columns)
    if not store.move(tx, found.id, str(found.state), **values):
        raise ConflictError(f"the request is {found.state} no more")
    audit(tx, AuditEvent(event, {"contract": found.contract_id, "request": found.id}))


def _of(row: "Row[Any]") -> ServiceContract:
    envelope = open_envelope(row.envelope)
    terms = read_payload(envelope.raw_payload)
    return ServiceContract(
        id=row.id,
        contract_id=terms.contract_id,
        agreement=terms.agreement,
        state=ServiceState(row.state),
        envelope=row.envelope,
        signature=msgspec.json.decode(row.signature, type=Signature) if row.signature else None,
        receipt=row.receipt,
        problem=row.problem,
        asked_at=row.asked_at,
        until=row.until,
        end_reason=None if row.end_reason is None else EndReason(row.end_reason),
        ended_at=row.ended_at,
    )
