"""Data Plane Signaling: planes of other products that are registered here, and the flows at ours."""

from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from entrepot.cli.options import HERE, Json, Node, client, quoted, read_object
from entrepot.cli.output import Exit, show, table
from entrepot.values import MalformedError

dataplane: Final = App(name="dataplane", help="Planes of other products, and the data flows at mine.")

ByHand = Annotated[bool, Parameter(name="--by-hand", negative="")]
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


@dataplane.command(name="open")
def open_to(
    name: str,
    dataset: str,
    *,
    product: str = "",
    terms: Path | None = None,
    most_bytes: int = 0,
    by_hand: ByHand = False,
    node: Node = HERE,
    json: Json = False,
) -> int:
    """Open a data set to a control plane: a product of mine given out on my terms, or data taken in.

    The terms are a policy in JSON, as `entrepot product offer` takes it; the control plane's own agreements
    are not mine, so each use is judged by these. Opening again replaces, and ends what runs.

    Example: entrepot dataplane open edc cars --product 6913...X --terms five-uses.json --node clinic
    Example: entrepot dataplane open edc results --most-bytes 1000000 --node clinic

    Args:
        name: The control plane, as `dataplane list` shows it.
        dataset: What the control plane calls the data set.
        product: A product that I offer for delivery, to be given out.
        terms: File with the policy on which it is given out.
        most_bytes: Take data in instead, at most so many bytes a flow.
        by_hand: Each flow waits until I approve it.
    """
    if bool(product) == bool(most_bytes) or bool(product) != (terms is not None):
        raise MalformedError("give --product with its --terms, or --most-bytes: one of the two")
    body: dict[str, Any] = {"dataset": dataset, "byHand": by_hand}
    body |= {"mostBytes": most_bytes} if terms is None else {"product": product, "policy": read_object(terms)}
    found = client(node).put(f"/owner/signaling/controlplanes/{quoted(name)}/datasets", body)
    text = f"{dataset}: open to {name}" + ("; each flow waits for your approval" if by_hand else "")
    show(found, as_json=json, text=text)
    return Exit.DONE


@dataplane.command
def shut(name: str, dataset: str, *, node: Node = HERE, json: Json = False) -> int:
    """Shut a data set to a control plane: what runs of it ends, and nothing new begins.

    Example: entrepot dataplane shut edc cars --node clinic

    Args:
        name: The control plane, as `dataplane list` shows it.
        dataset: What the control plane calls the data set.
    """
    client(node).delete(f"/owner/signaling/controlplanes/{quoted(name)}/datasets/{quoted(dataset)}")
    show({"plane": name, "shut": dataset}, as_json=json, text=f"{dataset}: shut to {name}")
    return Exit.DONE


@dataplane.command
def approve(flow_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Let a data flow begin that waits for my word; its control plane is told.

    Example: entrepot dataplane approve urn:uuid:... --node clinic

    Args:
        flow_id: The flow, as `dataplane list` shows it.
    """
    found = client(node).post(f"/owner/signaling/flows/{quoted(flow_id)}/approve")
    show(found, as_json=json, text=f"{flow_id}: {found['state']}")
    return Exit.DONE


def _kind(*, control: bool) -> str:
    return "controlplanes" if control else "dataplanes"
