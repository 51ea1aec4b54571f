"""Telling of ends: of contracts that we end, and of ids under which a contract may be filed that never came.

What ended in one transaction is told in another, since a notice is signed outside of both; between them a
mark in the tables keeps it, so that whoever is killed there tells it when it runs again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from entrepot import contracts
from entrepot.contracts import Contract, EndReason, Negotiation
from entrepot.identity import Signer
from entrepot.journal import Journal, Transaction, new_uuid
from entrepot.protocols.tds.notices import sign_end, tell_end
from entrepot.space import PartyReason
from entrepot.values import AgreementId, Clock, ContractId, Did


@dataclass(frozen=True, slots=True)
class Ends:
    """What it takes to tell of ends in our own name."""

    journal: Journal
    evidence: Signer
    platform: Did
    clock: Clock
    deadline: timedelta
    cut: Callable[[AgreementId], None]
    """Cuts what runs under a contract."""

    def notice(self, contract_id: ContractId, reason: EndReason) -> bytes:
        """Sign an end, outside of a transaction."""
        return sign_end(contract_id, PartyReason(reason), self.clock(), new_uuid(), self.evidence)

    def tell(self, tx: Transaction, contract_id: ContractId, others: Iterable[Did], notice: bytes) -> None:
        """Tell an end to every other signatory and to the platform."""
        tell_end(tx, notice, contract_id, others, self.platform, tx.now + self.deadline)

    async def work(self) -> bool:
        """Tell what ended because its negotiation did; False where there is nothing."""
        ended = await self.journal.read(contracts.ends_untold)
        voids = await self.journal.read(contracts.voids_untold)
        for contract in ended:
            await self._tell_of_contract(contract)
        for negotiation in voids:
            await self._tell_of_void(negotiation)
        return bool(ended or voids)

    async def _tell_of_contract(self, contract: Contract) -> None:
        """It had been filed, so it was a contract."""
        self.cut(contract.agreement.id)
        notice = self.notice(contract.contract_id, EndReason.AGREEMENT)

        def tell(tx: Transaction) -> None:
            if contracts.end_told(tx, contract.agreement.id):
                self.tell(tx, contract.contract_id, contract.others, notice)

        await self.journal.write(tell)

    async def _tell_of_void(self, negotiation: Negotiation) -> None:
        """We hold no contract, but may have asked for its filing; the platform tells the others."""
        contract_id = negotiation.signing.contract_id
        if contract_id is None:
            raise AssertionError("only what has an id is kept to be told")
        notice = self.notice(contract_id, EndReason.AGREEMENT)

        def tell(tx: Transaction) -> None:
            if contracts.void_told(tx, negotiation.exchange.id):
                self.tell(tx, contract_id, (), notice)

        await self.journal.write(tell)
