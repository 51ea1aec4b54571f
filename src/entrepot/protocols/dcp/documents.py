"""The DID documents of others: fetched where their DID says, kept for some minutes.

A signature that does not hold makes a document be fetched anew, because keys may have changed; strangers
cannot make us ask more often than every few seconds, nor for more than so many documents a minute.
"""

from collections import deque
from datetime import timedelta
from typing import Final

from entrepot.identity import DidDocument, did_url, known_member, read_did_document
from entrepot.journal import Journal
from entrepot.protocols.dcp.shelf import Shelf
from entrepot.protocols.dcp.trust import Trust, reached
from entrepot.protocols.route import Outgoing
from entrepot.values import Clock, Did, TrustError, UnavailableError, UtcTime

KEPT: Final = timedelta(minutes=5)
"""How long what was found is relied on without asking again."""
KEPT_UNREACHABLE: Final = timedelta(hours=24)
"""How long a party's keys are relied on while its document cannot be had."""
JUST_NOW: Final = timedelta(seconds=5)
"""What was asked for so lately is not asked for again, whatever a caller shows."""
STRANGERS_A_MINUTE: Final = 120
"""So many documents of parties that this node has never met are fetched in a minute."""


class Documents:
    """What this node knows of the keys and services of others."""

    def __init__(self, journal: Journal, outgoing: Outgoing, trust: Trust, clock: Clock) -> None:
        self._journal = journal
        self._outgoing = outgoing
        self._trust = trust
        self._clock = clock
        self._own: DidDocument | None = None
        self._kept: Shelf[Did, DidDocument] = Shelf(clock)
        self._strangers: deque[UtcTime] = deque()

    def introduce(self, document: DidDocument) -> None:
        """Make a document known that need not be fetched: our own."""
        self._own = document

    async def find(self, did: Did, most: timedelta = KEPT) -> DidDocument:
        """The document of `did`, asked for at most so long ago; older while it cannot be had."""
        if self._own is not None and did == self._own.id:
            return self._own
        kept = self._kept.find(did, most)
        if kept is not None:
            return kept
        try:
            return await self._kept.ask(did, lambda: self._fetch(did))
        except UnavailableError:
            known = self._kept.known(did, KEPT_UNREACHABLE)
            if known is None:
                raise
            self._kept.postpone(did)
            return known

    def address(self, did: Did) -> str:
        """Where the document of `did` lies."""
        return did_url(did, scheme="http" if self._trust.allows_http(did) else "https")

    async def _fetch(self, did: Did) -> DidDocument:
        if not self._trust.believes(did) and self._kept.known(did, timedelta.max) is None:
            await self._let_in(did)
        reply = reached(await self._outgoing("GET", self.address(did), max_bytes=64 << 10))
        if reply.status != 200:
            raise TrustError(f"the document of {did} cannot be had ({reply.status})")
        return self._trust.profile.read(read_did_document(reply.body, did))

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
