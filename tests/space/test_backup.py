"""A backup that is taken while a node works, and a node that goes on from it."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from entrepot.node import making
from entrepot.node.backup import LEFT, OWN_DATABASES, OWN_FILES
from entrepot.node.roles.sources_owner import ARTEFACTS
from entrepot.node.settings import Listen, Party, Role, Settings
from space import (
    COMMAND,
    PASSPHRASE,
    Running,
    Space,
    agrees_with_ledger,
    at_rest,
    found_space,
    free_ports,
    made_bytes,
    records,
    sha256,
    social_code,
    wait_for,
)

USES = 24


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A space of its own: one of its nodes forgets something here."""
    running = found_space(tmp_path_factory.mktemp("harbour"))
    yield running
    running.stop()


def entrepot(*arguments: object) -> Any:
    """Run a command of the product, and give its answer."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments), "--json"],
        env={**os.environ, making.PASSPHRASE: PASSPHRASE},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def consistent(node: Running) -> None:
    """What is written down once is written down everywhere: uses, records, counters and meters agree."""
    uses = node.rows("SELECT id, agreement_id, state FROM use")
    for use_id, _, state in uses:
        kinds = [r["kind"] for r in records(node, use_id)]
        assert kinds.count("opened") == 1
        assert kinds.count("closed") == (state == "closed")
        assert node.rows("SELECT count(*) FROM meter WHERE use_id = ?", use_id) == [(int(state == "closed"),)]
    counted = dict(node.rows("SELECT agreement_id, used FROM policy_counter"))
    assert counted == {a: sum(1 for _, of, _ in uses if of == a) for a in {of for _, of, _ in uses}}


def test_a_backup_under_load_becomes_a_node_that_goes_on(harbour: Space, tmp_path: Path) -> None:
    """Uses run while the backup is taken, and after it; the restored node counts each once, and goes on."""
    content = made_bytes(200_000, seed=21)
    product = harbour.offer(content, uses=1000)
    agreement = harbour.use(product).agreement
    with ThreadPoolExecutor(USES) as pool:
        callers = [pool.submit(harbour.begin, product, agreement) for _ in range(USES)]
        wait_for("load", lambda: len(harbour.provider.rows("SELECT 1 FROM use")) > 3, pause=0.01)
        made = entrepot("backup", tmp_path / "provider.backup", "--node", harbour.provider.folder)
        later = [pool.submit(harbour.begin, product, agreement) for _ in range(USES)]
        for caller in (*callers, *later):
            caller.result().received()
    wait_for("rest", lambda: at_rest(harbour))
    before = len(harbour.provider.rows("SELECT 1 FROM use"))
    harbour.provider.kill()

    elsewhere = tmp_path / "elsewhere"
    found = entrepot("restore", tmp_path / "provider.backup", elsewhere)
    restored = replace(harbour.provider, folder=elsewhere, process=None)
    assert found["missing"] == []
    assert found["rows"] == made["rows"]
    consistent(restored)
    forgotten = before - len(restored.rows("SELECT 1 FROM use"))
    assert forgotten > 0

    harbour.provider = restored
    restored.start()
    wait_for("the restored node", restored.is_up)
    counted = "SELECT used FROM policy_counter WHERE agreement_id = ?"
    ((used,),) = restored.rows(counted, agreement)
    gap = wait_for("the ledger read", lambda: _gap(restored))
    assert gap["lastLost"] >= gap["firstLost"] > 0
    assert f"batches {gap['firstLost']} to {gap['lastLost']}" in gap["gap"]
    again = [harbour.begin(product, agreement) for _ in range(3)]
    tries = "SELECT 1 FROM outbox WHERE attempts > 1"
    wait_for("calls that are told to come later", lambda: harbour.consumer.rows(tries))
    asked = {"agreement": agreement}
    said = restored.ask("POST", "/owner/policy/explain", asked)
    assert (said["allowed"], "has to accept that first" in said["reasons"][0]) == (False, True)
    assert restored.rows(counted, agreement) == [(used,)]
    entrepot("restored", "accept", "--node", elsewhere)
    assert [sha256(a.target.read_bytes()) for a in again if a.received()] == [sha256(content)] * 3
    assert restored.rows(counted, agreement) == [(used + 3,)]
    for acquiring in again:
        written = [r["kind"] for r in records(restored, acquiring.received().use)]
        assert written.count("opened") == 1
    wait_for("anchors", lambda: _is_anchored(restored))
    agrees_with_ledger(harbour.operator, restored)
    assert restored.rows("SELECT 1 FROM ledger_batch WHERE records = 0")
    assert restored.rows("SELECT 1 FROM audit_event WHERE name = 'ledger:batch:lose'")
    findings = {f["what"]: f["detail"] for f in entrepot("doctor", "--node", elsewhere)}
    assert "not counted here" in findings["records"]


def _gap(node: Running) -> dict[str, Any] | None:
    """What the restored node has found that it has forgotten; None while it has not looked."""
    found: dict[str, Any] = node.ask("GET", "/owner/restored")
    assert not found["accepted"]
    return found if found["comparedAt"] else None


def _is_anchored(node: Running) -> bool:
    return not node.rows("SELECT 1 FROM ledger_record WHERE number IS NULL LIMIT 1") and not node.rows(
        "SELECT 1 FROM ledger_batch WHERE position IS NULL LIMIT 1"
    )


def test_everything_in_a_nodes_folder_is_carried_or_left_on_purpose(harbour: Space) -> None:
    """A file that a role comes to keep beside its database must not be forgotten by its backup."""
    known = {*OWN_FILES, *LEFT, making.SETTINGS, ARTEFACTS, "node.db", *OWN_DATABASES}
    known |= {f"{name}{end}" for name in ("node.db", *OWN_DATABASES) for end in ("-wal", "-shm")}
    found = {path.name for node in harbour.nodes for path in node.folder.iterdir()}

    assert found <= known


def with_witness(space: Space) -> Running:
    """Add a regulator whose cosignature counts; gives its node."""
    public, owner = (f"127.0.0.1:{port}" for port in free_ports(2))
    node = Running(space.root / "regulator", public, owner, social_code("11100000000013"))
    invitation = space.operator.ask("POST", "/owner/invitations", {"roles": ["regulator"]})
    made = making.make_member(
        node.folder,
        role=Role.OBSERVER,
        invitation=msgspec.convert(invitation, making.InvitationFile),
        party=Party(name="Regulator", subject_code=node.code, region="3101"),
        listen=Listen(public=public, owner=owner, url=f"http://{public}"),
        passphrase=PASSPHRASE,
    )
    node.start()
    wait_for("the regulator", node.is_up)
    space.operator.stop()
    path = space.operator.folder / making.SETTINGS
    making.write_settings(making.add_witness(Settings.read(path), made.witness_key, made.witness_url), path)
    space.operator.start()
    wait_for("the operator", space.operator.is_up)
    return node


def entries(node: Running) -> list[tuple[Any, ...]]:
    return node.rows("SELECT number, body FROM entry ORDER BY number", file="ledger.db")


def test_a_restored_ledger_is_refilled_by_its_witness(tmp_path: Path) -> None:
    """What was cosigned after the backup comes back from the regulator's copy, before anything is ordered."""
    space = found_space(tmp_path / "space")
    try:
        regulator = with_witness(space)
        content = made_bytes(50_000, seed=22)
        product = space.offer(content, uses=1000)
        agreement = space.use(product).agreement
        entrepot("backup", tmp_path / "operator.backup", "--node", space.operator.folder)
        for _ in range(3):
            space.begin(product, agreement).received()
        wait_for("rest", lambda: at_rest(space))
        before = entries(space.operator)
        wait_for("the copy", lambda: regulator.ask("GET", "/owner/observer")["size"] == len(before))
        space.operator.kill()

        entrepot("restore", tmp_path / "operator.backup", tmp_path / "elsewhere")
        space.operator = replace(space.operator, folder=tmp_path / "elsewhere", process=None)
        assert len(entries(space.operator)) < len(before)
        space.operator.start()
        wait_for("the operator", space.operator.is_up)
        wait_for("what was lost", lambda: entries(space.operator)[: len(before)] == before)
        wait_for("the register", lambda: _gap(space.operator))
        entrepot("restored", "accept", "--node", tmp_path / "elsewhere")
        space.begin(product, agreement).received()
        wait_for("rest", lambda: at_rest(space))
        agrees_with_ledger(space.operator, space.provider)
        regulator.stop()
    finally:
        space.stop()
