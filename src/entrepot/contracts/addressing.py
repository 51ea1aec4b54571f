"""Which process of ours a message is about, and under which ids its two parties know it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from entrepot.contracts.exchange import Exchange, Machine, Party
from entrepot.contracts.model import Message
from entrepot.values import Did, NotFoundError, ProcessId


class Kept(Protocol):
    """A negotiation or a transfer process."""

    @property
    def counterparty(self) -> Did: ...


K = TypeVar("K", bound=Kept)


def meant(machine: Machine, message: Message, sender: Did, read: Callable[[ProcessId], K | None]) -> K:
    """The process that a message is addressed to, or else one of those it names; only the sender's own."""
    named = (message.provider_pid, message.consumer_pid)
    for pid in named if message.addressed_to is None else (message.addressed_to,):
        found = None if pid is None else read(pid)
        if found is not None and found.counterparty == sender:
            return found
    raise _unknown(machine)


def identified(machine: Machine, exchange: Exchange, message: Message) -> Exchange:
    """Check both ids of a message against those known, or learn the peer's."""
    consumer, provider = message.consumer_pid, message.provider_pid
    ours, theirs = (provider, consumer) if exchange.party is Party.PROVIDER else (consumer, provider)
    if ours not in {None, exchange.id} or (
        exchange.peer_pid is not None and theirs not in {None, exchange.peer_pid}
    ):
        raise _unknown(machine)
    return replace(exchange, peer_pid=theirs) if exchange.peer_pid is None else exchange


def _unknown(machine: Machine) -> NotFoundError:
    return NotFoundError(f"there is no such {machine.name} with you")
