"""A restored node: looking up on the ledger what it has forgotten, and its owner's word on that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from entrepot import space, use
from entrepot.contracts import Contract, EndReason
from entrepot.ledger import (
    batches_on_ledger,
    decode_note,
    parse_checkpoint,
    register_on_ledger,
)
from entrepot.node import rows
from entrepot.node.api import answer, owner_route
from entrepot.node.node import Loop
from entrepot.node.settings import Role
from entrepot.protocols import Call, Response, Route
from entrepot.values import AgreementId, ContractId, Log, NotFoundError, render_time

if TYPE_CHECKING:
    from entrepot.journal import Transaction
    from entrepot.node.node import Node

_log: Final = Log()


def restored_routes(node: Node) -> list[Route]:
    journal = node.journal

    async def show(_call: Call) -> Response:
        found = await journal.read(use.newest_restore)
        if found is None:
            raise NotFoundError("this node was never restored from a backup")
        return answer(_row(found))

    async def accept(_call: Call) -> Response:
        """The owner takes the gap as it is; from now on the node serves again."""
        return answer(_row(await journal.write(use.accept_restored)))

    return [
        owner_route("GET", "/owner/restored", show, rows.RestoredRow),
        owner_route("POST", "/owner/restored/accept", accept, rows.RestoredRow),
    ]


def comparing_loop(node: Node, cut: Callable[[AgreementId], None]) -> Loop:
    """Reads the ledger once after a restore: our batches, ends of contracts; a platform its whole register.

    A ledger that was restored itself is read once it has back what its witnesses cosigned.
    """

    async def run() -> None:
        found = await node.journal.read(use.newest_restore)
        if found is None or found.compared_at is not None or not (await node.ledger.standing()).ordering:
            return
        checkpoint = parse_checkpoint(decode_note(await node.ledger.checkpoint()).text)
        entries = await node.ledger.entries(0, checkpoint.size)
        anchored = await asyncio.to_thread(batches_on_ledger, entries, checkpoint, node.me)
        register = await asyncio.to_thread(register_on_ledger, entries)
        ends = {ContractId(i): EndReason(c.ended) for i, c in register.contracts.items() if c.ended}

        def note(tx: Transaction) -> list[Contract]:
            later = [a.number for a in anchored if a.number > found.batches]
            lost = (later[0], later[-1]) if later else None
            if Role.PLATFORM in node.settings.roles:
                relearnt = space.relearn_register(tx, register, node.me)
                _log.warning("register taken up from the ledger", **asdict(relearnt))
            return use.compared(tx, found.number, lost, ends)

        for contract in await node.journal.write(note):
            cut(contract.agreement.id)

    return Loop("compare after a restore", 2.0, run, wakes=True, alone=True)


def _row(found: use.Restored) -> rows.RestoredRow:
    return {
        "backupAt": found.backup_at,
        "restoredAt": render_time(found.restored_at),
        "comparedAt": None if found.compared_at is None else render_time(found.compared_at),
        "firstLost": found.first,
        "lastLost": found.last,
        "accepted": found.accepted_at is not None,
        "gap": found.gap,
    }
