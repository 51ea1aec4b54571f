"""Transfer processes between two nodes: when a door is open, for whom, and when it shuts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from schedules import open_world
from simulator import Node, Weather, World

from entrepot import contracts
from entrepot.contracts import (
    DoorAddress,
    EndReason,
    Message,
    Move,
    Next,
    Party,
    Reason,
    State,
    TransferRequest,
)
from entrepot.use import process as transfers
from entrepot.use import store
from entrepot.use.model import Door, TransferProcess
from entrepot.values import (
    AgreementId,
    ConflictError,
    Did,
    MessageId,
    NotFoundError,
    ProcessId,
    ProtocolError,
    TransitionError,
)

STRANGER = Did("did:web:stranger.example")
STANDING = AgreementId("standing")
M = MessageId("m")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two nodes with one contract between them, and a network that works."""
    opened = open_world(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def consumer(world: World) -> Node:
    return world.nodes[Party.CONSUMER]


@pytest.fixture
def provider(world: World) -> Node:
    return world.nodes[Party.PROVIDER]


def request(consumer: Node) -> ProcessId:
    """Ask for a transfer, and leave it on its way."""
    contract = consumer.journal.read_now(lambda c: contracts.agreement_of(c, STANDING))
    begun: TransferProcess = consumer.journal.write_now(
        lambda tx: transfers.request_transfer(
            tx, consumer.rail, contract, consumer.peer.base, "HttpData-PULL"
        )
    )
    return begun.exchange.id


def started(consumer: Node) -> ProcessId:
    process = request(consumer)
    consumer.world.run()
    assert states(consumer, process) == (State.STARTED, State.STARTED)
    return process


def ours(node: Node, process: ProcessId) -> TransferProcess:
    found: TransferProcess | None = node.journal.read_now(lambda c: transfers.read_process(c, process))
    assert found is not None
    return found


def theirs(node: Node, process: ProcessId) -> TransferProcess:
    pid = ours(node, process).exchange.peer_pid
    assert pid is not None
    return ours(node.peer, pid)


def states(node: Node, process: ProcessId) -> tuple[State, State]:
    return ours(node, process).exchange.state, theirs(node, process).exchange.state


def token(consumer: Node, process: ProcessId) -> str:
    return ours(consumer, process).sealed_token.decode()


def door(consumer: Node, process: ProcessId, secret: str) -> Door | None:
    """The provider's door that a token opens."""
    pid = theirs(consumer, process).exchange.id
    found: Door | None = consumer.peer.journal.read_now(lambda c: transfers.find_door(c, pid, secret))
    return found


def receive(node: Node, message: Message, sender: Did, *why_not: str) -> TransferProcess:
    taken: TransferProcess = node.journal.write_now(
        lambda tx: transfers.receive(tx, node.rail, message, sender, lambda *_: why_not)
    )
    return taken


def said(p: TransferProcess, move: Move, content: contracts.Content = None) -> Message:
    """A message of the peer in this process."""
    pids = (p.exchange.id, p.exchange.peer_pid)
    consumer, provider = pids if p.exchange.party is Party.CONSUMER else pids[::-1]
    return Message(M, move, consumer, provider, content, addressed_to=p.exchange.id)


def asked(consumer: Node, **changes: object) -> Message:
    first = Message(
        M,
        Move.REQUEST,
        ProcessId("fresh"),
        None,
        TransferRequest(STANDING, "HttpData-PULL"),
        callback=consumer.base,
    )
    return replace(first, **changes)


def test_a_started_process_has_a_door_for_its_agreement(consumer: Node) -> None:
    """The consumer must get in, and whoever gets in must be known by the agreement."""
    process = started(consumer)

    opened = door(consumer, process, token(consumer, process))

    assert opened is not None
    assert (opened.agreement_id, opened.consumer) == (STANDING, consumer.did)
    assert door(consumer, process, "another token") is None
    assert ours(consumer, process).endpoint == f"https://provider.example/door/{opened.process_id}"


@pytest.mark.parametrize("by", Party)
@pytest.mark.parametrize("move", [Move.SUSPEND, Move.COMPLETE, Move.TERMINATE])
def test_suspending_or_ending_shuts_the_door(world: World, consumer: Node, by: Party, move: Move) -> None:
    """A token that outlives its process opens data that nobody has agreed to."""
    process = started(consumer)
    secret, node = token(consumer, process), world.nodes[by]
    own = process if by is Party.CONSUMER else theirs(consumer, process).exchange.id

    node.move(own, Next(move, None if move is Move.COMPLETE else Reason("1")))
    world.run()

    assert door(consumer, process, secret) is None
    assert (token(consumer, process), ours(consumer, process).endpoint) == ("", "")
    assert states(consumer, process)[0] is states(consumer, process)[1]


@pytest.mark.parametrize("move", [Move.SUSPEND, Move.COMPLETE, Move.TERMINATE])
def test_our_own_door_shuts_before_the_peer_has_heard(
    world: World, consumer: Node, provider: Node, move: Move
) -> None:
    """A consumer that cannot be reached must not go on reading."""
    process = started(consumer)
    world.weather = Weather(down=frozenset({consumer.did}))

    provider.move(theirs(consumer, process).exchange.id, Next(move))

    assert door(consumer, process, token(consumer, process)) is None


@pytest.mark.parametrize("by", Party)
def test_starting_again_hangs_a_new_door(world: World, consumer: Node, by: Party) -> None:
    """A token that leaked before the suspension must not work after it."""
    process = started(consumer)
    old, node = token(consumer, process), world.nodes[by]
    own = process if by is Party.CONSUMER else theirs(consumer, process).exchange.id
    node.move(own, Next(Move.SUSPEND, Reason("1")))
    world.run()

    node.move(own, Next(Move.START))
    world.run()

    assert states(consumer, process) == (State.STARTED, State.STARTED)
    assert token(consumer, process) != old
    assert door(consumer, process, old) is None
    assert door(consumer, process, token(consumer, process)) is not None


def test_a_start_that_may_not_be_is_refused(consumer: Node, provider: Node) -> None:
    """A contract that ended while its process was suspended must not be started again by the consumer."""
    process = started(consumer)
    consumer.move(process, Next(Move.SUSPEND, Reason("1")))
    consumer.world.run()
    suspended = theirs(consumer, process)

    with pytest.raises(ProtocolError, match="has expired"):
        receive(provider, said(suspended, Move.START), consumer.did, "the contract has expired")
    assert theirs(consumer, process).exchange.state is State.SUSPENDED


def test_a_request_that_may_not_be_is_refused_and_written_down(consumer: Node, provider: Node) -> None:
    """The consumer is told why; nothing is opened."""
    with pytest.raises(ProtocolError, match="not a member"):
        receive(provider, asked(consumer), consumer.did, "not a member any more")
    assert provider.journal.read_now(transfers.processes) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"content": TransferRequest(AgreementId("none"), "HttpData-PULL")},
        {"content": None},
        {"consumer_pid": None},
        {"callback": ""},
    ],
)
def test_a_request_without_its_facts_is_refused(
    consumer: Node, provider: Node, changes: dict[str, object]
) -> None:
    """A use under no agreement would be a use that nobody promised."""
    with pytest.raises((ProtocolError, NotFoundError)):
        receive(provider, asked(consumer, **changes), consumer.did)


def test_an_agreement_of_others_opens_nothing(consumer: Node, provider: Node) -> None:
    """Whoever learns an agreement's id is not yet its consumer."""
    with pytest.raises(NotFoundError):
        receive(provider, asked(consumer), STRANGER)


def test_a_consumers_process_id_begins_one_process(consumer: Node, provider: Node) -> None:
    """Two doors for one request would be counted twice, or not at all."""
    receive(provider, asked(consumer), consumer.did)

    with pytest.raises(ProtocolError, match="in use"):
        receive(provider, asked(consumer), consumer.did)


@pytest.mark.parametrize("move", [Move.TERMINATE, Move.SUSPEND, Move.COMPLETE])
def test_a_stranger_moves_no_process(consumer: Node, provider: Node, move: Move) -> None:
    """Whoever guesses a process id must not end it."""
    process = theirs(consumer, started(consumer))

    with pytest.raises(NotFoundError):
        receive(provider, said(process, move), STRANGER)


def test_a_start_that_was_never_sent_is_not_taken_for_received(consumer: Node, provider: Node) -> None:
    """A consumer that completes before it was told of a door would be believed to have had one."""
    requested = receive(provider, asked(consumer), consumer.did)
    assert requested.exchange.pending is not None

    with pytest.raises(TransitionError):
        receive(provider, said(requested, Move.COMPLETE), consumer.did)


def test_a_start_that_the_consumer_refuses_ends_the_process(
    world: World, consumer: Node, provider: Node
) -> None:
    """Nothing can come of a process whose door its consumer does not want; the door must shut."""
    process = request(consumer)
    consumer.answer = _refusing(consumer, b"TransferStartMessage")  # type: ignore[method-assign]  # a lying peer
    world.run()

    assert states(consumer, process) == (State.TERMINATED, State.TERMINATED)
    assert not provider.journal.read_now(lambda c: store.has_door(c, theirs(consumer, process).exchange.id))


def _refusing(node: Node, what: bytes):  # noqa: ANN202 (the endpoint of a node, with one refusal)
    honest = node.answer

    def answer(method: str, path: str, body: bytes):  # noqa: ANN202 (as above)
        reply = honest("GET" if what in body else method, path.removesuffix("/start"), body)
        return replace(reply, status=400) if what in body else reply

    return answer


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[World]:
    """Two nodes that give a message up after half a minute."""
    opened = open_world(tmp_path, timedelta(seconds=30))
    yield opened
    opened.close()


def test_a_consumer_that_is_never_there_leaves_no_door(impatient: World) -> None:
    """A start that could not be brought in time is given up, and its door with it."""
    consumer, provider = impatient.nodes[Party.CONSUMER], impatient.nodes[Party.PROVIDER]
    taken = receive(provider, asked(consumer), consumer.did)
    impatient.weather = Weather(down=frozenset({consumer.did}))

    impatient.run()

    ended = ours(provider, taken.exchange.id)
    assert (ended.exchange.state, ended.exchange.pending) == (State.TERMINATED, None)
    assert not provider.journal.read_now(lambda c: store.has_door(c, taken.exchange.id))


def test_a_completion_that_nobody_hears_is_still_one(impatient: World) -> None:
    """We are through with it; a provider that comes back learns so from our answer."""
    consumer, provider = impatient.nodes[Party.CONSUMER], impatient.nodes[Party.PROVIDER]
    process = started(consumer)
    impatient.weather = Weather(down=frozenset({provider.did}))
    consumer.move(process, Next(Move.COMPLETE))
    impatient.run()
    assert states(consumer, process) == (State.COMPLETED, State.STARTED)

    impatient.weather = Weather()
    provider.move(theirs(consumer, process).exchange.id, Next(Move.SUSPEND, Reason("1")))
    impatient.run()

    assert states(consumer, process) == (State.COMPLETED, State.COMPLETED)


@pytest.mark.parametrize("by", Party)
def test_processes_end_with_their_contract(world: World, consumer: Node, by: Party) -> None:
    """A contract that was ended or has expired must leave no door behind it."""
    started(consumer)
    node = world.nodes[by]
    now = world.clock.now
    assert node.journal.read_now(lambda c: transfers.agreements_over(c, now)) == []
    node.journal.write_now(lambda tx: contracts.end_contract(tx, STANDING, EndReason.ORDER))
    assert node.journal.read_now(lambda c: transfers.agreements_over(c, now)) == [STANDING]

    first, second = (
        node.journal.write_now(lambda tx: transfers.end_processes(tx, node.rail, STANDING)) for _ in range(2)
    )
    world.run()

    assert (first, second) == (1, 0)
    ended = consumer.journal.read_now(transfers.processes) + consumer.peer.journal.read_now(
        transfers.processes
    )
    assert [p.exchange.state for p in ended] == [State.TERMINATED, State.TERMINATED]
    assert node.journal.read_now(lambda c: transfers.agreements_over(c, now)) == []


def test_a_token_is_never_shown(consumer: Node) -> None:
    """Logs and error texts print values; a door token in one of them is a door left open."""
    process = ours(consumer, started(consumer))

    assert process.sealed_token.decode() not in repr(process)
    assert "secret" not in repr(DoorAddress("https://x", "secret"))


def test_the_second_writer_of_a_process_is_told(consumer: Node) -> None:
    """Two writers start from one version: the later one gets a conflict, not a lost update."""
    process = ours(consumer, started(consumer))
    later = replace(process, exchange=replace(process.exchange, version=process.exchange.version + 1))
    consumer.journal.write_now(lambda tx: store.save(tx, later, process.exchange.version))

    with pytest.raises(ConflictError):
        consumer.journal.write_now(lambda tx: store.save(tx, later, process.exchange.version))
