"""A file for a child that may not open it by name: an open one, for reading only."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.use.query.staging import Staging


@pytest.fixture
def staging() -> Iterator[Staging]:
    found = Staging()
    yield found
    found.close()


def artefact(path: Path, mode: int) -> Path:
    path.write_bytes(b"PAR1 and the rest")
    path.chmod(mode)
    return path


def content(descriptor: int) -> bytes:
    return Path(f"/proc/self/fd/{descriptor}").read_bytes()


def test_a_file_open_to_all_is_opened_and_not_copied(staging: Staging, tmp_path: Path) -> None:
    """A copy of ten gigabytes that nobody needs is ten gigabytes less for others."""
    path = artefact(tmp_path / "open", 0o444)
    descriptor = staging.open(path)

    assert os.fstat(descriptor).st_ino == path.stat().st_ino
    os.close(descriptor)


def test_a_file_of_our_own_is_copied_once_to_where_no_name_leads(staging: Staging, tmp_path: Path) -> None:
    """The child reads it under another user id; nobody finds it by name, and nobody writes to it."""
    path = artefact(tmp_path / "own", 0o400)
    first, second = staging.open(path), staging.open(path)

    assert content(first) == path.read_bytes()
    assert os.fstat(first).st_ino == os.fstat(second).st_ino != path.stat().st_ino
    assert (os.fstat(first).st_nlink, os.fstat(first).st_mode & 0o777) == (0, 0o444)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(first, b"x")
    os.close(first)
    os.close(second)


def test_a_file_that_changed_is_copied_anew(staging: Staging, tmp_path: Path) -> None:
    """An old copy would answer for a file that is another by now."""
    path = artefact(tmp_path / "own", 0o600)
    os.close(staging.open(path))
    path.write_bytes(b"PAR1 and another rest")
    again = staging.open(path)

    assert content(again) == b"PAR1 and another rest"
    os.close(again)


def test_only_the_last_few_copies_are_kept(staging: Staging, tmp_path: Path) -> None:
    """A node with a thousand tables must not hold a thousand copies."""
    for n in range(7):
        os.close(staging.open(artefact(tmp_path / f"own-{n}", 0o400)))

    assert len(staging._copies) == 4
