# ruff: noqa: INP001 (Alembic runs this file; nobody imports it)
"""How Alembic runs our revisions: on the connection, and in the transaction, that `schema` opened."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from entrepot.journal.database import UtcTimeColumn, metadata
from entrepot.journal.schema import is_of_schema


def render_item(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Write a revision in types of the database, so that it never changes with our code."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, UtcTimeColumn) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=render_item,
    include_name=is_of_schema,
)
with context.begin_transaction():
    context.run_migrations()
