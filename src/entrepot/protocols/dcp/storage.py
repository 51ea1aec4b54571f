"""What issuers bring to a holder: credentials (DCP 1.0, 6.5, Storage API) and offers of them (6.6).

Taken from an issuer that this node believes or has asked, verified before anything is kept, and kept
whole or not at all. A repeat of what is held changes nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from entrepot.identity import (
    MEMBERSHIP_TYPE,
    Access,
    Asked,
    AskedState,
    Caller,
    Credential,
    CredentialForm,
    DidDocument,
    answer,
    ask_for,
    claimed_issuer,
    have_asked,
    keep_credential,
    keep_offer,
    request_of,
    verify_credential,
)
from entrepot.journal import Journal, Transaction
from entrepot.protocols.dcp.asking import queue_request
from entrepot.protocols.dcp.issuance_codec import Container, Delivery, Outcome, parse_delivery, parse_offer
from entrepot.protocols.dcp.profile import DcpProfile
from entrepot.protocols.route import Call, Response
from entrepot.values import Clock, Did, MalformedError, RefusedError, TrustError, sha256


@dataclass(frozen=True, slots=True)
class Storage:
    """Where issuers bring credentials and offers."""

    journal: Journal
    me: Did
    platform: Did
    identify: Callable[[str], Awaitable[Caller]]
    document: Callable[[Did], Awaitable[DidDocument]]
    access: Callable[[str, Did], Access]
    """What an access token of ours grants to this party, or `TrustError`."""
    believes: Callable[[Did], bool]
    """Whether an issuer may bring us what we have not asked for."""
    take_in_membership: Callable[[str], Awaitable[object]]
    profile: DcpProfile
    clock: Clock
    follows_offers: bool = False
    """Whether what a believed issuer offers is asked for at once."""

    async def store(self, call: Call) -> Response:
        """Take in the answer to a request: credentials, or that there will be none."""
        issuer = await self._issuer(call)
        delivery = parse_delivery(call.body)
        asked = await self.journal.read(lambda c: request_of(c, delivery.holder_pid))
        if asked is not None and asked.issuer != issuer:
            asked = None
        if asked is None and not self.believes(issuer):
            raise RefusedError("nothing was asked of this issuer")
        if delivery.outcome is Outcome.REJECTED:
            await self.journal.write(
                lambda tx: answer(tx, delivery.holder_pid, AskedState.REJECTED, reason=delivery.reason)
            )
            return Response(200, b"{}")
        found = [(c.payload, await self._verified(c, issuer, asked)) for c in delivery.credentials]
        await self.journal.write(lambda tx: self._keep(tx, delivery, asked, found))
        for raw, credential in found:
            if _is_our_membership(credential, self.platform):
                await self.take_in_membership(raw)
        return Response(200, b"{}")

    async def offer(self, call: Call) -> Response:
        """Keep an offer, and follow it where the owner wants that."""
        issuer = await self._issuer(call)
        offered = parse_offer(call.body)
        if offered.issuer != issuer:
            raise TrustError("the offer is another issuer's")
        if not self.believes(issuer) and not await self.journal.read(lambda c: have_asked(c, issuer)):
            raise RefusedError("offers are taken from issuers that this node believes or has asked")
        digest = sha256(issuer.encode() + b"\n" + call.body).hex()

        def keep(tx: Transaction) -> None:
            keep_offer(tx, issuer, offered.kinds, digest)
            if self.follows_offers and self.believes(issuer):
                queue_request(tx, ask_for(tx, issuer, offered.kinds))

        await self.journal.write(keep)
        return Response(200, b"{}")

    async def _issuer(self, call: Call) -> Did:
        """Who is calling; an access token that comes along must be ours, and its own."""
        caller = await self.identify(call.headers.get("authorization", ""))
        if caller.access_token:
            self.access(caller.access_token, caller.did)
        return caller.did

    async def _verified(self, container: Container, issuer: Did, asked: Asked | None) -> Credential:
        """A credential that is what its container says, about us, signed by who brings it."""
        form = self.profile.form_of(container.format)
        if form is None:
            raise MalformedError("format: expected the name of a form that is known here")
        token, claimed = claimed_issuer(container.payload)
        if claimed != issuer:
            raise TrustError("the credential is of another issuer than the one who brings it")
        public = (await self.document(issuer)).key(token.key_id, "assertionMethod")
        if public is None:
            raise TrustError("the credential is signed by a key that is not its issuer's")
        insecure = self.profile.insecure_shape
        found = verify_credential(
            container.payload, self.me, issuer, public, self.clock(), insecure_shape=insecure
        )
        if found.form is not form or container.type not in found.types:
            raise MalformedError("the credential is not what its container says")
        if not self.believes(issuer) and not _was_asked_for(asked, container.type):
            raise RefusedError("the issuer brings what it was not asked for")
        return found

    def _keep(
        self, tx: Transaction, delivery: Delivery, asked: Asked | None, found: list[tuple[str, Credential]]
    ) -> None:
        fresh = [raw for raw, credential in found if keep_credential(tx, raw, credential)]
        is_expected = asked is not None and asked.is_open
        if fresh and not is_expected and not self.believes(found[0][1].issuer):
            raise RefusedError("what was asked of this issuer has ended")
        answer(tx, delivery.holder_pid if is_expected else "", AskedState.ISSUED)


def _was_asked_for(asked: Asked | None, kind: str) -> bool:
    return asked is not None and any(wanted.type in {kind, ""} for wanted in asked.kinds)


def _is_our_membership(credential: Credential, platform: Did) -> bool:
    """Whether it takes the place of the membership that others are shown by every call."""
    return (
        credential.issuer == platform
        and MEMBERSHIP_TYPE in credential.types
        and credential.form is CredentialForm.VC20
    )
