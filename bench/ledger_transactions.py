"""Claim: the embedded ledger takes 10,000 signed transactions a core-second, with an fsync a block of 1,000.

Ours is the whole ledger: canonical decoding, the search for personal data, Ed25519, the state machine with
its state root, the RFC 6962 log and its file. Half the transactions are usage batches of 100 connectors,
half are contract filings; all are signed beforehand.

Two rivals take the same signed bytes in turns with ours. *Naive* is a service without a ledger: parse the
JSON, verify with `cryptography`, insert, commit each. *Bare* verifies with libsodium and inserts 1,000 at
once, without rules, state, log or proofs: no design on this signature and this database can do better.

    python bench/ledger_transactions.py [--transactions 20000] [--folder FOLDER]
"""

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.bindings import crypto_sign_open
from nacl.signing import SigningKey

from entrepot.identity import PublicKey
from entrepot.ledger import (
    ContractFile,
    EmbeddedLedger,
    Genesis,
    KeyOffer,
    MemberAdmit,
    Role,
    TransactionState,
    UsageBatch,
    make_payload,
    sign_transaction,
)
from machine import described

ROUNDS = 3
BLOCK = 1_000
CONNECTORS = 100
GOAL = 10_000
CHAIN = "ledger.example/bench"
CODE = "91350211M000100Y43"
DOMAIN = b"entrepot/transaction/v1\n"


class Key:
    """An Ed25519 key made from its name."""

    def __init__(self, name: str) -> None:
        self._key = SigningKey(sha256(name.encode()).digest())
        self.public = PublicKey("ed25519", bytes(self._key.verify_key))

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data).signature


OPERATOR = "did:web:operator.example"
GENESIS = Genesis(CHAIN, CODE, f"{OPERATOR}#evidence", OPERATOR, Key(OPERATOR).public.raw.hex(), 1)
MEMBERS = [f"did:web:connector{number}.example" for number in range(CONNECTORS)]


def make(did: str, op: str, body: msgspec.Struct, height: int) -> bytes:
    payload = make_payload(chain=CHAIN, height=height, actor=did, key=f"{did}#evidence", op=op, body=body)
    return sign_transaction(payload, Key(did))


def digest(text: str) -> str:
    return "sha256:" + sha256(text.encode()).hexdigest()


def admission(did: str) -> bytes:
    key = KeyOffer(f"{did}#evidence", Key(did).public.raw.hex())
    return make(OPERATOR, "member.admit", MemberAdmit(CODE, did, 1, (key,), Role.CONNECTOR), 0)


def transaction(number: int) -> bytes:
    """Batches and filings, turn about; each says the height at which its sender would have made it."""
    who, turn = number // 2 % CONNECTORS, number // 2 // CONNECTORS
    did = MEMBERS[who]
    if number % 2:
        parties = (did, MEMBERS[(who + 1) % CONNECTORS])
        filing = ContractFile(f"{number:046d}A", digest(f"contract {number}"), False, parties)
        return make(did, "contract.file", filing, number // BLOCK)
    previous = digest(f"{who} {turn}") if turn else None
    batch = UsageBatch(turn + 1, previous, digest(f"{who} {turn + 1}"))
    return make(did, "usage.batch", batch, number // BLOCK)


def ours(folder: Path, made: Sequence[bytes]) -> float:
    ledger = EmbeddedLedger(
        folder / "ledger.db", GENESIS, Key("log"), clock=lambda: datetime.now(UTC), block_seconds=0.5
    )
    with closing(ledger):
        names = [ledger.submit(admission(did)) for did in MEMBERS]
        ledger.outcome(names[-1]).result(60)

        def run() -> None:
            for at in range(0, len(made), BLOCK):
                for raw in made[at : at + BLOCK]:
                    name = ledger.submit(raw)
                assert ledger.outcome(name).result(60).state is TransactionState.COMMITTED

        rate = per_core_second(run, len(made))
        blocks = len(made) // BLOCK
        assert ledger.standing().size == len(made) + blocks + CONNECTORS + 1
    return rate


def naive(folder: Path, made: Sequence[bytes]) -> float:
    keys = {did: Ed25519PublicKey.from_public_bytes(Key(did).public.raw) for did in MEMBERS}
    with closing(database(folder / "naive.db")) as connection:

        def run() -> None:
            for raw in made:
                payload, signature = raw[:-64], raw[-64:]
                keys[json.loads(payload)["actor"]].verify(signature, DOMAIN + payload)
                connection.execute("INSERT INTO entry VALUES (?, ?)", (sha256(payload).digest(), raw))

        return per_core_second(run, len(made))


def bare(folder: Path, made: Sequence[bytes]) -> float:
    keys = {did: Key(did).public.raw for did in MEMBERS}
    with closing(database(folder / "bare.db")) as connection:

        def run() -> None:
            for at in range(0, len(made), BLOCK):
                rows = []
                for raw in made[at : at + BLOCK]:
                    payload, signature = raw[:-64], raw[-64:]
                    actor = msgspec.json.decode(payload)["actor"]
                    crypto_sign_open(signature + DOMAIN + payload, keys[actor])
                    rows.append((sha256(payload).digest(), raw))
                connection.execute("BEGIN")
                connection.executemany("INSERT INTO entry VALUES (?, ?)", rows)
                connection.execute("COMMIT")

        return per_core_second(run, len(made))


def database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entry (digest BLOB PRIMARY KEY, body BLOB NOT NULL)")
    return connection


def per_core_second(run: Callable[[], None], count: int) -> float:
    before = time.process_time()
    run()
    return count / (time.process_time() - before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--transactions", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=None)
    asked = parser.parse_args()
    count = asked.transactions // BLOCK * BLOCK
    made = [transaction(number) for number in range(count)]
    sides = {"ours": (ours, made), "naive": (naive, made[: count // 10]), "bare": (bare, made)}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, (run, given) in sides.items():
            with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
                rates[name].append(run(Path(folder), given))
    best = {name: max(found) for name, found in rates.items()}
    print(described())
    size = statistics.mean(map(len, made))
    print(f"input: {count:,} signed transactions of {size:.0f} bytes; synchronous FULL; best of {ROUNDS}")
    for name, found in rates.items():
        print(f"{name:>6}: {best[name]:8,.0f} a core-second  ({', '.join(f'{rate:,.0f}' for rate in found)})")
    print(f"ratio ours/naive {best['ours'] / best['naive']:.2f}, ours/bare {best['ours'] / best['bare']:.2f}")
    print(f"goal {GOAL:,}: {'reached' if best['ours'] >= GOAL else 'missed'}")
    return 0 if best["ours"] >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
