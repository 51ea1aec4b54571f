"""The test identities: whom they let in, what they send, and that members go on proving who they are."""

import asyncio
import json

import pytest
from entrepot_dcp_web import MAX_AGE, Web
from entrepot_identity_world import PLATFORM

from entrepot.protocols.dcp import InsecureAcquaintance, InsecureIdentity, InsecurePeer, Trust
from entrepot.values import Did, TrustError

TOKEN = "a token that both sides know"
EDC = InsecurePeer(
    Did("did:web:edc.example"),
    "http://127.0.0.1:9/protocol/2025-1",
    ("http://127.0.0.1:10",),
    TOKEN,
)


def insecure(web: Web, kind: InsecureIdentity) -> InsecureAcquaintance:
    """Bob, who believes one listed peer at its word."""
    bob = web.node("bob")
    trust = Trust(bob.party.did, PLATFORM.did, MAX_AGE, lambda _did: False)
    return InsecureAcquaintance(
        bob.journal, web, trust, bob.party.identity, lambda: web.now, bob.access_token, kind, [EDC]
    )


def who(bob: InsecureAcquaintance, authorization: str) -> Did:
    return asyncio.run(bob.authenticate(authorization))


def test_a_listed_peer_is_believed_by_what_an_edc_sends(web: Web) -> None:
    """Without this an EDC cannot be tried before its credentials are set up."""
    sent = json.dumps({"region": "eu", "audience": "http://anywhere", "clientId": EDC.did})

    assert who(insecure(web, InsecureIdentity.EDC_MOCK), sent) == EDC.did


@pytest.mark.parametrize(
    "sent",
    [
        '{"region": "eu", "clientId": "did:web:other.example"}',
        '{"region": "eu"}',
        '{"clientId": "did:web:edc.example"}',
        '{"clientId": ["did:web:edc.example"], "region": "eu"}',
        "{",
        '{"region": "eu", "clientId": "did:web:edc.example", "more": "' + "x" * 5_000 + '"}',
        f"Bearer {TOKEN}",
        "",
    ],
)
def test_nobody_else_is_let_in_by_the_mock_identity(web: Web, sent: str) -> None:
    """A test identity that lets in who is not listed would let in everybody on the machine."""
    bob = insecure(web, InsecureIdentity.EDC_MOCK)

    with pytest.raises(TrustError):
        who(bob, sent)


def test_a_token_is_its_peer_and_no_other(web: Web) -> None:
    """A prefix of a token, or an empty one, must open nothing."""
    bob = insecure(web, InsecureIdentity.STATIC_TOKEN)

    assert who(bob, f"Bearer {TOKEN}") == EDC.did
    assert asyncio.run(bob.authorization(EDC.did)) == f"Bearer {TOKEN}"
    for sent in ("Bearer ", f"Bearer {TOKEN[:-1]}", json.dumps({"region": "eu", "clientId": EDC.did})):
        with pytest.raises(TrustError):
            who(bob, sent)


def test_what_is_sent_is_what_an_edc_wants(web: Web) -> None:
    """Without `region`, or with `Bearer` in front, EDC's mock identity answers 500."""
    header = asyncio.run(insecure(web, InsecureIdentity.EDC_MOCK).authorization(EDC.did))

    assert "\n" not in header
    sent = json.loads(header)
    assert (sent["clientId"], bool(sent["region"]), sent["audience"]) == (
        "did:web:bob.example",
        True,
        EDC.base,
    )


def test_a_listed_peer_names_its_addresses_and_no_keys(web: Web) -> None:
    """Callbacks are checked against these; a key would make its signatures count."""
    document = asyncio.run(insecure(web, InsecureIdentity.EDC_MOCK).document(EDC.did))

    assert document.services["DataService"] == EDC.base
    assert "http://127.0.0.1:10" in document.services.values()
    assert not document.keys


def test_a_member_proves_who_it_is_as_before(web: Web) -> None:
    """A test identity beside the real one must not weaken it."""
    web.node("platform")
    alice, bob = web.node("alice"), insecure(web, InsecureIdentity.EDC_MOCK)
    header = asyncio.run(alice.acquaintance.authorization(Did("did:web:bob.example")))

    asyncio.run(bob.take_in_status_list(web.status_list()))
    assert who(bob, header) == alice.party.did
    with pytest.raises(TrustError):
        who(bob, header)  # used once already
