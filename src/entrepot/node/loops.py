"""The loops of a node: outbox, sealing, status lists, and whatever a role does again and again.

A loop that fails logs the traceback and goes on after a pause: one bad message must not stop the rest.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from entrepot.journal import Journal, OutboxMessage, claim, lease, next_due, seal_audit_as
from entrepot.node.node import Loop, Send
from entrepot.values import Clock, EntrepotError, Log

_log: Final = Log()
_LEASE_SECONDS: Final = 60.0
_TENURE_SECONDS: Final = 30.0
_AT_ONCE: Final = 64
_LONGEST_PAUSE: Final = 30.0


class Loops:
    """Runs the loops of a node until they are stopped."""

    def __init__(self, journal: Journal, holder: str, loops: Sequence[Loop]) -> None:
        self._loops = loops
        self._holder = holder
        self._written: list[asyncio.Event] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._journal = journal

    def start(self) -> None:
        running = asyncio.get_running_loop()
        for loop in self._loops:
            written = asyncio.Event()
            if loop.wakes:
                self._written.append(written)
            tenure = Tenure(self._journal, loop, self._holder)
            self._tasks.append(running.create_task(_repeat(loop, tenure, written), name=loop.name))

        def wake() -> None:
            running.call_soon_threadsafe(self._wake)

        self._journal.on_commit(wake)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake(self) -> None:
        for written in self._written:
            written.set()


class Tenure:
    """Whose turn a loop is that one worker at a time must do; the others look again with every turn."""

    def __init__(self, journal: Journal, loop: Loop, holder: str) -> None:
        self._journal = journal
        self._is_open = not (loop.alone and journal.is_shared)
        self._name = f"loop:{loop.name}"
        self._holder = holder
        self._until = 0.0

    async def is_ours(self) -> bool:
        """Take or keep the turn. It is renewed at half time, so an idle worker hardly writes."""
        if self._is_open or time.monotonic() < self._until:
            return True
        asked = time.monotonic()
        if not await self._journal.write(lambda tx: lease(tx, self._name, self._holder, _TENURE_SECONDS)):
            return False
        self._until = asked + _TENURE_SECONDS / 2
        return True


async def _repeat(loop: Loop, tenure: Tenure, written: asyncio.Event) -> None:
    failures = 0
    while True:
        written.clear()
        started = time.monotonic()
        after = loop.seconds
        try:
            result = await loop.run() if await tenure.is_ours() else None
            failures = 0
            if result is True:
                await asyncio.sleep(0)
                continue
            if isinstance(result, float):
                after = min(result, loop.seconds)
        except EntrepotError as error:
            failures += 1
            _log.info("loop", loop=loop.name, error=type(error).__name__, detail=str(error))
        except Exception:  # noqa: BLE001 (a process-level loop: it logs and goes on)
            failures += 1
            _log.exception("loop", loop=loop.name)
        pause = min(after * (1 << min(failures, 6)), max(_LONGEST_PAUSE, after))
        waited = max(pause - (time.monotonic() - started), 0.01)
        try:
            async with asyncio.timeout(waited):
                await (written.wait() if not failures else asyncio.Event().wait())
        except TimeoutError:
            continue


class OutboxLoop:
    """Sends what is due, each lane in order, many lanes at once."""

    def __init__(self, journal: Journal, senders: Mapping[str, Send], holder: str, clock: Clock) -> None:
        self._journal = journal
        self._senders = senders
        self._holder = holder
        self._clock = clock
        self._in_flight: set[asyncio.Task[None]] = set()

    async def run(self) -> float | bool:
        """Take what is due and send it; gives when to come again, `True` for at once."""
        kinds = tuple(self._senders)
        due_at = await self._journal.look_up(lambda c: next_due(c, kinds))
        if due_at is None or (wait := (due_at - self._clock()).total_seconds()) > 0:
            return _LONGEST_PAUSE if due_at is None else wait
        room = _AT_ONCE - len(self._in_flight)
        if room <= 0:
            await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
            return True
        due = await self._journal.write(lambda tx: claim(tx, self._holder, kinds, _LEASE_SECONDS, room))
        for message in due:
            task = asyncio.create_task(self._send(message))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
        return True

    async def _send(self, message: OutboxMessage) -> None:
        try:
            await self._senders[message.kind](message, self._clock())
        except EntrepotError as error:
            _log.info("send", kind=message.kind, message=message.id, error=type(error).__name__)
        except Exception:  # noqa: BLE001 (one message must not stop the others; its lease runs out)
            _log.exception("send", kind=message.kind, message=message.id)


def audit_loop(journal: Journal, holder: str) -> Loop:
    """Chains audit events; one holder at a time."""

    async def run() -> bool:
        return bool(await journal.write(lambda tx: seal_audit_as(tx, holder)))

    return Loop("audit", 5.0, run)
