"""Data Plane Signaling: planes of other products that are registered here, and the flows at ours."""

from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from entrepot.cli.options import HERE, Json, Node, client, quoted, read_object
from entrepot.cli.output import Exit, show, table

dataplane: Final = App(name="dataplane", help="Planes of other products, and the data flows at mine.")

Control = Annotated[bool, Parameter(name="--control", negative="")]


@dataplane.command(name="list")
def list_planes(*, node: Node = HERE, json: Json = False) -> int:
    """List the planes that are registered here, and the newest data flows.

    Example: entrepot dataplane list --node clinic
    """
    found = client(node).get("/owner/signaling")
    planes = [p | {"has": ", ".join(_has(p))} for p in found["planes"]]
    text = table(planes, ("id", "kind", "endpoint", "has"), "No plane of another product is registered here.")
    if found["flows"]:
        columns = ("id", "plane", "counterparty", "dataset", "state", "problem")
        text += "\n\n" + table(found["flows"], columns, "")
    show(found, as_json=json, text=text)
    return Exit.DONE


def _has(plane: dict[str, Any]) -> list[str]:
    """What is open to a control plane, or what a data plane serves."""
    return [*(opened["dataset"] for opened in plane["datasets"]), *plane["products"]]


@dataplane.command
def register(file: Path, *, control: Control = False, node: Node = HERE, json: Json = False) -> int:
    """Register another product's data plane, or its control plane; registering again replaces.

    The file is the specification's registration message in JSON: dataplaneId (or controlplaneId),
    participantId, endpoint, profiles, and authorization with both tokens. Keep it as you keep a password.

    Example: entrepot dataplane register lake.json --node clinic

    Args:
        file: File with the registration.
        control: It is a control plane.
    """
    found = client(node).put(f"/owner/signaling/{_kind(control=control)}", read_object(file))
    show(found, as_json=json, text=f"{found['id']}: {found['kind']} plane at {found['endpoint']}")
    return Exit.DONE


@dataplane.command
def remove(name: str, *, control: Control = False, node: Node = HERE, json: Json = False) -> int:
    """Take a plane's registration away: what it has running here ends, and it is heard no more.

    Example: entrepot dataplane remove lake --node clinic

    Args:
        name: The plane, as `dataplane list` shows it.
        control: It is a control plane.
    """
    client(node).delete(f"/owner/signaling/{_kind(control=control)}/{quoted(name)}")
    show({"removed": name}, as_json=json, text=f"{name}: registered no more")
    return Exit.DONE


def _kind(*, control: bool) -> str:
    return "controlplanes" if control else "dataplanes"
