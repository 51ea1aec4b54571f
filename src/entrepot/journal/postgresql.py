"""What is PostgreSQL's own in a schema, said without its dialect: a node on SQLite does not load that."""

from typing import Any, Final

from sqlalchemy.types import UserDefinedType

from entrepot.journal.database import metadata

_OPTIONS: Final = "postgresql"


def postgresql(**options: object) -> dict[str, object]:
    """Options of an `Index`, such as `using="gin"`, to be given to it as `info`."""
    return {_OPTIONS: {f"postgresql_{name}": value for name, value in options.items()}}


def complete_indexes() -> None:
    """Give the declared indexes their options of PostgreSQL, before a schema is made or compared."""
    for table in metadata.tables.values():
        for index in table.indexes:
            index.kwargs.update(index.info.get(_OPTIONS, {}))


class PostgresqlType(UserDefinedType[Any]):
    """A type of PostgreSQL's by its name; values go there and come back as the driver has them."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_options: object) -> str:
        return self.name
