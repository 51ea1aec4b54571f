"""Landlock: a process gives up all files but those it names, all writing, and TCP; for good, unprivileged.

Numbers and structures are those of the kernel's `linux/landlock.h`; a system call without a wrapper in libc
has no other way from here. Asked for is version 4 (Linux 6.7), the first that knows TCP.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

LEAST_VERSION: Final = 4
_ASKED_BY_ENGINE: Final = ("/proc/self/cgroup", "/sys/fs/cgroup")
"""How much memory there is; DuckDB does not open without having asked."""
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_NO_NEW_PRIVS: Final = 38
_READ_FILE, _READ_DIR, _EXECUTE = 1 << 2, 1 << 3, 1 << 0
_BITS: Final = {4: 15, 5: 16, 6: 16}
"""Rights over files that each version knows; newer ones know the last at least."""
_TCP: Final = 0b11
_SCOPES: Final = 0b11
_SCOPES_SINCE: Final = 6


class UnconfinedError(OSError):
    """The kernel does not do this."""


def version() -> int:
    """The version that the kernel has; 0 where it has none, or does not let us."""
    return max(_call(_CREATE, None, 0, _VERSION, fails=False), 0)


def confine(readable: Iterable[str], descriptors: Iterable[int] = ()) -> None:
    """Give up everything but reading these folders and files, and what these descriptors name."""
    found = version()
    if found < LEAST_VERSION:
        raise UnconfinedError(found, "Landlock is not there, or too old")
    rights = (1 << _BITS.get(found, _BITS[6])) - 1
    attributes = struct.pack("QQQ", rights, _TCP, _SCOPES if found >= _SCOPES_SINCE else 0)
    size = len(attributes) if found >= _SCOPES_SINCE else 16
    rules = _call(_CREATE, attributes, size, 0)
    for path in (Path(p) for p in (*readable, *_ASKED_BY_ENGINE)):
        if path.exists():
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            _allow(rules, opened, is_folder=path.is_dir())
            os.close(opened)
    for descriptor in descriptors:
        _allow(rules, descriptor, is_folder=False)
    _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call(_RESTRICT, rules, 0)
    os.close(rules)


def _allow(rules: int, opened: int, *, is_folder: bool) -> None:
    rights = _READ_FILE | (_READ_DIR | _EXECUTE if is_folder else 0)
    _call(_ADD, rules, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0)


def _call(number: int, *arguments: bytes | int | None, fails: bool = True) -> int:
    result: int = _libc.syscall(number, *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0 and fails:
        raise UnconfinedError(ctypes.get_errno(), "Landlock refused")
    return result


_libc: Final = ctypes.CDLL(None, use_errno=True)
