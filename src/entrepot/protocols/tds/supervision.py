"""What a supervisor asks for: the register of contracts, who has acknowledged a stop, openings of records.

Each is answered to a member in force whose role is regulator, to nobody else; and each asking is written
down by whoever answers. Openings go to the other party of the contract too: they tell of its own uses.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from entrepot import oversight, space
from entrepot.contracts import contract_by_id
from entrepot.identity import Signer
from entrepot.journal import AuditEvent, Journal, audit
from entrepot.oversight import OPENINGS_REQUEST, OpeningsRequest, Side
from entrepot.protocols.route import Call, Content, Proof, Response, Route, Shape
from entrepot.protocols.tds import codec
from entrepot.protocols.tds.codec import MemberCard
from entrepot.space import FiledContract, MemberRole
from entrepot.values import (
    ContractId,
    Did,
    NotFoundError,
    RefusedError,
    TrustError,
    UseId,
    UtcTime,
    render_digest,
    render_time,
)

ARCHIVE = "application/x-tar"


class Event(StrEnum):
    REGISTER_READ = "oversight:register:read"


class RegisterEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One contract in the register. Empty where there is nothing yet."""

    contract: str
    parties: tuple[str, ...]
    """Every signatory: provider, consumer, then service parties."""
    product: str
    state: str
    envelope: str
    """Digest of the signed contract, as on the ledger."""
    one_sided: bool
    filed_at: str
    ends_at: str
    end_reason: str


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entries: tuple[RegisterEntry, ...]


class Acknowledgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a party has acknowledged a stop order; the time is empty where it has not."""

    party: str
    acknowledged_at: str


class Acknowledgements(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    order: str
    parties: tuple[Acknowledgement, ...]


def register_routes(journal: Journal) -> list[Route]:
    """What a platform answers to a supervisor."""
    desk = _Register(journal)
    base = codec.PATH + codec.PLATFORM
    return [
        Route("GET", f"{base}/contracts", Proof.MEMBERSHIP, desk.contracts, shape=_given(Register)),
        Route(
            "GET",
            f"{base}/orders/{{id}}",
            Proof.MEMBERSHIP,
            desk.acknowledgements,
            shape=_given(Acknowledgements),
        ),
    ]


@dataclass(frozen=True, slots=True)
class OpeningsServices:
    """What a party answers a request for openings with."""

    journal: Journal
    me: Did
    member_card: Callable[[Did], Awaitable[MemberCard]]
    package: Callable[[ContractId, UseId], Awaitable[bytes]]
    """The evidence package of one use under a contract of ours, packed."""
    uses: Callable[[ContractId], Awaitable[bytes]]
    """Which uses there were under a contract of ours, as JSON."""


def openings_route(services: OpeningsServices) -> Route:
    """What a party answers to a supervisor, and to the other party of the contract."""

    async def give(call: Call) -> Response:
        statement = space.read_statement(call.body, OpeningsRequest)
        if call.caller is None or statement.signer != call.caller:
            raise TrustError("a request for openings is signed by whoever sends it")
        card = await services.member_card(call.caller)
        request = space.verify_statement(OPENINGS_REQUEST, statement, card.key_id, card.key)
        contract_id, use_id = ContractId(request.contract), UseId(request.use)
        contract = await services.journal.read(lambda c: contract_by_id(c, contract_id))
        is_theirs = contract is not None and contract.counterparty == call.caller
        if not (card.is_supervisor_in_force or is_theirs):
            raise RefusedError(
                "only a supervisor in force, or the other party of the contract, asks for openings"
            )
        body = await (services.package(contract_id, use_id) if use_id else services.uses(contract_id))
        # Written down before it is given: nobody looks unseen.
        await services.journal.write(lambda tx: oversight.write_down(tx, statement, Side.PARTY, services.me))
        return Response(200, body, ARCHIVE if use_id else "application/json")

    shape = Shape({200: (Content({"type": "object"}), Content({}, ARCHIVE))}, codec.SIGNED)
    return Route(
        "POST",
        f"{codec.PATH}/openingsRequest",
        Proof.MEMBERSHIP,
        give,
        max_bytes=codec.MAX_BODY,
        shape=shape,
    )


def sign_openings_request(request: OpeningsRequest, signer: Signer) -> bytes:
    """Sign a request for openings in our own name."""
    return space.sign_statement(OPENINGS_REQUEST, request, signer)


@dataclass(frozen=True, slots=True)
class _Register:
    journal: Journal

    async def contracts(self, call: Call) -> Response:
        supervisor = await self._supervisor(call)
        await self.journal.write(lambda tx: audit(tx, AuditEvent(Event.REGISTER_READ, {"by": supervisor})))
        found = await self.journal.read(space.contracts)
        given = [_entry(c) for c in found if c.envelope_digest is not None]
        return codec.answer(Register(tuple(given)))

    async def acknowledgements(self, call: Call) -> Response:
        supervisor, order = await self._supervisor(call), call.path["id"]
        found = await self.journal.read(lambda c: space.acknowledgements(c, supervisor, order))
        if not found:
            raise NotFoundError("there is no such order of yours")
        parties = tuple(Acknowledgement(d.party, _time(d.acknowledged_at)) for d in found)
        return codec.answer(Acknowledgements(order, parties))

    async def _supervisor(self, call: Call) -> Did:
        caller = call.caller
        member = None if caller is None else await self.journal.read(lambda c: space.member(c, caller))
        if member is None or not member.in_force or MemberRole.REGULATOR not in member.roles:
            raise RefusedError("only a supervisor in force reads the register")
        return member.did


def _given(kind: type[msgspec.Struct]) -> Shape:
    return Shape({200: (Content(kind),)})


def _entry(c: FiledContract) -> RegisterEntry:
    return RegisterEntry(
        contract=c.contract_id,
        parties=space.signatories_of(c),
        product=c.product or "",
        state=str(c.state),
        envelope="" if c.envelope_digest is None else render_digest(c.envelope_digest),
        one_sided=c.one_sided,
        filed_at=_time(c.filed_at),
        ends_at=_time(c.ends_at),
        end_reason=c.end_reason or "",
    )


def _time(at: UtcTime | None) -> str:
    return "" if at is None else render_time(at)
