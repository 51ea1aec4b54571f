"""Members and contracts as a log has them, for whoever has forgotten some of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from entrepot.ledger.machine import is_block_leaf
from entrepot.ledger.modules.contracts import ContractEnd, ContractFile
from entrepot.ledger.modules.members import KeyOffer, MemberAdmit, MemberKeys, MemberRevoke
from entrepot.ledger.operation import Role
from entrepot.ledger.transaction import decode_transaction
from entrepot.values import TransactionId, canonical


@dataclass(frozen=True, slots=True)
class MemberOnLedger:
    """A member in the log: its node's code, its role there, and its keys of the last epoch."""

    code: str
    role: Role
    keys: tuple[KeyOffer, ...]
    transaction: TransactionId
    """Which admitted it."""
    epoch: int = 1
    ended: str | None = None
    """Why it is a member no more; nothing while it is one."""
    provides: bool = False
    """It has registered a product."""


@dataclass(frozen=True, slots=True)
class FiledOnLedger:
    """A contract in the log; `ended` names the reason once it is over."""

    body: ContractFile
    transaction: TransactionId
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """All members and contracts of a log."""

    members: dict[str, MemberOnLedger] = field(default_factory=dict)
    """By DID."""
    contracts: dict[str, FiledOnLedger] = field(default_factory=dict)

    def change(self, did: str, **values: Any) -> None:  # noqa: ANN401 (fields of a member)
        """Note more of a member; the operator, which genesis names, is none here."""
        if did in self.members:
            self.members[did] = replace(self.members[did], **values)


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
                new = canonical.decode_struct(body, MemberAdmit)
                found.members[new.did] = MemberOnLedger(new.code, new.role, new.keys, signed.id)
            case "member.keys":
                keys = canonical.decode_struct(body, MemberKeys)
                found.change(keys.did, keys=keys.keys, epoch=keys.epoch)
            case "product.register":
                found.change(signed.transaction.actor, provides=True)
            case "member.revoke":
                over = canonical.decode_struct(body, MemberRevoke)
                found.change(over.did, ended=over.reason.value)
            case "contract.file":
                filed = canonical.decode_struct(body, ContractFile)
                found.contracts[filed.contract] = FiledOnLedger(filed, signed.id)
            case "contract.end":
                end = canonical.decode_struct(body, ContractEnd)
                if end.contract in found.contracts:
                    known = found.contracts[end.contract]
                    found.contracts[end.contract] = replace(known, ended=end.reason.value)
    return found
