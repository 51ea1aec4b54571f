"""A term that nobody here knows is refused by its name, on both sides of a negotiation."""

import json
from typing import Any

import pytest
from entrepot_dsp_node import AGREEMENT, ME, OFFER, PEER, PEER_BASE, PRODUCT, START

from entrepot.contracts import Agreement, Message, Move, Offer
from entrepot.policy import parse_policy
from entrepot.protocols.dsp import render_negotiation
from entrepot.values import MessageId, ProcessId

WEATHER = "https://other.example/ns/weather"
THEIRS = ProcessId("urn:uuid:theirs")
FAIR = {"leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "fair"}
POLICY = parse_policy({"permission": [{"action": "use", "constraint": [FAIR]}]})
ASKED = Offer(OFFER.id, PRODUCT, POLICY)
CHANGES = {
    "operand": ('"odrl:purpose"', f'"{WEATHER}"', WEATHER),
    "operator": ('"operator":"eq"', '"operator":"ex:likes"', "ex:likes"),
    "action": ('"action":"use"', '"action":"ex:borrow"', "ex:borrow"),
    "key": ('"rightOperand"', '"ex:unless":"x","rightOperand"', "ex:unless"),
    "context": ('"@context":[', f'"@context":["{WEATHER}",', WEATHER),
}


def changed(message: Message, change: str) -> tuple[Any, str]:
    """A message with one unknown term in it, and the term."""
    before, after, term = CHANGES[change]
    raw = render_negotiation(message, PEER_BASE)[1].decode()
    assert before in raw
    return json.loads(raw.replace(before, after)), term


def reasons(response: Any) -> str:
    return "; ".join(json.loads(response.body)["reason"])


@pytest.mark.parametrize("change", CHANGES)
def test_as_provider_we_name_what_we_do_not_know(node: Any, change: str) -> None:
    """In a request and in a counter-offer; nothing is begun, and nothing moves."""
    first = Message(MessageId("urn:m1"), Move.REQUEST, THEIRS, None, ASKED, PEER_BASE)
    body, term = changed(first, change)
    refused = node.call("POST", "/negotiations/request", body)
    assert (refused.status, term in reasons(refused)) == (400, True)

    good = Message(MessageId("urn:m2"), Move.REQUEST, THEIRS, None, OFFER, PEER_BASE)
    begun = node.call("POST", "/negotiations/request", json.loads(render_negotiation(good, PEER_BASE)[1]))
    ours = json.loads(begun.body)["providerPid"]
    counter, term = changed(Message(MessageId("urn:m3"), Move.REQUEST, THEIRS, ours, ASKED), change)
    again = node.call("POST", f"/negotiations/{ours}/request", counter)

    assert (again.status, term in reasons(again)) == (400, True)
    assert node.negotiation().offer.policy == OFFER.policy


@pytest.mark.parametrize("change", CHANGES)
def test_as_consumer_we_name_what_we_do_not_know(node: Any, change: str) -> None:
    """In an offer that nobody asked for, in one that answers, and in an agreement."""
    first = Message(MessageId("urn:m1"), Move.OFFER, None, THEIRS, ASKED, PEER_BASE)
    body, term = changed(first, change)
    refused = node.call("POST", "/negotiations/offers", body)
    assert (refused.status, term in reasons(refused)) == (400, True)

    ours = node.request_contract().exchange.id
    agreement = Agreement(AGREEMENT, PRODUCT, POLICY, PEER, ME, START)
    for move, content, path in ((Move.OFFER, ASKED, "offers"), (Move.AGREE, agreement, "agreement")):
        body, term = changed(Message(MessageId(f"urn:{path}"), move, ours, THEIRS, content), change)
        answer = node.call("POST", f"/negotiations/{ours}/{path}", body)
        assert (answer.status, term in reasons(answer)) == (400, True)
    assert node.negotiation().offer.policy == OFFER.policy
    assert node.negotiation().agreement is None
