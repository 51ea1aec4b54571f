"""After a restore of the platform: its register takes up what the ledger has and its backup has not.

The ledger holds commitments: that somebody is a member no more, that a contract was filed or is over. It
holds neither names nor the text of contracts, so a member of that time has to apply again, and a contract is
known by its digest until a party files it again.
"""

from dataclasses import dataclass
from enum import StrEnum

from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.ledger import FiledOnLedger, Register
from entrepot.space import store
from entrepot.space.endings import end_where_told
from entrepot.space.membership import revoked_on_ledger
from entrepot.space.model import FiledContract, FilingState, MemberState
from entrepot.values import ContractId, Did, canonical, parse_digest


class Event(StrEnum):
    RELEARNT = "space:register:relearn"


@dataclass(frozen=True, slots=True)
class Relearnt:
    """What the ledger had, and the register had not."""

    revoked: tuple[Did, ...]
    ended: tuple[ContractId, ...]
    filed: tuple[ContractId, ...]
    unknown: tuple[Did, ...]
    """Members in force that the register does not know: nothing but their DID is on the ledger."""


def relearn_register(tx: Transaction, register: Register, platform: Did) -> Relearnt:
    """Bring the register up to the ledger. A repeat finds nothing to do."""
    revoked, unknown = [], []
    for text, over in register.members.items():
        did = Did(text)
        member = store.read_member(tx.connection, did)
        if member is None:
            unknown += [did] if over is None and did != platform else []
        elif over is not None and member.state in {
            MemberState.IN_FORCE,
            MemberState.SUSPENDED,
            MemberState.REVOKING,
        }:
            revoked_on_ledger(tx, did, f"revoked on the ledger: {over}")
            revoked.append(did)
    filed, ended = [], []
    for text, on_ledger in register.contracts.items():
        contract_id = ContractId(text)
        known = store.read_contract(tx.connection, contract_id)
        if known is None:
            store.give(tx, _forgotten(tx, contract_id, on_ledger))
        if known is None or known.envelope_digest is None:
            _take_up(tx, contract_id, on_ledger, FilingState.GIVEN if known is None else known.state)
            if on_ledger.ended is None:
                end_where_told(tx, contract_id)
            filed.append(contract_id)
        if on_ledger.ended is not None and _end(tx, contract_id, on_ledger.ended):
            ended.append(contract_id)
    found = Relearnt(tuple(revoked), tuple(ended), tuple(filed), tuple(unknown))
    facts: dict[str, canonical.Json] = {
        "revoked": len(revoked),
        "ended": len(ended),
        "filed": len(filed),
        "unknown": [*unknown],
    }
    audit(tx, AuditEvent(Event.RELEARNT, facts))
    return found


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
    store.move_contract(
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
    now = store.read_contract(tx.connection, contract_id)
    if now is None or now.state is not FilingState.FILED:
        return False
    store.move_contract(tx, contract_id, now.state, state=str(FilingState.ENDED), end_reason=reason)
    return True
