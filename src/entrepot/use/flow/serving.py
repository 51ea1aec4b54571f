"""Our data plane: what it does at a control plane's word (Data Plane Signaling 1.0-RC3).

The control plane's agreement is not ours. What it starts is judged by the gate on the terms on which our
owner has opened the data set to it, counted per agreement of its own; the consumer is whom it names.
"""

import re
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from entrepot import catalogue, regulation
from entrepot.contracts import Agreement, DoorAddress, Party, hold_vouched
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.use import store as uses
from entrepot.use.flow import store
from entrepot.use.flow.model import (
    HTTP_PULL,
    RENEWAL,
    Flow,
    FlowState,
    Opening,
    Order,
    Plane,
    Quay,
    Step,
)
from entrepot.use.flow.rules import FINAL, advance
from entrepot.use.flow.taking import begin_fetch
from entrepot.use.model import Door
from entrepot.use.process import begin_push, token_digest
from entrepot.values import (
    AgreementId,
    ConflictError,
    Did,
    KindOfUse,
    NotFoundError,
    ProcessId,
    ProductId,
    ProtocolError,
    RefusedError,
    TrustError,
    canonical,
    sha256,
)
from entrepot.values.canonical import Json

PUSH_LIFE: Final = timedelta(hours=24)
_DID: Final = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]{1,480}", re.ASCII)
NO_PAUSE: Final = timedelta(0)


class Event(StrEnum):
    MOVED = "use:flow:move"


def prepare(tx: Transaction, quay: Quay, plane: Plane, order: Order) -> Flow:
    """Make ready to take data in. Where a person must say yes first, it stays PREPARING."""
    opening = _admitted(tx, quay, plane, order)
    if opening.most_bytes <= 0:
        raise RefusedError("this data set is not open to be taken in")
    flow = Flow(ProcessId(tx.new_id()), plane.id, order, Party.CONSUMER)
    flow = replace(flow, state=advance(flow.state, Step.PREPARE))
    store.create(tx, flow)
    _audited(tx, flow, FlowState.INITIALIZED)
    return flow if opening.by_hand else _moved(tx, flow, Step.PREPARED)


def start(tx: Transaction, quay: Quay, plane: Plane, order: Order, sink: DoorAddress | None) -> Flow:
    """Begin to give data out. Where a person must say yes first, it stays STARTING."""
    opening = _admitted(tx, quay, plane, order)
    product = None if opening.product_id is None else catalogue.product(tx.connection, opening.product_id)
    if product is None:
        raise RefusedError("this data set is not open to be given out")
    if (KindOfUse.DELIVERY not in product.kinds) or product.resource_id == "":
        raise RefusedError("the product is not offered for delivery")
    if not _DID.fullmatch(quay.client_of(order.counterparty)):
        raise ProtocolError("counterPartyId is no DID: no record could name it, and no token be renewed")
    if order.format.endswith("-PULL") is (sink is not None):
        raise ProtocolError("a push names in dataAddress where to push, a pull names nothing")
    agreement = _terms_here(quay, plane, order, opening, product.id, tx)
    hold_vouched(tx, agreement, plane.id, catalogue.product_digest(product))
    flow = Flow(
        id=ProcessId(tx.new_id()),
        plane=plane.id,
        order=order,
        party=Party.PROVIDER,
        agreement_id=agreement.id,
        sealed_address=b"" if sink is None else quay.keep(sink),
    )
    flow = replace(flow, state=advance(flow.state, Step.START))
    store.create(tx, flow)
    _audited(tx, flow, FlowState.INITIALIZED)
    if opening.by_hand or regulation.needs_person(product.grade, tx.now.date()):
        return flow
    return _run(tx, quay, flow, Step.STARTED)


def approve(tx: Transaction, quay: Quay, flow_id: ProcessId) -> Flow:
    """A person of ours says yes: what was PREPARING or STARTING goes on, and the control plane is told."""
    flow = existing(tx, flow_id)
    if flow.state is FlowState.PREPARING:
        flow = _moved(tx, flow, Step.PREPARED)
    elif flow.state is FlowState.STARTING:
        flow = _run(tx, quay, flow, Step.STARTED)
    else:
        raise ConflictError(f"in state {flow.state} nothing waits for a person")
    quay.signal(tx, flow, address_of(quay, flow))
    return flow


def started(tx: Transaction, quay: Quay, flow: Flow, source: DoorAddress | None) -> Flow:
    """The provider has begun: what is pushed may come, what is to be pulled is fetched from now on."""
    if flow.party is not Party.CONSUMER:
        raise ProtocolError("only a consumer's data plane is told that the provider has started")
    return _from(tx, quay, flow, Step.STARTED, source)


def suspend(tx: Transaction, flow: Flow) -> Flow:
    """Shut the door. **The caller cuts the streams once this is durable.**"""
    return _shut(tx, flow, Step.SUSPEND)


def resume(tx: Transaction, quay: Quay, flow: Flow, address: DoorAddress | None) -> Flow:
    """Go on: as provider behind a new door or towards a new address, as consumer from a new source."""
    if flow.state is FlowState.STARTED:
        return flow
    if flow.party is Party.CONSUMER:
        return _from(tx, quay, flow, Step.RESUME, address)
    if address is not None:
        if not flow.is_push:
            raise ProtocolError("a provider's pull has the address that we give it")
        flow = replace(flow, sealed_address=quay.keep(address))
    return _run(tx, quay, flow, Step.RESUME)


def complete(tx: Transaction, flow: Flow) -> Flow:
    return _shut(tx, flow, Step.COMPLETE)


def terminate(tx: Transaction, flow: Flow, reason: str) -> Flow:
    return _shut(tx, replace(flow, problem=reason[:1000]), Step.TERMINATE)


def finished(tx: Transaction, quay: Quay, flow: Flow) -> Flow:
    """All of it has gone or come: complete the flow, and say so to its control plane."""
    flow = _shut(tx, flow, Step.COMPLETE)
    quay.signal(tx, flow, None)
    return flow


def failed(tx: Transaction, quay: Quay, flow: Flow, reasons: tuple[str, ...]) -> Flow:
    """The bytes cannot be brought over. What becomes of the flow its control plane decides (*errored*)."""
    uses.shut_door(tx, flow.id)
    flow = _saved(tx, replace(flow, problem="; ".join(reasons)[:1000] or "it went wrong"))
    quay.signal(tx, flow, None)
    return flow


def end(tx: Transaction, quay: Quay, flow: Flow, reason: str) -> Flow:
    """Our owner wants it no longer: it sends nothing more, and the control plane is told of an error."""
    if flow.state in FINAL:
        return flow
    flow = terminate(tx, flow, reason)
    quay.signal(tx, flow, None)
    return flow


def renew(tx: Transaction, quay: Quay, flow: Flow, access_token: str) -> Flow:
    """Give the door a new token (Token Renewal profile). **Who asks was proved before.**

    The token that is renewed is the door's last one, or the one before it: an answer may have been lost.
    """
    known = {quay.door_token(flow.id, e) for e in (flow.epoch, max(flow.epoch - 1, flow.since))}
    if flow.state is not FlowState.STARTED or flow.party is not Party.PROVIDER or flow.is_push:
        raise RefusedError("nothing can be fetched in this flow now")
    if access_token not in known:
        raise TrustError("the access token is not one of this flow")
    flow = _saved(tx, replace(flow, epoch=flow.epoch + 1))
    _hang_door(tx, quay, flow)
    return flow


def address_of(quay: Quay, flow: Flow) -> DoorAddress | None:
    """What the control plane is to pass on: the door of a pull, the basin of a push to us."""
    if flow.party is Party.CONSUMER:
        return quay.basin(flow.id) if flow.is_push and flow.state is FlowState.PREPARED else None
    if flow.is_push or flow.state is not FlowState.STARTED:
        return None
    life = str(int(quay.token_life.total_seconds()))
    renewal = (quay.refresh_token(flow.id, flow.since), life, quay.refresh_endpoint)
    token = quay.door_token(flow.id, flow.epoch)
    return DoorAddress(
        quay.door_endpoint(flow.id), token, HTTP_PULL, tuple(zip(RENEWAL, renewal, strict=True))
    )


def read_flow(connection: Connection, flow_id: ProcessId) -> Flow | None:
    return store.read(connection, flow_id)


def flow_renewed_by(connection: Connection, refresh_token: str) -> Flow | None:
    """The flow of whose door a refresh token renews the token."""
    return store.find_by_refresh(connection, _refresh_digest(refresh_token))


def newest_flows(connection: Connection, most: int) -> list[Flow]:
    return store.every(connection, most)


def existing(tx: Transaction, flow_id: ProcessId) -> Flow:
    flow = store.read(tx.connection, flow_id)
    if flow is None:
        raise NotFoundError("there is no such data flow here")
    return flow


def _refresh_digest(token: str) -> bytes:
    return sha256(b"entrepot/refresh/v1\n" + token.encode())


def _admitted(tx: Transaction, quay: Quay, plane: Plane, order: Order) -> Opening:
    """What is open to this order; refused where nothing is, or where the flow is there already."""
    if plane.participant != order.participant:
        raise RefusedError("this control plane does not speak for that participant")
    if store.find_by_process(tx.connection, plane.id, order.process_id) is not None:
        raise ConflictError("there is a data flow of this process already")
    opening = quay.opening(tx.connection, order, plane.id)
    if opening is None:
        raise RefusedError("the owner has not opened this data set to this control plane")
    return opening


def _terms_here(
    quay: Quay, plane: Plane, order: Order, opening: Opening, product_id: ProductId, tx: Transaction
) -> Agreement:
    """The image of the control plane's agreement here: its parties, our owner's terms."""
    facts: Json = [
        plane.id,
        order.agreement,
        order.counterparty,
        order.dataset,
        product_id,
        opening.id,
    ]
    name = AgreementId(f"urn:dps:{sha256(canonical.encode(facts)).hex()}")
    consumer = quay.client_of(order.counterparty)
    return Agreement(name, product_id, opening.policy, Did(order.participant), consumer, tx.now)


def _run(tx: Transaction, quay: Quay, flow: Flow, step: Step) -> Flow:
    """Hang the door of a provider's flow, with everything new; a push has one too, for ourselves alone."""
    epoch = flow.epoch + 1
    digest = b"" if flow.is_push else _refresh_digest(quay.refresh_token(flow.id, epoch))
    flow = _moved(tx, replace(flow, epoch=epoch, since=epoch, refresh_digest=digest, problem=""), step)
    _hang_door(tx, quay, flow)
    if flow.is_push:
        sink = quay.read(flow)
        begin_push(tx, flow.id, sink.endpoint, flow.epoch, NO_PAUSE, PUSH_LIFE)
    return flow


def _hang_door(tx: Transaction, quay: Quay, flow: Flow) -> None:
    until = None if flow.is_push else tx.now + quay.token_life
    consumer = quay.client_of(flow.order.counterparty)
    door = Door(flow.id, flow.agreement_id, consumer, flow.order.format, flow.epoch, until)
    uses.open_door(tx, door, token_digest(quay.door_token(flow.id, flow.epoch)))


def _from(tx: Transaction, quay: Quay, flow: Flow, step: Step, source: DoorAddress | None) -> Flow:
    """As consumer: go on, from a source where one is named."""
    was_running = flow.state is FlowState.STARTED
    if source is not None:
        if flow.is_push:
            raise ProtocolError("what is pushed to us has the address that we gave")
        if flow.order.profile == HTTP_PULL and not {*RENEWAL[:2]} <= {name for name, _ in source.more}:
            raise ProtocolError("an http-pull address without refreshToken and expiresIn cannot be renewed")
        flow = replace(flow, sealed_address=quay.keep(source))
    flow = _moved(tx, flow, step)
    if flow.sealed_address and not was_running:
        begin_fetch(tx, flow)
    return flow


def _shut(tx: Transaction, flow: Flow, step: Step) -> Flow:
    uses.shut_door(tx, flow.id)
    return _moved(tx, flow, step)


def _moved(tx: Transaction, flow: Flow, step: Step) -> Flow:
    before = flow.state
    flow = _saved(tx, replace(flow, state=advance(before, step)))
    if flow.state is not before:
        _audited(tx, flow, before)
    return flow


def _saved(tx: Transaction, flow: Flow) -> Flow:
    flow = replace(flow, version=flow.version + 1)
    store.save(tx, flow)
    return flow


def _audited(tx: Transaction, flow: Flow, before: FlowState) -> None:
    facts: dict[str, Json] = {
        "flow": flow.id,
        "plane": flow.plane,
        "process": flow.order.process_id,
        "from": str(before),
        "to": str(flow.state),
    }
    audit(tx, AuditEvent(Event.MOVED, facts))
