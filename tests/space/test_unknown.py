"""A term that nobody here knows, over real sockets: refused by its name, by a provider and by a consumer."""

import http.client
import json
from typing import Any

import pytest

from entrepot.identity import KeyJob, Vault, issue_id_token
from entrepot.journal import new_uuid
from entrepot.node.node import access_token
from entrepot.node.settings import SETTINGS, Settings
from entrepot.protocols.dsp.codec import PATH
from entrepot.protocols.dsp.envelope import CONTEXT
from entrepot.values import Did, system_clock
from space import PASSPHRASE, Running, Space

WEATHER = "https://other.example/ns/weather"
POLICY = {
    "permission": [
        {
            "action": "use",
            "constraint": [{"leftOperand": WEATHER, "operator": "eq", "rightOperand": "fair"}],
        }
    ]
}


@pytest.fixture(scope="module", params=["provider", "consumer"])
def sides(request: pytest.FixtureRequest, space: Space) -> tuple[str, Running, Running, Vault]:
    """Who receives, who sends, and the sender's keys."""
    to, by = (
        (space.provider, space.consumer) if request.param == "provider" else (space.consumer, space.provider)
    )
    return str(request.param), to, by, Vault.open(by.folder / "vault", PASSPHRASE)


def post(to: Running, by: Running, vault: Vault, path: str, **message: Any) -> tuple[int, Any]:
    """Send a message as a member does; gives the status and the error."""
    audience = Did(to.did)
    token = issue_id_token(
        vault.signer(KeyJob.IDENTITY),
        Did(by.did),
        audience,
        system_clock(),
        new_uuid(),
        access_token(Settings.read(by.folder / SETTINGS), vault, system_clock, audience),
    )
    body = {"@context": [CONTEXT], "@id": f"urn:uuid:{new_uuid()}", **message}
    connection = http.client.HTTPConnection(to.public, timeout=60)
    try:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        connection.request("POST", PATH + path, json.dumps(body), headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def test_the_name_reaches_whoever_sent_it(sides: tuple[str, Running, Running, Vault]) -> None:
    """A person at the other side must learn which word it was, and nothing is begun here."""
    side, to, by, vault = sides
    offer = {"@id": "urn:offer", "@type": "Offer", "target": "urn:product", **POLICY}
    name, path, pid = {
        "provider": ("ContractRequestMessage", "/negotiations/request", "consumerPid"),
        "consumer": ("ContractOfferMessage", "/negotiations/offers", "providerPid"),
    }[side]
    before = to.ask("GET", "/owner/negotiations")["negotiations"]
    callback = f"http://{by.public}{PATH}"
    more = {"@type": name, pid: f"urn:uuid:{new_uuid()}", "callbackAddress": callback, "offer": offer}

    status, error = post(to, by, vault, path, **more)

    assert (status, error["@type"]) == (400, "ContractNegotiationError")
    assert f"unknown operand {WEATHER}" in error["reason"][0]
    assert to.ask("GET", "/owner/negotiations")["negotiations"] == before
