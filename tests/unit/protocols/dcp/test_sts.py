"""The token service: closed until the owner makes a client, and then no wider than that client."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from entrepot_dcp_web import Node, Web
from entrepot_identity_world import ALICE, BOB

from entrepot.identity import (
    close_token_client,
    make_token_client,
    parse_token,
    token_clients,
    verify_id_token,
)
from entrepot.protocols import Response
from entrepot.protocols.dcp import MEMBERSHIP, check_scopes
from entrepot.values import ConflictError, MalformedError, NotFoundError, RefusedError

SECRET = "thirty-two characters and a few more"
FORM = {
    "grant_type": "client_credentials",
    "client_id": "warehouse",
    "client_secret": SECRET,
    "audience": BOB.did,
    "bearer_access_scope": MEMBERSHIP,
}


@pytest.fixture
def alice(web: Web) -> Node:
    web.node("bob")
    found = web.node("alice")
    asyncio.run(found.journal.write(lambda tx: make_token_client(tx, "warehouse", SECRET, (MEMBERSHIP,))))
    return found


def ask(alice: Node, form: Any) -> Response:
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    return asyncio.run(alice.serve("POST", "/dcp/sts/token", body, {}))


def test_a_client_is_given_a_token_for_one_audience(alice: Node) -> None:
    """The token says who we are; inside it, what that audience may ask for, and nobody else."""
    found = msgspec.json.decode(ask(alice, FORM).body)
    caller = verify_id_token(parse_token(found["access_token"]), ALICE.document, BOB.did, alice.web.now)

    assert (found["token_type"], found["expires_in"]) == ("Bearer", 300)
    assert alice.access(caller.access_token, BOB.did).scopes == (MEMBERSHIP,)


def test_the_audiences_own_access_token_is_passed_on(alice: Node) -> None:
    """As verifier, the owner's software shows a holder what that holder gave it."""
    form = {**FORM, "token": "given by bob"}
    del form["bearer_access_scope"]
    found = msgspec.json.decode(ask(alice, form).body)

    assert parse_token(found["access_token"]).claims["token"] == "given by bob"


def test_without_scopes_no_access_is_granted(alice: Node) -> None:
    found = msgspec.json.decode(ask(alice, {**FORM, "bearer_access_scope": ""}).body)

    assert "token" not in parse_token(found["access_token"]).claims


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": None}, 400, "unsupported_grant_type"),
        ({"audience": None}, 400, "invalid_request"),
        ({"audience": "bob"}, 400, "invalid_request"),
        ({"audience": ALICE.did}, 400, "invalid_request"),
        ({"token": "theirs"}, 400, "invalid_request"),
        ({"bearer_access_scope": "org.eclipse.dspace.dcp.vc.type:Passport"}, 400, "invalid_scope"),
        ({"bearer_access_scope": "org.eclipse.dspace.dcp.vc.type:*"}, 400, "invalid_scope"),
        ({"bearer_access_scope": f"{MEMBERSHIP} everything"}, 400, "invalid_scope"),
        ({"bearer_access_scope": " ".join(f"s{i}" for i in range(17))}, 400, "invalid_request"),
        ({"client_id": "a\x00"}, 400, "invalid_request"),
        ({"client_id": "a" * 5000}, 400, "invalid_request"),
    ],
)
def test_what_is_refused_is_refused_as_oauth_says_it(
    alice: Node, changes: dict[str, str | None], status: int, code: str
) -> None:
    """RFC 6749, 5.2; a client that there is not and a wrong secret look the same."""
    answered = ask(alice, {k: v for k, v in {**FORM, **changes}.items() if v is not None})

    assert (answered.status, msgspec.json.decode(answered.body)["error"]) == (status, code)
    assert SECRET.encode() not in answered.body


@pytest.mark.parametrize(
    "body", [b"", b"grant_type", b"\xff", urlencode([*FORM.items(), ("audience", ALICE.did)]).encode()]
)
def test_what_is_no_form_or_says_something_twice_is_refused(alice: Node, body: bytes) -> None:
    assert ask(alice, body).status == 400


def test_without_a_client_the_service_is_closed(alice: Node) -> None:
    """Also after the last one was closed."""
    asyncio.run(alice.journal.write(lambda tx: close_token_client(tx, "warehouse")))
    assert ask(alice, FORM).status == 401
    with pytest.raises(NotFoundError):
        asyncio.run(alice.journal.write(lambda tx: close_token_client(tx, "warehouse")))


def test_a_client_is_made_once_with_a_secret_that_nobody_guesses(alice: Node) -> None:
    """Of the secret only a digest is kept."""
    for secret, error in ((SECRET, ConflictError), ("short", RefusedError)):
        with pytest.raises(error):
            asyncio.run(
                alice.journal.write(lambda tx, s=secret: make_token_client(tx, "warehouse", s, (MEMBERSHIP,)))
            )
    (kept,) = asyncio.run(alice.journal.read(token_clients))
    assert SECRET not in repr(kept)
    assert SECRET.encode() != kept.secret_digest
    with pytest.raises(MalformedError):
        check_scopes(("everything",))
