"""Moving a node's database, such as from SQLite to PostgreSQL: all of it in one transaction, or nothing.

Rows are streamed table by table; before the commit every table is read back and compared with what was
sent, by count and digest. Then the settings name the new database. A move that was interrupted in
between is done by asking again: what is there already, and the same, is taken as moved. The old database
stays as it was.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, Table

from entrepot.journal import (
    AuditEvent,
    Extent,
    Journal,
    SchemaState,
    add_rows,
    audit,
    carried_tables,
    extent_of,
    go_on_after,
    migrate,
    read_rows,
    schema_state,
    verify_audit_chain,
)
from entrepot.node.making import database_url
from entrepot.node.running import locked
from entrepot.node.settings import SETTINGS, Settings, write_settings
from entrepot.node.tables import declare_tables
from entrepot.values import Clock, ConflictError, RefusedError

MOVED: Final = "node:database:move"


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved, and how it was found to be whole."""

    tables: int
    rows: int
    audit_events: int


def move_database(folder: Path, url: str, clock: Clock) -> Moved:
    """Move the database of the node in `folder`, which must not run, to an empty one at `url`."""
    declare_tables()
    path = folder / SETTINGS
    with locked(folder):
        settings = Settings.read(path)
        moved_to = msgspec.structs.replace(settings, database=url)
        moved_to.check()
        old, new = database_url(settings, folder), database_url(moved_to, folder)
        if old == new:
            raise ConflictError("the node's database is there already")
        if schema_state(old) is not SchemaState.CURRENT:
            raise RefusedError("the database is not of this version; migrate it before it is moved")
        with Journal.open(old, clock) as source:
            moved = source.read_now(lambda c: _move(c, new, clock))
        write_settings(moved_to, path)
        with Journal.open(new, clock) as target:
            facts = {"tables": moved.tables, "rows": moved.rows}
            target.write_now(lambda tx: audit(tx, AuditEvent(MOVED, facts)))
    return moved


def migrate_database(folder: Path) -> SchemaState:
    """Bring the database of the node in `folder`, which must not run, to the newest revision."""
    with locked(folder):
        url = database_url(Settings.read(folder / SETTINGS), folder)
        migrate(url)
        return schema_state(url)


def _move(source: Connection, new: str, clock: Clock) -> Moved:
    state = schema_state(new)
    if state is SchemaState.ABSENT:
        migrate(new)
    elif state is not SchemaState.CURRENT:
        raise ConflictError(
            f"the new database is {state}: it must be empty, or hold what an earlier try moved"
        )
    with Journal.open(new, clock) as target:
        extents = target.write_now(lambda tx: _carry(source, tx.connection))
        events = target.read_now(verify_audit_chain)
    return Moved(len(extents), sum(extent.rows for extent in extents), events)


def _carry(source: Connection, target: Connection) -> list[Extent]:
    """Carry every table into an empty one, or find it there as it is here; then let all number on."""
    tables = carried_tables()
    extents = [_carry_table(source, target, table) for table in tables]
    for table, extent in zip(tables, extents, strict=True):
        if table.autoincrement_column is not None and extent.last is not None:
            go_on_after(target, table.name, table.autoincrement_column.name, extent.last)
    return extents


def _carry_table(source: Connection, target: Connection, table: Table) -> Extent:
    ours, theirs = extent_of(source, table), extent_of(target, table)
    if not theirs.rows and ours.rows:
        add_rows(target, table.name, [c.name for c in table.columns], read_rows(source, table))
        theirs = extent_of(target, table)
    if (ours.rows, ours.digest) != (theirs.rows, theirs.digest):
        raise ConflictError(f"{table.name} holds other rows there than here; the new database must be empty")
    return ours
