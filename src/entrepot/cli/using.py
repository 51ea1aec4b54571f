"""From a product to its data, and what was used of ours."""

import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from entrepot.cli.options import HERE, Json, Limit, Node, client, quoted
from entrepot.cli.output import Exit, called, say, show, table
from entrepot.values import MalformedError


def use(
    product_id: str,
    target: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    *,
    purpose: str | None = None,
    agreement: str | None = None,
    provider: str | None = None,
    sql: str | None = None,
    get: str | None = None,
    push: Annotated[bool, Parameter(negative="")] = False,
    wait: Annotated[bool, Parameter(negative="")] = False,
    patience: float = 60.0,
    node: Node = HERE,
    json: Json = False,
) -> int:
    """Get from a product to its data: look it up, sign a contract, open it, fetch it, acknowledge it.

    Where a person must approve, the command says who and leaves with code 6; `--wait` waits instead. An
    acquisition goes on in the node whether the command waits or not.

    A product that is used by query takes its question with `--sql`; one with an open API, what is asked
    with `--get`: `openapi.json` describes it and costs nothing. The answer is written to the target, which
    may be `-`. A delivery is fetched; with `--push` the provider sends it here instead.

    Example: entrepot use 6913...X data.csv --purpose research --node lab
    Example: entrepot use 6913...Q - --sql "SELECT arms, count(*) FROM t GROUP BY arms" --node lab

    Args:
        product_id: The product's code, as the catalogue shows it.
        target: File to be written, or `-` to print the answer.
        purpose: What it is used for; the agreement's purpose if not given.
        agreement: Use this contract and no other; else one in force is found, or a new one is made.
        provider: Ask this party for it (a DID), though it may be no member of the space.
        sql: A query to be run in place, by the provider.
        get: What is asked of an open API: path and parameters, such as "items?limit=10".
        push: Have the provider send a delivery to this node, which others must be able to reach.
        wait: Wait for a person as long as it takes.
        patience: Seconds after which one who must approve is taken to be a person.
    """
    import tempfile

    owner = client(node)
    body = _wanted(sql, get, push=push) | {"product": product_id, "purpose": purpose, "agreement": agreement}
    body |= {} if provider is None else {"provider": provider}
    with tempfile.TemporaryDirectory() as folder:
        printed = str(target) == "-"
        file = Path(folder) / "answer" if printed else target.resolve()
        begun = owner.post("/owner/uses", body | {"target": str(file)})
        found = _follow(owner, begun, wait=wait, patience=patience)
        if found["state"] == "received":
            told = f"use {found['use']}" if found["use"] else "no use: the door tells this of itself"
            text = f"{found['path']}  {found['digest']}\n{told}"
            show(found, as_json=json, text=file.read_text("utf-8").rstrip("\n") if printed else text)
            return Exit.DONE
    if found["state"] == "failed":
        show(found, as_json=json, text=f"refused: {found['problem']}")
        return Exit.REFUSED
    show(found, as_json=json, text=f"waits for {found['waitingFor']}; it goes on by itself")
    return Exit.WAITS


def _wanted(sql: str | None, get: str | None, *, push: bool) -> dict[str, str]:
    """In which format a product is used, and what is asked there."""
    import json as format_json

    if (sql is not None) + (get is not None) + push > 1:
        raise MalformedError(
            "--sql asks a query, --get an open API, --push has a delivery sent: give one of them"
        )
    if push:
        return {"format": "HttpData-PUSH"}
    if sql is not None:
        return {"format": "EntrepotQuery-PULL", "body": format_json.dumps({"sql": sql}, ensure_ascii=False)}
    if get is not None:
        return {"format": "EntrepotApi-PULL", "below": get}
    return {}


def _follow(owner: Any, begun: dict[str, Any], *, wait: bool, patience: float) -> dict[str, Any]:  # noqa: ANN401
    """Show how an acquisition goes on, until it is over or waits for a person."""
    from entrepot.cli.client import is_terminal

    shown = ""
    since = time.monotonic()
    while True:
        found: dict[str, Any] = owner.get(f"/owner/acquisitions/{quoted(begun['id'])}")
        state = found["state"]
        line = state + (f", waiting for {found['waitingFor']}" if found["waitingFor"] else "")
        if state == "fetching" and found["size"]:
            line += f" {100 * found['received'] // found['size']} %"
        if line != shown:
            shown, since = line, time.monotonic()
            say(("\r\033[K" if is_terminal() else "") + line)
        if state in {"received", "failed"}:
            return found
        if not wait and found["waitingFor"] and time.monotonic() - since > patience:
            return found
        time.sleep(0.1)


def list_uses(
    *,
    since: str = "",
    consumer: str = "",
    product: str = "",
    limit: Limit = 0,
    node: Node = HERE,
    json: Json = False,
) -> int:
    """List what was used of what I offer: by whom, when, with which receipt. The newest come first.

    Example: entrepot uses --since today --node clinic

    Args:
        since: `today`, or a day or time such as 2026-11-25; times are UTC.
        consumer: Only uses of this party.
        product: Only uses of this product.
    """
    from datetime import UTC, datetime

    start = f"{datetime.now(UTC):%Y-%m-%d}" if since == "today" else since
    found = client(node).every("/owner/uses", "uses", limit, lambda use: use["openedAt"] < start)
    rows = [
        u
        for u in found
        if u["openedAt"] >= start and consumer in {"", u["consumer"]} and product in {"", u["product"]}
    ]
    columns = ("openedAt", "use", "consumer", "title", "state", "outcome", "receipt")
    show(rows, as_json=json, text=table(called(rows), columns, "Nothing was used yet."))
    return Exit.DONE
