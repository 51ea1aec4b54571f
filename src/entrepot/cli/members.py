"""Members of the space: who is invited, admitted, shut out (operator)."""

from pathlib import Path
from typing import Final

from cyclopts import App

from entrepot.cli.options import HERE, Json, Node, client, quoted
from entrepot.cli.output import Exit, show, table

member: Final = App(name="member", help="Who takes part (operator).")


@member.command
def invite(file: Path, *, role: list[str], days: float = 7.0, node: Node = HERE, json: Json = False) -> int:
    """Write an invitation that one applicant may use once.

    Example: entrepot member invite clinic.json --role provider --node operator

    Args:
        file: Where the invitation is written.
        role: provider, consumer, service or regulator; may be given several times.
        days: How long it holds.
    """
    import json as format_json

    found = client(node).post("/owner/invitations", {"roles": role, "days": days})
    file.write_text(format_json.dumps(found, ensure_ascii=False, indent=2), "utf-8")
    file.chmod(0o600)
    show(
        {"file": str(file)}, as_json=json, text=f"{file}: hand it to the one who is invited, and nobody else"
    )
    return Exit.DONE


@member.command(name="list")
def list_members(*, node: Node = HERE, json: Json = False) -> int:
    """List members and applicants.

    Example: entrepot member list --node operator
    """
    rows = client(node).get("/owner/members")
    columns = ("did", "name", "roles", "state", "connectorCode", "problem")
    show(rows, as_json=json, text=table(rows, columns, "Nobody has applied; `entrepot member invite`."))
    return Exit.DONE


@member.command
def admit(did: str, *, node: Node = HERE, json: Json = False) -> int:
    """Admit an applicant; it is a member once the ledger has it.

    Example: entrepot member admit did:web:clinic.example --node operator
    """
    found = client(node).post(f"/owner/members/{quoted(did)}/admit")
    show(found, as_json=json, text=f"{did}: {found['state']}")
    return Exit.DONE


@member.command
def revoke(did: str, *, reason: str = "breach", node: Node = HERE, json: Json = False) -> int:
    """Shut a member out for ever.

    Example: entrepot member revoke did:web:lab.example --reason breach --node operator

    Args:
        did: Whom.
        reason: withdrawal, breach or order.
    """
    found = client(node).post(f"/owner/members/{quoted(did)}/revoke", {"reason": reason})
    show(found, as_json=json, text=f"{did}: {found['state']}")
    return Exit.DONE


@member.command
def decline(did: str, *, why: str = "", node: Node = HERE, json: Json = False) -> int:
    """Say no to an applicant.

    Example: entrepot member decline did:web:clinic.example --node operator

    Args:
        did: Whom.
        why: Words for your own book; the applicant is not told them.
    """
    found = client(node).post(f"/owner/members/{quoted(did)}/decline", {"why": why})
    show(found, as_json=json, text=f"{did}: {found['state']}")
    return Exit.DONE


@member.command
def suspend(did: str, *, why: str = "", node: Node = HERE, json: Json = False) -> int:
    """Shut a member out until it is resumed.

    Example: entrepot member suspend did:web:lab.example --why "audit under way" --node operator

    Args:
        did: Whom.
        why: Words for your own book; the member is not told them.
    """
    found = client(node).post(f"/owner/members/{quoted(did)}/suspend", {"why": why})
    show(found, as_json=json, text=f"{did}: {found['state']}")
    return Exit.DONE


@member.command
def resume(did: str, *, node: Node = HERE, json: Json = False) -> int:
    """Let a suspended member take part again; it gets a new credential.

    Example: entrepot member resume did:web:lab.example --node operator
    """
    found = client(node).post(f"/owner/members/{quoted(did)}/resume")
    show(found, as_json=json, text=f"{did}: {found['state']}")
    return Exit.DONE
