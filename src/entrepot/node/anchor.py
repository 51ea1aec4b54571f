"""What a node does with its ledger: send transactions until they are witnessed, and anchor its records."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from entrepot.identity import KeyJob
from entrepot.journal import OutboxMessage, postpone, settle
from entrepot.ledger import (
    Batch,
    BatchState,
    Reason,
    SignedTransaction,
    Status,
    TransactionState,
    batch_committed,
    batch_of,
    batch_witnessed,
    batches_in,
    batches_on_ledger,
    decode_note,
    decode_transaction,
    parse_checkpoint,
    rejoin_batches,
    resubmit_batch,
    seal_records,
    sign_batch,
    submit_batch,
)
from entrepot.ledger.modules.usage import UsageBatch
from entrepot.node.node import Loop, Node, Settled
from entrepot.protocols.dsp import pause
from entrepot.values import Log, RefusedError, UnavailableError, UtcTime, canonical

_log: Final = Log()
_SOON: Final = timedelta(milliseconds=150)
_DEADLINE: Final = timedelta(days=7)
USAGE: Final = "usage.batch"


@dataclass(frozen=True, slots=True)
class LedgerSender:
    """Brings signed transactions to the ledger and asks after them until they are witnessed.

    A transaction stays in the outbox until then; what the ledger has lost meanwhile is sent again.
    """

    node: Node
    settled: Mapping[str, Settled]
    """Who wants to know, by operation."""

    async def send(self, message: OutboxMessage, now: UtcTime) -> None:
        signed = decode_transaction(message.body)
        try:
            status = await self.node.ledger.status(signed.id)
            if status.state is TransactionState.UNKNOWN:
                await self.node.ledger.submit(message.body)
                status = Status(TransactionState.ACCEPTED)
        except UnavailableError:
            await self._again(message, now + pause(message.attempts))
            return
        except RefusedError as error:
            status = Status(TransactionState.REFUSED, reason=_reason(error))
        tell = self.settled.get(signed.transaction.op)
        if tell is not None and status.state not in {TransactionState.ACCEPTED, TransactionState.UNKNOWN}:
            await tell(signed, status)
        final = {TransactionState.WITNESSED, TransactionState.REFUSED}
        if not self.node.settings.space.witnesses:
            final.add(TransactionState.COMMITTED)
        if status.state in final:
            await self.node.journal.write(lambda tx: settle(tx, message.id))
        else:
            await self._again(message, now + _SOON)

    async def _again(self, message: OutboxMessage, until: UtcTime) -> None:
        await self.node.journal.write(lambda tx: postpone(tx, message.id, until))


def _reason(error: RefusedError) -> Reason:
    for text in error.reasons:
        if text in tuple(Reason):
            return Reason(text)
    return Reason.UNKNOWN


async def usage_settled(node: Node, signed: SignedTransaction, status: Status) -> None:
    """Note how far one of our batches has come."""
    number = canonical.decode_struct(bytes(signed.transaction.body), UsageBatch).number
    if status.state is TransactionState.REFUSED:
        _log.error("batch refused", number=number, reason=status.reason)
        if status.reason is Reason.EXPIRED:
            await _sign_again(node, number)
        elif status.reason in {Reason.NOT_NEXT, Reason.WRONG_PREVIOUS}:
            await _rejoin(node, number)
        return
    position = status.number
    if position is None:
        return
    await node.journal.write(lambda tx: batch_committed(tx, number, position))
    if status.state is TransactionState.WITNESSED:
        await node.journal.write(lambda tx: batch_witnessed(tx, number))


def sealing_loop(node: Node) -> Loop:
    """Closes committed records into batches, signs them and hands them to the outbox."""

    async def run() -> None:
        await node.journal.write(lambda tx: seal_records(tx, node.boot))
        waiting = await node.journal.read(lambda c: batches_in(c, BatchState.SEALED))
        if waiting:
            height = (await node.ledger.standing()).height
            for batch in waiting:
                await _submit(node, batch, height)

    return Loop("seal", node.settings.records.seal, run, alone=True)


async def _submit(node: Node, batch: Batch, height: int) -> None:
    raw, deadline = _signed(node, batch, height), node.clock() + _DEADLINE
    address = node.settings.space.ledger_url
    await node.journal.write(lambda tx: submit_batch(tx, batch.number, raw, address, deadline))


async def _sign_again(node: Node, number: int) -> None:
    """Sign a batch anew whose transaction had grown too old; the ledger has said that it never took it."""
    batch = await node.journal.read(lambda c: batch_of(c, number))
    if batch is not None and batch.state is BatchState.SUBMITTED:
        raw = _signed(node, batch, (await node.ledger.standing()).height)
        address, deadline = node.settings.space.ledger_url, node.clock() + _DEADLINE
        await node.journal.write(lambda tx: resubmit_batch(tx, number, raw, address, deadline))


async def _rejoin(node: Node, number: int) -> None:
    """Find out from the log which batches of ours a restored backup has forgotten, and go on behind them."""
    checkpoint = parse_checkpoint(decode_note(await node.ledger.checkpoint()).text)
    entries = await node.ledger.entries(0, checkpoint.size)
    anchored = await asyncio.to_thread(batches_on_ledger, entries, checkpoint, node.me)
    lost = await node.journal.write(lambda tx: rejoin_batches(tx, number, anchored))
    _log.warning("batches are on the ledger that are not here", number=number, lost=lost)


def _signed(node: Node, batch: Batch, height: int) -> bytes:
    signer = node.vault.signer(KeyJob.EVIDENCE)
    return sign_batch(
        batch,
        chain=node.settings.space.ledger_origin,
        height=height,
        actor=node.me,
        key=signer.key_id,
        signer=signer,
    )
