"""What issuers bring to a holder: kept when verified, about us, and from whom we believe or have asked."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from entrepot_dcp_web import Node, Web
from entrepot_identity_world import ALICE, BOB, EVE, PLATFORM, START, Party, membership_of

from entrepot.identity import (
    AskedState,
    Credential,
    CredentialForm,
    Kind,
    ask_for,
    drop_credential,
    is_good,
    issue_credential,
    known_credential,
    membership_credential,
    offers,
    own_credentials,
    remember_status_list,
    request_of,
    requests,
    verify_status_list,
)
from entrepot.protocols import Response
from entrepot.protocols.dcp.codec import parse_presentations, render_query
from entrepot.protocols.dcp.issuance_codec import (
    Container,
    Delivery,
    Outcome,
    render_delivery,
    render_offer,
)
from entrepot.protocols.dcp.profile import IDENTITY_HUB, INSECURE_RC6, DcpProfile
from entrepot.values import NotFoundError, RefusedError

PASSPORT = "PassportCredential"


@pytest.fixture
def alice(web: Web) -> Node:
    for name in ("platform", "bob", "eve"):
        web.node(name)
    found = web.node("alice")
    found.credential = None
    return found


def credential(issuer: Party = PLATFORM, holder: Party = ALICE, **changes: Any) -> Credential:
    made = Credential(
        form=CredentialForm.VC20,
        issuer=issuer.did,
        subject=holder.did,
        types=(PASSPORT,),
        claims={"number": "1"},
        valid_from=START - timedelta(days=1),
        valid_until=START + timedelta(days=1),
        id="urn:uuid:passport",
    )
    return replace(made, **changes)


def contained(made: Credential, signer: Party = PLATFORM, **changes: str) -> Container:
    return replace(
        Container(made.types[0], made.form.value, issue_credential(signer.identity, made)), **changes
    )


def delivery(*containers: Container, holder_pid: str = "unasked") -> bytes:
    found = containers or (contained(credential()),)
    return render_delivery(Delivery("theirs", holder_pid, Outcome.ISSUED, found))


def bring(
    alice: Node, body: bytes, by: Party = PLATFORM, path: str = "credentials", token: str = ""
) -> Response:
    header = alice.web.nodes[f"{by.name}.example"].authorization(ALICE.did, token)
    return asyncio.run(alice.serve("POST", f"/dcp/{path}", body, {"authorization": header}))


def held(alice: Node) -> list[str]:
    found = asyncio.run(alice.journal.read(lambda c: own_credentials(c, ALICE.did)))
    return [own.credential.types[0] for own in found]


def asked(alice: Node, issuer: Party, *types: str) -> str:
    kinds = [Kind(f"id of {name}", name, CredentialForm.VC20) for name in types]
    return asyncio.run(alice.journal.write(lambda tx: ask_for(tx, issuer.did, kinds))).holder_pid


def state(alice: Node, holder_pid: str) -> AskedState:
    found = asyncio.run(alice.journal.read(lambda c: request_of(c, holder_pid)))
    assert found is not None
    return found.state


@pytest.mark.parametrize("form", list(CredentialForm))
def test_what_a_believed_issuer_brings_is_kept_and_shown(alice: Node, form: CredentialForm) -> None:
    """In either form, unasked: a platform reissues when it rotates its keys."""
    assert bring(alice, delivery(contained(credential(form=form)))).status == 200
    assert held(alice) == [PASSPORT]

    scope = f"org.eclipse.dspace.dcp.vc.type:{PASSPORT}"
    token = alice.web.nodes["bob.example"].authorization(ALICE.did, alice.access_token(BOB.did, scope))
    shown = asyncio.run(
        alice.serve("POST", "/dcp/presentations/query", render_query((scope,)), {"authorization": token})
    )
    assert len(parse_presentations(shown.body)) == 1


def test_a_repeat_changes_nothing(alice: Node) -> None:
    """An issuer that did not hear our answer sends the same again."""
    body = delivery()
    for _ in range(2):
        assert bring(alice, body).status == 200
    assert held(alice) == [PASSPORT]


def test_what_we_asked_an_issuer_for_is_kept_once_the_request_is_open(alice: Node) -> None:
    """Eve is believed by nobody here; she may bring what she was asked for, and nothing else."""
    body = contained(credential(EVE), EVE)
    assert bring(alice, delivery(body), EVE).status == 403
    pid = asked(alice, EVE, PASSPORT)
    assert (
        bring(alice, delivery(contained(credential(EVE, types=("Other",)), EVE), holder_pid=pid), EVE).status
        == 403
    )
    assert bring(alice, delivery(body, holder_pid=pid), EVE).status == 200
    assert (held(alice), state(alice, pid)) == ([PASSPORT], AskedState.ISSUED)

    more = contained(credential(EVE, id="urn:uuid:another"), EVE)
    assert bring(alice, delivery(body, holder_pid=pid), EVE).status == 200
    assert bring(alice, delivery(more, holder_pid=pid), EVE).status == 403
    assert held(alice) == [PASSPORT]


def test_an_answer_to_a_request_of_another_issuer_is_no_answer(alice: Node) -> None:
    """Whoever learns the id of a request must not answer it in the issuer's place."""
    pid = asked(alice, EVE, PASSPORT)

    assert bring(alice, delivery(contained(credential(BOB), BOB), holder_pid=pid), BOB).status == 403
    assert bring(alice, delivery(holder_pid=pid)).status == 200
    assert state(alice, pid) is AskedState.REQUESTED


def test_a_rejection_ends_the_request_with_its_reason(alice: Node) -> None:
    pid = asked(alice, EVE, PASSPORT)
    no = render_delivery(Delivery("theirs", pid, Outcome.REJECTED, reason="not approved"))

    assert bring(alice, no, EVE).status == 200
    found = asyncio.run(alice.journal.read(requests))[0]
    assert (found.state, found.reason) == (AskedState.REJECTED, "not approved")
    assert bring(alice, no, BOB).status == 403


BAD: dict[str, tuple[int, Callable[[], Container]]] = {
    "of another issuer": (401, lambda: contained(credential(EVE), EVE)),
    "in the issuer's name": (401, lambda: contained(credential(), EVE)),
    "about another holder": (401, lambda: contained(credential(holder=BOB))),
    "expired": (401, lambda: contained(credential(valid_until=START - timedelta(minutes=1)))),
    "not yet valid": (401, lambda: contained(credential(valid_from=START + timedelta(minutes=1)))),
    "changed": (
        401,
        lambda: contained(
            credential(), payload=issue_credential(PLATFORM.identity, credential())[:-8] + "AAAAAAAA"
        ),
    ),
    "no token": (400, lambda: contained(credential(), payload="token")),
    "of another type than its container": (400, lambda: contained(credential(), type="Other")),
    "of another form than its container": (400, lambda: contained(credential(), format="vc11-sl2021/jwt")),
    "of a form that nobody knows": (400, lambda: contained(credential(), format="ldp_vc")),
    "of the older release's format": (400, lambda: contained(credential(), format="VC2_0_JOSE")),
}


@pytest.mark.parametrize("name", BAD)
def test_a_credential_that_does_not_hold_is_refused_with_all_that_came_along(alice: Node, name: str) -> None:
    """Whole or not at all: half of an issuance would look like the whole."""
    status, bad = BAD[name]

    assert bring(alice, delivery(contained(credential()), bad())).status == status
    assert held(alice) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"holderPid": None},
        {"holderPid": 7},
        {"issuerPid": None},
        {"status": "MAYBE"},
        {"type": "CredentialOfferMessage"},
        {"credentials": []},
        {"credentials": None},
        {"credentials": ["token"]},
        {"credentials": [{"credentialType": PASSPORT, "format": "vc20-bssl/jwt"}]},
        {"holderPid": "a" * 201},
    ],
)
def test_a_message_that_lacks_something_is_malformed(alice: Node, changes: dict[str, Any]) -> None:
    """Exactly 400 (DCP 1.0, 6.5.1)."""
    message = {k: v for k, v in {**msgspec.json.decode(delivery()), **changes}.items() if v is not None}

    assert bring(alice, msgspec.json.encode(message)).status == 400


def test_who_brings_something_proves_who_it_is_once(alice: Node) -> None:
    """No header, no Bearer, a token that was used before, one for another node."""
    platform = alice.web.nodes["platform.example"]
    header = platform.authorization(ALICE.did)
    tries = ["", header.removeprefix("Bearer "), platform.authorization(BOB.did)]
    for path, body in (("credentials", delivery()), ("offers", render_offer(PLATFORM.did, ["one"]))):
        for sent in tries:
            answered = asyncio.run(alice.serve("POST", f"/dcp/{path}", body, {"authorization": sent}))
            assert answered.status == 401
    for status in (200, 401):
        found = asyncio.run(alice.serve("POST", "/dcp/credentials", delivery(), {"authorization": header}))
        assert found.status == status


def test_an_access_token_that_comes_along_must_be_ours_and_the_issuers_own(alice: Node) -> None:
    """DCP 1.0, 6.1: the credential service validates it, if it is there."""
    assert bring(alice, delivery(), token="guess").status == 401
    assert bring(alice, delivery(), token=alice.access_token(EVE.did)).status == 401
    assert bring(alice, delivery(), token=alice.access_token(PLATFORM.did)).status == 200


def test_a_membership_that_the_platform_brings_becomes_ours(alice: Node) -> None:
    """After a suspension a member gets another place on the status list, and must show the new one."""
    made = membership_credential(membership_of(ALICE))

    assert bring(alice, delivery(contained(made))).status == 200
    raw = asyncio.run(alice.journal.read(lambda c: known_credential(c, ALICE.did)))
    assert raw is not None
    assert held(alice) == ["MembershipCredential"]


def test_what_has_expired_or_is_revoked_holds_no_longer(alice: Node) -> None:
    """DCP 1.0, 5.4.2: only valid credentials are shown."""
    made = membership_credential(membership_of(ALICE))
    later = START + timedelta(days=400)
    raw = alice.web.status_list(7)
    listed = verify_status_list(raw, PLATFORM.did, PLATFORM.identity.public, START)
    assert asyncio.run(alice.journal.read(lambda c: is_good(c, made, START)))
    assert not asyncio.run(alice.journal.read(lambda c: is_good(c, made, later)))

    asyncio.run(alice.journal.write(lambda tx: remember_status_list(tx, listed, raw)))
    assert not asyncio.run(alice.journal.read(lambda c: is_good(c, made, START)))


def test_a_dropped_credential_is_gone(alice: Node) -> None:
    bring(alice, delivery())
    (own,) = asyncio.run(alice.journal.read(lambda c: own_credentials(c, ALICE.did)))
    asyncio.run(alice.journal.write(lambda tx: drop_credential(tx, own.digest)))

    assert held(alice) == []
    with pytest.raises(NotFoundError):
        asyncio.run(alice.journal.write(lambda tx: drop_credential(tx, own.digest)))


def test_a_wallet_is_bounded(alice: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A believed issuer that goes wrong must not fill the disk."""
    monkeypatch.setattr("entrepot.identity.wallet.MAX_HELD", 1)
    monkeypatch.setattr("entrepot.identity.wallet.MAX_WAITING", 1)
    assert bring(alice, delivery()).status == 200
    assert bring(alice, delivery(contained(credential(id="urn:uuid:more")))).status == 403
    asked(alice, EVE, PASSPORT)
    with pytest.raises(RefusedError):
        asked(alice, EVE, PASSPORT)


@pytest.mark.parametrize("profile", [INSECURE_RC6, IDENTITY_HUB])
def test_older_releases_name_forms_otherwise(alice: Node, profile: DcpProfile) -> None:
    """The official suite's release 1.0.0-RC6 did, and Eclipse's IssuerService until 2026."""
    older = delivery(contained(credential(), format="VC2_0_JOSE"))
    assert bring(alice, older).status == 400
    alice.profile = profile
    alice.restart()

    assert bring(alice, older).status == 200
    assert bring(alice, delivery(contained(credential()))).status == 200


def test_an_offer_is_kept_for_the_owner_and_once(alice: Node) -> None:
    body = render_offer(PLATFORM.did, ["one", "two"])
    for _ in range(2):
        assert bring(alice, body, path="offers").status == 200
    (found,) = asyncio.run(alice.journal.read(offers))

    assert ([k.id for k in found.kinds], found.issuer) == (["one", "two"], PLATFORM.did)
    assert asyncio.run(alice.journal.read(requests)) == []


def test_an_offer_of_somebody_else_or_of_a_stranger_is_refused(alice: Node) -> None:
    """A stranger must not fill the owner's list, nor speak for an issuer."""
    assert bring(alice, render_offer(PLATFORM.did, ["one"]), EVE, "offers").status == 401
    assert bring(alice, render_offer(EVE.did, ["one"]), EVE, "offers").status == 403
    asked(alice, EVE, PASSPORT)
    assert bring(alice, render_offer(EVE.did, ["one"]), EVE, "offers").status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": None},
        {"issuer": "me"},
        {"credentials": []},
        {"credentials": ["one"]},
        {"credentials": [{}]},
    ],
)
def test_an_offer_that_lacks_something_is_malformed(alice: Node, changes: dict[str, Any]) -> None:
    message = {**msgspec.json.decode(render_offer(PLATFORM.did, ["one"])), **changes}

    assert bring(alice, msgspec.json.encode(message), path="offers").status == 400


def test_an_offer_is_followed_where_the_owner_wants_that(alice: Node) -> None:
    alice.follows_offers = True
    alice.restart()
    assert bring(alice, render_offer(PLATFORM.did, ["one"]), path="offers").status == 200
    (found,) = asyncio.run(alice.journal.read(requests))

    assert (found.issuer, [k.id for k in found.kinds]) == (PLATFORM.did, ["one"])


def test_only_so_many_offers_are_kept(alice: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrepot.identity.wallet.MAX_OFFERS", 2)
    for name in ("one", "two", "three"):
        alice.web.now += timedelta(seconds=1)
        assert bring(alice, render_offer(PLATFORM.did, [name]), path="offers").status == 200

    kept = asyncio.run(alice.journal.read(offers))
    assert [o.kinds[0].id for o in kept] == ["three", "two"]
