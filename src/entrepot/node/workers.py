"""Several processes of one node, over one PostgreSQL database: they share its folder, ports and keys.

The first process holds the folder, listens, and starts the workers; it serves nothing itself. A worker that
was killed is started again; one that gives up by itself, because something is wrong, ends the node. When
the first process dies, however it dies, its workers stop.
"""

import contextlib
import os
import signal
import socket
import time
from typing import Final, TypeAlias

from entrepot.node.settings import Listen, host_of, port_of
from entrepot.values import Log, UnavailableError

_log: Final = Log()
_PAUSE_SECONDS: Final = 1.0
_WAITING: Final = 2048

Sockets: TypeAlias = tuple[list[socket.socket] | None, list[socket.socket] | None]
"""Where a worker takes its calls, public and owner's; a single process listens by itself."""


def listening(listen: Listen) -> Sockets:
    """Listen on both ports; every worker takes calls from them."""
    addresses = [(host_of(a), port_of(a)) for a in (listen.public, listen.owner)]
    try:
        public, owner = (
            socket.create_server(
                a, family=socket.AF_INET6 if ":" in a[0] else socket.AF_INET, backlog=_WAITING
            )
            for a in addresses
        )
    except OSError as error:
        raise UnavailableError(
            f"cannot listen on {listen.public} and {listen.owner}; are they taken?"
        ) from error
    return [public], [owner]


def supervise(count: int) -> int | None:
    """Start so many workers and watch over them. Returns in each worker too.

    In a worker it gives a descriptor that comes to its end when the first process does; in the first process
    None, once all workers have ended.
    """
    reading, writing = os.pipe()
    workers: set[int] = set()
    is_told = False
    gave_up = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal is_told
        is_told = True
        _tell(workers)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    while not is_told and not gave_up:
        while len(workers) < count:
            worker = os.fork()
            if not worker:
                os.close(writing)
                for number, handler in before.items():
                    signal.signal(number, handler)
                return reading
            workers.add(worker)
            _log.info("worker started", pid=worker)
        gave_up = not _was_killed(workers)
    while workers:
        _tell(workers)
        workers.discard(os.wait()[0])
    if gave_up and not is_told:
        raise UnavailableError("a worker gave up; the log says why")
    return None


def _was_killed(workers: set[int]) -> bool:
    """Wait until a worker has ended, and say whether somebody killed it."""
    worker, status = os.wait()
    workers.discard(worker)
    _log.warning("worker ended", pid=worker, code=os.waitstatus_to_exitcode(status))
    if os.WIFSIGNALED(status):
        time.sleep(_PAUSE_SECONDS)
    return os.WIFSIGNALED(status)


def _tell(workers: set[int]) -> None:
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGTERM)
