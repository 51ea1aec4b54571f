"""A backup that is taken while a node works, and a node that goes on from it."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.node import making
from entrepot.node.backup import ARTEFACTS, LEFT, OWN_DATABASES, OWN_FILES
from space import (
    COMMAND,
    PASSPHRASE,
    Running,
    Space,
    agrees_with_ledger,
    at_rest,
    found_space,
    made_bytes,
    records,
    sha256,
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
    again = [harbour.begin(product, agreement) for _ in range(3)]
    assert [sha256(a.target.read_bytes()) for a in again if a.received()] == [sha256(content)] * 3
    assert restored.rows(counted, agreement) == [(used + 3,)]
    for acquiring in again:
        written = [r["kind"] for r in records(restored, acquiring.received().use)]
        assert written.count("opened") == 1
    wait_for("anchors", lambda: _is_anchored(restored))
    agrees_with_ledger(harbour.operator, restored)
    assert restored.rows("SELECT 1 FROM ledger_batch WHERE records = 0")
    assert restored.rows("SELECT 1 FROM audit_event WHERE name = 'ledger:batch:lose'")


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
