"""What a platform answers to members and to those who want to become one."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from entrepot_space_world import ALICE, BOB, CHAIN, EVE, OPERATOR, REGULATOR, Party, World, both_sign
from entrepot_tds_net import NAMES, Net, url_of

from entrepot import catalogue, space
from entrepot.catalogue import Product, product_digest
from entrepot.contracts import Signatory, seal_envelope
from entrepot.identity import to_base64url, verify_membership, verify_status_list
from entrepot.journal import Transaction
from entrepot.protocols import Call, Proof, Reply, Response, tds
from entrepot.space import FilingState, MemberRole, Rules
from entrepot.values import (
    ConflictError,
    Did,
    MalformedError,
    NotFoundError,
    ProductId,
    RefusedError,
    TrustError,
    UnavailableError,
    canonical,
)

DAVE = Party("dave")


@pytest.fixture
def dave() -> Iterator[Party]:
    """Somebody who is no member yet."""
    NAMES[DAVE.did] = DAVE
    yield DAVE
    del NAMES[DAVE.did]


def test_an_applicant_picks_its_credential_up_with_the_same_application(net: Net, dave: Party) -> None:
    """Whoever applied would have no way to the credential, or anybody would."""
    raw = dave.application(net.world.invite())
    client = net.client(dave)
    first = asyncio.run(client.apply(raw))
    assert (first.state, first.credential, first.connectorCode) == ("applied", "", "")
    net.world.journal.write_now(lambda tx: space.admit(tx, dave.did))
    assert asyncio.run(client.apply(raw)).connectorCode == ""

    net.world.settle()

    found = asyncio.run(client.apply(raw))
    membership = verify_membership(
        found.credential, dave.did, OPERATOR.did, OPERATOR.identity.public, net.now
    )
    assert found.state == "in-force"
    assert membership.connector_code == found.connectorCode


def test_nothing_is_fetched_for_a_stranger_without_an_invitation(net: Net, dave: Party) -> None:
    """Anybody could make the platform call addresses of its choice."""
    asked: list[Did] = []

    async def document(did: Did) -> object:
        asked.append(did)
        return dave.document

    world = net.world
    services = tds.PlatformServices(
        world.journal, world.rules, document, OPERATOR.evidence, lambda: world.now
    )
    route = next(r for r in tds.platform_routes(services) if r.path.endswith("membershipApplication"))
    with pytest.raises(TrustError):
        asyncio.run(route.handle(Call({}, dave.application("guessed"), {})))
    assert asked == []
    asyncio.run(route.handle(Call({}, dave.application(world.invite()), {})))
    assert asked == [dave.did]


@pytest.mark.parametrize("how", ["unknown", "used", "expired", "role"])
def test_a_wrong_invitation_is_refused_with_its_remedy(net: Net, dave: Party, how: str) -> None:
    """An applicant would not learn what to do next."""
    code = "guessed" if how == "unknown" else net.world.invite(MemberRole.CONSUMER)
    if how == "used":
        other = Party("other")
        net.world.apply(other, other.application(code, (MemberRole.CONSUMER,)))
    if how == "expired":
        net.world.later(days=8)
    role = MemberRole.PROVIDER if how == "role" else MemberRole.CONSUMER

    reply = net.post(None, OPERATOR, "platform/membershipApplication", dave.application(code, (role,)))

    assert reply.status == (403 if how == "role" else 401)
    assert b'"remedy"' in reply.body
    assert code.encode() not in reply.body


def test_a_member_card_is_signed_by_the_platform(net: Net) -> None:
    """A node in between could put another key in a member's place."""
    card = asyncio.run(net.client(BOB).member_card(REGULATOR.did))

    assert (card.key_id, card.key) == (REGULATOR.evidence.key_id, REGULATOR.evidence.public)
    assert card.is_supervisor_in_force
    assert not asyncio.run(net.client(BOB).member_card(ALICE.did)).is_supervisor_in_force
    with pytest.raises(NotFoundError):
        asyncio.run(net.client(BOB).member_card(Did("did:web:nobody.example")))
    forged = replace(OPERATOR.document, keys={}, services={tds.SERVICE: url_of(OPERATOR) + tds.PATH})
    net.documents[OPERATOR.did] = forged
    with pytest.raises(TrustError, match="not the platform's"):
        asyncio.run(net.client(BOB).member_card(ALICE.did))


def test_a_did_with_a_port_finds_its_member_card(net: Net) -> None:
    """A DID holds a percent sign, which an address would decode."""
    party = Party("10.0.0.1%3A8443")
    world: World = net.world
    world.join(party)
    NAMES[party.did] = party

    assert asyncio.run(net.client(BOB).member_card(party.did)).did == party.did

    del NAMES[party.did]


def listed(net: Net, party: Party, product: Product) -> bytes:
    registration = space.sign_registration(product, CHAIN, net.world.head.height, party.evidence)
    dataset = catalogue.render_dataset(product, product.provider)
    return canonical.encode(
        {
            "dataset": to_base64url(canonical.encode(dataset)),
            "registration": to_base64url(registration),
        }
    )


def test_a_product_is_listed_and_registered(net: Net) -> None:
    """A provider's product would be found by nobody, or nobody could make a contract on it."""
    product = replace(net.world.product(), id=ProductId("urn:product:tides"))
    node = net.node(ALICE)
    registration = space.sign_registration(product, CHAIN, net.world.head.height, ALICE.evidence)
    node.journal.write_now(
        lambda tx: tds.list_with_platform(
            tx, product, registration, OPERATOR.did, tx.now + node.desk.deadline
        )
    )

    net.run()

    journal, digest = net.world.journal, product_digest(product)
    found = journal.read_now(lambda c: space.registered_product(c, product.id, digest))
    assert found is not None
    assert found.registered
    assert product.id in {p.id for p in journal.read_now(catalogue.products)}


def test_a_withdrawn_product_leaves_the_platform_too(net: Net) -> None:
    """Somebody who finds it there would be refused by its provider."""
    product = replace(net.world.product(), id=ProductId("urn:product:tides"))
    node, journal = net.node(ALICE), net.world.journal
    registration = space.sign_registration(product, CHAIN, net.world.head.height, ALICE.evidence)

    def list_and_withdraw(tx: Transaction) -> None:
        deadline = tx.now + node.desk.deadline
        tds.list_with_platform(tx, product, registration, OPERATOR.did, deadline)
        tds.withdraw_from_platform(tx, product.id, product.version, OPERATOR.did, deadline)

    node.journal.write_now(list_and_withdraw)
    net.run()

    assert journal.read_now(lambda c: catalogue.product(c, product.id)) is None
    assert journal.read_now(lambda c: catalogue.versions(c, product.id))


@pytest.mark.parametrize(("who", "version", "stays"), [(EVE, 9, True), (ALICE, 0, True), (ALICE, 1, False)])
def test_only_its_provider_withdraws_a_product_and_no_later_version(
    net: Net, who: Party, version: int, *, stays: bool
) -> None:
    """Neither another member nor a late message takes away what is offered now."""
    product = net.world.product()
    body = canonical.encode({"productId": product.id, "version": max(version, 1)})
    if version == 0:  # an older withdrawal, that comes after a newer listing
        newer = replace(product, version=2)
        net.world.journal.write_now(lambda tx: catalogue.list_product(tx, newer))
    status = net.post(who, OPERATOR, "platform/productWithdraw", body).status

    assert status == (404 if who is EVE else 200)
    found = net.world.journal.read_now(lambda c: catalogue.product(c, product.id))
    assert (found is not None) is stays


def test_a_listing_comes_from_its_provider_and_counts_once(net: Net) -> None:
    """Somebody could list another's product, or the ledger be asked twice."""
    product = replace(net.world.product(), id=ProductId("urn:product:tides"))
    name = "platform/productRegister"

    assert net.post(EVE, OPERATOR, name, listed(net, ALICE, product)).status == 403
    assert net.post(EVE, OPERATOR, name, listed(net, EVE, product)).status == 403
    assert net.post(ALICE, OPERATOR, name, listed(net, EVE, product)).status == 401
    body = listed(net, ALICE, product)
    assert [net.post(ALICE, OPERATOR, name, body).status for _ in range(2)] == [200, 200]
    before = net.world.head.height
    net.world.settle()
    assert net.world.head.height == before + 1


def test_the_status_list_can_be_had_from_anybody(net: Net) -> None:
    """A member would be shut out when only the platform is out of reach."""
    raw = asyncio.run(net.world.clerk.sign_status_list())

    relayed = asyncio.run(net.client(BOB).status_list(OPERATOR.did))

    assert relayed == raw
    assert verify_status_list(relayed, OPERATOR.did, OPERATOR.identity.public, net.now)


def test_a_contract_id_is_for_members_and_the_same_each_time(net: Net) -> None:
    """An answer that was lost would cost a contract id each time."""
    client = net.client(ALICE)
    ids = {asyncio.run(client.contract_id("urn:uuid:1", BOB.did)) for _ in range(3)}
    assert len(ids) == 1
    with pytest.raises(ConflictError):
        asyncio.run(client.contract_id("urn:uuid:1", EVE.did))
    with pytest.raises(MalformedError):
        asyncio.run(client.contract_id("urn:uuid:2", ALICE.did))
    net.world.journal.write_now(lambda tx: space.suspend(tx, ALICE.did, ""))
    with pytest.raises(TrustError):
        asyncio.run(client.contract_id("urn:uuid:3", BOB.did))


def test_a_contract_is_filed_over_the_wire_and_every_attack_refused(net: Net) -> None:
    """The checks of filing would be skipped by the endpoint."""
    world = net.world
    payload = world.payload(world.contract_id(), world.product())
    good = both_sign(payload)

    def status(caller: Party, envelope: bytes) -> int:
        body = {"contractExpansionItem": {"version": "1"}, "envelope": to_base64url(envelope)}
        return net.post(caller, OPERATOR, "platform/contractRegistrate", canonical.encode(body)).status

    assert status(EVE, good) == 403
    assert status(BOB, good) == 404
    assert status(ALICE, good.replace(b'"role":"02"', b'"role":"03"')) == 401
    assert status(ALICE, good[:-10]) == 400
    assert status(ALICE, seal_envelope(payload, [ALICE.sign(payload, Signatory.PROVIDER)])) == 403
    assert status(ALICE, both_sign(payload, consumer=EVE)) == 401
    assert status(ALICE, good) == 202
    world.settle()
    assert status(ALICE, good) == 200
    world.journal.write_now(lambda tx: space.suspend(tx, BOB.did, ""))
    assert status(ALICE, good) == 200  # what is filed stays filed, and its receipt can be asked for


def test_a_client_believes_no_receipt_that_does_not_hold(net: Net) -> None:
    """A platform that cheats, or somebody in its place, could say *filed* of anything."""
    net.contract()
    envelope = net.node(ALICE).contract().envelope
    assert asyncio.run(net.client(ALICE).file(envelope))
    net.documents[OPERATOR.did] = replace(
        EVE.document, id=OPERATOR.did, services={tds.SERVICE: url_of(OPERATOR) + tds.PATH}
    )

    with pytest.raises(TrustError, match="does not list"):
        asyncio.run(net.client(ALICE).file(envelope))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, MalformedError),
        (401, TrustError),
        (403, RefusedError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, MalformedError),
        (429, UnavailableError),
        (500, UnavailableError),
        (503, UnavailableError),
        (301, MalformedError),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"detail":"no","reasons":["because"]}', b"[" * 9999])
def test_every_answer_of_the_other_side_is_an_error_that_we_know(
    net: Net, status: int, error: type[Exception], body: bytes
) -> None:
    """Another product's answer would become a fault of ours."""

    async def outgoing(*_args: object, **_named: object) -> Reply:
        return Reply(status, body, {})

    client = replace(net.client(ALICE), outgoing=outgoing)

    with pytest.raises(error):
        asyncio.run(client.contract_id("urn:uuid:1", BOB.did))


def answering(net: Net, reply: Reply) -> tds.Client:
    """A client whose every call is answered alike."""

    async def outgoing(*_args: object, **_named: object) -> Reply:
        return reply

    return replace(net.client(BOB), outgoing=outgoing)


def test_an_answer_for_something_else_is_not_believed(net: Net) -> None:
    """A platform that mixes up its answers, or cheats, would be taken at its word."""
    body = {"contractHash": "0" * 64, "receipt": "", "status": "0"}
    with pytest.raises(TrustError, match="another contract"):
        asyncio.run(answering(net, Reply(200, canonical.encode(body), {})).file(b"envelope"))

    card = net.world.member(ALICE)
    signed = space.sign_statement(
        "member-card", tds.codec.member_card(card, "2026-11-25T08:00:00Z"), OPERATOR.evidence
    )
    with pytest.raises(TrustError, match="another member"):
        asyncio.run(answering(net, Reply(200, signed, {})).member_card(BOB.did))
    with pytest.raises(MalformedError, match="no token"):
        asyncio.run(answering(net, Reply(200, b"\xff", {})).status_list(ALICE.did))


def test_a_party_without_these_messages_is_not_called(net: Net) -> None:
    """A notice would be posted to an address that somebody guessed."""
    net.node(ALICE).speaks = False

    with pytest.raises(NotFoundError, match="does not speak"):
        asyncio.run(net.client(BOB).post(ALICE.did, "contractTerminate", b"{}"))


def test_a_node_that_knows_no_list_says_so() -> None:
    """An empty answer would be read as a list in which nobody is revoked."""
    with pytest.raises(NotFoundError):
        asyncio.run(_relay(None))
    assert asyncio.run(_relay("list")).body == b"list"


async def _relay(known: str | None) -> Response:
    async def newest() -> str | None:
        return known

    return await tds.status_list_route(newest).handle(Call({}, b"", {}))


def test_every_route_says_which_proof_it_asks_for(net: Net) -> None:
    """A route would be open that nobody has thought of."""
    world = net.world
    services = tds.PlatformServices(
        world.journal, world.rules, net.document, OPERATOR.evidence, lambda: world.now
    )
    proofs = {r.path.removeprefix("/tds/platform"): r.proof for r in tds.platform_routes(services)}
    assert proofs.pop("/membershipApplication") is Proof.INVITATION
    assert set(proofs.values()) == {Proof.MEMBERSHIP}
    for path in proofs:
        if "{" not in path:
            assert net.post(None, OPERATOR, f"platform{path}", b"{}").status == 401
    assert all(r.max_bytes <= 1 << 20 for r in tds.platform_routes(services))


def test_a_body_that_is_too_large_is_refused_unread(net: Net) -> None:
    """A stranger could fill a node's memory."""
    assert net.post(ALICE, OPERATOR, "platform/contractCreate", b" " * (1 << 20)).status == 413


def test_the_receipt_follows_the_state_of_the_filing(net: Net) -> None:
    """A client would poll for ever, or stop too early."""
    world = net.world
    envelope = both_sign(world.payload(world.contract_id(), world.product()))
    client = net.client(ALICE)

    assert asyncio.run(client.file(envelope)) is None
    world.settle()
    receipt = asyncio.run(client.file(envelope))

    (filed,) = world.journal.read_now(space.contracts)
    assert filed.state is FilingState.FILED
    assert receipt == filed.receipt
    assert isinstance(world.rules, Rules)
