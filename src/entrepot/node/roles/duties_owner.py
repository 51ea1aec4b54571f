"""The owner's API of duties: what is owed under a contract, what was done, and writing down that it was.

The provider writes down what it knows itself, such as a payment. What the consumer did, the consumer
says: its notice is signed, kept, and sent to the provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from entrepot import catalogue, contracts, space, use
from entrepot.contracts import Contract, Party
from entrepot.identity import KeyJob
from entrepot.node import rows
from entrepot.node.api import answer, owner_route, read_body
from entrepot.policy import Moment, duty_name, owed, parse_money, render_money
from entrepot.protocols import Call, Response, Route
from entrepot.use import Owed
from entrepot.use.duties import state_of
from entrepot.values import AgreementId, NotFoundError, RefusedError, UseId, render_time

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from entrepot.journal import Transaction
    from entrepot.node.roles.connector import Connector
    from entrepot.values import UtcTime


class DoneBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A duty that was performed, named as the contract names it."""

    duty: str
    use: str | None = None
    """The use after which it fell due; the earliest where it is not named."""


class PaidBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payment that has come: `100.00 CNY`."""

    amount: str


def duty_routes(connector: Connector) -> list[Route]:
    api = _Api(connector)
    return [
        owner_route("GET", "/owner/duties", api.waiting, list[rows.DutyRow]),
        owner_route("GET", "/owner/contracts/{id:path}/duties", api.of_contract, list[rows.DutyRow]),
        owner_route("POST", "/owner/contracts/{id:path}/duties", api.perform, rows.DutyRow, DoneBody),
        owner_route("POST", "/owner/contracts/{id:path}/payments", api.pay, rows.DutyRow, PaidBody),
    ]


class _Api:
    """One method a route."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._node = connector.node
        self._journal = connector.node.journal

    async def waiting(self, _call: Call) -> Response:
        """What is due or overdue under any contract, the earliest first."""
        now = self._node.clock()

        def query(connection: Connection) -> list[rows.DutyRow]:
            return [_row(connection, o, now) for o in use.duties.duties_waiting(connection)]

        return answer(await self._journal.read(query))

    async def of_contract(self, call: Call) -> Response:
        now = self._node.clock()

        def query(connection: Connection) -> list[rows.DutyRow]:
            contract = _contract(connection, call.path["id"])
            found = use.duties.duties_of(connection, contract.agreement.id)
            done = {o.name for o in found}
            first: list[rows.DutyRow] = [
                {"duty": d, "state": "first"} for d in _owed_first(contract) if d not in done
            ]
            return [*first, *(_row(connection, o, now) for o in found)]

        return answer(await self._journal.read(query))

    async def perform(self, call: Call) -> Response:
        body, now = read_body(call, DoneBody), self._node.clock()
        contract = await self._journal.read(lambda c: _contract(c, call.path["id"]))
        use_id = None if body.use is None else UseId(body.use)
        if contract.party is Party.CONSUMER:
            use_id = use_id or await self._journal.read(lambda c: _earliest(c, contract, body.duty))
            signer = self._node.vault.signer(KeyJob.EVIDENCE)
            raw = use.make_notice(contract, body.duty, use_id, self._node.me, now, signer)
            done = await self._journal.write(lambda tx: self._report(tx, contract, raw))
        else:
            done = await self._journal.write(
                lambda tx: use.duties.record_performance(tx, contract, body.duty, use_id)
            )
        return answer(await self._journal.read(lambda c: _row(c, done, now)))

    async def pay(self, call: Call) -> Response:
        amount, now = parse_money(read_body(call, PaidBody).amount), self._node.clock()
        contract = await self._journal.read(lambda c: _contract(c, call.path["id"]))
        if contract.party is not Party.PROVIDER:
            raise RefusedError("that somebody was paid is written down by whoever was paid")
        done = await self._journal.write(lambda tx: use.duties.record_payment(tx, contract, amount))
        return answer(await self._journal.read(lambda c: _row(c, done, now)))

    def _report(self, tx: Transaction, contract: Contract, raw: bytes) -> Owed:
        """Keep our notice and queue it for the provider, in one commit."""
        done = use.keep_own_notice(tx, contract, raw)
        deadline = tx.now + self._connector.rail.deadline
        space.tell(tx, contract.counterparty, space.Notice.DUTY, raw, done.id, deadline)
        return done


def _contract(connection: Connection, agreement: str) -> Contract:
    found = contracts.agreement_of(connection, AgreementId(agreement))
    if found is None:
        raise NotFoundError("there is no such contract here")
    return found


def _owed_first(contract: Contract) -> list[str]:
    policy = contract.agreement.policy
    found = [d for i in range(len(policy.permissions)) for d in owed(policy, i, Moment.BEFORE)]
    return [*dict.fromkeys(duty_name(d) for d in found)]


def _earliest(connection: Connection, contract: Contract, name: str) -> UseId | None:
    """The use whose duty of that name has been due the longest."""
    waiting = use.duties.duties_waiting(connection)
    mine = [o for o in waiting if o.agreement_id == contract.agreement.id and o.name == name]
    return mine[0].use_id if mine else None


def _row(connection: Connection, found: Owed, now: UtcTime) -> rows.DutyRow:
    contract = contracts.agreement_of(connection, found.agreement_id)
    return {
        "agreement": found.agreement_id,
        "title": None if contract is None else catalogue.title_of(connection, contract.agreement.target),
        "duty": found.name,
        "state": str(state_of(found, now)),
        "use": found.use_id,
        "begunAt": render_time(found.begun_at),
        "dueAt": None if found.due_at is None else render_time(found.due_at),
        "performedAt": None if found.performed_at is None else render_time(found.performed_at),
        "amount": None if found.amount is None else render_money(found.amount),
        "isSigned": bool(found.proof),
    }
