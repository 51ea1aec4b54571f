"""Carries acquisitions: looks products up, fetches through the door, acknowledges."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from entrepot import catalogue, space
from entrepot.contracts import Contract, Desk, State, agreement_of
from entrepot.identity import KeyJob
from entrepot.journal import Transaction
from entrepot.node.node import Node
from entrepot.policy import terms_of
from entrepot.protocols import dsp
from entrepot.use import (
    PURPOSE_HEADER,
    Acquisition,
    AcquisitionState,
    Answer,
    Fetched,
    TransferProcess,
    ask,
    fetch,
    keep_own_receipt,
    make_receipt,
)
from entrepot.use import acquisition as acquisitions
from entrepot.use.fetch import Unseal, fetch_unnamed, unsealing
from entrepot.use.process import PUSH, Rail, is_ended, is_held, read_process
from entrepot.use.streams import Streams
from entrepot.values import (
    FORMATS,
    ConflictError,
    Did,
    EntrepotError,
    KindOfUse,
    Log,
    NotFoundError,
    ProductId,
    RefusedError,
    TrustError,
    UnavailableError,
    UseId,
)
from entrepot.values.canonical import Json

_log: Final = Log()
_DATA_SERVICE: Final = "DataService"
_COMPUTING_SECONDS: Final = 300.0
"""How long a provider may compute the answer to a question."""


class _HeldError(UnavailableError):
    """The process is suspended."""


class Acquirer:
    """Takes each acquisition one step further whenever something has changed."""

    def __init__(self, node: Node, desk: Desk, rail: Rail, streams: Streams) -> None:
        self._node = node
        self._desk = desk
        self._rail = rail
        self._streams = streams
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        for acquisition in await self._node.journal.read(acquisitions.running):
            if acquisition.id not in self._busy:
                self._busy.add(acquisition.id)
                task = asyncio.create_task(self._step(acquisition.id))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _step(self, acquisition_id: str) -> None:
        try:
            # Read anew: an earlier step may have ended since the list was read, and who goes to a door whose
            # use is closed already pays for another one.
            await self._go_on(await self._node.journal.read(lambda c: acquisitions.read(c, acquisition_id)))
        except _HeldError as held:
            await self._wait(acquisition_id, str(held))
        except (UnavailableError, ConflictError) as error:
            await self._wait(acquisition_id, f"another try: {error}")
        except EntrepotError as error:
            await self._fail(acquisition_id, str(error))
        except Exception:  # noqa: BLE001 (a process-level loop: it logs, and the owner is told)
            _log.exception("acquisition", acquisition=acquisition_id)
            await self._fail(acquisition_id, "a fault; see the log")
        finally:
            self._busy.discard(acquisition_id)

    async def _go_on(self, acquisition: Acquisition) -> None:
        match acquisition.state:
            case AcquisitionState.RECEIVED | AcquisitionState.FAILED:
                return
            case AcquisitionState.LOOKING:
                await self._look_up(acquisition)
            case AcquisitionState.FETCHING if acquisition.format == PUSH:
                await self._take_note(acquisition)
            case AcquisitionState.FETCHING if FORMATS[acquisition.format] is KindOfUse.DELIVERY:
                await self._fetch(acquisition)
            case AcquisitionState.FETCHING:
                await self._ask(acquisition)
            case AcquisitionState.ASKING:
                await self._fail(acquisition.id, "the node stopped during the call; ask again")
            case _:
                await self._node.journal.write(
                    lambda tx: acquisitions.look_again(tx, self._rail, acquisition)
                )

    async def _wait(self, acquisition_id: str, what_for: str) -> None:
        """Tell the owner, once, what is waited for; nothing where it goes on."""
        what_for = what_for[: acquisitions.LONGEST_WAIT]
        with contextlib.suppress(UnavailableError):  # the journal may be what cannot be had
            known = await self._node.journal.read(lambda c: acquisitions.read(c, acquisition_id))
            if known.waiting_for == what_for or known.state.is_over:
                return
            await self._node.journal.write(lambda tx: acquisitions.waits_for(tx, acquisition_id, what_for))
            if what_for:
                _log.info("acquisition waits", acquisition=acquisition_id, what_for=what_for)

    async def _fail(self, acquisition_id: str, problem: str) -> None:
        await self._node.journal.write(lambda tx: _fail(tx, acquisition_id, problem))

    async def _look_up(self, acquisition: Acquisition) -> None:
        now = self._node.clock()
        if await self._node.journal.read(lambda c: acquisitions.open_door(c, acquisition, now)):
            # What was promised goes on without asking anybody: the platform may be out of reach.
            await self._node.journal.write(lambda tx: acquisitions.go_on(tx, acquisition))
            return
        wanted = acquisition.product_id
        if acquisition.provider is None:
            product, address = await self.registered(wanted)
            offering = catalogue.offering_of(product)
        else:
            offering, address = await self.offered_by(acquisition.provider, wanted)
        await self._node.journal.write(
            lambda tx: acquisitions.found(tx, self._desk, self._rail, acquisition, offering, address)
        )

    async def registered(self, product_id: ProductId) -> tuple[catalogue.Product, str]:
        """Ask the platform whose product it is, then its provider for the product and its address."""
        known, _ = await self.product_at(self._node.settings.space.platform, product_id)
        product, address = await self.product_at(known.provider, product_id)
        if catalogue.product_digest(product) != catalogue.product_digest(known):
            raise TrustError("the provider offers other terms than those registered with the platform")
        if await self._node.journal.read(lambda c: catalogue.title_of(c, product_id)) != product.title:
            await self._node.journal.write(lambda tx: catalogue.keep_title(tx, product))
        return product, address

    async def offered_by(self, provider: Did, product_id: ProductId) -> tuple[catalogue.Offering, str]:
        """What a provider that our owner names offers under this id, though it may be no member."""
        document, address = await self._dataset(provider, product_id)
        known = None
        if catalogue.is_of_this_space(document):
            with contextlib.suppress(NotFoundError):  # another space's is registered there, and not in ours
                known = await self.registered(product_id)
        if known is None:
            return catalogue.parse_offering(document, provider, product_id), address
        product, address = known
        if product.provider != provider:
            raise TrustError("the product is another provider's")
        return catalogue.offering_of(product), address

    async def base_of(self, did: Did) -> str:
        """The base address of a party's endpoints, as its DID document names it."""
        document = await self._node.acquaintance.document(did)
        address = document.services.get(_DATA_SERVICE) or document.services.get("CatalogService")
        if address is None:
            raise NotFoundError(f"{did} names no endpoints of the Dataspace Protocol")
        return address

    async def product_at(self, did: Did, product_id: ProductId) -> tuple[catalogue.Product, str]:
        """A product as this party's catalogue shows it, and the base address of the party's endpoints."""
        document, address = await self._dataset(did, product_id)
        product, _ = catalogue.parse_dataset(document)
        return product, address

    async def _dataset(self, did: Did, product_id: ProductId) -> tuple[dict[str, Json], str]:
        address = await self.base_of(did)
        headers = {"authorization": await self._node.acquaintance.authorization(did)}
        reply = await self._node.outgoing(
            "GET", f"{address}/catalog/datasets/{dsp.codec.path_step(product_id)}", headers=headers
        )
        if reply.status == 404:
            raise NotFoundError(f"there is no product {product_id} in the catalogue, or not for us")
        if reply.status != 200:
            raise UnavailableError(f"the catalogue answered {reply.status}")
        return dsp.envelope.decode(reply.body), address

    async def _fetch(self, acquisition: Acquisition) -> None:
        process, contract = await self._opened_by(acquisition)
        if acquisition.artefact is None:
            await self._fetch_unnamed(acquisition, contract)
            return
        fetched = await fetch(
            partial(self._at_door, acquisition),
            acquisition.target,
            acquisition.artefact,
            acquisition.size,
            purpose=acquisition.purpose,
            unseal=self._unsealing(acquisition, process, contract),
        )
        await self._acknowledge(acquisition, contract, fetched)

    async def _fetch_unnamed(self, acquisition: Acquisition, contract: Contract) -> None:
        """Eclipse connectors want the token bare, others with its scheme; whoever refuses gives nothing."""
        doors = [partial(self._at_door, acquisition, scheme=scheme) for scheme in ("", "Bearer ")]
        fetched = await fetch_unnamed(doors, acquisition.target)
        came = replace(acquisition, artefact=fetched.digest, size=fetched.size)
        await self._acknowledge(came, contract, replace(fetched, use_id=fetched.use_id or UseId(came.id)))

    async def _take_note(self, acquisition: Acquisition) -> None:
        """Acknowledge what was pushed to us; the inbox has verified it."""
        _, contract = await self._opened_by(acquisition)
        if acquisition.use_id is None or acquisition.artefact is None:
            raise NotFoundError("nothing has been pushed yet")
        fetched = Fetched(acquisition.target, acquisition.use_id, acquisition.artefact, acquisition.size)
        await self._acknowledge(acquisition, contract, fetched)

    def _unsealing(
        self, acquisition: Acquisition, process: TransferProcess, contract: Contract
    ) -> Unseal | None:
        """How what comes is opened, where the contract says that it is sealed to us."""
        terms = terms_of(contract.agreement.policy, KindOfUse.DELIVERY)
        if not terms.is_encrypted or acquisition.artefact is None:
            return None
        return unsealing(self._node.vault.receiver, process.exchange.id, acquisition.artefact)

    async def _ask(self, acquisition: Acquisition) -> None:
        """Make one call at the door: of an open API, or of a query in place."""
        process, contract = await self._opened_by(acquisition)
        check_not_held(process)
        token = self._node.vault.unseal(process.sealed_token).decode()
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        if acquisition.purpose is not None:
            headers[PURPOSE_HEADER] = acquisition.purpose
        below, body = acquisition.asked.below, acquisition.asked.body
        url = f"{process.endpoint}/{below}" if below else process.endpoint
        asking = await self._node.journal.write(lambda tx: acquisitions.asking(tx, acquisition))
        try:
            method = "POST" if body else "GET"
            call = self._called(method, url, headers, body.encode(), silence=_COMPUTING_SECONDS)
            fetched = await ask(call, acquisition.target)
        except UnavailableError as error:
            raise RefusedError(f"no whole answer came, and the use may have been counted: {error}") from error
        answered = replace(asking, artefact=fetched.digest, size=fetched.size)
        if fetched.use_id or contract.one_sided:
            named = replace(fetched, use_id=fetched.use_id or UseId(answered.id))
            await self._acknowledge(answered, contract, named)
        else:  # what a door says of itself is no use: there is nothing to sign for
            await self._node.journal.write(lambda tx: acquisitions.received(tx, answered, None))

    @asynccontextmanager
    async def _at_door(
        self, acquisition: Acquisition, headers: Mapping[str, str], scheme: str = "Bearer "
    ) -> AsyncIterator[Answer]:
        """Knock with the token that opens the door now: each start of the process has brought a new one.

        What runs is cut when the process is suspended or ended, whether the provider cuts it or not.
        """
        process, _ = await self._opened_by(acquisition)
        check_not_held(process)
        token = self._node.vault.unseal(process.sealed_token).decode()
        sent = {**headers, "authorization": f"{scheme}{token}"}
        async with self._node.outgoing.stream("GET", process.endpoint, sent) as answer:
            with self._streams.registered(process.agreement_id, process.exchange.id, answer.close) as stream:
                stream.begin()
                if answer.status < 300:
                    await self._wait(acquisition.id, "")
                yield answer

    async def _opened_by(self, acquisition: Acquisition) -> tuple[TransferProcess, Contract]:
        process_id, agreement_id = acquisition.process_id, acquisition.agreement_id
        if process_id is None or agreement_id is None:
            raise NotFoundError("the acquisition names no process")
        process = await self._node.journal.read(lambda c: read_process(c, process_id))
        contract = await self._node.journal.read(lambda c: agreement_of(c, agreement_id))
        if process is None or contract is None:
            raise NotFoundError("the process or its contract is gone")
        return process, contract

    async def _acknowledge(self, acquisition: Acquisition, contract: Contract, fetched: Fetched) -> None:
        """Sign for what came, tell the provider, and write down that it is here: all in one commit."""
        signer = self._node.vault.signer(KeyJob.EVIDENCE)
        raw = make_receipt(acquisition, contract, fetched.use_id, self._node.me, self._node.clock(), signer)

        def write_down(tx: Transaction) -> None:
            _wait_while_suspended(tx, acquisition)
            keep_own_receipt(tx, self._rail, acquisition, raw)
            deadline = tx.now + self._rail.deadline
            about = fetched.use_id
            if not contract.one_sided:  # else the provider does not speak of receipts
                space.tell(tx, contract.counterparty, space.Notice.RECEIPT, raw, about, deadline)
            before = acquisitions.read(tx.connection, acquisition.id)
            known = replace(before, artefact=acquisition.artefact, size=acquisition.size)
            acquisitions.received(tx, known, fetched.use_id)

        await self._node.journal.write(write_down)

    @asynccontextmanager
    async def _called(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", silence: float = 0
    ) -> AsyncIterator[Answer]:
        async with self._node.outgoing.stream(method, url, headers, body, silence=silence) as answer:
            yield answer


def check_not_held(process: TransferProcess) -> None:
    """Go on only at an open door; one that is shut for now is waited for."""
    if is_ended(process):
        raise RefusedError(f"the process is over: {process.problem}".rstrip(": "))
    if is_held(process):
        raise _HeldError("the process to be resumed")


def _wait_while_suspended(tx: Transaction, acquisition: Acquisition) -> None:
    """A delivery that came while its process was being suspended cannot complete it: that comes after."""
    process = None if acquisition.process_id is None else read_process(tx.connection, acquisition.process_id)
    is_delivery = FORMATS[acquisition.format] is KindOfUse.DELIVERY
    if is_delivery and process is not None and process.exchange.state is State.SUSPENDED:
        raise _HeldError("the process to be resumed")


def _fail(tx: Transaction, acquisition_id: str, problem: str) -> None:
    acquisition = acquisitions.read(tx.connection, acquisition_id)
    if not acquisition.state.is_over:
        acquisitions.fail(tx, acquisition, problem)
