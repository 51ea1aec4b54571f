"""A node's backup, its restoration and its move: what comes back is what was there, on either database."""

import secrets
import shutil
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from test_records import record, seal

from entrepot import catalogue, journal, ledger
from entrepot.journal import AuditEvent, Journal, SchemaState, Transaction, UtcTimeColumn, carried_tables
from entrepot.node import making, moving
from entrepot.node.backup import MANIFEST, make_backup, opened
from entrepot.node.moving import migrate_database, move_database
from entrepot.node.restoring import restore
from entrepot.node.running import locked
from entrepot.node.settings import SQLITE, Listen, Party, Settings, SettingsError
from entrepot.values import ConflictError, EntrepotError, MalformedError, UnavailableError, system_clock

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
REAL = {"audit_event", "ledger_batch", "ledger_batch_part", "ledger_opening", "ledger_record", "resource"}
"""Tables that the product itself fills here, because what they hold hangs together."""


def made(folder: Path, database: str = SQLITE) -> Path:
    """A node that was made, and never run."""
    making.make_operator(
        folder,
        database=database,
        name="harbour",
        party=Party(name="Operator", subject_code="91310000MA1FL0000N", region="3101"),
        listen=Listen(public="127.0.0.1:1", owner="127.0.0.1:2", url="http://127.0.0.1:1"),
        place="3101",
        passphrase="a passphrase of tests",
        clock=system_clock,
    )
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "node")


def url_of(folder: Path) -> str:
    return making.database_url(Settings.read(folder / making.SETTINGS), folder)


def fill(url: str, artefact: Path, seed: int = 1) -> None:
    """Rows in every table, of every type that a column may hold."""
    random = Random(seed)  # noqa: S311 (content of a test, no secret)
    with Journal.open(url) as node:
        node.write_now(lambda tx: every_table(tx, random))
        for number in range(5):
            node.write_now(lambda tx, n=number: journal.audit(tx, AuditEvent("a:b:c", {"n": n})))  # type: ignore[misc]
            node.write_now(
                lambda tx, n=number: ledger.write_record(tx, record(n, n % 2), NOW + timedelta(days=999))  # type: ignore[misc]
            )
            seal(node)
        node.write_now(journal.seal_audit)
        resource = catalogue.measure(artefact, "text/csv", "resource-1")
        node.write_now(lambda tx: catalogue.attach_resource(tx, resource))


def every_table(tx: Transaction, random: Random) -> None:
    serial = count(1)
    for table in carried_tables():
        if table.name not in REAL:
            rows = [{c.name: value(c, random, next(serial)) for c in table.columns} for _ in range(7)]
            tx.connection.execute(sa.insert(table), rows)


def value(column: sa.Column[Any], random: Random, serial: int) -> Any:
    if column.nullable and random.random() < 0.3:
        return None
    length = getattr(column.type, "length", None) or 100
    kinds = {
        UtcTimeColumn: lambda: NOW + timedelta(microseconds=serial * 1_000_003),
        sa.Boolean: lambda: bool(serial % 2),
        sa.BigInteger: lambda: serial if column.primary_key else random.choice([2**62 + serial, -serial]),
        sa.Integer: lambda: serial,
        sa.LargeBinary: lambda: serial.to_bytes(8) + random.randbytes(random.randrange(20)),
        sa.String: lambda: f"{random.choice(['a', 'B', '天', '🌦', '_'])}{serial}"[-length:],
    }
    return next(make() for kind, make in kinds.items() if isinstance(column.type, kind))


def all_of(url: str) -> dict[str, tuple[int, bytes, int | None]]:
    with Journal.open(url) as node:
        found = node.read_now(lambda c: {t.name: journal.extent_of(c, t) for t in carried_tables()})
    return {name: (extent.rows, extent.digest, extent.last) for name, extent in found.items()}


@pytest.fixture
def artefact(folder: Path) -> Path:
    place = folder / "artefacts" / "sha256-abc.csv"
    place.parent.mkdir()
    place.write_bytes(secrets.token_bytes(3_000))
    return place


class BackupContract:
    """What a backup promises, whichever database the node has. Subclasses place the database."""

    @pytest.fixture
    def filled(self, folder: Path, artefact: Path) -> Path:
        fill(url_of(folder), artefact)
        return folder

    @pytest.fixture
    def other(self) -> str:
        """Where a restored database goes; empty: where it was."""
        raise NotImplementedError

    def test_what_is_restored_is_what_was_there(self, filled: Path, tmp_path: Path, other: str) -> None:
        """Every row of every table, every number that is never given again, keys and artefacts."""
        before = all_of(url_of(filled))
        made = make_backup(filled, tmp_path / "b", system_clock)
        found = restore(tmp_path / "b", tmp_path / "elsewhere", other, system_clock)
        after = all_of(url_of(tmp_path / "elsewhere"))

        told = {"audit_event", "resource", "restore"}
        assert {n: after[n] for n in after if n not in told} == {
            n: before[n] for n in before if n not in told
        }
        for name in ("audit_event", "restore"):
            assert after[name][0] == before[name][0] + 1
        assert all(entry.rows for entry in made.tables.values())
        assert (found.rows, found.batches, found.missing) == (sum(e[0] for e in before.values()), 5, ())
        for name in ("vault", "genesis.json", "artefacts/sha256-abc.csv"):
            assert (tmp_path / "elsewhere" / name).read_bytes() == (filled / name).read_bytes()

    def test_a_restored_artefact_is_found_where_it_is_now(
        self, filled: Path, tmp_path: Path, other: str
    ) -> None:
        """A product whose file has another place and another inode is still the product that was signed."""
        make_backup(filled, tmp_path / "b", system_clock)
        restore(tmp_path / "b", tmp_path / "elsewhere", other, system_clock)
        shutil.rmtree(filled)

        with Journal.open(url_of(tmp_path / "elsewhere")) as node:
            found = node.read_now(lambda c: catalogue.resource(c, "resource-1"))
        assert found is not None
        assert found.path == tmp_path / "elsewhere" / "artefacts" / "sha256-abc.csv"
        assert catalogue.is_unchanged(found)

    def test_numbers_go_on_where_they_were(self, filled: Path, tmp_path: Path, other: str) -> None:
        """A number that was given and whose row is gone is not given again."""
        url = url_of(filled)
        with Journal.open(url) as node:
            last = node.read_now(lambda c: journal.extent_of(c, journal.metadata.tables["audit_event"]).last)
            node.write_now(lambda tx: tx.connection.exec_driver_sql("DELETE FROM outbox"))
        make_backup(filled, tmp_path / "b", system_clock)
        restore(tmp_path / "b", tmp_path / "elsewhere", other, system_clock)

        with Journal.open(url_of(tmp_path / "elsewhere")) as node:
            rows = node.read_now(
                lambda c: c.execute(sa.text("SELECT max(row) FROM audit_event")).scalar_one()
            )
            assert rows == (last or 0) + 1
            (positions,) = {all_of(url)["outbox"][2]}
            assert positions
            message = journal.OutboxMessage("m", "k", "l", "a", b"", NOW, NOW)  # type: ignore[arg-type]
            node.write_now(lambda tx: journal.enqueue(tx, message))
            assert (
                node.read_now(lambda c: c.execute(sa.text("SELECT max(position) FROM outbox")).scalar_one())
                > positions
            )

    def test_a_backup_is_of_one_moment(self, filled: Path, tmp_path: Path, other: str) -> None:
        """Writers go on meanwhile: what they write together is in it together or not at all."""
        stop = threading.Event()

        def work(node: Journal, name: str) -> None:
            for number in count(1):
                if stop.is_set():
                    return
                node.write_now(lambda tx, n=number: both(tx, name, n))  # type: ignore[misc]

        def both(tx: Transaction, name: str, number: int) -> None:
            journal.audit(tx, AuditEvent("work:piece:do", {"by": name, "n": number}))
            journal.first_seen(tx, name, str(number), NOW)

        with Journal.open(url_of(filled)) as node, ThreadPoolExecutor(4) as threads:
            working = [threads.submit(work, node, f"worker-{n}") for n in range(4)]
            pieces = "SELECT count(*) FROM audit_event WHERE name = 'work:piece:do'"
            while not node.read_now(lambda c: c.execute(sa.text(pieces)).scalar_one()):
                pass
            make_backup(filled, tmp_path / "b", system_clock)
            stop.set()
            for each in working:
                each.result()
            written = node.read_now(lambda c: c.execute(sa.text(pieces)).scalar_one())
        restore(tmp_path / "b", tmp_path / "elsewhere", other, system_clock)

        with Journal.open(url_of(tmp_path / "elsewhere")) as node:
            events = node.read_now(lambda c: c.execute(sa.text(pieces)).scalar_one())
            seen = "SELECT count(*) FROM seen WHERE scope LIKE 'worker-%'"
            assert node.read_now(lambda c: c.execute(sa.text(seen)).scalar_one()) == events
        assert 0 < events < written


class TestBackupOnSqlite(BackupContract):
    @pytest.fixture
    def other(self) -> str:
        return ""


class TestBackupOnPostgresql(BackupContract):
    @pytest.fixture
    def folder(self, tmp_path: Path, postgresql_url: str) -> Path:
        return made(tmp_path / "node", postgresql_url)

    @pytest.fixture
    def other(self, postgresql_other_url: str) -> str:
        return postgresql_other_url


class TestFromSqliteToPostgresql(BackupContract):
    """A backup of one database is restored into the other."""

    @pytest.fixture
    def other(self, postgresql_url: str) -> str:
        return postgresql_url


class TestFromPostgresqlToSqlite(TestBackupOnPostgresql):
    """And back: nobody is kept where he is."""

    @pytest.fixture
    def other(self) -> str:
        return "sqlite:///node.db"


def test_a_backup_is_never_written_over(folder: Path, tmp_path: Path) -> None:
    """The only copy of a node is not lost by a name that was given twice."""
    make_backup(folder, tmp_path / "b", system_clock)
    before = (tmp_path / "b").read_bytes()

    with pytest.raises(ConflictError):
        make_backup(folder, tmp_path / "b", system_clock)
    assert (tmp_path / "b").read_bytes() == before
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "node"]


def test_what_lets_the_owner_in_is_not_in_a_backup(folder: Path, tmp_path: Path) -> None:
    """Who finds a backup cannot call the node that goes on running."""
    make_backup(folder, tmp_path / "b", system_clock)
    token = (folder / "owner.token").read_bytes()
    with zipfile.ZipFile(tmp_path / "b") as archive:
        assert not any(token in archive.read(name) for name in archive.namelist())

    restore(tmp_path / "b", tmp_path / "elsewhere", "", system_clock)
    assert (tmp_path / "elsewhere" / "owner.token").read_bytes() != token


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


CHANGES: dict[str, Callable[[str, bytes], bytes | None]] = {
    "a table lost a row": lambda n, b: b[: len(b) // 2] if n == "tables/audit_event" else b,
    "keys were exchanged": lambda n, b: b[::-1] if n == "files/vault" else b,
    "a part is missing": lambda n, b: None if n == "tables/use" else b,
    "the manifest is missing": lambda n, b: None if n == MANIFEST else b,
    "another format": lambda n, b: b.replace(b"backup/v1", b"backup/v9") if n == MANIFEST else b,
    "a place outside": lambda n, b: (
        b.replace(b"files/genesis.json", b"files/../../x") if n == MANIFEST else b
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_backup_is_refused_and_leaves_nothing(
    folder: Path, artefact: Path, tmp_path: Path, change: Callable[[str, bytes], bytes | None]
) -> None:
    """A node is made of all that was saved, or not at all."""
    fill(url_of(folder), artefact)
    make_backup(folder, tmp_path / "b", system_clock)
    changed = rewritten(tmp_path / "b", tmp_path / "changed", change)

    with pytest.raises(EntrepotError):
        restore(changed, tmp_path / "elsewhere", "", system_clock)
    assert not (tmp_path / "elsewhere").exists()


def test_a_name_that_leads_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    """A backup that somebody made to be restored writes nowhere else."""
    make_backup(folder, tmp_path / "b", system_clock)
    with zipfile.ZipFile(tmp_path / "b") as old, zipfile.ZipFile(tmp_path / "evil", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == MANIFEST:
                content = content.replace(b"files/genesis.json", b"files/../../x")
            new.writestr(name.replace("files/genesis.json", "files/../../x"), content)

    with pytest.raises(MalformedError, match="no part of a node's folder"):
        restore(tmp_path / "evil", tmp_path / "elsewhere", "", system_clock)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "evil", "node"]


def test_a_file_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    """A wrong file name is told as such."""
    (tmp_path / "x").write_bytes(b"something else")
    for name in ("x", "nothing"):
        with pytest.raises(MalformedError), opened(tmp_path / name):
            pass


def test_a_node_is_not_restored_over_another(folder: Path, tmp_path: Path) -> None:
    """A folder or a database that holds something is left as it is."""
    make_backup(folder, tmp_path / "b", system_clock)
    with pytest.raises(ConflictError):
        restore(tmp_path / "b", folder, "", system_clock)
    with pytest.raises(ConflictError):
        restore(tmp_path / "b", tmp_path / "elsewhere", url_of(folder), system_clock)

    assert Settings.read(folder / making.SETTINGS)
    assert not (tmp_path / "elsewhere").exists()


def test_a_backup_of_an_earlier_version_is_brought_up(folder: Path, tmp_path: Path) -> None:
    """What an earlier program saved is restored by this one; its tables are made as they were then."""
    revisions = sorted(
        p.stem[1:5] for p in (Path(journal.__file__).parent / "migrations" / "versions").glob("r0*.py")
    )
    make_backup(folder, tmp_path / "b", system_clock)

    def as_of_the_first(name: str, content: bytes) -> bytes | None:
        if name != MANIFEST:
            return content if name.startswith(("files/", "tables/audit_event", "tables/outbox")) else None
        manifest = msgspec.json.decode(content)
        manifest["revision"] = "0001"
        manifest["tables"] = {n: manifest["tables"][n] for n in ("audit_event", "outbox")}
        return msgspec.json.encode(manifest)

    restore(rewritten(tmp_path / "b", tmp_path / "old", as_of_the_first), tmp_path / "new", "", system_clock)
    assert revisions[0] == "0001"
    assert journal.schema_state(url_of(tmp_path / "new")) is SchemaState.CURRENT


def test_a_database_moves_whole(folder: Path, artefact: Path, postgresql_url: str) -> None:
    """From SQLite to PostgreSQL: every row, every number, the audit trail; the old file stays as it was."""
    fill(url_of(folder), artefact)
    before, old = all_of(url_of(folder)), url_of(folder)
    moved = move_database(folder, postgresql_url, system_clock)
    after = all_of(postgresql_url)

    assert url_of(folder) == postgresql_url
    assert {n: after[n] for n in after if n != "audit_event"} == {
        n: before[n] for n in before if n != "audit_event"
    }
    assert (moved.tables, moved.rows) == (len(before), sum(rows for rows, _, _ in before.values()))
    assert moved.audit_events == 5
    assert all_of(old) == before


def test_a_move_that_was_interrupted_is_finished_by_asking_again(
    folder: Path, artefact: Path, postgresql_url: str
) -> None:
    """Rows are there and the settings still name the old database: nothing is carried twice."""
    fill(url_of(folder), artefact)
    settings = Settings.read(folder / making.SETTINGS)
    with Journal.open(url_of(folder)) as source:
        source.read_now(lambda c: moving._move(c, postgresql_url, system_clock))
    move_database(folder, postgresql_url, system_clock)
    assert Settings.read(folder / making.SETTINGS) == msgspec.structs.replace(
        settings, database=postgresql_url
    )


def test_a_move_into_a_database_that_holds_something_else_changes_nothing(
    folder: Path, artefact: Path, postgresql_url: str
) -> None:
    """Another node's rows are neither mixed with ours nor written over."""
    fill(url_of(folder), artefact)
    journal.migrate(postgresql_url)
    with Journal.open(postgresql_url) as other:
        other.write_now(lambda tx: journal.lease(tx, "theirs", "somebody", 600))
    before = all_of(postgresql_url)

    with pytest.raises(ConflictError):
        move_database(folder, postgresql_url, system_clock)
    assert all_of(postgresql_url) == before
    assert url_of(folder).startswith("sqlite:///")


def test_a_node_that_runs_is_not_moved(folder: Path, postgresql_url: str) -> None:
    """What a running node writes meanwhile would be lost."""
    with locked(folder), pytest.raises(UnavailableError):
        move_database(folder, postgresql_url, system_clock)


def test_a_password_is_not_written_into_the_settings(folder: Path) -> None:
    """Settings are copied and shown; PostgreSQL has a file for passwords."""
    with pytest.raises(SettingsError, match="password"):
        move_database(folder, "postgresql://clinic:secret@127.0.0.1/clinic", system_clock)


def test_a_node_is_made_on_the_database_that_is_given(tmp_path: Path, postgresql_url: str) -> None:
    """And not on one that holds something already, nor before that is known."""
    assert url_of(made(tmp_path / "one", postgresql_url)) == postgresql_url
    assert journal.schema_state(postgresql_url) is SchemaState.CURRENT
    assert not (tmp_path / "one" / "node.db").exists()

    with pytest.raises(SettingsError):
        made(tmp_path / "two", postgresql_url)
    with pytest.raises(SettingsError, match="password"):
        made(tmp_path / "two", "postgresql://clinic:secret@127.0.0.1:1/clinic")
    assert not (tmp_path / "two").exists()


def test_a_node_is_migrated_where_it_is(folder: Path) -> None:
    """Migrating what is current changes nothing."""
    assert migrate_database(folder) is SchemaState.CURRENT
