"""What credentials point to: the status lists and the schemas of their issuers.

An address in a credential is a stranger's word: it must lie on an origin that the issuer's own DID names
(design: Reach). What is fetched is bounded. Schemas are kept no longer than news of members may be old,
lists for a moment only, so that they are fetched once for all who come at the same time.
"""

from typing import Final

from entrepot.identity import (
    Credential,
    DidDocument,
    StatusEntry,
    StatusList,
    Validator,
    check_claims,
    claimed_issuer,
    read_schema,
    verify_status_list,
)
from entrepot.protocols.dcp.documents import JUST_NOW, Documents
from entrepot.protocols.dcp.errors import RevokedError
from entrepot.protocols.dcp.shelf import Shelf
from entrepot.protocols.dcp.trust import Trust, reached
from entrepot.protocols.route import Outgoing
from entrepot.values import Clock, Did, TrustError, origin_of

_MOST: Final = 64 << 10


class References:
    """Checks what lies outside of a credential: whether it was revoked, and what it must look like."""

    def __init__(self, outgoing: Outgoing, trust: Trust, clock: Clock, documents: Documents) -> None:
        self._outgoing = outgoing
        self._trust = trust
        self._clock = clock
        self._documents = documents
        self._lists: Shelf[tuple[Did, str, str], StatusList] = Shelf(clock)
        self._schemas: Shelf[tuple[Did, str], Validator] = Shelf(clock)

    async def check(self, credential: Credential) -> None:
        """Refuse a credential that was revoked or suspended, or that breaks its schema (5.4.3)."""
        issuer = await self._documents.find(credential.issuer)
        for entry in credential.status:
            found = await self._list(entry, issuer)
            if found.is_revoked(entry.index):
                raise RevokedError(f"the credential is under {entry.purpose}")
        for schema in credential.schemas:
            check_claims(credential, schema, await self._schema(schema.url, issuer))

    async def _list(self, entry: StatusEntry, issuer: DidDocument) -> StatusList:
        key = issuer.id, entry.url, entry.purpose
        kept = self._lists.find(key, JUST_NOW)  # the age of the news counts from when it is asked for
        return kept or await self._lists.ask(key, lambda: self._fetch_list(entry, issuer))

    async def _fetch_list(self, entry: StatusEntry, issuer: DidDocument) -> StatusList:
        raw = (await self._fetch(entry.url, issuer)).decode("ascii", "replace").strip()
        if raw.startswith("{"):
            raise TrustError("the status list is not signed")
        token, _ = claimed_issuer(raw)
        public = issuer.key(token.key_id, "assertionMethod")
        if public is None:
            raise TrustError("the status list is signed by a key that is not the issuer's")
        loose = self._trust.profile.insecure_lists
        now = self._clock()
        return verify_status_list(raw, issuer.id, public, now, entry.purpose, insecure_shape=loose)

    async def _schema(self, url: str, issuer: DidDocument) -> Validator:
        key = issuer.id, url
        kept = self._schemas.find(key, self._trust.status_max_age)
        return kept or await self._schemas.ask(key, lambda: self._fetch_schema(url, issuer))

    async def _fetch_schema(self, url: str, issuer: DidDocument) -> Validator:
        return read_schema(await self._fetch(url, issuer))

    async def _fetch(self, url: str, issuer: DidDocument) -> bytes:
        named = (self._documents.address(issuer.id), *issuer.services.values())
        if origin_of(url) not in {origin_of(address) for address in named}:
            raise TrustError("the credential points to an address that is not its issuer's")
        reply = reached(await self._outgoing("GET", url, max_bytes=_MOST))
        if reply.status != 200:
            raise TrustError(f"what the credential points to cannot be had ({reply.status})")
        return reply.body
