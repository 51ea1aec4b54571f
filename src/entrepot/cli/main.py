"""The command line: `entrepot <noun> <verb>`, save init, run, doctor and use.

Every command takes `--json`, and `--node FOLDER` where it speaks to a node (the current folder where it
is not given). Exit codes are those of `output.Exit`.
"""

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from entrepot.cli import keeping
from entrepot.cli.output import Exit, complain, say, show, table
from entrepot.values import EntrepotError, MalformedError

app: Final = App(
    name="entrepot",
    help="A trusted data space that organisations run themselves.",
    version_flags=[],
)
member: Final = App(name="member", help="Who takes part (operator).")
product: Final = App(name="product", help="What I offer (provider).")
contract: Final = App(name="contract", help="What was promised.")
negotiation: Final = App(name="negotiation", help="What is being negotiated, and what waits for me.")
policy: Final = App(name="policy", help="What would be allowed.")
evidence: Final = App(name="evidence", help="Proof of one use, for somebody who trusts nobody.")
ledger: Final = App(name="ledger", help="The space's ledger (operator, regulator).")
for group in (member, product, contract, negotiation, policy, evidence, ledger):
    app.command(group)
keeping.register(app)

Node = Annotated[Path, Parameter(name="--node", help="Folder of the node.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Answer in JSON.")]
HERE: Final = Path()


def main() -> None:
    """Run one command and leave with its exit code."""
    as_json = "--json" in sys.argv
    try:
        code = app(result_action="return_value")
    except EntrepotError as error:
        code = complain(error, as_json=as_json)
    except KeyboardInterrupt:
        code = 130
    sys.exit(int(code) if isinstance(code, int) else 0)


def _client(node: Path) -> Any:  # noqa: ANN401 (imported late, so that help stays instant)
    from entrepot.cli.client import OwnerClient

    return OwnerClient(node)


def _quoted(name: str) -> str:
    """A name as one segment of a path: a DID holds percent signs of its own."""
    from urllib.parse import quote

    return quote(name, safe="")


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
    from entrepot import console
    from entrepot.node.running import run as run_node

    run_node(node.resolve(), faces=[console.routes])
    return Exit.DONE


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


@app.command
def use(
    product_id: str,
    target: Path,
    *,
    purpose: str | None = None,
    agreement: str | None = None,
    wait: Annotated[bool, Parameter(negative="")] = False,
    patience: float = 60.0,
    node: Node = HERE,
    json: Json = False,
) -> int:
    """Get from a product to its data: look it up, sign a contract, open it, fetch it, acknowledge it.

    Where a person must approve, the command says who and leaves with code 6; `--wait` waits instead. An
    acquisition goes on in the node whether the command waits or not.

    Example: entrepot use 6913...X data.csv --purpose research --node lab

    Args:
        product_id: The product's code, as the catalogue shows it.
        target: File to be written.
        purpose: What it is used for; the agreement's purpose if not given.
        agreement: Use this contract and no other; else one in force is found, or a new one is made.
        wait: Wait for a person as long as it takes.
        patience: Seconds after which one who must approve is taken to be a person.
    """
    client = _client(node)
    body = {
        "product": product_id,
        "target": str(target.resolve()),
        "purpose": purpose,
        "agreement": agreement,
    }
    begun = client.post("/owner/uses", body)
    return _follow(client, begun, wait=wait, patience=patience, as_json=json)


def _follow(client: Any, begun: dict[str, Any], *, wait: bool, patience: float, as_json: bool) -> int:  # noqa: ANN401
    from entrepot.cli.client import is_terminal

    shown = ""
    since = time.monotonic()
    while True:
        found = client.get(f"/owner/acquisitions/{_quoted(begun['id'])}")
        state = found["state"]
        line = state + (f", waiting for {found['waitingFor']}" if found["waitingFor"] else "")
        if state == "fetching" and found["size"]:
            line += f" {100 * found['received'] // found['size']} %"
        if line != shown:
            shown, since = line, time.monotonic()
            say(("\r\033[K" if is_terminal() else "") + line)
        if state == "received":
            show(found, as_json=as_json, text=f"{found['path']}  {found['digest']}\nuse {found['use']}")
            return Exit.DONE
        if state == "failed":
            show(found, as_json=as_json, text=f"refused: {found['problem']}")
            return Exit.REFUSED
        if not wait and found["waitingFor"] and time.monotonic() - since > patience:
            show(found, as_json=as_json, text=f"waits for {found['waitingFor']}; it goes on by itself")
            return Exit.WAITS
        time.sleep(0.1)


@app.command(name="uses")
def list_uses(*, node: Node = HERE, json: Json = False) -> int:
    """List what was used of what I offer: by whom, when, with which receipt.

    Example: entrepot uses --node clinic
    """
    rows = _client(node).get("/owner/uses")
    columns = ("use", "consumer", "product", "state", "outcome", "receipt")
    show(rows, as_json=json, text=table(rows, columns, "Nothing was used yet."))
    return Exit.DONE


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

    found = _client(node).post("/owner/invitations", {"roles": role, "days": days})
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
    rows = _client(node).get("/owner/members")
    columns = ("did", "name", "roles", "state", "connectorCode")
    show(rows, as_json=json, text=table(rows, columns, "Nobody has applied; `entrepot member invite`."))
    return Exit.DONE


@member.command
def admit(did: str, *, node: Node = HERE, json: Json = False) -> int:
    """Admit an applicant; it is a member once the ledger has it.

    Example: entrepot member admit did:web:clinic.example --node operator
    """
    found = _client(node).post(f"/owner/members/{_quoted(did)}/admit")
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
    found = _client(node).post(f"/owner/members/{_quoted(did)}/revoke", {"reason": reason})
    show(found, as_json=json, text=f"{did}: {found['state']}")
    return Exit.DONE


@product.command
def offer(file: Path, description: Path, *, node: Node = HERE, json: Json = False) -> int:
    """Offer a file as a product, as a description says.

    The description is JSON: id, title, description, rights, grade, kinds, policy, keywords, mediaType.

    Example: entrepot product offer cars.json cars.product.json --node institute
    """
    import msgspec

    client = _client(node)
    try:
        said = msgspec.json.decode(description.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise MalformedError(f"{description} cannot be read as JSON: {error}") from error
    if not isinstance(said, dict):
        raise MalformedError(f"{description}: expected an object")
    media_type = said.pop("mediaType", "application/octet-stream")
    attached = client.post("/owner/resources", {"path": str(file.resolve()), "media_type": media_type})
    found = client.post("/owner/products", said | {"resource": attached["resource"]})
    show(
        found,
        as_json=json,
        text=f"{found['id']} version {found['version']}\n" + "\n".join(found["text"]["en"]),
    )
    return Exit.DONE


@product.command(name="list")
def list_products(*, node: Node = HERE, json: Json = False) -> int:
    """List what I offer.

    Example: entrepot product list --node clinic
    """
    rows = _client(node).get("/owner/products")
    show(rows, as_json=json, text=table(rows, ("id", "title", "grade", "version"), "Nothing is on offer."))
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
    found = _client(node).get(path)
    columns = ("id", "title", "grade", "kinds", "provider")
    text = table(found["products"], columns, "Nothing was found; try fewer words or filters.")
    if found["nextOffset"] is not None:
        text += f"\n{found['total']} in all; the next page: --offset {found['nextOffset']}"
    show(found, as_json=json, text=text)
    return Exit.DONE


@product.command(name="versions")
def list_versions(product_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """List every version of a product of mine.

    Example: entrepot product versions 6913...X --node clinic
    """
    rows = _client(node).get(f"/owner/products/{_quoted(product_id)}/versions")
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
    found = _client(node).post(f"/owner/products/{_quoted(product_id)}/rollback", {"version": version})
    text = f"{product_id}: version {found['version']} is on offer, with the content of {version}"
    show(found, as_json=json, text=text)
    return Exit.DONE


@product.command
def withdraw(product_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Offer a product no longer; contracts in force go on.

    Example: entrepot product withdraw 6913...X --node clinic
    """
    found = _client(node).post(f"/owner/products/{_quoted(product_id)}/withdraw")
    show(found, as_json=json, text=f"{product_id}: not on offer")
    return Exit.DONE


@contract.command(name="list")
def list_contracts(*, node: Node = HERE, json: Json = False) -> int:
    """List my contracts, with what they say.

    Example: entrepot contract list --node clinic
    """
    rows = _client(node).get("/owner/contracts")
    columns = ("contract", "as", "with", "product", "status", "inForce")
    show(rows, as_json=json, text=table(rows, columns, "There is no contract yet; `entrepot use` makes one."))
    return Exit.DONE


@contract.command
def stop(agreement: str, *, reason: str = "agreement", node: Node = HERE, json: Json = False) -> int:
    """End a contract: nothing begins under it from now on, and what runs is cut.

    Example: entrepot contract stop 1491... --reason breach --node clinic

    Args:
        agreement: The agreement's id.
        reason: agreement or breach.
    """
    found = _client(node).post(f"/owner/contracts/{_quoted(agreement)}/end", {"reason": reason})
    show(found, as_json=json, text=f"{agreement}: ended ({found['ended']})")
    return Exit.DONE


@negotiation.command(name="list")
def list_negotiations(*, node: Node = HERE, json: Json = False) -> int:
    """List negotiations, and which of them wait for me.

    Example: entrepot negotiation list --node clinic
    """
    rows = _client(node).get("/owner/negotiations")
    columns = ("id", "as", "with", "product", "state", "waitsForYou", "problem")
    show(rows, as_json=json, text=table(rows, columns, "Nothing is being negotiated."))
    return Exit.DONE


@negotiation.command
def approve(negotiation_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Agree to the offer on the table.

    Example: entrepot negotiation approve urn:uuid:... --node clinic
    """
    found = _client(node).post(f"/owner/negotiations/{_quoted(negotiation_id)}/approve")
    show(found, as_json=json, text=f"{negotiation_id}: {found['state']}")
    return Exit.DONE


@negotiation.command
def reject(negotiation_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Say no to the offer on the table.

    Example: entrepot negotiation reject urn:uuid:... --node clinic
    """
    found = _client(node).post(f"/owner/negotiations/{_quoted(negotiation_id)}/reject")
    show(found, as_json=json, text=f"{negotiation_id}: {found['state']}")
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
    found = _client(node).post("/owner/policy/explain", body)
    lines = ["allowed" if found["allowed"] else "not allowed", *(f"  {r}" for r in found["reasons"]), ""]
    columns = ("path", "asked", "found", "source", "verdict")
    lines += [table(found["report"], columns, "The policy compares nothing."), "", *found["text"]["en"]]
    show(found, as_json=json, text="\n".join(lines))
    return Exit.DONE if found["allowed"] else Exit.REFUSED


@evidence.command
def export(use_id: str, folder: Path, *, node: Node = HERE, json: Json = False) -> int:
    """Write the evidence package of one use into a new folder.

    Example: entrepot evidence export urn:uuid:... proof --node clinic
    """
    from entrepot.oversight import unpack, write_folder

    if folder.exists():
        raise MalformedError(f"{folder} exists and is not written over")
    files = unpack(_client(node).raw(f"/owner/evidence/{_quoted(use_id)}"))
    write_folder(files, folder)
    show({"folder": str(folder), "files": sorted(files)}, as_json=json, text=f"{folder}: {len(files)} files")
    return Exit.DONE


@evidence.command
def verify(
    folder: Path, *, policy_file: Path | None = None, language: Literal["en", "zh"] = "en", json: Json = False
) -> int:
    """Check an evidence package offline, against a policy file that you got by another road.

    Its exit codes are the verifier's own: 0 verified, 1 refused, 3 consistent but not trusted (no policy),
    4 verified with objections.

    Example: entrepot evidence verify proof --policy-file space.policy

    Args:
        folder: The package.
        policy_file: Whom you trust.
        language: Of the statement: en or zh.
    """
    from dataclasses import asdict

    from entrepot import oversight

    try:
        policy = None if policy_file is None else policy_file.read_text("utf-8")
        report = oversight.verify_evidence(oversight.read_evidence(folder), policy)
    except (OSError, ValueError) as error:
        report = oversight.EvidenceReport(why=str(error))
    show(asdict(report), as_json=json, text=oversight.render_evidence_report(report, language).rstrip("\n"))
    return oversight.EVIDENCE_EXIT_CODES[report.verdict]


@ledger.command(name="policy")
def ledger_policy(*, node: Node = HERE, json: Json = False) -> int:
    """Print whom this node believes: log key, witnesses, quorum. Give it to a verifier by another road.

    Example: entrepot ledger policy --node regulator > space.policy
    """
    from entrepot.ledger import Genesis
    from entrepot.node.making import GENESIS, SETTINGS
    from entrepot.node.settings import Settings
    from entrepot.oversight import write_policy
    from entrepot.values import canonical

    space = Settings.read(node / SETTINGS).space
    operator = None
    if (node / GENESIS).exists():
        genesis = canonical.decode_struct((node / GENESIS).read_bytes(), Genesis)
        operator = (genesis.key, genesis.public)
    text = write_policy(space.ledger_key, space.witnesses, space.quorum, operator)
    show({"policy": text}, as_json=json, text=text.rstrip("\n"))
    return Exit.DONE


@ledger.command(name="trust-witness")
def trust_witness(key: str, url: str, *, node: Node = HERE, json: Json = False) -> int:
    """Let a witness's cosignature count (operator, before the node runs).

    Example: entrepot ledger trust-witness regulator+1f...+BA... http://127.0.0.1:9021/witness
    """
    from entrepot.node import making
    from entrepot.node.settings import Settings, write_settings

    path = node / making.SETTINGS
    settings = making.add_witness(Settings.read(path), key, url)
    settings.check()
    write_settings(settings, path)
    show(
        {"witnesses": settings.space.witnesses}, as_json=json, text="The witness counts from the next start."
    )
    return Exit.DONE


@ledger.command
def audit(*, node: Node = HERE, json: Json = False) -> int:
    """Read every stored entry of the ledger again and compare it with what the observer keeps.

    Example: entrepot ledger audit --node regulator
    """
    found = _client(node).post("/owner/observer/audit")
    rows = found["differences"]
    text = table(
        rows, ("entry", "held", "served"), f"{found['entries']} entries read again, all as they were"
    )
    show(found, as_json=json, text=text)
    return Exit.NOT_VERIFIED if rows else Exit.DONE


if __name__ == "__main__":
    main()
