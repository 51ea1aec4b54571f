"""Restoring a node from its backup, into a folder of its own: all of it, or nothing that would run.

The settings are written last, so a folder in which something went wrong is no node. What the node had
decided after its backup is not in it: **stop the old node for good before the new one starts**, or two
will speak with one key. What the ledger has of that time is taken up again when the node runs.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot import catalogue, use
from entrepot.journal import (
    AuditEvent,
    Journal,
    SchemaState,
    Transaction,
    add_rows,
    audit,
    carried_tables,
    extent_of,
    go_on_after,
    migrate,
    read_frames,
    schema_state,
    verify_audit_chain,
)
from entrepot.ledger import BatchState, batches_in, hold_witness
from entrepot.node.backup import DATABASES, FILES, Manifest, Opened, opened
from entrepot.node.making import database_url
from entrepot.node.settings import OWNER_TOKEN, SETTINGS, Role, Settings, write_settings
from entrepot.node.tables import declare_tables
from entrepot.values import (
    Clock,
    ConflictError,
    Digest,
    MalformedError,
    TrustError,
    UnavailableError,
    render_digest,
)

RESTORED: Final = "node:database:restore"
WITNESS_FILE: Final = "witness.db"
_ALL_BATCHES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: how much of it, and which files are to be attached again."""

    manifest: Manifest
    rows: int
    audit_events: int
    batches: int
    missing: tuple[str, ...]
    """Files of resources that are not where they were, or not as they were."""


def restore(source: Path, folder: Path, database: str, clock: Clock) -> Restored:
    """Make a node of a backup; `database` is where its tables go, if not where they were."""
    declare_tables()
    with opened(source) as backup, _new_folder(folder):
        _write_files(backup, folder)
        if (folder / WITNESS_FILE).exists():
            hold_witness(folder / WITNESS_FILE, backup.manifest.made_at)
        settings = _settings(backup, database)
        url = database_url(settings, folder)
        _require_absent(url)
        migrate(url, backup.manifest.revision)
        with Journal.open(url, clock) as journal:
            journal.write_now(lambda tx: _fill(tx.connection, backup))
        migrate(url)
        with Journal.open(url, clock) as journal:
            missing = journal.write_now(lambda tx: _take_up(tx, backup.manifest, folder))
            if {Role.CONNECTOR, Role.PLATFORM} & {*settings.roles}:
                journal.write_now(lambda tx: use.begin_restored(tx, backup.manifest.made_at))
            audit_events, batches = journal.read_now(_sound)
        _write_secret(folder / OWNER_TOKEN, secrets.token_urlsafe(32).encode())
        write_settings(settings, folder / SETTINGS)
        rows = sum(entry.rows for entry in backup.manifest.tables.values())
        return Restored(backup.manifest, rows, audit_events, batches, missing)


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """A folder of ours alone; nothing is left of it where something goes wrong."""
    if folder.exists() and any(folder.iterdir()):
        raise ConflictError(f"{folder} is not empty; a node is restored into a folder of its own")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder)
        raise


def _write_files(backup: Opened, folder: Path) -> None:
    """Write all but the settings; every file for its owner alone."""
    for name in backup.manifest.files:
        if name == FILES + SETTINGS:
            continue
        path = folder / _place_of(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with backup.file(name) as part, os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(part, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())


def _place_of(name: str) -> PurePosixPath:
    """Where a part belongs in the folder; a name that leads out of it is refused."""
    place = PurePosixPath(name.removeprefix(DATABASES).removeprefix(FILES))
    if place.is_absolute() or ".." in place.parts or "\\" in name:
        raise MalformedError(f"{name!r} is no part of a node's folder")
    return place


def _settings(backup: Opened, database: str) -> Settings:
    """The settings as they were, but for where the database is now."""
    if FILES + SETTINGS not in backup.manifest.files:
        raise MalformedError("the backup has no settings")
    with backup.file(FILES + SETTINGS) as part:
        settings = Settings.decode(part.read().decode("utf-8"), SETTINGS)
    return msgspec.structs.replace(settings, database=database) if database else settings


def _require_absent(url: str) -> None:
    state = schema_state(url)
    if state is not SchemaState.ABSENT:
        raise ConflictError(f"the database is {state}, not empty; give another one with --database")


def _fill(connection: Connection, backup: Opened) -> None:
    """Put every row where it was, and read nothing back that is not the same."""
    for name, entry in backup.manifest.tables.items():
        with backup.rows(name) as part:
            extent = add_rows(connection, name, entry.columns, read_frames(part.read))
        if (extent.rows, render_digest(Digest(extent.digest))) != (entry.rows, entry.digest):
            raise MalformedError(f"the rows of {name} are not those of the manifest")
        if entry.numbered is not None and entry.last is not None:
            go_on_after(connection, name, entry.numbered, entry.last)
    kept = {table.name: table for table in carried_tables()}
    for name, entry in backup.manifest.tables.items():
        if name in kept and tuple(c.name for c in kept[name].columns) == entry.columns:
            found = extent_of(connection, kept[name])
            if render_digest(Digest(found.digest)) != entry.digest:
                raise UnavailableError(f"the database gives back other rows of {name} than it was given")


def _take_up(tx: Transaction, manifest: Manifest, folder: Path) -> tuple[str, ...]:
    """Find the files of resources again, and write down that this is a restored node."""
    before = Path(manifest.folder)

    def place(path: Path) -> Path:
        return folder.absolute() / path.relative_to(before) if path.is_relative_to(before) else path

    lost = catalogue.relocate_resources(tx, place)
    audit(tx, AuditEvent(RESTORED, {"made_at": manifest.made_at, "missing": len(lost)}))
    return tuple(str(resource.path) for resource in lost)


def _sound(connection: Connection) -> tuple[int, int]:
    """The lengths of the audit trail and of the chain of batches, or what is wrong with one of them."""
    batches = batches_in(connection, *BatchState, limit=_ALL_BATCHES)
    roots = [None, *(batch.root for batch in batches)]
    for number, batch in enumerate(batches, start=1):
        if batch.number != number or batch.previous != roots[number - 1]:
            raise TrustError(f"batch {number} does not follow the one before it")
    return verify_audit_chain(connection), len(batches)


def _write_secret(path: Path, raw: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(raw)
