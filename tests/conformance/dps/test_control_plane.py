"""Our control plane drives a foreign data plane: 10 flows (Data Plane Signaling 1.0-RC3).

Each is named by its id in the official suite, which is in no registry: CP_C is a consumer's control plane,
CP_P a provider's. `peer.py` is the data plane and the counterparty's connector in one; its messages have the
marks of the suite's: a bare `@context`, a made-up other process id, one line of JSON for `Authorization`.
"""

import json
import sys
import time
import uuid
from typing import Any

import pytest

peer_module = sys.modules["entrepot_dps_peer"]
call, CONTEXT, PATIENCE = peer_module.call, peer_module.CONTEXT, peer_module.PATIENCE

FLOW = r"/dataflows/[^/]+/"
WORDS = ("started", "suspend", "resume", "terminate", "completed")


class Counterparty:
    """The data plane that is driven, and the other side's connector."""

    def __init__(self, under_test: Any, name: str) -> None:
        self.peer, self.url = under_test.peer, under_test.url
        self.dsp = self.url + "/dsp/2025-1"
        self.head = {"authorization": json.dumps({"clientId": name})}
        self.process = ""
        self.flow = ""
        for word in WORDS:
            self.peer.expect(FLOW + word, body={"state": "STARTED"} if word == "resume" else {})
        self.peer.expect("/transfers/request", body={"@context": CONTEXT, "@type": "TransferProcess"})
        self.peer.expect(r"/transfers/[^/]+/start", body={"@context": CONTEXT, "@type": "TransferProcess"})
        self.peer.answers["/transfers/request"] = self._requested

    def _requested(self, came: Any) -> tuple[int, Any]:
        """What a provider answers to a transfer request: its own id for the process."""
        pids = {"providerPid": str(uuid.uuid4()), "consumerPid": came.body["consumerPid"]}
        return 200, {"@context": CONTEXT, "@type": "TransferProcess", **pids}

    def answers(self, word: str, state: str, *, later: bool = False) -> None:
        """Answer prepare or start: at once with nothing but the state, or later on, naming the flow."""
        self.flow = str(uuid.uuid4()) if later else ""
        body = {"state": state} | ({"dataFlowId": self.flow} if later else {})
        self.peer.expect(f"/dataflows/{word}", 202 if later else 200, body)

    def trigger(self, *, later: bool = False) -> None:
        """Make the consumer under test begin."""
        wanted = {
            "agreementId": "tck-agreement-consumer",
            "datasetId": str(uuid.uuid4()),
            "dataPlaneUrl": self.peer.url,
            "dspUrl": self.peer.url,
            "async": later,
        }
        answer = call("POST", self.url + "/tck/dps/dataflows/trigger", wanted)
        assert answer.status == 200
        self.process = answer.body["id"]

    def request(self) -> None:
        """Ask the provider under test for a transfer."""
        message = {
            "@context": CONTEXT,
            "@type": "TransferRequestMessage",
            "consumerPid": str(uuid.uuid4()),
            "callbackAddress": self.peer.url,
            "agreementId": "tck-agreement-provider",
            "format": "HttpData-PULL",
        }
        answer = call("POST", self.dsp + "/transfers/request", message, self.head)
        assert answer.status == 201
        self.process = answer.body["providerPid"]

    def send(self, word: str, kind: str) -> None:
        """A later message of the Dataspace Protocol, with the ids as the suite writes them."""
        message = {
            "@context": CONTEXT,
            "@type": f"Transfer{kind}Message",
            "providerPid": self.process,
            "consumerPid": str(uuid.uuid4()),
        }
        answer = call("POST", f"{self.dsp}/transfers/{self.process}/{word}", message, self.head)
        assert answer.status == 200

    def callback(self, word: str) -> None:
        """The data plane says later on how far it is; it shows nothing of itself, and names no message."""
        body = {"dataFlowId": self.flow, "state": word.upper()}
        answer = call("POST", f"{self.url}/signaling/transfers/{self.process}/dataflow/{word}", body)
        assert answer.status == 200

    def hears(self, word: str) -> Any:
        """Wait until the data plane was told this about our flow."""
        name = self.flow or self.process
        return self.peer.wait_for(f"/dataflows/{name}/{word}")

    def becomes(self, state: str) -> None:
        """Wait until the transfer process is in a state, as the protocol shows it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = call("GET", f"{self.dsp}/transfers/{self.process}", headers=self.head)
            assert answer.status == 200
            if answer.body["state"] == state:
                return
            assert time.monotonic() < deadline, f"{answer.body['state']} where {state} was awaited"
            time.sleep(0.02)

    def complete(self) -> None:
        self.send("completion", "Completion")
        self.hears("completed")
        self.becomes("COMPLETED")

    def terminate(self) -> None:
        self.send("termination", "Termination")
        self.hears("terminate")
        self.becomes("TERMINATED")

    def suspend(self) -> None:
        self.send("suspension", "Suspension")
        self.hears("suspend")

    def resume(self) -> None:
        self.send("start", "Start")
        self.hears("resume")


@pytest.fixture
def provider(under_test: Any) -> Counterparty:
    """For a consumer under test."""
    return Counterparty(under_test, "providerId")


@pytest.fixture
def consumer(under_test: Any) -> Counterparty:
    """For a provider under test."""
    return Counterparty(under_test, "consumerId")


def begun(provider: Counterparty) -> None:
    """The consumer under test has had its data plane prepared, and its transfer started."""
    provider.answers("prepare", "PREPARED")
    provider.trigger()
    asked = provider.peer.wait_for("/dataflows/prepare").body
    assert asked["processId"] == provider.process
    _started(provider)


def _started(provider: Counterparty) -> None:
    provider.peer.wait_for("/transfers/request")
    provider.becomes("REQUESTED")
    provider.send("start", "Start")
    provider.hears("started")
    provider.becomes("STARTED")


def given(consumer: Counterparty) -> None:
    """The provider under test has had its data plane started."""
    consumer.answers("start", "STARTED")
    consumer.request()
    asked = consumer.peer.wait_for("/dataflows/start").body
    assert asked["processId"] == consumer.process
    assert asked["agreementId"] == "tck-agreement-provider"


class TestConsumer:
    """CP_C: the data plane takes data in."""

    def test_cp_c_01_01_is_prepared_started_and_completed(self, provider: Counterparty) -> None:
        """The request goes out when the data plane is ready, not sooner."""
        begun(provider)
        order = [c.path for c in provider.peer.came]
        assert order.index("/dataflows/prepare") < order.index("/transfers/request")
        provider.complete()

    def test_cp_c_01_02_is_terminated(self, provider: Counterparty) -> None:
        """What the provider ends, our data plane takes in no longer."""
        begun(provider)
        provider.terminate()

    def test_cp_c_02_01_is_suspended_resumed_and_completed(self, provider: Counterparty) -> None:
        """A pause of the provider's is one of our data plane's."""
        begun(provider)
        provider.suspend()
        provider.resume()
        provider.complete()

    def test_cp_c_02_02_is_terminated_while_suspended(self, provider: Counterparty) -> None:
        """What rests can be ended."""
        begun(provider)
        provider.suspend()
        provider.terminate()

    def test_cp_c_03_01_waits_for_a_data_plane_that_is_prepared_later(self, provider: Counterparty) -> None:
        """No request goes out before the callback has come."""
        provider.answers("prepare", "PREPARING", later=True)
        provider.trigger(later=True)
        provider.peer.wait_for("/dataflows/prepare")
        assert provider.peer.at("/transfers/request") == []
        provider.callback("prepared")
        _started(provider)
        provider.complete()


class TestProvider:
    """CP_P: the data plane gives data out."""

    def test_cp_p_01_01_is_started_and_completed(self, consumer: Counterparty) -> None:
        """A consumer's request becomes a word to the data plane."""
        given(consumer)
        consumer.complete()

    def test_cp_p_01_02_is_terminated(self, consumer: Counterparty) -> None:
        """What the consumer ends, the data plane gives out no longer."""
        given(consumer)
        consumer.terminate()

    def test_cp_p_02_01_is_suspended_resumed_and_completed(self, consumer: Counterparty) -> None:
        """A pause of the consumer's is one of the data plane's."""
        given(consumer)
        consumer.suspend()
        consumer.resume()
        consumer.complete()

    def test_cp_p_02_02_is_terminated_while_suspended(self, consumer: Counterparty) -> None:
        """What rests can be ended."""
        given(consumer)
        consumer.suspend()
        consumer.terminate()

    def test_cp_p_03_01_waits_for_a_data_plane_that_is_started_later(self, consumer: Counterparty) -> None:
        """The consumer hears of a start when the data plane has begun, not sooner."""
        consumer.answers("start", "STARTING", later=True)
        consumer.request()
        consumer.peer.wait_for("/dataflows/start")
        consumer.becomes("REQUESTED")
        assert consumer.peer.at(r"/transfers/[^/]+/start") == []
        consumer.callback("started")
        consumer.becomes("STARTED")
        consumer.complete()
