"""Keeping a node: backup, restore, and where its database is."""

from pathlib import Path
from typing import Final

from cyclopts import App

from entrepot.cli.options import HERE, Json, Node, client
from entrepot.cli.output import Exit, show

database: Final = App(name="database", help="Where a node's own records are.")
restored: Final = App(name="restored", help="What a restored node has forgotten.")


def register(app: App) -> None:
    """Add these commands to the program."""
    app.command(backup)
    app.command(restore)
    app.command(database)
    app.command(restored)


def backup(file: Path, *, node: Node = HERE, json: Json = False) -> int:
    """Write a backup of a node, which may go on working meanwhile.

    It holds everything but the passphrase of the keys and the owner's token, and files of yours that lie
    outside of the node's folder. Keep it as you keep the node.

    Example: entrepot backup clinic-2026-11-25.backup --node clinic

    Args:
        file: File to be written; one that is there already is not written over.
    """
    from entrepot.node.backup import make_backup
    from entrepot.values import system_clock

    made = make_backup(node.resolve(), file, system_clock)
    rows = sum(entry.rows for entry in made.tables.values())
    answer = {
        "file": str(file),
        "did": made.did,
        "madeAt": made.made_at,
        "revision": made.revision,
        "tables": len(made.tables),
        "rows": rows,
        "files": len(made.files),
    }
    show(
        answer,
        as_json=json,
        text=f"{file}: {rows} rows of {len(made.tables)} tables, {len(made.files)} files",
    )
    return Exit.DONE


def restore(file: Path, folder: Path, *, database: str = "", json: Json = False) -> int:
    """Make a node of a backup, in a folder of its own. The old node must be stopped for good before.

    Nothing is taken over that is not as the backup's digests say. What was done after the backup is not in
    it; uses of that time are on the ledger, and counters here do not know of them.

    Example: entrepot restore clinic-2026-11-25.backup clinic

    Args:
        file: The backup.
        folder: Where the node is to live; it must not exist or be empty.
        database: Where its database is to be, if not where it was: sqlite:///node.db or postgresql://...
    """
    from entrepot.node.restoring import restore as restore_node
    from entrepot.values import system_clock

    found = restore_node(file, folder.resolve(), database, system_clock)
    answer = {
        "folder": str(folder),
        "did": found.manifest.did,
        "madeAt": found.manifest.made_at,
        "rows": found.rows,
        "auditEvents": found.audit_events,
        "batches": found.batches,
        "missing": found.missing,
    }
    text = (
        f"{found.manifest.did} as of {found.manifest.made_at} is in {folder}: {found.rows} rows,"
        f" an audit trail of {found.audit_events} events and {found.batches} batches, none of them broken"
    )
    lines = [text]
    lines += [f"missing, attach it again: {path}" for path in found.missing]
    show(answer, as_json=json, text="\n".join(lines))
    return Exit.DONE


@restored.command(name="show")
def show_restored(*, node: Node = HERE, json: Json = False) -> int:
    """Say what a restored node has forgotten. Until that is accepted, nobody uses anything of it.

    Example: entrepot restored show --node clinic
    """
    found = client(node).get("/owner/restored")
    show(found, as_json=json, text=found["gap"] + (" (accepted)" if found["accepted"] else ""))
    return Exit.DONE


@restored.command
def accept(*, node: Node = HERE, json: Json = False) -> int:
    """Accept that uses of that time are not counted here; data is used again from now on.

    Example: entrepot restored accept --node clinic
    """
    found = client(node).post("/owner/restored/accept")
    show(found, as_json=json, text=f"accepted: {found['gap']}")
    return Exit.DONE


@database.command
def move(url: str, *, node: Node = HERE, json: Json = False) -> int:
    """Move a node's database to an empty one, such as from SQLite to PostgreSQL. The node must not run.

    Every table is read back and compared before anything counts; the old database stays as it was. A
    password does not belong into the address: PostgreSQL's own password file holds it.

    Example: entrepot database move postgresql://clinic@db.example/clinic --node clinic

    Args:
        url: Where the database is to be.
    """
    from entrepot.node.moving import move_database
    from entrepot.values import system_clock

    moved = move_database(node.resolve(), url, system_clock)
    answer = {"tables": moved.tables, "rows": moved.rows, "auditEvents": moved.audit_events}
    show(
        answer,
        as_json=json,
        text=f"{moved.rows} rows of {moved.tables} tables are there, each as it was here",
    )
    return Exit.DONE


@database.command
def migrate(*, node: Node = HERE, json: Json = False) -> int:
    """Bring a node's database to the form that this version of the program needs. Make a backup before.

    Example: entrepot database migrate --node clinic
    """
    from entrepot.node.moving import migrate_database

    state = migrate_database(node.resolve())
    show({"schema": state}, as_json=json, text=f"the database is {state}")
    return Exit.DONE
