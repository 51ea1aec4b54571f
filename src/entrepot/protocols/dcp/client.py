"""Finding out who calls (DCP 1.0): DID documents, presentations, status lists.

What was found is kept for a while: a DID document and a verified membership for some minutes each, so a
control message from a known member costs one signature check. A signature that does not hold makes the
document be fetched anew, because keys may have changed; strangers cannot make us ask more often than
every few seconds. What is asked for by several calls at once is asked for once.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeVar

from entrepot.identity import (
    Caller,
    DidDocument,
    Membership,
    Signer,
    Standing,
    StandingState,
    Token,
    claimed_did,
    did_url,
    issue_id_token,
    known_member,
    read_did_document,
    remember_membership,
    remember_status_list,
    standing,
    use_once,
    verify_id_token,
    verify_membership,
    verify_presentation,
    verify_status_list,
)
from entrepot.journal import Journal, new_uuid
from entrepot.protocols.dcp.codec import SCOPE, parse_presentations, render_query
from entrepot.protocols.route import Outgoing, Reply
from entrepot.values import Clock, Did, EntrepotError, TrustError, UnavailableError, UtcTime

T = TypeVar("T")

KEPT: Final = timedelta(minutes=5)
"""How long what was found is relied on without asking again."""
KEPT_UNREACHABLE: Final = timedelta(hours=24)
"""How long a party's keys are relied on while its document cannot be had."""
JUST_NOW: Final = timedelta(seconds=5)
"""What was asked for so lately is not asked for again, whatever a caller shows."""
MOST: Final = 10_000
STRANGERS_A_MINUTE: Final = 120
"""So many documents of parties that this node has never met are fetched in a minute."""
CREDENTIAL_SERVICE: Final = "CredentialService"
DSP_SERVICE: Final = "DataService"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom this node believes: itself, its platform, and how old news may be."""

    me: Did
    platform: Did
    status_max_age: timedelta
    allows_http: Callable[[Did], bool]
    """Whether the document of this DID may be fetched without TLS (loopback in settings)."""


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    value: T
    found: UtcTime
    asked: UtcTime
    """When it was last asked for, answered or not."""


class _Shelf(Generic[T]):
    """What was found of each party, the latest `MOST` of them, and what is being asked for now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[Did, _Kept[T]] = OrderedDict()
        self._asking: dict[Did, asyncio.Task[T]] = {}

    def find(self, did: Did, most: timedelta) -> T | None:
        """What is kept of `did`, if it was asked for less than `most` ago."""
        kept = self._kept.get(did)
        return kept.value if kept is not None and self._clock() - kept.asked < most else None

    def known(self, did: Did, most: timedelta) -> T | None:
        """What is kept of `did`, if it was found less than `most` ago."""
        kept = self._kept.get(did)
        return kept.value if kept is not None and self._clock() - kept.found < most else None

    def keep(self, did: Did, value: T, *, asked: UtcTime | None = None) -> T:
        now = self._clock()
        self._kept[did] = _Kept(value, now, asked or now)
        self._kept.move_to_end(did)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return value

    def postpone(self, did: Did) -> None:
        """Ask no sooner than for something found now: the answer could not be had."""
        kept = self._kept.get(did)
        if kept is not None:
            self._kept[did] = _Kept(kept.value, kept.found, self._clock())

    async def ask(self, did: Did, question: Callable[[], Coroutine[None, None, T]]) -> T:
        """Ask, or wait for the answer to the same question of another call; keep the answer."""
        asking = self._asking.get(did)
        if asking is None:
            asking = asyncio.create_task(question())
            self._asking[did] = asking
            asking.add_done_callback(lambda _: self._asking.pop(did))
        # A call that is given up must not take the answer from the others.
        return self.keep(did, await asyncio.shield(asking))


class Acquaintance:
    """What this node knows of others, and how it gets to know more."""

    def __init__(
        self,
        journal: Journal,
        outgoing: Outgoing,
        trust: Trust,
        signer: Signer,
        clock: Clock,
        access_token: Callable[[Did], str],
    ) -> None:
        self._journal = journal
        self._outgoing = outgoing
        self._trust = trust
        self._signer = signer
        self._clock = clock
        self._access_token = access_token
        self._own: DidDocument | None = None
        self._documents: _Shelf[DidDocument] = _Shelf(clock)
        self._members: _Shelf[Membership] = _Shelf(clock)
        self._strangers: deque[UtcTime] = deque()

    async def authorization(self, peer: Did) -> str:
        """The `Authorization` header for a call to `peer`: a fresh token, with our access token in it."""
        jti = new_uuid()
        token = issue_id_token(
            self._signer, self._trust.me, peer, self._clock(), jti, self._access_token(peer)
        )
        return f"Bearer {token}"

    async def authenticate(self, authorization: str) -> Did:
        """Turn a header into the member in force that sent it, or raise `TrustError`.

        Raises `UnavailableError` for a known member where only the news of its status is too old.
        """
        caller = await self.identify(authorization)
        if caller.did == self._trust.platform:
            return caller.did  # who says who is a member needs no credential of its own making
        membership = await self.membership(caller)
        found = await self._standing(membership)
        if found.state in {StandingState.REVOKED, StandingState.OUT_OF_TIME}:
            # It may have been admitted again: then it has another credential to show.
            membership = await self._membership(caller, JUST_NOW)
            found = await self._standing(membership)
        refusals = found.refusals(self._trust.status_max_age)
        if found.is_stale(self._trust.status_max_age):
            raise UnavailableError(*refusals)  # newer news may come in a moment: no final answer
        if refusals:
            raise TrustError("; ".join(refusals))
        return caller.did

    async def identify(self, authorization: str) -> Caller:
        """Turn a header into whoever sent it, member or not; each token passes once."""
        if not authorization.startswith("Bearer "):
            raise TrustError("expected Authorization: Bearer and a self-issued token")
        try:
            caller = await self._caller(*claimed_did(authorization.removeprefix("Bearer ")))
        except EntrepotError as error:
            raise TrustError(str(error)) from error
        await self._journal.write(lambda tx: use_once(tx, caller))
        return caller

    async def membership(self, caller: Caller) -> Membership:
        """The caller's membership: known already, or shown by its credential service now."""
        return await self._membership(caller, KEPT)

    async def ask_for_membership(self, holder: Did, access_token: str) -> Membership:
        """Ask the holder's credential service, verify what it shows, and keep it.

        Raises `UnavailableError` where the holder cannot be reached, and `TrustError` for all else.
        """
        try:
            return await self._members.ask(holder, lambda: self._query(holder, access_token))
        except (TrustError, UnavailableError):
            raise
        except EntrepotError as error:
            raise TrustError(f"{holder} shows no membership: {error}") from error

    async def document(self, did: Did) -> DidDocument:
        """The DID document of `did`, at most some minutes old; older while the party cannot be reached."""
        if self._own is not None and did == self._own.id:
            return self._own
        return await self._document(did, KEPT)

    def introduce(self, document: DidDocument) -> None:
        """Make a document known that need not be fetched: our own."""
        self._own = document

    async def take_in_own_credential(self, credential: str) -> None:
        """Verify and keep the credential that the platform made out to us."""
        issuer = await self.document(self._trust.platform)
        _, membership = self._first_membership([credential], self._trust.me, issuer)
        await self._journal.write(lambda tx: remember_membership(tx, credential, membership))

    async def take_in_status_list(self, raw: str) -> bool:
        """Verify a status list, from whoever relays it, and keep it if it is newer than ours."""
        issuer = await self.document(self._trust.platform)
        token, did = claimed_did(raw)
        key = issuer.key(token.key_id, "assertionMethod")
        if did != self._trust.platform or key is None:
            raise TrustError("the status list is not the platform's")
        found = verify_status_list(raw, did, key, self._clock())
        return await self._journal.write(lambda tx: remember_status_list(tx, found, raw))

    async def _caller(self, token: Token, did: Did) -> Caller:
        document = await self.document(did)
        try:
            return verify_id_token(token, document, self._trust.me, self._clock())
        except TrustError:
            anew = await self._document(did, JUST_NOW)
            if anew is document:
                raise
            return verify_id_token(token, anew, self._trust.me, self._clock())

    async def _membership(self, caller: Caller, most: timedelta) -> Membership:
        now = self._clock()
        kept = self._members.find(caller.did, most)
        if kept is not None and now < kept.valid_until:
            return kept
        known = self._members.known(caller.did, timedelta.max)
        if known is None:
            known = await self._journal.read(lambda c: known_member(c, caller.did))
            if known is not None and known.issuer == self._trust.platform and now < known.valid_until:
                return self._members.keep(caller.did, known, asked=now - JUST_NOW)
        try:
            return await self.ask_for_membership(caller.did, caller.access_token)
        except UnavailableError as error:
            if known is None or now >= known.valid_until:
                raise TrustError(str(error)) from error
            self._members.postpone(caller.did)
            return known  # a signed credential in its time; whether it still holds, the status list says

    async def _query(self, holder: Did, access_token: str) -> Membership:
        document = await self.document(holder)
        service = document.services.get(CREDENTIAL_SERVICE)
        if service is None:
            raise TrustError(f"{holder} names no {CREDENTIAL_SERVICE}")
        now = self._clock()
        token = issue_id_token(self._signer, self._trust.me, holder, now, new_uuid(), access_token)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        url = service.rstrip("/") + "/presentations/query"
        reply = _reached(await self._outgoing("POST", url, render_query((SCOPE,)), headers))
        if reply.status != 200:
            raise TrustError(f"{holder} shows no membership ({reply.status})")
        issuer = await self.document(self._trust.platform)
        shown = [
            credential
            for raw in parse_presentations(reply.body)
            for credential in verify_presentation(raw, document, self._trust.me, now).credentials
        ]
        credential, membership = self._first_membership(shown, holder, issuer)
        await self._journal.write(lambda tx: remember_membership(tx, credential, membership))
        return membership

    def _first_membership(self, shown: list[str], holder: Did, issuer: DidDocument) -> tuple[str, Membership]:
        """The first credential that is a membership of this space; a holder may show others beside it."""
        reasons = []
        for credential in shown:
            try:
                token, _ = claimed_did(credential)
                key = issuer.key(token.key_id, "assertionMethod")
                if key is None:
                    raise TrustError("the credential is signed by a key that is not the platform's")
                return credential, verify_membership(credential, holder, issuer.id, key, self._clock())
            except EntrepotError as error:
                reasons.append(str(error))
        raise TrustError(f"{holder} shows no membership: {'; '.join(reasons) or 'nothing'}")

    async def _document(self, did: Did, most: timedelta) -> DidDocument:
        kept = self._documents.find(did, most)
        if kept is not None:
            return kept
        try:
            return await self._documents.ask(did, lambda: self._fetch(did))
        except UnavailableError:
            known = self._documents.known(did, KEPT_UNREACHABLE)
            if known is None:
                raise
            self._documents.postpone(did)
            return known

    async def _fetch(self, did: Did) -> DidDocument:
        if did != self._trust.platform and self._documents.known(did, timedelta.max) is None:
            await self._let_in(did)
        scheme = "http" if self._trust.allows_http(did) else "https"
        reply = _reached(await self._outgoing("GET", did_url(did, scheme=scheme), max_bytes=64 << 10))
        if reply.status != 200:
            raise TrustError(f"the document of {did} cannot be had ({reply.status})")
        return read_did_document(reply.body, did)

    async def _let_in(self, did: Did) -> None:
        """A document of somebody unknown is fetched for so many a minute and no more.

        Whoever makes up names would else make us call the hosts that they stand for.
        """
        if await self._journal.read(lambda c: known_member(c, did)) is not None:
            return
        now = self._clock()
        while self._strangers and now - self._strangers[0] > timedelta(minutes=1):
            self._strangers.popleft()
        if len(self._strangers) >= STRANGERS_A_MINUTE:
            raise UnavailableError("too many strangers call at the moment")
        self._strangers.append(now)

    async def _standing(self, membership: Membership) -> Standing:
        return await self._journal.read(lambda c: standing(c, membership, self._clock()))


def _reached(reply: Reply) -> Reply:
    """Tell a node that is down behind its door from one that says no."""
    if reply.status >= 500:
        raise UnavailableError(f"the party cannot answer now ({reply.status})")
    return reply
