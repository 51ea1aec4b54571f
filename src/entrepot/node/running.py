"""Running a node: one process, two ports, its loops, and an orderly end."""

import asyncio
import contextlib
import fcntl
import gc
import hmac
import os
import signal
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import uvicorn
import uvloop

from entrepot.identity import Vault
from entrepot.journal import (
    Journal,
    SchemaState,
    Transaction,
    free_claims,
    free_leases,
    present_holders,
    schema_state,
)
from entrepot.node.anchor import LedgerSender
from entrepot.node.http import Application, Gatekeeper
from entrepot.node.logs import set_up_logs
from entrepot.node.loops import Loops, OutboxLoop, audit_loop
from entrepot.node.making import database_url, passphrase_of
from entrepot.node.node import VAULT, Loop, Node, Part, open_node
from entrepot.node.parts import parts_of
from entrepot.node.server import http1
from entrepot.node.settings import OWNER_TOKEN, SETTINGS, Settings, SettingsError
from entrepot.node.workers import Sockets, listening, supervise
from entrepot.protocols import Call, Proof, Response, Route
from entrepot.values import Log, UnavailableError, system_clock

_log: Final = Log()

Face: TypeAlias = Callable[[Node, Sequence[Part]], Sequence[Route]]
"""What stands above the node and shows it to its owner, such as the console."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to the node."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(folder: Path, faces: Sequence[Face] = ()) -> None:
    """Run the node in `folder` until it is told to stop; `faces` add their routes to the owner's port."""
    set_up_logs()
    settings = Settings.read(folder / SETTINGS)
    with locked(folder):
        sockets: Sockets = (None, None)
        first = None
        if settings.workers > 1:
            sockets = listening(settings.listen)
            first = supervise(settings.workers)
            if first is None:
                return
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings, folder, faces, sockets, first))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process alone; a second node in it is refused."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnavailableError(f"another process runs the node in {folder}") from error
        yield
    finally:
        os.close(handle)


async def _run(
    settings: Settings, folder: Path, faces: Sequence[Face], sockets: Sockets, first: int | None
) -> None:
    url = database_url(settings, folder)
    state = await asyncio.to_thread(schema_state, url)
    if state is not SchemaState.CURRENT:
        raise SettingsError(f"the database is {state}; run `entrepot doctor` in the folder of the node")
    vault = await asyncio.to_thread(Vault.open, folder / VAULT, passphrase_of(settings, folder))
    if vault.did != settings.did:
        raise SettingsError(f"the keys are those of {vault.did}, the settings those of {settings.did}")
    journal = Journal.open(url)
    node = open_node(settings, folder, vault, journal, system_clock)
    await asyncio.to_thread(journal.join, node.boot)
    await journal.write(lambda tx: _free_what_the_dead_held(tx, node))
    parts = parts_of(node)
    try:
        await _serve(node, parts, [r for face in faces for r in face(node, parts)], sockets, first)
    finally:
        for part in parts:
            part.close()
        await node.outgoing.close()
        journal.close()


def _free_what_the_dead_held(tx: Transaction, node: Node) -> None:
    """The folder is ours alone, and a shared database says who else lives: nothing waits for the dead."""
    living = {node.boot, *present_holders(tx.connection)}
    free_claims(tx, living)
    free_leases(tx, living)


async def _serve(
    node: Node, parts: Sequence[Part], faces: Sequence[Route], sockets: Sockets, first: int | None
) -> None:
    settled = {op: tell for part in parts for op, tell in part.settled.items()}
    senders = {kind: send for part in parts for kind, send in part.senders.items()}
    senders["ledger"] = LedgerSender(node, settled).send
    outbox = OutboxLoop(node.journal, senders, node.boot, node.clock)
    loops = Loops(
        node.journal,
        node.boot,
        [
            *(loop for part in parts for loop in part.loops),
            Loop("outbox", 1.0, outbox.run, wakes=True),
            audit_loop(node.journal, node.boot),
        ],
    )
    token = (node.folder / OWNER_TOKEN).read_bytes()
    gatekeeper = Gatekeeper(
        node.acquaintance.authenticate,
        lambda authorization: hmac.compare_digest(authorization.encode(), b"Bearer " + token),
    )
    listen = node.settings.listen
    public = Application([*_health(), *(r for part in parts for r in part.public)], gatekeeper)
    owner = Application([*_health(), *(r for part in parts for r in part.owner), *faces], gatekeeper)
    servers = [
        _Server(http1(listen.public, public, _tls(node))),
        _Server(http1(listen.owner, owner)),
    ]
    stop = asyncio.Event()
    running = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, stop.set)
    if first is not None:
        running.add_reader(first, _stop_after, running, first, stop)
    serving = [asyncio.create_task(s.serve(t)) for s, t in zip(servers, sockets, strict=True)]
    while not all(s.started for s in servers):
        if any(task.done() for task in serving):
            raise UnavailableError(f"cannot listen on {listen.public} and {listen.owner}; are they taken?")
        await asyncio.sleep(0.01)
    gc.freeze()  # what a start has made stays for good: the collector need not walk all of it again and again
    loops.start()
    if (insecure := node.settings.identity.insecure_test) is not None:
        peers = [peer.did for peer in node.settings.identity.insecure_peers]
        _log.warning("insecure test identity: these are believed at their word", kind=insecure, peers=peers)
    _log.info("node started", did=node.me, public=listen.public, owner=listen.owner, boot=node.boot)
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([waiting, *serving], return_when=asyncio.FIRST_COMPLETED)
    _log.info("node stops", did=node.me)
    await loops.stop()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*serving, return_exceptions=True)


def _stop_after(running: asyncio.AbstractEventLoop, first: int, stop: asyncio.Event) -> None:
    """The process that started this worker is gone: nobody would start it again."""
    running.remove_reader(first)
    stop.set()


def _tls(node: Node) -> tuple[Path, Path] | None:
    """Certificate and key of the public port, where it has them."""
    listen = node.settings.listen
    if not listen.tls_certificate:
        return None
    found = node.folder / listen.tls_certificate, node.folder / listen.tls_key
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*found)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"listen.tls_certificate and tls_key cannot be used: {error.strerror}") from error
    return found


def _health() -> list[Route]:
    async def health(_call: Call) -> Response:
        return Response(200, b'{"status":"up"}')

    return [Route("GET", "/health", Proof.NONE, health)]
