"""A door of the provider's, with nobody else at it: its consumer is held still meanwhile."""

import http.client
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from entrepot.identity import Vault
from space import PASSPHRASE, Acquiring, Space, wait_for

TRIES: Final = 10


@dataclass(frozen=True)
class Answered:
    """An answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Door:
    """An open door, its token, and the acquisition that it was hung for."""

    address: str
    path: str
    token: str
    acquiring: Acquiring
    authority: Path | None = None
    """Who vouches for the door, where it is one behind TLS."""

    def knock(self) -> socket.socket:
        """Ask for everything behind the door; gives the socket on which the answer comes."""
        host, _, port = self.address.rpartition(":")
        connection = connected((host, int(port)), self.authority)
        lines = (f"GET {self.path} HTTP/1.1", f"host: {self.address}", f"authorization: {self.token}", "", "")
        connection.sendall("\r\n".join(lines).encode())
        return connection

    def call(self) -> Answered:
        """Ask for everything, and read it."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request("GET", self.path, headers={"authorization": self.token})
            reply = connection.getresponse()
            return Answered(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()


def connected(address: tuple[str, int], authority: Path | None) -> socket.socket:
    """A connection, through TLS where an authority is named who vouches for the other end."""
    connection = socket.create_connection(address, timeout=60)
    if authority is None:
        return connection
    return ssl.create_default_context(cafile=authority).wrap_socket(connection, server_hostname=address[0])


class Doors:
    """Opens doors of the provider's. The token is derived from its keys, as the provider derives it."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._vault = Vault.open(space.provider.folder / "vault", PASSPHRASE)

    def token(self, process_id: str, epoch: int) -> str:
        """The token of a door of the provider's that was hung so many times."""
        return self._vault.derive("door", f"{process_id} {epoch}".encode()).hex()

    @contextmanager
    def alone_at(self, product: str, agreement: str) -> Iterator[Door]:
        """Have a door hung, and hold the consumer still before it hears of it; afterwards it goes on."""
        provider, consumer = self._space.provider, self._space.consumer
        for _ in range(TRIES):
            hung = self._hung()
            acquiring = self._space.begin(product, agreement)
            process_id, epoch = wait_for("a door", partial(self._new_door, hung), pause=0.005)
            os.kill(consumer.pid, signal.SIGSTOP)
            try:
                time.sleep(0.3)  # what it had asked before it was stopped has come by now
                if not provider.rows("SELECT 1 FROM use WHERE process_id = ?", process_id):
                    token = self.token(process_id, epoch)
                    authority = provider.tls.authority if provider.tls else None
                    yield Door(provider.public, f"/door/{process_id}", token, acquiring, authority)
                    return
            finally:
                os.kill(consumer.pid, signal.SIGCONT)
            acquiring.ended()
        raise AssertionError("the consumer was at its door every time before we were")

    def _hung(self) -> set[tuple[str, int]]:
        return set(self._space.provider.rows("SELECT process_id, epoch FROM door"))

    def _new_door(self, before: set[tuple[str, int]]) -> tuple[str, int] | None:
        return next(iter(self._hung() - before), None)
