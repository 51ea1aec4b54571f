"""What a real EDC lets pass and we do not: sent by a peer that says it is one."""

import uuid
from typing import Any

import pytest
from harness import Scripted, offer_of

from space import Space, wait_for


@pytest.fixture(scope="module")
def product(town: Space) -> str:
    return town.offer(b"what is not given away", uses=10)


@pytest.fixture
def pid() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def test_data_is_not_to_be_had_before_the_contract_is_final(
    town: Space, scripted: Scripted, product: str, pid: str
) -> None:
    """EDC starts a transfer under an agreement that nobody has verified: bytes leave without a contract."""
    scripted.requests(town.provider, pid, offer_of(town.provider, product, scripted))
    agreed = scripted.hears("ContractAgreementMessage", pid)
    wait_for("AGREED", lambda: _state(town, agreed["providerPid"]) == "AGREED")

    status, said = scripted.asks_for(town.provider, f"{pid}-transfer", agreed["agreement"]["@id"])

    assert (status, said["@type"]) in {(400, "TransferError"), (404, "TransferError")}
    assert _processes(town) == []


def test_terms_that_we_do_not_offer_wait_for_a_person_and_are_never_swapped_for_ours(
    town: Space, scripted: Scripted, product: str, pid: str
) -> None:
    """EDC passes over the terms of a request and agrees on its own: two sides believe in two contracts."""
    offer = offer_of(town.provider, product, scripted)
    offer["permission"][0]["constraint"][0]["rightOperand"] = "1000000"

    status, said = scripted.requests(town.provider, pid, offer)

    assert (status, said["state"]) == (201, "REQUESTED")
    row = _negotiation(town, said["providerPid"])
    assert (row["state"], row["waitsForYou"]) == ("REQUESTED", True)
    town.provider.ask("POST", f"/owner/negotiations/{said['providerPid']}/reject")
    assert scripted.hears("ContractNegotiationTerminationMessage", pid)
    assert not [
        c for c in town.provider.ask("GET", "/owner/contracts")["contracts"] if c["with"] == scripted.did
    ]


def test_one_process_id_of_a_consumer_is_one_negotiation(
    town: Space, scripted: Scripted, product: str, pid: str
) -> None:
    """EDC makes two agreements of one consumerPid: a consumer that repeats itself has signed twice."""
    offer = offer_of(town.provider, product, scripted)
    first, said = scripted.requests(town.provider, pid, offer)

    second, refused = scripted.requests(town.provider, pid, offer)

    assert (first, second) == (201, 400)
    assert refused["@type"] == "ContractNegotiationError"
    assert "in use" in refused["reason"][0]
    assert _negotiation(town, said["providerPid"])["with"] == scripted.did


def test_an_operand_that_only_an_edc_knows_is_refused_by_its_name(
    town: Space, scripted: Scripted, product: str, pid: str
) -> None:
    """What a rule asks and nobody here can judge must not be agreed to."""
    offer = offer_of(town.provider, product, scripted)
    offer["permission"][0]["constraint"][0]["leftOperand"] = "https://w3id.org/edc/v0.0.1/ns/inForceDate"

    status, said = scripted.requests(town.provider, pid, offer)

    assert status == 400
    assert "unknown operand" in said["reason"][0]


def _negotiation(town: Space, pid: str) -> dict[str, Any]:
    found: dict[str, Any] = town.provider.ask("GET", f"/owner/negotiations/{pid}")
    return found


def _state(town: Space, pid: str) -> str:
    row = _negotiation(town, pid)
    return str(row["state"]) if row["pending"] is None else ""


def _processes(town: Space) -> list[dict[str, Any]]:
    rows = town.provider.ask("GET", "/owner/processes")["processes"]
    return [row for row in rows if row["with"] == Scripted.did]
