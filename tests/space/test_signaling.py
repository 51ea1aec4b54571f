"""Data Plane Signaling among real nodes: one's control plane drives the other's data plane.

The consumer's node is also the data plane that serves the provider's product, so that both sides of the
product meet: what the consumer fetches comes from a door that the provider has never hung.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from entrepot.values import DataType, data_code
from space import COMMAND, Running, Space, made_bytes, records, wait_for

TOKENS: Final = ("Bearer shown by the control plane", "Bearer shown by the data plane")
HTTP_PULL: Final = "https://w3id.org/dspace-sig/profile/http-pull"
OPEN: Final[dict[str, Any]] = {"permission": [{"action": "use"}]}
SIZE: Final = 8 << 20


def offer(space: Space, node: Running, file: Path) -> str:
    """Offer a file for delivery at a node; gives the product's id."""
    attached = node.ask("POST", "/owner/resources", {"path": str(file)})
    product: str = node.ask(
        "POST",
        "/owner/products",
        {
            "id": data_code(DataType.PRODUCT, node.code, "3101", "5IGNAL00"),
            "resource": attached["resource"],
            "title": "Signalled",
            "description": "Bytes made for a test",
            "rights": "use for research",
            "grade": "L1",
            "kinds": ["delivery"],
            "policy": OPEN,
        },
    )["id"]
    listed = "SELECT 1 FROM product WHERE id = ?"
    wait_for("its listing", lambda: space.operator.rows(listed, product))
    return product


@pytest.fixture
def planes(space: Space) -> Iterator[None]:
    """Each node knows the other's plane; afterwards neither does."""
    lake, control = space.consumer, space.provider
    register(
        lake,
        "controlplanes",
        {
            "controlplaneId": "provider",
            "endpoint": f"{control.origin}/signaling",
            "participantId": control.did,
        },
        TOKENS,
    )
    said = {"dataplaneId": "lake", "endpoint": f"{lake.origin}/signaling", "profiles": [HTTP_PULL]}
    register(control, "dataplanes", said, TOKENS[::-1])
    yield
    lake.ask("DELETE", "/owner/signaling/controlplanes/provider")
    control.ask("DELETE", "/owner/signaling/dataplanes/lake")


def register(node: Running, kind: str, said: dict[str, Any], tokens: Sequence[str]) -> None:
    shown, ours = tokens
    authorization = {"type": "bearer", "token": shown, "ourToken": ours}
    node.ask("PUT", f"/owner/signaling/{kind}", {**said, "authorization": authorization})


@pytest.mark.usefixtures("planes")
def test_a_use_runs_through_another_nodes_data_plane(space: Space) -> None:
    """Request, start, fetch and completion: each as a word between two nodes, to the end."""
    file = space.root / "signalled"
    file.write_bytes(made_bytes(SIZE, 23))
    lake, control = space.consumer, space.provider
    product, copy = offer(space, control, file), offer(space, lake, file)
    terms = space.root / "terms.json"
    terms.write_text(json.dumps(OPEN))
    say(lake, "open", "provider", product, "--product", copy, "--terms", terms, "--by-hand")
    control.ask("PUT", f"/owner/signaling/dataplanes/lake/products/{product}")

    acquiring = space.begin(product)
    wait_for("a flow that waits", lambda: _states(lake) == ["STARTING"])
    (flow,) = lake.ask("GET", "/owner/signaling")["flows"]
    approved = say(lake, "approve", flow["id"])
    acquiring.received()
    wait_for("the end of the flow", lambda: _states(lake) == ["COMPLETED"])
    (ours,) = control.rows("SELECT id, outcome FROM use WHERE product_id = ?", product)
    (theirs,) = lake.rows("SELECT id, sent FROM use WHERE product_id = ?", copy)
    opened_here = [(r["kind"], r["contract"][:7] == "VOUCHED") for r in records(control, ours[0])[:1]]
    opened_there = [(r["kind"], r["contract"][:7] == "VOUCHED") for r in records(lake, theirs[0])[:1]]

    assert acquiring.target.read_bytes() == file.read_bytes()
    assert (flow["dataset"], approved["state"]) == (product, "STARTED")
    assert ours[1] in {"sent", "ended"}  # no receipt can name it: the consumer was at another door
    assert theirs[1] == SIZE
    assert say(lake, "shut", "provider", product) == {"plane": "provider", "shut": product}
    assert [p["datasets"] for p in lake.ask("GET", "/owner/signaling")["planes"]] == [[]]
    assert (opened_here, opened_there) == ([("opened", False)], [("opened", True)])


def say(node: Running, *words: object) -> Any:
    """A command of the owner's about planes; what it answers."""
    command = [*COMMAND, "dataplane", *map(str, words), "--json", "--node", str(node.folder)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _states(node: Running) -> list[str]:
    return [f["state"] for f in node.ask("GET", "/owner/signaling")["flows"]]
