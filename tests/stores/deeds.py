"""A process that writes deeds through a journal and says on its standard output what it was told.

`python deeds.py ADDRESS PREFIX CALLERS EACH [SIZE]`: so many callers at once write so many deeds each, of
so many bytes. A deed is two rows, both or none. One line a result: `did NAME`, `refused NAME`, or
`unknown NAME`. `python deeds.py ADDRESS take CALLERS LIMIT`: so many callers at once each take one of
LIMIT, once.
"""

import asyncio
import os
import sys
from collections.abc import Callable

import sqlalchemy as sa

from entrepot.journal import Journal, OutcomeUnknownError, Transaction
from entrepot.values import UnavailableError

DEEDS = sa.MetaData()
DEED = sa.Table(
    "deed", DEEDS, sa.Column("name", sa.Text, primary_key=True), sa.Column("body", sa.LargeBinary)
)
ECHO = sa.Table("echo", DEEDS, sa.Column("name", sa.Text, primary_key=True))
STOCK = sa.Table("stock", DEEDS, sa.Column("taken", sa.Integer, nullable=False))
OPEN = sa.insert(STOCK).from_select(
    ["taken"], sa.select(sa.literal(0)).where(~sa.exists().select_from(STOCK))
)


async def do_deeds(journal: Journal, prefix: str, callers: int, each: int, size: int) -> None:
    async def call(caller: int) -> None:
        for number in range(each):
            name = f"{prefix}-{caller}-{number}"

            try:
                await journal.write(deed(name, os.urandom(size)))
            except OutcomeUnknownError:
                say(f"unknown {name}")
            except UnavailableError:
                say(f"refused {name}")
            else:
                say(f"did {name}")

    await asyncio.gather(*(call(caller) for caller in range(callers)))


def deed(name: str, body: bytes) -> Callable[[Transaction], None]:
    def use_case(tx: Transaction) -> None:
        tx.connection.execute(sa.insert(DEED), {"name": name, "body": body})
        tx.connection.execute(sa.insert(ECHO), {"name": name})

    return use_case


async def take_stock(journal: Journal, callers: int, limit: int) -> None:
    take = sa.update(STOCK).where(STOCK.c.taken < limit).values(taken=STOCK.c.taken + 1)

    async def call(caller: int) -> None:
        if await journal.write(lambda tx: tx.connection.execute(take).rowcount):
            say(f"did {caller}")

    await asyncio.gather(*(call(caller) for caller in range(callers)))


def prepare(tx: Transaction) -> None:
    DEEDS.create_all(tx.connection)
    tx.connection.execute(OPEN)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def main(address: str, task: str, *numbers: str) -> None:
    with Journal.open(address) as journal:
        journal.write_now(prepare)
        if task == "take":
            callers, limit = map(int, numbers)
            asyncio.run(take_stock(journal, callers, limit))
        else:
            callers, each, size = (*map(int, numbers), 1)[:3]
            asyncio.run(do_deeds(journal, task, callers, each, size))


if __name__ == "__main__":
    main(*sys.argv[1:])
