"""The data of a query as an open file: read-only for whoever gets it, whatever the rights of its name are.

A child with a user id of its own cannot open what only this node may read. Where the file is not open to
everybody, the child gets a nameless copy instead, made once and kept while it is among the last few used.
"""

import os
import shutil
import stat
import tempfile
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Final

_KEPT: Final = 4
_READABLE: Final = 0o444


class Staging:
    """Open files by the marks of their originals. Calls come from several threads."""

    def __init__(self) -> None:
        self._copies: OrderedDict[tuple[int, int, int, int], int] = OrderedDict()
        self._lock = Lock()

    def open(self, path: Path) -> int:
        """Open a file for a stranger; gives a descriptor that the caller closes. **Slow the first time.**"""
        original = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(original)
        if found.st_mode & stat.S_IROTH:
            return original
        try:
            with self._lock:
                return os.dup(self._copy(original, found))
        finally:
            os.close(original)

    def close(self) -> None:
        with self._lock:
            for copy in self._copies.values():
                os.close(copy)
            self._copies.clear()

    def _copy(self, original: int, found: os.stat_result) -> int:
        mark = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
        if mark not in self._copies:
            self._copies[mark] = _nameless(original)
            while len(self._copies) > _KEPT:
                os.close(self._copies.popitem(last=False)[1])
        self._copies.move_to_end(mark)
        return self._copies[mark]


def _nameless(original: int) -> int:
    """Copy into a file that no longer has a name, and open that for reading only."""
    with tempfile.NamedTemporaryFile() as copy, os.fdopen(os.dup(original), "rb") as source:
        shutil.copyfileobj(source, copy)
        copy.flush()
        os.fchmod(copy.fileno(), _READABLE)
        return os.open(copy.name, os.O_RDONLY | os.O_CLOEXEC)
