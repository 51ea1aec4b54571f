"""Credentials of my own: held, asked for, offered; and clients that may have tokens made in my name."""

from typing import Any, Final

from cyclopts import App

from entrepot.cli.options import HERE, Json, Node, client, quoted
from entrepot.cli.output import Exit, show, table

credential: Final = App(name="credential", help="What issuers say of me, and who may show it.")


@credential.command(name="list")
def list_credentials(*, node: Node = HERE, json: Json = False) -> int:
    """List the credentials that I hold, and whether they hold now.

    Example: entrepot credential list --node clinic
    """
    rows = client(node).get("/owner/credentials")
    columns = ("credential", "types", "issuer", "form", "validUntil", "holds")
    text = table(rows, columns, "None yet; `entrepot credential request` asks an issuer.")
    show(rows, as_json=json, text=text)
    return Exit.DONE


@credential.command
def drop(name: str, *, node: Node = HERE, json: Json = False) -> int:
    """Hold a credential no longer.

    Example: entrepot credential drop 5f0c... --node clinic

    Args:
        name: What `credential list` calls it.
    """
    found = client(node).post(f"/owner/credentials/{quoted(name)}/drop")
    show(found, as_json=json, text=f"{name} is dropped and shown to nobody any more")
    return Exit.DONE


@credential.command
def request(
    kind: list[str] | None = None,
    *,
    issuer: str = "",
    form: str = "vc20",
    offer: str = "",
    node: Node = HERE,
    json: Json = False,
) -> int:
    """Ask an issuer for credentials. It brings them when it has decided; `credential requests` tells.

    Example: entrepot credential request MembershipCredential --form vc11 --node clinic

    Args:
        kind: Types of credentials, as the issuer's metadata names them.
        issuer: Its DID; the platform of the space if not given.
        form: vc20 or vc11, the two forms of the Decentralized Claims Protocol.
        offer: Instead of all these, an offer that `credential offers` lists.
    """
    body = {"issuer": issuer, "types": kind or [], "form": form, "offer": offer}
    found = client(node).post("/owner/credential-requests", body)
    show(found, as_json=json, text=f"{found['request']}: {found['state']}")
    return Exit.DONE


@credential.command
def requests(*, node: Node = HERE, json: Json = False) -> int:
    """List what I have asked issuers for, and how far it is.

    Example: entrepot credential requests --node clinic
    """
    rows = client(node).get("/owner/credential-requests")
    shown = [{**row, "types": _types(row)} for row in rows]
    columns = ("request", "types", "issuer", "state", "reason")
    show(rows, as_json=json, text=table(shown, columns, "Nothing was asked for."))
    return Exit.DONE


@credential.command
def offers(*, node: Node = HERE, json: Json = False) -> int:
    """List what issuers have offered me.

    Example: entrepot credential offers --node clinic
    """
    rows = client(node).get("/owner/credential-offers")
    shown = [{**row, "types": _types(row)} for row in rows]
    show(rows, as_json=json, text=table(shown, ("offer", "types", "issuer"), "Nothing was offered."))
    return Exit.DONE


@credential.command(name="client")
def make_client(name: str, *, scope: list[str] | None = None, node: Node = HERE, json: Json = False) -> int:
    """Let software of mine have tokens made in my name; its secret is shown this once.

    Whoever has the secret acts as this node. The token service is closed while there is no client.

    Example: entrepot credential client warehouse --node clinic

    Args:
        name: What it is called here.
        scope: What its access tokens may grant; what the setting `wallet.shown` names if not given.
    """
    found = client(node).post("/owner/token-clients", {"name": name, "scopes": scope or []})
    lines = (f"client_id {found['name']}", f"client_secret {found['secret']}", "It is not shown again.")
    show(found, as_json=json, text="\n".join(lines))
    return Exit.DONE


@credential.command
def clients(*, node: Node = HERE, json: Json = False) -> int:
    """List the clients of the token service.

    Example: entrepot credential clients --node clinic
    """
    rows = client(node).get("/owner/token-clients")
    text = table(rows, ("name", "scopes", "madeAt"), "None: the token service is closed.")
    show(rows, as_json=json, text=text)
    return Exit.DONE


@credential.command
def close(name: str, *, node: Node = HERE, json: Json = False) -> int:
    """Make no more tokens for a client; those that it has end within minutes.

    Example: entrepot credential close warehouse --node clinic
    """
    found = client(node).post(f"/owner/token-clients/{quoted(name)}/close")
    show(found, as_json=json, text=f"{name} gets no more tokens")
    return Exit.DONE


def _types(row: dict[str, Any]) -> list[str]:
    return [kind["type"] or kind["id"] for kind in row["credentials"]]
