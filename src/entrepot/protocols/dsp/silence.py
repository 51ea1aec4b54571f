"""Peers that have fallen silent: what waits for them asks where they stand (design: Messages).

Some connectors end a process on their side and do not say so. What would wait for ever takes over that it
is suspended or over; what carries content, such as a start, still has to come as a message.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot import contracts
from entrepot.contracts import Exchange
from entrepot.protocols.dsp.client import Correspondence
from entrepot.use import AcquisitionState
from entrepot.use import acquisition as acquisitions
from entrepot.use import process as transfers
from entrepot.values import Clock, ProcessId, UnavailableError, UtcTime

PATIENCE: Final = timedelta(seconds=60)
"""For so long nothing has moved before a peer is asked, and again after as long."""
MOST: Final = 50
"""So many are asked in one round."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Asks in rounds; what it has seen of each process lives as long as the node runs."""

    correspondence: Correspondence
    clock: Clock
    _since: dict[ProcessId, tuple[int, UtcTime]] = field(default_factory=dict)

    async def run(self) -> None:
        """Ask the peers of those processes that have not moved since they were seen `PATIENCE` ago."""
        now, journal = self.clock(), self.correspondence.journal
        waiting = await journal.read(_waiting)
        for pid in self._since.keys() - waiting.keys():
            del self._since[pid]
        due = []
        for pid, version in waiting.items():
            seen = self._since.setdefault(pid, (version, now))
            if seen[0] != version:
                self._since[pid] = (version, now)
            elif now - seen[1] >= PATIENCE:
                due.append(pid)
        for pid in due[:MOST]:
            self._since[pid] = (waiting[pid], now)
            try:
                await self.correspondence.catch_up(pid)
            except UnavailableError:
                continue  # it is asked again


def _waiting(connection: Connection) -> dict[ProcessId, int]:
    """The processes that acquisitions of ours wait for, with their versions; none with a word on its way."""
    found: list[Exchange] = []
    for acquisition in acquisitions.running(connection):
        if acquisition.state is AcquisitionState.NEGOTIATING and acquisition.negotiation_id is not None:
            negotiation = contracts.read_negotiation(connection, acquisition.negotiation_id)
            found += [] if negotiation is None else [negotiation.exchange]
        elif acquisition.state is AcquisitionState.OPENING and acquisition.process_id is not None:
            process = transfers.read_process(connection, acquisition.process_id)
            found += [] if process is None else [process.exchange]
    return {exchange.id: exchange.version for exchange in found if exchange.pending is None}
