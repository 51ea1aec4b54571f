"""Duties: what is owed under contracts, and writing down that it was done."""

from typing import Final

from cyclopts import App

from entrepot.cli.options import HERE, Json, Node, client, quoted
from entrepot.cli.output import Exit, show, table

duty: Final = App(name="duty", help="What is owed under contracts, and what was done.")

_COLUMNS: Final = ("duty", "state", "dueAt", "use", "performedAt")


@duty.command(name="list")
def list_duties(agreement: str | None = None, *, node: Node = HERE, json: Json = False) -> int:
    """List what is due or overdue; of one contract also what is owed first and what was done.

    Example: entrepot duty list 1491... --node lab

    Args:
        agreement: The agreement's id.
    """
    path = "/owner/duties" if agreement is None else f"/owner/contracts/{quoted(agreement)}/duties"
    rows = client(node).get(path)
    show(rows, as_json=json, text=table(rows, _COLUMNS, "Nothing is owed."))
    return Exit.DONE


@duty.command
def done(agreement: str, name: str, *, use: str | None = None, node: Node = HERE, json: Json = False) -> int:
    """Write down that a duty was performed. As consumer this signs a notice and sends it to the provider.

    Example: entrepot duty done 1491... "delete within P30D" --node lab

    Args:
        agreement: The agreement's id.
        name: The duty as `entrepot duty list` names it.
        use: The use after which it fell due; the earliest where it is not named.
    """
    body = {"duty": name, "use": use}
    found = client(node).post(f"/owner/contracts/{quoted(agreement)}/duties", body)
    show(found, as_json=json, text=f"{found['duty']}: {found['state']}")
    return Exit.DONE


@duty.command
def paid(agreement: str, amount: str, *, node: Node = HERE, json: Json = False) -> int:
    """Write down that the consumer has paid, as the provider who was paid.

    Example: entrepot duty paid 1491... "100.00 CNY" --node clinic

    Args:
        agreement: The agreement's id.
        amount: The amount, such as "100.00 CNY" or "100 JPY".
    """
    found = client(node).post(f"/owner/contracts/{quoted(agreement)}/payments", {"amount": amount})
    show(found, as_json=json, text=f"{found['duty']}: {found['state']}")
    return Exit.DONE
