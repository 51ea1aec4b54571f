"""The connector under test for the suite of Data Plane Signaling, as data plane and as control plane.

The product's journal, gate, doors, transfer processes, data flows and protocol packages over real sockets.
What belongs to the suite alone is said here: its fixed token, that every data set is open to it, and what
nothing in its messages tells: a data set called `async` waits for a person, who says yes a moment later;
one called `finish` ends by itself. Data is moved only where `--data` names some: the suite has nowhere to
push to.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from sqlalchemy import Connection

from entrepot import catalogue, contracts
from entrepot.catalogue import Page, Place
from entrepot.contracts import Agreement, Desk, DoorAddress, Party, State
from entrepot.identity import (
    Caller,
    claimed_did,
    did_url,
    did_web,
    read_did_document,
    use_once,
    verify_assertion,
)
from entrepot.journal import Journal, Transaction, claim
from entrepot.node.http import Application, Gatekeeper, RawRoute
from entrepot.node.outgoing import HttpClient
from entrepot.node.server import http1
from entrepot.policy import Policy, Rule
from entrepot.protocols import Call, Handler, Proof, Response, Route, dps, dsp
from entrepot.use import DeliveryDoor, Doors, House, Pusher, Sealer, Streams
from entrepot.use import process as transfers
from entrepot.use.flow import driving, planes, serving
from entrepot.use.flow.driving import Helm
from entrepot.use.flow.model import (
    HTTP_PULL,
    HTTP_PUSH,
    Flow,
    FlowState,
    Opening,
    Order,
    Plane,
    PlaneKind,
    Quay,
)
from entrepot.use.flow.taking import FETCHING, Basin, Fetcher
from entrepot.values import (
    AgreementId,
    Did,
    EntrepotError,
    Grade,
    KindOfUse,
    NotFoundError,
    ProcessId,
    ProductId,
    TrustError,
    sha256,
)

ME = Did("did:web:provider")
TOKEN = "Bearer cp-token"
PRODUCT = ProductId("urn:product:tck")
OPEN = Policy(permissions=(Rule("use"),))
SUITE = "suite"
DATA = b"date,degrees\n2026-11-25,4\n"
SAYS_YES_AFTER = timedelta(milliseconds=300)
ENDS_AFTER = timedelta(milliseconds=1500)
MOST = 1 << 30
PATIENCE = 5.0


class Rig:
    """What the parts share."""

    def __init__(self, port: int, suite_port: int, folder: Path, data: Path | None) -> None:
        self.folder, self.moves = folder, data is not None
        self.url, self.suite = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{suite_port}"
        self.journal = Journal.open(f"sqlite:///{folder / 'connector.db'}")
        self.journal.create_schema()
        self.streams = Streams()
        self.house = House(ME, "boot", timedelta(days=1), oldest_unanchored=timedelta(days=365))
        self.outgoing = HttpClient([self.suite], 10)
        base = self.url + dsp.PATH
        self.desk = Desk(ME, dsp.render_negotiation, lambda _n, _now: None, base)
        self.rail = transfers.Rail(
            render=dsp.render_transfer,
            respond=transfers.start_when_in_force,
            door_token=lambda pid, epoch: secret(f"door {pid} {epoch}"),
            door_endpoint=lambda pid: f"{self.url}/door/{pid}",
            callback=base,
            elsewhere=driving.is_elsewhere,
            moved=lambda tx, process, by, content: driving.moved(tx, self.helm, process, by, content),
        )
        self.helm = Helm(self.rail, self.house, dps.teller(ME))
        self.quay = Quay(
            opening=lambda _c, order, _plane: opening(order),
            door_token=self.rail.door_token,
            door_endpoint=self.rail.door_endpoint,
            refresh_token=lambda pid, since: secret(f"refresh {pid} {since}"),
            refresh_endpoint=f"{self.url}/token",
            basin=lambda pid: DoorAddress(f"{self.url}/basin/{pid}", secret(f"basin {pid}"), HTTP_PUSH),
            seal=bytes,
            unseal=bytes,
            signal=dps.signal,
            may_call=lambda address: address.startswith(("https://", self.suite)),
            client_of=lambda _counterparty: did_web(self.suite),
        )
        few = folder / "data.csv"
        few.write_bytes(DATA)
        resource = catalogue.measure(data or few, "text/csv", "resource-1")
        self.journal.write_now(lambda tx: self._seed(tx, resource))

    def _seed(self, tx: Transaction, resource: catalogue.Resource) -> None:
        """One product, given out by us or by the suite's data plane; the suite's two planes."""
        catalogue.attach_resource(tx, resource)
        kinds = frozenset({KindOfUse.DELIVERY})
        described = catalogue.Description("Data", "Degrees of a day.", "none", Grade.L1, kinds, OPEN)
        catalogue.offer_product(tx, PRODUCT, ME, "resource-1", described)
        shown = planes.digest_of(TOKEN)
        planes.register(tx, Plane(SUITE, PlaneKind.CONTROL, self.suite, participant=ME, shows=shown))
        planes.register(tx, Plane(SUITE, PlaneKind.DATA, self.suite, (HTTP_PULL, HTTP_PUSH)))
        planes.serve_elsewhere(tx, PRODUCT, SUITE)

    async def control_plane(self, authorization: str) -> Plane:
        found = await self.journal.read(lambda c: planes.showing(c, PlaneKind.CONTROL, authorization))
        if found is None:
            raise TrustError("not the suite's token")
        return found

    async def client(self, authorization: str, did: Did, audience: str) -> Caller:
        try:
            token, claimed = claimed_did(authorization.removeprefix("Bearer "))
            if claimed != did:
                raise TrustError("another party's")
            document = await self.outgoing("GET", did_url(did, scheme="http"))
            found = read_did_document(document.body, did)
            return verify_assertion(token, found, audience, datetime.now(UTC))
        except EntrepotError as error:
            raise TrustError(str(error)) from error

    def hold(self, tx: Transaction, agreement_id: AgreementId, party: Party, peer: Did) -> contracts.Contract:
        """The suite's agreement, whatever it is called: it has negotiated none."""
        known = contracts.agreement_of(tx.connection, agreement_id)
        if known is not None:
            return known
        parties = (peer, ME) if party is Party.CONSUMER else (ME, peer)
        agreement = Agreement(agreement_id, PRODUCT, OPEN, *parties, tx.now)
        if party is Party.CONSUMER:
            contracts.hold_insecure_unsigned(tx, agreement, party, peer)
            held = contracts.agreement_of(tx.connection, agreement_id)
            assert held is not None
            return held
        product = catalogue.product(tx.connection, PRODUCT)
        assert product is not None
        return contracts.hold_vouched(tx, agreement, SUITE, catalogue.product_digest(product))


def secret(name: str) -> str:
    return sha256(name.encode()).hex()


def opening(order: Order) -> Opening:
    """Everything is open to the suite."""
    by_hand = order.dataset == "async"
    return Opening(SUITE, order.dataset, PRODUCT, OPEN, by_hand=by_hand, most_bytes=MOST)


class Dsp:
    """The transfer endpoints as the suite uses them: its agreements and process ids are made to fit."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def routes(self) -> list[Route]:
        rig = self._rig
        services = dsp.Services(
            rig.journal,
            rig.desk,
            rig.rail,
            lambda *_: None,
            lambda *_: (),
            _no_catalog,
            lambda *_: None,
            _any,
        )
        return [self._fitted(r) if "/transfers/" in r.path else r for r in dsp.routes(services)]

    def _fitted(self, route: Route) -> Route:
        fit = self._begin if route.path.endswith("/request") else self._go_on

        async def handle(call: Call) -> Response:
            return await route.handle(await fit(call))

        return Route(route.method, route.path, route.proof, handle)

    async def _begin(self, call: Call) -> Call:
        """A first request: hold the agreement that it names."""
        named = AgreementId(json.loads(call.body)["agreementId"])
        peer = call.caller or Did("")
        await self._rig.journal.write(lambda tx: self._rig.hold(tx, named, Party.PROVIDER, peer))
        return call

    async def _go_on(self, call: Call) -> Call:
        """A later one: the suite is quicker than our answers, and makes up the other process id each time."""
        process_id = ProcessId(call.path["pid"])
        async with asyncio.timeout(PATIENCE):
            while not await self._rig.journal.read(lambda c: _is_settled(c, process_id)):  # noqa: ASYNC110 (the condition lies in a database)
                await asyncio.sleep(0.02)
        if not call.body:
            return call
        process = await self._rig.journal.read(lambda c: transfers.existing(c, process_id))
        at = process.exchange
        names = ("consumerPid", "providerPid")
        ours, theirs = names if at.party is Party.CONSUMER else names[::-1]
        # Made to fit, two starts would be the same bytes: the second one no repeat, though.
        body = json.loads(call.body) | {"@id": sha256(call.body).hex(), ours: at.id, theirs: at.peer_pid}
        return Call(call.path, json.dumps(body).encode(), call.headers, call.query, call.caller)


def _is_settled(connection: Connection, process_id: ProcessId) -> bool:
    """Whether nothing of ours is on its way that the suite takes for done."""
    process = transfers.read_process(connection, process_id)
    driven = driving.driven_process(connection, process_id)
    if process is None or driven is None:
        return True
    if driven.flow_id and driven.state in {FlowState.PREPARING, FlowState.STARTING}:
        return True  # it waits for the suite's own callback
    waits = driven.state in {FlowState.PREPARING, FlowState.STARTING}
    return not waits and process.exchange.pending is None and process.exchange.state is not State.INITIAL


def _no_catalog(_connection: Connection, _caller: Did | None, _place: Place) -> Page:
    return Page(b"{}", None, None)


async def _any(_address: str, _sender: Did) -> None:
    """The suite has no DID document that could name its origins."""


async def authenticate(authorization: str) -> Did:
    """The suite says who it is in one line of JSON."""
    try:
        return Did(f"did:web:{json.loads(authorization)['clientId']}")
    except (ValueError, KeyError, TypeError) as error:
        raise TrustError("expected the suite's line of JSON") from error


def trigger(rig: Rig) -> Handler:
    """The suite asks us to begin as a consumer."""

    async def handle(call: Call) -> Response:
        wanted = json.loads(call.body)

        def begin(tx: Transaction) -> ProcessId:
            contract = rig.hold(
                tx, AgreementId(wanted["agreementId"]), Party.CONSUMER, Did("did:web:providerId")
            )
            endpoint = wanted["dataPlaneUrl"].rstrip("/")
            planes.register(tx, Plane(SUITE, PlaneKind.DATA, endpoint, (HTTP_PULL, HTTP_PUSH)))
            process = driving.request_through(
                tx, rig.helm, contract, wanted["dspUrl"], "HttpData-PULL", SUITE
            )
            return process.exchange.id

        process_id = await rig.journal.write(begin)
        return Response(200, json.dumps({"id": process_id}).encode())

    return handle


async def serve(port: int, suite_port: int, folder: Path, also: int | None, data: Path | None) -> None:
    rig = Rig(port, suite_port, folder, data)
    data_plane = dps.DataPlane(
        rig.journal, rig.quay, rig.control_plane, rig.client, use_once, rig.streams.stop_process, ""
    )

    async def nobody(_authorization: str) -> None:
        """The suite's data plane shows nothing of itself."""

    sealer = Sealer(_no_key, sha256)
    doors = Doors(rig.journal, {"HttpData-PULL": DeliveryDoor(rig.journal, rig.house, rig.streams, sealer)})
    basin = Basin(rig.journal, rig.quay, rig.folder / "flows")
    application = Application(
        [
            *Dsp(rig).routes(),
            *dps.data_plane_routes(data_plane),
            *dps.control_plane_routes(dps.ControlPlane(rig.journal, rig.helm, nobody)),
            Route("POST", "/tck/dps/dataflows/trigger", Proof.NONE, trigger(rig)),
            RawRoute("GET", "/door/{process}", Proof.DOOR_TOKEN, doors),
            *(RawRoute(m, "/basin/{flow}", Proof.INBOX_TOKEN, basin) for m in ("GET", "POST")),
        ],
        Gatekeeper(authenticate),
    )
    servers = [_server(application, number) for number in (port, *((also,) if also else ()))]
    running = [
        asyncio.create_task(_send(rig)),
        asyncio.create_task(_play(rig)),
        asyncio.create_task(_watch(rig)),
    ]
    serving_all = asyncio.gather(*(server.serve() for server in servers))
    try:
        # What fails in the background must be seen: then the connector ends.
        await asyncio.wait([serving_all, *running], return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                task.result()
    finally:
        for task in running:
            task.cancel()


def _server(application: Application, port: int) -> uvicorn.Server:
    return uvicorn.Server(http1(f"127.0.0.1:{port}", application))


async def _no_key(_did: Did) -> None:
    raise NotFoundError("nobody publishes a key here")


async def _play(rig: Rig) -> None:
    """Say yes where a person is asked, and let end what is called `finish`."""
    since: dict[tuple[ProcessId, FlowState], datetime] = {}
    while True:
        await asyncio.sleep(0.05)
        for flow in await rig.journal.read(lambda c: serving.newest_flows(c, 100)):
            age = datetime.now(UTC) - since.setdefault((flow.id, flow.state), datetime.now(UTC))
            if flow.state in {FlowState.PREPARING, FlowState.STARTING} and age > SAYS_YES_AFTER:
                await rig.journal.write(lambda tx, of=flow: serving.approve(tx, rig.quay, of.id))
            elif flow.order.dataset == "finish" and flow.state is FlowState.STARTED and age > ENDS_AFTER:
                await rig.journal.write(lambda tx, of=flow: _finish(tx, rig.quay, of))


def _finish(tx: Transaction, quay: Quay, flow: Flow) -> None:
    now = serving.existing(tx, flow.id)
    if now.state is FlowState.STARTED:
        serving.finished(tx, quay, now)


async def _watch(rig: Rig) -> None:
    """Cut the streams of doors that were shut."""
    while True:
        await asyncio.sleep(0.1)
        streaming = rig.streams.processes()
        for process_id in streaming:
            if not await rig.journal.read(lambda c, of=process_id: transfers.has_door(c, of)):
                rig.streams.stop_process(process_id)


async def _send(rig: Rig) -> None:
    """Bring every message to its receiver as soon as it is due, several lanes at once."""

    async def authorization(_peer: Did) -> str:
        return json.dumps({"clientId": ME})

    correspondence = dsp.Correspondence(rig.journal, rig.desk, rig.rail, rig.outgoing, authorization)
    signals = dps.Signals(rig.journal, rig.helm, rig.outgoing, bytes)
    senders: Mapping[str, Callable[..., Awaitable[object]]] = {
        contracts.DSP: correspondence.send,
        dps.DPS: signals.send,
        **(_movers(rig) if rig.moves else {}),
    }
    running: set[asyncio.Task[object]] = set()
    while True:
        for message in await rig.journal.write(lambda tx: claim(tx, "rig", tuple(senders), 30)):
            sending = senders[message.kind](message, datetime.now(UTC))
            task: asyncio.Task[object] = asyncio.ensure_future(sending)
            running.add(task)
            task.add_done_callback(lambda done: (running.discard(done), done.result()))
        await asyncio.sleep(0.02)


def _movers(rig: Rig) -> Mapping[str, Callable[..., Awaitable[object]]]:
    """What moves data."""
    quay, outgoing = rig.quay, rig.outgoing
    sealer = Sealer(_no_key, sha256)
    pusher = Pusher(
        rig.journal, rig.house, rig.streams, rig.rail, sealer, bytes,
        lambda url, headers: outgoing("HEAD", url, headers=headers), outgoing.pour, quay,
    )  # fmt: skip
    fetcher = Fetcher(
        rig.journal, quay,
        lambda tx, flow: serving.finished(tx, quay, flow),
        lambda tx, flow, reasons: serving.failed(tx, quay, flow, reasons),
        rig.folder / "flows", outgoing, lambda provider, token: f"proof {provider} {token}",
    )  # fmt: skip
    return {transfers.PUSHING: pusher.send, FETCHING: fetcher.send}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=18282)
    parser.add_argument("--suite-port", type=int, default=18103)
    parser.add_argument("--also", type=int, help="a second port for the same, such as 18310")
    parser.add_argument("--data", type=Path, help="a file that is given out; data is then really moved")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(options.port, options.suite_port, options.folder, options.also, options.data))


if __name__ == "__main__":
    main()
