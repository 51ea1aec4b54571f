"""The connector under test for the official Dataspace Protocol suite.

The product's journal, contracts, transfer processes and protocol package over real sockets. What belongs
to the suite alone is said here: one fixed bearer token, the data sets and agreements that it expects,
and what to do next in each of its scenarios. It files no contracts.
"""

import argparse
import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from sqlalchemy import Connection

from entrepot import contracts
from entrepot.catalogue import Page, Place
from entrepot.contracts import Desk, Move, Negotiation, Next, Party, Reason, State
from entrepot.journal import Journal, Transaction, claim
from entrepot.node.http import Application, Gatekeeper
from entrepot.node.outgoing import HttpClient
from entrepot.node.server import http1
from entrepot.policy import Policy, Rule
from entrepot.protocols import Call, Proof, Response, Route, dsp
from entrepot.protocols.dsp import envelope
from entrepot.use import TransferProcess
from entrepot.use import process as transfers
from entrepot.values import (
    AgreementId,
    Did,
    NotFoundError,
    OfferId,
    ProductId,
    TrustError,
    UtcTime,
    canonical,
)

ME = Did("CONNECTOR_UNDER_TEST")
SUITE = Did("TCK_PARTICIPANT")
TOKEN = "Bearer tck-token"
OPEN = Policy(permissions=(Rule("use"),))
DATASETS = (
    "CAT0101",
    "CAT0102",
    *(f"ACN010{i}" for i in range(1, 5)),
    *(f"ACN020{i}" for i in range(1, 8)),
    *(f"ACN030{i}" for i in range(1, 5)),
)
AGREEMENTS = tuple(
    f"{side}{n}"
    for side in ("ATP", "ATPC")
    for n in (
        *(f"010{i}" for i in range(1, 6)),
        *(f"020{i}" for i in range(1, 6)),
        *(f"030{i}" for i in range(1, 7)),
    )
)

# What to do in which state, by data set or agreement; what is not named waits.
G, F, X = Move.AGREE, Move.FINALIZE, Move.TERMINATE
A, V, C = Move.ACCEPT, Move.VERIFY, Move.REQUEST
S, U, K = Move.START, Move.SUSPEND, Move.COMPLETE
PROVIDES: Mapping[str, Mapping[State, Move]] = {
    "ACN0101": {State.REQUESTED: Move.OFFER},
    "ACN0102": {State.REQUESTED: Move.OFFER},
    "ACN0103": {State.REQUESTED: Move.OFFER, State.ACCEPTED: G, State.VERIFIED: F},
    "ACN0104": {State.REQUESTED: G, State.VERIFIED: F},
    "ACN0201": {State.REQUESTED: X},
    "ACN0202": {},
    "ACN0203": {State.REQUESTED: G},
    "ACN0204": {State.REQUESTED: Move.OFFER},
    "ACN0205": {State.REQUESTED: Move.OFFER, State.OFFERED: X},
    "ACN0206": {State.REQUESTED: Move.OFFER, State.ACCEPTED: X},
    "ACN0207": {State.REQUESTED: G, State.VERIFIED: X},
    "ACN0301": {State.REQUESTED: G, State.VERIFIED: F},
    "ACN0302": {State.REQUESTED: Move.OFFER},
    "ACN0303": {State.REQUESTED: Move.OFFER},
    "ACN0304": {State.REQUESTED: Move.OFFER},
}
CONSUMES: Mapping[str, Mapping[State, Move]] = {
    "ACNC0101": {State.OFFERED: A, State.AGREED: V},
    "ACNC0102": {State.OFFERED: C},
    "ACNC0103": {State.OFFERED: X},
    "ACNC0104": {State.AGREED: V},
    "ACNC0201": {},
    "ACNC0202": {State.REQUESTED: X},
    "ACNC0203": {State.AGREED: X},
    "ACNC0204": {},
    "ACNC0205": {State.OFFERED: A},
    "ACNC0206": {State.AGREED: V},
    "ACNC0301": {},
    "ACNC0302": {},
    "ACNC0303": {},
    "ACNC0304": {State.OFFERED: A},
    "ACNC0305": {State.OFFERED: A},
    "ACNC0306": {State.OFFERED: A},
}
START: Mapping[tuple[State, int], Move] = {(State.REQUESTED, 0): S}
TRANSFERS: Mapping[str, Mapping[tuple[State, int], Move]] = {
    "ATP0101": {**START, (State.STARTED, 1): X},
    "ATP0102": {**START, (State.STARTED, 1): K},
    "ATP0103": {**START, (State.STARTED, 1): U, (State.SUSPENDED, 1): X},
    "ATP0104": {**START, (State.STARTED, 1): U, (State.SUSPENDED, 1): S, (State.STARTED, 2): K},
    "ATP0105": {(State.REQUESTED, 0): X},
    **{f"ATP020{i}": START for i in range(1, 5)},
    **{f"ATP030{i}": START for i in range(3, 7)},
    "ATPC0201": {(State.STARTED, 0): X},
    "ATPC0202": {(State.STARTED, 0): K},
    "ATPC0203": {(State.STARTED, 0): U, (State.SUSPENDED, 0): X},
    "ATPC0205": {(State.REQUESTED, 0): X},
}
"""By state, and as provider by how often a door was hung."""


def respond(negotiation: Negotiation, now: UtcTime) -> Next | None:
    """What the suite's scenario for this data set wants next."""
    target, state = negotiation.offer.target, negotiation.exchange.state
    if negotiation.exchange.party is Party.CONSUMER:
        wanted = CONSUMES.get(target, {}).get(state)
    else:
        wanted = PROVIDES.get(target, {}).get(state)
        countered = state is State.REQUESTED and negotiation.exchange.version > 1
        if countered:
            wanted = X if target == "ACN0102" else None
    match wanted:
        case Move.OFFER | Move.REQUEST:
            return Next(wanted, negotiation.offer)
        case Move.AGREE:
            agreement = contracts.Agreement(
                id=AgreementId(f"agreement:{negotiation.exchange.id}"),
                target=target,
                policy=negotiation.offer.policy,
                assigner=ME,
                assignee=negotiation.counterparty,
                timestamp=now,
            )
            return Next(G, agreement)
        case Move.TERMINATE:
            return Next(X, Reason("1", ("as the scenario wants",)))
        case None:
            return None
        case _:
            return Next(wanted)


def respond_transfer(_connection: Connection, process: TransferProcess, _now: UtcTime) -> Next | None:
    wanted = TRANSFERS.get(process.agreement_id, {}).get((process.exchange.state, process.epoch))
    return None if wanted is None else Next(wanted, Reason("1") if wanted in {U, X} else None)


def published(_connection: Connection, offer: contracts.Offer) -> contracts.Listing | None:
    if offer.target not in DATASETS or offer.id != f"CD123:{offer.target}:456":
        return None
    return contracts.Listing(offer, None)


def catalog(_connection: Connection, _caller: Did | None, _place: Place) -> Page:
    body = canonical.encode(
        {
            "@context": [envelope.CONTEXT],
            "@id": "urn:catalog",
            "@type": "Catalog",
            "participantId": ME,
            "service": [SERVICE],
            "dataset": [_dataset(d) for d in DATASETS],
        }
    )
    return Page(body, None, None)


def dataset(_connection: Connection, wanted: str, _caller: Did | None) -> bytes | None:
    if wanted not in DATASETS:
        return None
    return canonical.encode({"@context": [envelope.CONTEXT], **_dataset(wanted)})


SERVICE: canonical.Json = {"@id": "urn:service", "@type": "DataService", "endpointURL": "http://127.0.0.1"}


def _dataset(name: str) -> dict[str, canonical.Json]:
    return {
        "@id": name,
        "@type": "Dataset",
        "hasPolicy": [{"@id": f"CD123:{name}:456", "@type": "Offer", "permission": [{"action": "use"}]}],
        "distribution": [
            {"@type": "Distribution", "format": "HttpData-PULL", "accessService": "urn:service"}
        ],
    }


async def authenticate(authorization: str) -> Did:
    if authorization != TOKEN:
        raise TrustError("not the suite's token")
    return SUITE


def told(route: Route) -> Route:
    """The route, which prints what it could not do: the suite keeps only the status of an answer."""

    async def handle(call: Call) -> Response:
        response = await route.handle(call)
        if response.status >= 500:
            print(route.path, response.status, response.body.decode(), flush=True)
        return response

    return replace(route, handle=handle)


async def any_callback(_address: str, _sender: Did) -> None:
    """The suite has no DID document that could name its origins."""


def seed(tx: Transaction) -> None:
    """The agreements that the suite's transfers stand on."""
    for name in AGREEMENTS:
        consumer = name.startswith("ATPC")
        agreement = contracts.Agreement(
            id=AgreementId(name),
            target=ProductId(f"data of {name}"),
            policy=OPEN,
            assigner=SUITE if consumer else ME,
            assignee=ME if consumer else SUITE,
            timestamp=tx.now - timedelta(days=1),
        )
        contracts.hold_insecure_unsigned(tx, agreement, Party.CONSUMER if consumer else Party.PROVIDER, SUITE)


async def serve(port: int, suite_port: int, folder: Path) -> None:
    journal = Journal.open(f"sqlite:///{folder / 'connector.db'}")
    journal.create_schema()
    base = f"http://127.0.0.1:{port}{dsp.PATH}"
    follow_up = timedelta(milliseconds=200)
    desk = Desk(ME, dsp.render_negotiation, respond, base, follow_up)
    rail = transfers.Rail(
        render=dsp.render_transfer,
        respond=respond_transfer,
        door_token=lambda process, epoch: f"token-{process}-{epoch}",
        door_endpoint=lambda process: f"http://127.0.0.1:{port}/door/{process}",
        callback=base,
        follow_up=follow_up,
    )
    services = dsp.Services(journal, desk, rail, published, lambda *_: (), catalog, dataset, any_callback)
    outgoing = HttpClient(allow_private=[f"http://127.0.0.1:{suite_port}"], seconds=10)

    async def authorization(_peer: Did) -> str:
        return TOKEN

    correspondence = dsp.Correspondence(journal, desk, rail, outgoing, authorization)

    async def negotiate(call: Call) -> Response:
        wanted = json.loads(call.body)
        offer = contracts.Offer(
            OfferId(wanted["offerId"]), ProductId(wanted["datasetId"]), OPEN, assigner=SUITE, assignee=ME
        )
        address = wanted["connectorAddress"]
        await journal.write(lambda tx: contracts.request_contract(tx, desk, SUITE, address, offer, None))
        return Response(200, b"{}")

    async def transfer(call: Call) -> Response:
        wanted = json.loads(call.body)
        contract = await journal.read(lambda c: contracts.agreement_of(c, AgreementId(wanted["agreementId"])))
        if contract is None:
            raise NotFoundError("no such agreement")
        address, form = wanted["connectorAddress"], wanted["format"]
        await journal.write(lambda tx: transfers.request_transfer(tx, rail, contract, address, form))
        return Response(200, b"{}")

    triggers = [
        Route("POST", "/tck/negotiations/requests", Proof.NONE, negotiate),
        Route("POST", "/tck/transfers/requests", Proof.NONE, transfer),
    ]
    await journal.write(seed)
    routes = [told(route) for route in (*dsp.routes(services), *triggers)]
    application = Application(routes, Gatekeeper(authenticate))
    server = uvicorn.Server(http1(f"127.0.0.1:{port}", application))
    sending = asyncio.create_task(_send(journal, correspondence))
    try:
        await server.serve()
    finally:
        sending.cancel()


async def _send(journal: Journal, correspondence: dsp.Correspondence) -> None:
    """Bring every message to its peer as soon as it is due, several lanes at once."""
    running: set[asyncio.Task[object]] = set()
    while True:
        due = await journal.write(lambda tx: claim(tx, "rig", (contracts.DSP,), 30))
        for message in due:
            task: asyncio.Task[object] = asyncio.create_task(correspondence.send(message, datetime.now(UTC)))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=18282)
    parser.add_argument("--suite-port", type=int, default=18083)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(options.port, options.suite_port, options.folder))


if __name__ == "__main__":
    main()
