"""Data Plane Signaling of a whole connector: closed to everybody until its owner has opened something."""

import asyncio
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)

from datetime import timedelta  # noqa: E402

from entrepot import catalogue  # noqa: E402 (after the house is loaded)
from entrepot.identity import KeyJob, issue_id_token  # noqa: E402
from entrepot.journal import Transaction, new_uuid, next_due  # noqa: E402
from entrepot.ledger import records_of  # noqa: E402
from entrepot.policy import Policy, Rule  # noqa: E402
from entrepot.protocols import Proof, dps  # noqa: E402
from entrepot.use import Admitted, Denied, Knock, admit  # noqa: E402
from entrepot.use import House as Gate  # noqa: E402
from entrepot.values import Grade, KindOfUse, ProcessId, ProductId  # noqa: E402

SHOWN, OURS = "Bearer the control plane's own", "Bearer what we show to it"
PRODUCT = ProductId("6PRODUCT")
TWICE = {
    "permission": [
        {
            "action": "use",
            "constraint": [{"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "2"}],
        }
    ]
}


class Provider:
    """A connector with one product, its owner, and a control plane that its owner may register."""

    def __init__(self, folder: Path) -> None:
        self.test = 0
        self.house = the_house.House(folder)
        asyncio.run(self.house.admit("provider", "consumer"))
        self.home = self.house.homes["provider"]
        self.node = self.home.node
        self.consumer = self.house.homes["consumer"].node
        file = folder / "data.csv"
        file.write_text("a,b\n1,2\n")
        resource = catalogue.measure(file, "text/csv", "resource-1")

        def offer(tx: Transaction) -> None:
            catalogue.attach_resource(tx, resource)
            kinds = frozenset({KindOfUse.DELIVERY})
            open_terms = Policy(permissions=(Rule("use"),))
            described = catalogue.Description("Data", "Rows.", "none", Grade.L1, kinds, open_terms)
            catalogue.offer_product(tx, PRODUCT, self.node.me, "resource-1", described)

        self.node.journal.write_now(offer)

    def owner(self, method: str, path: str, body: Any = None) -> Any:
        token = (self.node.folder / "owner.token").read_text()
        return self._call(self.home.owner, method, "/owner/signaling" + path, body, f"Bearer {token}")

    def control(self, method: str, path: str, body: Any = None, shown: str = SHOWN) -> Any:
        return self._call(self.home.public, method, dps.PATH + path, body, shown)

    def _call(self, application: Any, method: str, path: str, body: Any, shown: str) -> Any:
        raw = b"" if body is None else json.dumps(body).encode()
        return asyncio.run(the_house.call(application, method, path, raw, {"authorization": shown}))

    def register(self) -> None:
        said = {
            "controlplaneId": "theirs",
            "endpoint": "https://control.example/signaling",
            "authorization": {"type": "bearer", "token": SHOWN, "ourToken": OURS},
        }
        assert self.owner("PUT", "/controlplanes", said).status == 200

    def open(self, **more: Any) -> Any:
        opened = {"dataset": PRODUCT, "product": PRODUCT, "policy": TWICE, **more}
        return self.owner("PUT", "/controlplanes/theirs/datasets", opened)

    def start(self, process: str = "p1", **more: Any) -> Any:
        message = {
            "messageId": f"{self.test} start {process}",
            "participantId": self.node.me,
            "counterPartyId": self.consumer.me,
            "processId": f"{self.test} {process}",
            "agreementId": "their agreement",
            "datasetId": PRODUCT,
            "profile": "http-pull",
            **more,
        }
        return self.control("POST", "/dataflows/start", message)

    def knock(self, answer: Any) -> Admitted | Denied:
        """Come to the door that an answer names, with its token."""
        body = json.loads(answer.body)
        token = properties(body)["authorization"]
        gate = Gate(self.node.me, "boot", timedelta(minutes=1), timedelta(hours=1))
        knock = Knock(ProcessId(body["dataFlowId"]), token, KindOfUse.DELIVERY)
        return self.node.journal.write_now(lambda tx: admit(tx, knock, gate))


def properties(body: Any) -> dict[str, str]:
    return {p["name"]: p["value"] for p in body["dataAddress"]["endpointProperties"]}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    made = Provider(tmp_path_factory.mktemp("house"))
    yield made
    made.house.close()


@pytest.fixture
def provider(house: Provider) -> Iterator[Provider]:
    """With no plane registered, and with process ids of its own."""
    house.test += 1
    yield house
    house.owner("DELETE", "/controlplanes/theirs")


def test_no_plane_is_known_before_the_owner_has_named_it(provider: Provider) -> None:
    """Every endpoint of both planes asks for a token that the owner has agreed on."""
    asked = {}
    for route in (r for part in provider.home.parts for r in part.public if r.proof is Proof.PLANE_TOKEN):
        path = re.sub(r"\{\w+\}", "x", route.path).removeprefix(dps.PATH)
        for shown in ("", SHOWN, "Bearer guess"):
            asked[route.method, path, shown] = provider.control(route.method, path, {}, shown).status

    assert len(asked) == 3 * 13
    assert set(asked.values()) == {401}


def test_a_registration_that_is_taken_away_is_answered_with_nothing_more(provider: Provider) -> None:
    """The specification says 204; a program that reads a body would read what it did not ask for."""
    provider.register()
    gone = provider.owner("DELETE", "/controlplanes/theirs")

    assert (gone.status, gone.body) == (204, b"")
    assert json.loads(provider.owner("GET", "").body)["planes"] == []
    assert provider.owner("DELETE", "/controlplanes/theirs").status == 404


def test_a_control_plane_is_no_data_plane(provider: Provider) -> None:
    """Its token opens the data plane's endpoints and none of the control plane's."""
    provider.register()

    assert provider.control("GET", "/dataflows/none/status").status == 404
    assert provider.control("POST", "/transfers/none/dataflow/started", {}).status == 401


def test_what_the_owner_has_not_opened_is_not_given_out(provider: Provider) -> None:
    """A control plane that the owner trusts with one data set is not trusted with all."""
    provider.register()
    answer = provider.start()

    assert answer.status == 403
    assert "not opened" in answer.body.decode()


def test_a_use_is_judged_by_the_owners_terms_and_recorded(provider: Provider) -> None:
    """Whatever the control plane has agreed on: two uses, then no more, over all flows of its agreement."""
    provider.register()
    assert provider.open().status == 200
    found = [provider.knock(provider.start(f"p{n}")) for n in range(3)]
    admitted = [f for f in found if isinstance(f, Admitted)]
    records = provider.node.journal.read_now(lambda c: records_of(c, admitted[0].use.id))

    assert len(admitted) == 2
    assert isinstance(found[2], Denied)
    assert [r.record.consumer for r in records] == [provider.consumer.me]
    assert records[0].record.contract.startswith("VOUCHED")


def test_a_control_plane_speaks_for_its_own_participant_only(provider: Provider) -> None:
    """Else one that serves somebody else could use our data in our name."""
    provider.register()
    provider.open()

    assert provider.start(participantId="did:web:somebody.example").status == 403


def test_shutting_a_data_set_ends_its_flows_and_shuts_their_doors(provider: Provider) -> None:
    """What the owner shuts is shut for those who are inside, too."""
    provider.register()
    provider.open()
    answer = provider.start()
    flow = json.loads(answer.body)["dataFlowId"]
    assert provider.owner("DELETE", f"/controlplanes/theirs/datasets/{PRODUCT}").status == 200

    assert json.loads(provider.control("GET", f"/dataflows/{flow}/status").body)["state"] == "TERMINATED"
    assert isinstance(provider.knock(answer), Denied)
    assert provider.node.journal.read_now(lambda c: next_due(c, (dps.DPS,))) is not None


def test_a_repeat_gets_the_same_answer_and_another_message_under_its_id_none(provider: Provider) -> None:
    """A control plane whose answer was lost asks again; a second flow of one process is refused."""
    provider.register()
    provider.open()
    first = provider.start()

    assert provider.start().body == first.body
    assert provider.start(datasetId="another").status == 409
    assert provider.start(messageId="another").status == 409


def test_what_was_shut_can_be_opened_again(provider: Provider) -> None:
    """An owner who opens anew means it: what was used before is counted no longer."""
    provider.register()
    provider.open()
    provider.start()
    provider.owner("DELETE", f"/controlplanes/theirs/datasets/{PRODUCT}")
    provider.open()

    assert isinstance(provider.knock(provider.start("again")), Admitted)


def test_where_a_person_must_say_yes_the_flow_waits(provider: Provider) -> None:
    """The control plane is told by callback; until then there is no door."""
    provider.register()
    provider.open(byHand=True)
    answer = provider.start()
    flow = json.loads(answer.body)["dataFlowId"]
    approved = provider.owner("POST", f"/flows/{flow}/approve")

    assert (answer.status, json.loads(answer.body)["state"]) == (202, "STARTING")
    assert answer.headers["location"].endswith("/status")
    assert json.loads(approved.body)["state"] == "STARTED"
    assert provider.node.journal.read_now(lambda c: next_due(c, (dps.DPS,))) is not None


def test_the_token_of_a_door_is_renewed_for_its_consumer_alone(provider: Provider) -> None:
    """The refresh token is bound to whom the control plane has named; a proof passes once."""
    provider.register()
    provider.open()
    body = json.loads(provider.start().body)
    said = properties(body)

    def proof(name: str, token: str = said["authorization"]) -> str:
        node = provider.house.homes[name].node
        signer = node.vault.signer(KeyJob.IDENTITY)
        return "Bearer " + issue_id_token(signer, node.me, provider.node.me, node.clock(), new_uuid(), token)

    def renew(shown: str, refresh: str = said["refreshToken"]) -> Any:
        form = f"grant_type=refresh_token&refresh_token={refresh}".encode()
        head = {"authorization": shown, "content-type": "application/x-www-form-urlencoded"}
        return asyncio.run(the_house.call(provider.home.public, "POST", dps.PATH + "/token", form, head))

    once = proof("consumer")
    refused = {
        "another party": renew(proof("stranger")).status,
        "no proof": renew("").status,
        "another token": renew(proof("consumer", "made up")).status,
        "made up": renew(proof("consumer"), "made-up").status,
    }
    granted = renew(once)

    assert refused == {"another party": 401, "no proof": 401, "another token": 401, "made up": 400}
    assert granted.status == 200
    assert json.loads(granted.body)["access_token"] != said["authorization"]
    assert renew(once).status == 401


def test_no_token_of_a_door_is_written_down(provider: Provider) -> None:
    """A copy of the database must open no door: tokens are derived, answers are kept without them."""
    provider.register()
    provider.open()
    said = properties(json.loads(provider.start().body))
    kept = b"".join((provider.node.folder / f"node.db{end}").read_bytes() for end in ("", "-wal"))

    assert {n: said[n].encode() in kept for n in ("authorization", "refreshToken")} == {
        "authorization": False,
        "refreshToken": False,
    }


def test_what_is_shown_to_us_and_by_us_is_nowhere_to_be_read(provider: Provider) -> None:
    """A copy of the database, or of what the owner is shown, lets nobody in."""
    provider.register()
    shown = provider.owner("GET", "").body
    kept = (provider.node.folder / "node.db").read_bytes() + (
        provider.node.folder / "node.db-wal"
    ).read_bytes()

    assert b"theirs" in shown
    for secret in (SHOWN, OURS):
        assert secret.encode() not in shown + kept
