"""After a restore of the platform: its register takes up what the ledger has and its backup has not.

The ledger holds commitments: who is a member under which node code and key, that a contract was filed or is
over. It holds neither names nor the text of contracts. So a member of that time is rebuilt from its code, its
key and what it has done, and stays suspended until the operator has looked at its papers; a contract is known
by its digest until a party files it again.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from entrepot.identity import PublicKey
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.ledger import FiledOnLedger, MemberOnLedger, Register, Role
from entrepot.space import filing_store, member_store, operation_store
from entrepot.space.endings import end_where_told
from entrepot.space.filing import filed as filing_committed
from entrepot.space.membership import admitted, existing, revoked_on_ledger
from entrepot.space.model import FiledContract, FilingState, Member, MemberRole, MemberState, OperationState
from entrepot.space.operations import ADMIT, FILE
from entrepot.values import ContractId, Did, KeyId, TransactionId, canonical, parse_digest, sha256

FROM_LEDGER: Final = (
    "known from the ledger alone since this platform was restored: compare its application on paper, then "
    "`entrepot member resume {did}`, or `entrepot member revoke {did}` and invite it anew under another DID"
)
"""What the operator has to do, in words."""


_MEMBERS: Final = frozenset({MemberState.IN_FORCE, MemberState.SUSPENDED, MemberState.REVOKING})


class Event(StrEnum):
    RELEARNT = "space:register:relearn"


@dataclass(frozen=True, slots=True)
class Relearnt:
    """What the ledger had, and the register had not."""

    revoked: list[Did]
    ended: list[ContractId]
    filed: list[ContractId]
    suspended: list[Did]
    """Members in force that the register had forgotten: rebuilt as far as the ledger goes, and suspended."""


def relearn_register(tx: Transaction, register: Register, platform: Did) -> Relearnt:
    """Bring the register up to the ledger. A repeat finds nothing to do."""
    found = Relearnt([], [], [], [])
    for text, member in register.members.items():
        if text != platform:
            _relearn_member(tx, Did(text), member, register, found)
    for text, contract in register.contracts.items():
        _relearn_contract(tx, ContractId(text), contract, found)
    facts: dict[str, canonical.Json] = {
        "revoked": len(found.revoked),
        "ended": len(found.ended),
        "filed": len(found.filed),
        "suspended": [*found.suspended],
    }
    audit(tx, AuditEvent(Event.RELEARNT, facts))
    return found


def _relearn_member(
    tx: Transaction, did: Did, there: MemberOnLedger, register: Register, found: Relearnt
) -> None:
    member = member_store.read_member(tx.connection, did)
    if member is None:
        if there.ended is None:
            _rebuild(tx, did, there, register)
            found.suspended.append(did)
        return
    if member.state in {MemberState.APPLIED, MemberState.ADMITTING}:
        _admit_where_admitted(tx, member, there)
        member = existing(tx.connection, did)
    if there.ended is not None and member.state in _MEMBERS:
        revoked_on_ledger(tx, did, f"revoked on the ledger: {there.ended}")
        found.revoked.append(did)


def _admit_where_admitted(tx: Transaction, member: Member, there: MemberOnLedger) -> None:
    """Go on with an applicant that was admitted after the backup; what was sent the ledger answers itself."""
    is_same = there.keys[0].id == member.evidence_key_id and there.epoch == member.epoch
    if member.state is MemberState.APPLIED and is_same:
        state, code = str(MemberState.ADMITTING), there.code
        member_store.change_member(tx, member.did, member.state, state=state, connector_code=code)
        admitted(tx, member.did)
    elif member.state is MemberState.ADMITTING and _was_done(tx, ADMIT, member.did, there.transaction):
        member_store.change_member(tx, member.did, member.state, connector_code=there.code)
        admitted(tx, member.did)


def _relearn_contract(
    tx: Transaction, contract_id: ContractId, there: FiledOnLedger, found: Relearnt
) -> None:
    known = filing_store.read_contract(tx.connection, contract_id)
    if known is None:
        known = _forgotten(tx, contract_id, there)
        filing_store.give(tx, known)
    if known.state is FilingState.FILING and _was_done(tx, FILE, contract_id, there.transaction):
        filing_committed(tx, contract_id, there.transaction)
    elif known.envelope_digest is None:
        _take_up(tx, contract_id, there, known.state)
        found.filed.append(contract_id)
        if there.ended is None:
            end_where_told(tx, contract_id)
    if there.ended is not None and _end(tx, contract_id, there.ended):
        found.ended.append(contract_id)


def _rebuild(tx: Transaction, did: Did, there: MemberOnLedger, register: Register) -> None:
    """Enter a member that only the ledger knows; shut out, since nobody has its papers here."""
    key = there.keys[0]
    member = Member(
        did=did,
        state=MemberState.SUSPENDED,
        name=did,
        subject_code=there.code[1:19],
        region=there.code[19:23],
        roles=_roles_shown(did, there, register),
        connector_code=there.code,
        evidence_key_id=KeyId(key.id),
        evidence_key=PublicKey("ed25519", bytes.fromhex(key.public)),
        epoch=there.epoch,
        origins=(),
        application_digest=sha256(b""),
        status_index=None,
        admitted_at=None,
        credential="",
        problem="",
    )
    member_store.enter(tx, member, b"")
    why = FROM_LEDGER.format(did=did)
    member_store.change_member(tx, did, MemberState.SUSPENDED, admitted_at=tx.now, problem=why)


def _roles_shown(did: Did, there: MemberOnLedger, register: Register) -> tuple[MemberRole, ...]:
    """What a member has shown on the ledger to be; the roles themselves are not there."""
    if there.role is Role.REGULATOR:
        return (MemberRole.REGULATOR,)
    parties = [c.body.parties for c in register.contracts.values()]
    shown = {
        MemberRole.PROVIDER: there.provides or any(did == p[0] for p in parties),
        MemberRole.CONSUMER: any(did == p[1] for p in parties),
        MemberRole.SERVICE: any(did in p[2:] for p in parties),
    }
    return tuple(role for role, is_shown in shown.items() if is_shown)


def _was_done(tx: Transaction, op: str, subject: str, transaction: TransactionId) -> bool:
    """Drop a wish that was signed, sent and done after the backup: signed anew, it would be refused."""
    wish = operation_store.wish(tx.connection, op, subject)
    return wish is not None and operation_store.move_operation(
        tx, wish, OperationState.COMMITTED, transaction
    )


def _forgotten(tx: Transaction, contract_id: ContractId, on_ledger: FiledOnLedger) -> FiledContract:
    provider, consumer = on_ledger.body.parties[:2]
    return FiledContract(
        contract_id=contract_id,
        holder=Did(provider),
        counterparty=Did(consumer),
        negotiation=f"restored:{contract_id}",
        state=FilingState.GIVEN,
        given_at=tx.now,
        product=None,
        envelope=b"",
        envelope_digest=None,
        one_sided=on_ledger.body.one_sided,
        ends_at=None,
        transaction=None,
        filed_at=None,
        receipt=b"",
        end_reason="",
        problem="",
    )


def _take_up(tx: Transaction, contract_id: ContractId, on_ledger: FiledOnLedger, before: FilingState) -> None:
    """Hold as filed what the ledger has; an id that was closed since the restore is so no longer."""
    filing_store.move_contract(
        tx,
        contract_id,
        before,
        state=str(FilingState.FILED),
        envelope_digest=parse_digest(on_ledger.body.digest),
        one_sided=on_ledger.body.one_sided,
        ledger_transaction=on_ledger.transaction,
        filed_at=tx.now,
        problem="known from the ledger alone, as this platform was restored from a backup",
    )


def _end(tx: Transaction, contract_id: ContractId, reason: str) -> bool:
    """End a filed contract; one whose filing or end is on its way to the ledger hears of it from there."""
    now = filing_store.read_contract(tx.connection, contract_id)
    if now is None or now.state is not FilingState.FILED:
        return False
    filing_store.move_contract(tx, contract_id, now.state, state=str(FilingState.ENDED), end_reason=reason)
    return True
