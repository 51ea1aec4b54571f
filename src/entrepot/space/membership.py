"""Who takes part: invitation, application, admission, suspension, revocation, and the status list.

The ledger decides who is a member; credential and status list are its projection. What opens waits for
the ledger's commit, what closes does not: a member that is suspended, or about to be revoked, has its bit
on the status list at once. Suspension is the platform's own measure and can be taken back; a revoked DID
is never admitted again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from entrepot.identity import (
    ENTRIES,
    Membership,
    PublicKey,
    Signer,
    StatusList,
    issue_membership,
    issue_status_list,
    remember_status_list,
    verify_status_list,
)
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.ledger import KeyOffer, MemberAdmit, MemberRevoke, RevocationReason, Role
from entrepot.space import member_store
from entrepot.space.application import Application, digest_of_code
from entrepot.space.errors import InvitationError
from entrepot.space.model import Invitation, Member, MemberRole, MemberState, Rules
from entrepot.space.operations import ADMIT, REVOKE, want
from entrepot.space.rules import Step, advance
from entrepot.values import (
    ConflictError,
    Did,
    KeyId,
    NodeType,
    NotFoundError,
    RefusedError,
    UtcTime,
    node_code,
    sha256,
)

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TICK: Final = timedelta(milliseconds=1)


class Event(StrEnum):
    INVITED = "space:invitation:make"
    APPLIED = "space:member:apply"
    MOVED = "space:member:move"
    CREDENTIAL = "space:credential:issue"
    KEYS = "space:member:keys"


def invite(tx: Transaction, code: str, roles: Iterable[MemberRole], lasts: timedelta) -> Invitation:
    """Let the holder of `code` apply once, for some of these roles; the code itself is not kept."""
    invitation = Invitation(tx.new_id(), digest_of_code(code), frozenset(roles), tx.now + lasts)
    if not invitation.roles:
        raise RefusedError("an invitation names the roles that may be asked for")
    member_store.invite(tx, invitation)
    audit(
        tx,
        AuditEvent(Event.INVITED, {"invitation": invitation.id, "roles": [*sorted(invitation.roles)]}),
    )
    return invitation


def check_invitation(connection: Connection, application: Application, now: UtcTime) -> Invitation:
    """Find the invitation an application may use, or raise; before anything is fetched for a stranger."""
    invitation = member_store.read_invitation(connection, application.code_digest)
    if invitation is None:
        raise InvitationError("there is no such invitation")
    if invitation.used_for == application.digest:
        return invitation  # a repeat, which may come at any time
    if invitation.used_for is not None:
        raise InvitationError("the invitation was used")
    if now > invitation.expires_at:
        raise InvitationError("the invitation has expired")
    if not set(application.body.roles) <= invitation.roles:
        raise RefusedError(f"the invitation is for {', '.join(sorted(invitation.roles))}")
    return invitation


def apply_for_membership(tx: Transaction, application: Application) -> Member:
    """Take in an application; a repeat gives where it stands. **The caller has verified it.**"""
    invitation = check_invitation(tx.connection, application, tx.now)
    known = member_store.read_member(tx.connection, application.did)
    if known is not None and known.application_digest == application.digest:
        return known
    if invitation.used_for is not None:
        raise InvitationError("the invitation was used")
    if known is not None and known.state is not MemberState.DECLINED:
        raise ConflictError(f"{known.did} has applied already and is {known.state}")
    member_store.forget_declined(tx, application.did)
    body = application.body
    member = Member(
        did=application.did,
        state=MemberState.APPLIED,
        name=body.name,
        subject_code=body.subject_code,
        region=body.region,
        roles=body.roles,
        connector_code="",
        evidence_key_id=KeyId(body.evidence_key_id),
        evidence_key=application.evidence_key,
        epoch=1,
        origins=body.origins,
        application_digest=application.digest,
        status_index=None,
        admitted_at=None,
        credential="",
        problem="",
    )
    if not member_store.use_invitation(tx, invitation.id, application.digest):
        raise InvitationError("the invitation was used")
    member_store.enter(tx, member, application.payload)
    audit(tx, AuditEvent(Event.APPLIED, {"member": member.did, "invitation": invitation.id}))
    return member


def admit(tx: Transaction, did: Did) -> None:
    """The operator admits an applicant; it is a member once the ledger has it."""
    member = existing(tx.connection, did)
    code = node_code(NodeType.CONNECTOR, member.subject_code, member.region, random_characters(tx.new_id()))
    _move(tx, member, Step.ADMIT, connector_code=code)
    role = Role.REGULATOR if MemberRole.REGULATOR in member.roles else Role.CONNECTOR
    keys = (KeyOffer(member.evidence_key_id, member.evidence_key.raw.hex()),)
    want(tx, ADMIT, did, MemberAdmit(code=code, did=did, epoch=1, keys=keys, role=role))


def decline(tx: Transaction, did: Did, why: str) -> None:
    """The operator declines an applicant, which may come again with a new invitation."""
    _move(tx, existing(tx.connection, did), Step.DECLINE, problem=why[:1000])


def suspend(tx: Transaction, did: Did, why: str) -> None:
    """Shut a member out for now; the status list says so from its next signing on."""
    _move(tx, existing(tx.connection, did), Step.SUSPEND, problem=why[:1000])


def resume(tx: Transaction, did: Did) -> None:
    """Take a suspension back: with a new place on the status list, and a new credential to be signed.

    Whoever saw the old place shut keeps it shut (design: Reach), so it is never used again.
    """
    member = existing(tx.connection, did)
    index = _next_index(tx)
    _move(tx, member, Step.RESUME, status_index=index, credential="", problem="")
    if member.status_index is not None:
        member_store.retire_index(tx, did, member.status_index)


def revoke(tx: Transaction, did: Did, reason: RevocationReason) -> None:
    """Shut a member out for ever: at once on the status list, for everybody once the ledger has it."""
    _move(tx, existing(tx.connection, did), Step.REVOKE, problem=str(reason))
    want(tx, REVOKE, did, MemberRevoke(did=did, reason=reason))


def admitted(tx: Transaction, did: Did) -> None:
    """The ledger has the member: it gets its place on the status list, and a credential to be signed."""
    member = existing(tx.connection, did)
    _move(tx, member, Step.COMMIT, status_index=_next_index(tx), admitted_at=tx.now)


def revoked(tx: Transaction, did: Did) -> None:
    """The ledger has the member's end, which may have been read there before."""
    member = existing(tx.connection, did)
    if member.state is not MemberState.REVOKED:
        _move(tx, member, Step.COMMIT)


def revoked_on_ledger(tx: Transaction, did: Did, reason: str) -> None:
    """A regulator has revoked the member on the ledger itself; here that is only followed."""
    member = existing(tx.connection, did)
    if member.state is not MemberState.REVOKED:
        _move(tx, member, Step.ENDED_ON_LEDGER, problem=reason[:1000])


def not_admitted(tx: Transaction, did: Did, reason: str) -> None:
    _move(tx, existing(tx.connection, did), Step.REFUSE, problem=f"the ledger refused: {reason}"[:1000])


def not_revoked(tx: Transaction, did: Did, reason: str) -> None:
    """The ledger refused, as it had the member's end already, or for another reason."""
    member = existing(tx.connection, did)
    if member.state is not MemberState.REVOKED:
        _move(tx, member, Step.REFUSE, problem=f"the ledger refused: {reason}"[:1000])


def keys_changed(tx: Transaction, did: Did, epoch: int, key_id: KeyId, key: PublicKey) -> bool:
    """The ledger has a new evidence key of a member; its credential is signed anew."""
    done = member_store.replace_key(tx, did, epoch, key_id, key)
    if done:
        audit(tx, AuditEvent(Event.KEYS, {"member": did, "epoch": epoch}))
    return done


def members_without_credential(connection: Connection, most: int = 100) -> list[Member]:
    return member_store.without_credential(connection, most)


def sign_credential(member: Member, rules: Rules, signer: Signer) -> str:
    """Sign the credential of a member in force."""
    return issue_membership(signer, membership_of(member, rules))


def membership_of(member: Member, rules: Rules) -> Membership:
    """What the credential of a member in force says."""
    if not member.in_force or member.status_index is None or member.admitted_at is None:
        raise RefusedError(f"{member.did} is no member in force")
    return Membership(
        did=member.did,
        issuer=rules.platform,
        connector_code=member.connector_code,
        subject_code=member.subject_code,
        region=member.region,
        roles=tuple(str(r) for r in member.roles),
        evidence_key_id=member.evidence_key_id,
        evidence_key=member.evidence_key,
        status_url=rules.status_url,
        status_index=member.status_index,
        valid_from=member.admitted_at,
        valid_until=member.admitted_at + rules.membership,
    )


def keep_credential(tx: Transaction, member: Member, credential: str) -> None:
    """Keep a signed credential for its member to pick up, unless its key has changed meanwhile."""
    if member_store.keep_credential(tx, member.did, member.epoch, credential):
        audit(tx, AuditEvent(Event.CREDENTIAL, {"member": member.did, "epoch": member.epoch}))


def shut_out(connection: Connection) -> list[int]:
    """The places on the status list that are shut; it only grows."""
    return member_store.shut_indexes(connection)


def sign_status_list(
    connection: Connection, rules: Rules, signer: Signer, now: UtcTime
) -> tuple[StatusList, str]:
    """Sign the list as it stands in this snapshot; its time is later than that of every one before."""
    last = member_store.read_list(connection, rules.status_url)
    # A millisecond at least: the signed time passes through a float on its way into the token.
    at = _milliseconds(now if last is None else max(now, last[0] + _TICK))
    shut = member_store.shut_indexes(connection)
    raw = issue_status_list(signer, rules.platform, rules.status_url, shut, at)
    return verify_status_list(raw, rules.platform, signer.public, at), raw


def keep_status_list(tx: Transaction, signed: StatusList, raw: str) -> bool:
    """Publish a signed list; False where one as new is published already.

    The platform's own node goes by it from this moment on.
    """
    remember_status_list(tx, signed, raw)
    return member_store.renew_list(tx, signed.url, signed.signed_at, raw)


def published_status_list(connection: Connection, rules: Rules) -> str | None:
    """The newest signed list."""
    found = member_store.read_list(connection, rules.status_url)
    return None if found is None else found[1]


def member(connection: Connection, did: Did) -> Member | None:
    return member_store.read_member(connection, did)


def members(connection: Connection, most: int = 1000) -> list[Member]:
    return member_store.read_members(connection, most)


def existing(connection: Connection, did: Did) -> Member:
    found = member_store.read_member(connection, did)
    if found is None:
        raise NotFoundError("there is no such member here")
    return found


def random_characters(fresh_id: str) -> str:
    """Eight characters of 0-9A-Z out of a fresh random id."""
    number = int.from_bytes(sha256(fresh_id.encode()))
    return "".join(_ALPHABET[number // 36**i % 36] for i in range(8))


def _next_index(tx: Transaction) -> int:
    index = member_store.top_index(tx.connection) + 1
    if index >= ENTRIES:
        raise RefusedError(f"the status list is full; it holds {ENTRIES} members")
    return index


def _move(tx: Transaction, before: Member, step: Step, **values: str | int | UtcTime) -> None:
    after = advance(before.state, step)
    member_store.change_member(tx, before.did, before.state, state=str(after), **values)
    facts = {"member": before.did, "from": str(before.state), "to": str(after), "by": str(step)}
    audit(tx, AuditEvent(Event.MOVED, facts))


def _milliseconds(time: datetime) -> UtcTime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
