"""Data Plane Signaling 1.0-RC3, endpoints: those of our data plane, and those of our control plane.

Both ask for the token that our owner has given to the plane that calls (`Proof.PLANE_TOKEN`); each handler
looks at it itself. A repeat of a message, by its id, is answered as the first.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from entrepot.contracts import DoorAddress, render_agreement
from entrepot.identity import Caller
from entrepot.journal import Journal, Transaction, new_uuid, recall_answer, remember_answer
from entrepot.protocols.dps import codec, shapes
from entrepot.protocols.dsp import envelope
from entrepot.protocols.route import Call, Handler, Proof, Response, Route, Shape
from entrepot.use.flow import driving, serving
from entrepot.use.flow.driving import Helm
from entrepot.use.flow.model import Flow, FlowState, Order, Plane, Quay
from entrepot.values import (
    ConflictError,
    Did,
    EntrepotError,
    MalformedError,
    MessageId,
    NotFoundError,
    ProcessId,
    ProtocolError,
    TransitionError,
    TrustError,
    canonical,
    render_digest,
    sha256,
)
from entrepot.values.canonical import Json

_WAITING: Final = frozenset({FlowState.PREPARING, FlowState.STARTING})
_SUSPENDING: Final = frozenset({"suspend", "terminate", "completed"})


@dataclass(frozen=True, slots=True)
class DataPlane:
    """What the endpoints of our data plane stand on."""

    journal: Journal
    quay: Quay
    identify: Callable[[str], Awaitable[Plane]]
    """Turns an `Authorization` into the control plane that shows it, or raises `TrustError`."""
    authenticate: Callable[[str, Did, str], Awaitable[Caller]]
    """Turns an `Authorization` into who shows it, if it is this DID and its token is for that audience."""
    use_once: Callable[[Transaction, Caller], None]
    stop: Callable[[ProcessId], object]
    """Cuts the streams of a flow."""
    base_path: str = codec.PATH


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """What the endpoints of our control plane stand on."""

    journal: Journal
    helm: Helm
    identify: Callable[[str], Awaitable[Plane | None]]
    """Turns an `Authorization` into the data plane that shows it, or raises `TrustError`."""
    base_path: str = codec.PATH


def data_plane_routes(plane: DataPlane) -> list[Route]:
    """The endpoints of a data plane, and the one where tokens of its doors are renewed."""
    at = _DataEndpoint(plane)

    def route(method: str, path: str, handle: Handler, shape: Shape) -> Route:
        return Route(method, plane.base_path + path, Proof.PLANE_TOKEN, handle, shape=shape)

    return [
        route("POST", "/dataflows/prepare", at.prepare, shapes.ORDER),
        route("POST", "/dataflows/start", at.start, shapes.ORDER),
        *(
            route("POST", f"/dataflows/{{id}}/{word}", at.word(word), shapes.WORD)
            for word in ("started", "suspend", "resume", "terminate", "completed")
        ),
        route("GET", "/dataflows/{id}/status", at.status, shapes.STATUS),
        Route("POST", plane.base_path + "/token", Proof.ACCESS_TOKEN, at.renew, shape=shapes.RENEWAL),
    ]


def control_plane_routes(plane: ControlPlane) -> list[Route]:
    """The endpoints of a control plane."""
    at = _ControlEndpoint(plane)
    transfers = plane.base_path + "/transfers/{id}"
    return [
        *(
            Route(
                "POST",
                f"{transfers}/dataflow/{word}",
                Proof.PLANE_TOKEN,
                at.word(word),
                shape=shapes.CALLBACK,
            )
            for word in ("prepared", "started", "completed", "errored")
        ),
        Route("GET", f"{transfers}/agreement", Proof.PLANE_TOKEN, at.agreement, shape=shapes.AGREEMENT),
    ]


@dataclass(frozen=True, slots=True)
class _DataEndpoint:
    services: DataPlane

    async def prepare(self, call: Call) -> Response:
        def act(tx: Transaction, plane: Plane, order: Order, sink: DoorAddress | None) -> Flow:
            if sink is not None:
                raise ProtocolError("to prepare names no dataAddress: ours is in the answer")
            return serving.prepare(tx, self.services.quay, plane, order)

        return await self._ordered(call, act)

    async def start(self, call: Call) -> Response:
        return await self._ordered(
            call, lambda tx, plane, order, sink: serving.start(tx, self.services.quay, plane, order, sink)
        )

    async def _ordered(
        self, call: Call, act: Callable[[Transaction, Plane, Order, DoorAddress | None], Flow]
    ) -> Response:
        plane = await self._plane(call)
        message_id, order, sink = codec.parse_order(call.body)
        return await self.services.journal.write(
            lambda tx: self._once(tx, call, plane, message_id, lambda: act(tx, plane, order, sink))
        )

    def word(self, word: str) -> Handler:
        """The endpoint of a word that moves a flow on."""

        async def handle(call: Call) -> Response:
            plane = await self._plane(call)
            said = codec.parse_word(call.body)
            flow_id = ProcessId(call.path["id"])

            def act(tx: Transaction) -> Response:
                def move() -> Flow:
                    return self._move(
                        tx, _owned(serving.read_flow(tx.connection, flow_id), plane), word, said
                    )

                return self._once(tx, call, plane, said.message_id, move)

            response = await self.services.journal.write(act)
            if word in _SUSPENDING:
                self.services.stop(flow_id)
            return response

        return handle

    async def status(self, call: Call) -> Response:
        plane = await self._plane(call)
        found = await self.services.journal.read(lambda c: serving.read_flow(c, ProcessId(call.path["id"])))
        return Response(200, codec.render_state(_owned(found, plane)))

    async def renew(self, call: Call) -> Response:
        """Give a client a new access token (RFC 6749, 6), once it has shown whose it is."""
        try:
            refresh = codec.parse_renewal(call.body)
            flow = await self.services.journal.read(lambda c: serving.flow_renewed_by(c, refresh))
            if flow is None:
                return _denied(400, "invalid_grant")
            client = self.services.quay.client_of(flow.order.counterparty)
            audience = flow.order.participant
            caller = await self.services.authenticate(call.headers.get("authorization", ""), client, audience)
        except MalformedError:
            return _denied(400, "invalid_request")
        except TrustError:
            return _denied(401, "invalid_client")
        try:
            renewed = await self.services.journal.write(lambda tx: self._renew(tx, refresh, caller))
        except TrustError:
            return _denied(401, "invalid_client")
        except EntrepotError:
            return _denied(400, "invalid_grant")
        quay = self.services.quay
        granted: canonical.Json = {
            "access_token": quay.door_token(renewed.id, renewed.epoch),
            "token_type": "Bearer",
            "expires_in": int(quay.token_life.total_seconds()),
            "refresh_token": refresh,
        }
        return Response(200, canonical.encode(granted))

    def _renew(self, tx: Transaction, refresh: str, caller: Caller) -> Flow:
        self.services.use_once(tx, caller)
        flow = serving.flow_renewed_by(tx.connection, refresh)
        if flow is None:
            raise NotFoundError("the refresh token was replaced")
        return serving.renew(tx, self.services.quay, flow, caller.access_token)

    def _move(self, tx: Transaction, flow: Flow, word: str, said: codec.Word) -> Flow:
        quay = self.services.quay
        match word:
            case "started":
                return serving.started(tx, quay, flow, said.address)
            case "suspend":
                return serving.suspend(tx, flow)
            case "resume":
                return serving.resume(tx, quay, flow, said.address)
            case "completed":
                return serving.complete(tx, flow)
            case _:
                return serving.terminate(tx, flow, said.reason)

    def _once(
        self, tx: Transaction, call: Call, plane: Plane, message_id: str, act: Callable[[], Flow]
    ) -> Response:
        """Do it, and remember the answer; a repeat gets the same one."""
        scope = ProcessId(render_digest(sha256(canonical.encode(["dps", plane.id, dict(call.path)]))))
        name = MessageId(render_digest(sha256(message_id.encode())))
        digest = sha256(call.body)
        before = recall_answer(tx, scope, name) if message_id else None
        if before is not None:
            if before.digest != digest:
                raise ConflictError("another message came under the same messageId")
            return self._shown(tx, before.status, before.body)
        flow = act()
        status = 202 if flow.state in _WAITING else 200
        body = canonical.encode(codec.render_status(new_uuid(), flow, None))
        if message_id:
            remember_answer(tx, scope, name, digest, status, body)
        return self._shown(tx, status, body)

    def _shown(self, tx: Transaction, status: int, body: bytes) -> Response:
        """An answer, with the address that its flow has now: addresses hold tokens and are kept nowhere."""
        flow = serving.existing(tx, ProcessId(codec.parse_word(body).flow_id))
        if status == 202:
            return Response(status, body, headers={"location": codec.status_path(flow.id)})
        address = serving.address_of(self.services.quay, flow)
        return Response(status, codec.with_address(body, address))

    async def _plane(self, call: Call) -> Plane:
        return await self.services.identify(call.headers.get("authorization", ""))


@dataclass(frozen=True, slots=True)
class _ControlEndpoint:
    services: ControlPlane

    def word(self, word: str) -> Handler:
        """The endpoint of a callback: how far a data plane is."""

        async def handle(call: Call) -> Response:
            plane = await self.services.identify(call.headers.get("authorization", ""))
            said = codec.parse_word(call.body)
            process_id = ProcessId(call.path["id"])
            await self.services.journal.write(lambda tx: self._take_in(tx, plane, process_id, word, said))
            return Response(200, b"{}")

        return handle

    async def agreement(self, call: Call) -> Response:
        plane = await self.services.identify(call.headers.get("authorization", ""))
        process_id = ProcessId(call.path["id"])
        driven = await self.services.journal.read(lambda c: driving.driven_process(c, process_id))
        if driven is None or (plane is not None and driven.plane.id != plane.id):
            raise NotFoundError("there is no such transfer of yours")
        context: dict[str, Json] = {"@context": [envelope.CONTEXT]}
        document = context | render_agreement(driven.contract.agreement)
        return Response(200, canonical.encode(document))

    def _take_in(
        self, tx: Transaction, plane: Plane | None, process_id: ProcessId, word: str, said: codec.Word
    ) -> None:
        driven = driving.driven_process(tx.connection, process_id)
        if driven is None or (plane is not None and driven.plane.id != plane.id):
            raise NotFoundError("there is no such transfer of yours")
        if word == "errored":
            driving.errored(tx, process_id, said.reason or "it met an error")
            return
        state = FlowState(word.upper())
        try:
            driving.reached(tx, self.services.helm, process_id, state, said.flow_id, said.address)
        except TransitionError as error:
            raise ProtocolError(str(error)) from error


def _owned(flow: Flow | None, plane: Plane) -> Flow:
    """A flow of this control plane; another's is not there for it."""
    if flow is None or flow.plane != plane.id:
        raise NotFoundError("there is no such data flow of yours")
    return flow


def _denied(status: int, error: str) -> Response:
    return Response(status, canonical.encode({"error": error}))
