"""A package as a folder, or as one tar file whose bytes follow from its files alone."""

import io
import re
import tarfile
from pathlib import Path
from typing import Final

from entrepot.oversight.verify import FILES
from entrepot.values import MalformedError, TooLargeError

MAX_ARCHIVE: Final = 32 << 20
_BLOCK: Final = 512


def write_folder(files: dict[str, bytes], folder: Path) -> None:
    """Write a package into a new folder."""
    folder.mkdir(parents=True)
    for name, raw in sorted(files.items()):
        (folder / name).write_bytes(raw)


def pack(files: dict[str, bytes]) -> bytes:
    """The package as a tar file: same files, same bytes, whoever packs them and when."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, raw in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return buffer.getvalue()


def unpack(raw: bytes) -> dict[str, bytes]:
    """The files in a packed package; what `pack` would not give, or no package has, is refused.

    It comes from a stranger, and a library for archives reads all that archives may hold: files with holes of
    any size, heads upon heads, names that lead out of the folder into which they are written later.
    """
    if len(raw) > MAX_ARCHIVE:
        raise TooLargeError(f"archive of {len(raw)} bytes where at most {MAX_ARCHIVE} are allowed")
    files: dict[str, bytes] = {}
    at = 0
    while raw[at : at + 1].strip(b"\0"):
        head = raw[at : at + _BLOCK]
        name, size = head[:100].rstrip(b"\0").decode("latin-1"), head[124:135]
        if not re.fullmatch(FILES, name) or not re.fullmatch(rb"[0-7]{11}", size):
            raise MalformedError("not a packed package")
        at += _BLOCK
        files[name] = raw[at : at + int(size, 8)]
        at += -(-int(size, 8) // _BLOCK) * _BLOCK
    if pack(files) != raw:
        raise MalformedError("not packed as packages are")
    return files
