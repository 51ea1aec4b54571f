"""As holder: asking an issuer for credentials (DCP 1.0, 6.4), through the outbox until it has answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from entrepot.identity import (
    Access,
    Asked,
    AskedState,
    CredentialForm,
    DidDocument,
    Kind,
    answer,
    ask_for,
    request_of,
)
from entrepot.journal import Journal, OutboxMessage, Transaction, enqueue, settle
from entrepot.protocols.dcp.issuance_codec import parse_metadata, parse_status, render_request
from entrepot.protocols.dcp.tries import try_again_or
from entrepot.protocols.dcp.trust import reached
from entrepot.protocols.route import Outgoing, Reply
from entrepot.values import (
    Did,
    EntrepotError,
    MessageId,
    NotFoundError,
    RefusedError,
    TrustError,
    UtcTime,
)

DCP_REQUEST: Final = "dcp request"
ISSUER_SERVICE: Final = "IssuerService"
DEADLINE: Final = timedelta(days=1)
WRITE_LIFETIME: Final = timedelta(days=30)
"""How long an issuer may take to bring what it was asked for under the token that it got with the request."""
_JSON: Final = {"content-type": "application/json"}


def queue_request(tx: Transaction, asked: Asked) -> None:
    """Queue what is to be sent to the issuer."""
    enqueue(
        tx,
        OutboxMessage(
            id=MessageId(asked.holder_pid),
            kind=DCP_REQUEST,
            lane=asked.holder_pid,
            address=asked.issuer,
            body=render_request(asked.holder_pid, [kind.id for kind in asked.kinds]),
            not_before=tx.now,
            deadline=tx.now + DEADLINE,
        ),
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """The way to issuers."""

    journal: Journal
    outgoing: Outgoing
    document: Callable[[Did], Awaitable[DidDocument]]
    authorization: Callable[[Did, str], str]
    """A fresh `Authorization` header for this party, with this access token in it."""
    grant: Callable[[Access], str]
    """Writes an access token of ours."""
    clock: Callable[[], UtcTime]

    async def offered_by(self, issuer: Did) -> tuple[Kind, ...]:
        """What an issuer says that it can issue."""
        reply = reached(await self.outgoing("GET", await self._service(issuer) + "/metadata"))
        if reply.status != 200:
            raise NotFoundError(f"{issuer} shows no metadata ({reply.status})")
        metadata = parse_metadata(reply.body)
        if metadata.issuer != issuer:
            raise TrustError("the metadata is another issuer's")
        return metadata.kinds

    async def ask(self, issuer: Did, types: tuple[str, ...], form: CredentialForm) -> Asked:
        """Ask for credentials of these types in one form, if the issuer has all of them."""
        supported = {k.type: k for k in await self.offered_by(issuer) if k.form is form}
        missing = [name for name in types if name not in supported]
        if missing or not types:
            known = ", ".join(sorted(supported)) or "nothing"
            raise RefusedError(f"{issuer} issues {known} as {form.value}, not {', '.join(missing)}")
        kinds = [supported[name] for name in types]

        def write(tx: Transaction) -> Asked:
            asked = ask_for(tx, issuer, kinds)
            queue_request(tx, asked)
            return asked

        return await self.journal.write(write)

    async def look(self, asked: Asked) -> None:
        """Ask the issuer how far a request has come, where it has said where to ask."""
        if not asked.is_open or not asked.status_url:
            return
        headers = {"authorization": self.authorization(asked.issuer, "")}
        reply = reached(await self.outgoing("GET", asked.status_url, headers=headers))
        if reply.status != 200:
            raise NotFoundError(f"{asked.issuer} does not know of the request ({reply.status})")
        if parse_status(reply.body, asked) is AskedState.REJECTED:  # what is issued comes by itself
            await self.journal.write(lambda tx: answer(tx, asked.holder_pid, AskedState.REJECTED))

    async def send(self, message: OutboxMessage, now: UtcTime) -> None:
        """Bring one request to its issuer, and take in where to ask for its state."""
        holder_pid = str(message.id)
        asked = await self.journal.read(lambda c: request_of(c, holder_pid))
        if asked is None:
            await self.journal.write(lambda tx: settle(tx, message.id))
            return
        try:
            reply = await self._post(asked, message.body)
        except EntrepotError as error:
            reason = str(error)
            await try_again_or(self.journal, message, now, error, lambda tx: _rejected(tx, message, reason))
            return
        location = await self._location(asked.issuer, reply)

        def taken(tx: Transaction) -> None:
            settle(tx, message.id)
            answer(tx, holder_pid, AskedState.RECEIVED, status_url=location)

        await self.journal.write(taken)

    async def _post(self, asked: Asked, body: bytes) -> Reply:
        token = self.grant(Access(asked.issuer, (), self.clock() + WRITE_LIFETIME))
        headers = {"authorization": self.authorization(asked.issuer, token), **_JSON}
        url = await self._service(asked.issuer) + "/credentials"
        reply = reached(await self.outgoing("POST", url, body, headers))
        if not 200 <= reply.status < 300:
            raise RefusedError(f"the issuer refused the request ({reply.status})")
        return reply

    async def _service(self, issuer: Did) -> str:
        found = (await self.document(issuer)).services.get(ISSUER_SERVICE)
        if found is None:
            raise NotFoundError(f"{issuer} names no {ISSUER_SERVICE}")
        return found.rstrip("/")

    async def _location(self, issuer: Did, reply: Reply) -> str:
        """Where the request's state is to be had; only under the issuer's own service."""
        named, service = reply.headers.get("location", ""), await self._service(issuer)
        found = named if "://" in named else f"{service}/requests/{named.rpartition('/')[2]}" if named else ""
        return found if found.startswith(service + "/") else ""


def _rejected(tx: Transaction, message: OutboxMessage, reason: str) -> None:
    answer(tx, str(message.id), AskedState.REJECTED, reason=reason)
