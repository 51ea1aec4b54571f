"""Finding out who calls (DCP 1.0): members of our space, and whom issuers that we trust vouch for.

What was found is kept for a while: a DID document and a verified membership for some minutes each, so a
control message from a known member costs one signature check. What is asked for by several calls at once
is asked for once.
"""

from collections.abc import Callable
from datetime import timedelta

from entrepot.identity import (
    MEMBERSHIP,
    Caller,
    DidDocument,
    Guest,
    Membership,
    Signer,
    Standing,
    StandingState,
    Token,
    claimed_did,
    claimed_issuer,
    guest_standing,
    issue_id_token,
    known_guest,
    known_member,
    membership_in,
    object_to_guest,
    remember_guest,
    remember_membership,
    remember_status_list,
    standing,
    use_once,
    verify_id_token,
    verify_membership,
    verify_status_list,
)
from entrepot.journal import Journal, new_uuid
from entrepot.protocols.dcp.documents import JUST_NOW, KEPT, Documents
from entrepot.protocols.dcp.errors import RevokedError
from entrepot.protocols.dcp.references import References
from entrepot.protocols.dcp.shelf import Shelf
from entrepot.protocols.dcp.trust import Trust
from entrepot.protocols.dcp.verifier import Answer, Verifier
from entrepot.protocols.route import Outgoing
from entrepot.values import Clock, Did, EntrepotError, MalformedError, TrustError, UnavailableError, UtcTime


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
        self._trust = trust
        self._signer = signer
        self._clock = clock
        self._access_token = access_token
        self._documents = Documents(journal, outgoing, trust, clock)
        references = References(outgoing, trust, clock, self._documents)
        self._verifier = Verifier(outgoing, trust, signer, clock, self._documents, references)
        self._found: Shelf[Did, Membership | Guest] = Shelf(clock)

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
        party = await self._party(caller, KEPT)
        found = await self._standing(party)
        if found.state in {StandingState.REVOKED, StandingState.OUT_OF_TIME}:
            # It may have been admitted again: then it has another credential to show.
            party = await self._party(caller, JUST_NOW)
            found = await self._standing(party)
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

    async def look_again(self, did: Did) -> None:
        """Ask the issuers of what a guest has shown whether it still holds, and write down what they say.

        Raises `UnavailableError` where one cannot be reached; what is known of the guest then grows old.
        """
        guest = await self._journal.look_up(lambda c: known_guest(c, did))
        if guest is None or guest.against:
            return
        now = self._clock()
        try:
            await self._confirmed(did, await self._verifier.again(did, guest.shown, JUST_NOW), now)
        except RevokedError:
            return  # it is written down
        except TrustError as error:
            why = str(error)
            await self._journal.write(lambda tx: object_to_guest(tx, did, why))

    async def document(self, did: Did) -> DidDocument:
        """The DID document of `did`, at most some minutes old; older while the party cannot be reached."""
        return await self._documents.find(did)

    def introduce(self, document: DidDocument) -> None:
        """Make a document known that need not be fetched: our own."""
        self._documents.introduce(document)

    async def take_in_own_credential(self, credential: str) -> None:
        """Verify and keep the credential that the platform made out to us."""
        issuer = await self.document(self._trust.platform)
        token, _ = claimed_issuer(credential)
        key = issuer.key(token.key_id, "assertionMethod")
        if key is None:
            raise TrustError("the credential is signed by a key that is not the platform's")
        membership = verify_membership(credential, self._trust.me, issuer.id, key, self._clock())
        await self._remember(credential, membership)

    async def take_in_status_list(self, raw: str) -> bool:
        """Verify a status list, from whoever relays it, and keep it if it is newer than ours."""
        issuer = await self.document(self._trust.platform)
        token, did = claimed_issuer(raw)
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
            anew = await self._documents.find(did, JUST_NOW)
            if anew is document:
                raise
            return verify_id_token(token, anew, self._trust.me, self._clock())

    async def _party(self, caller: Caller, most: timedelta) -> Membership | Guest:
        now = self._clock()
        kept = self._found.find(caller.did, most)
        if kept is not None and now < self._until(kept):
            return kept
        known = self._found.known(caller.did, timedelta.max)
        if known is None:
            known = await self._journal.look_up(lambda c: known_member(c, caller.did))
            if known is not None and known.issuer == self._trust.platform and now < known.valid_until:
                return self._found.keep(caller.did, known, asked=now - JUST_NOW)
        try:
            return await self._ask(caller.did, caller.access_token)
        except UnavailableError as error:
            if isinstance(known, Guest) or known is None or now >= self._until(known):
                raise TrustError(str(error)) from error
            self._found.postpone(caller.did)
            return known  # a signed credential in its time; whether it still holds, the status list says

    async def _ask(self, holder: Did, access_token: str) -> Membership | Guest:
        """Ask the holder's credential service, verify what it shows, and keep it.

        Raises `UnavailableError` where somebody cannot be reached, and `TrustError` for all else.
        """
        try:
            return await self._found.ask(holder, lambda: self._query(holder, access_token))
        except (TrustError, UnavailableError):
            raise
        except EntrepotError as error:
            raise TrustError(f"{holder} shows no membership: {error}") from error

    async def _query(self, holder: Did, access_token: str) -> Membership | Guest:
        if not access_token:
            raise TrustError(f"{holder} sent no access token, so its credentials cannot be asked for")
        scopes = tuple(dict.fromkeys((MEMBERSHIP, *self._trust.scopes)))
        answer = await self._verifier.ask(holder, access_token, scopes)
        refused = [*answer.refused]
        ours = [s for s in answer.shown if s.credential.issuer == self._trust.platform]
        for shown in ours:  # a holder may show others beside it
            try:
                return await self._remember(shown.raw, membership_in(shown.credential))
            except MalformedError as error:
                refused.append(error)
        vouched = tuple(s for s in answer.shown if s.credential.issuer in self._trust.issuers)
        return await self._guest(holder, Answer(vouched, tuple(refused)))

    async def _remember(self, credential: str, membership: Membership) -> Membership:
        await self._journal.write(lambda tx: remember_membership(tx, credential, membership))
        return membership

    async def _guest(self, holder: Did, answer: Answer) -> Guest:
        """Somebody whom issuers that we trust vouch for; never a member that was shut out."""
        now = self._clock()
        known = await self._journal.look_up(lambda c: known_member(c, holder))
        if known is not None and (await self._standing(known)).state is StandingState.REVOKED:
            raise TrustError("the member was revoked")
        try:
            return await self._confirmed(holder, answer, now)
        except TrustError as error:
            raise TrustError(f"{holder} shows no membership: {error}") from error

    async def _confirmed(self, holder: Did, answer: Answer, now: UtcTime) -> Guest:
        """What holds of what somebody has shown, kept for the gate; what was revoked is kept as revoked."""
        try:
            held = await self._verifier.confirm(answer, self._trust.scopes)
        except RevokedError as error:
            why, revoked = str(error), error.revoked
            await self._journal.write(lambda tx: object_to_guest(tx, holder, why, revoked))
            raise
        guest = Guest(holder, tuple(s.raw for s in held), now)
        await self._journal.write(lambda tx: remember_guest(tx, guest))
        return guest

    async def _standing(self, party: Membership | Guest) -> Standing:
        now, welcome = self._clock(), self._trust.welcome
        if isinstance(party, Membership):
            return await self._journal.look_up(lambda c: standing(c, party, now))
        # Its issuers may have been asked again meanwhile.
        kept = await self._journal.look_up(lambda c: known_guest(c, party.did))
        return guest_standing(kept or party, welcome, now)

    def _until(self, party: Membership | Guest) -> UtcTime:
        """Until when what was found is relied on. Nobody brings news of a guest, so it is asked for."""
        if isinstance(party, Membership):
            return party.valid_until
        return party.until(self._trust.status_max_age)
