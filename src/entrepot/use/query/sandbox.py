"""Where children of a query run: the tiers, which of them this machine has, and how each is started.

Every tier gives a child an empty environment, an empty folder, limits, its own session, two pipes, and
nothing else that this process holds. They differ in what stands behind:

    bwrap    a file system, network and process table of its own (bubblewrap), under a user id of its own
             where we are root: bubblewrap started by user id 0 lets its payload write the host's sysctls
    landlock no file but its libraries, the cage and the data, no writing, no TCP (Linux 6.7), and a user id
             of its own where we are root and another user can reach the libraries
    uid      a user id of its own, on the host's file system
    limits   neither; what keeps the engine in is its own locked configuration

Which one a machine has is found out by starting a child in it, never guessed.
"""

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from entrepot.use.query import cage
from entrepot.values import UnavailableError

CAGE: Final = Path(cage.__file__).parent
DATA: Final = "/data/table.parquet"
"""Where a file that we may open stands inside bubblewrap."""
_EMPTY: Final = "/empty"
_UIDS: Final = 1_000
_UID_RANGES: Final = (2_000_000_000, 61_184)
"""Where user ids begin that nobody is given; a container may have only the lower ones."""
_UID_MAP: Final = Path("/proc/self/uid_map")
_PROBE: Final = "import cage.admitting"
"""With the running child, all that children need."""
_PROBE_SECONDS: Final = 60
_SHARED: Final = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache")


class Tier(StrEnum):
    """How well a child is kept in; the record of a use names it."""

    BWRAP = "bwrap"
    LANDLOCK = "landlock"
    UID = "uid"
    LIMITS = "limits"


def at_least(least: Tier) -> tuple[Tier, ...]:
    """The tiers that keep a child in as well as this one, the best first."""
    known = tuple(Tier)
    return known[: known.index(least) + 1]


@dataclass(frozen=True, slots=True)
class Launch:
    """How one child is started."""

    command: tuple[str, ...]
    uid: int | None
    folder: str
    descriptors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """A tier with an interpreter that starts in it, and where user ids for its children begin."""

    tier: Tier
    python: str
    first_uid: int | None


class Sandbox:
    """Starts children in the best tier that this machine has, or in one that the owner has chosen."""

    def __init__(self, tiers: Sequence[Tier] = tuple(Tier)) -> None:
        self._tiers = tiers
        self._folder = tempfile.TemporaryDirectory(prefix="entrepot-query-")
        Path(self._folder.name).chmod(0o555)
        self._started = 0

    @property
    def tier(self) -> Tier:
        """The tier found. **Starts children the first time: in a thread.**"""
        return self._place.tier

    @property
    def is_apart(self) -> bool:
        """Whether children have a user id of their own, and so get their data as an open file."""
        return self._place.first_uid is not None

    @property
    def hindrance(self) -> str:
        """What keeps a better tier away, where that is known and can be changed; else empty."""
        if self.tier is Tier.BWRAP or self._tiers[0] is not Tier.BWRAP:
            return ""
        if shutil.which("bwrap") is None:
            return "bubblewrap is not installed"
        folders = [*Path(_libraries()[0]).parents] if os.geteuid() == 0 else []
        closed = [folder for folder in folders if not folder.stat().st_mode & stat.S_IXOTH]
        return f"{closed[-1]} is closed to the user ids that children have of their own" if closed else ""

    def close(self) -> None:
        """Remove the empty folder. No child is started afterwards."""
        self._folder.cleanup()

    def launch(self, module: str, data: Path | int | None = None) -> Launch:
        """How a child with this module of the cage is started; `data` is the one file that it reads."""
        return self._launch(self._place, f"cage.{module}", "main()", data)

    def path_of(self, data: Path | int) -> str:
        """Where the child finds its data."""
        if isinstance(data, int):
            return f"/proc/self/fd/{data}"
        return DATA if self.tier is Tier.BWRAP else str(data)

    @cached_property
    def _place(self) -> _Place:
        for place in self._places():
            if self._holds(place):
                return place
        raise UnavailableError(
            f"this machine keeps no query in as well as {self._tiers[-1]} does, which is the least here "
            f"({', '.join(self._tiers)} were tried); is the extra `query` installed?"
        )

    def _places(self) -> Iterator[_Place]:
        # An interpreter in somebody's home does not start under another user id; the system's may.
        system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
        pythons = [sys.executable, *([system] if Path(system).exists() else [])]
        for tier in self._tiers:
            if tier is Tier.BWRAP and shutil.which("bwrap") is None:
                continue
            yield from (_Place(tier, python, first) for first in _first_uids(tier) for python in pythons)

    def _holds(self, place: _Place) -> bool:
        """Whether a child starts here and finds all that it needs."""
        launch = self._launch(place, "cage.running", _PROBE, None)
        try:
            done = subprocess.run(  # noqa: S603 (our own command, nothing of it from outside)
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_PROBE_SECONDS,
                check=False,
                env={},
                cwd=launch.folder,
                user=launch.uid,
                group=launch.uid,
                extra_groups=None if launch.uid is None else [],
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return done.returncode == 0

    def _launch(self, place: _Place, module: str, does: str, data: Path | int | None) -> Launch:
        uid = None
        if place.first_uid is not None:
            uid = place.first_uid + self._started % _UIDS
            self._started += 1
        seen = "/" if place.tier is Tier.BWRAP else str(CAGE.parent)
        code = f"import sys; sys.path += {[seen, *_libraries()]!r}; from {module} import main; "
        if place.tier is Tier.LANDLOCK:
            files = [*_host(place.python), str(CAGE), *([str(data)] if isinstance(data, Path) else [])]
            descriptors = [data] if isinstance(data, int) else []
            code += f"from cage.confine import confine; confine({files!r}, {descriptors!r}); "
        walls = _bubblewrap(place.python, data) if place.tier is Tier.BWRAP else []
        command = (*walls, place.python, "-I", "-B", "-c", code + does)
        return Launch(command, uid, self._folder.name, (data,) if isinstance(data, int) else ())


def _first_uids(tier: Tier) -> list[int | None]:
    """User ids to be tried in a tier; None for that of this process, which bubblewrap never has as root."""
    if os.geteuid() != 0:
        return [] if tier is Tier.UID else [None]
    known = [first for first in _UID_RANGES if _is_mapped(first + _UIDS)][:1]
    match tier:
        case Tier.BWRAP | Tier.UID:
            return [*known]
        case Tier.LANDLOCK:
            return [*known, None]
    return [None]


def _is_mapped(uid: int) -> bool:
    """Whether this user id is there at all in our user namespace."""
    ranges = [tuple(map(int, line.split())) for line in _UID_MAP.read_text().splitlines()]
    return any(inside <= uid < inside + count for inside, _, count in ranges)


def _host(python: str) -> list[str]:
    """What of the host an interpreter reads."""
    own = [] if python.startswith("/usr/") else [sys.prefix, sys.base_prefix]
    return list(dict.fromkeys((*_SHARED, *own, *_libraries())))


def _libraries() -> list[str]:
    """Where the engine and the parser are installed."""
    paths = sysconfig.get_paths()
    return sorted({paths["purelib"], paths["platlib"]})


def _bubblewrap(python: str, data: Path | int | None) -> list[str]:
    """The walls: nothing of the host but its libraries, the cage, and the one file, all of it read-only."""
    command = [shutil.which("bwrap") or "bwrap", "--unshare-all", "--unshare-user", "--disable-userns"]
    command += ["--die-with-parent", "--new-session", "--clearenv"]
    for path in _host(python):
        command += ["--ro-bind-try", path, path]
    command += ["--ro-bind", str(CAGE), "/cage", "--dir", "/data"]
    if isinstance(data, Path):
        command += ["--ro-bind", str(data), DATA]
    command += ["--proc", "/proc", "--dev", "/dev", "--dir", _EMPTY, "--chdir", _EMPTY]
    return [*command, "--remount-ro", "/proc", "--remount-ro", "/"]
