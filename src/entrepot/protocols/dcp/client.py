"""Finding out who calls (DCP 1.0): DID documents, presentations, status lists.

What was found is kept for a while: a DID document and a verified membership for some minutes each, so a
control message from a known member costs one signature check. A signature that does not hold makes the
document be fetched anew once, because keys may have changed.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from entrepot.identity import (
    Caller,
    DidDocument,
    Membership,
    Signer,
    Standing,
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
from entrepot.protocols.route import Outgoing
from entrepot.values import Clock, Did, EntrepotError, TrustError, UnavailableError, UtcTime

KEPT: Final = timedelta(minutes=5)
MOST: Final = 10_000
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
        self._documents: OrderedDict[Did, tuple[UtcTime, DidDocument]] = OrderedDict()
        self._members: OrderedDict[Did, tuple[UtcTime, Membership]] = OrderedDict()

    async def authorization(self, peer: Did) -> str:
        """The `Authorization` header for a call to `peer`: a fresh token, with our access token in it."""
        jti = new_uuid()
        token = issue_id_token(
            self._signer, self._trust.me, peer, self._clock(), jti, self._access_token(peer)
        )
        return f"Bearer {token}"

    async def authenticate(self, authorization: str) -> Did:
        """Turn a header into the member in force that sent it, or raise `TrustError`."""
        caller = await self.identify(authorization)
        membership = await self.membership(caller)
        found = await self._standing(membership)
        refusals = found.refusals(self._trust.status_max_age)
        if refusals:
            raise TrustError("; ".join(refusals))
        return caller.did

    async def identify(self, authorization: str) -> Caller:
        """Turn a header into whoever sent it, member or not; each token passes once."""
        if not authorization.startswith("Bearer "):
            raise TrustError("expected Authorization: Bearer and a self-issued token")
        try:
            token, did = claimed_did(authorization.removeprefix("Bearer "))
            document = await self.document(did)
            try:
                caller = verify_id_token(token, document, self._trust.me, self._clock())
            except TrustError:
                if not self._forget(did):
                    raise
                document = await self.document(did)
                caller = verify_id_token(token, document, self._trust.me, self._clock())
        except EntrepotError as error:
            raise TrustError(str(error)) from error
        await self._journal.write(lambda tx: use_once(tx, caller))
        return caller

    async def membership(self, caller: Caller) -> Membership:
        """The caller's membership: known already, or shown by its credential service now."""
        now = self._clock()
        kept = self._members.get(caller.did)
        if kept is not None and now - kept[0] < KEPT and now < kept[1].valid_until:
            return kept[1]
        known = await self._journal.read(lambda c: known_member(c, caller.did))
        if known is not None and known.valid_until > now and kept is None:
            self._keep_member(known)
            return known
        return await self.ask_for_membership(caller.did, caller.access_token)

    async def ask_for_membership(self, holder: Did, access_token: str) -> Membership:
        """Ask the holder's credential service, verify what it shows, and keep it."""
        document = await self.document(holder)
        service = document.services.get(CREDENTIAL_SERVICE)
        if service is None:
            raise TrustError(f"{holder} names no {CREDENTIAL_SERVICE}")
        now = self._clock()
        token = issue_id_token(self._signer, self._trust.me, holder, now, new_uuid(), access_token)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        url = service.rstrip("/") + "/presentations/query"
        try:
            reply = await self._outgoing("POST", url, render_query((SCOPE,)), headers)
            if reply.status != 200:
                raise TrustError(f"{holder} shows no membership ({reply.status})")
            issuer = await self.document(self._trust.platform)
            for raw in parse_presentations(reply.body):
                for credential in verify_presentation(raw, document, self._trust.me, now):
                    membership = await self._verified(credential, holder, issuer, now)
                    self._keep_member(membership)
                    return membership
        except UnavailableError as error:
            raise TrustError(str(error)) from error
        raise TrustError(f"{holder} shows no membership")

    async def document(self, did: Did) -> DidDocument:
        """The DID document of `did`, at most some minutes old."""
        now = self._clock()
        kept = self._documents.get(did)
        if kept is not None and now - kept[0] < KEPT:
            return kept[1]
        scheme = "http" if self._trust.allows_http(did) else "https"
        try:
            reply = await self._outgoing("GET", did_url(did, scheme=scheme), max_bytes=64 << 10)
        except UnavailableError:
            if kept is not None:
                return kept[1]  # the party cannot be reached; its keys are those we know
            raise
        if reply.status != 200:
            raise TrustError(f"the document of {did} cannot be had ({reply.status})")
        document = read_did_document(reply.body, did)
        self._documents[did] = (now, document)
        while len(self._documents) > MOST:
            self._documents.popitem(last=False)
        return document

    async def take_in_status_list(self, raw: str) -> bool:
        """Verify a status list, from whoever relays it, and keep it if it is newer than ours."""
        issuer = await self.document(self._trust.platform)
        token, did = claimed_did(raw)
        key = issuer.key(token.key_id, "assertionMethod")
        if did != self._trust.platform or key is None:
            raise TrustError("the status list is not the platform's")
        found = verify_status_list(raw, did, key, self._clock())
        return await self._journal.write(lambda tx: remember_status_list(tx, found, raw))

    async def _verified(self, credential: str, holder: Did, issuer: DidDocument, now: UtcTime) -> Membership:
        token, _ = claimed_did(credential)
        key = issuer.key(token.key_id, "assertionMethod")
        if key is None:
            raise TrustError("the credential is signed by a key that is not the platform's")
        membership = verify_membership(credential, holder, self._trust.platform, key, now)
        await self._journal.write(lambda tx: remember_membership(tx, credential, membership))
        return membership

    async def _standing(self, membership: Membership) -> Standing:
        return await self._journal.read(lambda c: standing(c, membership, self._clock()))

    def _keep_member(self, membership: Membership) -> None:
        self._members[membership.did] = (self._clock(), membership)
        while len(self._members) > MOST:
            self._members.popitem(last=False)

    def _forget(self, did: Did) -> bool:
        """Drop a kept document, unless it was fetched only just now: strangers must not make us ask often."""
        kept = self._documents.get(did)
        if kept is None or self._clock() - kept[0] < timedelta(seconds=5):
            return False
        del self._documents[did]
        return True
