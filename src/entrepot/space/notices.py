"""What the platform and its members tell each other outside of the Dataspace Protocol, as outbox messages.

A notice is addressed to a party, not to a URL: where the party is reached is found when it is sent.
"""

from enum import StrEnum
from typing import Final

from entrepot.journal import OutboxMessage, Transaction, enqueue
from entrepot.values import Did, MessageId, ProtocolError, UtcTime, sha256

TDS: Final = "tds"
"""Kind of outbox messages that hold a notice."""


class Notice(StrEnum):
    """National names of what is sent (china-tds §6.5, §7.4; those from `DUTY` on have no national one)."""

    CONTRACT_END = "contractTerminate"
    STOP = "abnormalTermination"
    RECEIPT = "fulfillmentProof"
    PRODUCT = "productRegister"
    DUTY = "dutyPerformance"
    WITHDRAWAL = "productWithdraw"
    SERVED = "serviceContractFiled"
    SERVICE_WITHDRAWAL = "serviceSignatureWithdraw"


def tell(
    tx: Transaction,
    to: Did,
    notice: Notice,
    body: bytes,
    about: str,
    deadline: UtcTime,
    *,
    platform: bool = False,
) -> MessageId:
    """Queue a notice for a party; those about one thing keep their order."""
    message_id = MessageId(tx.new_id())
    message = OutboxMessage(
        id=message_id,
        kind=TDS,
        lane=f"tds:{sha256(f'{to} {about}'.encode()).hex()[:32]}",
        address=f"{'platform' if platform else 'party'} {to} {notice}",
        body=body,
        not_before=tx.now,
        deadline=deadline,
    )
    enqueue(tx, message)
    return message_id


def addressed(address: str) -> tuple[Did, Notice, bool]:
    """Read the address of a notice: to whom, what, and whether to the platform."""
    parts = address.split(" ")
    if len(parts) != 3 or parts[0] not in {"platform", "party"}:
        raise ProtocolError(f"no address of a notice: {address[:100]!r}")
    return Did(parts[1]), Notice(parts[2]), parts[0] == "platform"
