"""Members and contracts as a log has them, for whoever has forgotten some of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from entrepot.ledger.machine import is_block_leaf
from entrepot.ledger.modules.contracts import ContractEnd, ContractFile
from entrepot.ledger.modules.members import MemberAdmit, MemberRevoke
from entrepot.ledger.transaction import decode_transaction
from entrepot.values import TransactionId, canonical


@dataclass(frozen=True, slots=True)
class FiledOnLedger:
    """A contract in the log; `ended` names the reason once it is over."""

    body: ContractFile
    transaction: TransactionId
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """All members and contracts of a log."""

    members: dict[str, str | None] = field(default_factory=dict)
    """By DID: why it is a member no more, nothing while it is one."""
    contracts: dict[str, FiledOnLedger] = field(default_factory=dict)


def register_on_ledger(entries: Iterable[bytes]) -> Register:
    """Read it from all entries of a log. **The caller has checked that these are its entries.**"""
    found = Register()
    for raw in entries:
        if is_block_leaf(raw):
            continue
        signed = decode_transaction(raw)
        body = bytes(signed.transaction.body)
        match signed.transaction.op:
            case "member.admit":
                found.members[canonical.decode_struct(body, MemberAdmit).did] = None
            case "member.revoke":
                over = canonical.decode_struct(body, MemberRevoke)
                found.members[over.did] = over.reason.value
            case "contract.file":
                filed = canonical.decode_struct(body, ContractFile)
                found.contracts[filed.contract] = FiledOnLedger(filed, signed.id)
            case "contract.end":
                end = canonical.decode_struct(body, ContractEnd)
                if end.contract in found.contracts:
                    known = found.contracts[end.contract]
                    found.contracts[end.contract] = replace(known, ended=end.reason.value)
    return found
