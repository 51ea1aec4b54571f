"""Contracts that this node is party to: how they are kept, whether they hold, and how they end."""

import warnings
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Row

from entrepot.contracts import store
from entrepot.contracts.digital import (
    EndReason,
    Signatory,
    Status,
    advance,
    ends_at,
    open_envelope,
    signed_by,
)
from entrepot.contracts.events import Event
from entrepot.contracts.exchange import Party, State
from entrepot.contracts.model import Agreement, Negotiation
from entrepot.contracts.wire import parse_agreement, render_agreement
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.values import (
    AgreementId,
    ContractId,
    Did,
    Digest,
    NotFoundError,
    ProcessId,
    ProtocolError,
    UtcTime,
    canonical,
    check_character,
    sha256,
)

_BOTH: Final = (Signatory.PROVIDER, Signatory.CONSUMER)
_ALPHANUMERIC: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that this node is party to."""

    agreement: Agreement
    contract_id: ContractId
    negotiation_id: ProcessId
    party: Party
    counterparty: Did
    status: Status
    product_digest: Digest
    envelope: bytes
    envelope_digest: Digest
    receipt: bytes
    one_sided: bool
    ends_at: UtcTime | None
    end_reason: EndReason | None
    ended_at: UtcTime | None
    service_parties: tuple[Did, ...] = ()
    """Who has signed it in that role."""
    vouched_by: str = ""
    """The control plane that speaks for an agreement made elsewhere; empty where it was signed here."""

    @property
    def others(self) -> tuple[Did, ...]:
        """Every signatory but us; a counterparty that did not sign does not speak of such things."""
        return self.service_parties if self.one_sided else (self.counterparty, *self.service_parties)


def agreement_of(connection: Connection, agreement_id: AgreementId) -> Contract | None:
    """Find the contract of an agreement."""
    row = store.contract_row(connection, agreement_id)
    return None if row is None else _contract_of(row)


def contract_by_id(connection: Connection, contract_id: ContractId) -> Contract | None:
    row = store.contract_row_by_id(connection, contract_id)
    return None if row is None else _contract_of(row)


def contracts_held(connection: Connection) -> list[Contract]:
    return [_contract_of(r) for r in store.contract_rows(connection)]


def in_force(contract: Contract, now: UtcTime) -> tuple[str, ...]:
    """Say why the contract does not hold at `now`; nothing where it does."""
    reasons = []
    if contract.status is not Status.PERFORMING:
        ended = f" ({contract.end_reason})" if contract.end_reason else ""
        reasons.append(f"the contract has status {contract.status}{ended}")
    if contract.ends_at is not None and now > contract.ends_at:
        reasons.append("the contract has expired")
    if now < contract.agreement.timestamp - timedelta(minutes=5):
        reasons.append("the contract has not begun")
    return tuple(reasons)


def end_contract(tx: Transaction, agreement_id: AgreementId, reason: EndReason) -> bool:
    """End a contract; from the moment this is durable no use under it begins. False when it had ended."""
    contract = agreement_of(tx.connection, agreement_id)
    if contract is None:
        raise NotFoundError("there is no such contract here")
    if contract.status is Status.ENDED:
        return False
    after = advance(contract.status, Status.ENDED)
    store.move_contract(tx, agreement_id, contract.status, after, reason, tx.now)
    audit(tx, AuditEvent(Event.ENDED, {"contract": contract.contract_id, "reason": str(reason)}))
    return True


def ends_untold(connection: Connection, most: int = 100) -> list[Contract]:
    """Contracts that ended here because their negotiation did, which the others have still to be told."""
    return [_contract_of(r) for r in store.untold(connection, most)]


def end_told(tx: Transaction, agreement_id: AgreementId) -> bool:
    """The notice of an end is queued in this transaction; False where it was before."""
    return store.tell_end(tx, agreement_id, told=True)


def voids_untold(connection: Connection, most: int = 100) -> list[Negotiation]:
    """Negotiations that ended under a contract's id of ours, which the platform has still to be told."""
    return store.void_untold(connection, most)


def void_told(tx: Transaction, negotiation_id: ProcessId) -> bool:
    """The notice that nothing comes of an id is queued in this transaction; False where it was before."""
    return store.tell_void(tx, negotiation_id, told=True)


def came_to_nothing(connection: Connection, contract_id: ContractId, counterparty: Did) -> bool:
    """Whether we negotiated this contract with that party and hold none, as the negotiation was ended."""
    found = store.of_agreement(connection, AgreementId(contract_id))
    return any(n.counterparty == counterparty and n.exchange.state is State.TERMINATED for n in found)


def keep_contract(tx: Transaction, n: Negotiation) -> None:
    if n.agreement is None or n.signing.product_digest is None:
        raise ProtocolError("a contract needs an agreement and the product's digest")
    envelope = open_envelope(n.signing.envelope)
    store.keep_contract(
        tx,
        {
            "agreement_id": n.agreement.id,
            "contract_id": n.signing.contract_id or n.agreement.id,
            "negotiation_id": n.exchange.id,
            "party": str(n.exchange.party),
            "counterparty": n.counterparty,
            "status": str(Status.SIGNED),
            "agreement": canonical.encode(render_agreement(n.agreement)),
            "product_digest": n.signing.product_digest,
            "envelope": n.signing.envelope,
            "envelope_digest": sha256(n.signing.envelope),
            "receipt": n.signing.receipt,
            "one_sided": not {s.role for s in envelope.signatures}.issuperset(_BOTH),
            "ends_at": ends_at(n.agreement.policy),
            "end_reason": None,
            "ended_at": None,
            "end_told": True,
            "vouched_by": "",
        },
    )
    audit(tx, AuditEvent(Event.FILED, {"contract": n.signing.contract_id or n.agreement.id}))


def settle_contract(tx: Transaction, n: Negotiation) -> None:
    """A finalized negotiation puts its contract into performance, a terminated one ends it.

    The filing may come to us before or after that; whichever is later does it.
    """
    if n.exchange.state is State.FINALIZED and n.agreement is not None:
        after = advance(Status.SIGNED, Status.PERFORMING)
        store.move_contract(tx, n.agreement.id, Status.SIGNED, after, None, None)
    if n.exchange.state is State.TERMINATED:
        _end_with(tx, n)


def _end_with(tx: Transaction, n: Negotiation) -> None:
    """End what a terminated negotiation was about: its contract, or the id that one may be filed under.

    A filing that was sent is not taken back by forgetting it, so the platform is told in either case.
    """
    if n.agreement is not None and store.contract_row(tx.connection, n.agreement.id) is not None:
        if end_contract(tx, n.agreement.id, EndReason.AGREEMENT):
            store.tell_end(tx, n.agreement.id, told=False)
    elif n.signing.contract_id is not None:
        store.tell_void(tx, n.exchange.id, told=False)


def hold_insecure_unsigned(tx: Transaction, agreement: Agreement, party: Party, counterparty: Did) -> None:
    """Put an agreement into performance that nobody has signed. For rigs of test suites only; it warns."""
    warnings.warn("an agreement without signatures is held", stacklevel=2)
    store.keep_contract(tx, _unsigned(agreement, party, counterparty))


def hold_vouched(tx: Transaction, agreement: Agreement, voucher: str, product_digest: Digest) -> Contract:
    """Hold an agreement that a control plane of our owner's has made: on our owner's terms, not on its.

    Nobody has signed it here and it is filed nowhere; it is what a use under that control plane is judged
    by. Where it is held already, that one stands.
    """
    known = agreement_of(tx.connection, agreement.id)
    if known is not None:
        return known
    values = _unsigned(agreement, Party.PROVIDER, agreement.assignee)
    own = {"contract_id": _vouched_code(agreement.id), "product_digest": product_digest}
    store.keep_contract(tx, values | own | {"vouched_by": voucher})
    audit(tx, AuditEvent(Event.VOUCHED, {"agreement": agreement.id, "by": voucher}))
    kept = agreement_of(tx.connection, agreement.id)
    if kept is None:
        raise AssertionError("what was kept a moment ago is there")
    return kept


def vouched_agreements(connection: Connection, voucher: str) -> list[AgreementId]:
    """The agreements that are held on the word of a control plane."""
    return store.vouched(connection, voucher)


def _vouched_code(agreement_id: AgreementId) -> str:
    """What records call such an agreement: as long as a contract's code, and none that a platform gives."""
    number = int.from_bytes(sha256(agreement_id.encode()))
    rest = "".join(_ALPHANUMERIC[number // 36**place % 36] for place in range(39))
    return "VOUCHED" + rest + check_character("VOUCHED" + rest)


def _unsigned(agreement: Agreement, party: Party, counterparty: Did) -> dict[str, Any]:
    return {
        "agreement_id": agreement.id,
        "contract_id": agreement.id,
        "negotiation_id": "",
        "party": str(party),
        "counterparty": counterparty,
        "status": str(Status.PERFORMING),
        "agreement": canonical.encode(render_agreement(agreement)),
        "product_digest": sha256(b""),
        "envelope": b"",
        "envelope_digest": sha256(b""),
        "receipt": b"",
        "one_sided": True,
        "ends_at": ends_at(agreement.policy),
        "end_reason": None,
        "ended_at": None,
        "end_told": True,
        "vouched_by": "",
    }


@lru_cache(maxsize=1024)
def _contract_of(row: "Row[Any]") -> Contract:
    """What a row says; rows are read at each use, and one that says the same is parsed once."""
    return Contract(
        agreement=parse_agreement(canonical.decode(row.agreement)),
        contract_id=ContractId(row.contract_id),
        negotiation_id=ProcessId(row.negotiation_id),
        party=Party(row.party),
        counterparty=Did(row.counterparty),
        status=Status(row.status),
        product_digest=Digest(row.product_digest),
        envelope=row.envelope,
        envelope_digest=Digest(row.envelope_digest),
        receipt=row.receipt,
        one_sided=row.one_sided,
        ends_at=row.ends_at,
        end_reason=None if row.end_reason is None else EndReason(row.end_reason),
        ended_at=row.ended_at,
        service_parties=signed_by(row.envelope, Signatory.SERVICE_PARTY),
        vouched_by=row.vouched_by,
    )
