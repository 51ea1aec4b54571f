"""What we send meets the published schemas and contexts, and what they publish as examples we read."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from entrepot_dsp_node import OFFER, PEER_BASE, STRANGER, Node
from entrepot_dsp_samples import DIDS, IDS, TERMS, negotiation_messages, printable, transfer_messages
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.catalogue import Place, Product, render_catalog, render_dataset
from entrepot.contracts import Message, Move, State
from entrepot.policy import PolicyError
from entrepot.protocols.dsp import codec, envelope, render_negotiation, render_transfer
from entrepot.values import (
    Did,
    Grade,
    KindOfUse,
    MalformedError,
    MessageId,
    ProcessId,
    ProductId,
    canonical,
    sha256,
)

Faults: TypeAlias = Callable[[str, bytes], list[str]]

SCHEMAS = {
    "ContractRequestMessage": "negotiation/contract-request-message",
    "ContractOfferMessage": "negotiation/contract-offer-message",
    "ContractAgreementMessage": "negotiation/contract-agreement-message",
    "ContractAgreementVerificationMessage": "negotiation/contract-agreement-verification-message",
    "ContractNegotiationEventMessage": "negotiation/contract-negotiation-event-message",
    "ContractNegotiationTerminationMessage": "negotiation/contract-negotiation-termination-message",
    "ContractNegotiation": "negotiation/contract-negotiation",
    "ContractNegotiationError": "negotiation/contract-negotiation-error",
    "TransferRequestMessage": "transfer/transfer-request-message",
    "TransferStartMessage": "transfer/transfer-start-message",
    "TransferSuspensionMessage": "transfer/transfer-suspension-message",
    "TransferCompletionMessage": "transfer/transfer-completion-message",
    "TransferTerminationMessage": "transfer/transfer-termination-message",
    "TransferProcess": "transfer/transfer-process",
    "TransferError": "transfer/transfer-error",
    "Catalog": "catalog/catalog",
    "CatalogError": "catalog/catalog-error",
}
PRODUCTS = st.builds(
    Product,
    id=st.uuids().map(lambda u: ProductId(f"urn:uuid:{u}")),
    version=st.integers(1, 9),
    title=printable(20),
    description=printable(20, 0),
    keywords=st.lists(printable(9), max_size=2).map(tuple),
    provider=DIDS,
    grade=st.sampled_from(Grade),
    rights=printable(20),
    kinds=st.frozensets(st.sampled_from(KindOfUse), min_size=1),
    policy=TERMS,
    media_type=st.just("text/csv"),
    size=st.integers(0, 2**53 - 1),
    artefact=st.just(sha256(b"x")),
    published_at=st.just(datetime(2026, 11, 25, tzinfo=UTC)),
)


def by_its_type(body: bytes) -> str:
    return SCHEMAS[json.loads(body)["@type"]]


def keys_and_terms(value: Any) -> Iterator[str]:
    """Every key, and every value that a JSON-LD processor would read as a term."""
    if isinstance(value, list):
        for item in value:
            yield from keys_and_terms(item)
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            if key in {"@type", "action", "leftOperand", "operator", "eventType", "state"}:
                yield item
            yield from keys_and_terms(item)


class TestMessages:
    @given(message=negotiation_messages())
    def test_every_negotiation_message_meets_its_schema(self, faults: Faults, message: Message) -> None:
        """A connector that validates, and Eclipse's does, would refuse it."""
        body = render_negotiation(message, PEER_BASE)[1]

        assert faults(by_its_type(body), body) == []

    @given(message=transfer_messages())
    def test_every_transfer_message_meets_its_schema(self, faults: Faults, message: Message) -> None:
        """As above."""
        body = render_transfer(message, PEER_BASE)[1]

        assert faults(by_its_type(body), body) == []

    @given(message=negotiation_messages(), transfer=transfer_messages())
    @settings(max_examples=50)
    def test_no_key_is_written_that_the_context_does_not_define(
        self, terms: frozenset[str], message: Message, transfer: Message
    ) -> None:
        """A connector with a JSON-LD processor drops such a key, and with it a part of the policy."""
        for body in (render_negotiation(message, PEER_BASE)[1], render_transfer(transfer, PEER_BASE)[1]):
            unknown = {
                t
                for t in keys_and_terms(json.loads(body))
                if not t.startswith("@") and ":" not in t and t not in terms
            }
            assert unknown == set()


class TestAnswers:
    @given(
        kind=st.sampled_from(["ContractNegotiation", "TransferProcess"]),
        state=st.sampled_from(State),
        consumer=IDS,
        provider=IDS,
    )
    def test_every_state_meets_its_schema(
        self, faults: Faults, kind: str, state: State, consumer: str, provider: str
    ) -> None:
        """As far as that machine has the state; INITIAL is never shown."""
        negotiation_only = {"OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED"}
        transfer_only = {"STARTED", "SUSPENDED", "COMPLETED"}
        other = transfer_only if kind == "ContractNegotiation" else negotiation_only
        if state in other | {"INITIAL"}:
            return
        body = codec.render_state(kind, consumer, provider, state)

        assert faults(by_its_type(body), body) == []

    @given(
        kind=st.sampled_from(["ContractNegotiationError", "TransferError", "CatalogError"]),
        reason=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        pid=st.just("") | IDS,
    )
    def test_every_error_meets_its_schema(self, faults: Faults, kind: str, reason: str, pid: str) -> None:
        """Both ids are required even where the sender named none; an empty list of reasons is not allowed."""
        body = codec.render_error(kind, pid, pid, 400, reason)

        assert faults(by_its_type(body), body) == []

    def test_every_answer_of_the_endpoints_meets_its_schema(self, faults: Faults, node: Node) -> None:
        """Whatever comes back, 201 or 404, another connector can read it."""
        message = Message(MessageId("urn:m:1"), Move.REQUEST, ProcessId("urn:c"), None, OFFER, PEER_BASE)
        request = render_negotiation(message, "")[1]
        first = node.call("POST", "/negotiations/request", request)
        pid = node.negotiation().exchange.id
        answers = [
            first,
            node.call("POST", "/negotiations/request", request.replace(b"urn:m:1", b"urn:m:2")),
            node.call("GET", f"/negotiations/{pid}"),
            node.call("GET", f"/negotiations/{pid}", caller=STRANGER),
            node.call("POST", f"/negotiations/{pid}/events", b"{}"),
            node.call("POST", "/transfers/request", b""),
            node.call("GET", f"/transfers/{pid}"),
            node.call("POST", "/catalog/request", b""),
            node.call("GET", "/catalog/datasets/none"),
        ]

        assert [faults(by_its_type(a.body), a.body) for a in answers] == [[]] * len(answers)

    def test_the_version_list_meets_its_schema(self, faults: Faults, node: Node) -> None:
        """The one document that everybody reads first."""
        body = node.call("GET", "/.well-known/dspace-version").body

        assert faults("common/protocol-version", body) == []


class TestCatalogue:
    @given(products=st.lists(PRODUCTS, max_size=4, unique_by=lambda p: p.id))
    @settings(max_examples=40)
    def test_every_catalogue_meets_its_schema(self, faults: Faults, products: list[Product]) -> None:
        """Empty, of one provider, of several: a catalogue that fails the schema shows nothing at all."""
        for participant in (Did("did:web:a.example"), Did("did:web:platform.example")):
            document = render_catalog("urn:c", participant, "https://a.example/dsp", products)
            body = canonical.encode({"@context": [envelope.CONTEXT], **document})

            assert faults("catalog/catalog", body) == []

    @given(product=PRODUCTS)
    def test_every_dataset_meets_its_schema(self, faults: Faults, product: Product) -> None:
        """An offer in a catalogue has no target; in a message it has one."""
        document = render_dataset(product, "urn:service")
        body = canonical.encode({"@context": [envelope.CONTEXT], **document})

        assert faults("catalog/dataset", body) == []


class TestTheSchemasAreAsked:
    """Negative tests pass by themselves; these show that the schemas refuse what they are said to refuse."""

    @pytest.mark.parametrize(
        "spoil",
        [
            {"@context": envelope.CONTEXT},
            {"providerPid": "urn:p"},
            {"offer": {"@id": "o", "@type": "Offer", "target": "t", "permission": []}},
            {"offer": {"@id": "o", "@type": "Offer", "target": "t"}},
            {"offer": {"@type": "Offer", "target": "t", "permission": [{"action": "use"}]}},
            {"callbackAddress": None},
        ],
        ids=[
            "a bare context",
            "callback and provider id",
            "an empty list",
            "no rule",
            "an offer without id",
            "no text",
        ],
    )
    def test_a_spoiled_request_is_refused(self, faults: Faults, spoil: dict[str, Any]) -> None:
        """Else the tests above would prove nothing."""
        message = Message(MessageId("m"), Move.REQUEST, ProcessId("c"), None, OFFER, PEER_BASE)
        document = json.loads(render_negotiation(message, "")[1])

        assert faults("negotiation/contract-request-message", json.dumps(document).encode()) == []
        assert faults("negotiation/contract-request-message", json.dumps(document | spoil).encode())

    def test_a_target_in_a_catalogue_is_refused(self, faults: Faults) -> None:
        """The trap that most connectors fall into."""
        offer = {"@id": "o", "@type": "Offer", "target": "t", "permission": [{"action": "use"}]}
        document = {
            "@context": [envelope.CONTEXT],
            "@id": "d",
            "hasPolicy": [offer],
            "distribution": [{"format": "HttpData-PULL", "accessService": "s"}],
        }

        assert faults("catalog/dataset", json.dumps(document).encode())
        del offer["target"]
        assert faults("catalog/dataset", json.dumps(document).encode()) == []


class TestExamples:
    @pytest.mark.parametrize("folder", ["negotiation", "transfer"])
    def test_every_published_message_is_read(self, published: Path, folder: str) -> None:
        """The specification's own examples, as another connector may have copied them."""
        parse = codec.parse_negotiation if folder == "negotiation" else codec.parse_transfer
        examples = sorted((published / folder / "example").glob("*message*.json"))
        read = [parse(e.read_bytes()) for e in examples if e.name != "contract-agreement-message-full.json"]

        assert len(read) >= 5
        assert all(m.consumer_pid or m.provider_pid for m in read)

    def test_terms_that_we_do_not_know_are_named(self, published: Path) -> None:
        """The example with made-up operands: an agreement whose rules we would drop is refused, by name."""
        example = published / "negotiation" / "example" / "contract-agreement-message-full.json"

        with pytest.raises(PolicyError, match="unknown operand partner"):
            codec.parse_negotiation(example.read_bytes())

    def test_published_states_are_read(self, published: Path) -> None:
        """What a peer shows us of a process."""
        negotiation = (published / "negotiation/example/contract-negotiation.json").read_bytes()
        process = (published / "transfer/example/transfer-process.json").read_bytes()

        assert codec.read_state(negotiation)[0] is State.REQUESTED
        assert codec.read_state(process)[0] is State.REQUESTED

    def test_a_published_catalogue_request_asks_for_a_filter_of_an_unknown_kind(
        self, published: Path
    ) -> None:
        """400 is the specification's answer where a filter is not supported."""
        document = json.loads((published / "catalog/example/catalog-request-message.json").read_text())
        without = {k: v for k, v in document.items() if k != "filter"}

        assert codec.parse_catalog_request(json.dumps(without).encode()) == Place()

    def test_the_published_contexts_are_the_one_we_name(self, published: Path) -> None:
        """Its address is the version of the protocol; a wrong letter would make every message foreign."""
        example = json.loads((published / "catalog/example/catalog.json").read_text())

        assert example["@context"] == [envelope.CONTEXT]
        with pytest.raises(MalformedError):
            envelope.check_context([envelope.CONTEXT.replace("2025/1", "2024/1")])
