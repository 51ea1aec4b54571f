"""What did this node write down, durably?"""

from entrepot.journal.audit import AuditEvent, audit, seal_audit, verify_audit_chain
from entrepot.journal.database import UtcTimeColumn, metadata
from entrepot.journal.lease import lease
from entrepot.journal.outbox import (
    OutboxMessage,
    claim,
    enqueue,
    postpone,
    settle,
    withdraw,
    withdraw_lane,
)
from entrepot.journal.replay import Answer, first_seen, forget_seen, recall_answer, remember_answer
from entrepot.journal.writer import Journal, Query, Transaction, UseCase, new_uuid

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
    "forget_seen",
    "lease",
    "metadata",
    "new_uuid",
    "postpone",
    "recall_answer",
    "remember_answer",
    "seal_audit",
    "settle",
    "verify_audit_chain",
    "withdraw",
    "withdraw_lane",
]
