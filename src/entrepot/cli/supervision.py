"""What a supervisor does: read the register, order a stop, see who obeyed, ask for openings."""

from pathlib import Path
from typing import Final

from cyclopts import App

from entrepot.cli.options import HERE, Json, Node, client, quoted
from entrepot.cli.output import Exit, show, table
from entrepot.values import MalformedError

register: Final = App(name="register", help="The register of contracts (regulator).")
openings: Final = App(
    name="openings", help="What the records behind the ledger say (regulator, and who was asked)."
)


@register.command(name="list")
def list_register(*, node: Node = HERE, json: Json = False) -> int:
    """List every contract of the space. The platform writes down that you have looked.

    Example: entrepot register list --node regulator
    """
    rows = client(node).get("/owner/register")
    columns = ("contract", "parties", "product", "state", "filed_at", "end_reason")
    show(rows, as_json=json, text=table(rows, columns, "No contract was filed yet."))
    return Exit.DONE


@register.command
def stop(contract: str, *, why: str, node: Node = HERE, json: Json = False) -> int:
    """Order that nothing is done under a contract any more. Both parties must acknowledge it.

    Example: entrepot register stop 1491... --why "complaint 17" --node regulator

    Args:
        contract: The contract's id, as the register shows it.
        why: The reason, which both parties are told.
    """
    found = client(node).post(f"/owner/register/{quoted(contract)}/stop", {"why": why})
    text = f"order {found['order']}\nWho has acknowledged it: entrepot register order {found['order']}"
    show(found, as_json=json, text=text)
    return Exit.DONE


@register.command
def order(order_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Say who has acknowledged a stop order, and when.

    Example: entrepot register order urn:uuid:... --node regulator
    """
    rows = client(node).get(f"/owner/orders/{quoted(order_id)}")
    show(rows, as_json=json, text=table(rows, ("party", "acknowledgedAt"), "Nobody was told yet."))
    return Exit.DONE


@openings.command
def ask(
    contract: str,
    party: str,
    *,
    why: str,
    use: str = "",
    folder: Path | None = None,
    node: Node = HERE,
    json: Json = False,
) -> int:
    """Ask a party which uses there were under a contract, or for the evidence of one of them.

    Both sides write the request down.

    Example: entrepot openings ask 1491... did:web:clinic.example --why "complaint 17" --node regulator

    Args:
        contract: The contract's id.
        party: Whom to ask.
        why: The reason, which the party is told.
        use: One use, whose evidence package is written into `--folder`.
        folder: New folder for the evidence package.
    """
    import json as format_json

    from entrepot.oversight import unpack, write_folder

    if bool(use) != (folder is not None):
        raise MalformedError("--use and --folder go together")
    body = {"contract": contract, "party": party, "why": why, "use": use}
    raw = client(node).post_raw("/owner/openings", body)
    if folder is None:
        rows = format_json.loads(raw)["uses"]
        text = table(rows, ("use", "begun", "last", "outcome"), "Nothing was used under this contract.")
        show(rows, as_json=json, text=text)
        return Exit.DONE
    if folder.exists():
        raise MalformedError(f"{folder} exists and is not written over")
    files = unpack(raw)
    write_folder(files, folder)
    show({"folder": str(folder), "files": sorted(files)}, as_json=json, text=f"{folder}: {len(files)} files")
    return Exit.DONE


@openings.command(name="list")
def list_openings(*, node: Node = HERE, json: Json = False) -> int:
    """List who has asked for openings here, and why.

    Example: entrepot openings list --node clinic
    """
    rows = client(node).get("/owner/openings")
    columns = ("askedAt", "supervisor", "party", "contract", "use", "why")
    show(rows, as_json=json, text=table(rows, columns, "Nobody has asked."))
    return Exit.DONE
