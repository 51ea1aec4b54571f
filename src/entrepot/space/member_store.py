"""Tables of invitations, members, retired status indexes and the status list."""

from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Integer,
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

from entrepot.identity import PublicKey
from entrepot.journal import Transaction, UtcTimeColumn, metadata
from entrepot.space.model import Invitation, Member, MemberRole, MemberState
from entrepot.space.rules import SHUT
from entrepot.values import ConflictError, Did, Digest, KeyId, UtcTime

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
