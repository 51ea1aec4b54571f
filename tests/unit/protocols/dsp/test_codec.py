"""The wire form: strict in what is written, lenient in what is read, bounded in both."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from entrepot_dsp_samples import IDS, JSON, negotiation_messages, spoiled, transfer_messages
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.catalogue import Place, Search
from entrepot.contracts import DoorAddress, Message, Move, Offer, State, TransferRequest
from entrepot.policy import parse_policy
from entrepot.protocols.dsp import codec, data_address, envelope, render_negotiation, render_transfer
from entrepot.values import AgreementId, Grade, KindOfUse, MalformedError, MessageId, ProcessId, ProtocolError

BASE = "https://peer.example/dsp/2025-1"
EDC_CONTEXT = "https://w3id.org/edc/dspace/v0.0.1"
VERIFICATION = {
    "@context": [envelope.CONTEXT],
    "@type": "ContractAgreementVerificationMessage",
    "@id": "urn:m",
    "consumerPid": "c",
    "providerPid": "p",
}

CATALOG_REQUEST = {"@context": [envelope.CONTEXT], "@type": "CatalogRequestMessage"}


def encoded(document: Any, **changed: Any) -> bytes:
    return json.dumps({k: v for k, v in (document | changed).items() if v is not ...}).encode()


def as_received(message: Message) -> Message:
    """What a receiver can know of a message: not to whom the path addressed it."""
    return replace(message, addressed_to=None)


class TestRoundTrip:
    @given(message=negotiation_messages())
    def test_what_is_sent_is_what_is_read_in_a_negotiation(self, message: Message) -> None:
        """Both sides must sign the same terms, so nothing may change on the way."""
        _, body = render_negotiation(message, BASE)

        assert codec.parse_negotiation(body) == as_received(message)

    @given(message=transfer_messages())
    def test_what_is_sent_is_what_is_read_in_a_transfer(self, message: Message) -> None:
        """A door's endpoint and token must arrive whole, or nobody gets in."""
        _, body = render_transfer(message, BASE)

        assert codec.parse_transfer(body) == as_received(message)

    @given(message=negotiation_messages(), transfer=transfer_messages())
    @settings(max_examples=30)
    def test_the_same_message_is_the_same_bytes_every_time(self, message: Message, transfer: Message) -> None:
        """A repeat is recognised by its digest; other bytes under one id would be refused."""
        assert render_negotiation(message, BASE) == render_negotiation(message, BASE)
        assert render_transfer(transfer, BASE) == render_transfer(transfer, BASE)

    @given(message=transfer_messages())
    @settings(max_examples=30)
    def test_a_trailing_slash_of_an_address_changes_nothing(self, message: Message) -> None:
        """Connectors name their base with and without it."""
        assert render_transfer(message, BASE + "/") == render_transfer(message, BASE)


class TestNames:
    @settings(max_examples=50)
    @given(message=negotiation_messages(), style=st.sampled_from(["dspace:", envelope.DSPACE]))
    def test_prefixed_and_full_names_mean_the_same(self, message: Message, style: str) -> None:
        """A peer with a JSON-LD processor may write any of the three."""
        document = json.loads(render_negotiation(message, BASE)[1])
        written = {
            k if k.startswith("@") else style + k: style + v if k == "eventType" else v
            for k, v in document.items()
        }
        written["@type"] = style + written["@type"]

        assert codec.parse_negotiation(encoded(written)) == as_received(message)

    @pytest.mark.parametrize("prefix", ["odrl:", "http://www.w3.org/ns/odrl/2/"])
    def test_the_parties_and_the_target_are_terms_of_odrl(self, prefix: str) -> None:
        """The protocol's context takes them from there."""
        offer = {
            "@id": "o",
            "@type": "Offer",
            prefix + "target": "urn:t",
            prefix + "assigner": "did:web:a.example",
            prefix + "permission": [{"action": "use"}],
        }
        message = VERIFICATION | {"@type": "ContractOfferMessage", "offer": offer}

        found = codec.parse_negotiation(encoded(message)).content

        assert (found.target, found.assigner) == ("urn:t", "did:web:a.example")  # type: ignore[union-attr]  # an offer was sent

    def test_one_term_under_two_names_is_refused(self) -> None:
        """Two readers could take a different one of them, and both would be right."""
        with pytest.raises(MalformedError, match="consumerPid is there twice"):
            codec.parse_negotiation(encoded(VERIFICATION, **{"dspace:consumerPid": "other"}))

    def test_an_object_that_is_only_an_id_is_that_id(self) -> None:
        """How JSON-LD writes a reference when it was not told to shorten it."""
        found = codec.parse_negotiation(encoded(VERIFICATION, consumerPid={"@id": "c"}))

        assert found.consumer_pid == "c"

    def test_foreign_keys_are_passed_over(self) -> None:
        """Eclipse connectors add terms of their own context to every message."""
        known = [envelope.CONTEXT, EDC_CONTEXT]
        found = codec.parse_negotiation(encoded(VERIFICATION, **{"@context": known, "edc:x": {"y": [1]}}))

        assert found.move is Move.VERIFY


class TestContexts:
    @pytest.mark.parametrize(
        "context", [envelope.CONTEXT, [envelope.CONTEXT], [EDC_CONTEXT, envelope.CONTEXT]]
    )
    def test_known_contexts_are_read(self, context: object) -> None:
        """An array or, as an example of the specification has it, a bare string."""
        assert codec.parse_negotiation(encoded(VERIFICATION, **{"@context": context})).id == "urn:m"

    @pytest.mark.parametrize("context", [..., [], None, EDC_CONTEXT, {}, [[envelope.CONTEXT]], 7])
    def test_without_the_protocols_context_nothing_is_read(self, context: object) -> None:
        """The same keys would mean something else."""
        with pytest.raises(MalformedError, match="@context"):
            codec.parse_negotiation(encoded(VERIFICATION, **{"@context": context}))

    def test_an_unknown_context_is_refused_by_name(self) -> None:
        """It could give every key another meaning, and fetching it would be a request for a stranger."""
        contexts = [envelope.CONTEXT, "https://evil.example/context"]

        with pytest.raises(MalformedError, match=r"evil\.example"):
            codec.parse_negotiation(encoded(VERIFICATION, **{"@context": contexts}))

    def test_an_inline_context_is_refused(self) -> None:
        """It redefines terms without any address that a setting could list."""
        contexts = [envelope.CONTEXT, {"consumerPid": "https://evil.example/"}]

        with pytest.raises(MalformedError, match="not known here"):
            codec.parse_negotiation(encoded(VERIFICATION, **{"@context": contexts}))

    def test_an_unknown_context_is_refused_wherever_it_stands(self) -> None:
        """A context inside gives the words of that part another meaning, for whoever reads it as JSON-LD."""
        inside = {"a": [{"@context": "https://evil.example/context", "b": 1}]}

        with pytest.raises(MalformedError, match="not known"):
            codec.parse_negotiation(encoded(VERIFICATION, offer=inside))

    def test_a_setting_may_list_more_contexts(self) -> None:
        """The owner says whose terms may stand beside ours."""
        ours = "https://space.example/context.jsonld"
        body = encoded(VERIFICATION, **{"@context": [envelope.CONTEXT, ours]})

        assert codec.parse_negotiation(body, {envelope.CONTEXT, ours}).id == "urn:m"


class TestDoors:
    def test_a_door_is_readable_by_eclipse_connectors(self) -> None:
        """They keep properties under full names only, and lose an endpoint that stands at the top."""
        message = Message(
            MessageId("m"), Move.START, ProcessId("c"), ProcessId("p"), DoorAddress("https://d.example", "t")
        )
        address = json.loads(render_transfer(message, BASE)[1])["dataAddress"]
        properties = {e["name"]: e["value"] for e in address["endpointProperties"]}

        assert properties[data_address.EDC + "endpoint"] == properties["endpoint"] == "https://d.example"
        assert properties[data_address.EDC + "authorization"] == properties["authorization"] == "t"
        assert address["endpoint"] == "https://d.example"

    def test_where_to_push_is_readable_by_eclipse_connectors(self) -> None:
        """Their HTTP sink takes address, header and secret from these properties, and nothing else."""
        to = DoorAddress("https://us.example/inbox/1", "t")
        content = TransferRequest(AgreementId("a"), "HttpData-PUSH", to)
        message = Message(MessageId("m"), Move.REQUEST, ProcessId("c"), None, content, "https://us.example")
        address = json.loads(render_transfer(message, BASE)[1])["dataAddress"]
        properties = {p["name"]: p["value"] for p in address["endpointProperties"]}

        assert address["endpointType"] == "HttpData"
        assert properties[data_address.EDC + "baseUrl"] == to.endpoint
        assert properties[data_address.EDC + "authKey"] == "Authorization"
        assert properties[data_address.EDC + "authCode"] == "Bearer t"

    def test_a_door_of_an_eclipse_connector_is_read(self) -> None:
        """As its version 0.15.1 sends it: full names, no endpoint at the top."""
        names = {"endpoint": "http://d", "authType": "bearer", "authorization": "eyJ", "endpointType": "x"}
        start = VERIFICATION | {
            "@type": "TransferStartMessage",
            "dataAddress": {
                "@type": "DataAddress",
                "endpointType": "https://w3id.org/idsa/v4.1/HTTP",
                "endpointProperties": [
                    {"@type": "EndpointProperty", "name": data_address.EDC + k, "value": v}
                    for k, v in names.items()
                ],
            },
        }

        assert codec.parse_transfer(encoded(start)).content == DoorAddress("http://d", "eyJ")

    def test_a_token_never_shows(self) -> None:
        """It is a bearer secret: a traceback or a log line with it would open the door."""
        assert "secret-token" not in repr(DoorAddress("https://d.example", "secret-token"))


class TestBounds:
    def test_nesting_is_bounded(self) -> None:
        """A deep document costs a refusal, not the stack."""
        for depth in (40, 2_000, 100_000):
            body = b'{"a":' * depth + b"1" + b"}" * depth
            with pytest.raises(MalformedError):
                envelope.decode(body)

    def test_size_is_bounded(self) -> None:
        """Before anything is parsed."""
        with pytest.raises(MalformedError, match="allowed"):
            envelope.decode(b" " * (envelope.MAX_BYTES + 1))

    @pytest.mark.parametrize("name", ["@id", "consumerPid", "providerPid"])
    @pytest.mark.parametrize("value", ["", "x" * 501, "a\x00b", "a\nb", 7, ["c"], {"@id": "c", "x": 1}])
    def test_an_id_is_short_printable_text(self, name: str, value: object) -> None:
        """It becomes a key of a database, a line of a log, a step of a URL."""
        with pytest.raises(MalformedError, match=name):
            codec.parse_negotiation(encoded(VERIFICATION, **{name: value}))

    def test_a_reason_is_cut_and_cleaned(self) -> None:
        """A stranger's words are shown to people: no control characters, no flood."""
        message = VERIFICATION | {
            "@type": "ContractNegotiationTerminationMessage",
            "code": "x" * 1_000,
            "reason": ["a\x1b[31mred\x00", *["y" * 9_999] * 50],
        }
        reason: Any = codec.parse_negotiation(encoded(message)).content

        assert len(reason.code) == 100
        assert len(reason.texts) == 10
        assert all(t.isprintable() and len(t) <= 500 for t in reason.texts)


class TestFuzz:
    @given(raw=st.binary(max_size=200) | JSON.map(lambda j: json.dumps(j).encode()))
    def test_any_bytes_are_refused_or_read(self, raw: bytes) -> None:
        """Whatever a stranger sends costs a 400, never a 500."""
        for parse in (
            codec.parse_negotiation,
            codec.parse_transfer,
            codec.parse_catalog_request,
            envelope.decode,
        ):
            with pytest.raises((MalformedError, ProtocolError)):
                parse(raw)

    @given(message=negotiation_messages(), data=st.data())
    def test_a_spoiled_negotiation_message_is_read_or_refused(
        self, message: Message, data: st.DataObject
    ) -> None:
        """One place out of order in a message that is otherwise right: where parsers have their gaps."""
        document = data.draw(spoiled(json.loads(render_negotiation(message, BASE)[1])))

        try:
            found = codec.parse_negotiation(json.dumps(document).encode())
        except (MalformedError, ProtocolError):
            return
        render_negotiation(found, BASE)

    @given(message=transfer_messages(), data=st.data())
    def test_a_spoiled_transfer_message_is_read_or_refused(
        self, message: Message, data: st.DataObject
    ) -> None:
        """As above, for transfer processes."""
        document = data.draw(spoiled(json.loads(render_transfer(message, BASE)[1])))

        try:
            found = codec.parse_transfer(json.dumps(document).encode())
        except (MalformedError, ProtocolError):
            return
        render_transfer(found, BASE)

    @given(raw=st.binary(max_size=200) | JSON.map(lambda j: json.dumps(j).encode()))
    def test_any_answer_can_be_looked_at(self, raw: bytes) -> None:
        """A peer that took our message may answer with anything; its bytes must not stop the sender."""
        state, consumer, provider = codec.read_state(raw)

        assert state is None or state in State
        assert all(pid is None or pid for pid in (consumer, provider))


class TestAnswers:
    @given(consumer=IDS, provider=IDS, state=st.sampled_from([s for s in State if s is not State.INITIAL]))
    def test_a_shown_state_is_read_back(self, consumer: str, provider: str, state: State) -> None:
        """What we show is what a peer adopts."""
        body = codec.render_state("ContractNegotiation", consumer, provider, state)

        assert codec.read_state(body) == (state, consumer, provider)

    @pytest.mark.parametrize("state", ["INITIAL", "PAID", "", None, 7, ["STARTED"]])
    def test_an_unknown_state_is_no_state(self, state: object) -> None:
        """INITIAL is never shown; a peer that names it must not move us."""
        assert codec.read_state(encoded({"state": state}))[0] is None

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"a":' * 50 + b"1" + b"}" * 50], ids=repr)
    def test_a_useless_answer_says_nothing(self, body: bytes) -> None:
        """2xx with an empty body is how the official suite answers."""
        assert codec.read_state(body) == (None, None, None)

    def test_a_peers_pid_is_bounded(self) -> None:
        """It is kept, and goes into every later address."""
        assert codec.read_state(encoded({"consumerPid": "x" * 501, "providerPid": "a\x00"})) == (
            None,
            None,
            None,
        )


class TestPaths:
    @given(pid=IDS)
    def test_a_process_id_stays_one_step_of_the_path(self, pid: str) -> None:
        """The peer chose it: with `/`, `..`, `?` or `#` in it we would call what it likes at another's."""
        step = codec.path_step(pid)

        assert unquote(step) == pid
        assert urlsplit(f"https://h/{step}/termination").path == f"/{step}/termination"
        assert "/" not in step
        assert step not in {".", ".."}

    def test_urns_stay_readable(self) -> None:
        """Other connectors compare the path as text."""
        pid = "urn:uuid:be25a7c5-2896-45b9-8b88-03570a08ebc6"

        assert codec.path_step(pid) == pid


class TestCatalogueRequests:
    def test_without_a_filter_everything_is_asked_for(self) -> None:
        """The plain request of the specification."""
        assert codec.parse_catalog_request(encoded(CATALOG_REQUEST)) == Place()

    def test_an_eclipse_connectors_filter_is_understood(self) -> None:
        """It sends one with every request; to refuse it would be to refuse all of them."""
        query = {
            "@type": "QuerySpec",
            "limit": 50,
            "offset": 10,
            "sortOrder": "ASC",
            "filterExpression": [],
        }

        assert codec.parse_catalog_request(encoded(CATALOG_REQUEST, filter=[query])) == Place(
            skip=10, size=50
        )

    def test_our_own_filter_is_a_search(self) -> None:
        """Its names are those of the guide; lists and numbers may be written as such."""
        query = {"@type": codec.SEARCH, "words": "空气", "grade": ["L1", "L2"], "kind": "api", "limit": 5}

        assert codec.parse_catalog_request(encoded(CATALOG_REQUEST, filter=[query])) == Search(
            words="空气", grades=frozenset({Grade.L1, Grade.L2}), kinds=frozenset({KindOfUse.API}), limit=5
        )

    @pytest.mark.parametrize("wrong", [{"colour": "red"}, {"grade": "L9"}, {"words": {"x": 1}}, {"limit": 0}])
    def test_our_own_filter_is_read_whole_or_not_at_all(self, wrong: dict[str, object]) -> None:
        """A term that is passed over in silence answers another question."""
        with pytest.raises(MalformedError):
            codec.parse_catalog_request(encoded(CATALOG_REQUEST, filter=[{"@type": codec.SEARCH, **wrong}]))

    @pytest.mark.parametrize("wanted", [{"x": 1}, ["price < 3"], [{"@type": "Other"}], "x", [{}, {}]])
    def test_another_filter_is_refused(self, wanted: object) -> None:
        """To pass it over in silence would be to answer another question."""
        with pytest.raises(ProtocolError, match="filter"):
            codec.parse_catalog_request(encoded(CATALOG_REQUEST, filter=wanted))


ECLIPSE = [
    line.split(" ", 1)
    for line in Path(__file__).with_name("eclipse.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
MOVES = {
    "request": Move.REQUEST,
    "agreement": Move.AGREE,
    "verification": Move.VERIFY,
    "events": Move.FINALIZE,
    "start": Move.START,
    "suspension": Move.SUSPEND,
    "termination": Move.TERMINATE,
}


@pytest.mark.parametrize(("path", "body"), ECLIPSE, ids=[path for path, _ in ECLIPSE])
def test_what_an_eclipse_connector_sends_is_read(path: str, body: str) -> None:
    """The most used connector: extra contexts, a filter with every request, its own ids in every message."""
    if path == "/catalog/request":
        assert codec.parse_catalog_request(body.encode()) == Place(size=50)
        return
    parse = codec.parse_transfer if path.startswith("/transfers") else codec.parse_negotiation
    found = parse(body.encode())

    assert found.move is MOVES[path.rpartition("/")[2]]
    assert found.consumer_pid


def test_a_policy_survives_an_eclipse_connector() -> None:
    """It expands, stores and compacts what we offered; what it asks for must equal the offer."""
    offers = [codec.parse_negotiation(b.encode()).content for p, b in ECLIPSE if p == "/negotiations/request"]
    offered = parse_policy(
        {
            "permission": [
                {
                    "action": "use",
                    "constraint": [
                        {"leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "research"},
                        {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "3"},
                    ],
                    "duty": [{"action": "odrl:inform"}],
                }
            ],
            "prohibition": [{"action": "odrl:sell"}],
        }
    )

    assert offered in [o.policy for o in offers if isinstance(o, Offer)]
