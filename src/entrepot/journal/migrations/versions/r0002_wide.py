# ruff: noqa: INP001, PLR0915 (Alembic runs this file, nobody imports it; a revision is a long list)
"""The street, wide: more kinds of use, sources, search, duties. Follows the first street."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: Final = "0002_wide"
down_revision: Final = "0001_street"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    op.create_table(
        "credential_offer",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential_offer")),
    )
    op.create_table(
        "credential_request",
        sa.Column("holder_pid", sa.String(length=200), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("status_url", sa.String(length=2000), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder_pid", name=op.f("pk_credential_request")),
    )
    op.create_index("ix_credential_request_issuer", "credential_request", ["issuer"], unique=False)
    op.create_table(
        "data_flow",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("plane", sa.String(length=200), nullable=False),
        sa.Column("process_id", sa.String(length=500), nullable=False),
        sa.Column("participant", sa.String(length=500), nullable=False),
        sa.Column("counterparty", sa.String(length=500), nullable=False),
        sa.Column("dataset", sa.String(length=500), nullable=False),
        sa.Column("agreement", sa.String(length=500), nullable=False),
        sa.Column("profile", sa.String(length=500), nullable=False),
        sa.Column("party", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("agreement_id", sa.String(length=500), nullable=False),
        sa.Column("sealed_address", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.Column("refresh_digest", sa.LargeBinary(), nullable=False),
        sa.Column("problem", sa.String(length=1000), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_flow")),
        sa.UniqueConstraint("plane", "process_id", name=op.f("uq_data_flow_plane_process_id")),
    )
    op.create_index(op.f("ix_data_flow_dataset"), "data_flow", ["dataset"], unique=False)
    op.create_index(op.f("ix_data_flow_refresh_digest"), "data_flow", ["refresh_digest"], unique=False)
    op.create_table(
        "driven_flow",
        sa.Column("process_id", sa.String(length=200), nullable=False),
        sa.Column("plane", sa.String(length=200), nullable=False),
        sa.Column("flow_id", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("use_id", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("process_id", name=op.f("pk_driven_flow")),
    )
    op.create_table(
        "held_credential",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("held_since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_held_credential")),
    )
    op.create_table(
        "issuance",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("holder", sa.String(length=500), nullable=False),
        sa.Column("holder_pid", sa.String(length=200), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuance")),
    )
    op.create_index("ix_issuance_holder", "issuance", ["holder", "state"], unique=False)
    op.create_table(
        "known_guest",
        sa.Column("did", sa.String(length=500), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("against", sa.String(length=500), nullable=False),
        sa.Column("revoked", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("did", name=op.f("pk_known_guest")),
    )
    op.create_table(
        "opening",
        sa.Column("plane", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=500), nullable=False),
        sa.Column("product_id", sa.String(length=200), nullable=True),
        sa.Column("policy", sa.LargeBinary(), nullable=False),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("most_bytes", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("plane", "dataset", name=op.f("pk_opening")),
    )
    op.create_table(
        "openings_request",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=20), nullable=False),
        sa.Column("supervisor", sa.String(length=500), nullable=False),
        sa.Column("party", sa.String(length=500), nullable=False),
        sa.Column("contract", sa.String(length=100), nullable=False),
        sa.Column("use_id", sa.String(length=100), nullable=False),
        sa.Column("why", sa.String(length=256), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("retain_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_openings_request")),
    )
    op.create_table(
        "plane",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("endpoint", sa.String(length=2000), nullable=False),
        sa.Column("profiles", sa.String(length=4000), nullable=False),
        sa.Column("participant", sa.String(length=500), nullable=False),
        sa.Column("shows", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_plane")),
    )
    op.create_index(op.f("ix_plane_shows"), "plane", ["shows"], unique=False)
    op.create_table(
        "policy_held",
        sa.Column("use_id", sa.String(length=200), nullable=False),
        sa.Column("counter", sa.String(length=20), nullable=False),
        sa.Column("agreement_id", sa.String(length=200), nullable=False),
        sa.Column("permission", sa.Integer(), nullable=False),
        sa.Column("window_start", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("use_id", "counter", name=op.f("pk_policy_held")),
    )
    op.create_table(
        "restore",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("backup_at", sa.String(length=40), nullable=False),
        sa.Column("restored_at", sa.BigInteger(), nullable=False),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.Column("compared_at", sa.BigInteger(), nullable=True),
        sa.Column("first_lost", sa.Integer(), nullable=True),
        sa.Column("last_lost", sa.Integer(), nullable=True),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_restore")),
    )
    op.create_table(
        "seen_title",
        sa.Column("product_id", sa.String(length=200), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_seen_title")),
    )
    op.create_table(
        "served_elsewhere",
        sa.Column("product_id", sa.String(length=200), nullable=False),
        sa.Column("plane", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_served_elsewhere")),
    )
    op.create_table(
        "service_contract",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("contract_id", sa.String(length=100), nullable=False),
        sa.Column("provider", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("problem", sa.String(length=1000), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("end_reason", sa.String(length=20), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_contract")),
    )
    op.create_index(
        op.f("ix_service_contract_contract_id"), "service_contract", ["contract_id"], unique=False
    )
    op.create_index(op.f("ix_service_contract_state"), "service_contract", ["state"], unique=False)
    op.create_table(
        "shelf",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("product_id", sa.String(length=200), nullable=False),
        sa.Column("provider", sa.String(length=500), nullable=False),
        sa.Column("grade", sa.String(length=20), nullable=False),
        sa.Column("media_type", sa.String(length=200), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("dataset", sa.LargeBinary(), nullable=False),
        sa.Column("made_by", sa.String(length=16), nullable=False),
        sa.Column("tokens", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_shelf")),
        sa.UniqueConstraint("product_id", name=op.f("uq_shelf_product_id")),
        info={"derived": True},
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shelf_provider_number", "shelf", ["provider", "number"], unique=False)
    op.create_index("ix_shelf_tokens", "shelf", ["tokens"], unique=False, postgresql_using="gin")
    op.create_table(
        "shelf_tag",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("tag", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("number", "tag", name=op.f("pk_shelf_tag")),
        info={"derived": True},
    )
    op.create_index("ix_shelf_tag_tag", "shelf_tag", ["tag"], unique=False)
    op.create_table(
        "source_secret",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_source_secret")),
    )
    op.create_table(
        "token_client",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("secret_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_client")),
    )
    op.create_table(
        "use_duty",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("agreement_id", sa.String(length=200), nullable=False),
        sa.Column("use_id", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=50), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("performed_at", sa.BigInteger(), nullable=True),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_use_duty")),
    )
    op.create_index("ix_use_duty_agreement", "use_duty", ["agreement_id", "performed_at"], unique=False)
    op.create_table(
        "use_query",
        sa.Column("use_id", sa.String(length=200), nullable=False),
        sa.Column("consumer", sa.String(length=500), nullable=False),
        sa.Column("artefact", sa.LargeBinary(), nullable=False),
        sa.Column("cells", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("use_id", name=op.f("pk_use_query")),
    )
    op.create_index(op.f("ix_use_query_consumer"), "use_query", ["consumer"], unique=False)
    op.add_column(
        "acquisition",
        sa.Column("format", sa.String(length=100), nullable=False, server_default="HttpData-PULL"),
    )
    op.add_column("acquisition", sa.Column("below", sa.Text(), nullable=False, server_default=""))
    op.add_column("acquisition", sa.Column("body", sa.Text(), nullable=False, server_default=""))
    op.add_column("contract", sa.Column("end_told", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column(
        "contract", sa.Column("vouched_by", sa.String(length=200), server_default="", nullable=False)
    )
    op.add_column("contract", sa.Column("kept_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_contract_kept", "contract", ["kept_at", "agreement_id"], unique=False)
    op.add_column("door", sa.Column("until", sa.BigInteger(), nullable=True))
    op.add_column("meter", sa.Column("rows", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column(
        "negotiation", sa.Column("void_told", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column("product", sa.Column("protection", sa.LargeBinary(), nullable=True))
    op.add_column("resource", sa.Column("columns", sa.LargeBinary(), nullable=False, server_default="[]"))
    op.add_column("resource", sa.Column("rows", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("resource", sa.Column("source", sa.LargeBinary(), nullable=True))
    op.create_index("ix_space_contract_given", "space_contract", ["given_at", "contract_id"], unique=False)
    op.add_column("use", sa.Column("kind", sa.String(length=20), nullable=False, server_default="delivery"))
    op.add_column("use", sa.Column("rows", sa.BigInteger(), nullable=False, server_default="0"))
    op.drop_index(op.f("ix_use_state"), table_name="use")
    op.create_index(
        "ix_use_live",
        "use",
        ["process_id"],
        unique=False,
        sqlite_where=sa.text("state != 'closed'"),
        postgresql_where=sa.text("state != 'closed'"),
    )
