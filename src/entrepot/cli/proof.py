"""Proof of what was done: evidence packages, and the space's ledger."""

from pathlib import Path
from typing import Final, Literal

from cyclopts import App

from entrepot.cli.options import HERE, Json, Node, client, quoted
from entrepot.cli.output import Exit, say, show, table
from entrepot.values import MalformedError

evidence: Final = App(name="evidence", help="Proof of one use, for somebody who trusts nobody.")
record: Final = App(name="record", help="What is kept of one use, for the person it concerns.")
ledger: Final = App(name="ledger", help="The space's ledger (operator, regulator).")


@evidence.command
def export(use_id: str, folder: Path, *, node: Node = HERE, json: Json = False) -> int:
    """Write the evidence package of one use into a new folder.

    Example: entrepot evidence export urn:uuid:... proof --node clinic
    """
    from entrepot.oversight import unpack, write_folder

    if folder.exists():
        raise MalformedError(f"{folder} exists and is not written over")
    files = unpack(client(node).raw(f"/owner/evidence/{quoted(use_id)}"))
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
        files = oversight.read_evidence(folder)
        report = oversight.verify_evidence(files, policy)
        if report.verdict != "refused" and not oversight.is_contract_text(files):
            say("contract.txt is not worded as this version words what was signed: read contract.json")
    except (OSError, ValueError) as error:
        report = oversight.EvidenceReport(why=str(error))
    show(asdict(report), as_json=json, text=oversight.render_evidence_report(report, language).rstrip("\n"))
    return oversight.EVIDENCE_EXIT_CODES[report.verdict]


@record.command(name="export")
def export_record(use_id: str, file: Path, *, node: Node = HERE, json: Json = False) -> int:
    """Hand out what is kept here of one use, to whom it concerns: every record with its salt.

    Example: entrepot record export urn:uuid:... mine.json --node clinic
    """
    raw = client(node).post_raw(f"/owner/records/{quoted(use_id)}/export", None)
    if file.exists():
        raise MalformedError(f"{file} exists and is not written over")
    file.write_bytes(raw)
    file.chmod(0o600)
    show({"file": str(file), "size": len(raw)}, as_json=json, text=f"{file}: {len(raw)} bytes")
    return Exit.DONE


@record.command
def erase(use_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Destroy what is kept here of one use; refused with the day until which the law has it kept.

    What stays on the ledger are salted commitments, which say nothing without what was destroyed.

    Example: entrepot record erase urn:uuid:... --node clinic
    """
    found = client(node).post(f"/owner/records/{quoted(use_id)}/erase")
    show(found, as_json=json, text=f"{use_id}: {found['erased']} records erased")
    return Exit.DONE


@ledger.command(name="policy")
def ledger_policy(*, node: Node = HERE, json: Json = False) -> int:
    """Print whom this node believes: log key, witnesses, quorum. Give it to a verifier by another road.

    Example: entrepot ledger policy --node regulator > space.policy
    """
    from entrepot.ledger import Genesis
    from entrepot.node.making import GENESIS
    from entrepot.node.settings import SETTINGS, Settings
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
    from entrepot.node.settings import SETTINGS, Settings, write_settings

    path = node / SETTINGS
    settings = making.add_witness(Settings.read(path), key, url)
    settings.check()
    write_settings(settings, path)
    show(
        {"witnesses": settings.space.witnesses}, as_json=json, text="The witness counts from the next start."
    )
    return Exit.DONE


@ledger.command(name="resume-witness")
def resume_witness(checkpoint: Path | None = None, *, node: Node = HERE, json: Json = False) -> int:
    """Let a restored witness cosign again, from the largest checkpoint that it is known to have cosigned.

    It looks at the ledger's own checkpoint too. Ask others for a later one first: `checkpoint.txt` of any
    evidence package made after the backup, or what another observer has.

    Example: entrepot ledger resume-witness proof/checkpoint.txt --node regulator

    Args:
        checkpoint: A file with a checkpoint that this witness has cosigned.
    """
    body = {} if checkpoint is None else {"checkpoint": checkpoint.read_text("utf-8")}
    found = client(node).post("/owner/observer/resume", body)
    text = f"cosigns again from {found['size']} leaves; {found['checkpoints']} checkpoints had its signature"
    show(found, as_json=json, text=text)
    return Exit.DONE


@ledger.command
def audit(*, node: Node = HERE, json: Json = False) -> int:
    """Read every stored entry of the ledger again and compare it with what the observer keeps.

    Example: entrepot ledger audit --node regulator
    """
    found = client(node).post("/owner/observer/audit")
    rows = found["differences"]
    text = table(
        rows, ("entry", "held", "served"), f"{found['entries']} entries read again, all as they were"
    )
    show(found, as_json=json, text=text)
    return Exit.NOT_VERIFIED if rows else Exit.DONE
