"""Contracts, and what their policies would allow."""

from typing import Any, Final

from cyclopts import App

from entrepot.cli.options import HERE, Json, Limit, Node, client, quoted
from entrepot.cli.output import Exit, called, show, table

contract: Final = App(name="contract", help="What was promised.")
policy: Final = App(name="policy", help="What would be allowed.")


@contract.command(name="list")
def list_contracts(*, limit: Limit = 0, node: Node = HERE, json: Json = False) -> int:
    """List my contracts, the newest first: what is left under each, and until when it holds.

    Example: entrepot contract list --node clinic
    """
    rows = client(node).every("/owner/contracts", "contracts", limit)
    shown = [c | {"left": _left(c), "until": c.get("endsAt") or ""} for c in called(rows)]
    columns = ("contract", "as", "with", "title", "status", "inForce", "left", "until")
    text = table(shown, columns, "There is no contract yet; `entrepot use` makes one.")
    show(rows, as_json=json, text=text)
    return Exit.DONE


def _left(found: dict[str, Any]) -> str:
    """What is left, in few words: `3 of 5`, `8 of 10 an hour`."""
    per = {"total": "", "minute": " a minute", "hour": " an hour", "day": " a day"}
    return ", ".join(
        f"{x['left']} of {x['limit']}{per.get(x['per'], ' ' + x['per'])}" for x in found.get("left", [])
    )


@contract.command
def stop(agreement: str, *, reason: str = "agreement", node: Node = HERE, json: Json = False) -> int:
    """End a contract: nothing begins under it from now on, and what runs is cut.

    Example: entrepot contract stop 1491... --reason breach --node clinic

    Args:
        agreement: The agreement's id.
        reason: agreement or breach.
    """
    found = client(node).post(f"/owner/contracts/{quoted(agreement)}/end", {"reason": reason})
    show(found, as_json=json, text=f"{agreement}: ended ({found['ended']})")
    return Exit.DONE


@contract.command
def requests(*, node: Node = HERE, json: Json = False) -> int:
    """List what I am asked to sign as service party, and what waits for me.

    Example: entrepot contract requests --node algorithms
    """
    rows = client(node).get("/owner/requests")
    columns = ("id", "provider", "consumer", "title", "algorithms", "state", "waitsForYou", "until")
    shown = [r | {"algorithms": ", ".join(r["algorithms"])} for r in called(rows)]
    show(rows, as_json=json, text=table(shown, columns, "Nobody has asked for my signature."))
    return Exit.DONE


@contract.command
def sign(request: str, *, node: Node = HERE, json: Json = False) -> int:
    """Sign a contract as service party; its provider files it when all have signed.

    Example: entrepot contract sign 5f70bf18... --node algorithms
    """
    found = client(node).post(f"/owner/requests/{quoted(request)}/sign")
    show(found, as_json=json, text=f"{found['contract']}: {found['state']}")
    return Exit.DONE


@contract.command
def decline(request: str, *, why: str, node: Node = HERE, json: Json = False) -> int:
    """Refuse to sign as service party: the negotiation ends, and its parties are told why.

    Example: entrepot contract decline 5f70bf18... --why "not for this purpose" --node algorithms

    Args:
        request: The request's id.
        why: The reason, without personal data.
    """
    found = client(node).post(f"/owner/requests/{quoted(request)}/refuse", {"reason": why})
    show(found, as_json=json, text=f"{found['contract']}: {found['state']}")
    return Exit.DONE


@policy.command
def explain(
    agreement: str,
    *,
    purpose: str | None = None,
    kind: str = "delivery",
    node: Node = HERE,
    json: Json = False,
) -> int:
    """Say whether a use would be allowed and why, without spending it.

    Example: entrepot policy explain 1491... --purpose research --node lab

    Args:
        agreement: The agreement's id.
        purpose: What it would be used for.
        kind: api, delivery, query, job or joint.
    """
    body = {"agreement": agreement, "purpose": purpose, "kind": kind}
    found = client(node).post("/owner/policy/explain", body)
    lines = ["allowed" if found["allowed"] else "not allowed", *(f"  {r}" for r in found["reasons"]), ""]
    columns = ("path", "asked", "found", "source", "verdict")
    lines += [table(found["report"], columns, "The policy compares nothing."), "", *found["text"]["en"]]
    lines += ["", *found["assured"]["en"]]
    show(found, as_json=json, text="\n".join(lines))
    return Exit.DONE if found["allowed"] else Exit.REFUSED
