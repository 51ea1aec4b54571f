"""Negotiations between two nodes: what is agreed by rule, by people, and by nobody."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from schedules import POLICIES, PRODUCT, open_world, run
from simulator import Node, Weather, World

from entrepot import contracts
from entrepot.contracts import (
    Agreement,
    EndReason,
    Listing,
    Message,
    Move,
    Negotiation,
    Next,
    Offer,
    Party,
    Reason,
    State,
    Status,
    store,
)
from entrepot.policy import OPERANDS, Atom, Operator, Policy, Rule
from entrepot.values import (
    AgreementId,
    ConflictError,
    Did,
    MessageId,
    NotFoundError,
    OfferId,
    ProcessId,
    ProductId,
    ProtocolError,
    TransitionError,
    sha256,
)

OFFER = Offer(OfferId("offer"), PRODUCT, POLICIES[0])
COUNTER = replace(OFFER, policy=POLICIES[1])
DIGEST = sha256(b"product")
STRANGER = Did("did:web:stranger.example")
M = MessageId("m")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two nodes and a network that works."""
    opened = open_world(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def consumer(world: World) -> Node:
    return world.nodes[Party.CONSUMER]


@pytest.fixture
def provider(world: World) -> Node:
    node = world.nodes[Party.PROVIDER]
    listed(node)
    return node


def listed(node: Node, *, needs_person: bool = False, policy: Policy = POLICIES[0]) -> None:
    offer = replace(OFFER, policy=policy)
    listing = Listing(offer, DIGEST, needs_person)
    node.published = lambda _c, asked: listing if asked.target == PRODUCT else None


def ask(consumer: Node, provider: Node, offer: Offer = OFFER) -> ProcessId:
    begun = consumer.journal.write_now(
        lambda tx: contracts.request_contract(tx, consumer.desk, provider.did, provider.base, offer, DIGEST)
    )
    consumer.world.run()
    ours: ProcessId = begun.exchange.id
    return ours


def ours(node: Node, process: ProcessId) -> Negotiation:
    found: Negotiation | None = node.journal.read_now(lambda c: contracts.read_negotiation(c, process))
    assert found is not None
    return found


def theirs(node: Node, process: ProcessId) -> Negotiation:
    pid = ours(node, process).exchange.peer_pid
    assert pid is not None
    return ours(node.peer, pid)


def states(node: Node, process: ProcessId) -> tuple[State, State]:
    return ours(node, process).exchange.state, theirs(node, process).exchange.state


def receive(node: Node, message: Message, sender: Did) -> Negotiation:
    taken: Negotiation = node.journal.write_now(
        lambda tx: contracts.receive(tx, node.desk, message, sender, node.published)
    )
    return taken


def said(n: Negotiation, move: Move, content: contracts.Content = None) -> Message:
    """A message of the peer in this negotiation."""
    pids = (n.exchange.id, n.exchange.peer_pid)
    consumer, provider = pids if n.exchange.party is Party.CONSUMER else pids[::-1]
    return Message(M, move, consumer, provider, content, addressed_to=n.exchange.id)


def agreement(n: Negotiation, **changes: object) -> Agreement:
    """An agreement as the provider of this negotiation should write it."""
    assert n.offer.assignee is not None
    honest = Agreement(
        AgreementId("agreed"), n.offer.target, n.offer.policy, n.counterparty, n.offer.assignee, n.created_at
    )
    return replace(honest, **changes)


def test_a_request_equal_to_the_offer_becomes_a_contract(consumer: Node, provider: Node) -> None:
    """Nobody has to be asked for what is offered; both hold one signed contract afterwards."""
    process = ask(consumer, provider)

    assert states(consumer, process) == (State.FINALIZED, State.FINALIZED)
    agreed = ours(consumer, process).agreement
    assert agreed is not None
    held = [n.journal.read_now(lambda c: contracts.agreement_of(c, agreed.id)) for n in (consumer, provider)]
    assert [c.status for c in held] == [Status.PERFORMING, Status.PERFORMING]
    assert held[0].envelope == held[1].envelope
    assert len(contracts.open_envelope(held[0].envelope).signatures) == 2
    assert contracts.in_force(held[0], consumer.world.clock.now) == ()


@pytest.mark.parametrize("move", [Move.VERIFY, Move.FINALIZE])
def test_what_is_settled_may_be_said_again_by_its_side_alone(
    consumer: Node, provider: Node, move: Move
) -> None:
    """An Eclipse connector says one thing twice, under two ids, and ends what is answered by 400."""
    process = ask(consumer, provider)
    consumers, providers = ours(consumer, process), theirs(consumer, process)
    hears, speaks = (providers, consumer) if move is Move.VERIFY else (consumers, provider)

    assert receive(speaks.peer, said(hears, move), speaks.did) == hears
    assert ours(speaks.peer, hears.exchange.id) == hears
    speakers = ours(speaks, consumers.exchange.id if move is Move.VERIFY else providers.exchange.id)
    with pytest.raises(TransitionError):
        receive(speaks, said(speakers, move), speaks.peer.did)


def run_until(world: World, done: Callable[[], object]) -> None:
    """As `World.run`, but only until `done`."""
    while not done():
        for node in world.nodes.values():
            if node.has_news:
                node.look_for_work()
        at, _, event = heapq.heappop(world._events)
        world.clock.now = max(world.clock.now, at)
        event()


def test_a_request_for_use_is_the_answer_to_our_last_word(
    world: World, consumer: Node, provider: Node
) -> None:
    """A consumer that was told at once may ask at once; the answer that is still on its way says no more."""
    begun = consumer.journal.write_now(
        lambda tx: contracts.request_contract(tx, consumer.desk, provider.did, provider.base, OFFER, DIGEST)
    )

    run_until(world, lambda: ours(consumer, begun.exchange.id).exchange.state is State.FINALIZED)
    agreed = theirs(consumer, begun.exchange.id).agreement
    assert agreed is not None
    held = provider.journal.read_now(lambda c: contracts.agreement_of(c, agreed.id))
    assert held.status is Status.SIGNED

    after = provider.journal.write_now(lambda tx: contracts.used_already(tx, provider.desk, held))
    assert after.status is Status.PERFORMING
    world.run()
    assert states(consumer, begun.exchange.id) == (State.FINALIZED, State.FINALIZED)


def test_a_counter_offer_waits_for_a_person(consumer: Node, provider: Node) -> None:
    """A rule must not give away what nobody offered."""
    process = ask(consumer, provider, COUNTER)

    assert states(consumer, process) == (State.REQUESTED, State.REQUESTED)
    waiting = provider.journal.read_now(contracts.waiting_for_a_person).items
    assert [n.exchange.peer_pid for n in waiting] == [process]
    provider.journal.write_now(lambda tx: contracts.approve(tx, provider.desk, waiting[0].exchange.id))
    provider.world.run()
    assert states(consumer, process) == (State.FINALIZED, State.FINALIZED)
    assert provider.journal.read_now(contracts.waiting_for_a_person).items == ()


def test_a_person_may_say_no(consumer: Node, provider: Node) -> None:
    """The other side must learn it, and why."""
    process = ask(consumer, provider, COUNTER)
    no = Next(Move.TERMINATE, Reason("2", ("not on these terms",)))

    provider.move(theirs(consumer, process).exchange.id, no)
    provider.world.run()

    assert states(consumer, process) == (State.TERMINATED, State.TERMINATED)
    assert "not on these terms" in ours(consumer, process).problem


def test_a_high_grade_waits_for_a_person_even_on_our_own_terms(consumer: Node, provider: Node) -> None:
    """Important data leaves under nobody's signature but a person's."""
    listed(provider, needs_person=True)

    process = ask(consumer, provider)

    assert states(consumer, process) == (State.REQUESTED, State.REQUESTED)


def test_offers_and_counters_go_on_until_one_is_taken(consumer: Node, provider: Node) -> None:
    """Every version of the terms is kept, with who proposed it: a dispute begins with them."""
    process = ask(consumer, provider, COUNTER)
    third = replace(OFFER, policy=POLICIES[2])
    provider.move(theirs(consumer, process).exchange.id, Next(Move.OFFER, third))
    provider.world.run()
    assert states(consumer, process) == (State.OFFERED, State.OFFERED)

    consumer.journal.write_now(lambda tx: contracts.approve(tx, consumer.desk, process))
    consumer.world.run()

    assert states(consumer, process) == (State.FINALIZED, State.FINALIZED)
    for node, n in ((consumer, ours(consumer, process)), (provider, theirs(consumer, process))):
        kept = node.journal.read_now(lambda c, i=n.exchange.id: contracts.versions_of(c, i))
        assert [by for _, by, _, _ in kept] == [Party.CONSUMER, Party.PROVIDER, Party.PROVIDER]
        assert n.agreement is not None
        assert n.agreement.policy == POLICIES[2]


def test_nothing_can_be_approved_that_does_not_wait(consumer: Node, provider: Node) -> None:
    """A click on an old page must not agree to what came since."""
    process = ask(consumer, provider)

    with pytest.raises(ConflictError):
        consumer.journal.write_now(lambda tx: contracts.approve(tx, consumer.desk, process))


def test_a_counter_offer_cannot_be_about_another_product(consumer: Node, provider: Node) -> None:
    """Equal terms for a dearer product would be agreed by rule."""
    n = theirs(consumer, ask(consumer, provider, COUNTER))
    provider.move(n.exchange.id, Next(Move.OFFER, replace(COUNTER, policy=POLICIES[2])))
    provider.world.run()
    other = replace(OFFER, target=ProductId("the crown jewels"))

    with pytest.raises(ProtocolError, match="crown jewels"):
        receive(provider, said(n, Move.REQUEST, other), consumer.did)


@pytest.mark.parametrize(
    "changes",
    [
        {"target": ProductId("another")},
        {"assignee": STRANGER},
        {"assigner": STRANGER},
    ],
)
def test_an_agreement_about_something_else_is_refused(
    consumer: Node, provider: Node, changes: dict[str, object]
) -> None:
    """A consumer would sign for another party, or for another product."""
    n = ours(consumer, ask(consumer, provider, COUNTER))

    with pytest.raises(ProtocolError):
        receive(consumer, said(n, Move.AGREE, agreement(n, **changes)), provider.did)
    assert ours(consumer, n.exchange.id).exchange.state is State.REQUESTED


def test_an_agreement_on_other_terms_is_not_signed(consumer: Node, provider: Node) -> None:
    """EDC agrees on its own policy whatever was asked for; that ends the negotiation here."""
    n = ours(consumer, ask(consumer, provider, COUNTER))

    receive(consumer, said(n, Move.AGREE, agreement(n, policy=POLICIES[0])), provider.did)
    consumer.world.run()

    assert states(consumer, n.exchange.id) == (State.TERMINATED, State.TERMINATED)


@pytest.mark.parametrize("move", [Move.AGREE, Move.REQUEST, Move.OFFER])
def test_a_message_without_its_content_is_refused(consumer: Node, provider: Node, move: Move) -> None:
    """An agreement about nothing would be in force."""
    n = ours(consumer, ask(consumer, provider, COUNTER))

    with pytest.raises(ProtocolError):
        receive(consumer, said(n, move), provider.did)


@pytest.mark.parametrize("move", [Move.TERMINATE, Move.VERIFY, Move.ACCEPT])
def test_a_stranger_finds_no_negotiation(consumer: Node, provider: Node, move: Move) -> None:
    """Whoever guesses a process id must neither end it nor learn that it is there."""
    n = theirs(consumer, ask(consumer, provider, COUNTER))

    with pytest.raises(NotFoundError):
        receive(provider, said(n, move), STRANGER)


def test_a_message_with_the_wrong_process_ids_is_for_nobody(consumer: Node, provider: Node) -> None:
    """Of two negotiations with one party, a message must not move the other one."""
    n = theirs(consumer, ask(consumer, provider, COUNTER))

    for wrong in ({"consumer_pid": ProcessId("other")}, {"provider_pid": ProcessId("other")}):
        with pytest.raises(NotFoundError):
            receive(provider, replace(said(n, Move.TERMINATE), **wrong), consumer.did)


def test_a_consumers_process_id_begins_one_negotiation(consumer: Node, provider: Node) -> None:
    """EDC makes two agreements of one consumerPid sent twice."""
    n = theirs(consumer, ask(consumer, provider, COUNTER))
    again = Message(M, Move.REQUEST, n.exchange.peer_pid, None, OFFER, callback=consumer.base)

    with pytest.raises(ProtocolError, match="in use"):
        receive(provider, again, consumer.did)
    fresh = replace(again, consumer_pid=ProcessId("fresh"))
    assert receive(provider, fresh, consumer.did).exchange.id != n.exchange.id


def test_what_is_not_offered_is_not_found(consumer: Node, provider: Node) -> None:
    """Asking must not tell which products exist."""
    asked = Message(
        M, Move.REQUEST, ProcessId("x"), None, replace(OFFER, target=ProductId("y")), callback=consumer.base
    )

    with pytest.raises(NotFoundError):
        receive(provider, asked, consumer.did)


def test_terms_that_have_run_out_are_not_agreed(consumer: Node, provider: Node) -> None:
    """Validity is judged at negotiation too, not only at use."""
    over = Atom(OPERANDS["dateTime"], Operator.LTEQ, consumer.world.clock.now - timedelta(seconds=1))
    policy = Policy(permissions=(Rule("use", (over,)),))
    listed(provider, policy=policy)

    process = ask(consumer, provider, replace(OFFER, policy=policy))

    assert states(consumer, process) == (State.TERMINATED, State.TERMINATED)


def test_a_contract_filed_too_late_is_ended_and_never_performed(consumer: Node, provider: Node) -> None:
    """The consumer withdrew while the provider was filing: nothing may be used under that contract."""
    listed(provider, needs_person=True)
    n = theirs(consumer, ask(consumer, provider))
    provider.respond = lambda n, now: (
        None if n.exchange.state is State.VERIFIED else contracts.respond(n, now)
    )
    provider.journal.write_now(lambda tx: contracts.approve(tx, provider.desk, n.exchange.id))
    provider.world.run()
    n = ours(provider, n.exchange.id)
    assert n.exchange.state is State.VERIFIED
    consumer.move(n.exchange.peer_pid, Next(Move.TERMINATE, Reason()))
    consumer.world.run()

    provider.journal.write_now(
        lambda tx: contracts.contract_filed(tx, provider.desk, n.exchange.id, n.signing.envelope, b"receipt")
    )

    assert n.agreement is not None
    held = provider.journal.read_now(lambda c: contracts.agreement_of(c, n.agreement.id))
    assert (held.status, held.end_reason) == (Status.ENDED, EndReason.AGREEMENT)
    assert contracts.in_force(held, provider.world.clock.now)


def test_a_contract_may_be_filed_before_or_after_it_is_finalized(consumer: Node, provider: Node) -> None:
    """The receipt and the last message come by two roads; both orders make one contract."""
    process = ask(consumer, provider)
    n = ours(consumer, process)
    bare = replace(n, signing=replace(n.signing, receipt=b""))
    bare = replace(bare, agreement=replace(n.agreement, id=AgreementId("second")))
    bare = replace(bare, signing=replace(bare.signing, contract_id=None))
    bare = replace(bare, exchange=replace(bare.exchange, id=ProcessId("second"), peer_pid=None))
    consumer.journal.write_now(lambda tx: store.create(tx, bare))

    consumer.journal.write_now(
        lambda tx: contracts.contract_filed(
            tx, consumer.desk, bare.exchange.id, n.signing.envelope, b"receipt"
        )
    )

    held = consumer.journal.read_now(lambda c: contracts.agreement_of(c, AgreementId("second")))
    assert held.status is Status.PERFORMING


def test_a_step_of_signing_that_fails_ends_the_negotiation(consumer: Node, provider: Node) -> None:
    """It would wait for ever for a platform that has said no."""
    n = theirs(consumer, ask(consumer, provider, COUNTER))

    for _ in range(2):  # a second failure finds it ended already
        provider.journal.write_now(
            lambda tx: contracts.step_failed(tx, provider.desk, n.exchange.id, "the platform said no")
        )
    provider.world.run()

    assert ours(provider, n.exchange.id).exchange.state is State.TERMINATED
    assert states(provider, n.exchange.id) == (State.TERMINATED, State.TERMINATED)


def test_a_provider_that_is_never_there_ends_the_request(
    world: World, consumer: Node, provider: Node
) -> None:
    """A person who waits is told, instead of being left with a negotiation that nobody answers."""
    consumer.desk = replace(consumer.desk, deadline=timedelta(seconds=30))
    world.weather = Weather(down=frozenset({provider.did}))

    begun = consumer.journal.write_now(
        lambda tx: contracts.request_contract(tx, consumer.desk, provider.did, provider.base, OFFER, DIGEST)
    )
    world.run()

    ended = ours(consumer, begun.exchange.id)
    assert (ended.exchange.state, ended.exchange.pending) == (State.TERMINATED, None)
    assert "deadline" in ended.problem


def test_a_contract_ends_once(consumer: Node, provider: Node) -> None:
    """The first reason counts; a second end must not overwrite it."""
    agreed = ours(consumer, ask(consumer, provider)).agreement
    assert agreed is not None

    def end(reason: EndReason) -> bool:
        done: bool = consumer.journal.write_now(lambda tx: contracts.end_contract(tx, agreed.id, reason))
        return done

    assert (end(EndReason.ORDER), end(EndReason.AGREEMENT)) == (True, False)
    held = consumer.journal.read_now(lambda c: contracts.agreement_of(c, agreed.id))
    assert held.end_reason is EndReason.ORDER
    assert contracts.in_force(held, consumer.world.clock.now)


def test_the_second_writer_of_a_negotiation_is_told(consumer: Node, provider: Node) -> None:
    """Two writers start from one version: the later one gets a conflict, not a lost update."""
    n = ours(consumer, ask(consumer, provider, COUNTER))
    later = replace(n, exchange=replace(n.exchange, version=n.exchange.version + 1))
    consumer.journal.write_now(lambda tx: store.save(tx, later, n))

    with pytest.raises(ConflictError):
        consumer.journal.write_now(lambda tx: store.save(tx, later, n))


def test_a_hundred_schedules_of_a_misbehaving_network_end_well(tmp_path: Path) -> None:
    """A slice of `tests/space/schedules.py`: both sides hold the same legal state, terms and doors."""
    _, faults = run(tmp_path, 100, seed=1_000_000)

    assert faults == []
