"""Resources: what a file is, said once, and whether it is still that."""

import hashlib
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.catalogue import attach_resource, is_unchanged, measure, resource
from entrepot.journal import Journal
from entrepot.values import MalformedError


@given(content=st.binary(max_size=5_000))
def test_a_resource_states_the_size_and_digest_of_its_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Otherwise a contract would name an artefact that nobody can deliver."""
    path = tmp_path_factory.mktemp("files") / "data.csv"
    path.write_bytes(content)

    found = measure(path, "text/csv", "r1")

    assert (found.size, found.digest) == (len(content), hashlib.sha256(content).digest())
    assert is_unchanged(found)


def test_a_changed_file_is_no_longer_the_resource(tmp_path: Path) -> None:
    """Bytes other than those under contract must never be delivered."""
    path = tmp_path / "data.csv"
    path.write_bytes(b"one")
    found = measure(path, "text/csv", "r1")

    path.write_bytes(b"two")
    os.utime(path, ns=(found.modified_ns + 1, found.modified_ns + 1))

    assert not is_unchanged(found)


def test_a_file_put_in_its_place_is_no_longer_the_resource(tmp_path: Path) -> None:
    """A replacement may copy size and time; it cannot copy the inode."""
    path, other = tmp_path / "data.csv", tmp_path / "other.csv"
    path.write_bytes(b"one")
    found = measure(path, "text/csv", "r1")
    other.write_bytes(b"two")
    os.utime(other, ns=(found.modified_ns, found.modified_ns))

    other.replace(path)

    assert not is_unchanged(found)


def test_a_missing_file_is_no_longer_the_resource(tmp_path: Path) -> None:
    """A deleted file is refused with a reason, not with a traceback in the middle of a delivery."""
    path = tmp_path / "data.csv"
    path.write_bytes(b"one")
    found = measure(path, "text/csv", "r1")

    path.unlink()

    assert not is_unchanged(found)


def test_a_file_written_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Its digest would be that of no version of the file, and every delivery would differ from it."""
    path = tmp_path / "data.csv"
    path.write_bytes(bytes(64 << 20))
    stop = threading.Event()

    def write() -> None:
        with path.open("ab") as file:
            while not stop.is_set():
                file.write(b"more")
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(MalformedError, match="written to while it was read"):
            measure(path, "text/csv", "r1")
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a folder", "a named pipe"])
def test_only_a_regular_file_is_a_resource(tmp_path: Path, make: object) -> None:
    """A pipe would be waited for without end; a folder has no bytes."""
    path = tmp_path / "odd"
    make(path)  # type: ignore[operator]  # either of the two makers above

    with pytest.raises(MalformedError, match="odd"):
        measure(path, "text/csv", "r1")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The owner is told which file, and nothing about the folders around it."""
    with pytest.raises(MalformedError, match=r"^missing\.csv cannot be read"):
        measure(tmp_path / "missing.csv", "text/csv", "r1")


def test_an_attached_resource_is_read_back_whole(journal: Journal, tmp_path: Path) -> None:
    """What is stored of a resource is all there is to tell whether its file changed."""
    path = tmp_path / "data.csv"
    path.write_bytes(b"one")
    found = measure(path, "text/csv", "r1")

    journal.write_now(lambda tx: attach_resource(tx, found))

    assert journal.read_now(lambda c: resource(c, "r1")) == found
    assert journal.read_now(lambda c: resource(c, "r2")) is None
