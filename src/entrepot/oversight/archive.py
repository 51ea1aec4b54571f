"""A package as a folder, or as one tar file whose bytes follow from its files alone."""

import io
import tarfile
from pathlib import Path
from typing import Final

from entrepot.values import MalformedError, TooLargeError

MAX_ARCHIVE: Final = 32 << 20


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
    """The files in a packed package; what `pack` would not give is refused."""
    if len(raw) > MAX_ARCHIVE:
        raise TooLargeError(f"archive of {len(raw)} bytes where at most {MAX_ARCHIVE} are allowed")
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            files = {
                member.name: content.read()
                for member in archive
                if member.isreg() and (content := archive.extractfile(member)) is not None
            }
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise MalformedError("not a packed package") from error
    if pack(files) != raw:
        raise MalformedError("not packed as packages are")
    return files
