"""Opening the table of a source: which of its kinds is read by what."""

from contextlib import AbstractContextManager
from pathlib import Path

from entrepot.catalogue.errors import SourceError
from entrepot.catalogue.source import Source, SourceKind
from entrepot.catalogue.source_table import Table


def open_table(source: Source, password: str = "") -> AbstractContextManager[Table]:
    """Open the table of a source. **Slow: never on the event loop or in the writer.**"""
    match source.kind:
        case SourceKind.CSV:
            from entrepot.catalogue.source_csv import open_csv

            return open_csv(Path(source.where), source.encoding)
        case SourceKind.PARQUET:
            from entrepot.catalogue.source_parquet import open_parquet

            return open_parquet(Path(source.where))
        case SourceKind.SQLITE:
            from entrepot.catalogue.source_sqlite import open_sqlite

            return open_sqlite(Path(source.where), source.table)
        case SourceKind.POSTGRESQL:
            from entrepot.catalogue.source_postgresql import open_postgresql

            return open_postgresql(source.where, source.table, password)
        case SourceKind.HTTP:
            raise SourceError("a live service has no table")
