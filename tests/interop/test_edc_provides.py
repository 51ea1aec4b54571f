"""An EDC is the provider: our consumer reads its catalogue, agrees, and takes what it gives."""

from pathlib import Path

import pytest
from edc import NS, Edc
from harness import Origin, begun, both_at, over, their_process

from space import Space

CONTENT = b"a line of what they offer\n" * 5_000


@pytest.fixture(scope="module")
def asset(edc: Edc, origin: Origin) -> str:
    origin.content["/data"] = CONTENT
    edc.publish("their-data", f"{origin.url}/data")
    return "their-data"


def test_its_catalogue_is_read_over_all_pages(town: Space, edc: Edc, asset: str, origin: Origin) -> None:
    """An EDC shows fifty datasets at a time; who reads one page knows of fifty.

    From the second page on it names the page before as well, in a `Link` field of its own.
    """
    many = {f"many-{number}" for number in range(130)}
    for name in many:
        edc.add_asset(name, f"{origin.url}/data")
    edc.define("many", f"policy-{asset}", "many-%")

    found = town.consumer.ask("GET", f"/owner/catalogues/{edc.id}")

    assert {row["product"] for row in found} >= {asset, *many}
    assert {row["problem"] for row in found if row["product"].startswith("many-")} == {""}


@pytest.mark.parametrize("way", ["HttpData-PULL", "HttpData-PUSH"])
def test_what_it_offers_is_here_whole_and_both_sides_complete(
    town: Space, edc: Edc, asset: str, way: str, tmp_path: Path
) -> None:
    """A consumer that cannot take from a plain EDC is an island in the field."""
    target = tmp_path / "received"

    ended = over(town.consumer, begun(town.consumer, edc, asset, target, way)["id"])

    assert (ended["state"], ended["problem"]) == ("received", "")
    assert target.read_bytes() == CONTENT
    assert ended["size"] == len(CONTENT)
    both_at(town.consumer, ended["process"], edc, their_process(edc, ended["process"]), "COMPLETED")
    held = next(
        c
        for c in town.consumer.ask("GET", "/owner/contracts")["contracts"]
        if c["agreement"] == ended["agreement"]
    )
    assert (held["inForce"], held["oneSided"]) == (True, True)
    assert {r["kind"] for r in town.consumer.ask("GET", f"/owner/uses/{ended['use']}")["records"]} == {
        "receipt"
    }


def test_an_operand_that_only_an_edc_knows_is_refused_by_its_name(
    town: Space, edc: Edc, origin: Origin, tmp_path: Path
) -> None:
    """A constraint that is dropped because nobody understands it makes every rule hold."""
    condition = {
        "leftOperand": f"{NS}inForceDate",
        "operator": "gteq",
        "rightOperand": "contractAgreement+0s",
    }
    edc.publish("dated", f"{origin.url}/data", {"permission": [{"action": "use", "constraint": [condition]}]})

    began = begun(town.consumer, edc, "dated", tmp_path / "never", "HttpData-PULL")
    ended = over(town.consumer, began["id"])

    assert ended["state"] == "failed"
    assert "unknown operand" in ended["problem"]
    assert "inForceDate" in ended["problem"]
    shown = town.consumer.ask("GET", f"/owner/catalogues/{edc.id}")
    assert "inForceDate" in next(row["problem"] for row in shown if row["product"] == "dated")
