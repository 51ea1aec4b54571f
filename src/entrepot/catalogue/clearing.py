"""Clearing: artefacts that nothing names any more are removed.

A version of a product names its resource, and so its artefact, for as long as there is a contract about it or
somebody may roll back to it; records and evidence name digests and need no file. What is left over is an
attachment that was never offered, and what a crash left between a file and its row.

Whoever makes, offers or copies artefacts holds the folder with others; a clearing wants it alone, and comes
again later where it cannot have that. Rows go first, in one commit with the audit; a file without a row is
found again by the next clearing, whatever crashed in between.
"""

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

from entrepot.catalogue import store
from entrepot.catalogue.service import Event
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.values import UtcTime


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Hold the artefacts of `folder`: nothing is cleared meanwhile. **Waits for a clearing: in a thread.**"""
    handle = hold(folder)
    try:
        yield
    finally:
        os.close(handle)


def hold(folder: Path) -> int:
    """As `shared`; gives what is closed to let go."""
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Have the artefacts of `folder` alone; says whether that is so. Waits for nobody."""
    if not folder.is_dir():
        yield False
        return
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
            return
        yield False
    finally:
        os.close(handle)


def untouched_since(folder: Path, when: UtcTime) -> frozenset[str]:
    """Names of files that were last made, or attached again, before that."""
    return frozenset(
        path.name
        for path in folder.iterdir()
        if path.is_file() and datetime.fromtimestamp(path.stat().st_ctime, UTC) < when
    )


def forget_unused(tx: Transaction, folder: Path, old: Collection[str]) -> frozenset[str]:
    """Forget the resources of these files that no version of any product names; gives files to be removed."""
    place = folder.resolve()
    named = set()
    for known in store.every_resource(tx.connection):
        if known.path.parent != place or known.path.name not in old:
            continue
        if store.is_offered(tx.connection, known.id):
            named.add(known.path.name)
        else:
            store.detach(tx, known.id)
    unused = frozenset(old) - named
    for name in sorted(unused):
        audit(tx, AuditEvent(Event.CLEARED, {"artefact": name}))
    return unused


def remove(folder: Path, names: Collection[str]) -> None:
    """Remove these files. **Their rows are gone for good already, and the folder is ours alone.**"""
    for name in names:
        (folder / name).unlink(missing_ok=True)
