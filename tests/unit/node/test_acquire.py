"""What carries acquisitions works from what is written down now, not from what was when it looked."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from entrepot.journal import Journal
from entrepot.node.acquire import Acquirer
from entrepot.use import acquisition as acquisitions
from entrepot.values import Did, ProductId, UnavailableError, system_clock

PROVIDER = Did("did:web:provider.example")


class LateJournal:
    """A journal whose reader is so slow that what it has listed is over when it answers."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.write = journal.write

    async def read(self, query: Any) -> Any:
        found = await self._journal.read(query)
        if query is acquisitions.running:
            for one in found:
                await self._journal.write(lambda tx, one=one: acquisitions.received(tx, one, None))
        return found


class Acquaintance:
    """Knows nobody, and counts who was asked for."""

    def __init__(self) -> None:
        self.asked: list[Did] = []

    async def document(self, did: Did) -> Any:
        self.asked.append(did)
        raise UnavailableError("nobody answers")


@pytest.mark.parametrize("is_late", [True, False])
def test_what_was_over_when_the_list_came_is_not_begun_again(tmp_path: Path, is_late: bool) -> None:  # noqa: FBT001 (pytest names it)
    """Under load a delivery was fetched once more after its receipt, and counted as another use."""

    async def play() -> list[Did]:
        with Journal.open(f"sqlite:///{tmp_path / 'node.db'}", system_clock) as journal:
            journal.create_schema()
            await journal.write(
                lambda tx: acquisitions.begin(
                    tx, ProductId("urn:product"), None, tmp_path / "target", provider=PROVIDER
                )
            )
            acquaintance = Acquaintance()
            read_by = LateJournal(journal) if is_late else journal
            node: Any = SimpleNamespace(journal=read_by, acquaintance=acquaintance, clock=system_clock)
            nothing: Any = None
            acquirer = Acquirer(node, nothing, nothing, nothing)
            await acquirer.run()
            await asyncio.gather(*acquirer._tasks)
            return acquaintance.asked

    assert asyncio.run(play()) == ([] if is_late else [PROVIDER])
