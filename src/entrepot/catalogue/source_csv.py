"""CSV files (RFC 4180, and what people make of it): read twice, once to learn the types.

The first row names the columns. Commas, semicolons, tabs and bars separate; the one that parts the first
row most often is taken.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.csv

from entrepot.catalogue.errors import SourceError
from entrepot.catalogue.source import Column, check_columns
from entrepot.catalogue.source_file import opened
from entrepot.catalogue.source_table import Batches, Table, converted
from entrepot.catalogue.source_types import ARROW, Arrow, Guess, read_texts

_BLOCK: Final = 4 << 20
_HEAD: Final = 64 << 10
_SEPARATORS: Final = ",;\t|"


@contextmanager
def open_csv(path: Path, encoding: str) -> Iterator[Table]:
    with opened(path) as file:
        form = _form_of(file, path.name, encoding)
        names = form.names
        guesses = [Guess() for _ in names]
        for batch in form.batches(file):
            for guess, column in zip(guesses, batch.columns, strict=True):
                guess.see(column)
        columns = tuple(Column(n, g.type) for n, g in zip(names, guesses, strict=True))
        schema = pa.schema([pa.field(c.name, ARROW[c.type]) for c in columns])
        readers = [partial(read_texts, kind=c.type) for c in columns]
        yield Table(
            columns,
            schema,
            (
                pa.record_batch(converted(names, readers, b.columns), schema=schema)
                for b in form.batches(file)
            ),
        )


@dataclass(slots=True)
class _Form:
    """How a file is written."""

    file_name: str
    encoding: str
    separator: str
    header: tuple[str, ...]
    """The first row as it stands there."""
    misfit: list[Arrow] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The names of the columns. One without a name, as an index often is, is called by its place."""
        return [name.strip() or f"column_{place}" for place, name in enumerate(self.header, 1)]

    def batches(self, file: BinaryIO) -> Batches:
        """Every row as text; nothing stands where nothing is written between two separators."""
        file.seek(0)
        try:
            yield from pyarrow.csv.open_csv(
                file,
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, block_size=_BLOCK, encoding=self.encoding
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.separator, newlines_in_values=True, invalid_row_handler=self._note
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(self.header, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except (pa.ArrowException, UnicodeError) as error:
            raise self._explained(error) from error

    def _note(self, row: Arrow) -> str:
        self.misfit.append(row)
        return "error"

    def _explained(self, error: Exception) -> SourceError:
        """Say what is wrong without the row, which Arrow's own words repeat."""
        if self.misfit:
            row = self.misfit[0]
            where = "a row" if row.number is None else f"row {row.number}"
            return SourceError(
                f"{self.file_name}: {where} has {row.actual_columns} fields, "
                f"the first row has {row.expected_columns}"
            )
        if isinstance(error, UnicodeError) or "UTF8" in str(error):
            return _misspelt(self.file_name, self.encoding)
        if "straddling" in str(error):
            return SourceError(
                f"{self.file_name}: a row of more than {_BLOCK} bytes, or a quotation mark without its second"
            )
        return SourceError(f"{self.file_name} cannot be read as CSV")


def _form_of(file: BinaryIO, file_name: str, encoding: str) -> _Form:
    """Read the first row, in whichever way it gives the most columns."""
    try:
        "a".encode(encoding)  # refuses what turns bytes into anything but text
        decoder = codecs.getincrementaldecoder(encoding)()
    except (LookupError, ValueError) as error:
        raise SourceError("there is no such encoding; utf-8 and gb18030 are the usual ones") from error
    raw = file.read(_HEAD)
    if not raw:
        raise SourceError(f"{file_name} is empty")
    try:
        text = decoder.decode(raw, final=False).removeprefix("\ufeff")
    except UnicodeError as error:
        raise _misspelt(file_name, encoding) from error
    if "\x00" in text:
        raise SourceError(f"{file_name} is no text")
    rows = {separator: _first_row(text, separator, file_name) for separator in _SEPARATORS}
    separator = max(rows, key=lambda s: len(rows[s]))
    form = _Form(file_name, encoding, separator, tuple(rows[separator]))
    check_columns(form.names)
    return form


def _first_row(text: str, separator: str, file_name: str) -> list[str]:
    try:
        return next((row for row in csv.reader(io.StringIO(text), delimiter=separator) if row), [])
    except csv.Error as error:
        raise SourceError(f"{file_name}: the first row cannot be read as CSV") from error


def _misspelt(file_name: str, encoding: str) -> SourceError:
    return SourceError(f"{file_name} is not written in {encoding}; name its encoding, gb18030 for example")
