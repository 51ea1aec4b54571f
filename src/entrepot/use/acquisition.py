"""An acquisition: what a consumer wants, from product to data, carried through whatever crashes.

Each step starts from what is written down, so a node that is killed goes on where it was. The steps that
need the network are done by the node; here is what they decide and what is kept.
"""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from entrepot.catalogue import Offering
from entrepot.contracts import (
    Contract,
    Desk,
    Offer,
    Party,
    State,
    Status,
    agreement_of,
    contracts_held,
    in_force,
    read_negotiation,
    request_contract,
)
from entrepot.journal import AuditEvent, Transaction, audit
from entrepot.use import acquisition_store as store
from entrepot.use.model import NOTHING_ASKED, Acquisition, AcquisitionState, Asked
from entrepot.use.process import PUSH, Rail, read_process, request_transfer, started_process
from entrepot.values import (
    FORMATS,
    AgreementId,
    ConflictError,
    Did,
    Digest,
    KindOfUse,
    MalformedError,
    NotFoundError,
    ProcessId,
    ProductId,
    RefusedError,
    UseId,
    UtcTime,
)

DELIVERY: Final = "HttpData-PULL"
LONGEST_WAIT: Final = 500
"""How many characters are kept of what something waits for."""


class Event(StrEnum):
    BEGUN = "use:acquisition:begin"
    ENDED = "use:acquisition:end"


def begin(
    tx: Transaction,
    product_id: ProductId,
    purpose: str | None,
    target: Path,
    agreement_id: AgreementId | None = None,
    *,
    format_name: str = DELIVERY,
    asked: Asked = NOTHING_ASKED,
    provider: Did | None = None,
) -> Acquisition:
    """Write down what is wanted; under this agreement and no other, where one is named.

    Where a `provider` is named, it is asked for the product itself, and the platform is not.
    """
    if format_name not in FORMATS:
        raise MalformedError(f"{format_name} is no format; there are {', '.join(FORMATS)}")
    acquisition = Acquisition(
        tx.new_id(),
        product_id,
        purpose,
        target,
        format_name,
        asked,
        provider=provider,
        agreement_id=agreement_id,
    )
    store.create(tx, acquisition)
    audit(tx, AuditEvent(Event.BEGUN, {"acquisition": acquisition.id, "product": product_id}))
    return acquisition


def found(
    tx: Transaction, desk: Desk, rail: Rail, acquisition: Acquisition, product: Offering, address: str
) -> Acquisition:
    """The product was looked up: use a contract in force over it, or ask for one."""
    if FORMATS[acquisition.format] not in product.kinds:
        offered = ", ".join(sorted(product.kinds))
        raise RefusedError(f"the product is offered for {offered}, not for {FORMATS[acquisition.format]}")
    known = replace(
        acquisition,
        provider=product.provider,
        address=address,
        product_digest=product.digest,
        artefact=product.artefact,
        size=product.size,
    )
    if acquisition.agreement_id is None:
        contract = usable_contract(tx.connection, product.id, product.digest, tx.now)
    else:
        contract = agreement_of(tx.connection, acquisition.agreement_id)
        if contract is None:
            raise NotFoundError("there is no such agreement here")
    if contract is not None:
        return _open(tx, rail, known, contract)
    offer = Offer(product.offer_id, product.id, product.policy, product.provider, desk.me)
    negotiation = request_contract(tx, desk, product.provider, address, offer, product.digest)
    return _saved(
        tx,
        acquisition,
        replace(
            known, state=AcquisitionState.NEGOTIATING, negotiation_id=negotiation.exchange.id,
            waiting_for="the provider",
        ),
    )  # fmt: skip


def open_door(
    connection: Connection, acquisition: Acquisition, now: UtcTime
) -> tuple[Contract, ProcessId] | None:
    """A door that is open to us already, for a use that is a call, under a contract in force."""
    if FORMATS[acquisition.format] is KindOfUse.DELIVERY:
        return None
    for contract in contracts_held(connection):
        named = acquisition.agreement_id in {None, contract.agreement.id}
        about = contract.agreement.target == acquisition.product_id and contract.party is Party.CONSUMER
        if named and about and not in_force(contract, now):
            process_id = started_process(connection, contract.agreement.id, acquisition.format)
            if process_id is not None:
                return contract, process_id
    return None


def go_on(tx: Transaction, acquisition: Acquisition) -> Acquisition:
    """Go to the door that is open to us; nothing is looked up and nobody is asked."""
    found_one = open_door(tx.connection, acquisition, tx.now)
    if found_one is None:
        return acquisition  # it was shut a moment ago
    contract, process_id = found_one
    after = replace(
        acquisition,
        state=AcquisitionState.FETCHING,
        provider=contract.counterparty,
        product_digest=contract.product_digest,
        agreement_id=contract.agreement.id,
        process_id=process_id,
    )
    return _saved(tx, acquisition, after)


def usable_contract(
    connection: Connection, product_id: ProductId, digest: Digest, now: UtcTime
) -> Contract | None:
    """A contract of ours over exactly this version of the product that holds now."""
    for contract in contracts_held(connection):
        if (
            contract.party is Party.CONSUMER
            and contract.agreement.target == product_id
            and contract.product_digest == digest
            and not in_force(contract, now)
        ):
            return contract
    return None


def look_again(tx: Transaction, rail: Rail, acquisition: Acquisition) -> Acquisition:
    """Go on from what became of the negotiation or the transfer process."""
    if acquisition.state is AcquisitionState.NEGOTIATING and acquisition.negotiation_id is not None:
        negotiation = read_negotiation(tx.connection, acquisition.negotiation_id)
        if negotiation is None or negotiation.exchange.state is State.TERMINATED:
            return fail(tx, acquisition, negotiation.problem if negotiation else "the negotiation is gone")
        if negotiation.exchange.state is State.FINALIZED and negotiation.agreement is not None:
            contract = agreement_of(tx.connection, negotiation.agreement.id)
            if contract is not None and contract.status is Status.PERFORMING:
                return _open(tx, rail, acquisition, contract)
        waiting = waits_at(negotiation.exchange.state)
        if waiting != acquisition.waiting_for:
            return _saved(tx, acquisition, replace(acquisition, waiting_for=waiting))
    elif acquisition.state is AcquisitionState.OPENING and acquisition.process_id is not None:
        process = read_process(tx.connection, acquisition.process_id)
        if process is None or process.exchange.state is State.TERMINATED:
            return fail(tx, acquisition, process.problem if process else "the process is gone")
        came = acquisition.use_id is not None if acquisition.format == PUSH else process.endpoint != ""
        if process.exchange.state is State.STARTED and came:
            after = replace(acquisition, state=AcquisitionState.FETCHING, waiting_for="")
            return _saved(tx, acquisition, after)
    return acquisition


def arrived(tx: Transaction, acquisition_id: str, use_id: UseId, came: Digest, size: int) -> Acquisition:
    """What is pushed to us is here, whole; it is acknowledged next. A repeat changes nothing.

    **What a contract names by its digest, the caller has verified.**
    """
    before = read(tx.connection, acquisition_id)
    if before.use_id is not None:
        return before
    return _saved(tx, before, replace(before, use_id=use_id, artefact=came, size=size))


def waits_for(tx: Transaction, acquisition_id: str, waiting_for: str) -> Acquisition:
    """Note what an acquisition waits for, in at most `LONGEST_WAIT` characters; nothing when it goes on."""
    before = read(tx.connection, acquisition_id)
    if before.waiting_for == waiting_for or before.state.is_over:
        return before
    return _saved(tx, before, replace(before, waiting_for=waiting_for))


def fail_waiting(tx: Transaction, acquisition_id: str, problem: str) -> Acquisition:
    """What came is not what was promised; nothing is waited for any more."""
    before = read(tx.connection, acquisition_id)
    return before if before.state.is_over else fail(tx, before, problem)


def of_process(connection: Connection, process_id: ProcessId) -> Acquisition | None:
    """The acquisition that a transfer process of ours was requested for."""
    return store.of_process(connection, process_id)


def asking(tx: Transaction, acquisition: Acquisition) -> Acquisition:
    """Write down that the call is made now. A call is made once: each one is a use."""
    return _saved(tx, acquisition, replace(acquisition, state=AcquisitionState.ASKING, waiting_for=""))


def received(tx: Transaction, acquisition: Acquisition, use_id: UseId | None) -> Acquisition:
    """The artefact is here, whole and verified; or what a door says of itself, which is no use."""
    audit(tx, AuditEvent(Event.ENDED, {"acquisition": acquisition.id, "state": "received"}))
    after = replace(acquisition, state=AcquisitionState.RECEIVED, use_id=use_id, waiting_for="")
    return _saved(tx, acquisition, after)


def fail(tx: Transaction, acquisition: Acquisition, problem: str) -> Acquisition:
    audit(tx, AuditEvent(Event.ENDED, {"acquisition": acquisition.id, "state": "failed"}))
    after = replace(acquisition, state=AcquisitionState.FAILED, problem=problem or "refused", waiting_for="")
    return _saved(tx, acquisition, after)


def running(connection: Connection) -> list[Acquisition]:
    """Acquisitions that are not over."""
    return store.running(connection)


def newest(connection: Connection, most: int) -> list[Acquisition]:
    """The last ones begun, newest first."""
    return store.newest(connection, most)


def read(connection: Connection, acquisition_id: str) -> Acquisition:
    found_one = store.read(connection, acquisition_id)
    if found_one is None:
        raise NotFoundError("there is no such acquisition here")
    return found_one


def _open(tx: Transaction, rail: Rail, acquisition: Acquisition, contract: Contract) -> Acquisition:
    if not acquisition.address:
        raise RefusedError("the provider's address is not known")
    open_one = _open_process(tx.connection, contract, acquisition)
    if open_one is not None:
        ready = replace(acquisition, state=AcquisitionState.FETCHING, agreement_id=contract.agreement.id)
        return _saved(tx, acquisition, replace(ready, process_id=open_one, waiting_for=""))
    process = request_transfer(tx, rail, contract, acquisition.address, acquisition.format)
    after = replace(
        acquisition,
        state=AcquisitionState.OPENING,
        agreement_id=contract.agreement.id,
        process_id=process.exchange.id,
        waiting_for="the provider",
    )
    return _saved(tx, acquisition, after)


def _open_process(connection: Connection, contract: Contract, acquisition: Acquisition) -> ProcessId | None:
    """A process that is started already and answers calls; each delivery has one of its own."""
    if FORMATS[acquisition.format] is KindOfUse.DELIVERY:
        return None
    return started_process(connection, contract.agreement.id, acquisition.format)


def waits_at(state: State) -> str:
    """Whom a negotiation in this state waits for."""
    match state:
        case State.REQUESTED | State.INITIAL:
            return "the provider, or a person there who must approve"
        case State.OFFERED:
            return "a person here who must approve the counter-offer"
        case _:
            return "the signatures and the filing"


def _saved(tx: Transaction, before: Acquisition, after: Acquisition) -> Acquisition:
    if before.state.is_over:
        raise ConflictError(f"the acquisition is {before.state}; nothing follows on that")
    after = replace(after, version=before.version + 1)
    store.save(tx, after, before.version)
    return after
