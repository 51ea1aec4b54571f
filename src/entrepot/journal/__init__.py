"""What did this node write down, durably?"""

from entrepot.journal.audit import AuditEvent, audit, seal_audit, seal_audit_as, verify_audit_chain
from entrepot.journal.database import UtcTimeColumn, metadata
from entrepot.journal.journal import Journal
from entrepot.journal.lease import lease
from entrepot.journal.outbox import (
    OutboxMessage,
    claim,
    enqueue,
    next_due,
    postpone,
    settle,
    withdraw,
    withdraw_lane,
    withdraw_unsent,
)
from entrepot.journal.replay import (
    Answer,
    first_seen,
    forget_answers,
    forget_seen,
    recall_answer,
    remember_answer,
)
from entrepot.journal.transaction import Query, Transaction, UseCase, new_uuid

__all__ = [
    "Answer",
    "AuditEvent",
    "Journal",
    "OutboxMessage",
    "Query",
    "Transaction",
    "UseCase",
    "UtcTimeColumn",
    "audit",
    "claim",
    "enqueue",
    "first_seen",
    "forget_answers",
    "forget_seen",
    "lease",
    "metadata",
    "new_uuid",
    "next_due",
    "postpone",
    "recall_answer",
    "remember_answer",
    "seal_audit",
    "seal_audit_as",
    "settle",
    "verify_audit_chain",
    "withdraw",
    "withdraw_lane",
    "withdraw_unsent",
]
