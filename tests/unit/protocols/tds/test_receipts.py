"""Who waits for a receipt: let go when it is signed, and after a while in any case."""

import asyncio

from entrepot.protocols.tds import Receipts
from entrepot.values import ContractId

ONE, OTHER = ContractId("one"), ContractId("other")


def test_whoever_waits_is_let_go_by_the_receipt_of_that_contract() -> None:
    """Else a filing would be asked about again and again, or wait for another's receipt."""

    async def play() -> None:
        receipts = Receipts(patience=60)
        with (
            receipts.awaited(ONE) as first,
            receipts.awaited(ONE) as second,
            receipts.awaited(OTHER) as third,
        ):
            waiting = [asyncio.ensure_future(wait()) for wait in (first, second, third)]
            receipts.signed(ONE)
            await asyncio.gather(*waiting[:2])
            assert not waiting[2].done()
            receipts.signed(OTHER)
            await waiting[2]

    asyncio.run(play())


def test_a_receipt_signed_between_listening_and_waiting_is_not_missed() -> None:
    """The ledger may be quicker than the answer to the filing."""

    async def play() -> None:
        receipts = Receipts(patience=60)
        with receipts.awaited(ONE) as receipt:
            receipts.signed(ONE)
            await receipt()

    asyncio.run(play())


def test_patience_ends() -> None:
    """A ledger that stands still does not hold the caller's connection for ever."""

    async def play() -> None:
        receipts = Receipts(patience=0.01)
        with receipts.awaited(ONE) as receipt:
            await receipt()
        receipts.signed(ONE)

    asyncio.run(play())
