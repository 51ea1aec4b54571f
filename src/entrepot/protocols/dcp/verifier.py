"""Asking a holder for credentials, and believing what holds (DCP 1.0, Verifiable Presentation Protocol)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from entrepot.identity import (
    Credential,
    Presentation,
    Signer,
    claimed_issuer,
    covered,
    issue_id_token,
    verify_credential,
    verify_presentation,
)
from entrepot.journal import new_uuid
from entrepot.protocols.dcp.codec import parse_presentations, render_query
from entrepot.protocols.dcp.documents import KEPT, Documents
from entrepot.protocols.dcp.errors import RevokedError
from entrepot.protocols.dcp.references import References
from entrepot.protocols.dcp.trust import Trust, reached
from entrepot.protocols.route import Outgoing
from entrepot.values import Clock, Did, EntrepotError, TrustError, UnavailableError

CREDENTIAL_SERVICE: Final = "CredentialService"


@dataclass(frozen=True, slots=True)
class Shown:
    """A credential that holds as far as it says itself; **`confirm` asks its issuer's lists and schemas.**"""

    raw: str
    credential: Credential


@dataclass(frozen=True, slots=True)
class Answer:
    """What a holder showed of what was asked for, and why more of it was not believed."""

    shown: tuple[Shown, ...]
    refused: tuple[EntrepotError, ...]


class Verifier:
    """Asks by scope; the issuers that it believes are our platform and those of the settings."""

    def __init__(
        self,
        outgoing: Outgoing,
        trust: Trust,
        signer: Signer,
        clock: Clock,
        documents: Documents,
        references: References,
    ) -> None:
        self._outgoing = outgoing
        self._trust = trust
        self._signer = signer
        self._clock = clock
        self._documents = documents
        self._references = references

    async def ask(self, holder: Did, access_token: str, scopes: Sequence[str]) -> Answer:
        """Ask the holder's credential service, and verify whatever it shows of what was asked for."""
        shown: list[Shown] = []
        refused: list[EntrepotError] = []
        for presentation in await self._query(holder, access_token, scopes):
            for raw in presentation.credentials:
                try:
                    found = await self._verified(raw, holder, presentation)
                except EntrepotError as error:
                    refused.append(error)
                else:
                    shown += [Shown(raw, found)] if covered(scopes, found) else []
        return Answer(tuple(shown), tuple(refused))

    async def again(self, holder: Did, shown: Sequence[str], most: timedelta) -> Answer:
        """Verify once more what a holder has shown, under keys asked for at most so long ago."""
        found: list[Shown] = []
        refused: list[EntrepotError] = []
        for raw in shown:
            try:
                found.append(Shown(raw, await self._signed(raw, holder, most)))
            except EntrepotError as error:
                refused.append(error)
        return Answer(tuple(found), tuple(refused))

    async def confirm(self, answer: Answer, scopes: Sequence[str]) -> tuple[Shown, ...]:
        """What also its issuers' lists and schemas bear out; each scope must be answered by some of it.

        Raises `UnavailableError` where more might hold if somebody could be reached, and `RevokedError`
        where something was revoked that was needed.
        """
        held: list[Shown] = []
        revoked: list[str] = []
        refused = [*answer.refused]
        for shown in answer.shown:
            try:
                await self._references.check(shown.credential)
            except EntrepotError as error:
                refused.append(error)
                revoked += [shown.raw] if isinstance(error, RevokedError) else []
            else:
                held.append(shown)
        missing = [scope for scope in scopes if not any(covered((scope,), s.credential) for s in held)]
        if not missing:
            return tuple(held)
        away = next((problem for problem in refused if isinstance(problem, UnavailableError)), None)
        if away is not None:
            raise away
        reasons = "; ".join(str(problem) for problem in refused) or "nothing was shown"
        why = f"nothing holds of {', '.join(missing)}: {reasons}"
        raise RevokedError(why, tuple(revoked)) if revoked else TrustError(why)

    async def _query(self, holder: Did, access_token: str, scopes: Sequence[str]) -> list[Presentation]:
        document = await self._documents.find(holder)
        service = document.services.get(CREDENTIAL_SERVICE)
        if service is None:
            raise TrustError(f"{holder} names no {CREDENTIAL_SERVICE}")
        now = self._clock()
        token = issue_id_token(self._signer, self._trust.me, holder, now, new_uuid(), access_token)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        url = service.rstrip("/") + "/presentations/query"
        reply = reached(await self._outgoing("POST", url, render_query(tuple(scopes)), headers))
        if reply.status != 200:
            raise TrustError(f"{holder} shows no credentials ({reply.status})")
        unbound = self._trust.profile.unbound_presentations
        return [
            verify_presentation(raw, document, self._trust.me, self._clock(), unbound=unbound)
            for raw in parse_presentations(reply.body)
        ]

    async def _signed(self, raw: str, holder: Did, most: timedelta = KEPT) -> Credential:
        """What an issuer that we trust says of the holder."""
        token, issuer = claimed_issuer(raw)
        if not self._trust.believes(issuer):
            raise TrustError("the credential is of an issuer that is not trusted here")
        public = (await self._documents.find(issuer, most)).key(token.key_id, "assertionMethod")
        if public is None:
            raise TrustError("the credential is signed by a key that is not its issuer's")
        insecure = self._trust.profile.insecure_shape
        return verify_credential(raw, holder, issuer, public, self._clock(), insecure_shape=insecure)

    async def _verified(self, raw: str, holder: Did, presentation: Presentation) -> Credential:
        found = await self._signed(raw, holder)
        if found.form is not presentation.form:
            raise TrustError(
                "the credential is of another form than the presentation (Profiles: homogeneity)"
            )
        return found
