"""Offers that a provider makes unasked: nothing is signed before a person of the consumer's says so."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from schedules import POLICIES, PRODUCT, open_world
from simulator import Node, World

from entrepot import contracts
from entrepot.contracts import Listing, Move, Negotiation, Next, Offer, Party, Reason, State
from entrepot.policy import Policy
from entrepot.values import OfferId, ProcessId, sha256

DIGEST = sha256(b"product")
OFFER = Offer(OfferId("offer"), PRODUCT, POLICIES[0])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two nodes and a network that works; the provider has listed the product."""
    opened = open_world(tmp_path)
    for node in opened.nodes.values():
        node.published = lambda _c, asked: Listing(replace(OFFER, target=asked.target), DIGEST)
    yield opened
    opened.close()


@pytest.fixture
def consumer(world: World) -> Node:
    return world.nodes[Party.CONSUMER]


@pytest.fixture
def provider(world: World) -> Node:
    return world.nodes[Party.PROVIDER]


@pytest.fixture
def offered(consumer: Node, provider: Node) -> ProcessId:
    """The consumer's id of a negotiation that begins with an offer on the usual terms."""
    provider.journal.write_now(
        lambda tx: contracts.offer_contract(tx, provider.desk, consumer.did, consumer.base, OFFER, DIGEST)
    )
    provider.world.run()
    (waiting,) = consumer.journal.read_now(contracts.waiting_for_a_person).items
    consumer.journal.write_now(lambda tx: contracts.product_known(tx, waiting.exchange.id, DIGEST))
    found: ProcessId = waiting.exchange.id
    return found


def at(node: Node, process: ProcessId) -> Negotiation:
    found: Negotiation | None = node.journal.read_now(lambda c: contracts.read_negotiation(c, process))
    assert found is not None
    return found


def both(consumer: Node, process: ProcessId) -> tuple[State, State]:
    ours = at(consumer, process).exchange
    assert ours.peer_pid is not None
    return ours.state, at(consumer.peer, ours.peer_pid).exchange.state


def counter(node: Node, process: ProcessId, policy: Policy) -> None:
    node.journal.write_now(lambda tx: contracts.counter(tx, node.desk, process, policy))
    node.world.run()


def test_an_unasked_offer_waits_for_a_person(consumer: Node, offered: ProcessId) -> None:
    """A provider could bind a consumer by writing to it, were its catalogue's terms taken by rule."""
    assert both(consumer, offered) == (State.OFFERED, State.OFFERED)

    consumer.journal.write_now(lambda tx: contracts.approve(tx, consumer.desk, offered))
    consumer.world.run()

    assert both(consumer, offered) == (State.FINALIZED, State.FINALIZED)


def test_an_unasked_offer_may_be_refused(consumer: Node, provider: Node, offered: ProcessId) -> None:
    """The provider learns it, and why."""
    no = Next(Move.TERMINATE, Reason("rejected", ("not for us",)))

    consumer.journal.write_now(lambda tx: contracts.move(tx, consumer.desk, offered, no))
    consumer.world.run()

    assert both(consumer, offered) == (State.TERMINATED, State.TERMINATED)
    (theirs,) = provider.journal.read_now(contracts.negotiations)
    assert "not for us" in theirs.problem


def test_an_unasked_offer_is_answered_with_other_terms(
    consumer: Node, provider: Node, offered: ProcessId
) -> None:
    """The counter-offer waits on the provider's side; once a person agrees there, nobody is asked again."""
    counter(consumer, offered, POLICIES[1])
    assert both(consumer, offered) == (State.REQUESTED, State.REQUESTED)
    (waiting,) = provider.journal.read_now(contracts.waiting_for_a_person).items

    provider.journal.write_now(lambda tx: contracts.approve(tx, provider.desk, waiting.exchange.id))
    provider.world.run()

    assert both(consumer, offered) == (State.FINALIZED, State.FINALIZED)
    agreed = at(consumer, offered).agreement
    assert agreed is not None
    assert agreed.policy == POLICIES[1]


def test_a_second_offer_waits_again(consumer: Node, provider: Node, offered: ProcessId) -> None:
    """Approval is of the terms that were shown, not of what takes their place."""
    counter(consumer, offered, POLICIES[1])
    (waiting,) = provider.journal.read_now(contracts.waiting_for_a_person).items

    counter(provider, waiting.exchange.id, POLICIES[2])

    assert both(consumer, offered) == (State.OFFERED, State.OFFERED)
    assert contracts.waits_for_a_person(at(consumer, offered))


def test_our_own_terms_offered_back_need_nobody_again(
    consumer: Node, provider: Node, offered: ProcessId
) -> None:
    """A person has proposed them here already."""
    counter(consumer, offered, POLICIES[1])
    (waiting,) = provider.journal.read_now(contracts.waiting_for_a_person).items

    counter(provider, waiting.exchange.id, POLICIES[1])

    assert both(consumer, offered) == (State.FINALIZED, State.FINALIZED)


def offers(provider: Node, consumer: Node, how_many: int) -> None:
    for _ in range(how_many):
        provider.journal.write_now(
            lambda tx: contracts.offer_contract(tx, provider.desk, consumer.did, consumer.base, OFFER, DIGEST)
        )
    provider.world.run()


def standings(node: Node) -> Counter[State]:
    return Counter(n.exchange.state for n in node.journal.read_now(contracts.negotiations))


def test_one_party_makes_its_share_of_offers_and_no_more(consumer: Node, provider: Node) -> None:
    """Whoever may write to us could else bury a person's queue, and fill the disk, one offer at a time."""
    most = consumer.desk.unasked_offers
    offers(provider, consumer, most)

    offers(provider, consumer, 1)

    assert standings(consumer) == {State.OFFERED: most}
    assert standings(provider) == {State.OFFERED: most, State.TERMINATED: 1}
    problems = {n.problem for n in provider.journal.read_now(contracts.negotiations)}
    assert any(f"at most {most} are taken" in problem for problem in problems)


def test_offers_taken_back_make_room_on_the_next_day_only(consumer: Node, provider: Node) -> None:
    """Who offers and ends, again and again, would else never reach the limit."""
    most = consumer.desk.unasked_offers
    offers(provider, consumer, most)
    for n in provider.journal.read_now(contracts.negotiations):
        end = Next(Move.TERMINATE, Reason("changed", ("we have changed our mind",)))
        provider.journal.write_now(lambda tx, n=n, e=end: contracts.move(tx, provider.desk, n.exchange.id, e))
    provider.world.run()

    offers(provider, consumer, 1)
    assert standings(consumer) == {State.TERMINATED: most}

    provider.world.clock.now += timedelta(days=1)
    offers(provider, consumer, 1)
    assert standings(consumer) == {State.TERMINATED: most, State.OFFERED: 1}


def test_what_we_ask_for_is_no_unasked_offer(consumer: Node, provider: Node) -> None:
    """A counterparty that has made its share of offers still answers what we ask it for."""
    offers(provider, consumer, consumer.desk.unasked_offers)

    consumer.journal.write_now(
        lambda tx: contracts.request_contract(tx, consumer.desk, provider.did, provider.base, OFFER, DIGEST)
    )
    consumer.world.run()

    assert standings(consumer)[State.FINALIZED] == 1
