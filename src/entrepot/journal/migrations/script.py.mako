# ruff: noqa: INP001, PLR0915 (Alembic runs this file, nobody imports it; a revision is a long list)
"""${message}. Follows ${down_revision or "nothing"}."""

from typing import Final

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision: Final = ${repr(up_revision)}
down_revision: Final = ${repr(down_revision)}
branch_labels: Final = ${repr(branch_labels)}
depends_on: Final = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
