"""What was found of others, kept for a while, and asked for once where several want it at once."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeVar

from entrepot.values import Clock, UtcTime

K = TypeVar("K")
T = TypeVar("T")

MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T
    found: UtcTime
    asked: UtcTime
    """When it was last asked for, answered or not."""


class Shelf(Generic[K, T]):
    """What was found of each, the latest `MOST` of them, and what is being asked for now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[K, _Kept[T]] = OrderedDict()
        self._asking: dict[K, asyncio.Task[T]] = {}

    def find(self, key: K, most: timedelta) -> T | None:
        """What is kept of `key`, if it was asked for less than `most` ago."""
        kept = self._kept.get(key)
        return kept.value if kept is not None and self._clock() - kept.asked < most else None

    def known(self, key: K, most: timedelta) -> T | None:
        """What is kept of `key`, if it was found less than `most` ago."""
        kept = self._kept.get(key)
        return kept.value if kept is not None and self._clock() - kept.found < most else None

    def keep(self, key: K, value: T, *, asked: UtcTime | None = None) -> T:
        now = self._clock()
        self._kept[key] = _Kept(value, now, asked or now)
        self._kept.move_to_end(key)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return value

    def postpone(self, key: K) -> None:
        """Ask no sooner than for something found now: the answer could not be had."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept[key] = _Kept(kept.value, kept.found, self._clock())

    async def ask(self, key: K, question: Callable[[], Coroutine[None, None, T]]) -> T:
        """Ask, or wait for the answer to the same question of another call; keep the answer."""
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(question())
            self._asking[key] = asking
            asking.add_done_callback(lambda _: self._asking.pop(key))
        # A call that is given up must not take the answer from the others.
        return self.keep(key, await asyncio.shield(asking))
