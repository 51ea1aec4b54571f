"""An EDC is the provider: our consumer reads its catalogue, agrees, and takes what it gives."""

from pathlib import Path
from typing import Any

import pytest
from edc import NS, Edc
from harness import Origin

from space import Running, Space, wait_for

CONTENT = b"a line of what they offer\n" * 5_000


@pytest.fixture(scope="module")
def asset(edc: Edc, origin: Origin) -> str:
    origin.content["/data"] = CONTENT
    edc.publish("their-data", f"{origin.url}/data")
    return "their-data"


def test_its_catalogue_is_read_over_all_pages(town: Space, edc: Edc, asset: str, origin: Origin) -> None:
    """An EDC shows fifty datasets at a time; who reads one page knows of fifty."""
    edc.add_asset("many-0", f"{origin.url}/data")
    for number in range(1, 60):
        edc.add_asset(f"many-{number}", f"{origin.url}/data")
    edc.define("many", f"policy-{asset}", "many-%")

    found = town.consumer.ask("GET", f"/owner/catalogues/{edc.id}")

    assert {row["product"] for row in found} >= {asset, *(f"many-{n}" for n in range(60))}
    assert {row["problem"] for row in found if row["product"].startswith("many-")} == {""}


@pytest.mark.parametrize("way", ["HttpData-PULL", "HttpData-PUSH"])
def test_what_it_offers_is_here_whole_and_both_sides_complete(
    town: Space, edc: Edc, asset: str, way: str, tmp_path: Path
) -> None:
    """A consumer that cannot take from a plain EDC is an island in the field."""
    target = tmp_path / "received"

    ended = _used(town.consumer, edc, asset, target, way)

    assert (ended["state"], ended["problem"]) == ("received", "")
    assert target.read_bytes() == CONTENT
    assert ended["size"] == len(CONTENT)
    there = _their_process(edc, ended["process"])
    wait_for("their end", lambda: _state(edc, there) in {"COMPLETED", "DEPROVISIONED"})
    assert _process(town.consumer, ended["process"])["state"] == "COMPLETED"
    held = next(
        c for c in town.consumer.ask("GET", "/owner/contracts") if c["agreement"] == ended["agreement"]
    )
    assert (held["inForce"], held["oneSided"]) == (True, True)
    assert {r["kind"] for r in town.consumer.ask("GET", f"/owner/uses/{ended['use']}")["records"]} == {
        "receipt"
    }


def test_what_we_suspend_resume_and_end_is_so_at_the_edc(
    town: Space, edc: Edc, asset: str, origin: Origin, tmp_path: Path
) -> None:
    """Two sides that disagree on where a transfer stands cannot both be right in a dispute."""
    # What it offers is not there, so the acquisition keeps trying and its process stays open.
    edc.publish("nowhere", f"{origin.url}/not-there")
    begun = _begun(town.consumer, edc, "nowhere", tmp_path / "never", "HttpData-PUSH")
    ours = wait_for("a started process", lambda: _started(town.consumer, begun["id"]))
    there = _their_process(edc, ours)
    del asset

    town.consumer.ask("POST", f"/owner/processes/{ours}/terminate")

    wait_for("their end", lambda: _state(edc, there) in {"TERMINATED", "DEPROVISIONED"})
    wait_for("our end", lambda: _process(town.consumer, ours)["state"] == "TERMINATED")


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

    ended = _used(town.consumer, edc, "dated", tmp_path / "never", "HttpData-PULL")

    assert ended["state"] == "failed"
    assert "unknown operand" in ended["problem"]
    assert "inForceDate" in ended["problem"]
    shown = town.consumer.ask("GET", f"/owner/catalogues/{edc.id}")
    assert "inForceDate" in next(row["problem"] for row in shown if row["product"] == "dated")


def _begun(node: Running, edc: Edc, asset: str, target: Path, way: str) -> dict[str, Any]:
    body = {"product": asset, "provider": edc.id, "target": str(target), "format": way}
    found: dict[str, Any] = node.ask("POST", "/owner/uses", body)
    return found


def _used(node: Running, edc: Edc, asset: str, target: Path, way: str) -> dict[str, Any]:
    begun = _begun(node, edc, asset, target, way)

    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = node.ask("GET", f"/owner/acquisitions/{begun['id']}")
        return found if found["state"] in {"received", "failed"} else None

    return wait_for("the end of an acquisition", over)


def _started(node: Running, acquisition: str) -> str | None:
    process: str | None = node.ask("GET", f"/owner/acquisitions/{acquisition}")["process"]
    return process if process is not None and _process(node, process)["state"] == "STARTED" else None


def _process(node: Running, process: str) -> dict[str, Any]:
    found: dict[str, Any] = next(p for p in node.ask("GET", "/owner/processes") if p["id"] == process)
    return found


def _their_process(edc: Edc, ours: str) -> str:
    """The same transfer in the EDC, by the id that it has there."""
    found = (p["@id"] for p in edc.transfer_processes() if p.get("correlationId") == ours)
    return str(next(found))


def _state(edc: Edc, key: str) -> str:
    return str(edc.transfer_process(key)["state"])
