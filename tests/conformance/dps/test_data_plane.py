"""Our data plane under a foreign control plane: 28 flows (Data Plane Signaling 1.0-RC3).

Each is named by its id in the official suite, which is in no registry: DP_C is a consumer's data plane, DP_P
a provider's. The control plane is `peer.py`, over real sockets.
"""

import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

peer_module = sys.modules["entrepot_dps_peer"]
call, PATIENCE = peer_module.call, peer_module.PATIENCE

US, THEM, AUTHORIZATION = "did:web:provider", "did:web:counterparty", "Bearer cp-token"
HTTP_PULL = "https://w3id.org/dspace-sig/profile/http-pull"
HTTP_PUSH = "https://w3id.org/dspace-sig/profile/http-push"
CALLBACK = r"/transfers/[^/]+/dataflow/"


class Control:
    """A control plane at work on one flow."""

    def __init__(self, under_test: Any, profile: str) -> None:
        self.url, self.peer = under_test.url, under_test.peer
        self.profile = profile
        self.process = str(uuid.uuid4())
        self.flow = ""

    def order(self, word: str, dataset: str = "", address: Any = None) -> Any:
        """Prepare or start a flow; gives the answer's body."""
        message = {
            "messageId": str(uuid.uuid4()),
            "participantId": US,
            "counterPartyId": THEM,
            "dataspaceContext": "space",
            "processId": self.process,
            "agreementId": str(uuid.uuid4()),
            "datasetId": dataset or str(uuid.uuid4()),
            "profile": self.profile,
            "claims": {},
        }
        if address is not None:
            message["dataAddress"] = address
        answer = self.post(f"/dataflows/{word}", message)
        waits = answer.body["state"] in {"PREPARING", "STARTING"}
        assert answer.status == (202 if waits else 200)
        assert {"messageId", "dataFlowId", "state"} <= set(answer.body)
        self.flow = answer.body["dataFlowId"]
        if waits:
            assert answer.headers["location"].startswith("/dataflows/")
        return answer.body

    def say(self, word: str, **more: Any) -> Any:
        body = {} if word == "completed" else {"messageId": str(uuid.uuid4()), **more}
        return self.post(f"/dataflows/{self.flow}/{word}", body)

    def post(self, path: str, body: Any) -> Any:
        return call("POST", self.url + path, body, {"authorization": AUTHORIZATION})

    def becomes(self, state: str) -> None:
        """Wait until the flow is in a state."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.state()) != state:
            assert time.monotonic() < deadline, f"{found} where {state} was awaited"
            time.sleep(0.02)

    def state(self) -> str:
        path = f"{self.url}/dataflows/{self.flow}/status"
        answer = call("GET", path, headers={"authorization": AUTHORIZATION})
        assert answer.status == 200
        assert answer.body["dataFlowId"] == self.flow
        return str(answer.body["state"])

    def hears(self, word: str) -> Any:
        """Wait for a callback about this flow."""
        came = self.peer.wait_for(f"/transfers/{self.process}/dataflow/{word}")
        assert came.body["dataFlowId"] == self.flow
        assert came.body["state"] == word.upper()
        return came.body


@pytest.fixture
def pull(under_test: Any) -> Control:
    return Control(under_test, "http-pull")


@pytest.fixture
def push(under_test: Any) -> Control:
    return Control(under_test, "http-push")


@pytest.fixture
def http_pull(under_test: Any) -> Control:
    return Control(under_test, HTTP_PULL)


def properties(address: Any) -> dict[str, str]:
    return {p["name"]: p["value"] for p in address["endpointProperties"]}


def sink(control: Control) -> Any:
    return {"endpointType": "https://w3id.org/idsa/v4.1/HTTP", "endpoint": control.peer.url}


def prepared(control: Control) -> None:
    """Prepare a consumer's flow: a pull has no address of ours, a push has one."""
    answer = control.order("prepare")
    assert answer["state"] == "PREPARED"
    assert ("dataAddress" in answer) is (control.profile == "http-push")


def running(control: Control) -> None:
    prepared(control)
    assert control.say("started").status == 200


def suspended(control: Control) -> None:
    assert control.say("suspend").status == 200
    control.becomes("SUSPENDED")


def resumed(control: Control) -> None:
    answer = control.say("resume")
    assert (answer.status, answer.body["state"]) == (200, "STARTED")
    control.becomes("STARTED")


def terminated(control: Control) -> None:
    assert control.say("terminate", reason="enough").status == 200
    control.becomes("TERMINATED")


def completed(control: Control) -> None:
    assert control.say("completed").status == 200
    control.becomes("COMPLETED")


def giving(control: Control) -> None:
    """Start a provider's flow: a pull has an address of ours, a push goes to theirs."""
    is_push = control.profile == "http-push"
    answer = control.order("start", address=sink(control) if is_push else None)
    assert answer["state"] == "STARTED"
    assert ("dataAddress" in answer) is not is_push


Act = Callable[[Control], None]


def flow(control: Control, *acts: Act) -> None:
    for act in acts:
        act(control)


def started(control: Control) -> None:
    control.becomes("STARTED")


class TestConsumerPull:
    """DP_C_PULL: our data plane fetches for a foreign control plane."""

    def test_dp_c_pull_01_01_is_prepared_and_started(self, pull: Control) -> None:
        """Without it no consumer could use our data plane."""
        flow(pull, running, started)

    def test_dp_c_pull_01_02_is_terminated(self, pull: Control) -> None:
        """A flow that cannot be ended goes on for ever."""
        flow(pull, running, terminated)

    def test_dp_c_pull_02_01_is_suspended_and_resumed(self, pull: Control) -> None:
        """A pause is no end."""
        flow(pull, running, suspended, resumed)

    def test_dp_c_pull_02_02_is_terminated_while_suspended(self, pull: Control) -> None:
        """What rests can be ended."""
        flow(pull, running, suspended, terminated)

    def test_dp_c_pull_03_01_says_that_all_has_come(self, pull: Control) -> None:
        """The control plane completes the transfer at our word; it is not awaited at first, and repeated."""
        pull.order("prepare", "finish")
        pull.becomes("PREPARED")
        assert pull.say("started").status == 200
        pull.becomes("STARTED")
        pull.becomes("COMPLETED")
        pull.peer.expect(CALLBACK + "completed")
        pull.hears("completed")

    def test_dp_c_pull_04_01_is_prepared_later(self, pull: Control) -> None:
        """Where a person must say yes, the control plane waits for the callback."""
        pull.peer.expect(CALLBACK + "prepared")
        answer = pull.order("prepare", "async")
        assert answer["state"] == "PREPARING"
        assert "dataAddress" not in answer
        pull.hears("prepared")
        pull.becomes("PREPARED")


class TestConsumerPush:
    """DP_C_PUSH: our data plane takes in what is pushed to a foreign control plane's owner."""

    def test_dp_c_push_01_01_is_prepared_with_an_address(self, push: Control) -> None:
        """The provider must be told where to push."""
        flow(push, running, started)

    def test_dp_c_push_01_02_is_terminated(self, push: Control) -> None:
        """As a pull."""
        flow(push, running, terminated)

    def test_dp_c_push_02_01_is_suspended_and_resumed(self, push: Control) -> None:
        """As a pull."""
        flow(push, running, suspended, resumed)

    def test_dp_c_push_02_02_is_terminated_while_suspended(self, push: Control) -> None:
        """As a pull."""
        flow(push, running, suspended, terminated)

    def test_dp_c_push_03_01_is_completed_at_the_control_planes_word(self, push: Control) -> None:
        """Of a push the provider knows when it is done."""
        flow(push, running, started, completed)

    def test_dp_c_push_04_01_is_prepared_later_with_an_address(self, push: Control) -> None:
        """The address that the answer had not is in the callback."""
        push.peer.expect(CALLBACK + "prepared")
        assert push.order("prepare", "async")["state"] == "PREPARING"
        assert "dataAddress" in push.hears("prepared")
        push.becomes("PREPARED")


class TestProviderPull:
    """DP_P_PULL: our data plane gives out what a foreign control plane has agreed on."""

    def test_dp_p_pull_01_01_is_started_and_completed(self, pull: Control) -> None:
        """The whole life of a pull."""
        flow(pull, giving, started, completed)

    def test_dp_p_pull_01_02_is_terminated(self, pull: Control) -> None:
        """A flow that cannot be ended goes on for ever."""
        flow(pull, giving, started, terminated)

    def test_dp_p_pull_02_01_is_suspended_and_resumed(self, pull: Control) -> None:
        """A pause is no end."""
        flow(pull, giving, suspended, resumed)

    def test_dp_p_pull_02_02_is_terminated_while_suspended(self, pull: Control) -> None:
        """What rests can be ended."""
        flow(pull, giving, suspended, terminated)

    def test_dp_p_pull_04_01_is_started_later(self, pull: Control) -> None:
        """The address that the answer had not is in the callback."""
        pull.peer.expect(CALLBACK + "started")
        answer = pull.order("start", "async")
        assert answer["state"] == "STARTING"
        assert "dataAddress" not in answer
        assert "dataAddress" in pull.hears("started")
        pull.becomes("STARTED")


class TestProviderPush:
    """DP_P_PUSH: our data plane pushes what a foreign control plane has agreed on."""

    def test_dp_p_push_01_01_is_started(self, push: Control) -> None:
        """The address is the consumer's; none of ours is given."""
        flow(push, giving, started)

    def test_dp_p_push_01_02_is_terminated(self, push: Control) -> None:
        """As a pull."""
        flow(push, giving, started, terminated)

    def test_dp_p_push_02_01_is_suspended_and_resumed(self, push: Control) -> None:
        """As a pull."""
        flow(push, giving, suspended, resumed)

    def test_dp_p_push_02_02_is_terminated_while_suspended(self, push: Control) -> None:
        """As a pull."""
        flow(push, giving, suspended, terminated)

    def test_dp_p_push_03_01_says_that_all_has_gone(self, push: Control) -> None:
        """The control plane completes the transfer at our word."""
        push.order("start", "finish", sink(push))
        push.becomes("STARTED")
        push.peer.expect(CALLBACK + "completed")
        push.hears("completed")

    def test_dp_p_push_04_01_is_started_later(self, push: Control) -> None:
        """As a pull, without an address."""
        push.peer.expect(CALLBACK + "started")
        assert push.order("start", "async", sink(push))["state"] == "STARTING"
        assert "dataAddress" not in push.hears("started")
        push.becomes("STARTED")


class TestProviderHttpPull:
    """DP_P_HTTP_PULL: the address of a pull by HTTP, and how its token is renewed."""

    def renew(self, control: Control, address: Any, refresh: str = "", audience: str = US) -> Any:
        said = properties(address)
        form = {"grant_type": "refresh_token", "refresh_token": refresh or said["refreshToken"]}
        proof = control.peer.client_token(audience, said["authorization"])
        head = {"authorization": f"Bearer {proof}"}
        return call("POST", said["refreshEndpoint"], form, head, form=True)

    def given(self, control: Control) -> Any:
        address = control.order("start")["dataAddress"]
        said = properties(address)
        assert address["endpointType"] == HTTP_PULL
        assert address["endpoint"].startswith("http")
        assert said["authType"] == "bearer"
        assert said["authorization"]
        assert said["refreshToken"]
        assert said["expiresIn"].isdigit()
        assert said["refreshEndpoint"].startswith("http")
        control.becomes("STARTED")
        return address

    def test_dp_p_http_pull_01_01_a_token_is_renewed(self, http_pull: Control) -> None:
        """A long transfer outlives its first token; the new one opens the door, the old one does not."""
        address = self.given(http_pull)
        answer = self.renew(http_pull, address)
        old, new = properties(address)["authorization"], answer.body["access_token"]
        seen = {
            token: call("GET", address["endpoint"], headers={"authorization": f"Bearer {token}"}).status
            for token in (old, new)
        }

        assert (answer.status, answer.body["token_type"]) == (200, "Bearer")
        assert seen == {old: 404, new: 200}

    def test_dp_p_http_pull_02_01_a_wrong_refresh_token_is_refused(self, http_pull: Control) -> None:
        """Whoever makes one up gets nothing."""
        assert self.renew(http_pull, self.given(http_pull), refresh=f"made up {uuid.uuid4()}").status == 400

    def test_dp_p_http_pull_02_02_a_proof_for_another_is_refused(self, http_pull: Control) -> None:
        """A proof that a client made for somebody else is no proof to us."""
        assert self.renew(http_pull, self.given(http_pull), audience="did:web:invalid-audience").status == 401


class TestConsumerHttpPull:
    """DP_C_HTTP_PULL: which address of a provider our data plane takes."""

    def address(self, control: Control, **renewal: str) -> Any:
        said = {"authorization": str(uuid.uuid4()), "authType": "bearer", **renewal}
        return {
            "@type": "DataAddress",
            "endpointType": HTTP_PULL,
            "endpoint": f"https://provider.example.com/data/{control.flow}",
            "endpointProperties": [{"name": n, "value": v} for n, v in said.items()],
        }

    def test_dp_c_http_pull_01_01_an_address_that_can_be_renewed_is_taken(self, http_pull: Control) -> None:
        """Its properties have no `@type`."""
        assert "dataAddress" not in http_pull.order("prepare")
        renewal = {
            "refreshToken": str(uuid.uuid4()),
            "expiresIn": "300",
            "refreshEndpoint": "https://provider.example.com/authorization/refresh",
        }
        assert http_pull.say("started", dataAddress=self.address(http_pull, **renewal)).status == 200
        http_pull.becomes("STARTED")

    def test_dp_c_http_pull_02_01_one_that_cannot_is_refused(self, http_pull: Control) -> None:
        """A transfer would end with its first token."""
        assert "dataAddress" not in http_pull.order("prepare")
        assert http_pull.say("started", dataAddress=self.address(http_pull)).status == 400
        http_pull.becomes("PREPARED")
