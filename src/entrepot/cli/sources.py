"""Sources: tables and services that products are made of, and the secrets that let us in there."""

import sys
from pathlib import Path
from typing import Any, Final

from cyclopts import App

from entrepot.cli.options import HERE, Json, Node, client, quoted
from entrepot.cli.output import Exit, show, table
from entrepot.values import MalformedError

ATTACH_SECONDS: Final = 3_600.0

source: Final = App(name="source", help="Tables and services that products are made of.")


@source.command
def attach(
    kind: str,
    where: str,
    *,
    table: str = "",
    secret: str = "",
    encoding: str = "utf-8",
    path: list[str] | None = None,
    parameter: list[str] | None = None,
    sensitive: list[str] | None = None,
    node: Node = HERE,
    json: Json = False,
) -> int:
    """Attach a source, and look at what stands in it before it is offered.

    A table is read into a file of the node's own; a later change of the source is another resource.

    Example: entrepot source attach postgresql postgresql://reader@db/weather --table days --secret db

    Args:
        kind: csv, parquet, sqlite, postgresql or http.
        where: A file, or an address without a password in it.
        table: The table or view of a database.
        secret: Name of the secret that lets us in; `entrepot source secret` keeps it.
        encoding: How a CSV file is written, such as gb18030.
        path: A path of a service that may be asked for; may be given several times.
        parameter: A parameter that may be sent to a service; may be given several times.
        sensitive: A column of which no value is to be shown; may be given several times.
    """
    is_address = kind in {"postgresql", "http"}
    owner = client(node)
    owner.patience = ATTACH_SECONDS
    found = owner.post(
        "/owner/sources",
        {
            "kind": kind,
            "where": where if is_address else str(Path(where).resolve()),
            "table": table,
            "secret": secret,
            "encoding": encoding,
            "paths": path or [],
            "parameters": parameter or [],
            "sensitive": sensitive or [],
        },
    )
    show(found, as_json=json, text=_described(found))
    return Exit.DONE


@source.command(name="show")
def show_resource(
    resource: str, *, sensitive: list[str] | None = None, node: Node = HERE, json: Json = False
) -> int:
    """Look again at what stands in a resource.

    Example: entrepot source show resource-05d8... --node institute

    Args:
        resource: As `source attach` named it.
        sensitive: A column of which no value is to be shown; may be given several times.
    """
    hidden = "?sensitive=" + quoted(",".join(sensitive)) if sensitive else ""
    found = client(node).get(f"/owner/resources/{quoted(resource)}{hidden}")
    show(found, as_json=json, text=_described(found))
    return Exit.DONE


@source.command
def secret(name: str, *, file: Path | None = None, node: Node = HERE, json: Json = False) -> int:
    """Keep what lets us in at a source, sealed by the node's vault. It is read from standard input or a file.

    Example: entrepot source secret db --file password.txt --node institute

    Args:
        name: The name by which sources refer to it.
        file: The file that holds it; standard input where none is given.
    """
    try:
        value = (sys.stdin.read() if file is None else file.read_text("utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedError(f"the secret cannot be read: {type(error).__name__}") from error
    if not value:
        raise MalformedError("the secret is empty")
    kept = client(node).post("/owner/secrets", {"name": name, "value": value})
    show(kept, as_json=json, text=f"{name} is kept, sealed")
    return Exit.DONE


def _described(found: dict[str, Any]) -> str:
    lines = [f"{found['resource']}  {found['mediaType']}, {found['size']:,} bytes"]
    if "columns" not in found:
        return lines[0]
    names = [column["name"] for column in found["columns"]]
    columns = [{k: "" if v is None else v for k, v in column.items()} for column in found["columns"]]
    first = [
        {name: "" if value is None else value for name, value in zip(names, row, strict=True)}
        for row in found["preview"][:5]
    ]
    return "\n".join(
        [
            *lines,
            f"{found['rows']:,} rows",
            "",
            table(columns, ("name", "type", "nulls", "distinct", "least", "greatest"), ""),
            "",
            table(first, names, ""),
        ]
    )
