"""Claim: 50,000 records a core-second from committed rows to an anchored batch; 150,000 for the trees alone.

*Whole* is what a connector does after its uses have committed their records: read the rows, number them,
build the two-level tree, write numbers, batch and outer leaves, sign the batch's transaction, put it in the
outbox, and note that it was committed: with every commit and fsync. *Trees* is the part between the reads
and the writes: sums, both levels of the tree, the canonical outer leaves, the signed transaction.

The rival signs each record by itself with libsodium and stores it, 1,000 to a commit: the least that a
design without batches could do, and it has no order, no numbers and no proofs.

    python bench/anchoring.py [--records 100000] [--contracts 100] [--folder FOLDER]
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from nacl.signing import SigningKey

from entrepot.identity import PublicKey
from entrepot.journal import Journal
from entrepot.ledger import (
    BATCH_RECORDS,
    Batch,
    BatchState,
    Record,
    RecordKind,
    Units,
    batch_committed,
    batch_root,
    batch_witnessed,
    batches_in,
    divide,
    encode_record,
    outer_leaves,
    seal_records,
    sign_batch,
    submit_batch,
    write_record,
)
from entrepot.values import Did, KeyId
from machine import described

ROUNDS = 3
GOALS = {"whole": 50_000, "trees": 150_000}
NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
FAR = NOW + timedelta(days=3650)
CONSUMER = "did:web:consumer.example"
PROVIDER = Did("did:web:provider.example")


class Key:
    """An Ed25519 key made from its name."""

    def __init__(self, name: str) -> None:
        self._key = SigningKey(sha256(name.encode()).digest())
        self.public = PublicKey("ed25519", bytes(self._key.verify_key))

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data).signature


KEY = Key("provider")


def record(number: int, contracts: int) -> Record:
    return Record(
        at="2026-11-25T08:00:00.000000Z",
        consumer=CONSUMER,
        contract=f"{number % contracts:046d}A",
        kind=RecordKind.OPENED if number % 2 else RecordKind.CLOSED,
        product="urn:uuid:4ee8b0a5-7a5c-4b7e-9d3c-0d6f3c1f2a11",
        use=f"urn:uuid:{number // 2:032x}",
        artefact="sha256:" + "ab" * 32,
        size=1_000_000,
        status_age=12,
        units=Units(bytes=1_000_000, seconds=2, uses=1),
    )


def signed(batch: Batch) -> bytes:
    return sign_batch(
        batch,
        chain="ledger.example/bench",
        height=1,
        actor=PROVIDER,
        key=KeyId(f"{PROVIDER}#evidence"),
        signer=KEY,
    )


def whole(folder: Path, count: int, contracts: int) -> float:
    """Committed rows to anchored batches, through the journal."""
    with Journal.open(f"sqlite:///{folder}/node.db", clock=lambda: NOW) as journal:
        journal.create_schema()
        for start in range(0, count, 1000):
            numbers = range(start, min(start + 1000, count))
            journal.write_now(lambda tx, n=numbers: [write_record(tx, record(i, contracts), FAR) for i in n])

        def run() -> None:
            while (batch := journal.write_now(lambda tx: seal_records(tx, "bench"))) is not None:
                number, raw = batch.number, signed(batch)
                journal.write_now(lambda tx, n=number, r=raw: submit_batch(tx, n, r, "ledger", FAR))
                journal.write_now(lambda tx, n=number: batch_committed(tx, n, n))
                journal.write_now(lambda tx, n=number: batch_witnessed(tx, n))

        rate = per_core_second(run, count)
        batches = journal.read_now(lambda c: batches_in(c, BatchState.WITNESSED))
        assert sum(batch.count for batch in batches) == count
        assert len(batches) == -(-count // BATCH_RECORDS)
    return rate


def trees(count: int, contracts: int) -> float:
    """The part between the reads and the writes, in batches of the same size."""
    units = Units(bytes=1_000_000, seconds=2, uses=1)
    rows = [(f"{i % contracts:046d}A", sha256(str(i).encode()).digest(), units) for i in range(count)]

    last = {row[0]: 0 for row in rows}

    def run() -> None:
        for start in range(0, count, BATCH_RECORDS):
            parts = divide(rows[start : start + BATCH_RECORDS], last)
            root = batch_root(outer_leaves(parts))
            signed(Batch(1, None, root, count, NOW, BatchState.SEALED, None, None))

    return per_core_second(run, count)


def rival(folder: Path, count: int, contracts: int) -> float:
    """A signature a record, 1,000 to a commit: no order, no numbers, no proofs."""
    bodies = [encode_record(record(i, contracts)) for i in range(count)]
    with closing(sqlite3.connect(folder / "rival.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE record (row INTEGER PRIMARY KEY, body BLOB, signature BLOB)")

        def run() -> None:
            for start in range(0, count, 1000):
                rows = [(body, KEY.sign(body)) for body in bodies[start : start + 1000]]
                connection.execute("BEGIN")
                connection.executemany("INSERT INTO record (body, signature) VALUES (?, ?)", rows)
                connection.execute("COMMIT")

        return per_core_second(run, count)


def per_core_second(run: Callable[[], None], count: int) -> float:
    before = time.process_time()
    run()
    return count / (time.process_time() - before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--contracts", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=None)
    asked = parser.parse_args()
    rates: dict[str, list[float]] = {"whole": [], "trees": [], "rival": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            rates["whole"].append(whole(Path(folder), asked.records, asked.contracts))
            rates["trees"].append(trees(asked.records, asked.contracts))
            rates["rival"].append(rival(Path(folder), asked.records // 5, asked.contracts))
    best = {name: max(found) for name, found in rates.items()}
    print(described())
    print(
        f"input: {asked.records:,} records of {asked.contracts} contracts; synchronous FULL; best of {ROUNDS}"
    )
    for name, found in rates.items():
        goal = GOALS.get(name)
        told = "" if goal is None else f"  goal {goal:,}: {'reached' if best[name] >= goal else 'missed'}"
        each = ", ".join(f"{rate:,.0f}" for rate in found)
        print(f"{name:>6}: {best[name]:9,.0f} a core-second  ({each}){told}")
    print(f"ratio whole/rival {best['whole'] / best['rival']:.2f}")
    return 0 if all(best[name] >= goal for name, goal in GOALS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
