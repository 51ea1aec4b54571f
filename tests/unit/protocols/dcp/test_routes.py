"""What we show of ourselves: our document to everybody, our membership to whom we called."""

import asyncio
from typing import Any

import pytest
from entrepot_dcp_web import Node, Web
from entrepot_identity_world import (
    ALICE,
    BOB,
    EVE,
    SECOND,
    START,
    credential_of,
    id_claims,
    seconds,
    write_token,
)

from entrepot.identity import ACCESS_LIFETIME, issue_id_token, read_did_document, verify_presentation
from entrepot.protocols import Proof, Response
from entrepot.protocols.dcp import INSECURE_RC6, MEMBERSHIP
from entrepot.protocols.dcp.codec import parse_presentations, render_query


@pytest.fixture
def alice(web: Web) -> Node:
    web.node("platform")
    web.node("bob")
    web.node("eve")
    return web.node("alice")


def ask(alice: Node, token: str, *scopes: str, body: bytes | None = None) -> Response:
    """Ask Alice's credential service as whoever wrote `token`."""
    headers = {"authorization": f"Bearer {token}"}
    query = render_query(scopes or (MEMBERSHIP,)) if body is None else body
    return asyncio.run(alice.serve("POST", "/dcp/presentations/query", query, headers))


def by_bob(alice: Node, jti: str = "one", access_token: str | None = None) -> str:
    given = alice.access_token(BOB.did) if access_token is None else access_token
    return issue_id_token(BOB.identity, BOB.did, ALICE.did, START, jti, given)


def shown(response: Response) -> tuple[str, ...]:
    assert response.status == 200
    return tuple(
        credential
        for raw in parse_presentations(response.body)
        for credential in verify_presentation(raw, ALICE.document, BOB.did, START).credentials
    )


def test_our_document_is_there_for_everybody(alice: Node) -> None:
    """did:web, Read: without it nobody can verify what we sign."""
    found = asyncio.run(alice.serve("GET", "/.well-known/did.json", b"", {}))

    assert found.media_type == "application/did+json"
    assert read_did_document(found.body, ALICE.did).keys == ALICE.document.keys


def test_each_route_names_its_proof(alice: Node) -> None:
    assert {r.path: r.proof for r in alice.routes} == {
        "/.well-known/did.json": Proof.NONE,
        "/dcp/presentations/query": Proof.ACCESS_TOKEN,
        "/dcp/credentials": Proof.ID_TOKEN,
        "/dcp/offers": Proof.ID_TOKEN,
        "/dcp/sts/token": Proof.CLIENT_SECRET,
    }


def test_whom_we_called_sees_our_membership(alice: Node) -> None:
    """The presentation is signed by us, for that reader only."""
    assert shown(ask(alice, by_bob(alice))) == (alice.credential,)


def test_a_scope_that_gives_nothing_is_left_out(alice: Node) -> None:
    """DCP 1.0, 5.4.1.2: scopes that the caller is not entitled to are left out, with 200."""
    other = MEMBERSHIP.replace("Membership", "Passport")

    assert shown(ask(alice, by_bob(alice, "one"), other)) == ()
    assert shown(ask(alice, by_bob(alice, "two"), other, MEMBERSHIP)) == (alice.credential,)


def test_before_admission_there_is_nothing_to_show(alice: Node) -> None:
    alice.credential = None

    assert shown(ask(alice, by_bob(alice))) == ()


@pytest.mark.parametrize("access_token", ["", "guess", "secret of alice for did:web:eve.example", "секрет"])
def test_whom_we_did_not_call_sees_nothing(alice: Node, access_token: str) -> None:
    """The access token is bound to the party that it was given to."""
    found = ask(alice, by_bob(alice, access_token=access_token))

    assert found.status == 401
    assert b"secret" not in found.body


def test_an_access_token_is_worth_nothing_in_other_hands(alice: Node) -> None:
    """Who finds Bob's access token cannot use it without Bob's key."""
    stolen = alice.access_token(BOB.did)
    as_eve = issue_id_token(EVE.identity, EVE.did, ALICE.did, START, "one", stolen)
    as_bob = write_token(EVE.identity, id_claims(BOB, ALICE, token=stolen))

    assert ask(alice, as_eve).status == 401
    assert ask(alice, as_bob).status == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": EVE.did},
        {"sub": EVE.did},
        {"exp": seconds(START) - 6},
        {"nbf": seconds(START) + 60},
        {"iat": seconds(START) + 60},
        {"jti": None},
        {"token": None},
        {"token": ["secret of alice for did:web:bob.example"]},
    ],
)
def test_a_bad_token_sees_nothing(alice: Node, changes: dict[str, Any]) -> None:
    """DCP 1.0, 4.3.3 and 5.3.1, at the credential service."""
    good = id_claims(BOB, ALICE, token=alice.access_token(BOB.did))
    assert ask(alice, write_token(BOB.identity, good)).status == 200

    claims = {k: v for k, v in {**good, "jti": "other", **changes}.items() if v is not None}
    assert ask(alice, write_token(BOB.identity, claims)).status == 401


def test_a_token_is_good_for_one_query(alice: Node) -> None:
    token = by_bob(alice)

    assert ask(alice, token).status == 200
    assert ask(alice, token).status == 401


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"scope":[]}', b'{"scope":["a"],"presentationDefinition":{}}']
)
def test_a_query_that_asks_for_nothing_is_malformed(alice: Node, body: bytes) -> None:
    """Exactly 400 (DCP 1.0, 5.4.1)."""
    assert ask(alice, by_bob(alice), body=body).status == 400


def test_a_query_by_definition_is_not_supported(alice: Node) -> None:
    """Exactly 501, and 400 for a definition that defines nothing (DCP 1.0, 5.4.1.1)."""
    for at, (definition, status) in enumerate(((b'{"id":"x"}', 501), (b"{}", 400), (b"null", 400))):
        body = b'{"presentationDefinition":' + definition + b"}"
        assert ask(alice, by_bob(alice, f"definition {at}"), body=body).status == status


def test_only_what_the_access_token_grants_is_shown(alice: Node) -> None:
    """By id or by type, and never more than is asked for either."""
    by_id = "org.eclipse.dspace.dcp.vc.id:urn:uuid:none"
    every = "org.eclipse.dspace.dcp.vc.type:*"
    cases = [
        ((by_id,), MEMBERSHIP, 0),
        ((every,), MEMBERSHIP, 1),
        ((MEMBERSHIP,), every, 1),
        ((every,), by_id, 0),
    ]
    for at, (granted, asked, number) in enumerate(cases):
        token = by_bob(alice, f"case {at}", alice.access_token(BOB.did, *granted))
        assert len(shown(ask(alice, token, asked))) == number


def test_an_access_token_ends(alice: Node) -> None:
    """Ten minutes after our call, whoever kept the token has nothing."""
    given = alice.access_token(BOB.did)
    alice.web.now += ACCESS_LIFETIME + 6 * SECOND
    alice.credential = credential_of(ALICE)
    late = issue_id_token(BOB.identity, BOB.did, ALICE.did, alice.web.now, "late", given)

    assert ask(alice, late).status == 401


def test_the_older_release_refuses_who_asks_for_more_than_was_granted(alice: Node) -> None:
    """The official suite's 1.0.0-RC6 wants 4xx; the standard wants the rest left out."""
    other = MEMBERSHIP.replace("Membership", "Passport")
    assert ask(alice, by_bob(alice, "strict"), other, MEMBERSHIP).status == 200

    alice.profile = INSECURE_RC6
    alice.restart()
    assert ask(alice, by_bob(alice, "wider"), other, MEMBERSHIP).status == 403
    assert ask(alice, by_bob(alice, "granted"), MEMBERSHIP).status == 200
