# ruff: noqa: INP001 (Alembic runs this file, nobody imports it; a revision is a long list)
"""The street, wide: more kinds of use, sources, search, duties. Follows the first street."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002_wide"
down_revision: Final = "0001_street"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    op.add_column("meter", sa.Column("rows", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("use", sa.Column("kind", sa.String(length=20), nullable=False, server_default="delivery"))
    op.add_column("use", sa.Column("rows", sa.BigInteger(), nullable=False, server_default="0"))
