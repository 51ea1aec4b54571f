"""The owner's API of Data Plane Signaling: who the other planes are, and what is open to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from entrepot import contracts
from entrepot.node.api import answer, owner_route, read_body
from entrepot.policy import parse_policy, render_policy
from entrepot.protocols import Call, Content, Response, Route, dps
from entrepot.use.flow import driving, planes, serving
from entrepot.use.flow.model import NO_TERMS, Opening, Plane, PlaneKind
from entrepot.values import AgreementId, NotFoundError, ProcessId, ProductId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from entrepot.node.roles.connector import Connector
    from entrepot.use.flow.model import Flow

_BASE = "/owner/signaling"
_MOST = 200
_REGISTRATION = Content(
    {
        "type": "object",
        "required": ["endpoint", "authorization"],
        "properties": {
            "controlplaneId": {"type": "string"},
            "dataplaneId": {"type": "string"},
            "participantId": {"type": "string"},
            "endpoint": {"type": "string"},
            "profiles": {"type": "array", "items": {"type": "string"}},
            "authorization": {
                "type": "object",
                "required": ["type", "token", "ourToken"],
                "properties": {
                    "type": {"const": "bearer"},
                    "token": {"type": "string"},
                    "ourToken": {"type": "string"},
                },
            },
        },
    }
)
"""A registration message of the specification, with the two tokens."""


class OpeningBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is opened to a control plane: a product on these terms, or the taking in of data."""

    dataset: str
    product: str = ""
    policy: dict[str, Any] = {}
    byHand: bool = False  # noqa: N815 (the name on the wire)
    mostBytes: int = 0  # noqa: N815 (the name on the wire)


class TransferBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A transfer whose data another product's data plane takes in."""

    agreement: str
    dataPlane: str  # noqa: N815 (the name on the wire)
    format: str = "HttpData-PULL"


class OpeningRow(msgspec.Struct, frozen=True, rename="camel"):
    """What is open to a control plane: a product on these terms, or the taking in of so many bytes."""

    dataset: str
    by_hand: bool
    product: str | None = None
    policy: dict[str, Any] = {}
    most_bytes: int = 0


class PlaneRow(msgspec.Struct, frozen=True, rename="camel"):
    """Another product's plane, what is open to it, and what it serves of ours."""

    id: str
    kind: str
    endpoint: str
    profiles: tuple[str, ...]
    participant_id: str
    datasets: tuple[OpeningRow, ...] = ()
    products: tuple[str, ...] = ()


class FlowRow(msgspec.Struct, frozen=True, rename="camel"):
    """A data flow at our data plane."""

    id: str
    plane: str
    process: str
    party: str
    counterparty: str
    dataset: str
    agreement: str
    format: str
    state: str
    problem: str


class SignalingRow(msgspec.Struct, frozen=True):
    """The planes that are registered here, and the newest flows of ours."""

    planes: tuple[PlaneRow, ...]
    flows: tuple[FlowRow, ...]


class ServedRow(msgspec.Struct, frozen=True, rename="camel"):
    """A product that another product's data plane serves."""

    product: str
    data_plane: str | None


class TransferRow(msgspec.Struct, frozen=True):
    """The transfer process that was begun."""

    id: str


def plane_routes(connector: Connector) -> list[Route]:
    api = _Api(connector)
    control, data = _BASE + "/controlplanes", _BASE + "/dataplanes"
    served = data + "/{id}/products/{product:path}"
    shut = control + "/{id}/datasets/{dataset:path}"
    return [
        owner_route("GET", _BASE, api.all, SignalingRow),
        owner_route("PUT", control, api.register_control, PlaneRow, _REGISTRATION),
        owner_route("DELETE", control + "/{id}", api.drop_control, None),
        owner_route("PUT", control + "/{id}/datasets", api.open, OpeningRow, OpeningBody),
        owner_route("DELETE", shut, api.shut, SignalingRow),
        owner_route("PUT", data, api.register_data, PlaneRow, _REGISTRATION),
        owner_route("DELETE", data + "/{id}", api.drop_data, None),
        owner_route("PUT", served, api.serve, ServedRow),
        owner_route("DELETE", served, api.unserve, ServedRow),
        owner_route("POST", _BASE + "/flows/{id}/approve", api.approve, FlowRow),
        owner_route("POST", _BASE + "/transfers", api.transfer, TransferRow, TransferBody),
    ]


class _Api:
    """One method a route."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._node = connector.node
        self._journal = connector.node.journal

    async def all(self, _call: Call) -> Response:
        known = await self._journal.read(planes.known)
        newest = await self._journal.read(lambda c: serving.newest_flows(c, _MOST))
        rows = (_plane(p, openings, products) for p, openings, products in known)
        return answer(SignalingRow(tuple(rows), tuple(map(_flow, newest))))

    async def register_control(self, call: Call) -> Response:
        return await self._register(call, PlaneKind.CONTROL)

    async def register_data(self, call: Call) -> Response:
        return await self._register(call, PlaneKind.DATA)

    async def _register(self, call: Call, kind: PlaneKind) -> Response:
        said = dps.codec.parse_registration(call.body, kind)
        plane = Plane(
            id=said.id,
            kind=kind,
            endpoint=said.endpoint,
            profiles=said.profiles,
            participant=said.participant or self._node.me,
            shows=planes.digest_of(said.shown),
            sealed=self._node.vault.seal(said.ours.encode()),
        )
        await self._journal.write(lambda tx: planes.register(tx, plane))
        return answer(_plane(plane))

    async def drop_control(self, call: Call) -> Response:
        return await self._drop(call, PlaneKind.CONTROL)

    async def drop_data(self, call: Call) -> Response:
        return await self._drop(call, PlaneKind.DATA)

    async def _drop(self, call: Call, kind: PlaneKind) -> Response:
        quay = self._connector.quay
        self._cut(await self._journal.write(lambda tx: planes.drop(tx, quay, kind, call.path["id"])))
        return Response(204)

    async def open(self, call: Call) -> Response:
        body = read_body(call, OpeningBody)
        opening = Opening(
            plane=call.path["id"],
            dataset=body.dataset,
            product_id=ProductId(body.product) if body.product else None,
            policy=parse_policy(body.policy) if body.product else NO_TERMS,
            by_hand=body.byHand,
            most_bytes=body.mostBytes,
        )
        self._cut(await self._journal.write(lambda tx: planes.open_to(tx, self._connector.quay, opening)))
        return answer(_opening(opening))

    async def shut(self, call: Call) -> Response:
        plane_id, dataset = call.path["id"], call.path["dataset"]
        quay = self._connector.quay
        self._cut(await self._journal.write(lambda tx: planes.shut(tx, quay, plane_id, dataset)))
        return await self.all(call)

    async def serve(self, call: Call) -> Response:
        product_id, plane_id = ProductId(call.path["product"]), call.path["id"]
        await self._journal.write(lambda tx: planes.serve_elsewhere(tx, product_id, plane_id))
        return answer(ServedRow(product_id, plane_id))

    async def unserve(self, call: Call) -> Response:
        product_id = ProductId(call.path["product"])
        await self._journal.write(lambda tx: planes.serve_elsewhere(tx, product_id, None))
        return answer(ServedRow(product_id, None))

    async def approve(self, call: Call) -> Response:
        flow_id = ProcessId(call.path["id"])
        quay = self._connector.quay
        return answer(_flow(await self._journal.write(lambda tx: serving.approve(tx, quay, flow_id))))

    async def transfer(self, call: Call) -> Response:
        body = read_body(call, TransferBody)
        contract = await self._journal.read(lambda c: contracts.agreement_of(c, AgreementId(body.agreement)))
        if contract is None or contract.party is not contracts.Party.CONSUMER:
            raise NotFoundError("there is no such contract here in which we are the consumer")
        document = await self._node.acquaintance.document(contract.counterparty)
        address = document.services.get("DataService")
        if address is None:
            raise NotFoundError("the provider names no DataService")
        helm = self._connector.helm
        process = await self._journal.write(
            lambda tx: driving.request_through(tx, helm, contract, address, body.format, body.dataPlane)
        )
        return answer(TransferRow(process.exchange.id))

    def _cut(self, ended: Iterable[Flow]) -> None:
        for flow in ended:
            self._connector.streams.stop_process(flow.id)


def _plane(plane: Plane, openings: Sequence[Opening] = (), products: Sequence[ProductId] = ()) -> PlaneRow:
    return PlaneRow(
        id=plane.id,
        kind=str(plane.kind),
        endpoint=plane.endpoint,
        profiles=plane.profiles,
        participant_id=plane.participant,
        datasets=tuple(map(_opening, openings)),
        products=tuple(products),
    )


def _opening(opening: Opening) -> OpeningRow:
    provided = opening.product_id is not None
    terms = dict(render_policy(opening.policy)) if provided else {}
    return OpeningRow(opening.dataset, opening.by_hand, opening.product_id, terms, opening.most_bytes)


def _flow(flow: Flow) -> FlowRow:
    return FlowRow(
        id=flow.id,
        plane=flow.plane,
        process=flow.order.process_id,
        party=str(flow.party),
        counterparty=flow.order.counterparty,
        dataset=flow.order.dataset,
        agreement=flow.order.agreement,
        format=flow.order.format,
        state=str(flow.state),
        problem=flow.problem,
    )
