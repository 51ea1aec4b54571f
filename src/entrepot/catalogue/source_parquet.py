"""Parquet files, whoever wrote them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from entrepot.catalogue.errors import SourceError
from entrepot.catalogue.source_file import opened
from entrepot.catalogue.source_table import BATCH, Batches, Table, table_of
from entrepot.catalogue.source_types import Arrow


@contextmanager
def open_parquet(path: Path) -> Iterator[Table]:
    with opened(path) as file:
        try:
            parquet = pyarrow.parquet.ParquetFile(file)
            table = table_of(parquet.schema_arrow, _batches(parquet, path.name))
        except (pa.ArrowException, OSError, UnicodeError) as error:
            raise SourceError(f"{path.name} is no Parquet file, or a broken one") from error
        yield table


def _batches(parquet: Arrow, file_name: str) -> Batches:
    try:
        for batch in parquet.iter_batches(BATCH, use_threads=False):
            batch.validate(full=True)  # Arrow takes any bytes for text until somebody looks
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{file_name} is broken: not all of it can be read") from error
