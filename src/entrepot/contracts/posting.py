"""Sending a move of our own: one message, written down with the move, that leaves after the commit."""

from datetime import timedelta
from typing import Protocol

from entrepot.contracts.desk import DSP, Render
from entrepot.contracts.exchange import Exchange, Move, Party, State
from entrepot.contracts.model import Content, Message
from entrepot.journal import OutboxMessage, Transaction, enqueue
from entrepot.values import MessageId


class Sender(Protocol):
    """What a node knows about sending: the desk of negotiations, and the rail of transfer processes."""

    @property
    def render(self) -> Render: ...
    @property
    def callback(self) -> str: ...
    @property
    def follow_up(self) -> timedelta: ...
    @property
    def deadline(self) -> timedelta: ...
    @property
    def deadline_waiting(self) -> timedelta: ...


def post(
    tx: Transaction,
    sender: Sender,
    before: Exchange,
    move: Move,
    message_id: MessageId,
    content: Content,
    address: str,
) -> None:
    """Queue the message of a move that is made in this transaction, from where the process stood `before`.

    A first message goes at once and names where we are called back; a later one gives the peer the time
    to take note of what it was answered.
    """
    first, is_consumer = before.state is State.INITIAL, before.party is Party.CONSUMER
    message = Message(
        id=message_id,
        move=move,
        consumer_pid=before.id if is_consumer else before.peer_pid,
        provider_pid=before.peer_pid if is_consumer else before.id,
        content=content,
        callback=sender.callback if first else "",
        addressed_to=before.peer_pid,
    )
    where, body = sender.render(message, address)
    enqueue(
        tx,
        OutboxMessage(
            id=message_id,
            kind=DSP,
            lane=before.id,
            address=where,
            body=body,
            not_before=tx.now if first else tx.now + sender.follow_up,
            deadline=tx.now + (sender.deadline_waiting if first else sender.deadline),
        ),
    )
