"""Claim: the journal makes 1,000 small use cases a second durable, and shares fsyncs among callers.

A use case is one guarded update and one insert. The rival is plain `sqlite3` with the same statements,
the same file settings and an fsync for each. Both run in turns, on the same disk.

    python bench/journal_writes.py [--seconds 2] [--folder FOLDER]
"""

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from entrepot.journal import Journal, Transaction
from machine import described

ROUNDS = 3
CALLERS = (1, 8, 64, 256)
GOAL = 1_000

TABLES = sa.MetaData()
COUNTER = sa.Table(
    "counter", TABLES, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer)
)
RECORD = sa.Table(
    "record", TABLES, sa.Column("id", sa.Integer, primary_key=True), sa.Column("body", sa.LargeBinary)
)
TAKE = sa.update(COUNTER).where(COUNTER.c.id == 1, COUNTER.c.n < 2**60).values(n=COUNTER.c.n + 1)
KEEP = sa.insert(RECORD)
BODY = b"x" * 200


@dataclass(frozen=True)
class Figure:
    """How many writes a second, and the CPU each cost this process."""

    per_second: float
    cpu_micros: float


def use_case(tx: Transaction) -> bool:
    taken = tx.connection.execute(TAKE).rowcount == 1
    tx.connection.execute(KEEP, {"body": BODY})
    return taken


def prepare(tx: Transaction) -> None:
    TABLES.create_all(tx.connection)
    tx.connection.execute(sa.insert(COUNTER), {"id": 1, "n": 0})


def measure(writes: Callable[[float], int], seconds: float) -> Figure:
    wall, cpu = time.perf_counter(), time.process_time()
    count = writes(seconds)
    return Figure(count / (time.perf_counter() - wall), (time.process_time() - cpu) / count * 1e6)


def ours(journal: Journal, callers: int, seconds: float) -> Figure:
    async def call(ends: float) -> int:
        count = 0
        while time.perf_counter() < ends:
            assert await journal.write(use_case)
            count += 1
        return count

    async def all_callers(seconds: float) -> int:
        ends = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(call(ends) for _ in range(callers))))

    return measure(lambda s: asyncio.run(all_callers(s)), seconds)


def rival(file: Path, seconds: float) -> Figure:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")

    def writes(seconds: float) -> int:
        count, ends = 0, time.perf_counter() + seconds
        while time.perf_counter() < ends:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE counter SET n = n + 1 WHERE id = 1 AND n < 1152921504606846976")
            connection.execute("INSERT INTO record (body) VALUES (?)", (BODY,))
            connection.execute("COMMIT")
            count += 1
        return count

    try:
        return measure(writes, seconds)
    finally:
        connection.close()


def middle(figures: list[Figure]) -> Figure:
    return Figure(
        statistics.median(f.per_second for f in figures), statistics.median(f.cpu_micros for f in figures)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each run")
    parser.add_argument(
        "--folder", default=None, help="where the database files lie (default: a temporary one)"
    )
    options = parser.parse_args()
    print(described())
    print("input: one guarded UPDATE and one INSERT of 200 bytes a use case; median of 3 rounds in turns")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        file, other = Path(folder) / "journal.db", Path(folder) / "plain.db"
        for each in (file, other):
            with Journal.open(f"sqlite:///{each}") as journal:
                journal.write_now(prepare)
        with Journal.open(f"sqlite:///{file}") as journal:
            found: dict[int, list[Figure]] = {callers: [] for callers in CALLERS}
            plain: list[Figure] = []
            for _ in range(ROUNDS):
                plain.append(rival(other, options.seconds))
                for callers in CALLERS:
                    found[callers].append(ours(journal, callers, options.seconds))
    alone = middle(plain)
    print(f"rival, an fsync a write: {alone.per_second:10,.0f} writes/s  {alone.cpu_micros:6.1f} µs CPU each")
    for callers in CALLERS:
        figure = middle(found[callers])
        print(
            f"journal, {callers:4} callers:     {figure.per_second:10,.0f} writes/s  "
            f"{figure.cpu_micros:6.1f} µs CPU each  ratio {figure.per_second / alone.per_second:5.2f}"
        )
    best = max(middle(found[callers]).per_second for callers in CALLERS)
    print(f"goal {GOAL:,} writes/s: {'reached' if best >= GOAL else 'missed'} ({best:,.0f})")
    return 0 if best >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
