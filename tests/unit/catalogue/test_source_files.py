"""Tables in files: what stands in them comes out typed and unchanged, and what is wrong is said clearly."""

import contextlib
import csv
import io
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.catalogue import ColumnType, Source, SourceError, SourceKind, prepare
from entrepot.catalogue.artefact_table import Bounds, make_table
from entrepot.values import TooLargeError

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=20)


def table_of(folder: Path, raw: bytes, **options: str) -> pa.Table:
    path = folder / "table.csv"
    path.write_bytes(raw)
    made = prepare(Source(SourceKind.CSV, str(path), **options), "", folder / "artefacts")
    found = pq.read_table(made.path)
    assert [c.name for c in made.columns] == found.column_names
    assert made.rows == found.num_rows
    return found


def type_of(folder: Path, *values: str) -> ColumnType:
    path = folder / "column.csv"
    path.write_text("c\n" + "\n".join(f'"{v}"' for v in values) + "\n", "utf-8")
    return prepare(Source(SourceKind.CSV, str(path)), "", folder / "artefacts").columns[0].type


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("1", "-2", "0"), ColumnType.INTEGER),
        (("1", "2.5", "1e3"), ColumnType.NUMBER),
        (("true", "FALSE"), ColumnType.BOOLEAN),
        (("2012-01-31", "2012-02-29"), ColumnType.DATE),
        (("2012/01/31",), ColumnType.DATE),
        (("2012-01-31 08:00", "2012-01-31T08:00:01.5"), ColumnType.DATETIME),
        (("2012-01-31T08:00:00Z", "2012-01-31T08:00:00+08:00"), ColumnType.INSTANT),
        (("1", "NA", "3"), ColumnType.INTEGER),
        (("007", "123"), ColumnType.TEXT),
        (("12345678901234567890",), ColumnType.TEXT),
        (("1234567890123456.5", "1"), ColumnType.TEXT),
        (("2011-02-29",), ColumnType.TEXT),
        (("31/01/2012",), ColumnType.TEXT),
        (("1", "x"), ColumnType.TEXT),
        (("NA", "NA"), ColumnType.TEXT),
        (("0", "1"), ColumnType.INTEGER),
    ],
)
def test_a_column_has_a_type_only_where_every_value_is_written_in_it(
    tmp_path: Path, values: tuple[str, ...], kind: ColumnType
) -> None:
    """A postal code that loses its zeros, an identity number its last digits, are other data."""
    assert type_of(tmp_path, *values) == kind


def test_a_value_far_down_decides_as_much_as_the_first(tmp_path: Path) -> None:
    """Types guessed from the first rows would break off a table of a million at its end, or change it."""
    found = table_of(tmp_path, b"c\n" + b"1\n" * 1_200_000 + b"1.5\n")

    assert found.schema.types == [pa.float64()]
    assert found.column(0)[-1].as_py() == 1.5


@settings(max_examples=30)
@given(rows=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), TEXT), min_size=1, max_size=30))
def test_whatever_a_csv_writer_wrote_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str]]
) -> None:
    """Quotation marks, separators and line ends inside a value belong to the value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["i", "t"])
    writer.writerows([(i, "x" + t) for i, t in rows])

    found = table_of(tmp_path_factory.mktemp("csv"), text.getvalue().encode())

    assert found.column("i").to_pylist() == [i for i, _ in rows]
    assert found.column("t").to_pylist() == ["x" + t for _, t in rows]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_that_parts_the_first_row(tmp_path: Path, separator: str) -> None:
    """Half of Europe writes semicolons; a table of one column would be offered as such."""
    found = table_of(
        tmp_path, separator.join("abc").encode() + b"\n" + separator.join("123").encode() + b"\n"
    )

    assert found.to_pylist() == [{"a": 1, "b": 2, "c": 3}]


def test_a_missing_value_is_not_an_empty_text(tmp_path: Path) -> None:
    """Whoever counts what is missing must not count what is empty."""
    found = table_of(tmp_path, b'n,t\n1,""\n,\n3,x\n')

    assert found.to_pylist() == [{"n": 1, "t": ""}, {"n": None, "t": None}, {"n": 3, "t": "x"}]


def test_a_column_without_a_name_is_called_by_its_place(tmp_path: Path) -> None:
    """Half of all exported tables begin with a row number under no name."""
    assert table_of(tmp_path, b",a\n0,x\n").column_names == ["column_1", "a"]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "latin-1"])
def test_another_encoding_is_read_where_it_is_named(tmp_path: Path, encoding: str) -> None:
    """Files of Chinese offices are often GB 18030."""
    name, value = ("Größe", "é") if encoding == "latin-1" else ("城市", "厦门")
    found = table_of(tmp_path, f"{name},n\n{value},1\n".encode(encoding), encoding=encoding)

    assert found.to_pylist() == [{name: value, "n": 1}]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "is empty"),
        (b"a,b\n", "no rows"),
        (b"a,A\n1,2\n", "same name"),
        (b"a,b\n1,geheim\n1,geheim,3\n", "row 3 has 3 fields"),
        ("a\ngeheim é\n".encode("latin-1"), "not written in utf-8"),
        (b"a\n" + b"geheim\n" * 20_000 + "é\n".encode("latin-1"), "not written in utf-8"),
        (b"a\n\x00geheim\n", "no text"),
        (b'a,b\n1,"geheim\n' + b"x,y\n" * 300_000, "quotation mark"),
    ],
)  # fmt: skip
def test_a_csv_file_that_is_wrong_is_refused_without_a_word_of_it(
    tmp_path: Path, raw: bytes, why: str
) -> None:
    """The owner must find the fault; a log that repeats the row has a person's data in it."""
    with pytest.raises(SourceError, match=why) as refused:
        table_of(tmp_path, raw)

    assert "geheim" not in str(refused.value)


@settings(max_examples=150)
@given(raw=st.binary(max_size=80) | st.text(st.sampled_from('a,b;"\n\r 01'), max_size=60).map(str.encode))
def test_any_file_is_a_table_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """Whatever an owner attaches, the answer is a table or a reason, never a fault."""
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)

    with contextlib.suppress(SourceError):
        assert table_of(folder, raw).num_rows > 0


@pytest.mark.parametrize("encoding", ["utf-88", "hex", "rot13", "zlib", "", "a\x00b"])
def test_an_encoding_that_there_is_not_is_refused(tmp_path: Path, encoding: str) -> None:
    """A misspelt name, or one that is no encoding of text, would otherwise end as a fault of ours."""
    with pytest.raises(SourceError, match="no such encoding"):
        table_of(tmp_path, b"a\n1\n", encoding=encoding)


@pytest.mark.parametrize("kind", [SourceKind.CSV, SourceKind.PARQUET, SourceKind.SQLITE])
def test_only_a_regular_file_is_read(tmp_path: Path, kind: SourceKind) -> None:
    """A named pipe would be waited for without end, and a folder is no table."""
    table = "t" if kind is SourceKind.SQLITE else ""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()

    for name, why in (("pipe", "not a regular"), ("folder", "not a regular"), ("nothing", "cannot be read")):
        with pytest.raises(SourceError, match=why):
            prepare(Source(kind, str(tmp_path / name), table), "", tmp_path / "artefacts")


def parquet(folder: Path, table: pa.Table) -> Source:
    pq.write_table(table, folder / "table.parquet")
    return Source(SourceKind.PARQUET, str(folder / "table.parquet"))


def test_a_parquet_file_keeps_its_values_in_our_types(tmp_path: Path) -> None:
    """Widths and encodings differ from writer to writer; what is offered has one form."""
    moment = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
    table = pa.table(
        {
            "small": pa.array([1, None], pa.int8()),
            "single": pa.array([0.5, 1.5], pa.float32()),
            "word": pa.array(["a", "b"]).dictionary_encode(),
            "large": pa.array(["x", "y"], pa.large_string()),
            "price": pa.array([Decimal("1.20"), Decimal("3.00")], pa.decimal128(9, 2)),
            "day": pa.array([date(2026, 11, 25)] * 2, pa.date32()),
            "local": pa.array([moment.replace(tzinfo=None)] * 2, pa.timestamp("ns")),
            "moment": pa.array([moment] * 2, pa.timestamp("ms", "Asia/Shanghai")),
            "flag": [True, False],
        }
    )

    made = prepare(parquet(tmp_path, table), "", tmp_path / "artefacts")

    assert [str(c.type) for c in made.columns] == [
        "integer", "number", "text", "text", "decimal", "date", "datetime", "instant", "boolean",
    ]  # fmt: skip
    found = pq.read_table(made.path).to_pylist()
    assert found[0]["price"] == Decimal("1.20")
    assert found[0]["moment"] == moment
    assert found == table.to_pylist()


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pa.array([[1, 2]]), "column 1 is of type list"),
        (pa.array([{"a": 1}]), "column 1 is of type struct"),
        (pa.array([b"geheim"]), "column 1 is of type binary"),
        (pa.array([2**64 - 1], pa.uint64()), "does not fit its type"),
        (pa.array([1], pa.timestamp("ns")), "does not fit its type"),
    ],
)
def test_a_parquet_column_that_no_table_may_have_is_named(tmp_path: Path, column: pa.Array, why: str) -> None:
    """What the query engine and the open API cannot both show must not get in, and nothing is cut off."""
    with pytest.raises(SourceError, match=why):
        prepare(parquet(tmp_path, pa.table({"c": column})), "", tmp_path / "artefacts")


@settings(max_examples=150)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_bent_parquet_file_is_a_table_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    """Text that is none, lengths that lie: found when it is attached, not by a consumer's first call."""
    folder = tmp_path_factory.getbasetemp() / "bent"
    folder.mkdir(exist_ok=True)
    table = pa.table({"a": list(range(50)), "b": [f"word {i}" for i in range(50)]})
    source = parquet(folder, table)
    path = Path(source.where)
    raw = bytearray(path.read_bytes())
    for place, byte in changes:
        raw[place % len(raw)] = byte
    path.write_bytes(raw)

    with contextlib.suppress(SourceError):
        made = prepare(source, "", folder / "artefacts")
        assert len(pq.read_table(made.path).to_pylist()) == made.rows


def test_a_broken_parquet_file_is_refused(tmp_path: Path) -> None:
    """A file cut short or bent is not read halfway."""
    source = parquet(tmp_path, pa.table({"a": list(range(50_000))}))
    path = Path(source.where)
    whole = path.read_bytes()

    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="no Parquet file"):
        prepare(source, "", tmp_path / "artefacts")

    path.write_bytes(whole[:4] + b"\xff" * 2_000 + whole[2_004:])
    with pytest.raises(SourceError, match="broken"):
        prepare(source, "", tmp_path / "artefacts")


def test_a_table_larger_than_its_bound_is_refused(tmp_path: Path) -> None:
    """A source that never ends would fill the disk on which the node writes down its uses."""
    path = tmp_path / "table.csv"
    path.write_text("a\n" + "".join(f"{i * 7919 % 1_000_003}\n" for i in range(400_000)), "utf-8")
    source = Source(SourceKind.CSV, str(path))

    with pytest.raises(TooLargeError, match="at most 100000 bytes"):
        make_table(source, "", tmp_path / "artefacts", Bounds(most_bytes=100_000))
    with pytest.raises(TooLargeError, match="room on the disk"):
        make_table(source, "", tmp_path / "artefacts", Bounds(least_free=1 << 60))
    assert list((tmp_path / "artefacts").iterdir()) == []


_CHILD = """
import sys
from pathlib import Path
import pyarrow
from entrepot.catalogue import Source, SourceKind, prepare
path = Path(sys.argv[1])
prepare(Source(SourceKind.CSV, str(path)), "", path.parent / "artefacts")
print(pyarrow.default_memory_pool().max_memory())
"""


def test_memory_stays_flat_while_a_table_grows(tmp_path: Path) -> None:
    """A table larger than memory is an everyday source."""
    peaks = []
    for rows in (100_000, 400_000):
        path = tmp_path / "table.csv"
        with path.open("w", encoding="utf-8") as file:
            file.write("a,b\n")
            file.writelines(f"{i},{i:0150d}\n" for i in range(rows))
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, str(path)], check=True, capture_output=True, text=True
        )
        peaks.append(int(child.stdout))

    assert peaks[1] < 1.5 * peaks[0]
