"""A disk that is full: a refusal before a byte of data leaves, nothing lost, and with space it goes on."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stores"))

from doors import Answered, Doors
from postgres import Server, why_not

from space import found_space, made_bytes, settled, wait_for


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[None]:
    """A disk of so many megabytes at a place; skipped by name where we may not mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    place.mkdir()
    size = f"size={megabytes}m"
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", place], check=False, capture_output=True
    )
    if mount.returncode:
        pytest.skip(f"no small disk here: {mount.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(filler: Path) -> None:
    """Write until nothing more goes onto the disk."""
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass


def told_nothing(answer: Answered, content: bytes) -> bool:
    return answer.status >= 500 and not any(
        content[n : n + 16] in answer.body for n in range(0, len(content), 1000)
    )


def test_a_full_disk_lets_no_byte_out_and_loses_nothing(tmp_path: Path) -> None:
    """The provider's folder is full, its log too: the caller is refused, and served when there is space."""
    content = made_bytes(40_000, seed=41)
    with small_disk(tmp_path / "provider", 24):
        space = found_space(tmp_path)
        try:
            product = space.offer(content, uses=10)
            first = space.begin(product)
            agreement = first.received().agreement
            space.provider.stop()  # what is left of SQLite's log could be written over without more space
            space.provider.start()
            wait_for("the provider", space.provider.is_up)
            counted = "SELECT used FROM policy_counter WHERE agreement_id = ?"
            filler = space.provider.folder / "filler"
            with Doors(space).alone_at(product, agreement) as door:
                before = space.provider.rows(counted, agreement)
                fill(filler)
                told = door.call()
                assert told_nothing(told, content)
                assert (told.status, told.headers["retry-after"]) == (503, "1")
                assert space.provider.rows(counted, agreement) == before
                filler.unlink()
                wait_for("the door", lambda: door.call().body == content, pause=0.5)
            settled(space, agreement, content, [first, door.acquiring])
        finally:
            space.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A PostgreSQL server on a small disk."""
    if reason := why_not():
        pytest.skip(reason)
    with TemporaryDirectory(prefix="entrepot-pg-") as folder:
        Path(folder).chmod(0o755)
        disk = Path(folder) / "disk"
        with small_disk(disk, 100):
            options = ("-c", "max_wal_size=4MB", "-c", "min_wal_size=2MB")
            server = Server(disk, segment_megabytes=1, options=options)
            server.make()
            server.start()
            try:
                yield server
            finally:
                server.stop()
    del tmp_path


def test_a_full_disk_of_the_database_loses_nothing(server: Server, tmp_path: Path) -> None:
    """PostgreSQL has no space left with uses under way: refusals, and then each use to its end, once."""
    content = made_bytes(40_000, seed=42)
    space = found_space(tmp_path, {"provider": server.create_database("provider")})
    try:
        product = space.offer(content, uses=1000)
        first = space.begin(product)
        agreement = first.received().agreement
        filler = server.folder / "filler"
        fill(filler)
        begun = [first]

        def is_refused() -> bool:
            begun.extend(space.begin(product, agreement) for _ in range(10))
            return "could not be reached" in space.provider.log.read_text()

        wait_for("a refusal", is_refused, pause=0.2)
        filler.unlink()
        assert server.process is not None
        if server.process.poll() is not None:  # without space for its own log a server stops
            server.start()
        server.wait_until_up()
        settled(space, agreement, content, begun)
    finally:
        space.stop()
