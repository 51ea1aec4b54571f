"""The owner's API of transfer processes: which doors are open, and shutting, opening and ending them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from entrepot import catalogue
from entrepot.contracts import Move, Next, Party, Reason, agreement_of
from entrepot.node import rows
from entrepot.node.api import UNDER, agreement_in, answer, answer_page, owner_route, place_of, read_body
from entrepot.protocols import Call, Response, Route
from entrepot.use import process as transfers
from entrepot.values import NotFoundError, ProcessId, RefusedError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from entrepot.journal import Page, Transaction
    from entrepot.node.roles.connector import Connector
    from entrepot.use import TransferProcess


class WhyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a process is suspended or ended; the other side is told. **Never personal data.**"""

    reason: Annotated[str, Meta(max_length=500)] = ""


def process_routes(connector: Connector) -> list[Route]:
    api = _Api(connector)
    return [
        owner_route("GET", "/owner/processes", api.page, rows.ProcessPage, asks=UNDER),
        owner_route("GET", "/owner/processes/{id}", api.one, rows.ProcessRow),
        owner_route("POST", "/owner/processes/{id}/suspend", api.suspend, rows.ProcessRow, WhyBody),
        owner_route("POST", "/owner/processes/{id}/resume", api.resume, rows.ProcessRow),
        owner_route("POST", "/owner/processes/{id}/terminate", api.terminate, rows.ProcessRow, WhyBody),
    ]


class _Api:
    """One method a route."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._journal = connector.node.journal

    async def page(self, call: Call) -> Response:
        place, agreement_id = place_of(call), agreement_in(call)

        def query(connection: Connection) -> Page[rows.ProcessRow]:
            found = transfers.process_page(connection, place, agreement_id)
            return found.of(lambda p: _row(connection, p))

        return answer_page(call, "processes", await self._journal.read(query))

    async def one(self, call: Call) -> Response:
        pid = ProcessId(call.path["id"])
        return answer(await self._journal.read(lambda c: _row(c, transfers.existing(c, pid))))

    async def suspend(self, call: Call) -> Response:
        """Shut the door for now: what runs is cut, and its token opens nothing any more."""
        return await self._moved(call, Next(Move.SUSPEND, _why(call, "suspended")))

    async def resume(self, call: Call) -> Response:
        """Open the door again, under a new token."""
        return await self._moved(call, Next(Move.START))

    async def terminate(self, call: Call) -> Response:
        """End the process; another one may be opened while the contract holds."""
        return await self._moved(call, Next(Move.TERMINATE, _why(call, "terminated")))

    async def _moved(self, call: Call, wanted: Next) -> Response:
        pid = ProcessId(call.path["id"])

        def move(tx: Transaction) -> rows.ProcessRow:
            if wanted.move is Move.START:
                self._check(tx, pid)
            return _row(tx.connection, transfers.move(tx, self._connector.rail, pid, wanted))

        row = await self._journal.write(move)
        if wanted.move is not Move.START:
            self._connector.streams.stop_process(pid)
        return answer(row)

    def _check(self, tx: Transaction, pid: ProcessId) -> None:
        """A provider opens a door again only where it would open one now."""
        process = transfers.existing(tx.connection, pid)
        if process.exchange.party is Party.CONSUMER:
            return
        contract = agreement_of(tx.connection, process.agreement_id)
        if contract is None:
            raise NotFoundError("the contract of this process is not here")
        if why := self._connector.may_open(tx, contract, process.format):
            raise RefusedError(*why)


def _why(call: Call, code: str) -> Reason:
    reason = read_body(call, WhyBody).reason if call.body else ""
    return Reason(code, (reason,) if reason else ())


def _row(connection: Connection, p: TransferProcess) -> rows.ProcessRow:
    at = p.exchange
    contract = agreement_of(connection, p.agreement_id)
    target = None if contract is None else contract.agreement.target
    return {
        "id": at.id,
        "as": str(at.party),
        "with": p.counterparty,
        "agreement": p.agreement_id,
        "product": target,
        "title": None if target is None else catalogue.title_of(connection, target),
        "format": p.format,
        "state": str(at.state),
        "pending": None if at.pending is None else str(at.pending.move),
        "problem": p.problem,
    }
