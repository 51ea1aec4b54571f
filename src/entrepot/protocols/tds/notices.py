"""What a member of the space says in its own name: listings, ends of contracts, a supervisor's orders.

Each is signed outside of a transaction and queued inside of the one that decides it.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from entrepot import catalogue, space
from entrepot.catalogue import Product
from entrepot.identity import Signer
from entrepot.journal import Transaction
from entrepot.protocols.tds import codec
from entrepot.space import END_NOTICE, STOP_ORDER, EndNotice, Notice, PartyReason, StopOrder
from entrepot.values import ContractId, Did, MessageId, ProductId, UtcTime, canonical, render_time

INSISTED: Final = timedelta(days=30)
"""How long the platform is told of an end: with a day alone, what ended while it was down stayed filed."""


def list_with_platform(
    tx: Transaction, product: Product, registration: bytes, platform: Did, deadline: UtcTime
) -> None:
    """List a product with the platform, which passes its registration on to the ledger."""
    dataset = catalogue.render_dataset(product, product.provider)
    body = codec.render_listing(canonical.decode(canonical.encode(dataset)), registration)
    space.tell(tx, platform, Notice.PRODUCT, body, product.id, deadline, platform=True)


def withdraw_from_platform(
    tx: Transaction, product_id: ProductId, version: int, platform: Did, deadline: UtcTime
) -> None:
    """Take a product off the platform's catalogue; behind its listings, in one lane."""
    body = canonical.encode_struct(codec.ProductWithdraw(productId=product_id, version=version))
    space.tell(tx, platform, Notice.WITHDRAWAL, body, product_id, deadline, platform=True)


def sign_end(contract_id: ContractId, reason: PartyReason, now: UtcTime, of: str, signer: Signer) -> bytes:
    """Sign that we end a contract; `of` is a fresh id."""
    notice = EndNotice(at=render_time(now), contract=contract_id, id=of, reason=reason)
    return space.sign_statement(END_NOTICE, notice, signer)


def tell_end(
    tx: Transaction,
    notice: bytes,
    contract_id: ContractId,
    others: Iterable[Did],
    platform: Did,
    deadline: UtcTime,
) -> None:
    """Tell every other signatory and the platform that we have ended a contract."""
    until = max(deadline, tx.now + INSISTED)
    for did in others:
        space.tell(tx, did, Notice.CONTRACT_END, notice, contract_id, deadline)
    space.tell(tx, platform, Notice.CONTRACT_END, notice, contract_id, until, platform=True)


def sign_stop(contract_id: ContractId, reason: str, now: UtcTime, of: str, signer: Signer) -> bytes:
    """Sign a supervisor's order to stop what is done under a contract; `of` is a fresh id."""
    order = StopOrder(at=render_time(now), contract=contract_id, id=of, reason=reason)
    return space.sign_statement(STOP_ORDER, order, signer)


def tell_stop(
    tx: Transaction, order: bytes, contract_id: ContractId, platform: Did, deadline: UtcTime
) -> MessageId:
    """Send an order to the platform, which records it and passes it on to both parties."""
    return space.tell(tx, platform, Notice.STOP, order, contract_id, deadline, platform=True)
