"""Sending what the outbox holds, and what the answers mean (design: Messages).

2xx: the peer has it. 404, 409 and a closed connection count as *too early* for a while, then as any
other 4xx. 5xx and silence are repeated, with growing pauses, until the message's deadline. On a 4xx the
peer's state is read; of it only what suspends or ends the process is taken over, or our own message.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from entrepot import contracts
from entrepot.contracts import Desk, Party, State
from entrepot.journal import Journal, OutboxMessage, Transaction, postpone, settle
from entrepot.protocols.dsp import codec
from entrepot.protocols.route import Outgoing, Reply
from entrepot.use import process as transfers
from entrepot.values import Did, EntrepotError, ProcessId, UnavailableError, UtcTime

FIRST_PAUSE: Final = timedelta(milliseconds=100)
LONGEST_PAUSE: Final = timedelta(seconds=60)


class Meaning(StrEnum):
    """What an answer means for the message that it answers."""

    DELIVERED = "delivered"
    AGAIN = "again"
    REFUSED = "refused"


def judge(status: int | None, age: timedelta, too_early: timedelta, *, expired: bool) -> Meaning:
    """Judge an answer by its status (None: no answer at all) and the age of the message."""
    if status is not None and 200 <= status < 300:
        return Meaning.DELIVERED
    if expired:
        return Meaning.REFUSED
    if status is None or status >= 500 or status in {408, 425, 429}:
        return Meaning.AGAIN
    if status in {404, 409} and age < too_early:
        return Meaning.AGAIN
    return Meaning.REFUSED


def pause(attempts: int) -> timedelta:
    """How long to wait before the next attempt: doubling, with a bound."""
    doublings = min(max(attempts - 1, 0), 16)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


@dataclass(frozen=True, slots=True)
class Correspondence:
    """What it takes to bring messages to their peers."""

    journal: Journal
    desk: Desk
    rail: transfers.Rail
    outgoing: Outgoing
    authorization: Callable[[Did], Awaitable[str]]
    """Gives the `Authorization` header for a call to this party."""
    too_early: timedelta = timedelta(seconds=10)

    async def send(self, message: OutboxMessage, now: UtcTime) -> Meaning:
        """Send one message, take in what the answer means, and say what it was."""
        peer = await self.journal.look_up(lambda c: _peer(c, ProcessId(message.lane)))
        if peer is None:
            await self.journal.write(lambda tx: settle(tx, message.id))
            return Meaning.DELIVERED
        reply = await self._post(message, peer.did)
        age = now - message.not_before + pause(message.attempts)
        status, expired = None if reply is None else reply.status, now >= message.deadline
        meaning = judge(status, age, self.too_early, expired=expired)
        state = None
        if meaning is Meaning.REFUSED:
            try:
                state = await self.read_state(peer)
            except UnavailableError:
                # What the refusal means is not known before the peer's state is; a repeat is refused again.
                meaning = meaning if expired else Meaning.AGAIN
        if meaning is Meaning.DELIVERED and reply is not None:
            await self._delivered(message, peer, reply)
        elif meaning is Meaning.AGAIN:
            until = now + pause(message.attempts)
            await self.journal.write(lambda tx: postpone(tx, message.id, until))
        else:
            why = "no answer before the deadline"
            if reply is not None:
                said = "; ".join(codec.read_reasons(reply.body))
                why = f"the peer answered {status}" + (f": {said}" if said else "")
            await self.journal.write(lambda tx: self._refused(tx, message, state, why))
        return meaning

    async def read_state(self, peer: "Peer") -> State | None:
        """Ask the peer where its side of the process stands; None where it shows us none."""
        # Its id may have come with a message while ours was on its way.
        known = await self.journal.look_up(lambda c: _peer(c, peer.ours))
        if known is None or known.pid is None:
            return None
        url = f"{known.address.rstrip('/')}/{known.kind}/{codec.path_step(known.pid)}"
        try:
            headers = {"authorization": await self.authorization(peer.did)}
            reply = await self.outgoing("GET", url, headers=headers)
        except EntrepotError as error:
            raise UnavailableError(f"the peer's state cannot be read now: {error}") from error
        if judge(reply.status, timedelta(0), timedelta(0), expired=False) is Meaning.AGAIN:
            raise UnavailableError(f"the peer's state cannot be read now: it answered {reply.status}")
        return codec.read_state(reply.body)[0] if reply.status == 200 else None

    async def catch_up(self, ours: ProcessId) -> None:
        """Ask the peer of a process where it stands, and take over what suspends or ends it."""
        peer = await self.journal.look_up(lambda c: _peer(c, ours))
        if peer is not None:
            state = await self.read_state(peer)
            await self.journal.write(lambda tx: _adopt(tx, peer, state))

    async def _post(self, message: OutboxMessage, did: Did) -> Reply | None:
        try:
            headers = {"authorization": await self.authorization(did), "content-type": "application/json"}
            return await self.outgoing("POST", message.address, message.body, headers)
        except EntrepotError:
            # Whatever stands between us and the peer today (no answer, an address that may not be called,
            # a DID document that does not resolve) may be mended before the message's deadline.
            return None

    async def _delivered(self, message: OutboxMessage, peer: "Peer", reply: Reply) -> None:
        _, consumer, provider = codec.read_state(reply.body)
        peer_pid = provider if peer.party is Party.CONSUMER else consumer

        def take_in(tx: Transaction) -> bool:
            settle(tx, message.id)
            if peer.kind == "negotiations":
                return contracts.delivered(tx, self.desk, message.id, peer_pid) is not None
            return transfers.delivered(tx, self.rail, message.id, peer_pid) is not None

        if not await self.journal.write(take_in):
            # The peer took in a move that we had dropped: its state may have gone another way.
            try:
                state = await self.read_state(peer)
            except UnavailableError:
                return  # its next message, or our next one, will show it
            await self.journal.write(lambda tx: _adopt(tx, peer, state))

    def _refused(self, tx: Transaction, message: OutboxMessage, state: State | None, why: str) -> None:
        settle(tx, message.id)
        contracts.refused(tx, self.desk, message.id, state, why)
        transfers.refused(tx, self.rail, message.id, state, why)


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side of a process."""

    ours: ProcessId
    kind: str
    did: Did
    address: str
    pid: ProcessId | None
    party: Party
    """Our own role."""


def _peer(connection: Connection, ours: ProcessId) -> Peer | None:
    negotiation = contracts.read_negotiation(connection, ours)
    if negotiation is not None:
        at = negotiation.exchange
        return Peer(
            ours, "negotiations", negotiation.counterparty, negotiation.address, at.peer_pid, at.party
        )
    process = transfers.read_process(connection, ours)
    if process is not None:
        at = process.exchange
        return Peer(ours, "transfers", process.counterparty, process.address, at.peer_pid, at.party)
    return None


def _adopt(tx: Transaction, peer: Peer, state: State | None) -> None:
    if peer.kind == "negotiations":
        contracts.adopt(tx, peer.ours, state)
    else:
        transfers.adopt(tx, peer.ours, state)
