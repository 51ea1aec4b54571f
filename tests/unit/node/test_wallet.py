"""The identity of whole nodes: a member asks its platform, is brought what it asked for, and shows it."""

import asyncio
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)

from entrepot.identity import claimed_did, read_did_document, verify_id_token  # noqa: E402 (after the house)
from entrepot.journal import claim  # noqa: E402
from entrepot.node.settings import OWNER_TOKEN  # noqa: E402

House = the_house.House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    asyncio.run(made.admit("consumer"))
    yield made
    made.close()


def owner(house: House, name: str, method: str, path: str, body: Any = None) -> Any:
    home = house.homes[name]
    token = (home.node.folder / OWNER_TOKEN).read_text()
    raw = b"" if body is None else msgspec.json.encode(body)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    reply = asyncio.run(the_house.call(home.owner, method, path, raw, headers))
    return msgspec.json.decode(reply.body) if reply.status == 200 else reply.status


def send(house: House, name: str) -> int:
    """Send what is due of the identity protocol."""
    home = house.homes[name]
    senders = {k: s for part in home.parts for k, s in part.senders.items() if k.startswith("dcp")}

    async def work() -> int:
        due = await home.node.journal.write(lambda tx: claim(tx, "test", tuple(senders), 30))
        for message in due:
            await senders[message.kind](message, home.node.clock())
        return len(due)

    return asyncio.run(work())


def test_each_document_names_its_services(house: House) -> None:
    """DCP 1.0, 5.2 and 6.2; all three relations name a key that others find."""
    for name, home in house.homes.items():
        raw = asyncio.run(the_house.call(home.public, "GET", "/.well-known/did.json")).body
        found = read_did_document(raw, home.did)
        assert found.services["CredentialService"].endswith("/dcp")
        assert ("IssuerService" in found.services) is (name == "operator")
        for relation in ("authentication", "assertionMethod", "capabilityInvocation"):
            assert any(found.key(key, relation) for key in found.keys)


def test_a_stranger_is_refused_with_a_reason_that_the_owner_reads(house: House) -> None:
    """The operator of this house keeps no members in its books: to its issuer everybody is a stranger."""
    (held,) = owner(house, "consumer", "GET", "/owner/credentials")
    assert (held["types"], held["form"], held["holds"]) == (["MembershipCredential"], "vc20-bssl/jwt", True)

    made = owner(
        house,
        "consumer",
        "POST",
        "/owner/credential-requests",
        {"types": ["MembershipCredential"], "form": "vc11"},
    )
    assert made["state"] == "REQUESTED"
    assert send(house, "consumer") == 1
    (asked,) = owner(house, "consumer", "GET", "/owner/credential-requests")
    assert (asked["state"], asked["reason"]) == ("REJECTED", "the issuer refused the request (403)")
    assert send(house, "operator") == 0


def test_what_nobody_can_ask_for_is_refused(house: House) -> None:
    bodies = [
        {"types": ["PassportCredential"]},
        {"types": []},
        {"types": ["MembershipCredential"], "form": "vc30"},
        {"offer": "unknown"},
        {"types": ["MembershipCredential"], "issuer": "did:web:127.0.0.1%3A9"},
    ]
    found = [owner(house, "consumer", "POST", "/owner/credential-requests", body) for body in bodies]
    assert found == [403, 400, 400, 404, 503]
    assert owner(house, "consumer", "GET", "/owner/credential-requests") == []
    assert owner(house, "consumer", "GET", "/owner/credential-offers") == []
    assert owner(house, "consumer", "POST", "/owner/credentials/none/drop") == 404


def test_the_owners_software_gets_a_token_in_the_nodes_name(house: House) -> None:
    """Made, used, closed; the secret is told once."""
    home = house.homes["consumer"]
    made = owner(house, "consumer", "POST", "/owner/token-clients", {"name": "warehouse"})
    form = {
        "grant_type": "client_credentials",
        "client_id": "warehouse",
        "client_secret": made["secret"],
        "audience": house.homes["operator"].did,
        "bearer_access_scope": made["scopes"][0],
    }

    def token() -> Any:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        return asyncio.run(the_house.call(home.public, "POST", "/dcp/sts/token", body, headers))

    raw = msgspec.json.decode(token().body)["access_token"]
    document = asyncio.run(home.node.acquaintance.document(home.did))
    caller = verify_id_token(claimed_did(raw)[0], document, house.homes["operator"].did, home.node.clock())
    assert home.node.access(caller.access_token, house.homes["operator"].did).scopes == tuple(made["scopes"])

    (listed,) = owner(house, "consumer", "GET", "/owner/token-clients")
    assert "secret" not in listed
    assert owner(house, "consumer", "POST", "/owner/token-clients", {"name": "warehouse"}) == 409
    assert owner(house, "consumer", "POST", "/owner/token-clients", {"name": "x", "scopes": ["all"]}) == 400
    assert owner(house, "consumer", "POST", "/owner/token-clients", {"name": ""}) == 400
    assert owner(house, "consumer", "POST", "/owner/token-clients/warehouse/close") == {"ended": "warehouse"}
    assert token().status == 401
