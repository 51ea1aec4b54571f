"""The issuer (DCP 1.0, 6): what can be had, requests for it, their state, and bringing it to the holder.

Who is given what, `decide` says. What was decided is signed, then written down together with its delivery;
the outbox brings it to the holder's credential service until that has it, or says no.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeAlias

import msgspec
from sqlalchemy import Connection

from entrepot.identity import (
    Caller,
    Credential,
    DidDocument,
    Issuance,
    IssuanceState,
    Kind,
    Rejection,
    Signer,
    end_issuance,
    issuance,
    issue_credential,
    pending,
    receive_request,
)
from entrepot.journal import Journal, OutboxMessage, Transaction, enqueue, new_uuid, settle
from entrepot.protocols.dcp import shapes
from entrepot.protocols.dcp.issuance_codec import (
    Container,
    Delivery,
    Outcome,
    Request,
    contain,
    parse_request,
    render_delivery,
    render_metadata,
    render_status,
)
from entrepot.protocols.dcp.profile import DcpProfile
from entrepot.protocols.dcp.tries import try_again_or
from entrepot.protocols.dcp.trust import reached
from entrepot.protocols.dcp.verifier import CREDENTIAL_SERVICE
from entrepot.protocols.route import Call, Handler, Outgoing, Proof, Response, Route, Shape
from entrepot.values import (
    Did,
    EntrepotError,
    MalformedError,
    MessageId,
    NotFoundError,
    RefusedError,
    UtcTime,
    canonical,
)
from entrepot.values.canonical import Json

ISSUER_PATH: Final = "/dcp/issuer"
DCP_DELIVERY: Final = "dcp delivery"
DEADLINE: Final = timedelta(days=7)
_JSON: Final = {"content-type": "application/json"}

Decide: TypeAlias = Callable[[Connection, Did, Sequence[Kind], UtcTime], Sequence[Credential] | Rejection]
"""One credential a kind for this holder, or why there is none; raises for whom nothing is written down."""


class _Parcel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What waits in the outbox: the message, and the token that its holder gave us to bring it with."""

    message: str
    token: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """What the endpoints stand on."""

    journal: Journal
    me: Did
    base: str
    """The address of this service, as others write it."""
    signer: Signer
    kinds: tuple[Kind, ...]
    schemas: Mapping[str, Json]
    """What the claims of each type look like."""
    decide: Decide
    identify: Callable[[str], Awaitable[Caller]]
    profile: DcpProfile
    clock: Callable[[], UtcTime]

    def routes(self) -> list[Route]:
        """Metadata and schemas for everybody; requests and their state for who proves who it is."""
        return [
            self._route("GET", "/metadata", Proof.NONE, self.metadata, shapes.METADATA),
            self._route("GET", "/schemas/{type}", Proof.NONE, self.schema, shapes.SCHEMA),
            self._route("POST", "/credentials", Proof.ID_TOKEN, self.request, shapes.REQUEST),
            self._route("GET", "/requests/{request}", Proof.ID_TOKEN, self.status, shapes.STATUS),
        ]

    def _route(self, method: str, path: str, proof: Proof, handle: Handler, shape: Shape) -> Route:
        return Route(method, ISSUER_PATH + path, proof, handle, 64 << 10, shape)

    async def metadata(self, _call: Call) -> Response:
        return Response(200, render_metadata(self.me, self.kinds, self.base + "/schemas/"))

    async def schema(self, call: Call) -> Response:
        found = self.schemas.get(call.path["type"])
        if found is None:
            raise NotFoundError("no such schema")
        return Response(200, canonical.encode(found), "application/schema+json")

    async def request(self, call: Call) -> Response:
        """Take in a request: 201, and where its state is to be had (6.4)."""
        caller = await self.identify(call.headers.get("authorization", ""))
        request = parse_request(call.body)
        kinds = self._kinds(request)
        repeated = await self._pending(caller.did, request)
        if repeated is not None:
            return self._received(repeated)
        decided = await self.journal.read(lambda c: self.decide(c, caller.did, kinds, self.clock()))
        signed = () if isinstance(decided, Rejection) else tuple(map(self._signed, decided))

        def write(tx: Transaction) -> Issuance | None:
            made = receive_request(tx, caller.did, request.holder_pid, request.kinds)
            if made is not None:
                reason = decided.reason if isinstance(decided, Rejection) else ""
                self._queue(tx, made, signed, reason, caller.access_token)
            return made

        made = await self.journal.write(write) or await self._pending(caller.did, request)
        if made is None:  # the same request was decided by another call a moment ago
            raise RefusedError("the same request was answered just now")
        return self._received(made)

    async def status(self, call: Call) -> Response:
        """Say how far a request has come, to the one who made it and to nobody else (6.8)."""
        caller = await self.identify(call.headers.get("authorization", ""))
        found = await self.journal.read(lambda c: issuance(c, call.path["request"]))
        if found is None or found.holder != caller.did:
            raise NotFoundError("there is no such request of yours")
        return Response(200, render_status(found))

    def _signed(self, credential: Credential) -> Container:
        """Sign a credential under an id of its own, by which its holder may let others ask for it."""
        named = credential if credential.id else replace(credential, id=new_uuid())
        raw = issue_credential(self.signer, named)
        return contain(raw, named.types[0], named.form, self.profile)

    def _kinds(self, request: Request) -> tuple[Kind, ...]:
        supported = {kind.id: kind for kind in self.kinds}
        if any(kind not in supported for kind in request.kinds):
            raise MalformedError("credentials: expected ids of this issuer's metadata")
        return tuple(supported[kind] for kind in request.kinds)

    async def _pending(self, holder: Did, request: Request) -> Issuance | None:
        return await self.journal.read(lambda c: pending(c, holder, request.holder_pid, request.kinds))

    def _received(self, made: Issuance) -> Response:
        return Response(201, b"{}", headers={"location": f"{self.base}/requests/{made.id}"})

    def _queue(
        self, tx: Transaction, made: Issuance, signed: tuple[Container, ...], reason: str, token: str
    ) -> None:
        outcome = Outcome.ISSUED if signed else Outcome.REJECTED
        delivery = Delivery(made.id, made.holder_pid, outcome, signed, reason)
        parcel = _Parcel(message=render_delivery(delivery).decode(), token=token)
        enqueue(
            tx,
            OutboxMessage(
                id=MessageId(made.id),
                kind=DCP_DELIVERY,
                lane=made.id,
                address=made.holder,
                body=canonical.encode_struct(parcel),
                not_before=tx.now,
                deadline=tx.now + DEADLINE,
            ),
        )
        if outcome is Outcome.REJECTED:
            end_issuance(tx, made.id, IssuanceState.REJECTED, reason)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Brings what was issued to its holders."""

    journal: Journal
    outgoing: Outgoing
    document: Callable[[Did], Awaitable[DidDocument]]
    authorization: Callable[[Did, str], str]
    """A fresh `Authorization` header for this party, with this access token in it."""

    async def send(self, message: OutboxMessage, now: UtcTime) -> None:
        """Bring one delivery to its holder, and write down what came of it."""
        holder, made = Did(message.address), str(message.id)
        parcel = canonical.decode_struct(message.body, _Parcel)
        try:
            await self._post(holder, parcel)
        except EntrepotError as error:
            reason = f"it could not be delivered: {error}"
            await try_again_or(
                self.journal,
                message,
                now,
                error,
                lambda tx: end_issuance(tx, made, IssuanceState.REJECTED, reason),
            )
            return

        def taken(tx: Transaction) -> None:
            settle(tx, message.id)
            end_issuance(tx, made, IssuanceState.ISSUED)

        await self.journal.write(taken)

    async def _post(self, holder: Did, parcel: _Parcel) -> None:
        service = (await self.document(holder)).services.get(CREDENTIAL_SERVICE)
        if service is None:
            raise NotFoundError(f"{holder} names no {CREDENTIAL_SERVICE}")
        headers = {"authorization": self.authorization(holder, parcel.token), **_JSON}
        url = service.rstrip("/") + "/credentials"
        reply = reached(await self.outgoing("POST", url, parcel.message.encode(), headers))
        if not 200 <= reply.status < 300:
            raise RefusedError(f"the holder refused it ({reply.status})")
