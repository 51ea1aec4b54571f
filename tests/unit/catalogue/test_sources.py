"""Sources: what may be named as one, and how it becomes a resource that never changes."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.catalogue import (
    Column,
    ColumnType,
    Description,
    Source,
    SourceError,
    SourceKind,
    attach_resource,
    is_unchanged,
    keep_secret,
    named,
    offer_product,
    prepare,
    resource,
    sealed_secret,
)
from entrepot.catalogue.artefact_file import keep
from entrepot.catalogue.inspection import MOST_DISTINCT, PREVIEW, inspect
from entrepot.catalogue.source import check_columns, check_source
from entrepot.journal import Journal
from entrepot.policy import Policy, Rule
from entrepot.values import Did, Grade, KindOfUse, NotFoundError, ProductId, RefusedError, sha256

FILE = Source(SourceKind.CSV, "/data/weather.csv")
DATABASE = Source(SourceKind.POSTGRESQL, "postgresql://reader@db.example:5432/weather", "public.days", "db")
SERVICE = Source(
    SourceKind.HTTP, "https://api.example/v1", secret="key", paths=("/days", "/stations/1"),
    parameters=("from", "to"),
)  # fmt: skip


def make(folder: Path, text: str, name: str = "table.csv") -> Source:
    path = folder / name
    path.write_text(text, "utf-8")
    return Source(SourceKind.CSV, str(path))


@pytest.mark.parametrize("source", [FILE, DATABASE, SERVICE], ids=lambda s: s.kind)
def test_a_well_named_source_is_taken(source: Source) -> None:
    """A check that refused everything would be passed by every other test here."""
    check_source(source)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (replace(DATABASE, where="postgresql://reader:geheim@db.example/weather"), "password"),
        (replace(DATABASE, where="postgresql://db.example/weather?password=geheim"), "query"),
        (replace(DATABASE, where="mysql://db.example/weather"), "postgresql://"),
        (replace(DATABASE, where="postgresql://db.example:port/weather"), "postgresql://"),
        (replace(DATABASE, table=""), "table"),
        (replace(FILE, where="weather.csv"), "absolute"),
        (replace(FILE, where=""), "somewhere"),
        (replace(FILE, table="days"), "only a database"),
        (replace(FILE, paths=("/a",)), "only a service"),
        (replace(SERVICE, where="https://user:geheim@api.example"), "password"),
        (replace(SERVICE, where="ftp://api.example"), "http"),
        (replace(SERVICE, where="https://api.example/?key=geheim"), "query"),
        (replace(SERVICE, paths=()), "paths"),
        (replace(SERVICE, paths=("/days/../admin",)), "path"),
        (replace(SERVICE, paths=("/days/%2e%2e",)), "path"),
        (replace(SERVICE, paths=("//evil.example",)), "path"),
        (replace(SERVICE, parameters=("a b",)), "parameters"),
        (replace(FILE, secret="a\nb"), "secret"),
    ],
)
def test_a_source_that_nobody_could_mean_is_refused_without_its_password(source: Source, why: str) -> None:
    """A password in an address ends in logs and answers; a path with steps upward leaves the service."""
    with pytest.raises(SourceError, match=why) as refused:
        check_source(source)

    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["a", "A"], "same name"),
        (["a", "b", "a"], "columns 1 and 3"),
        ([""], "no name"),
        (["a\x00"], "no name"),
        ([], "no columns"),
        ([f"c{i}" for i in range(1_001)], "1000 are the most"),
    ],
)
def test_columns_that_could_be_mistaken_for_each_other_are_refused(names: list[str], why: str) -> None:
    """A query engine takes `a` and `A` for one; a policy that names one would let the other through."""
    with pytest.raises(SourceError, match=why):
        check_columns(names)


def test_a_table_becomes_a_file_called_by_its_digest(tmp_path: Path) -> None:
    """The digest is what a contract names; the file must be the one that has it."""
    made = prepare(make(tmp_path, "a,b\n1,x\n2,y\n"), "", tmp_path / "artefacts")

    assert made.path.name == f"{made.digest.hex()}.parquet"
    assert made.digest == sha256(made.path.read_bytes())
    assert made.columns == (Column("a", ColumnType.INTEGER), Column("b", ColumnType.TEXT))
    assert made.rows == 2
    assert is_unchanged(made)


def test_the_same_table_is_the_same_file_from_whatever_it_came(tmp_path: Path) -> None:
    """Content decides the name: reading the artefact itself as a source gives the artefact again."""
    first = prepare(make(tmp_path, "a,b\n1,x\n2,y\n"), "", tmp_path / "artefacts")
    again = prepare(Source(SourceKind.PARQUET, str(first.path)), "", tmp_path / "artefacts")

    assert (again.path, again.digest, again.inode) == (first.path, first.digest, first.inode)
    assert is_unchanged(first)


def test_a_changed_source_is_another_resource_and_the_old_one_stays(journal: Journal, tmp_path: Path) -> None:
    """A contract over the old data goes on being served by it; new data never slips under an old digest."""
    name = lambda made: named(made, sha256)  # noqa: E731 (a node derives it with a key of its own)
    source = make(tmp_path, "a\n1\n")
    old = name(prepare(source, "", tmp_path / "artefacts"))
    new = name(prepare(make(tmp_path, "a\n2\n"), "", tmp_path / "artefacts"))
    for made in (old, new, old):
        journal.write_now(lambda tx, made=made: attach_resource(tx, made))

    assert old.id != new.id
    assert journal.read_now(lambda c: resource(c, old.id)) == old
    assert journal.read_now(lambda c: resource(c, new.id)) == new
    assert is_unchanged(old)


def test_an_artefact_that_was_tampered_with_is_made_anew_and_the_old_resource_refused(tmp_path: Path) -> None:
    """Whoever wrote into the folder must not have their bytes sold under the digest of ours."""
    source = make(tmp_path, "a\n1\n")
    first = prepare(source, "", tmp_path / "artefacts")
    first.path.chmod(0o600)
    first.path.write_bytes(b"something else")

    again = prepare(source, "", tmp_path / "artefacts")

    assert not is_unchanged(first)
    assert sha256(again.path.read_bytes()) == first.digest


def test_what_several_make_at_once_is_one_file(tmp_path: Path) -> None:
    """Who came second must not put another file in the place of the one that the first has measured."""
    for number in range(20):
        together = threading.Barrier(8)

        def write(file: BinaryIO, number: int = number, together: threading.Barrier = together) -> None:
            file.write(f"artefact {number}".encode())
            together.wait()

        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _, write=write: keep(tmp_path / "a", ".x", "t", write), range(8)))

        assert len({m.inode for m in made}) == 1
        assert all(is_unchanged(m) for m in made)
    assert len(list((tmp_path / "a").iterdir())) == 20


def test_what_cannot_be_read_to_its_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """Half an artefact in the folder would be taken for a whole one, or fill the disk."""
    text = "a,b\n" + "1,2\n" * 300_000 + "1,2,3\n"
    with pytest.raises(SourceError):
        prepare(make(tmp_path, text), "", tmp_path / "artefacts")

    assert list((tmp_path / "artefacts").glob("*")) == [] or not (tmp_path / "artefacts").exists()


def test_a_source_written_to_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """What was read would be a version of it that there never was."""
    source = make(tmp_path, "a\n" + "1\n" * 500_000)
    stop = threading.Event()

    def write() -> None:
        with Path(source.where).open("a", encoding="utf-8") as file:
            while not stop.is_set():
                file.write("1\n")
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(SourceError, match="written to while it was read"):
            prepare(source, "", tmp_path / "artefacts")
    finally:
        stop.set()
        writer.join()


def test_a_secret_is_kept_sealed_under_its_name(journal: Journal) -> None:
    """The database holds what the vault made of it; a later one takes its place."""
    journal.write_now(lambda tx: keep_secret(tx, "db", b"sealed once"))
    journal.write_now(lambda tx: keep_secret(tx, "db", b"sealed again"))

    assert journal.read_now(lambda c: sealed_secret(c, "db")) == b"sealed again"
    with pytest.raises(NotFoundError):
        journal.read_now(lambda c: sealed_secret(c, "other"))


def test_a_live_service_is_described_by_its_artefact(journal: Journal, tmp_path: Path) -> None:
    """Its product needs a digest that changes when what may be asked of it does."""
    made = named(prepare(SERVICE, "", tmp_path / "artefacts"), sha256)
    other = prepare(replace(SERVICE, paths=("/days",)), "", tmp_path / "artefacts")
    journal.write_now(lambda tx: attach_resource(tx, made))

    assert journal.read_now(lambda c: resource(c, made.id)) == made
    assert made.service == SERVICE
    assert made.digest != other.digest


@pytest.mark.parametrize("kind", KindOfUse)
def test_a_product_is_offered_only_for_what_its_resource_can_do(
    journal: Journal, tmp_path: Path, kind: KindOfUse
) -> None:
    """A live service cannot be handed over, and a plain file has no rows to ask for."""
    service = named(prepare(SERVICE, "", tmp_path / "artefacts"), sha256)
    table = named(prepare(make(tmp_path, "a\n1\n"), "", tmp_path / "artefacts"), sha256)
    file = replace(table, id="file", columns=(), rows=0, source=None)
    fits = {
        service.id: {KindOfUse.API},
        table.id: set(KindOfUse),
        file.id: set(KindOfUse) - {KindOfUse.API, KindOfUse.QUERY},
    }
    for made in (service, table, file):
        journal.write_now(lambda tx, made=made: attach_resource(tx, made))

    for number, (resource_id, kinds) in enumerate(fits.items()):
        described = Description("T", "D", "r", Grade.L1, frozenset({kind}), Policy((Rule("use"),)))

        def offer(
            tx: object, number: int = number, of: str = resource_id, described: Description = described
        ) -> object:
            return offer_product(tx, ProductId(f"p{number}"), Did("did:web:us"), of, described)  # type: ignore[arg-type]

        if kind in kinds:
            journal.write_now(offer)
        else:
            with pytest.raises(RefusedError, match=r"table|live service"):
                journal.write_now(offer)


@settings(max_examples=25)
@given(
    rows=st.lists(
        st.tuples(st.none() | st.integers(-100, 100), st.none() | st.sampled_from("abc")),
        min_size=1, max_size=60,
    ).filter(lambda rows: any(n is not None for n, _ in rows))
)  # fmt: skip
def test_statistics_are_those_of_the_table(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int | None, str | None]]
) -> None:
    """An owner grades and prices by them; texts, which are a person's, are not told."""
    folder = tmp_path_factory.mktemp("t")
    text = "n,t\n" + "".join(f"{'NA' if n is None else n},{t or ''}\n" for n, t in rows)

    found = inspect(prepare(make(folder, text), "", folder / "artefacts"))

    numbers = [n for n, _ in rows if n is not None]
    texts = [t for _, t in rows if t is not None]
    number, word = found.columns
    assert found.rows == len(rows)
    assert (number.nulls, number.distinct) == (len(rows) - len(numbers), len(set(numbers)))
    assert (number.least, number.greatest) == (min(numbers), max(numbers))
    assert (word.nulls, word.distinct) == (len(rows) - len(texts), len(set(texts)))
    assert (word.least, word.greatest) == (None, None)
    assert found.preview == tuple(rows[:PREVIEW])


def test_a_sensitive_column_shows_no_value_of_its_own(tmp_path: Path) -> None:
    """The preview goes to a screen; the greatest salary is one person's."""
    made = prepare(make(tmp_path, "id,salary\n1,100\n2,9999\n"), "", tmp_path / "artefacts")

    found = inspect(made, sensitive=["salary"])

    assert "9999" not in str(found)
    assert found.columns[1].distinct == 2
    with pytest.raises(SourceError, match="no column"):
        inspect(made, sensitive=["wages"])


def test_different_values_are_counted_up_to_a_bound(tmp_path: Path) -> None:
    """A column of millions of names must not be held in memory to be counted."""
    text = "i\n" + "".join(f"{i}\n" for i in range(MOST_DISTINCT + 500))

    found = inspect(prepare(make(tmp_path, text), "", tmp_path / "artefacts"))

    assert found.columns[0].distinct == MOST_DISTINCT + 1
    assert found.columns[0].greatest == MOST_DISTINCT + 499


_WITHOUT = """
import sys
sys.modules["pyarrow"] = None  # as where the extra is not installed
from pathlib import Path
from entrepot.catalogue import ExtraError, Source, SourceKind, open_reader, prepare
folder = Path(sys.argv[1])
for work in (lambda: prepare(Source(SourceKind.CSV, str(folder / "t.csv")), "", folder / "a"), open_reader):
    try:
        work()
    except ExtraError as error:
        print(error, error.remedy())
service = Source(SourceKind.HTTP, "https://api.example", paths=("/now",))
print(prepare(service, "", folder / "a").media_type)
"""


def test_without_the_extra_the_node_runs_and_says_what_to_install(tmp_path: Path) -> None:
    """A node that only delivers files needs no engine for tables; whoever wants one is told its name."""
    make(tmp_path, "a\n1\n", "t.csv")

    said = subprocess.run(
        [sys.executable, "-c", _WITHOUT, str(tmp_path)], check=True, capture_output=True, text=True
    ).stdout.splitlines()

    assert len(said) == 3
    assert all("extra `query`" in line and "pip install 'entrepot[query]'" in line for line in said[:2])
    assert said[2] == "application/vnd.entrepot.service+json"
