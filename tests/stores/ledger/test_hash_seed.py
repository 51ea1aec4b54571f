"""The same blocks in interpreters with different hash seeds."""

import os
import subprocess
import sys

SCRIPT = """
from hashlib import sha256
from nacl.signing import SigningKey
from entrepot.ledger import *
from entrepot.ledger.machine import genesis_head, apply_block

class Key:
    def __init__(self, name):
        self._key = SigningKey(sha256(name.encode()).digest())
        self.raw = bytes(self._key.verify_key)
    def sign(self, data):
        return self._key.sign(data).signature

did = lambda n: f"did:web:m{n}.example"
code, chain = "91350211M000100Y43", "ledger.example/seed"
genesis = Genesis(chain, code, did(0) + "#e", did(0), Key(did(0)).raw.hex(), 1)

def make(n, op, body):
    payload = make_payload(chain=chain, height=0, actor=did(n), key=did(n) + "#e", op=op, body=body)
    return sign_transaction(payload, Key(did(n)))

offer = lambda n: KeyOffer(did(n) + "#e", Key(did(n)).raw.hex())
admit = lambda n: MemberAdmit(code, did(n), 1, (offer(n),), Role.CONNECTOR)
root = lambda n: "sha256:" + sha256(str(n).encode()).hexdigest()
first = apply_block(genesis_head(genesis), 1, 2, [make(0, "member.admit", admit(n)) for n in range(1, 30)])
second = [make(n, "usage.batch", UsageBatch(1, None, root(n))) for n in range(1, 30)]
filing = lambda n: ContractFile(f"{n:046d}A", root(n), False, (did(n), did(n + 1)))
second += [make(n, "contract.file", filing(n)) for n in range(1, 29)]
block = apply_block(first.head, 2, 3, second)
print(len(block.applied), block.leaves[-1].decode(), list(block.writes)[:3])
"""


def test_the_hash_seed_changes_nothing() -> None:
    """Each process of a replicated ledger has its own seed; the order of a set must never reach a root."""
    said = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("0", "4242")
    }

    assert len(said) == 1
    assert said.pop().startswith("57 ")
