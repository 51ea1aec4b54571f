"""Tables of the platform: invitations, members, contract ids and filings, operations, orders."""

from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from entrepot.identity import PublicKey
from entrepot.journal import Page, Pages, Place, Transaction, UtcTimeColumn, metadata
from entrepot.space.model import (
    FiledContract,
    FilingState,
    Invitation,
    Member,
    MemberRole,
    MemberState,
    Operation,
    OperationState,
    RegisteredProduct,
    StopDelivery,
)
from entrepot.space.rules import SHUT
from entrepot.values import (
    ConflictError,
    ContractId,
    Did,
    Digest,
    Grade,
    KeyId,
    ProductId,
    TransactionId,
    UtcTime,
)

_invitation: Final = Table(
    "space_invitation",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("code_digest", LargeBinary(32), nullable=False, unique=True),
    Column("roles", String(200), nullable=False),
    Column("expires_at", UtcTimeColumn, nullable=False),
    Column("used_for", LargeBinary(32)),
)
_member: Final = Table(
    "space_member",
    metadata,
    Column("did", String(500), primary_key=True),
    Column("state", String(20), nullable=False, index=True),
    Column("name", String(128), nullable=False),
    Column("subject_code", String(18), nullable=False),
    Column("region", String(4), nullable=False),
    Column("roles", String(200), nullable=False),
    Column("connector_code", String(32), nullable=False),
    Column("evidence_key_id", String(600), nullable=False),
    Column("evidence_key", LargeBinary(32), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("origins", Text, nullable=False),
    Column("application_digest", LargeBinary(32), nullable=False),
    Column("application", LargeBinary, nullable=False),
    Column("status_index", Integer, unique=True),
    Column("admitted_at", UtcTimeColumn),
    Column("credential", Text, nullable=False),
    Column("problem", String(1000), nullable=False),
)
_retired: Final = Table(
    "space_retired_index",
    metadata,
    Column("status_index", Integer, primary_key=True, autoincrement=False),
    Column("did", String(500), nullable=False),
)
_status_list: Final = Table(
    "space_status_list",
    metadata,
    Column("url", String(2000), primary_key=True),
    Column("signed_at", UtcTimeColumn, nullable=False),
    Column("raw", Text, nullable=False),
)
_contract: Final = Table(
    "space_contract",
    metadata,
    Column("contract_id", String(47), primary_key=True),
    Column("holder", String(500), nullable=False),
    Column("negotiation", String(500), nullable=False),
    Column("counterparty", String(500), nullable=False),
    Column("state", String(20), nullable=False),
    Column("given_at", UtcTimeColumn, nullable=False),
    Column("product", String(500)),
    Column("envelope", LargeBinary, nullable=False),
    Column("envelope_digest", LargeBinary(32)),
    Column("one_sided", Boolean, nullable=False),
    Column("ends_at", UtcTimeColumn),
    Column("ledger_transaction", String(80)),
    Column("filed_at", UtcTimeColumn),
    Column("receipt", LargeBinary, nullable=False),
    Column("end_reason", String(20), nullable=False),
    Column("problem", String(1000), nullable=False),
    UniqueConstraint("holder", "negotiation"),
)
Index("ix_space_contract_given", _contract.c.given_at, _contract.c.contract_id)
Index("ix_space_contract_state", _contract.c.state, _contract.c.ends_at)
_product: Final = Table(
    "space_product",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("owner", String(500), nullable=False),
    Column("grade", String(20), nullable=False),
    Column("registered", Boolean, nullable=False),
)
_operation: Final = Table(
    "space_operation",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("op", String(40), nullable=False),
    Column("subject", String(600), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(20), nullable=False),
    Column("ledger_transaction", String(80), unique=True),
    Column("reason", String(200), nullable=False),
    Column("wanted_at", UtcTimeColumn, nullable=False),
)
Index("ix_space_operation_state", _operation.c.state, _operation.c.wanted_at)
_statement: Final = Table(
    "space_statement",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("subject", String(500), nullable=False, index=True),
    Column("signer", String(500), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("at", UtcTimeColumn, nullable=False),
)
_delivery: Final = Table(
    "space_stop_delivery",
    metadata,
    Column("order_id", String(200), primary_key=True),
    Column("party", String(500), primary_key=True),
    Column("message_id", String(200), nullable=False, unique=True),
    Column("acknowledged_at", UtcTimeColumn),
)

_INVITE: Final = insert(_invitation)
_INVITED: Final = select(_invitation).where(_invitation.c.code_digest == bindparam("of"))
_USE: Final = (
    update(_invitation)
    .where(_invitation.c.id == bindparam("of"), _invitation.c.used_for.is_(None))
    .values(used_for=bindparam("application"))
)

_ENTER: Final = insert(_member)
_MEMBER: Final = select(_member).where(_member.c.did == bindparam("of"))
_MEMBERS: Final = select(_member).order_by(_member.c.did).limit(bindparam("most"))
_CHANGE: Final = update(_member).where(
    _member.c.did == bindparam("of"), _member.c.state == bindparam("before")
)
_LEAVE: Final = delete(_member).where(
    _member.c.did == bindparam("of"), _member.c.state == str(MemberState.DECLINED)
)
_TOP_INDEX: Final = select(func.max(_member.c.status_index))
_TOP_RETIRED: Final = select(func.max(_retired.c.status_index))
_RETIRE: Final = insert(_retired)
_RETIRED: Final = select(_retired.c.status_index)
_SHUT: Final = select(_member.c.status_index).where(
    _member.c.state.in_([str(s) for s in SHUT]), _member.c.status_index.is_not(None)
)
_UNSIGNED: Final = (
    select(_member)
    .where(_member.c.state == str(MemberState.IN_FORCE), _member.c.credential == "")
    .order_by(_member.c.did)
    .limit(bindparam("most"))
)
_REPLACE_KEY: Final = (
    update(_member)
    .where(_member.c.did == bindparam("of"), _member.c.epoch < bindparam("next"))
    .values(
        epoch=bindparam("next"),
        evidence_key_id=bindparam("key_id"),
        evidence_key=bindparam("key"),
        credential="",
    )
)
_HOLD: Final = (
    update(_member)
    .where(_member.c.did == bindparam("of"), _member.c.epoch == bindparam("at"))
    .values(credential=bindparam("signed"))
)

_LIST: Final = select(_status_list).where(_status_list.c.url == bindparam("of"))
_PUT_LIST: Final = insert(_status_list)
_RENEW_LIST: Final = (
    update(_status_list)
    .where(_status_list.c.url == bindparam("of"), _status_list.c.signed_at < bindparam("at"))
    .values(signed_at=bindparam("at"), raw=bindparam("signed"))
)

_GIVE: Final = insert(_contract)
_CONTRACT: Final = select(_contract).where(_contract.c.contract_id == bindparam("of"))
_GIVEN: Final = select(_contract).where(
    _contract.c.holder == bindparam("holder"), _contract.c.negotiation == bindparam("negotiation")
)
_CONTRACTS: Final = Pages(select(_contract), _contract.c.given_at, _contract.c.contract_id)
_MOVE_CONTRACT: Final = update(_contract).where(
    _contract.c.contract_id == bindparam("of"), _contract.c.state == bindparam("before")
)
_UNRECEIPTED: Final = (
    select(_contract)
    .where(_contract.c.state == str(FilingState.COMMITTED))
    .order_by(_contract.c.contract_id)
    .limit(bindparam("most"))
)
_OVER: Final = (
    select(_contract)
    .where(_contract.c.state == str(FilingState.FILED), _contract.c.ends_at < bindparam("now"))
    .order_by(_contract.c.ends_at)
    .limit(bindparam("most"))
)

_LIST_PRODUCT: Final = insert(_product)
_PRODUCT: Final = select(_product).where(
    _product.c.id == bindparam("of"), _product.c.digest == bindparam("described")
)
_OWNER: Final = select(_product.c.owner).where(_product.c.id == bindparam("of")).limit(1)
_REGISTER: Final = (
    update(_product)
    .where(_product.c.id == bindparam("of"), _product.c.digest == bindparam("described"))
    .values(registered=True)
)
_UNLIST_PRODUCT: Final = delete(_product).where(
    _product.c.id == bindparam("of"),
    _product.c.digest == bindparam("described"),
    _product.c.registered.is_(False),
)

_WANT: Final = insert(_operation)
_WANTED: Final = (
    select(_operation)
    .where(_operation.c.state == str(OperationState.WANTED))
    .order_by(_operation.c.wanted_at, _operation.c.id)
    .limit(bindparam("most"))
)
_OPERATION: Final = select(_operation).where(_operation.c.ledger_transaction == bindparam("of"))
_WISH: Final = select(_operation).where(
    _operation.c.op == bindparam("op"),
    _operation.c.subject == bindparam("of"),
    _operation.c.state == str(OperationState.WANTED),
)
_MOVE_OPERATION: Final = (
    update(_operation)
    .where(_operation.c.id == bindparam("of"), _operation.c.state == bindparam("before"))
    .values(
        state=bindparam("after"),
        ledger_transaction=bindparam("name"),
        reason=bindparam("why"),
    )
)

_KEEP_STATEMENT: Final = insert(_statement)
_STATEMENT: Final = select(_statement).where(_statement.c.id == bindparam("of"))
_STATEMENTS: Final = (
    select(_statement).where(_statement.c.subject == bindparam("of")).order_by(_statement.c.at)
)
_SEND_STOP: Final = insert(_delivery)
_ACKNOWLEDGE: Final = (
    update(_delivery)
    .where(_delivery.c.message_id == bindparam("of"), _delivery.c.acknowledged_at.is_(None))
    .values(acknowledged_at=bindparam("at"))
)
_DELIVERIES: Final = (
    select(_delivery).where(_delivery.c.order_id == bindparam("of")).order_by(_delivery.c.party)
)


def invite(tx: Transaction, invitation: Invitation) -> None:
    tx.connection.execute(
        _INVITE,
        {
            "id": invitation.id,
            "code_digest": invitation.code_digest,
            "roles": _written(invitation.roles),
            "expires_at": invitation.expires_at,
            "used_for": None,
        },
    )


def read_invitation(connection: Connection, code_digest: Digest) -> Invitation | None:
    row = connection.execute(_INVITED, {"of": code_digest}).first()
    if row is None:
        return None
    used = None if row.used_for is None else Digest(row.used_for)
    return Invitation(row.id, Digest(row.code_digest), frozenset(_roles(row.roles)), row.expires_at, used)


def use_invitation(tx: Transaction, invitation_id: str, application: Digest) -> bool:
    """Use a code up; False where another was faster."""
    return tx.connection.execute(_USE, {"of": invitation_id, "application": application}).rowcount == 1


def enter(tx: Transaction, member: Member, application: bytes) -> None:
    tx.connection.execute(
        _ENTER,
        {
            "did": member.did,
            "state": str(member.state),
            "name": member.name,
            "subject_code": member.subject_code,
            "region": member.region,
            "roles": _written(member.roles),
            "connector_code": member.connector_code,
            "evidence_key_id": member.evidence_key_id,
            "evidence_key": member.evidence_key.raw,
            "epoch": member.epoch,
            "origins": " ".join(member.origins),
            "application_digest": member.application_digest,
            "application": application,
            "status_index": None,
            "admitted_at": None,
            "credential": "",
            "problem": "",
        },
    )


def read_member(connection: Connection, did: Did) -> Member | None:
    row = connection.execute(_MEMBER, {"of": did}).first()
    return None if row is None else _member_of(row)


def read_members(connection: Connection, most: int) -> list[Member]:
    return [_member_of(r) for r in connection.execute(_MEMBERS, {"most": most})]


def change_member(tx: Transaction, did: Did, before: MemberState, **values: str | int | UtcTime) -> None:
    """Write over the state that was read; a later writer gets `ConflictError`."""
    if tx.connection.execute(_CHANGE.values(**values), {"of": did, "before": str(before)}).rowcount != 1:
        raise ConflictError(f"{did} is no longer {before}")


def forget_declined(tx: Transaction, did: Did) -> None:
    """A declined applicant may come again."""
    tx.connection.execute(_LEAVE, {"of": did})


def replace_key(tx: Transaction, did: Did, epoch: int, key_id: KeyId, key: PublicKey) -> bool:
    values = {"of": did, "next": epoch, "key_id": key_id, "key": key.raw}
    return tx.connection.execute(_REPLACE_KEY, values).rowcount == 1


def top_index(connection: Connection) -> int:
    """The highest status index given so far; -1 before the first."""
    tops = (connection.execute(q).scalar_one() for q in (_TOP_INDEX, _TOP_RETIRED))
    return max((top for top in tops if top is not None), default=-1)


def retire_index(tx: Transaction, did: Did, index: int) -> None:
    """Keep a place on the status list shut for ever."""
    tx.connection.execute(_RETIRE, {"status_index": index, "did": did})


def shut_indexes(connection: Connection) -> list[int]:
    return sorted(r.status_index for q in (_SHUT, _RETIRED) for r in connection.execute(q))


def without_credential(connection: Connection, most: int) -> list[Member]:
    return [_member_of(r) for r in connection.execute(_UNSIGNED, {"most": most})]


def keep_credential(tx: Transaction, did: Did, epoch: int, credential: str) -> bool:
    values = {"of": did, "at": epoch, "signed": credential}
    return tx.connection.execute(_HOLD, values).rowcount == 1


def read_list(connection: Connection, url: str) -> tuple[UtcTime, str] | None:
    row = connection.execute(_LIST, {"of": url}).first()
    return None if row is None else (row.signed_at, row.raw)


def renew_list(tx: Transaction, url: str, signed_at: UtcTime, raw: str) -> bool:
    """Put a newer list in the place of the older one; False where the one held is as new."""
    if tx.connection.execute(_RENEW_LIST, {"of": url, "at": signed_at, "signed": raw}).rowcount == 1:
        return True
    if read_list(tx.connection, url) is not None:
        return False
    tx.connection.execute(_PUT_LIST, {"url": url, "signed_at": signed_at, "raw": raw})
    return True


def give(tx: Transaction, contract: FiledContract) -> None:
    tx.connection.execute(
        _GIVE,
        {
            "contract_id": contract.contract_id,
            "holder": contract.holder,
            "negotiation": contract.negotiation,
            "counterparty": contract.counterparty,
            "state": str(FilingState.GIVEN),
            "given_at": tx.now,
            "product": None,
            "envelope": b"",
            "envelope_digest": None,
            "one_sided": False,
            "ends_at": None,
            "ledger_transaction": None,
            "filed_at": None,
            "receipt": b"",
            "end_reason": "",
            "problem": "",
        },
    )


def read_contract(connection: Connection, contract_id: ContractId) -> FiledContract | None:
    row = connection.execute(_CONTRACT, {"of": contract_id}).first()
    return None if row is None else _contract_of(row)


def read_given(connection: Connection, holder: Did, negotiation: str) -> FiledContract | None:
    row = connection.execute(_GIVEN, {"holder": holder, "negotiation": negotiation}).first()
    return None if row is None else _contract_of(row)


def page_of_contracts(connection: Connection, place: Place) -> Page[FiledContract]:
    return _CONTRACTS.page(connection, place).of(_contract_of)


def move_contract(
    tx: Transaction,
    contract_id: ContractId,
    before: FilingState,
    **values: str | bool | bytes | UtcTime | None,
) -> None:
    """Write over the state that was read; a later writer gets `ConflictError`."""
    where = {"of": contract_id, "before": str(before)}
    if tx.connection.execute(_MOVE_CONTRACT.values(**values), where).rowcount != 1:
        raise ConflictError(f"contract {contract_id} is no longer {before}")


def without_receipt(connection: Connection, most: int) -> list[FiledContract]:
    return [_contract_of(r) for r in connection.execute(_UNRECEIPTED, {"most": most})]


def over(connection: Connection, now: UtcTime, most: int) -> list[FiledContract]:
    return [_contract_of(r) for r in connection.execute(_OVER, {"now": now, "most": most})]


def list_product(tx: Transaction, product: RegisteredProduct) -> None:
    tx.connection.execute(
        _LIST_PRODUCT,
        {
            "id": product.id,
            "digest": product.digest,
            "owner": product.owner,
            "grade": str(product.grade),
            "registered": product.registered,
        },
    )


def read_product(connection: Connection, product_id: ProductId, digest: Digest) -> RegisteredProduct | None:
    row = connection.execute(_PRODUCT, {"of": product_id, "described": digest}).first()
    if row is None:
        return None
    return RegisteredProduct(
        ProductId(row.id), Did(row.owner), Digest(row.digest), Grade(row.grade), row.registered
    )


def owner_of(connection: Connection, product_id: ProductId) -> Did | None:
    owner = connection.execute(_OWNER, {"of": product_id}).scalar_one_or_none()
    return None if owner is None else Did(owner)


def register_product(tx: Transaction, product_id: ProductId, digest: Digest) -> bool:
    return tx.connection.execute(_REGISTER, {"of": product_id, "described": digest}).rowcount == 1


def unlist_product(tx: Transaction, product_id: ProductId, digest: Digest) -> None:
    """Drop a version that the ledger did not take."""
    tx.connection.execute(_UNLIST_PRODUCT, {"of": product_id, "described": digest})


def want(tx: Transaction, operation: Operation) -> None:
    tx.connection.execute(
        _WANT,
        {
            "id": operation.id,
            "op": operation.op,
            "subject": operation.subject,
            "body": operation.body,
            "state": str(operation.state),
            "ledger_transaction": operation.transaction,
            "reason": "",
            "wanted_at": tx.now,
        },
    )


def wanted(connection: Connection, most: int) -> list[Operation]:
    return [_operation_of(r) for r in connection.execute(_WANTED, {"most": most})]


def wish(connection: Connection, op: str, subject: str) -> Operation | None:
    """What is wanted of the ledger and not signed yet."""
    row = connection.execute(_WISH, {"op": op, "of": subject}).first()
    return None if row is None else _operation_of(row)


def operation_of(connection: Connection, transaction: TransactionId) -> Operation | None:
    row = connection.execute(_OPERATION, {"of": transaction}).first()
    return None if row is None else _operation_of(row)


def move_operation(
    tx: Transaction,
    operation: Operation,
    after: OperationState,
    transaction: TransactionId | None,
    reason: str = "",
) -> bool:
    values = {
        "of": operation.id,
        "before": str(operation.state),
        "after": str(after),
        "name": transaction,
        "why": reason[:200],
    }
    return tx.connection.execute(_MOVE_OPERATION, values).rowcount == 1


def keep_statement(
    tx: Transaction, statement_id: str, kind: str, subject: str, signer: Did, digest: Digest, raw: bytes
) -> None:
    tx.connection.execute(
        _KEEP_STATEMENT,
        {
            "id": statement_id,
            "kind": kind,
            "subject": subject,
            "signer": signer,
            "digest": digest,
            "raw": raw,
            "at": tx.now,
        },
    )


def statement_digest(connection: Connection, statement_id: str) -> Digest | None:
    row = connection.execute(_STATEMENT, {"of": statement_id}).first()
    return None if row is None else Digest(row.digest)


def statements(connection: Connection, subject: str) -> list[tuple[str, Did, bytes]]:
    """What was said of a subject, oldest first: kind, signer, signed bytes."""
    return [(r.kind, Did(r.signer), r.raw) for r in connection.execute(_STATEMENTS, {"of": subject})]


def send_stop(tx: Transaction, order: str, party: Did, message_id: str) -> None:
    values = {"order_id": order, "party": party, "message_id": message_id, "acknowledged_at": None}
    tx.connection.execute(_SEND_STOP, values)


def acknowledge(tx: Transaction, message_id: str) -> bool:
    return tx.connection.execute(_ACKNOWLEDGE, {"of": message_id, "at": tx.now}).rowcount == 1


def deliveries(connection: Connection, order: str) -> list[StopDelivery]:
    rows = connection.execute(_DELIVERIES, {"of": order})
    return [StopDelivery(r.order_id, Did(r.party), r.message_id, r.acknowledged_at) for r in rows]


def _written(roles: "frozenset[MemberRole] | tuple[MemberRole, ...]") -> str:
    return " ".join(sorted(roles))


def _roles(text: str) -> tuple[MemberRole, ...]:
    return tuple(MemberRole(r) for r in text.split())


def _member_of(row: "Row[Any]") -> Member:
    return Member(
        did=Did(row.did),
        state=MemberState(row.state),
        name=row.name,
        subject_code=row.subject_code,
        region=row.region,
        roles=_roles(row.roles),
        connector_code=row.connector_code,
        evidence_key_id=KeyId(row.evidence_key_id),
        evidence_key=PublicKey("ed25519", row.evidence_key),
        epoch=row.epoch,
        origins=tuple(row.origins.split()),
        application_digest=Digest(row.application_digest),
        status_index=row.status_index,
        admitted_at=row.admitted_at,
        credential=row.credential,
        problem=row.problem,
    )


def _contract_of(row: "Row[Any]") -> FiledContract:
    return FiledContract(
        contract_id=ContractId(row.contract_id),
        holder=Did(row.holder),
        counterparty=Did(row.counterparty),
        negotiation=row.negotiation,
        state=FilingState(row.state),
        given_at=row.given_at,
        product=None if row.product is None else ProductId(row.product),
        envelope=row.envelope,
        envelope_digest=None if row.envelope_digest is None else Digest(row.envelope_digest),
        one_sided=row.one_sided,
        ends_at=row.ends_at,
        transaction=None if row.ledger_transaction is None else TransactionId(row.ledger_transaction),
        filed_at=row.filed_at,
        receipt=row.receipt,
        end_reason=row.end_reason,
        problem=row.problem,
    )


def _operation_of(row: "Row[Any]") -> Operation:
    return Operation(
        id=row.id,
        op=row.op,
        subject=row.subject,
        body=row.body,
        state=OperationState(row.state),
        transaction=None if row.ledger_transaction is None else TransactionId(row.ledger_transaction),
        reason=row.reason,
    )
