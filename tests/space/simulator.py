"""Two nodes and the network between them, which loses, repeats, delays and reorders what it carries.

The nodes are the product's: a journal on disk each, the use cases of negotiation, transfer and signing,
the endpoints and the client of the Dataspace Protocol. Only time, ids and the way between them are
simulated, so one seed is one schedule: the same moves, losses and crossings every time. A coroutine of
the client runs until it waits for the network; nothing here sleeps.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from entrepot import contracts
from entrepot.contracts import (
    DSP,
    NEGOTIATION,
    SIGNED_AS,
    SIGNING,
    Desk,
    Exchange,
    Machine,
    Move,
    Party,
    Signatory,
    Signature,
    State,
)
from entrepot.journal import Journal, Query, Transaction, UseCase, claim, next_due
from entrepot.journal.writer import Job
from entrepot.protocols import dsp, tds
from entrepot.protocols.route import Call, Reply, Response
from entrepot.use import process as transfers
from entrepot.use.process import TRANSFER
from entrepot.values import (
    ConflictError,
    ContractId,
    Did,
    KeyId,
    MessageId,
    ProcessId,
    UnavailableError,
    UtcTime,
    sha256,
)

PATIENCE: Final = timedelta(seconds=10)
"""How long a sender waits for an answer."""
LEASE_SECONDS: Final = 30
KINDS: Final = (DSP, SIGNING)
MOST_EVENTS: Final = 20_000


class Suspension:
    """What a coroutine waits for: one answer, or one failure, whichever comes first."""

    def __init__(self) -> None:
        self.wake: Callable[[Reply | None], None] | None = None

    def __await__(self) -> Generator["Suspension", Reply | None, Reply]:
        reply = yield self
        if reply is None:
            raise UnavailableError("no answer")
        return reply

    def settle(self, reply: Reply | None) -> None:
        if self.wake is not None:
            wake, self.wake = self.wake, None
            wake(reply)


class SteppedJournal(Journal):
    """The real journal, whose writer runs each use case at once, on the thread of whoever asks."""

    def write_now(self, use_case: UseCase[Any]) -> Any:
        waiter: Future[Any] = Future()
        self._writer._write_group(Job(use_case, waiter))
        return waiter.result()

    async def write(self, use_case: UseCase[Any]) -> Any:
        return self.write_now(use_case)

    async def read(self, query: Query[Any]) -> Any:
        return self.read_now(query)


@dataclass(slots=True)
class Weather:
    """How the network treats what it carries."""

    lost: float = 0.0
    repeated: float = 0.0
    slow: float = 0.0
    late: float = 0.0
    """So late that the sender has given up waiting."""
    unwell: float = 0.0
    """Answered 503 by something in between."""
    down: frozenset[Did] = frozenset()
    """Nodes that nothing reaches now."""

    def delay(self, rng: random.Random) -> timedelta:
        chance = rng.random()
        if chance < self.late:
            return timedelta(seconds=rng.uniform(10, 60))
        if chance < self.late + self.slow:
            return timedelta(seconds=rng.uniform(0.2, 4))
        return timedelta(seconds=rng.uniform(0.001, 0.05))


FAIR: Final = Weather()


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> UtcTime:
        return self.now


@dataclass(slots=True)
class Tally:
    """What happened, over all schedules."""

    arrows: Counter[tuple[str, State, Move, Party]] = field(default_factory=Counter)
    crossings: Counter[tuple[str, Move, Move]] = field(default_factory=Counter)
    """Machine, the consumer's move, the provider's move: both on their way from one state."""
    weather: Counter[str] = field(default_factory=Counter)
    ends: Counter[tuple[str, State]] = field(default_factory=Counter)


class Pen:
    """Stands in for an evidence key: what is signed can be told from it."""

    def __init__(self, did: Did) -> None:
        self.key_id = KeyId(f"{did}#evidence")

    def sign(self, data: bytes) -> bytes:
        return sha256(self.key_id.encode() + data)


class World:
    """Time, the network, and two nodes. Run one schedule after the other in it."""

    def __init__(self, folder: Path, deadline: timedelta = timedelta(hours=24)) -> None:
        self.deadline = deadline
        self.clock = Clock()
        self.rng = random.Random(0)  # noqa: S311 (schedules are to be repeatable)
        self.weather = FAIR
        self.tally = Tally()
        self._events: list[tuple[UtcTime, int, Callable[[], None]]] = []
        self._count = 0
        self.nodes = {
            Party.CONSUMER: Node(self, Party.CONSUMER, folder),
            Party.PROVIDER: Node(self, Party.PROVIDER, folder),
        }

    def close(self) -> None:
        for node in self.nodes.values():
            node.journal.close()

    def after(self, pause: timedelta, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.clock.now + pause, self._count, event))

    def run(self) -> None:
        """Let everything happen that is due at some time."""
        for _ in range(MOST_EVENTS):
            for node in self.nodes.values():
                if node.has_news:
                    node.look_for_work()
            if not self._events:
                return
            at, _, event = heapq.heappop(self._events)
            self.clock.now = max(self.clock.now, at)
            event()
        raise AssertionError("the nodes do not come to rest")

    def carry(self, to: "Node", arrive: Callable[[], Reply]) -> Suspension:
        """Carry one request, perhaps several times, perhaps never, and perhaps the answer back."""
        waiting, rng, weather = Suspension(), self.rng, self.weather
        self.after(PATIENCE, lambda: waiting.settle(None))
        copies = 0 if rng.random() < weather.lost else 1
        while copies and rng.random() < weather.repeated:
            copies += 1
        self.tally.weather["lost requests" if not copies else "requests"] += 1
        self.tally.weather["repeats"] += max(0, copies - 1)

        def deliver() -> None:
            now = self.weather
            if to.did in now.down:
                self.tally.weather["requests to a node that is down"] += 1
                return
            reply = Reply(503, b"", {}) if rng.random() < now.unwell else arrive()
            if rng.random() < now.lost:
                self.tally.weather["lost answers"] += 1
            else:
                self.after(now.delay(rng), lambda: waiting.settle(reply))

        for _ in range(copies):
            delay = weather.delay(rng)
            self.tally.weather["late requests"] += delay > PATIENCE
            self.after(delay, deliver)
        return waiting


class Node:
    """One party: its journal, its desk and rail, its endpoints, and the loop that sends."""

    def __init__(self, world: World, party: Party, folder: Path) -> None:
        self.world, self.party = world, party
        self.did = Did(f"did:web:{party}.example")
        self.base = f"https://{party}.example{dsp.PATH}"
        self._ids = 0
        self.journal = SteppedJournal.open(f"sqlite:///{folder / f'{party}.db'}", world.clock, self._new_id)
        self.journal.create_schema()
        self.has_news = False
        self.journal.on_commit(lambda: setattr(self, "has_news", True))
        self.respond: contracts.Responder = contracts.respond
        self.respond_transfer: transfers.Respond = transfers.start_when_in_force
        self.published: contracts.Published = lambda _c, offer: contracts.Listing(offer, sha256(b"product"))
        self.desk = Desk(self.did, dsp.render_negotiation, self._respond, self.base, deadline=world.deadline)
        self.rail = transfers.Rail(
            render=dsp.render_transfer,
            respond=self._respond_transfer,
            door_token=lambda process, epoch: sha256(f"{process} {epoch}".encode()).hex(),
            door_endpoint=lambda process: f"https://{party}.example/door/{process}",
            callback=self.base,
            deadline=world.deadline,
        )

        async def check_callback(_address: str, _sender: Did) -> None:
            return None

        services = dsp.Services(
            self.journal,
            self.desk,
            self.rail,
            self._published,
            lambda *_: (),
            lambda *_: b"{}",
            lambda *_: None,
            check_callback,
        )
        self._routes = [r for r in dsp.routes(services) if r.path.startswith(dsp.PATH)]
        self._correspondence = dsp.Correspondence(
            self.journal, self.desk, self.rail, self._outgoing, self._authorization
        )
        self._signing = tds.Signing(self.journal, self.desk, Clerk(self), Pen(self.did))
        self._running: set[Coroutine[Any, Any, Any]] = set()
        self._wake_at: UtcTime | None = None
        self.known: dict[ProcessId, Exchange] = {}
        """Exchanges of this schedule, as they stood after the last event here."""

    def _respond(self, negotiation: contracts.Negotiation, now: UtcTime) -> Any:
        return self.respond(negotiation, now)

    def _respond_transfer(self, connection: Any, process: Any, now: UtcTime) -> Any:
        return self.respond_transfer(connection, process, now)

    def _published(self, connection: Any, offer: contracts.Offer) -> contracts.Listing | None:
        return self.published(connection, offer)

    @property
    def peer(self) -> "Node":
        return self.world.nodes[self.party.other]

    def exchange(self, process: ProcessId) -> tuple[Machine, Exchange] | None:
        def find(connection: Any) -> tuple[Machine, Exchange] | None:
            found = contracts.read_negotiation(connection, process)
            if found is not None:
                return NEGOTIATION, found.exchange
            opened = transfers.read_process(connection, process)
            return None if opened is None else (TRANSFER, opened.exchange)

        return self.journal.read_now(find)

    def look_for_work(self) -> None:
        """Be woken when the next message of the outbox is due."""
        self.has_news = False
        due = self.journal.read_now(lambda c: next_due(c, KINDS))
        if due is not None and (self._wake_at is None or due < self._wake_at):
            self._wake_at = due
            self.world.after(max(due - self.world.clock.now, timedelta(0)), self._send)

    def crash(self) -> None:
        """Lose all that is under way; the journal stays. Leases run out by themselves."""
        self.world.tally.weather["crashes"] += 1
        for coroutine in self._running:
            coroutine.close()
        self._running.clear()

    def _send(self) -> None:
        self._wake_at, self.has_news = None, True
        now = self.world.clock.now
        due = self.journal.write_now(lambda tx: claim(tx, str(self.party), KINDS, LEASE_SECONDS))
        for message in due:
            if message.kind == DSP:
                lane = ProcessId(message.lane)
                self._start(self._watched(self._correspondence.send(message, now), lane, message.id))
            else:
                self._start(self._signed(self._signing.send(message, now), ProcessId(message.address)))

    async def _signed(self, signing: Coroutine[Any, Any, Any], process: ProcessId) -> None:
        await signing
        self.note_own(process)

    async def _watched(self, sending: Coroutine[Any, Any, Any], lane: ProcessId, message: MessageId) -> None:
        """Note the arrow that the answer to a message of our own takes."""
        before = self.known.get(lane)
        await sending
        found = self.exchange(lane)
        if found is None:
            return
        machine, after = found
        self.known[lane] = after
        pending = None if before is None else before.pending
        while pending is not None and pending.message_id != message:
            pending = pending.behind
        if before is not None and pending is not None and after.version != before.version:
            arrow = machine.after(before.state, pending.move, self.party)
            if arrow is after.state:
                self.world.tally.arrows[machine.name, before.state, pending.move, self.party] += 1

    def _start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._running.add(coroutine)
        self._advance(coroutine, lambda: coroutine.send(None))

    def _advance(self, coroutine: Coroutine[Any, Any, Any], step: Callable[[], Any]) -> None:
        if coroutine not in self._running:
            return  # lost in a crash
        try:
            waiting = step()
        except StopIteration:
            self._running.discard(coroutine)
            return
        waiting.wake = lambda reply: self._advance(coroutine, lambda: coroutine.send(reply))

    async def _authorization(self, _peer: Did) -> str:
        return self.did

    async def _outgoing(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
    ) -> Reply:
        del headers, max_bytes
        path = unquote(urlsplit(url).path)
        return await self.world.carry(self.peer, lambda: self.peer.answer(method, path, body))

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        """Take one request in at the endpoints of this node."""
        for route in self._routes:
            found = _match(route.path, path) if route.method == method else None
            if found is not None:
                call = Call(found, body, {}, caller=self.peer.did)
                response = _at_once(route.handle(call))
                if method == "POST":
                    self._note(body, response)
                return Reply(response.status, response.body, {})
        return Reply(404, b"", {})

    def _note(self, body: bytes, response: Response) -> None:
        """Note the arrow that a message of the peer takes, and what it crosses."""
        parse = dsp.codec.parse_transfer if b'"Transfer' in body else dsp.codec.parse_negotiation
        message, sender = parse(body), self.party.other
        _, consumer, provider = dsp.codec.read_state(response.body)
        named = (message.consumer_pid or consumer, message.provider_pid or provider)
        ours = named[0] if self.party is Party.CONSUMER else named[1]
        found = None if ours is None else self.exchange(ours)
        if ours is None or found is None:
            return
        machine, after = found
        before = self.known.get(ours, Exchange(ours, self.party))
        self.known[ours] = after
        tally, pending = self.world.tally, before.pending
        now = machine.after(before.state, message.move, sender)
        if pending is not None and now is not None:
            both = (pending.move, message.move)
            pair = both if self.party is Party.CONSUMER else both[::-1]
            tally.crossings[machine.name, *pair] += 1
        if after.version == before.version or not 200 <= response.status < 300:
            return
        if now is after.state:
            tally.arrows[machine.name, before.state, message.move, sender] += 1
        elif pending is not None:
            between = machine.after(before.state, pending.move, self.party)
            if between is not None and machine.after(between, message.move, sender) is after.state:
                tally.arrows[machine.name, before.state, pending.move, self.party] += 1
                tally.arrows[machine.name, between, message.move, sender] += 1

    def move(self, process: ProcessId, wanted: contracts.Next) -> None:
        """Our owner makes a move."""
        machine, _ = self.exchange(process) or (None, None)
        if machine is NEGOTIATION:
            self.journal.write_now(lambda tx: contracts.move(tx, self.desk, process, wanted))
        else:
            self.journal.write_now(lambda tx: transfers.move(tx, self.rail, process, wanted))
        self.note_own(process)

    def note_own(self, process: ProcessId) -> None:
        found = self.exchange(process)
        if found is not None:
            self.known[process] = found[1]

    def _new_id(self) -> str:
        self._ids += 1
        return f"urn:{self.party}:{self._ids}"


class Clerk:
    """The parts of the national client that signing needs, carried by the same network."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def speaks(self, _did: Did) -> bool:
        return True

    async def contract_id(self, negotiation: str, _counterparty: Did) -> ContractId:
        await self._call(lambda: None)
        return ContractId(f"contract {negotiation}")

    async def hand_over_signature(self, _provider: Did, negotiation: str, signature: Signature) -> None:
        peer, me = self._node.peer, self._node.did

        def take(tx: Transaction) -> None:
            theirs = contracts.read_negotiation(tx.connection, ProcessId(negotiation))
            assert theirs is not None
            signed = Pen(me).sign(SIGNED_AS + contracts.payload_of(theirs))
            assert signature == Signature.of(Pen(me).key_id, Signatory.CONSUMER, signed)
            contracts.counterparty_signed(tx, ProcessId(negotiation), me, signature)

        await self._call(lambda: peer.journal.write_now(take))

    async def file(self, envelope: bytes) -> bytes:
        await self._call(lambda: None)
        return b"receipt for " + sha256(envelope)

    async def hand_over_filed(
        self, _consumer: Did, negotiation: str, envelope: bytes, receipt: bytes
    ) -> None:
        peer = self._node.peer
        process = ProcessId(negotiation)

        def take(tx: Transaction) -> None:
            contracts.contract_filed(tx, peer.desk, process, envelope, receipt)

        await self._call(lambda: peer.journal.write_now(take))

    async def _call(self, take: Callable[[], object]) -> None:
        def arrive() -> Reply:
            try:
                take()
            except ConflictError:
                return Reply(409, b"", {})
            return Reply(200, b"", {})

        reply = await self._node.world.carry(self._node.peer, arrive)
        if reply.status == 409:
            raise ConflictError("the peer says so")
        if reply.status != 200:
            raise UnavailableError("not now")


def _match(pattern: str, path: str) -> dict[str, str] | None:
    """Match a path against a route's; `{pid}` stands for one step."""
    wanted, found = pattern.split("/"), path.split("/")
    if len(wanted) != len(found):
        return None
    values = {}
    for want, have in zip(wanted, found, strict=True):
        if want.startswith("{"):
            values[want.strip("{}")] = have
        elif want != have:
            return None
    return values


def _at_once(coroutine: Coroutine[Any, Any, Response]) -> Response:
    """Run an endpoint to its end; it waits for nothing but the journal."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        response: Response = done.value
        return response
    raise AssertionError("an endpoint waited for something")
