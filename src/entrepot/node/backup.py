"""A backup of a node, taken while it works: one file, whole and verified or not there at all.

The order is what lets a restored node go on. First the node's database, in one snapshot; then the file of
its ledger: so whatever the node believes to be on the ledger is in the ledger's file too, and what that
file has beyond finds its transaction in the node's outbox, or is told again by the ledger. The other way
round a node could hold for committed what no ledger has. Artefacts never change, so they come last.

It holds what the node holds, openings and sealed tokens among it: **keep it as the node itself.** Neither
the passphrase nor the owner's token is in it.
"""

import contextlib
import hashlib
import os
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self

import msgspec
from sqlalchemy import Connection

from entrepot import catalogue
from entrepot.journal import (
    Journal,
    SchemaState,
    carried_tables,
    frame,
    last_number,
    read_rows,
    revision_of,
    schema_state,
)
from entrepot.node.making import GENESIS, INVITATION, database_url
from entrepot.node.node import VAULT
from entrepot.node.roles.sources_owner import ARTEFACTS
from entrepot.node.settings import OWNER_TOKEN, SETTINGS, Settings
from entrepot.node.tables import declare_tables
from entrepot.values import Clock, ConflictError, Digest, MalformedError, RefusedError, UtcTime, render_digest

FORMAT: Final = "entrepot/backup/v1"
MANIFEST: Final = "manifest.json"
TABLES: Final = "tables/"
DATABASES: Final = "databases/"
FILES: Final = "files/"

OWN_DATABASES: Final = ("ledger.db", "witness.db", "follower.db")
"""SQLite files beside the node's own database, in the order in which they are copied."""
OWN_FILES: Final = (VAULT, GENESIS, INVITATION, "application.json")
LEFT: Final = frozenset({OWNER_TOKEN, "lock", "log.jsonl"})
"""What lies in a node's folder and stays there: it is made anew, or tells nothing."""
_PIECE: Final = 1 << 20
_MOST_MANIFEST: Final = 4 << 20


class TableEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table: its columns in order, and how much of it there is."""

    columns: tuple[str, ...]
    rows: int
    digest: str
    numbered: str | None
    last: int | None


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: int
    digest: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in a backup, and the digest of each part."""

    format: str
    did: str
    folder: str
    made_at: str
    revision: str
    tables: dict[str, TableEntry]
    files: dict[str, FileEntry]


@dataclass(frozen=True, slots=True)
class Opened:
    """A backup whose every part was read and found as the manifest says."""

    archive: zipfile.ZipFile
    manifest: Manifest

    def rows(self, table: str) -> IO[bytes]:
        return self.archive.open(f"{TABLES}{table}")

    def file(self, name: str) -> IO[bytes]:
        return self.archive.open(name)


def make_backup(folder: Path, target: Path, clock: Clock) -> Manifest:
    """Write a backup of the node in `folder`, which may be running, to a file that is not there yet."""
    declare_tables()
    settings = Settings.read(folder / SETTINGS)
    url = database_url(settings, folder)
    state = schema_state(url)
    if state is not SchemaState.CURRENT:
        raise RefusedError(f"the database is {state}: it is backed up by the version that made it")
    with (
        _new_file(target) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        with Journal.open(url) as journal:
            revision, tables = journal.read_now(lambda c: _write_tables(archive, c))
        files = dict(_write_files(archive, folder, target.absolute().parent))
        manifest = Manifest(FORMAT, settings.did, str(folder), _told(clock()), revision, tables, files)
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


@contextlib.contextmanager
def opened(source: Path) -> Iterator[Opened]:
    """Open a backup, after every byte of it was read and compared with its manifest."""
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = _manifest(archive)
            _verify(archive, manifest)
            yield Opened(archive, manifest)
    except (zipfile.BadZipFile, EOFError) as error:
        raise MalformedError(f"{source} is no backup, or was changed: {error}") from error
    except FileNotFoundError as error:
        raise MalformedError(f"there is no file {source}") from error


@contextlib.contextmanager
def _new_file(target: Path) -> Iterator[IO[bytes]]:
    """A file that only its owner may read, and that gets its name when it is whole and durable."""
    if target.exists():
        raise ConflictError(f"{target} is there already; a backup is never written over")
    handle, part = tempfile.mkstemp(dir=target.absolute().parent, prefix=target.name + ".")  # of mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        target.hardlink_to(part)
    except FileExistsError as error:
        raise ConflictError(f"{target} has come into being meanwhile") from error
    finally:
        Path(part).unlink()


def _write_tables(archive: zipfile.ZipFile, connection: Connection) -> tuple[str, dict[str, TableEntry]]:
    """Write every table as it stands in one snapshot."""
    entries = {}
    for table in carried_tables():
        rows = 0
        with _Part(archive, TABLES + table.name) as part:
            for raw in read_rows(connection, table):
                part.write(frame(raw))
                rows += 1
        numbered = table.autoincrement_column
        entries[str(table.name)] = TableEntry(
            columns=tuple(str(c.name) for c in table.columns),
            rows=rows,
            digest=part.digest,
            numbered=None if numbered is None else str(numbered.name),
            last=last_number(connection, table),
        )
    return revision_of(connection), entries


def _write_files(archive: zipfile.ZipFile, folder: Path, scratch: Path) -> Iterator[tuple[str, FileEntry]]:
    """Write databases, then keys, settings and artefacts."""
    for name in OWN_DATABASES:
        if (folder / name).exists():
            with tempfile.TemporaryDirectory(dir=scratch) as place:
                yield _copy(archive, _snapshot(folder / name, Path(place) / name), DATABASES + name)
    for name in (SETTINGS, *OWN_FILES):
        if (folder / name).exists():
            yield _copy(archive, folder / name, FILES + name)
    with catalogue.shared(folder / ARTEFACTS):
        for path in sorted((folder / ARTEFACTS).glob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield _copy(archive, path, f"{FILES}{ARTEFACTS}/{path.name}")


def _snapshot(path: Path, copy: Path) -> Path:
    """A copy of a SQLite file that others are writing, as it stands at one moment."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as source,
        contextlib.closing(sqlite3.connect(copy)) as sink,
    ):
        source.backup(sink)
    return copy


def _copy(archive: zipfile.ZipFile, path: Path, name: str) -> tuple[str, FileEntry]:
    with path.open("rb") as file, _Part(archive, name) as part:
        while piece := file.read(_PIECE):
            part.write(piece)
    return name, FileEntry(part.size, part.digest)


class _Part:
    """One part of a backup as it is written."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._file = archive.open(zipfile.ZipInfo(name), "w", force_zip64=True)
        self._sum = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._sum.update(piece)
        self.size += len(piece)

    @property
    def digest(self) -> str:
        return render_digest(Digest(self._sum.digest()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    try:
        if archive.getinfo(MANIFEST).file_size > _MOST_MANIFEST:
            raise MalformedError("the manifest is larger than any that we write")
        manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"the backup has no manifest that can be read: {error}") from error
    if manifest.format != FORMAT:
        raise MalformedError(f"expected {FORMAT}, got {manifest.format!r}")
    return manifest


def _verify(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Every part is there once, whole and unchanged, and nothing else is."""
    expected = {TABLES + name: entry.digest for name, entry in manifest.tables.items()}
    expected |= {name: entry.digest for name, entry in manifest.files.items()}
    if sorted(archive.namelist()) != sorted([*expected, MANIFEST]):
        raise MalformedError("the parts of the backup are not those of its manifest")
    for name, digest in expected.items():
        with archive.open(name) as file:
            found = render_digest(Digest(hashlib.file_digest(file, "sha256").digest()))  # type: ignore[arg-type]  # it reads like a file
        if found != digest:
            raise MalformedError(f"{name} is not what the manifest says")


def _told(time: UtcTime) -> str:
    return time.isoformat(timespec="seconds")
