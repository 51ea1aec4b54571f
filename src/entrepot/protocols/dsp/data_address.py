"""Data addresses of the Dataspace Protocol: the door of a pull, and where a push goes."""

from collections.abc import Mapping
from typing import Final

from entrepot.contracts import DoorAddress, optional_text
from entrepot.protocols.dsp.envelope import short_term
from entrepot.values import MalformedError
from entrepot.values.canonical import Json

EDC: Final = "https://w3id.org/edc/v0.0.1/ns/"
"""Eclipse connectors keep a door's properties only under these full names."""
ENDPOINT_TYPE: Final = "https://w3id.org/idsa/v4.1/HTTP"
SINK_TYPE: Final = "HttpData"
"""What an Eclipse connector calls an address that data is posted to."""
MAX_TOKEN: Final = 8192
MAX_PROPERTIES: Final = 50
_OF_A_DOOR: Final = frozenset(
    {"authorization", "authType", "endpoint", "endpointType", "baseUrl", "authKey", "authCode"}
)


def render_door(door: DoorAddress) -> Json:
    """Write a door's address; that of another data plane as it was given to us."""
    properties = ({"authorization": door.token, "authType": "bearer"} if door.token else {}) | dict(door.more)
    return _render_address(door.kind or ENDPOINT_TYPE, door.endpoint, properties)


def render_destination(sink: DoorAddress) -> Json:
    """Write where data is to be pushed, in the words of an Eclipse connector's HTTP sink too."""
    for_others = {"baseUrl": sink.endpoint, "authKey": "Authorization", "authCode": f"Bearer {sink.token}"}
    own = {"authorization": sink.token, "authType": "bearer"} | dict(sink.more)
    return _render_address(sink.kind or SINK_TYPE, sink.endpoint, own | for_others)


def _render_address(kind: str, endpoint: str, more: Mapping[str, str]) -> Json:
    """Write a data address, each property under its short and its full name."""
    located: dict[str, str] = {"endpoint": endpoint} if endpoint else {}  # some kinds have none: a bucket
    properties = {**more, **located, "endpointType": kind}
    return {
        "@type": "DataAddress",
        "endpointType": kind,
        **located,
        "endpointProperties": [
            {"@type": "EndpointProperty", "name": prefix + name, "value": value}
            for prefix in ("", EDC)
            for name, value in properties.items()
        ],
    }


def read_address(document: Json) -> DoorAddress | None:
    """Read a data address: its endpoint and token wherever they stand, and what else it says."""
    if document is None:
        return None
    if not isinstance(document, dict):
        raise MalformedError("dataAddress: expected an object")
    found: dict[str, str] = {}
    properties = document.get("endpointProperties") or []
    for entry in properties if isinstance(properties, list) else [properties]:
        name, value = (entry.get("name"), entry.get("value")) if isinstance(entry, dict) else (None, None)
        if isinstance(name, str) and isinstance(value, str):
            found.setdefault(short_term(name.removeprefix(EDC)), value)
    # An Eclipse connector that wants data pushed names where to under `baseUrl`.
    endpoint = optional_text(document, "endpoint") or found.get("endpoint", "") or found.get("baseUrl", "")
    token = found.get("authorization", "") or found.get("authCode", "").removeprefix("Bearer ")
    if len(endpoint) > 2000 or len(token) > MAX_TOKEN or not (endpoint + token).isprintable():
        raise MalformedError("dataAddress: no such endpoint or token")
    kind = optional_text(document, "endpointType") or found.get("endpointType", "")
    more = tuple((name, value) for name, value in found.items() if name not in _OF_A_DOOR)
    if len(more) > MAX_PROPERTIES or sum(len(n) + len(v) for n, v in more) > MAX_TOKEN:
        raise MalformedError("dataAddress: more properties than anybody needs")
    return DoorAddress(endpoint, token, "" if kind in {ENDPOINT_TYPE, SINK_TYPE} else kind, more)
