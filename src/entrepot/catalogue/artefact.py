"""Artefacts: what a resource is kept as, made of a source, looked over, and read."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from entrepot.catalogue.artefact_file import keep
from entrepot.catalogue.errors import ExtraError
from entrepot.catalogue.model import Resource
from entrepot.catalogue.source import Source, check_source, render_source
from entrepot.values import canonical

if TYPE_CHECKING:
    from entrepot.catalogue.artefact_reader import TableReader
    from entrepot.catalogue.inspection import Inspection

SERVICE: Final = "application/vnd.entrepot.service+json"
"""A file that describes a live service; what it answers has the media type that it says."""


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
