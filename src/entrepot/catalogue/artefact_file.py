"""The file of an artefact: it never changes, and is called by its digest.

It is written beside its place, made durable, and linked there: a crash leaves no half of one.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO

from entrepot.catalogue.model import Resource
from entrepot.catalogue.source_file import mark_of, opened
from entrepot.values import Digest


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
