"""Streams in flight, by agreement: a stop cuts them at once, drained or not."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from entrepot.values import AgreementId, ProcessId


class Stream:
    """One stream; `cut` is called from the event loop and may come before the gate has answered."""

    __slots__ = ("_abort", "_has_begun", "is_cut")

    def __init__(self, abort: Callable[[], None]) -> None:
        self._abort = abort
        self._has_begun = False
        self.is_cut = False

    def begin(self) -> None:
        """The gate has let it in: from now on a cut aborts it, and one that came before does so now.

        A call that the gate refuses is never aborted: its caller is told why.
        """
        self._has_begun = True
        if self.is_cut:
            self._abort()

    def cut(self) -> None:
        self.is_cut = True
        if self._has_begun:
            self._abort()


class Streams:
    """The streams of this run of the node. A handle is registered before the gate is asked."""

    def __init__(self) -> None:
        self._by_agreement: dict[AgreementId, set[Stream]] = defaultdict(set)
        self._by_process: dict[ProcessId, set[Stream]] = defaultdict(set)

    @contextmanager
    def registered(
        self, agreement_id: AgreementId, process_id: ProcessId, abort: Callable[[], None]
    ) -> Iterator[Stream]:
        stream = Stream(abort)
        places = (self._by_agreement[agreement_id], self._by_process[process_id])
        for place in places:
            place.add(stream)
        try:
            yield stream
        finally:
            for place in places:
                place.discard(stream)

    def processes(self) -> list[ProcessId]:
        """Processes with a stream in flight."""
        return [p for p, streams in self._by_process.items() if streams]

    def stop_agreement(self, agreement_id: AgreementId) -> int:
        """Cut every stream under an agreement; say how many there were."""
        return _cut(self._by_agreement.pop(agreement_id, set()))

    def stop_process(self, process_id: ProcessId) -> int:
        return _cut(self._by_process.pop(process_id, set()))


def _cut(streams: set[Stream]) -> int:
    for stream in tuple(streams):
        stream.cut()
    return len(streams)
