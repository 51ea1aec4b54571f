"""Negotiations: asking, offering, answering, and what waits for a person."""

from pathlib import Path
from typing import Any, Final

from cyclopts import App

from entrepot.cli.options import HERE, Json, Limit, Node, client, quoted, read_object
from entrepot.cli.output import Exit, called, show, table

negotiation: Final = App(name="negotiation", help="What is being negotiated, and what waits for me.")


@negotiation.command(name="list")
def list_negotiations(*, limit: Limit = 0, node: Node = HERE, json: Json = False) -> int:
    """List negotiations, the newest first, and which of them wait for me.

    Example: entrepot negotiation list --node clinic
    """
    rows = client(node).every("/owner/negotiations", "negotiations", limit)
    columns = ("id", "as", "with", "title", "state", "waitsForYou", "problem")
    show(rows, as_json=json, text=table(called(rows), columns, "Nothing is being negotiated."))
    return Exit.DONE


@negotiation.command(name="show")
def show_one(negotiation_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Show a negotiation: the terms on the table, and every version before.

    Example: entrepot negotiation show urn:uuid:... --node clinic
    """
    found = client(node).get(f"/owner/negotiations/{quoted(negotiation_id)}")
    lines = [f"{found['product']}, with {found['with']}: {found['state']}", found["problem"]]
    lines += ["waits for you"] if found["waitsForYou"] else []
    lines += ["on the table:", *(f"  {line}" for line in found["table"]["text"]["en"])]
    for version in found["versions"]:
        lines += [f"version {version['number']}, by the {version['by']} at {version['at']}:"]
        lines += [f"  {line}" for line in version["text"]["en"]]
    show(found, as_json=json, text="\n".join(line for line in lines if line))
    return Exit.DONE


@negotiation.command
def ask(product_id: str, terms: Path, *, node: Node = HERE, json: Json = False) -> int:
    """Ask a provider for a contract on my terms. Where they are not its own, a person there decides.

    The terms are a policy in JSON, as `entrepot product offer` takes it.

    Example: entrepot negotiation ask 6913...X five-uses.json --node lab

    Args:
        product_id: The product's code, as the catalogue shows it.
        terms: File with the policy.
    """
    body = {"product": product_id, "policy": read_object(terms)}
    return _begun(client(node).post("/owner/negotiations", body), as_json=json)


@negotiation.command
def offer(
    consumer: str, product_id: str, terms: Path | None = None, *, node: Node = HERE, json: Json = False
) -> int:
    """Offer a consumer of my choice a contract over a product of mine, unasked. A person there decides.

    Example: entrepot negotiation offer did:web:lab.example 6913...X three-uses.json --node clinic

    Args:
        consumer: DID of the consumer.
        product_id: A product that I offer.
        terms: File with the policy; the product's usual terms if not given.
    """
    body: dict[str, Any] = {"consumer": consumer, "product": product_id}
    if terms is not None:
        body["policy"] = read_object(terms)
    return _begun(client(node).post("/owner/offers", body), as_json=json)


def _begun(found: dict[str, Any], *, as_json: bool) -> int:
    show(
        found,
        as_json=as_json,
        text=f"{found['id']}: sent; `entrepot negotiation list` shows what comes of it",
    )
    return Exit.DONE


@negotiation.command
def counter(negotiation_id: str, terms: Path, *, node: Node = HERE, json: Json = False) -> int:
    """Answer the offer on the table with other terms.

    Example: entrepot negotiation counter urn:uuid:... two-uses.json --node clinic

    Args:
        negotiation_id: The negotiation, as `negotiation list` shows it.
        terms: File with the policy.
    """
    body = {"policy": read_object(terms)}
    found = client(node).post(f"/owner/negotiations/{quoted(negotiation_id)}/counter", body)
    show(found, as_json=json, text=f"{negotiation_id}: {found['state']}")
    return Exit.DONE


@negotiation.command
def approve(negotiation_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Agree to the offer on the table.

    Example: entrepot negotiation approve urn:uuid:... --node clinic
    """
    found = client(node).post(f"/owner/negotiations/{quoted(negotiation_id)}/approve")
    show(found, as_json=json, text=f"{negotiation_id}: {found['state']}")
    return Exit.DONE


@negotiation.command
def reject(negotiation_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Say no to the offer on the table.

    Example: entrepot negotiation reject urn:uuid:... --node clinic
    """
    found = client(node).post(f"/owner/negotiations/{quoted(negotiation_id)}/reject")
    show(found, as_json=json, text=f"{negotiation_id}: {found['state']}")
    return Exit.DONE
