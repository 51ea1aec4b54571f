"""The clerk signs what was decided and stores what it signed, always outside of a transaction.

Decided, signed, stored: a node that is killed between two of these finds its work again in the tables,
so a pass of the clerk can be repeated at any time, by any number of clerks.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from entrepot.identity import Signer
from entrepot.journal import Journal
from entrepot.space import endings, filing, membership, operations, service
from entrepot.space.model import FiledContract, Member, Operation, Rules
from entrepot.values import Clock, ContractId, UtcTime


@dataclass(slots=True)
class Clerk:
    """What it takes to sign for the platform."""

    journal: Journal
    rules: Rules
    identity: Signer
    """Signs credentials and status lists."""
    evidence: Signer
    """Signs ledger transactions and receipts."""
    chain: str
    height: Callable[[], int]
    """The ledger's height: a transaction names the one it was made at."""
    clock: Clock
    resign: timedelta = timedelta(seconds=30)
    receipt_signed: Callable[[ContractId], None] = lambda _: None
    """Told of each receipt once it is kept."""
    _listed: list[int] = field(default_factory=list, init=False)
    """Who was shut out on the list that this clerk has signed last."""

    async def work(self) -> int:
        """Do once all that waits to be signed; say how much that was."""
        done = len(
            await asyncio.gather(  # what is written at once is made durable at once
                *(self._send(o) for o in await self.journal.read(operations.unsigned)),
                *(self._certify(m) for m in await self.journal.read(membership.members_without_credential)),
                *(self._receipt(c) for c in await self.journal.read(filing.contracts_without_receipt)),
            )
        )
        if await self.journal.read(membership.shut_out) != self._listed:
            await self.sign_status_list()
            done += 1
        done += await self.journal.write(endings.end_expired) if await self._any_expired() else 0
        return done

    async def sign_status_list(self) -> str:
        """Sign the status list anew and publish it: every `resign`, and after a member was shut out."""
        now = self.clock()
        listed = await self.journal.read(membership.shut_out)
        signed, raw = await self.journal.read(
            lambda c: membership.sign_status_list(c, self.rules, self.identity, now)
        )
        await self.journal.write(lambda tx: membership.keep_status_list(tx, signed, raw))
        self._listed = listed
        return raw

    async def _send(self, operation: Operation) -> None:
        raw = operations.sign_operation(operation, self.chain, self.height(), self.evidence)
        await self.journal.write(lambda tx: operations.signed(tx, self.rules, operation, raw))

    async def _certify(self, member: Member) -> None:
        credential = membership.sign_credential(member, self.rules, self.identity)
        await self.journal.write(lambda tx: membership.keep_credential(tx, member, credential))

    async def _receipt(self, contract: FiledContract) -> None:
        receipt = filing.sign_receipt(contract, self.rules, self.evidence)
        await self.journal.write(lambda tx: service.receipt_signed(tx, contract.contract_id, receipt))
        self.receipt_signed(contract.contract_id)

    async def _any_expired(self) -> bool:
        now: UtcTime = self.clock()
        return await self.journal.read(lambda c: endings.has_expired(c, now))
