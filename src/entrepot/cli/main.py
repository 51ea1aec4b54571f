"""The command line: `entrepot <noun> <verb>`, save init, run, doctor, use and uses.

Every command takes `--json`, and `--node FOLDER` where it speaks to a node (the current folder where it
is not given). Exit codes are those of `output.Exit`. A file a subject; here are the commands of the node
itself.
"""

from pathlib import Path
from typing import Final

from cyclopts import App

from entrepot.cli import (
    credentials,
    duties,
    keeping,
    members,
    negotiations,
    planes,
    processes,
    products,
    promises,
    proof,
    sources,
    supervision,
    using,
)
from entrepot.cli.options import HERE, Json, Node
from entrepot.cli.output import Exit, show
from entrepot.cli.running import run_node
from entrepot.values import MalformedError

app: Final = App(
    name="entrepot",
    help="A trusted data space that organisations run themselves.",
    version_flags=[],
)
app.command(using.use)
app.command(using.list_uses, name="uses")
for group in (
    members.member,
    credentials.credential,
    products.product,
    sources.source,
    promises.contract,
    negotiations.negotiation,
    processes.process,
    planes.dataplane,
    promises.policy,
    duties.duty,
    proof.evidence,
    proof.record,
    proof.ledger,
    supervision.register,
    supervision.openings,
):
    app.command(group)
keeping.register(app)


@app.command
def init(
    folder: Path,
    *,
    role: str,
    name: str,
    code: str,
    listen: str,
    owner: str,
    url: str = "",
    region: str = "3101",
    space: str = "",
    invitation: Path | None = None,
    database: str = "sqlite:///node.db",
    json: Json = False,
) -> int:
    """Make a node from nothing: settings, keys, database.

    An operator needs `--space`, everybody else `--invitation`. The passphrase of the keys is read from
    ENTREPOT_PASSPHRASE.

    Example: entrepot init clinic --role connector --name "City Clinic" --code 91350100M000100Y43
    --listen 127.0.0.1:9011 --owner 127.0.0.1:9012 --invitation clinic.json

    Args:
        folder: Where the node lives; it must not exist or be empty.
        role: operator, connector or observer.
        name: Name of the organisation.
        code: Its unified social credit code.
        listen: Host and port for other nodes.
        owner: Host and port for the owner, on loopback.
        url: How others reach the node; http://LISTEN if not given.
        region: Region of GB/T 2260, four digits.
        space: Name of the space that an operator founds.
        invitation: File that the operator gave you.
        database: Where its records go: a file in its folder, or postgresql://USER@HOST/NAME.
    """
    import os

    from entrepot.node import making
    from entrepot.node.settings import Listen, Party, Role
    from entrepot.values import system_clock

    passphrase = os.environ.get(making.PASSPHRASE, "")
    where = Listen(public=listen, owner=owner, url=url or f"http://{listen}")
    party = Party(name=name, subject_code=code, region=region)
    if role == "operator":
        if not space:
            raise MalformedError("an operator founds a space: give its name with --space")
        made = making.make_operator(
            folder,
            name=space,
            party=party,
            listen=where,
            place=region,
            passphrase=passphrase,
            clock=system_clock,
            database=database,
        )
    elif role in {"connector", "observer"}:
        if invitation is None:
            raise MalformedError("joining a space needs --invitation FILE from its operator")
        made = making.make_member(
            folder,
            role=Role(role),
            invitation=making.read_invitation(invitation),
            party=party,
            listen=where,
            passphrase=passphrase,
            database=database,
        )
    else:
        raise MalformedError(f"expected role operator, connector or observer, got {role!r}")
    answer = {"folder": str(folder), "did": made.settings.did}
    text = f"{made.settings.did}\nThe node is in {folder}; start it with: entrepot run --node {folder}"
    if made.witness_key:
        answer |= {"witnessKey": made.witness_key, "witnessUrl": made.witness_url}
        text += f"\nWitness key: {made.witness_key}\nWitness URL: {made.witness_url}"
    show(answer, as_json=json, text=text)
    return Exit.DONE


@app.command
def run(*, node: Node = HERE) -> int:
    """Run the node in a folder until it is stopped.

    Example: entrepot run --node clinic
    """
    return run_node(node)


@app.command
def doctor(*, node: Node = HERE, json: Json = False) -> int:
    """Say what is wrong with a node: settings, keys, schema, clock, peers.

    Example: entrepot doctor --node clinic
    """
    from entrepot.node.doctor import examine

    findings = examine(node.resolve())
    lines = [f"{'ok' if f.ok else 'WRONG':6}{f.what}: {f.detail}" for f in findings]
    lines += [f"      {f.remedy}" for f in findings if not f.ok and f.remedy]
    answer = [{"what": f.what, "ok": f.ok, "detail": f.detail, "remedy": f.remedy} for f in findings]
    show(answer, as_json=json, text="\n".join(lines))
    return Exit.DONE if all(f.ok for f in findings) else Exit.FAULT
