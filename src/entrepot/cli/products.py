"""Products: what I offer, what it was before, and what the space offers."""

from pathlib import Path
from typing import Final

from cyclopts import App

from entrepot.cli.options import HERE, Json, Node, client, quoted, read_object
from entrepot.cli.output import Exit, show, table
from entrepot.values import MalformedError

product: Final = App(name="product", help="What I offer, and what the space offers.")


@product.command
def offer(file: Path, description: Path, *, table: str = "", node: Node = HERE, json: Json = False) -> int:
    """Offer a file or a table as a product, as a description says.

    The description is JSON: id, title, description, rights, grade, kinds, policy, keywords, mediaType, and
    for a table that is queried in place its protection. What is offered as an open API or for queries is
    attached as a table: a CSV, Parquet or SQLite file. `entrepot source attach` attaches what lies elsewhere.

    Example: entrepot product offer cars.json cars.product.json --node institute

    Args:
        file: The file.
        description: What is said of it.
        table: Which table of a SQLite file.
    """
    owner = client(node)
    said = read_object(description)
    media_type = said.pop("mediaType", "application/octet-stream")
    if {"api", "query"} & {*said.get("kinds", [])}:
        source = {"kind": _source_kind(file), "where": str(file.resolve()), "table": table}
        attached = owner.post("/owner/sources", source)
    else:
        attached = owner.post("/owner/resources", {"path": str(file.resolve()), "media_type": media_type})
    found = owner.post("/owner/products", said | {"resource": attached["resource"]})
    lines = [f"{found['id']} version {found['version']}", *found["text"]["en"]]
    lines += [f"Over the same data, {t}" for t in found["tensions"]]
    show(found, as_json=json, text="\n".join(lines))
    return Exit.DONE


def _source_kind(file: Path) -> str:
    kinds = {".csv": "csv", ".parquet": "parquet", ".db": "sqlite", ".sqlite": "sqlite"}
    kind = kinds.get(file.suffix.lower())
    if kind is None:
        raise MalformedError(f"{file.name}: a table is a file that ends in {', '.join(kinds)}")
    return kind


@product.command(name="list")
def list_products(*, after: int = 0, limit: int = 100, node: Node = HERE, json: Json = False) -> int:
    """List what I offer, the newest first, a page at a time.

    Example: entrepot product list --node clinic

    Args:
        after: Where the page begins; an answer says where the next one does.
        limit: How many to show, at most 100.
    """
    found = client(node).get(f"/owner/products?after={after}&limit={limit}")
    text = table(found["products"], ("id", "title", "grade", "version"), "Nothing is on offer.")
    if found["nextAfter"] is not None:
        text += f"\n{found['total']} in all; the next page: --after {found['nextAfter']}"
    show(found, as_json=json, text=text)
    return Exit.DONE


@product.command(name="search")
def search_products(
    *words: str,
    grade: list[str] | None = None,
    kind: list[str] | None = None,
    provider: str = "",
    keyword: list[str] | None = None,
    media_type: str = "",
    since: str = "",
    until: str = "",
    offset: int = 0,
    limit: int = 20,
    node: Node = HERE,
    json: Json = False,
) -> int:
    """Find products of the space, in Chinese or English; without words, the newest first.

    Every word must be found, or one that means the same; where nothing has them all, what has most.

    Example: entrepot product search 空气质量 上海 --grade L1 --kind api --node lab

    Args:
        words: What is looked for in titles, keywords and descriptions.
        grade: L1 to L4 or important; may be given several times.
        kind: api, delivery, query, job or joint; may be given several times.
        provider: DID of the provider.
        keyword: A keyword that products must have; may be given several times.
        media_type: A media type, or a family such as "text/*".
        since: Published at or after this time, such as 2026-11-01T00:00:00Z.
        until: Published before this time.
        offset: How many to pass over; an answer says where the next page begins.
        limit: How many to show, at most 100.
    """
    from urllib.parse import urlencode

    several = {"grade": grade, "kind": kind, "keyword": keyword}
    query = {
        "words": " ".join(words),
        **{name: ",".join(values) for name, values in several.items() if values},
        "provider": provider,
        "mediaType": media_type,
        "since": since,
        "until": until,
        "offset": str(offset),
        "limit": str(limit),
    }
    path = "/owner/search?" + urlencode({k: v for k, v in query.items() if v})
    found = client(node).get(path)
    columns = ("id", "title", "grade", "kinds", "provider")
    text = table(found["products"], columns, "Nothing was found; try fewer words or filters.")
    if found["nextOffset"] is not None:
        text += f"\n{found['total']} in all; the next page: --offset {found['nextOffset']}"
    for refused in found["notAcceptable"]:
        text += f"\nNot acceptable here: {refused['id']}: {'; '.join(refused['reasons'])}"
    show(found, as_json=json, text=text)
    return Exit.DONE


@product.command(name="versions")
def list_versions(product_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """List every version of a product of mine.

    Example: entrepot product versions 6913...X --node clinic
    """
    rows = client(node).get(f"/owner/products/{quoted(product_id)}/versions")
    columns = ("version", "onOffer", "title", "publishedAt", "digest")
    show(rows, as_json=json, text=table(rows, columns, ""))
    return Exit.DONE


@product.command
def rollback(product_id: str, version: int, *, node: Node = HERE, json: Json = False) -> int:
    """Offer an older version's content again, as a new version.

    Example: entrepot product rollback 6913...X 2 --node clinic

    Args:
        product_id: The product's code.
        version: The version whose content is to be on offer.
    """
    found = client(node).post(f"/owner/products/{quoted(product_id)}/rollback", {"version": version})
    text = f"{product_id}: version {found['version']} is on offer, with the content of {version}"
    show(found, as_json=json, text=text)
    return Exit.DONE


@product.command
def withdraw(product_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Offer a product no longer; contracts in force go on.

    Example: entrepot product withdraw 6913...X --node clinic
    """
    found = client(node).post(f"/owner/products/{quoted(product_id)}/withdraw")
    show(found, as_json=json, text=f"{product_id}: not on offer")
    return Exit.DONE
