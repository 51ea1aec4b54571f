"""A wire to a database that breaks at COMMIT: before the server has it, or before its answer is back."""

import contextlib
import select
import socket
import threading
from enum import StrEnum
from typing import Self


class Breaks(StrEnum):
    """Where the wire breaks, once, when a COMMIT passes."""

    NOWHERE = "nowhere"
    BEFORE = "before"
    """The server never sees it."""
    AFTER = "after"
    """The server has done it, and its answer is lost."""


class Wire:
    """A relay on loopback to the server at `port`; `cut` takes no call until `mend`."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.breaks = Breaks.NOWHERE
        self.stays_cut = False
        self.broken = threading.Event()
        self._is_cut = False
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def mend(self) -> None:
        self._is_cut = False

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for source, sink in ((client, server), (server, client)):
                    if source in ready:
                        data = source.recv(65536)
                        if not data:
                            return
                        if source is client and self.breaks is not Breaks.NOWHERE and b"COMMIT" in data:
                            self._break(server, data)
                            return
                        sink.sendall(data)

    def _break(self, server: socket.socket, data: bytes) -> None:
        if self.breaks is Breaks.AFTER:
            server.sendall(data)
            server.recv(65536)
        self.breaks = Breaks.NOWHERE
        self._is_cut = self.stays_cut
        self.broken.set()
