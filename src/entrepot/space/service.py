"""What the ledger's answers change here. One door for all operations that this platform waits for."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from entrepot.journal import Transaction
from entrepot.space import endings, filing, listing, membership, operation_store
from entrepot.space.model import Operation, OperationState
from entrepot.space.operations import ADMIT, END, FILE, REGISTER, REVOKE
from entrepot.values import ContractId, Did, TransactionId

_Refused: TypeAlias = Callable[[Transaction, str, str], None]

_REFUSED: Final[Mapping[str, _Refused]] = MappingProxyType(
    {
        ADMIT: lambda tx, subject, reason: membership.not_admitted(tx, Did(subject), reason),
        REVOKE: lambda tx, subject, reason: membership.not_revoked(tx, Did(subject), reason),
        FILE: lambda tx, subject, reason: _not_filed(tx, ContractId(subject), reason),
        END: lambda tx, subject, reason: endings.not_ended(tx, ContractId(subject), reason),
        REGISTER: listing.not_registered,
    }
)


def ledger_committed(tx: Transaction, transaction: TransactionId) -> bool:
    """The ledger has committed a transaction; False where it is none of ours, or was known before."""
    operation = operation_store.operation_of(tx.connection, transaction)
    if operation is None or operation.state is not OperationState.SENT:
        return False
    operation_store.move_operation(tx, operation, OperationState.COMMITTED, transaction)
    _take_effect(tx, operation, transaction)
    return True


def ledger_refused(tx: Transaction, transaction: TransactionId, reason: str) -> bool:
    """The ledger has refused a transaction for good; False where it is none of ours, or was known before."""
    operation = operation_store.operation_of(tx.connection, transaction)
    if operation is None or operation.state is not OperationState.SENT:
        return False
    operation_store.move_operation(tx, operation, OperationState.REFUSED, transaction, reason)
    _REFUSED[operation.op](tx, operation.subject, reason)
    return True


def ledger_lost(tx: Transaction, transaction: TransactionId) -> bool:
    """The ledger holds nothing of a transaction and takes it no more: it is signed anew.

    **Ask the ledger first what became of it.** A registration bears its provider's signature, so it can only
    be listed again.
    """
    operation = operation_store.operation_of(tx.connection, transaction)
    if operation is None or operation.state is not OperationState.SENT:
        return False
    if operation.op == REGISTER:
        return ledger_refused(tx, transaction, "expired")
    return operation_store.move_operation(tx, operation, OperationState.WANTED, None)


def receipt_signed(tx: Transaction, contract_id: ContractId, receipt: bytes) -> None:
    """A contract is filed; one that was ended or ordered to stop on its way ends at once."""
    if filing.keep_receipt(tx, contract_id, receipt):
        endings.end_where_told(tx, contract_id)


def _not_filed(tx: Transaction, contract_id: ContractId, reason: str) -> None:
    filing.not_filed(tx, contract_id, reason)
    endings.end_where_told(tx, contract_id)


def _take_effect(tx: Transaction, operation: Operation, transaction: TransactionId) -> None:
    subject = operation.subject
    match operation.op:
        case "member.admit":
            membership.admitted(tx, Did(subject))
        case "member.revoke":
            membership.revoked(tx, Did(subject))
        case "contract.file":
            filing.filed(tx, ContractId(subject), transaction)
        case "contract.end":
            endings.ended(tx, ContractId(subject))
        case "product.register":
            listing.registered(tx, subject)
        case other:
            raise NotImplementedError(f"nothing follows from {other}")
