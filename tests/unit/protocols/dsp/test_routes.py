"""The endpoints: who is answered what, and that the first answer is the answer to every repeat."""

import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest
from entrepot_dsp_node import AGREEMENT, OFFER, PEER, PEER_BASE, STRANGER, Node
from entrepot_dsp_samples import JSON
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from entrepot import contracts
from entrepot.contracts import (
    DoorAddress,
    Message,
    Move,
    Next,
    Party,
    Published,
    Reason,
    State,
    TransferRequest,
)
from entrepot.journal import Transaction
from entrepot.protocols import Proof, Reply, Response, dsp
from entrepot.protocols.dsp import codec, envelope, render_negotiation, render_transfer
from entrepot.use import process as transfers
from entrepot.values import FACTS, MessageId, ProcessId, UnavailableError

CONSUMER = ProcessId("urn:uuid:c")


def body(response: Response) -> Any:
    return json.loads(response.body)


def requested(message_id: str = "urn:m:1", **changed: Any) -> Any:
    """A first request for the product on offer."""
    message = Message(MessageId(message_id), Move.REQUEST, CONSUMER, None, OFFER, PEER_BASE)
    return json.loads(render_negotiation(message, "")[1]) | changed


def told(move: Move, provider: str, message_id: str = "urn:m:2", content: Any = None) -> tuple[str, Any]:
    """A later message of the consumer: path and body."""
    message = Message(
        MessageId(message_id),
        move,
        CONSUMER,
        ProcessId(provider),
        content,
        addressed_to=ProcessId(provider),
    )
    path, raw = render_negotiation(message, "")
    return path, json.loads(raw)


def asked_to_open(message_id: str = "urn:t:1", content: TransferRequest | None = None, **changed: Any) -> Any:
    content = content or TransferRequest(AGREEMENT, "HttpData-PULL")
    message = Message(MessageId(message_id), Move.REQUEST, CONSUMER, None, content, PEER_BASE)
    return json.loads(render_transfer(message, "")[1]) | changed


class TestVersions:
    @pytest.mark.parametrize("root", ["", "/dsp"])
    def test_root_and_path_together_are_the_base(self, node: Node, root: str) -> None:
        """A stranger finds the endpoints from this document alone, whichever root it was given."""
        response = node.call("GET", root + "/.well-known/dspace-version", caller=None)
        (version,) = body(response)["protocolVersions"]

        assert (response.status, root + version["path"]) == (200, dsp.PATH)
        assert (version["version"], version["binding"]) == ("2025-1", "HTTPS")

    def test_everything_else_asks_for_membership(self, node: Node) -> None:
        """No endpoint of the protocol talks to somebody who has shown nothing."""
        open_to_all = {r.path for r in node.routes if r.proof is not Proof.MEMBERSHIP}

        assert open_to_all == {"/.well-known/dspace-version", "/dsp/.well-known/dspace-version"}


class TestCatalogue:
    REQUEST = b'{"@context":["%s"],"@type":"CatalogRequestMessage"}' % envelope.CONTEXT.encode()

    def test_a_member_gets_the_catalogue_that_is_for_it(self, node: Node) -> None:
        """The catalogue may depend on who asks."""
        response = node.call("POST", "/catalog/request", self.REQUEST)

        assert (response.status, body(response)["for"]) == (200, PEER)

    def test_a_page_is_cut_where_the_caller_wants_it(self, node: Node) -> None:
        """Eclipse connectors ask for at most fifty datasets at a time."""
        query = {"@type": "QuerySpec", "offset": 1, "limit": 1}
        response = node.call("POST", "/catalog/request", json.loads(self.REQUEST) | {"filter": [query]})

        assert [d["@id"] for d in body(response)["dataset"]] == ["urn:d:2"]

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_links_lead_through_the_whole_catalogue(self, node: Node, method: str) -> None:
        """As the binding asks (Web Linking): by a link alone, or with the same message at its address."""
        query = {"@type": "QuerySpec", "limit": 2}
        request = json.loads(self.REQUEST) | {"filter": [query]}
        first = node.call("POST", "/catalog/request", request)
        url = first.headers["link"].partition(">")[0].removeprefix("<")
        second = node.follow(method, url, request if method == "POST" else None)

        assert first.headers["link"] == f'<{url}>; rel="next"'
        assert [d["@id"] for d in body(first)["dataset"]] == ["urn:d:1", "urn:d:2"]
        assert [d["@id"] for d in body(second)["dataset"]] == ["urn:d:3"]
        assert "next" not in second.headers.get("link", "")

    @pytest.mark.parametrize(
        "token", ["1", "x-5", "1-0", "1-99999", "-1-5", "1-5 ", "１-5", "s!", "sZ3JhZGU9TDk", "s" * 9000]
    )
    def test_a_token_of_somebody_elses_is_refused(self, node: Node, token: str) -> None:
        """A page that begins nowhere must not look like an empty one."""
        url = f"https://us.example{dsp.PATH}/catalog/request?continuationToken={quote(token)}&x=1"
        response = node.follow("GET", url)

        assert (response.status, body(response)["@type"]) == (400, "CatalogError")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_the_pages_of_a_filter_are_linked_too(self, node: Node, method: str) -> None:
        """A link holds the whole question, so it can be followed alone as well as with the same message."""
        query = {"@type": codec.SEARCH, "words": "air & water, 空气", "keyword": ["a"], "limit": 2}
        request = json.loads(self.REQUEST) | {"filter": [query]}
        first = node.call("POST", "/catalog/request", request)
        url = first.headers["link"].partition(">")[0].removeprefix("<")
        second = node.follow(method, url, request if method == "POST" else None)

        assert [d["@id"] for d in body(first)["dataset"]] == ["urn:d:1", "urn:d:2"]
        assert [d["@id"] for d in body(second)["dataset"]] == ["urn:d:3"]
        assert body(second)["words"] == query["words"]
        assert "next" not in second.headers.get("link", "")

    @pytest.mark.parametrize(
        "accepted", ["gzip", "GZIP, deflate", "br, gzip;q=0.5", "*", "identity, *;q=0.1"]
    )
    def test_a_page_is_packed_for_whoever_can_unpack_it(self, node: Node, accepted: str) -> None:
        """A catalogue packs to a tenth; caches are told what the answer depends on."""
        node.padding = "x" * 2_000
        plain = node.call("POST", "/catalog/request", self.REQUEST)
        packed = node.call("POST", "/catalog/request", self.REQUEST, headers={"accept-encoding": accepted})

        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
        assert gzip.decompress(packed.body) == plain.body
        assert len(packed.body) < len(plain.body)

    @pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br", "gzip;q=0.000, *"])
    def test_a_page_is_sent_as_it_is_to_everybody_else(self, node: Node, accepted: str) -> None:
        """Who cannot unpack it would read nothing."""
        node.padding = "x" * 2_000

        sent = node.call("POST", "/catalog/request", self.REQUEST, headers={"accept-encoding": accepted})

        assert "content-encoding" not in sent.headers

    @pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"{", REQUEST.replace(b"Catalog", b"Contract")])
    def test_anything_else_is_a_catalog_error(self, node: Node, raw: bytes) -> None:
        """With a body that says what was wrong."""
        response = node.call("POST", "/catalog/request", raw)

        assert (response.status, body(response)["@type"]) == (400, "CatalogError")

    def test_a_dataset_is_shown_or_not_there(self, node: Node) -> None:
        """The official suite reads the type of the error body."""
        missing = node.call("GET", "/catalog/datasets/other")

        assert node.call("GET", "/catalog/datasets/urn:d:1").status == 200
        assert (missing.status, body(missing)["@type"]) == (404, "CatalogError")


class TestNegotiation:
    def test_a_first_request_is_answered_201_with_both_ids(self, node: Node) -> None:
        """The consumer needs our id for everything that follows."""
        response = node.call("POST", "/negotiations/request", requested())
        shown = body(response)

        assert (response.status, shown["@type"], shown["state"]) == (201, "ContractNegotiation", "REQUESTED")
        assert (shown["consumerPid"], shown["providerPid"]) == (CONSUMER, node.negotiation().exchange.id)

    def test_a_repeat_gets_the_same_answer_and_makes_nothing_new(self, node: Node) -> None:
        """Our answer was lost, and the consumer asks again with the same bytes."""
        first = node.call("POST", "/negotiations/request", requested())
        again = node.call("POST", "/negotiations/request", requested())

        assert first == again
        assert node.negotiation().exchange.state is State.REQUESTED

    def test_other_bytes_under_the_same_id_are_refused(self, node: Node) -> None:
        """Else a repeat could carry other terms and be answered as if they had been read."""
        node.call("POST", "/negotiations/request", requested())
        other = requested(consumerPid="urn:uuid:other")

        assert node.call("POST", "/negotiations/request", other).status == 400

    def test_one_process_of_the_consumer_is_one_negotiation(self, node: Node) -> None:
        """A second request under the same consumerPid would make two agreements of one wish."""
        node.call("POST", "/negotiations/request", requested())
        second = node.call("POST", "/negotiations/request", requested("urn:m:other"))

        assert second.status == 400
        assert node.negotiation()

    def test_a_message_moves_the_negotiation(self, node: Node) -> None:
        """The consumer ends it; we show that it has ended."""
        node.call("POST", "/negotiations/request", requested())
        pid = node.negotiation().exchange.id
        path, message = told(Move.TERMINATE, pid, content=Reason("1"))

        assert node.call("POST", path, message).status == 200
        assert body(node.call("GET", f"/negotiations/{pid}"))["state"] == "TERMINATED"

    def test_a_move_out_of_turn_is_400_with_an_error_that_names_our_state(self, node: Node) -> None:
        """The sender must be able to tell what it misunderstood; our state stays."""
        node.call("POST", "/negotiations/request", requested())
        pid = node.negotiation().exchange.id
        response = node.call("POST", *told(Move.VERIFY, pid))
        error = body(response)

        assert (response.status, error["@type"]) == (400, "ContractNegotiationError")
        assert (error["consumerPid"], error["providerPid"]) == (CONSUMER, pid)
        assert "REQUESTED" in error["reason"][0]
        assert node.negotiation().exchange.state is State.REQUESTED

    def test_a_refusal_once_given_is_the_answer_to_every_repeat(self, node: Node) -> None:
        """A late copy of a message that its sender has given up must not be taken in after all."""
        node.call("POST", "/negotiations/request", requested())
        pid = node.negotiation().exchange.id
        accepted = told(Move.ACCEPT, pid)
        first = node.call("POST", *accepted)
        node.journal.write_now(lambda tx: dsp_move(tx, node, ProcessId(pid), Next(Move.OFFER, OFFER)))
        node.later(seconds=1)
        node.outside.answers.append(answered(200))
        node.send_due()

        again = node.call("POST", *accepted)

        assert (first.status, node.negotiation().exchange.state) == (400, State.OFFERED)
        assert again == first
        assert node.call("POST", *told(Move.ACCEPT, pid, "urn:m:4")).status == 200

    def test_a_stranger_learns_nothing(self, node: Node) -> None:
        """404 for what is there and what is not, the same bytes: unauthorised is not found."""
        node.call("POST", "/negotiations/request", requested())
        pid = node.negotiation().exchange.id
        _, message = told(Move.TERMINATE, pid)

        there = node.call("GET", f"/negotiations/{pid}", caller=STRANGER)
        nowhere = node.call("GET", "/negotiations/urn:uuid:nothing", caller=STRANGER)
        said = node.call("POST", f"/negotiations/{pid}/termination", message, caller=STRANGER)

        assert there == nowhere
        assert (there.status, said.status) == (404, 404)
        assert node.negotiation().exchange.state is State.REQUESTED

    def test_a_stranger_cannot_use_up_an_id(self, node: Node) -> None:
        """A message id is remembered for its sender: nobody can have another's message refused."""
        node.call("POST", "/negotiations/request", requested())
        pid = node.negotiation().exchange.id
        path, message = told(Move.TERMINATE, pid)
        node.call("POST", path, message | {"code": "from a stranger"}, caller=STRANGER)

        assert node.call("POST", path, message).status == 200

    def test_a_callback_must_be_the_senders(self, node: Node) -> None:
        """Else we would carry requests to whatever address a stranger names."""
        evil = requested(callbackAddress="https://mallory.example/dsp/2025-1")

        assert node.call("POST", "/negotiations/request", evil).status == 400
        assert node.outside.asked == []

    def test_an_unknown_offer_is_not_found(self, node: Node) -> None:
        """What is not on offer for the caller does not exist for it."""
        offer = requested()["offer"] | {"target": "urn:product:secret"}

        assert node.call("POST", "/negotiations/request", requested(offer=offer)).status == 404

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("/negotiations/request", requested(providerPid="urn:uuid:p")),
            ("/negotiations/request", {k: v for k, v in requested().items() if k != "callbackAddress"}),
            ("/negotiations/request", told(Move.VERIFY, "urn:uuid:p")[1]),
            ("/negotiations/offers", requested()),
            ("/negotiations/urn:uuid:p/request", requested()),
            ("/negotiations/urn:uuid:p/events", told(Move.VERIFY, "urn:uuid:p")[1]),
            ("/negotiations/urn:uuid:p/termination", told(Move.TERMINATE, "urn:uuid:other")[1]),
        ],
        ids=[
            "a first message with a process id of ours",
            "a first message without callback",
            "a later message at the first one's place",
            "a request where offers come",
            "a first message at a later one's place",
            "a verification where events come",
            "a path of another process",
        ],
    )
    def test_each_message_has_its_place(self, node: Node, path: str, message: Any) -> None:
        """A message in another's place would be taken for what it is not."""
        response = node.call("POST", path, message)

        assert (response.status, body(response)["@type"]) == (400, "ContractNegotiationError")

    def test_what_cannot_be_decided_now_is_503_and_not_remembered(
        self, node: Node, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The sender repeats; the refusal of a moment must not become the answer for ever."""
        node.services = dsp.Services(
            node.journal,
            node.desk,
            node.rail,
            _unavailable_once(node),
            node.services.may_open,
            node.services.catalog,
            node.services.dataset,
            node.services.check_callback,
        )
        node.routes = dsp.routes(node.services)

        assert node.call("POST", "/negotiations/request", requested()).status == 503
        assert [vars(told)[FACTS]["because"] for told in caplog.records if told.message == "not now"]
        assert node.call("POST", "/negotiations/request", requested()).status == 201


class TestTransfer:
    def test_a_request_under_an_agreement_is_201(self, node: Node) -> None:
        """With our process id, and the state that the consumer may read."""
        node.hold_agreement()
        response = node.call("POST", "/transfers/request", asked_to_open())

        assert (response.status, body(response)["@type"], body(response)["state"]) == (
            201,
            "TransferProcess",
            "REQUESTED",
        )
        assert node.call("GET", f"/transfers/{node.process().exchange.id}").status == 200

    def test_an_agreement_of_another_is_not_found(self, node: Node) -> None:
        """An agreement's id is no secret; only its consumer may open anything under it."""
        node.hold_agreement()
        request = asked_to_open(callbackAddress="https://mallory.example/dsp/2025-1")

        assert node.call("POST", "/transfers/request", request, caller=STRANGER).status == 404
        assert node.call("POST", "/transfers/request", asked_to_open(agreementId="urn:x")).status == 404

    @pytest.mark.parametrize(
        ("destination", "status"),
        [
            (DoorAddress("https://mallory.example/inbox", "t"), 400),
            (DoorAddress("http://127.0.0.1/inbox", "t"), 400),
            (None, 400),
            (DoorAddress(PEER_BASE + "/inbox", "t"), 201),
        ],
        ids=["a stranger's", "ours", "none", "the consumer's"],
    )
    def test_data_is_pushed_to_an_address_of_the_consumers_only(
        self, node: Node, destination: DoorAddress | None, status: int
    ) -> None:
        """An address that a stranger names: it must lie on an origin of that party's DID services."""
        node.hold_agreement()
        request = asked_to_open(content=TransferRequest(AGREEMENT, "HttpData-PUSH", destination))

        assert node.call("POST", "/transfers/request", request).status == status

    def test_an_eclipse_connectors_address_is_understood(self, node: Node) -> None:
        """It names where to push as `baseUrl`, and the token as `authCode`, under its own name space."""
        node.hold_agreement()
        name = "https://w3id.org/edc/v0.0.1/ns/baseUrl"
        named = {"@type": "EndpointProperty", "name": name, "value": PEER_BASE + "/sink"}
        secret = named | {"name": name.replace("baseUrl", "authCode"), "value": "Bearer their secret"}
        properties = [
            named,
            secret,
            named | {"name": name.replace("baseUrl", "authKey"), "value": "Authorization"},
        ]
        address = {"@type": "DataAddress", "endpointType": "HttpData", "endpointProperties": properties}
        request = asked_to_open(content=TransferRequest(AGREEMENT, "HttpData-PUSH"), dataAddress=address)

        assert node.call("POST", "/transfers/request", request).status == 201
        assert node.process().endpoint == PEER_BASE + "/sink"
        assert node.process().sealed_token == b"their secret"

    def test_what_may_not_be_opened_is_refused_with_the_reason(self, node: Node) -> None:
        """And stays refused for this message, so that its late copy opens nothing."""
        node.hold_agreement()
        node.refuses_to_open = ("the contract has expired",)
        first = node.call("POST", "/transfers/request", asked_to_open())
        node.refuses_to_open = ()

        assert (first.status, body(first)["@type"]) == (400, "TransferError")
        assert "expired" in body(first)["reason"][0]
        assert node.call("POST", "/transfers/request", asked_to_open()) == first
        assert node.call("POST", "/transfers/request", asked_to_open("urn:t:2")).status == 201

    def test_suspending_before_the_start_is_400(self, node: Node) -> None:
        """TP:03-02 of the official suite."""
        node.hold_agreement()
        node.call("POST", "/transfers/request", asked_to_open())
        pid = node.process().exchange.id
        message = Message(MessageId("urn:t:2"), Move.SUSPEND, CONSUMER, pid, Reason("1"), addressed_to=pid)
        path, raw = render_transfer(message, "")

        assert node.call("POST", path, raw).status == 400
        assert node.process().exchange.state is State.REQUESTED

    def test_a_negotiation_is_no_transfer_process(self, node: Node) -> None:
        """Each machine answers for its own processes only."""
        node.call("POST", "/negotiations/request", requested())

        assert node.call("GET", f"/transfers/{node.negotiation().exchange.id}").status == 404


@given(raw=JSON.map(lambda j: json.dumps(j).encode()) | st.binary(max_size=100), data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_body_at_any_endpoint_is_answered_4xx(node: Node, raw: bytes, data: st.DataObject) -> None:
    """A stranger's bytes never reach the log as a traceback, and every answer has the body of its error."""
    route = data.draw(st.sampled_from([r for r in node.routes if r.method == "POST"]))

    response = node.call("POST", route.path.replace("{pid}", "urn:uuid:p"), raw)

    assert response.status in {400, 404}
    assert body(response)["@type"].endswith("Error")


def test_consumer_and_provider_are_served_under_one_base(node: Node) -> None:
    """The consumer's GET of a transfer process is not in the specification's table; the suite calls it."""
    node.hold_agreement(Party.CONSUMER)
    node.journal.write_now(lambda tx: open_process(tx, node))
    pid = node.process().exchange.id
    node.outside.answers.append(answered(200, providerPid="urn:uuid:p"))
    node.send_due()

    assert body(node.call("GET", f"/transfers/{pid}"))["consumerPid"] == pid


def answered(status: int, **document: Any) -> Reply:
    return Reply(status, json.dumps(document).encode() if document else b"", {})


def dsp_move(tx: Transaction, node: Node, pid: ProcessId, wanted: Next) -> None:
    contracts.move(tx, node.desk, pid, wanted)


def open_process(tx: Transaction, node: Node) -> None:
    contract = contracts.agreement_of(tx.connection, AGREEMENT)
    assert contract is not None
    transfers.request_transfer(tx, node.rail, contract, PEER_BASE, "HttpData-PULL")


def _unavailable_once(node: Node) -> Published:
    """A lookup that cannot be made the first time."""
    before: list[Exception] = [UnavailableError("not now")]
    published = node.services.published

    def find(connection: Connection, offer: contracts.Offer) -> contracts.Listing | None:
        if before:
            raise before.pop()
        return published(connection, offer)

    return find
