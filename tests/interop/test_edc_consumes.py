"""An EDC is the consumer: it reads our catalogue, agrees, and is given data in every way it knows."""

import json

import pytest
from edc import Edc
from harness import Origin, Scripted, peer, pulled

from space import Running, Space, wait_for

CONTENT = b"a line of what we offer\n" * 5_000


@pytest.fixture(scope="module")
def product(town: Space) -> str:
    return town.offer(CONTENT, uses=1_000)


@pytest.fixture(scope="module")
def agreement(town: Space, edc: Edc, product: str) -> str:
    """An agreement of the EDC with our provider, by its id in the EDC."""
    us = peer(town.provider)
    return edc.agreed(edc.negotiate(us, edc.offer_of(us, product)))


def test_its_query_gives_the_pages_that_it_asks_for(town: Space, edc: Edc, product: str) -> None:
    """Who answers an EDC's filter with a refusal shuts every EDC out; who passes over its limit drowns it."""
    us = peer(town.provider)
    for _ in range(4):
        town.offer(b"another", uses=1)
    whole = [d["@id"] for d in edc.catalog(us)["dataset"]]

    pages = [edc.catalog(us, limit=2, offset=offset).get("dataset", []) for offset in (0, 2, 4)]
    only = edc.catalog(us, only=product)

    assert [d["@id"] for page in pages for d in page] == whole[:6]
    assert [len(page) for page in pages[:2]] == [2, 2]
    assert product in [d["@id"] for d in only["dataset"]]


def test_a_link_is_followed_with_the_same_message_as_an_edc_does(town: Space, scripted: Scripted) -> None:
    """An EDC that reads page after page by POST would see the first fifty products of thousands."""
    for _ in range(2):
        town.offer(b"one of two pages", uses=1)
    query = {"@type": "QuerySpec", "offset": 0, "limit": 1, "sortOrder": "ASC", "filterExpression": []}
    message = {"@type": "CatalogRequestMessage", "filter": [query]}
    _, first = scripted.say(town.provider, "/catalog/request", message)
    link = scripted.linked(town.provider, "/catalog/request", message)

    assert link is not None
    _, second = scripted.say(town.provider, link, message)

    assert len(second["dataset"]) == 1
    assert second["dataset"][0]["@id"] != first["dataset"][0]["@id"]


def test_both_sides_call_a_negotiation_finalized(town: Space, edc: Edc, agreement: str) -> None:
    """A contract that one side holds and the other does not is worth nothing to either."""
    signed = edc.agreement(agreement)["agreementId"]

    contract = _contract(town.provider, signed)

    assert contract["inForce"]
    assert contract["oneSided"]
    assert {n["state"] for n in edc.negotiations() if n.get("contractAgreementId") == agreement} == {
        "FINALIZED"
    }
    assert "FINALIZED" in {
        n["state"] for n in town.provider.ask("GET", "/owner/negotiations")["negotiations"]
    }


def test_it_pulls_the_bytes_that_we_offer_until_it_ends_the_transfer(
    town: Space, edc: Edc, agreement: str
) -> None:
    """A door that stays open after suspension or end gives data to a token that no contract stands behind."""
    us, started = peer(town.provider), "STARTED"
    key = edc.transfer(us, agreement)
    first = edc.door(key)
    assert pulled(first) == (200, CONTENT)

    edc.suspend(key)
    edc.reaches(f"/transferprocesses/{key}", "SUSPENDED")
    assert _ours(town.provider, edc, key) == "SUSPENDED"
    assert pulled(first)[0] == 404

    edc.resume(key)
    edc.reaches(f"/transferprocesses/{key}", started)
    second = wait_for("a new token", lambda: _another(edc, key, first.authorization))
    assert _ours(town.provider, edc, key) == started
    assert pulled(first)[0] == 404
    assert pulled(second) == (200, CONTENT)

    edc.terminate(key)
    edc.reaches(f"/transferprocesses/{key}", "TERMINATED")
    assert _ours(town.provider, edc, key) == "TERMINATED"
    assert pulled(second)[0] == 404


def test_what_it_wants_pushed_arrives_whole_and_both_sides_complete(
    town: Space, edc: Edc, agreement: str, origin: Origin
) -> None:
    """A push that nobody completes leaves a transfer open for ever: an EDC sends no receipt."""
    key = edc.transfer(peer(town.provider), agreement, "HttpData-PUSH", f"{origin.url}/pushed")

    edc.reaches(f"/transferprocesses/{key}", "COMPLETED")

    assert origin.posted["/pushed"] == CONTENT
    assert _ours(town.provider, edc, key) == "COMPLETED"


def test_what_we_suspend_resume_and_end_is_so_at_the_edc(town: Space, edc: Edc, agreement: str) -> None:
    """A provider whose word does not reach the consumer cannot stop a use that it must stop."""
    key = edc.transfer(peer(town.provider), agreement)
    first = edc.door(key)
    ours = edc.transfer_process(key)["correlationId"]

    town.provider.ask("POST", f"/owner/processes/{ours}/suspend")
    edc.reaches(f"/transferprocesses/{key}", "SUSPENDED")
    assert pulled(first)[0] == 404
    town.provider.ask("POST", f"/owner/processes/{ours}/resume")
    edc.reaches(f"/transferprocesses/{key}", "STARTED")
    second = wait_for("a new token", lambda: _another(edc, key, first.authorization))
    assert pulled(second) == (200, CONTENT)
    town.provider.ask("POST", f"/owner/processes/{ours}/terminate")
    edc.reaches(f"/transferprocesses/{key}", "TERMINATED")

    assert pulled(second)[0] == 404
    assert _ours(town.provider, edc, key) == "TERMINATED"


def test_a_node_with_a_test_identity_says_so_wherever_one_looks(town: Space) -> None:
    """A test identity that is forgotten in a settings file is an open door that nobody sees."""
    metrics = town.provider.text("/owner/metrics")
    logged = [json.loads(line) for line in town.provider.log.read_text().splitlines()]

    assert 'identity="insecure edc-mock"' in metrics
    assert any("insecure" in entry["event"] and entry["level"] == "warning" for entry in logged)


def _contract(node: Running, agreement: str) -> dict[str, object]:
    return next(c for c in node.ask("GET", "/owner/contracts")["contracts"] if c["agreement"] == agreement)


def _ours(node: Running, edc: Edc, key: str) -> str:
    """The state of the same transfer at our side, once nothing of it is on its way."""
    ours = edc.transfer_process(key)["correlationId"]

    def settled() -> str | None:
        row = next(p for p in node.ask("GET", "/owner/processes")["processes"] if p["id"] == ours)
        return str(row["state"]) if row["pending"] is None else None

    return wait_for("our side to settle", settled)


def _another(edc: Edc, key: str, old: str) -> object:
    door = edc.door(key)
    return None if door.authorization == old else door
