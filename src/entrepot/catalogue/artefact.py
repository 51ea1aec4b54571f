"""Artefacts: what a resource is kept as, a file that never changes and is called by its digest.

It is written beside its place, made durable, and renamed: a crash leaves no half of one.
"""

import os
import secrets
from collections.abc import Callable, Collection
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from entrepot.catalogue.errors import ExtraError
from entrepot.catalogue.model import Resource
from entrepot.catalogue.source import Source, check_source, render_source
from entrepot.catalogue.source_file import mark_of, opened
from entrepot.values import Digest, canonical

if TYPE_CHECKING:
    from entrepot.catalogue.artefact_reader import TableReader
    from entrepot.catalogue.inspection import Inspection

SERVICE: Final = "application/vnd.entrepot.service+json"
"""A file that describes a live service; what it answers has the media type that it says."""


def measure(path: Path, media_type: str, resource_id: str = "") -> Resource:
    """Read a file once and say what it is. Outside a transaction: it may be long.

    A file that somebody writes meanwhile is refused: its digest would be that of no version of it.
    """
    with opened(path) as file:
        size, modified_ns, inode = mark_of(os.fstat(file.fileno()))
        digest = Digest(file_digest(file, "sha256").digest())
    return Resource(resource_id, path.resolve(), media_type, size, digest, modified_ns, inode)


def is_unchanged(resource: Resource) -> bool:
    """Say whether the file is still the one that was measured, without reading it."""
    try:
        found = resource.path.stat()
    except OSError:
        return False
    return mark_of(found) == (resource.size, resource.modified_ns, resource.inode)


def prepare(source: Source, password: str, folder: Path) -> Resource:
    """Make an artefact of a source; the resource is not named yet.

    A table is read into a file of our own, a live service described by one. **Slow: in a thread, never in the
    writer.**
    """
    check_source(source)
    if not source.kind.is_table:
        description = canonical.encode(render_source(source))
        made = keep(folder, ".service.json", SERVICE, lambda file: file.write(description))
        return replace(made, source=source)
    try:
        from entrepot.catalogue import artefact_table
    except ImportError as error:
        raise ExtraError("reading tables", "query") from error
    return artefact_table.make_table(source, password, folder, artefact_table.Bounds())


def open_reader() -> "TableReader":
    """What reads the tables of artefacts."""
    try:
        from entrepot.catalogue.artefact_reader import TableReader
    except ImportError as error:
        raise ExtraError("reading tables", "query") from error
    return TableReader()


def inspect(resource: Resource, sensitive: Collection[str] = ()) -> "Inspection":
    """Look a table over: its rows, its columns, the first of them. **Slow: never on the event loop.**"""
    try:
        from entrepot.catalogue import inspection
    except ImportError as error:
        raise ExtraError("reading tables", "query") from error
    return inspection.inspect(resource, sensitive)


def named(resource: Resource, derive: Callable[[bytes], bytes]) -> Resource:
    """Name a resource after all that it is, so that a source that changed is another one."""
    source = None if resource.source is None else render_source(resource.source)
    facts: canonical.Json = [
        str(resource.path),
        resource.media_type,
        resource.digest.hex(),
        str(resource.modified_ns),
        str(resource.inode),
        source,
    ]
    return replace(resource, id=f"resource-{derive(canonical.encode(facts)).hex()[:16]}")


def keep(folder: Path, suffix: str, media_type: str, write: Callable[[BinaryIO], object]) -> Resource:
    """Write an artefact into `folder`, and measure it. What is there already stays as it is."""
    folder.mkdir(mode=0o700, exist_ok=True)
    fresh = folder / f".new-{secrets.token_hex(8)}"
    try:
        with fresh.open("xb") as file:
            fresh.chmod(0o400)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        made = measure(fresh, media_type)
        kept = _placed(made, folder.resolve() / f"{made.digest.hex()}{suffix}")
        _sync(folder)
        return kept
    finally:
        fresh.unlink(missing_ok=True)


def _placed(made: Resource, place: Path) -> Resource:
    """Give an artefact its place, where it has none yet."""
    try:
        place.hardlink_to(made.path)  # unlike a rename, never over what another has put there meanwhile
    except FileExistsError:
        known = measure(place, made.media_type)
        if known.digest == made.digest:
            place.chmod(0o400)  # says that somebody wants it again (`clearing.py`); content and marks stay
            return known
        made.path.replace(place)  # somebody has changed what was there; resources of it are refused for ever
    return replace(made, path=place)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
