"""A ledger that is killed while it writes, again and again, on one file."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from entrepot.ledger import Chronicle, Genesis, genesis_head, replay, tree_hash
from entrepot.ledger.store import LedgerStore

# Submits one batch after another and says aloud which are committed, until it is killed.
WRITER = """
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from nacl.signing import SigningKey
from entrepot.identity import PublicKey
from entrepot.ledger import EmbeddedLedger, Genesis, UsageBatch, make_payload, sign_transaction

class Key:
    def __init__(self, name):
        self._key = SigningKey(sha256(name.encode()).digest())
        self.public = PublicKey("ed25519", bytes(self._key.verify_key))
    def sign(self, data):
        return self._key.sign(data).signature

key, did = Key("operator"), "did:web:operator.example"
genesis = Genesis("ledger.example/killed", "91350211M000100Y43", did + "#e", did, key.public.raw.hex(), 1)
root = lambda n: "sha256:" + sha256(str(n).encode()).hexdigest()
clock = lambda: datetime.now(UTC)
ledger = EmbeddedLedger(Path(sys.argv[1]), genesis, Key("log"), clock=clock, block_seconds=0)
number = int(sys.argv[2])
while True:
    number += 1
    body = UsageBatch(number, root(number - 1) if number > 1 else None, root(number))
    names = {"actor": did, "key": did + "#e", "op": "usage.batch"}
    payload = make_payload(chain=genesis.chain, height=0, body=body, **names)
    status = ledger.outcome(ledger.submit(sign_transaction(payload, key))).result()
    print("committed" if status.number is not None else status, number, flush=True)
"""


@pytest.mark.timeout(120)
def test_what_was_called_committed_is_there_after_every_kill(tmp_path: Path) -> None:
    """A ledger that loses a committed block, or keeps half of one, has broken its only promise."""
    path, said = tmp_path / "ledger.db", 0
    for turn in range(4):
        command = [sys.executable, "-c", WRITER, str(path), str(said)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            until = said + 5 + 7 * turn
            for line in process.stdout:
                if match := re.fullmatch(r"committed (\d+)\n", line):
                    said = int(match[1])
                if said >= until:
                    process.kill()
            assert process.wait() == -9
        said = check(path, said)


def check(path: Path, said: int) -> int:
    """Open the file as it was left; give the number of the last batch in it."""
    store = LedgerStore(path)
    genesis = msgspec.json.decode(store.genesis(), type=Genesis)
    store.close()
    chronicle = Chronicle.open(path, genesis)
    entries = chronicle.entries(0, chronicle.size)
    *_, last = replay(genesis_head(genesis), entries)
    assert last.head.state.root == chronicle.head.state.root
    assert tree_hash(entries) == chronicle.root(chronicle.size)
    assert len(entries) == 2 * last.head.height
    assert said <= last.head.height <= said + 1  # one may be durable whose answer was never heard
    chronicle.close()
    return last.head.height
