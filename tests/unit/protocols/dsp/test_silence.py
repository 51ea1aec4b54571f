"""Peers that have fallen silent are asked where they stand, and not sooner."""

import asyncio
import json
from pathlib import Path

import pytest
from entrepot_dsp_node import OFFER, OPEN, PEER, PEER_BASE, PRODUCT, Node

from entrepot.catalogue import Offering
from entrepot.contracts import State
from entrepot.journal import Transaction
from entrepot.protocols import Reply
from entrepot.protocols.dsp import Silence
from entrepot.use import acquisition as acquisitions
from entrepot.values import KindOfUse, sha256


def shown(state: str) -> Reply:
    body = {"@type": "ContractNegotiation", "providerPid": "urn:theirs", "state": state}
    return Reply(200, json.dumps(body).encode(), {})


@pytest.fixture
def waiting(node: Node) -> Node:
    """An acquisition of ours waits for a peer that has taken in our request and says nothing more."""
    digest, kinds = sha256(b"described"), frozenset({KindOfUse.DELIVERY})
    offering = Offering(PRODUCT, PEER, OFFER.id, OPEN, kinds, digest)

    def want(tx: Transaction) -> None:
        begun = acquisitions.begin(tx, PRODUCT, None, Path("/nowhere/here"), provider=PEER)
        acquisitions.found(tx, node.desk, node.rail, begun, offering, PEER_BASE)

    node.journal.write_now(want)
    node.outside.answers = [shown("REQUESTED")]
    node.send_due()
    node.outside.asked.clear()
    return node


def test_what_a_peer_has_ended_without_a_word_is_over_here_too(waiting: Node) -> None:
    """Eclipse connectors under load end a process on their side only; what waits would wait for ever."""
    silence = Silence(waiting.correspondence, lambda: waiting.now)
    asyncio.run(silence.run())
    waiting.later(seconds=59)
    asyncio.run(silence.run())
    assert waiting.outside.asked == []

    waiting.later(seconds=2)
    waiting.outside.answers = [shown("TERMINATED")]
    asyncio.run(silence.run())

    assert [method for method, _, _ in waiting.outside.asked] == ["GET"]
    assert waiting.negotiation().exchange.state is State.TERMINATED


@pytest.mark.parametrize("state", ["REQUESTED", "AGREED", "FINALIZED"])
def test_what_carries_content_has_still_to_come_as_a_message(waiting: Node, state: str) -> None:
    """A state says nothing of terms: taking it over would be agreeing to what nobody has read."""
    silence = Silence(waiting.correspondence, lambda: waiting.now)
    asyncio.run(silence.run())
    waiting.later(seconds=61)
    waiting.outside.answers = [shown(state)]

    asyncio.run(silence.run())

    assert waiting.negotiation().exchange.state is State.REQUESTED


def test_a_peer_that_cannot_be_reached_is_asked_again_after_a_while(waiting: Node) -> None:
    """Asking at every round would add to the load that has silenced it."""
    silence = Silence(waiting.correspondence, lambda: waiting.now)
    asyncio.run(silence.run())
    waiting.later(seconds=61)
    for _ in range(3):
        asyncio.run(silence.run())
    assert len(waiting.outside.asked) == 1

    waiting.later(seconds=61)
    asyncio.run(silence.run())

    assert len(waiting.outside.asked) == 2
