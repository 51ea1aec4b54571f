"""Wishes to the ledger: decided in a transaction, signed outside of it, sent from the outbox.

A wish is a row until it is settled, so whatever stops the node between two steps, the next start finds
what is still to be signed or sent. The ledger's answer comes back under the transaction's name.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.identity import Signer
from entrepot.journal import OutboxMessage, Transaction, enqueue
from entrepot.ledger import (
    ContractEnd,
    ContractFile,
    MemberAdmit,
    MemberRevoke,
    decode_transaction,
    make_payload,
    sign_transaction,
)
from entrepot.space import operation_store
from entrepot.space.model import Operation, OperationState, Rules
from entrepot.values import MessageId, TransactionId, canonical, sha256

LEDGER: Final = "ledger"
"""Kind of outbox messages that hold a signed ledger transaction; their id is its name."""

ADMIT: Final = "member.admit"
REVOKE: Final = "member.revoke"
FILE: Final = "contract.file"
END: Final = "contract.end"
REGISTER: Final = "product.register"

_BODIES: Final[Mapping[str, type[msgspec.Struct]]] = MappingProxyType(
    {ADMIT: MemberAdmit, REVOKE: MemberRevoke, FILE: ContractFile, END: ContractEnd}
)
"""Operations that the platform signs itself; a product is registered by its provider's own signature."""


def want(tx: Transaction, op: str, subject: str, body: msgspec.Struct) -> None:
    """Write down what the ledger is to be asked; `Clerk` signs it after the commit."""
    raw = canonical.encode_struct(body)
    operation_store.want(tx, Operation(tx.new_id(), op, subject, raw, OperationState.WANTED, None, ""))


def forward(tx: Transaction, rules: Rules, op: str, subject: str, raw: bytes) -> None:
    """Pass on a transaction that its sender has signed already."""
    signed = decode_transaction(raw)
    body = bytes(signed.transaction.body)
    operation_store.want(tx, Operation(tx.new_id(), op, subject, body, OperationState.SENT, signed.id, ""))
    _enqueue(tx, rules, subject, signed.id, raw)


def unsigned(connection: Connection, most: int = 100) -> list[Operation]:
    return operation_store.wanted(connection, most)


def sign_operation(operation: Operation, chain: str, height: int, signer: Signer) -> bytes:
    """Make the transaction that asks for it, as of `height`."""
    body = canonical.decode_struct(operation.body, _BODIES[operation.op])
    actor = signer.key_id.partition("#")[0]
    payload = make_payload(
        chain=chain, height=height, actor=actor, key=signer.key_id, op=operation.op, body=body
    )
    return sign_transaction(payload, signer)


def signed(tx: Transaction, rules: Rules, operation: Operation, raw: bytes) -> bool:
    """Queue a signed transaction; False where another hand was faster."""
    name = decode_transaction(raw).id
    if not operation_store.move_operation(tx, operation, OperationState.SENT, name):
        return False
    _enqueue(tx, rules, operation.subject, name, raw)
    return True


def _enqueue(tx: Transaction, rules: Rules, subject: str, name: TransactionId, raw: bytes) -> None:
    message = OutboxMessage(
        id=MessageId(name),
        kind=LEDGER,
        lane=f"ledger:{sha256(subject.encode()).hex()[:32]}",
        address=rules.ledger_url,
        body=raw,
        not_before=tx.now,
        deadline=tx.now + rules.deadline,
    )
    enqueue(tx, message)
