# ruff: noqa: INP001, PLR0915 (Alembic runs this file, nobody imports it; a revision is a long list)
"""The first street: every table of a node. Follows nothing."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001_street"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    op.create_table(
        "acquisition",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("product_id", sa.String(length=200), nullable=False),
        sa.Column("purpose", sa.String(length=500), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("provider", sa.String(length=500), nullable=True),
        sa.Column("address", sa.String(length=2000), nullable=False),
        sa.Column("product_digest", sa.LargeBinary(), nullable=True),
        sa.Column("artefact", sa.LargeBinary(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("negotiation_id", sa.String(length=200), nullable=True),
        sa.Column("agreement_id", sa.String(length=500), nullable=True),
        sa.Column("process_id", sa.String(length=200), nullable=True),
        sa.Column("use_id", sa.String(length=200), nullable=True),
        sa.Column("waiting_for", sa.String(length=500), nullable=False),
        sa.Column("problem", sa.String(length=1000), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acquisition")),
    )
    op.create_index(op.f("ix_acquisition_state"), "acquisition", ["state"], unique=False)
    op.create_table(
        "answer",
        sa.Column("process", sa.String(length=200), nullable=False),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("process", "message_id", name=op.f("pk_answer")),
    )
    op.create_index(op.f("ix_answer_at"), "answer", ["at"], unique=False)
    op.create_table(
        "audit_event",
        sa.Column(
            "row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("chain", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("number", name=op.f("uq_audit_event_number")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_event_at"), "audit_event", ["at"], unique=False)
    op.create_index(op.f("ix_audit_event_name"), "audit_event", ["name"], unique=False)
    op.create_index(
        "ix_audit_event_unsealed",
        "audit_event",
        ["row"],
        unique=False,
        sqlite_where=sa.text("number IS NULL"),
        postgresql_where=sa.text("number IS NULL"),
    )
    op.create_table(
        "contract",
        sa.Column("agreement_id", sa.String(length=500), nullable=False),
        sa.Column("contract_id", sa.String(length=100), nullable=False),
        sa.Column("negotiation_id", sa.String(length=200), nullable=False),
        sa.Column("party", sa.String(length=20), nullable=False),
        sa.Column("counterparty", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=4), nullable=False),
        sa.Column("agreement", sa.LargeBinary(), nullable=False),
        sa.Column("product_digest", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("envelope_digest", sa.LargeBinary(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("one_sided", sa.Boolean(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("end_reason", sa.String(length=20), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("agreement_id", name=op.f("pk_contract")),
        sa.UniqueConstraint("contract_id", name=op.f("uq_contract_contract_id")),
    )
    op.create_table(
        "door",
        sa.Column("process_id", sa.String(length=200), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("agreement_id", sa.String(length=500), nullable=False),
        sa.Column("consumer", sa.String(length=500), nullable=False),
        sa.Column("format", sa.String(length=100), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_door")),
    )
    op.create_table(
        "known_member",
        sa.Column("did", sa.String(length=500), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("status_url", sa.String(length=1000), nullable=False),
        sa.Column("status_index", sa.Integer(), nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("did", name=op.f("pk_known_member")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "ledger_batch",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=True),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("oldest", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("transaction", sa.LargeBinary(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_batch")),
    )
    op.create_index(op.f("ix_ledger_batch_state"), "ledger_batch", ["state"], unique=False)
    op.create_table(
        "ledger_batch_part",
        sa.Column("batch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("contract_id", sa.String(length=100), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("batch", "place", name=op.f("pk_ledger_batch_part")),
    )
    op.create_table(
        "ledger_opening",
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("use_id", sa.String(length=100), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("retain_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_ledger_opening")),
    )
    op.create_index(op.f("ix_ledger_opening_use_id"), "ledger_opening", ["use_id"], unique=False)
    op.create_table(
        "ledger_receipt",
        sa.Column("use_id", sa.String(length=100), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("retain_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("use_id", name=op.f("pk_ledger_receipt")),
    )
    op.create_table(
        "ledger_record",
        sa.Column("row", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("contract_id", sa.String(length=100), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("batch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_ledger_record")),
        sa.UniqueConstraint("contract_id", "number", name=op.f("uq_ledger_record_contract_id_number")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_ledger_record_unsealed",
        "ledger_record",
        ["row"],
        unique=False,
        sqlite_where=sa.text("number IS NULL"),
        postgresql_where=sa.text("number IS NULL"),
    )
    op.create_table(
        "meter",
        sa.Column("use_id", sa.String(length=200), nullable=False),
        sa.Column("agreement_id", sa.String(length=500), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("use_id", name=op.f("pk_meter")),
    )
    op.create_index(op.f("ix_meter_agreement_id"), "meter", ["agreement_id"], unique=False)
    op.create_table(
        "negotiation",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("party", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("pending_move", sa.String(length=20), nullable=True),
        sa.Column("pending_message", sa.String(length=200), nullable=True),
        sa.Column("behind_move", sa.String(length=20), nullable=True),
        sa.Column("behind_message", sa.String(length=200), nullable=True),
        sa.Column("peer_pid", sa.String(length=500), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("counterparty", sa.String(length=500), nullable=False),
        sa.Column("address", sa.String(length=2000), nullable=False),
        sa.Column("offer", sa.LargeBinary(), nullable=False),
        sa.Column("asked", sa.LargeBinary(), nullable=False),
        sa.Column("agreement", sa.LargeBinary(), nullable=True),
        sa.Column("agreement_id", sa.String(length=500), nullable=True),
        sa.Column("contract_id", sa.String(length=100), nullable=True),
        sa.Column("product_digest", sa.LargeBinary(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("handed_over", sa.Boolean(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("one_sided", sa.Boolean(), nullable=False),
        sa.Column("needs_person", sa.Boolean(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_negotiation")),
        sa.UniqueConstraint(
            "counterparty", "party", "peer_pid", name=op.f("uq_negotiation_counterparty_party_peer_pid")
        ),
    )
    op.create_index(op.f("ix_negotiation_agreement_id"), "negotiation", ["agreement_id"], unique=False)
    op.create_index(op.f("ix_negotiation_behind_message"), "negotiation", ["behind_message"], unique=False)
    op.create_index(op.f("ix_negotiation_pending_message"), "negotiation", ["pending_message"], unique=False)
    op.create_index(op.f("ix_negotiation_state"), "negotiation", ["state"], unique=False)
    op.create_table(
        "negotiation_terms",
        sa.Column("negotiation_id", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("by", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("negotiation_id", "number", name=op.f("pk_negotiation_terms")),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("lane", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=2000), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("leased_by", sa.String(length=200), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_outbox")),
        sa.UniqueConstraint("id", name=op.f("uq_outbox_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_lane_position", "outbox", ["lane", "position"], unique=False)
    op.create_table(
        "policy_counter",
        sa.Column("agreement_id", sa.String(length=200), nullable=False),
        sa.Column("permission", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("counter", sa.String(length=20), nullable=False),
        sa.Column("window_start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "agreement_id", "permission", "counter", "window_start", name=op.f("pk_policy_counter")
        ),
    )
    op.create_table(
        "product",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("keywords", sa.LargeBinary(), nullable=False),
        sa.Column("provider", sa.String(length=500), nullable=False),
        sa.Column("grade", sa.String(length=20), nullable=False),
        sa.Column("rights", sa.Text(), nullable=False),
        sa.Column("kinds", sa.LargeBinary(), nullable=False),
        sa.Column("policy", sa.LargeBinary(), nullable=False),
        sa.Column("media_type", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("artefact", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("resource_id", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_product")),
    )
    op.create_table(
        "resource",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("media_type", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource")),
    )
    op.create_table(
        "seen",
        sa.Column("scope", sa.String(length=100), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_seen")),
    )
    op.create_index(op.f("ix_seen_until"), "seen", ["until"], unique=False)
    op.create_table(
        "space_contract",
        sa.Column("contract_id", sa.String(length=47), nullable=False),
        sa.Column("holder", sa.String(length=500), nullable=False),
        sa.Column("negotiation", sa.String(length=500), nullable=False),
        sa.Column("counterparty", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.Column("product", sa.String(length=500), nullable=True),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("envelope_digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("one_sided", sa.Boolean(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("ledger_transaction", sa.String(length=80), nullable=True),
        sa.Column("filed_at", sa.BigInteger(), nullable=True),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("end_reason", sa.String(length=20), nullable=False),
        sa.Column("problem", sa.String(length=1000), nullable=False),
        sa.PrimaryKeyConstraint("contract_id", name=op.f("pk_space_contract")),
        sa.UniqueConstraint("holder", "negotiation", name=op.f("uq_space_contract_holder_negotiation")),
    )
    op.create_index("ix_space_contract_state", "space_contract", ["state", "ends_at"], unique=False)
    op.create_table(
        "space_invitation",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("roles", sa.String(length=200), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_for", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space_invitation")),
        sa.UniqueConstraint("code_digest", name=op.f("uq_space_invitation_code_digest")),
    )
    op.create_table(
        "space_member",
        sa.Column("did", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("subject_code", sa.String(length=18), nullable=False),
        sa.Column("region", sa.String(length=4), nullable=False),
        sa.Column("roles", sa.String(length=200), nullable=False),
        sa.Column("connector_code", sa.String(length=32), nullable=False),
        sa.Column("evidence_key_id", sa.String(length=600), nullable=False),
        sa.Column("evidence_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("origins", sa.Text(), nullable=False),
        sa.Column("application_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("application", sa.LargeBinary(), nullable=False),
        sa.Column("status_index", sa.Integer(), nullable=True),
        sa.Column("admitted_at", sa.BigInteger(), nullable=True),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("problem", sa.String(length=1000), nullable=False),
        sa.PrimaryKeyConstraint("did", name=op.f("pk_space_member")),
        sa.UniqueConstraint("status_index", name=op.f("uq_space_member_status_index")),
    )
    op.create_index(op.f("ix_space_member_state"), "space_member", ["state"], unique=False)
    op.create_table(
        "space_operation",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("op", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=600), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("ledger_transaction", sa.String(length=80), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space_operation")),
        sa.UniqueConstraint("ledger_transaction", name=op.f("uq_space_operation_ledger_transaction")),
    )
    op.create_index("ix_space_operation_state", "space_operation", ["state", "wanted_at"], unique=False)
    op.create_table(
        "space_product",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("owner", sa.String(length=500), nullable=False),
        sa.Column("grade", sa.String(length=20), nullable=False),
        sa.Column("registered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", "digest", name=op.f("pk_space_product")),
    )
    op.create_table(
        "space_retired_index",
        sa.Column("status_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("did", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("status_index", name=op.f("pk_space_retired_index")),
    )
    op.create_table(
        "space_statement",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("signer", sa.String(length=500), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space_statement")),
    )
    op.create_index(op.f("ix_space_statement_subject"), "space_statement", ["subject"], unique=False)
    op.create_table(
        "space_status_list",
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_space_status_list")),
    )
    op.create_table(
        "space_stop_delivery",
        sa.Column("order_id", sa.String(length=200), nullable=False),
        sa.Column("party", sa.String(length=500), nullable=False),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("order_id", "party", name=op.f("pk_space_stop_delivery")),
        sa.UniqueConstraint("message_id", name=op.f("uq_space_stop_delivery_message_id")),
    )
    op.create_table(
        "status_list",
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("bits", sa.LargeBinary(), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_status_list")),
    )
    op.create_table(
        "transfer_process",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("party", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("pending_move", sa.String(length=20), nullable=True),
        sa.Column("pending_message", sa.String(length=200), nullable=True),
        sa.Column("behind_move", sa.String(length=20), nullable=True),
        sa.Column("behind_message", sa.String(length=200), nullable=True),
        sa.Column("peer_pid", sa.String(length=500), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("counterparty", sa.String(length=500), nullable=False),
        sa.Column("address", sa.String(length=2000), nullable=False),
        sa.Column("agreement_id", sa.String(length=500), nullable=False),
        sa.Column("format", sa.String(length=100), nullable=False),
        sa.Column("endpoint", sa.String(length=2000), nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_process")),
        sa.UniqueConstraint(
            "counterparty", "party", "peer_pid", name=op.f("uq_transfer_process_counterparty_party_peer_pid")
        ),
    )
    op.create_index(
        op.f("ix_transfer_process_agreement_id"), "transfer_process", ["agreement_id"], unique=False
    )
    op.create_index(
        op.f("ix_transfer_process_behind_message"), "transfer_process", ["behind_message"], unique=False
    )
    op.create_index(
        op.f("ix_transfer_process_pending_message"), "transfer_process", ["pending_message"], unique=False
    )
    op.create_index(op.f("ix_transfer_process_state"), "transfer_process", ["state"], unique=False)
    op.create_table(
        "use",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("process_id", sa.String(length=200), nullable=False),
        sa.Column("agreement_id", sa.String(length=500), nullable=False),
        sa.Column("contract_id", sa.String(length=100), nullable=False),
        sa.Column("consumer", sa.String(length=500), nullable=False),
        sa.Column("product_id", sa.String(length=200), nullable=False),
        sa.Column("artefact", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("boot", sa.String(length=100), nullable=False),
        sa.Column("permission", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("touched_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_use")),
    )
    op.create_index(op.f("ix_use_agreement_id"), "use", ["agreement_id"], unique=False)
    op.create_index(op.f("ix_use_state"), "use", ["state"], unique=False)
