"""Reading tables page by page: every row once, in order, whatever the groups they lie in."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.catalogue import (
    Ask,
    Column,
    ColumnType,
    Resource,
    SourceError,
    conditions_of,
    measure,
    open_reader,
)
from entrepot.catalogue.artefact_ask import MAX_BYTES
from entrepot.catalogue.artefact_reader import MOST_LOOKED_AT, Shelf
from entrepot.policy import parse_filter
from entrepot.values import MalformedError

DAY = date(2026, 1, 1)
COLUMNS = (
    Column("n", ColumnType.INTEGER),
    Column("word", ColumnType.TEXT),
    Column("price", ColumnType.DECIMAL),
    Column("day", ColumnType.DATE),
)


def made(folder: Path, table: pa.Table, columns: tuple[Column, ...], group: int) -> Resource:
    path = folder / "table.parquet"
    pq.write_table(table, path, row_group_size=group)
    measured = measure(path, "application/vnd.apache.parquet", "r1")
    return replace(measured, columns=columns, rows=table.num_rows)


def days(folder: Path, rows: int, group: int) -> Resource:
    table = pa.table(
        {
            "n": pa.array([None if i % 11 == 7 else i for i in range(rows)], pa.int64()),
            "word": ["even" if i % 2 == 0 else "odd" for i in range(rows)],
            "price": pa.array([Decimal(i) / 4 for i in range(rows)], pa.decimal128(12, 2)),
            "day": [DAY + timedelta(i) for i in range(rows)],
        }
    )
    return made(folder, table, COLUMNS, group)


def pages(resource: Resource, fields: tuple[str, ...], filters: str, most: int) -> list[list[dict[str, Any]]]:
    """All pages of an ask, one after the other."""
    reader = open_reader()
    conditions = conditions_of(resource.columns, parse_filter(filters).comparisons) if filters else ()
    found, start = [], 0
    while True:
        page = reader.read(resource, Ask(fields, conditions, start, most))
        rows = msgspec.json.decode(page.items)
        assert page.rows == len(rows)
        found.append(rows)
        if page.after is None:
            return found
        assert page.after > start
        start = page.after


FILTERS: dict[str, Callable[[int], bool]] = {
    "": lambda _: True,
    "n >= 20": lambda i: i % 11 != 7 and i >= 20,
    "n != 3": lambda i: i % 11 != 7 and i != 3,
    "word = 'odd' and n < 40": lambda i: i % 2 == 1 and i % 11 != 7 and i < 40,
    "n in (1, 2, 39, 99)": lambda i: i in {1, 2, 39},
    "price > 5.005": lambda i: i / 4 > 5.005,
    "price = 2.5": lambda i: i == 10,
    "price in (2.50, 3.001)": lambda i: i == 10,
    "day >= '2026-02-01'": lambda i: i >= 31,
    "word = 'neither'": lambda _: False,
}


@settings(max_examples=60)
@given(
    rows=st.integers(1, 50),
    group=st.integers(1, 50),
    most=st.integers(1, 60),
    filters=st.sampled_from(sorted(FILTERS)),
    fields=st.lists(st.sampled_from(["n", "word", "price"]), min_size=1, unique=True),
)
def test_pages_hold_the_rows_that_satisfy_each_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    rows: int,
    group: int,
    most: int,
    filters: str,
    fields: list[str],
) -> None:
    """A row that is lost or doubled at a seam between groups is lost or doubled for every consumer."""
    resource = days(tmp_path_factory.mktemp("t"), rows, group)

    found = pages(resource, tuple(fields), filters, most)

    whole = {
        i: {"n": None if i % 11 == 7 else i, "word": "even" if i % 2 == 0 else "odd", "price": f"{i / 4:.2f}"}
        for i in range(rows)
    }
    assert [row for page in found for row in page] == [
        {field: row[field] for field in fields} for i, row in whole.items() if FILTERS[filters](i)
    ]
    assert all(len(page) <= most for page in found)
    assert all(page for page in found[:-1])


def test_a_page_is_bounded_in_bytes_and_goes_on_behind_them(tmp_path: Path) -> None:
    """A thousand rows of a megabyte each would be a gigabyte in memory for one call."""
    texts = [chr(97 + i) * (1 << 20) for i in range(10)]
    columns = (Column("t", ColumnType.TEXT),)
    resource = made(tmp_path, pa.table({"t": texts}), columns, 4)

    found = pages(resource, ("t",), "", 1_000)

    assert [row["t"][0] for page in found for row in page] == list("abcdefghij")
    assert all(sum(len(row["t"]) for row in page) <= MAX_BYTES for page in found)


def test_a_single_row_larger_than_a_page_is_a_page(tmp_path: Path) -> None:
    """Otherwise nobody would ever come past it."""
    columns = (Column("t", ColumnType.TEXT),)
    resource = made(tmp_path, pa.table({"t": ["x" * (MAX_BYTES + 1), "y"]}), columns, 1)

    assert [len(page) for page in pages(resource, ("t",), "", 10)] == [1, 1]


def test_a_page_looks_at_a_bounded_number_of_rows(tmp_path: Path) -> None:
    """A filter that nothing satisfies must not read a table of a billion rows in one call."""
    rows = MOST_LOOKED_AT + 300_000
    columns = (Column("n", ColumnType.INTEGER),)
    resource = made(tmp_path, pa.table({"n": pa.array(range(rows))}), columns, 65_536)

    found = pages(resource, ("n",), f"n = {rows - 1}", 10)

    assert found == [[], [{"n": rows - 1}]]


def test_a_page_once_read_is_at_hand_until_the_file_is_another(tmp_path: Path) -> None:
    """What is kept is a page of this digest; a changed file is never read for it."""
    resource = days(tmp_path, 20, 7)
    reader, ask = open_reader(), Ask(("n",), (), 3, 4)

    assert reader.kept(resource, ask) is None
    page = reader.read(resource, ask)
    os.utime(resource.path, ns=(resource.modified_ns + 1, resource.modified_ns + 1))

    assert reader.kept(resource, ask) is page
    with pytest.raises(SourceError, match="not the one that was attached"):
        reader.read(resource, replace(ask, start=4))


def test_a_shelf_gives_up_what_was_used_longest_ago() -> None:
    """Memory is bounded by bytes, not by luck; what is larger than the shelf is not kept at all."""
    shelf: Shelf[str, str] = Shelf(10)
    for key in ("a", "b"):
        shelf.put(key, key, 4)
    assert shelf.get("a") == "a"

    shelf.put("c", "c", 4)
    shelf.put("huge", "huge", 11)

    assert [shelf.get(key) for key in ("a", "b", "c", "huge")] == ["a", None, "c", None]


@pytest.mark.parametrize(
    "filters",
    ["wages = 1", "n = 'x'", "n = 1.5", "word = 1", "day = 1", "day = 'soon'", "price = 'a'"],
)  # fmt: skip
def test_a_comparison_that_means_nothing_is_refused(filters: str) -> None:
    """It is told before anything is read, and without the value."""
    with pytest.raises(MalformedError) as refused:
        conditions_of(COLUMNS, parse_filter(filters).comparisons)
    assert "soon" not in str(refused.value)
