"""What did this node write down, durably?"""

from entrepot.journal.audit import AuditEvent, audit, seal_audit, seal_audit_as, verify_audit_chain
from entrepot.journal.bell import present_holders
from entrepot.journal.carrying import (
    DERIVED,
    Extent,
    add_rows,
    carried_tables,
    extent_of,
    frame,
    go_on_after,
    last_number,
    read_frames,
    read_rows,
)
from entrepot.journal.database import RowNumber, UtcTimeColumn, metadata
from entrepot.journal.errors import OutcomeUnknownError
from entrepot.journal.journal import Journal
from entrepot.journal.lease import free_leases, lease
from entrepot.journal.outbox import (
    OutboxMessage,
    backlog,
    claim,
    enqueue,
    free_claims,
    holds_lane,
    is_untried,
    next_due,
    postpone,
    settle,
    withdraw,
    withdraw_lane,
    withdraw_unsent,
)
from entrepot.journal.postgresql import PostgresqlType, postgresql
from entrepot.journal.prepared import Prepared
from entrepot.journal.replay import (
    Answer,
    first_seen,
    forget_answers,
    forget_seen,
    recall_answer,
    remember_answer,
    was_seen,
)
from entrepot.journal.schema import (
    SchemaState,
    draft_revision,
    migrate,
    revision_of,
    schema_differences,
    schema_state,
)
from entrepot.journal.transaction import Query, Transaction, UseCase, new_uuid

__all__ = [
    "DERIVED",
    "Answer",
    "AuditEvent",
    "Extent",
    "Journal",
    "OutboxMessage",
    "OutcomeUnknownError",
    "PostgresqlType",
    "Prepared",
    "Query",
    "RowNumber",
    "SchemaState",
    "Transaction",
    "UseCase",
    "UtcTimeColumn",
    "add_rows",
    "audit",
    "backlog",
    "carried_tables",
    "claim",
    "draft_revision",
    "enqueue",
    "extent_of",
    "first_seen",
    "forget_answers",
    "forget_seen",
    "frame",
    "free_claims",
    "free_leases",
    "go_on_after",
    "holds_lane",
    "is_untried",
    "last_number",
    "lease",
    "metadata",
    "migrate",
    "new_uuid",
    "next_due",
    "postgresql",
    "postpone",
    "present_holders",
    "read_frames",
    "read_rows",
    "recall_answer",
    "remember_answer",
    "revision_of",
    "schema_differences",
    "schema_state",
    "seal_audit",
    "seal_audit_as",
    "settle",
    "verify_audit_chain",
    "was_seen",
    "withdraw",
    "withdraw_lane",
    "withdraw_unsent",
]
