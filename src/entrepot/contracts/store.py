"""Tables of negotiations, of every version of their terms, and of contracts."""

from functools import cache, lru_cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    and_,
    bindparam,
    false,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from entrepot.contracts.exchange import Party, State
from entrepot.contracts.exchange_store import (
    by_message,
    by_peer,
    exchange_columns,
    exchange_of,
    exchange_row,
)
from entrepot.contracts.model import Agreement, Negotiation, Offer, Signing
from entrepot.contracts.wire import parse_agreement, parse_offer, render_agreement, render_offer
from entrepot.journal import Page, Pages, Place, Prepared, Transaction, UtcTimeColumn, metadata
from entrepot.values import (
    AgreementId,
    ConflictError,
    ContractId,
    Did,
    Digest,
    MessageId,
    ProcessId,
    UtcTime,
    canonical,
)

_negotiation: Final = Table(
    "negotiation",
    metadata,
    *exchange_columns(),
    Column("offer", LargeBinary, nullable=False),
    Column("asked", LargeBinary, nullable=False),
    Column("agreement", LargeBinary),
    Column("agreement_id", String(500), index=True),
    Column("contract_id", String(100)),
    Column("product_digest", LargeBinary),
    Column("payload", LargeBinary, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("handed_over", Boolean, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Column("one_sided", Boolean, nullable=False),
    Column("needs_person", Boolean, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("problem", String(1000), nullable=False),
    Column("created_at", UtcTimeColumn, nullable=False),
    Column("void_told", Boolean, nullable=False),
)
_terms: Final = Table(
    "negotiation_terms",
    metadata,
    Column("negotiation_id", String(200), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("by", String(20), nullable=False),
    Column("at", UtcTimeColumn, nullable=False),
    Column("terms", LargeBinary, nullable=False),
)
_contract: Final = Table(
    "contract",
    metadata,
    Column("agreement_id", String(500), primary_key=True),
    Column("contract_id", String(100), nullable=False, unique=True),
    Column("negotiation_id", String(200), nullable=False),
    Column("party", String(20), nullable=False),
    Column("counterparty", String(500), nullable=False),
    Column("status", String(4), nullable=False),
    Column("agreement", LargeBinary, nullable=False),
    Column("product_digest", LargeBinary, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("envelope_digest", LargeBinary, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Column("one_sided", Boolean, nullable=False),
    Column("ends_at", UtcTimeColumn),
    Column("end_reason", String(20)),
    Column("ended_at", UtcTimeColumn),
    Column("end_told", Boolean, nullable=False),
    Column("vouched_by", String(200), nullable=False, server_default=""),
    Column("kept_at", UtcTimeColumn, nullable=False),
)
Index("ix_contract_kept", _contract.c.kept_at, _contract.c.agreement_id)

_TERMS: Final = frozenset({"offer", "asked", "agreement"})
_INSERT: Final = Prepared(insert(_negotiation))
_BY_ID: Final = Prepared(select(_negotiation).where(_negotiation.c.id == bindparam("of")))
_BY_PEER: Final = by_peer(_negotiation)
_BY_MESSAGE: Final = by_message(_negotiation)
_UNASKED: Final = Prepared(
    select(func.count().label("found")).where(
        _negotiation.c.counterparty == bindparam("counterparty"),
        _negotiation.c.party == str(Party.CONSUMER),
        _negotiation.c.needs_person == true(),
        or_(
            _negotiation.c.state == str(State.OFFERED),
            _negotiation.c.created_at > bindparam("since", type_=UtcTimeColumn),
        ),
    )
)
# Ids of ours begin with their time, so the newest is found without an index more.
_PAGES: Final = Pages(select(_negotiation), _negotiation.c.id)
_WAITING: Final = Pages(
    select(_negotiation).where(
        _negotiation.c.pending_move.is_(None),
        _negotiation.c.approved == false(),
        or_(
            *(
                and_(_negotiation.c.state == str(state), _negotiation.c.party == str(party))
                for state, party in ((State.REQUESTED, Party.PROVIDER), (State.OFFERED, Party.CONSUMER))
            )
        ),
    ),
    _negotiation.c.id,
)
_VOID_UNTOLD: Final = select(_negotiation).where(_negotiation.c.void_told == false()).limit(bindparam("most"))
_TELL_VOID: Final = (
    update(_negotiation)
    .where(_negotiation.c.id == bindparam("of"), _negotiation.c.void_told == bindparam("was"))
    .values(void_told=bindparam("to"))
)
_OF_AGREEMENT: Final = select(_negotiation).where(_negotiation.c.agreement_id == bindparam("of"))
_LAST_TERMS: Final = Prepared(
    select(func.max(_terms.c.number).label("last")).where(_terms.c.negotiation_id == bindparam("of"))
)
_TERMS_OF: Final = select(_terms).where(_terms.c.negotiation_id == bindparam("of")).order_by(_terms.c.number)
_KEEP_TERMS: Final = Prepared(insert(_terms))
_KEEP_CONTRACT: Final = Prepared(insert(_contract))
_CONTRACT: Final = Prepared(select(_contract).where(_contract.c.agreement_id == bindparam("of")))
_CONTRACT_BY_ID: Final = select(_contract).where(_contract.c.contract_id == bindparam("of"))
_CONTRACTS: Final = select(_contract).where(_contract.c.vouched_by == "").order_by(_contract.c.agreement_id)
HELD: Final = select(
    _contract.c.kept_at.label("since"), _contract.c.agreement_id.label("id"), true().label("is_ours")
).where(_contract.c.vouched_by == "")
_VOUCHED: Final = select(_contract.c.agreement_id).where(_contract.c.vouched_by == bindparam("of"))
_UNTOLD: Final = select(_contract).where(_contract.c.end_told == false()).limit(bindparam("most"))
_TELL: Final = Prepared(
    update(_contract)
    .where(_contract.c.agreement_id == bindparam("of"), _contract.c.end_told == bindparam("was"))
    .values(end_told=bindparam("to"))
)
_MOVE_CONTRACT: Final = Prepared(
    update(_contract)
    .where(_contract.c.agreement_id == bindparam("of"), _contract.c.status == bindparam("from_status"))
    .values(status=bindparam("to_status"), end_reason=bindparam("why"), ended_at=bindparam("when"))
)


def create(tx: Transaction, negotiation: Negotiation) -> None:
    _INSERT.change(tx.connection, _written(_row(negotiation)) | {"created_at": tx.now, "void_told": True})


def save(tx: Transaction, negotiation: Negotiation, before: Negotiation) -> None:
    """Write what has changed since `before` was read; a later writer gets `ConflictError`."""
    was, row = _row(before), _row(negotiation)
    changed = {n: v for n, v in row.items() if v is not was[n] and (n in _TERMS or v != was[n])}
    values = {f"to_{name}": value for name, value in _written(changed).items()}
    where = {"of": negotiation.exchange.id, "expected": before.exchange.version}
    if _update(frozenset(changed)).change(tx.connection, values | where) != 1:
        raise ConflictError(
            f"negotiation {negotiation.exchange.id} has moved on from version {before.exchange.version}"
        )


@cache
def _update(columns: frozenset[str]) -> Prepared:
    """What sets these columns alone: an index is written anew when one of its columns is set, to whatever."""
    found = _negotiation.c.id == bindparam("of"), _negotiation.c.version == bindparam("expected")
    changes: dict[Column[Any], BindParameter[Any]] = {
        _negotiation.c[name]: bindparam(f"to_{name}") for name in sorted(columns)
    }
    return Prepared(update(_negotiation).where(*found).values(changes))


def read(connection: Connection, negotiation_id: ProcessId) -> Negotiation | None:
    row = _BY_ID.first(connection, {"of": negotiation_id})
    return None if row is None else _negotiation_of(row)


def find_by_peer(
    connection: Connection, counterparty: Did, party: Party, peer_pid: ProcessId
) -> Negotiation | None:
    where = {"counterparty": counterparty, "party": str(party), "peer_pid": peer_pid}
    row = _BY_PEER.first(connection, where)
    return None if row is None else _negotiation_of(row)


def find_by_message(connection: Connection, message_id: MessageId) -> Negotiation | None:
    row = _BY_MESSAGE.first(connection, {"message": message_id})
    return None if row is None else _negotiation_of(row)


def unasked_offers(connection: Connection, provider: Did, since: UtcTime) -> int:
    """How many offers of this party that we have not asked for wait for us, or have come since then."""
    return int(_UNASKED.first(connection, {"counterparty": provider, "since": since}).found)


def page(connection: Connection, place: Place) -> Page[Negotiation]:
    return _PAGES.page(connection, place).of(_negotiation_of)


def waiting(connection: Connection, place: Place) -> Page[Negotiation]:
    """Those in which it may be a person's turn."""
    return _WAITING.page(connection, place).of(_negotiation_of)


def keep_terms(tx: Transaction, negotiation_id: ProcessId, by: Party, terms: Offer | Agreement) -> None:
    """Keep one more version of what was proposed; none is ever overwritten."""
    last = _LAST_TERMS.first(tx.connection, {"of": negotiation_id}).last or 0
    _KEEP_TERMS.change(
        tx.connection,
        {
            "negotiation_id": negotiation_id,
            "number": last + 1,
            "by": str(by),
            "at": tx.now,
            "terms": _rendered(terms),
        },
    )


def terms_of(connection: Connection, negotiation_id: ProcessId) -> list[tuple[int, Party, UtcTime, bytes]]:
    rows = connection.execute(_TERMS_OF, {"of": negotiation_id})
    return [(r.number, Party(r.by), r.at, r.terms) for r in rows]


def void_untold(connection: Connection, most: int) -> list[Negotiation]:
    return [_negotiation_of(row) for row in connection.execute(_VOID_UNTOLD, {"most": most})]


def tell_void(tx: Transaction, negotiation_id: ProcessId, *, told: bool) -> bool:
    """Note whether the platform knows that nothing comes of a contract's id; False where that was known."""
    values = {"of": negotiation_id, "to": told, "was": not told}
    return tx.connection.execute(_TELL_VOID, values).rowcount == 1


def of_agreement(connection: Connection, agreement_id: AgreementId) -> list[Negotiation]:
    return [_negotiation_of(row) for row in connection.execute(_OF_AGREEMENT, {"of": agreement_id})]


def keep_contract(tx: Transaction, values: dict[str, Any]) -> None:
    _KEEP_CONTRACT.change(tx.connection, {"vouched_by": "", "kept_at": tx.now} | values)


def contract_row(connection: Connection, agreement_id: AgreementId) -> "Row[Any] | None":
    row: Row[Any] | None = _CONTRACT.first(connection, {"of": agreement_id})
    return row


def contract_row_by_id(connection: Connection, contract_id: ContractId) -> "Row[Any] | None":
    return connection.execute(_CONTRACT_BY_ID, {"of": contract_id}).first()


def vouched(connection: Connection, voucher: str) -> list[AgreementId]:
    return [AgreementId(row.agreement_id) for row in connection.execute(_VOUCHED, {"of": voucher})]


def contract_rows(connection: Connection) -> "list[Row[Any]]":
    return list(connection.execute(_CONTRACTS).all())


def untold(connection: Connection, most: int) -> "list[Row[Any]]":
    return list(connection.execute(_UNTOLD, {"most": most}).all())


def tell_end(tx: Transaction, agreement_id: AgreementId, *, told: bool) -> bool:
    """Note whether the end of a contract has been told; False where that was known."""
    values = {"of": agreement_id, "to": told, "was": not told}
    return _TELL.change(tx.connection, values) == 1


def move_contract(
    tx: Transaction, agreement_id: AgreementId, before: str, after: str, why: str | None, when: UtcTime | None
) -> bool:
    values = {"of": agreement_id, "from_status": before, "to_status": after, "why": why, "when": when}
    return _MOVE_CONTRACT.change(tx.connection, values) == 1


def _written(row: dict[str, Any]) -> dict[str, Any]:
    """A row, or some of its columns, with terms as bytes."""
    return row | {name: _rendered(row[name]) for name in _TERMS & row.keys() if row[name] is not None}


def _rendered(terms: Offer | Agreement) -> bytes:
    return canonical.encode(render_offer(terms) if isinstance(terms, Offer) else render_agreement(terms))


def _row(n: Negotiation) -> dict[str, Any]:
    signing = n.signing
    return exchange_row(n.exchange) | {
        "counterparty": n.counterparty,
        "address": n.address,
        "offer": n.offer,
        "asked": n.asked,
        "agreement": n.agreement,
        "agreement_id": None if n.agreement is None else n.agreement.id,
        "contract_id": signing.contract_id,
        "product_digest": signing.product_digest,
        "payload": signing.payload,
        "envelope": signing.envelope,
        "handed_over": signing.handed_over,
        "receipt": signing.receipt,
        "one_sided": signing.one_sided,
        "needs_person": n.needs_person,
        "approved": n.approved,
        "problem": n.problem[:1000],
    }


def _negotiation_of(row: "Row[Any]") -> Negotiation:
    return Negotiation(
        exchange=exchange_of(row),
        counterparty=Did(row.counterparty),
        address=row.address,
        offer=_offer_of(row.offer),
        asked=_offer_of(row.asked),
        agreement=None if row.agreement is None else _agreement_of(row.agreement),
        signing=Signing(
            contract_id=None if row.contract_id is None else ContractId(row.contract_id),
            product_digest=None if row.product_digest is None else Digest(row.product_digest),
            payload=row.payload,
            envelope=row.envelope,
            handed_over=row.handed_over,
            receipt=row.receipt,
            one_sided=row.one_sided,
        ),
        needs_person=row.needs_person,
        approved=row.approved,
        problem=row.problem,
        created_at=row.created_at,
    )


# A negotiation is read at each of its messages, and its terms hardly ever change between two of them.
@lru_cache(maxsize=1000)
def _offer_of(raw: bytes) -> Offer:
    return parse_offer(canonical.decode(raw))


@lru_cache(maxsize=1000)
def _agreement_of(raw: bytes) -> Agreement:
    return parse_agreement(canonical.decode(raw))
