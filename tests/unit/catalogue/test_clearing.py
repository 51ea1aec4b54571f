"""Clearing: what nobody names goes, what anybody needs stays, whatever happens meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrepot import catalogue
from entrepot.catalogue import Resource, Source, SourceKind
from entrepot.journal import Journal
from entrepot.values import UtcTime

SOON = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "artefacts"


def attached(journal: Journal, folder: Path, name: str) -> Resource:
    """A table of its own, attached and not offered."""
    table = folder.parent / f"{name}.csv"
    table.write_text(f"a,b\n1,{name}\n2,{name}\n")
    made = catalogue.prepare(Source(SourceKind.CSV, str(table)), "", folder)
    return journal.write_now(lambda tx: catalogue.attach_resource(tx, replace(made, id=name)))


def cleared(journal: Journal, folder: Path, before: UtcTime = SOON) -> frozenset[str]:
    """One clearing, as the loop does it."""
    with catalogue.alone(folder) as is_ours:
        assert is_ours
        old = catalogue.untouched_since(folder, before)
        gone = journal.write_now(lambda tx: catalogue.forget_unused(tx, folder, old))
        catalogue.remove(folder, gone)
    return gone


def test_what_was_never_offered_goes_with_its_row(journal: Journal, folder: Path) -> None:
    """Else a disk fills with tables that their owner only looked at."""
    left = attached(journal, folder, "left")

    assert cleared(journal, folder) == {left.path.name}
    assert not left.path.exists()
    assert journal.read_now(lambda c: catalogue.resource(c, "left")) is None
    assert cleared(journal, folder) == frozenset()


def test_what_is_new_waits_for_its_owner(journal: Journal, folder: Path) -> None:
    """Between attaching and offering a person thinks; attaching again asks for the same again."""
    left = attached(journal, folder, "left")

    assert cleared(journal, folder, datetime.now(UTC) - timedelta(days=1)) == frozenset()
    before = left.path.stat().st_ctime_ns
    attached(journal, folder, "left")
    assert left.path.stat().st_ctime_ns > before
    assert catalogue.is_unchanged(left)


def test_a_crash_between_the_rows_and_the_files_is_made_good(journal: Journal, folder: Path) -> None:
    """Rows gone and files there: the next clearing finds them. A file half written is found as well."""
    left = attached(journal, folder, "left")
    old = catalogue.untouched_since(folder, SOON)
    journal.write_now(lambda tx: catalogue.forget_unused(tx, folder, old))
    half = folder / ".new-0123456789abcdef"
    half.write_bytes(b"half")

    assert left.path.exists()
    assert cleared(journal, folder) == {left.path.name, half.name}
    assert list(folder.iterdir()) == []


def test_nothing_is_cleared_while_somebody_makes_or_offers_something(folder: Path) -> None:
    """A file that is there already is attached again without being written: it must not go just then."""
    with catalogue.shared(folder), catalogue.shared(folder), catalogue.alone(folder) as is_ours:
        assert not is_ours
    with catalogue.alone(folder) as is_ours:
        assert is_ours


def test_a_file_of_the_owners_own_is_never_touched(journal: Journal, folder: Path, tmp_path: Path) -> None:
    """A file that is offered as it is lies where its owner has put it."""
    own = tmp_path / "own.bin"
    own.write_bytes(b"mine")
    journal.write_now(lambda tx: catalogue.attach_resource(tx, catalogue.measure(own, "text/plain", "own")))
    attached(journal, folder, "left")
    cleared(journal, folder)

    assert own.read_bytes() == b"mine"
    assert journal.read_now(lambda c: catalogue.resource(c, "own")) is not None
