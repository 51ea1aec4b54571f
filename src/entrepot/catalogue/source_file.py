"""Files of a source: opened without waiting for anybody, and known to be the same one afterwards."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TypeAlias

from entrepot.catalogue.errors import SourceError

Mark: TypeAlias = tuple[int, int, int]
"""Size, time of change and inode: what tells one state of a file from another without reading it."""


def mark_of(found: os.stat_result) -> Mark:
    return found.st_size, found.st_mtime_ns, found.st_ino


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file for as long as it takes; refuse it where it was changed meanwhile."""
    try:
        # Without O_NONBLOCK a named pipe would be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise SourceError(f"{path.name} is not a regular file")
    with os.fdopen(handle, "rb") as file:
        yield file
    try:
        after = mark_of(path.stat())
    except OSError as error:
        raise SourceError(f"{path.name} was taken away while it was read: {error.strerror}") from error
    if after != mark_of(found):
        raise SourceError(f"{path.name} was written to while it was read; attach it when it is finished")
