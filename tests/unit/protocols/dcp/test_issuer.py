"""The issuer: says what it issues and to whom, brings it until it has arrived, and tells why not."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from entrepot_dcp_web import Node, Web
from entrepot_identity_world import ALICE, BOB, EVE, PLATFORM, START, membership_of
from sqlalchemy import Connection

from entrepot.identity import (
    AskedState,
    Credential,
    CredentialForm,
    IssuanceState,
    Kind,
    Rejection,
    issuances,
    membership_credential,
    own_credentials,
    request_of,
    requests,
)
from entrepot.journal import OutboxMessage, claim
from entrepot.protocols import Reply, Response
from entrepot.protocols.dcp import DCP_DELIVERY, DCP_REQUEST, ISSUER_PATH, STRICT, Issuer
from entrepot.protocols.dcp.issuance_codec import parse_metadata, render_request
from entrepot.protocols.dcp.issuer import DEADLINE
from entrepot.values import Did, EntrepotError, NotFoundError, RefusedError, UnavailableError, UtcTime

KINDS = tuple(Kind(f"urn:x:{form.name}", "MembershipCredential", form) for form in CredentialForm)
BOTH = [kind.id for kind in KINDS]


def decide(
    _connection: Connection, holder: Did, kinds: Sequence[Kind], _now: UtcTime
) -> list[Credential] | Rejection:
    """Alice is a member, Bob is suspended, of Eve nobody has heard."""
    if holder == EVE.did:
        raise RefusedError("credentials are issued to members")
    if holder == BOB.did:
        return Rejection("the membership is suspended")
    return [membership_credential(membership_of(ALICE), k.form) for k in kinds if k.form is not None]


class Office:
    """The platform with its issuer, and holders with credential services."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.platform = web.node("platform")
        self.issuer = Issuer(
            journal=self.platform.journal,
            me=PLATFORM.did,
            base="https://platform.example" + ISSUER_PATH,
            signer=PLATFORM.identity,
            kinds=KINDS,
            schemas={"MembershipCredential": {"type": "object"}},
            decide=decide,
            identify=self.platform.acquaintance.identify,
            profile=STRICT,
            clock=self.platform.clock,
        )
        self.platform.routes += self.issuer.routes()
        for name in ("alice", "bob", "eve"):
            web.node(name).credential = None

    def ask(
        self, by: str = "alice", ids: Sequence[str] = BOTH, pid: str = "mine", body: bytes = b""
    ) -> Response:
        return self.call("POST", "/credentials", body or render_request(pid, ids), by)

    def call(
        self, method: str, path: str, body: bytes = b"", by: str = "alice", header: str = ""
    ) -> Response:
        node = self.web.nodes[f"{by}.example"]
        sent = {"authorization": header or node.authorization(PLATFORM.did, node.access_token(PLATFORM.did))}
        return asyncio.run(self.platform.serve(method, ISSUER_PATH + path, body, sent))

    def state(self, location: str, by: str = "alice") -> Any:
        found = self.call("GET", location.removeprefix(self.issuer.base), by=by)
        return msgspec.json.decode(found.body)["status"] if found.status == 200 else found.status

    def deliver(self) -> list[OutboxMessage]:
        return sent(self.platform, DCP_DELIVERY, self.platform.deliveries.send)

    def held(self, name: str = "alice") -> list[CredentialForm]:
        node = self.web.nodes[f"{name}.example"]
        found = asyncio.run(node.journal.read(lambda c: own_credentials(c, node.party.did)))
        return [own.credential.form for own in found]


def sent(node: Node, kind: str, send: Any) -> list[OutboxMessage]:
    """Send what is due, once."""

    async def work() -> list[OutboxMessage]:
        due = await node.journal.write(lambda tx: claim(tx, "test", (kind,), 30))
        for message in due:
            await send(message, node.web.now)
        return due

    return asyncio.run(work())


@pytest.fixture
def office(web: Web) -> Office:
    return Office(web)


def test_metadata_is_public_and_complete(office: Office) -> None:
    """DCP 1.0, 6.7: each entry has all that the standard names, and its schema can be had."""
    found = asyncio.run(office.platform.serve("GET", ISSUER_PATH + "/metadata", b"", {}))
    entries = msgspec.json.decode(found.body)["credentialsSupported"]
    schema = asyncio.run(
        office.platform.serve(
            "GET", entries[0]["credentialSchema"].removeprefix("https://platform.example"), b"", {}
        )
    )

    assert parse_metadata(found.body).kinds == KINDS
    wanted = {"id", "type", "credentialType", "credentialSchema", "offerReason", "bindingMethods", "profile"}
    assert all(wanted | {"issuancePolicy"} == set(entry) for entry in entries)
    assert schema.status == 200
    assert asyncio.run(office.platform.serve("GET", ISSUER_PATH + "/schemas/x", b"", {})).status == 404


def test_a_member_is_brought_what_it_asked_for(office: Office) -> None:
    """In both forms; the state says received until it has arrived."""
    answered = office.ask()
    location = answered.headers["location"]
    assert (answered.status, office.state(location)) == (201, "RECEIVED")

    assert len(office.deliver()) == 1
    assert office.state(location) == "ISSUED"
    assert sorted(office.held()) == sorted(CredentialForm)
    assert office.deliver() == []


def test_a_known_party_that_is_no_member_is_told_why(office: Office) -> None:
    """The rejection is decided at once, and reaches the holder as a message with its reason."""
    bob = office.web.nodes["bob.example"]
    bob.believed = {PLATFORM.did}
    location = office.ask("bob").headers["location"]

    assert office.state(location, "bob") == "REJECTED"
    (message,) = office.deliver()
    assert b"the membership is suspended" in message.body
    assert office.held("bob") == []


def test_of_a_stranger_nothing_is_written_down(office: Office) -> None:
    assert office.ask("eve").status == 403
    assert asyncio.run(office.platform.journal.read(issuances)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        render_request("mine", []),
        render_request("", BOTH),
        render_request("mine", ["urn:x:unknown"]),
        render_request("mine", [f"urn:x:{i}" for i in range(17)]),
        b'{"type":"CredentialRequestMessage","credentials":[{"id":"urn:x:VC20"}]}',
        b'{"type":"CredentialOfferMessage","holderPid":"p","credentials":[{"id":"urn:x:VC20"}]}',
    ],
)
def test_a_request_that_lacks_something_is_malformed(office: Office, body: bytes) -> None:
    """Exactly 400 (DCP 1.0, 6.4.1)."""
    assert office.ask(body=body or b"{").status == 400


def test_who_asks_proves_who_it_is_once(office: Office) -> None:
    """Requests and their states alike."""
    alice = office.web.nodes["alice.example"]
    header = alice.authorization(PLATFORM.did)
    location = office.ask().headers["location"].removeprefix(office.issuer.base)
    for method, path, body in (
        ("POST", "/credentials", render_request("other", BOTH)),
        ("GET", location, b""),
    ):
        for bad in ("Basic x", header.removeprefix("Bearer "), alice.authorization(EVE.did)):
            assert office.call(method, path, body, header=bad).status == 401
    assert office.call("GET", location, header=header).status == 200
    assert office.call("GET", location, header=header).status == 401


def test_a_state_is_told_to_nobody_but_the_one_who_asked(office: Office) -> None:
    """DCP 1.0, 6.8: others are told the same as of what never was."""
    location = office.ask().headers["location"]

    assert office.state(location, "bob") == 404
    assert office.state(office.issuer.base + "/requests/nothing") == 404


def test_a_repeat_while_it_is_on_its_way_is_the_same_request(office: Office) -> None:
    first, again = (office.ask().headers["location"] for _ in range(2))
    assert first == again
    office.deliver()
    assert office.ask().headers["location"] != first


def test_only_so_many_wait_for_one_holder(office: Office) -> None:
    """A member whose credential service is down must not fill the outbox."""
    assert [office.ask(pid=f"p{i}").status for i in range(17)] == [201] * 16 + [403]


def test_a_delivery_is_tried_until_the_holder_has_it(office: Office) -> None:
    location = office.ask().headers["location"]
    office.web.down.add("alice.example")
    for pause in (1, 2, 4):
        assert len(office.deliver()) == 1
        assert office.deliver() == []  # not at once again
        office.web.now += timedelta(seconds=pause)
    office.web.down.clear()
    office.deliver()

    assert office.state(location) == "ISSUED"


def test_a_delivery_that_the_holder_refuses_is_given_up_with_the_reason(office: Office) -> None:
    location = office.ask().headers["location"]
    office.web.instead["https://alice.example/dcp/credentials"] = Reply(403, b"", {})
    office.deliver()
    (found,) = asyncio.run(office.platform.journal.read(issuances))

    assert office.state(location) == "REJECTED"
    assert (found.state, found.reason) == (
        IssuanceState.REJECTED,
        "it could not be delivered: the holder refused it (403)",
    )


def test_a_delivery_ends_when_its_time_is_over(office: Office) -> None:
    location = office.ask().headers["location"]
    office.web.down.add("alice.example")
    office.web.now += DEADLINE + timedelta(seconds=1)
    office.deliver()
    office.web.down.clear()

    assert office.state(location) == "REJECTED"
    assert office.deliver() == []


def test_a_holder_asks_and_has_what_it_asked_for(office: Office) -> None:
    """The whole way: metadata, request, where its state is, delivery, and the request ends."""
    alice = office.web.nodes["alice.example"]
    asked = asyncio.run(alice.asking.ask(PLATFORM.did, ("MembershipCredential",), CredentialForm.VC11))
    assert len(sent(alice, DCP_REQUEST, alice.asking.send)) == 1
    known = asyncio.run(alice.journal.read(lambda c: request_of(c, asked.holder_pid)))
    assert known is not None
    assert (known.state, known.status_url[:46]) == (
        AskedState.RECEIVED,
        "https://platform.example/dcp/issuer/requests/u",
    )

    office.deliver()
    known = asyncio.run(alice.journal.read(lambda c: request_of(c, asked.holder_pid)))
    assert known is not None
    assert known.state is AskedState.ISSUED
    assert office.held() == [CredentialForm.VC11]


def test_a_holder_is_told_what_the_issuer_has_instead(office: Office) -> None:
    alice = office.web.nodes["alice.example"]
    with pytest.raises(RefusedError, match="issues MembershipCredential"):
        asyncio.run(alice.asking.ask(PLATFORM.did, ("PassportCredential",), CredentialForm.VC20))
    with pytest.raises(NotFoundError):
        asyncio.run(alice.asking.ask(BOB.did, ("MembershipCredential",), CredentialForm.VC20))


def test_metadata_of_somebody_else_is_not_believed(office: Office) -> None:
    office.web.instead["https://eve.example/dcp/issuer/metadata"] = Reply(
        200,
        asyncio.run(office.issuer.metadata(None)).body,
        {},  # type: ignore[arg-type]  # it reads nothing
    )
    with pytest.raises(EntrepotError, match="another issuer's"):
        asyncio.run(office.web.nodes["alice.example"].asking.offered_by(EVE.did))


def test_a_request_that_the_issuer_refuses_ends_with_the_reason(office: Office) -> None:
    eve = office.web.nodes["eve.example"]
    asyncio.run(eve.asking.ask(PLATFORM.did, ("MembershipCredential",), CredentialForm.VC20))
    sent(eve, DCP_REQUEST, eve.asking.send)

    (found,) = asyncio.run(eve.journal.read(requests))
    assert (found.state, found.reason) == (AskedState.REJECTED, "the issuer refused the request (403)")


def test_a_request_waits_for_an_issuer_that_is_down(office: Office) -> None:
    alice = office.web.nodes["alice.example"]
    asyncio.run(alice.asking.ask(PLATFORM.did, ("MembershipCredential",), CredentialForm.VC20))
    office.web.instead["https://platform.example/dcp/issuer/credentials"] = Reply(503, b"", {})
    sent(alice, DCP_REQUEST, alice.asking.send)
    (found,) = asyncio.run(alice.journal.read(requests))
    assert found.state is AskedState.REQUESTED

    office.web.instead.clear()
    office.web.now += timedelta(seconds=1)
    sent(alice, DCP_REQUEST, alice.asking.send)
    (found,) = asyncio.run(alice.journal.read(requests))
    assert found.state is AskedState.RECEIVED


def test_a_holder_learns_of_a_rejection_by_asking(office: Office) -> None:
    """Where the message is lost for good, the issuer still says how it ended."""
    bob = office.web.nodes["bob.example"]
    asyncio.run(bob.asking.ask(PLATFORM.did, ("MembershipCredential",), CredentialForm.VC20))
    sent(bob, DCP_REQUEST, bob.asking.send)
    (found,) = asyncio.run(bob.journal.read(requests))
    asyncio.run(bob.asking.look(found))

    (found,) = asyncio.run(bob.journal.read(requests))
    assert found.state is AskedState.REJECTED


def test_an_issuer_that_is_down_is_said_to_be(office: Office) -> None:
    """A person tries again later; nothing was refused."""
    office.web.down.add("platform.example")
    with pytest.raises(UnavailableError):
        asyncio.run(office.web.nodes["bob.example"].asking.offered_by(PLATFORM.did))


@pytest.mark.parametrize("named", ["", "https://eve.example/requests/1", "x://y"])
def test_a_location_elsewhere_is_not_followed(office: Office, named: str) -> None:
    """An issuer must not make us call others with our token."""
    alice = office.web.nodes["alice.example"]
    asyncio.run(alice.asking.ask(PLATFORM.did, ("MembershipCredential",), CredentialForm.VC20))
    office.web.instead["https://platform.example/dcp/issuer/credentials"] = Reply(
        201, b"", {"location": named}
    )
    sent(alice, DCP_REQUEST, alice.asking.send)

    (found,) = asyncio.run(alice.journal.read(requests))
    assert (found.state, found.status_url) == (AskedState.RECEIVED, "")
    assert found.made_at == START
