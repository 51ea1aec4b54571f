"""The credential service and the DID document: what others ask of us to find out who we are (DCP 1.0, 5).

What a verifier sees is what it asks for by scope, and of that only what its access token grants.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.identity import (
    Access,
    Caller,
    CredentialForm,
    OwnCredential,
    Signer,
    covered,
    includes,
    issue_presentation,
)
from entrepot.journal import new_uuid
from entrepot.protocols.dcp import shapes
from entrepot.protocols.dcp.codec import parse_query, render_presentations
from entrepot.protocols.dcp.profile import STRICT, DcpProfile
from entrepot.protocols.dcp.storage import Storage
from entrepot.protocols.route import Call, Handler, Proof, Response, Route, Shape
from entrepot.values import Clock, Did, RefusedError, TrustError

PATH: Final = "/dcp"
MAX_SHOWN: Final = 16
"""So many credentials are shown at once, the latest of them."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the endpoints stand on."""

    me: Did
    signer: Signer
    did_document: Callable[[], bytes]
    held: Callable[[Did], Awaitable[Sequence[OwnCredential]]]
    """Our credentials that hold now."""
    identify: Callable[[str], Awaitable[Caller]]
    """Turns an `Authorization` header into whoever sent it."""
    access: Callable[[str, Did], Access]
    """What an access token of ours grants to this party, or `TrustError`."""
    clock: Clock
    storage: Storage | None = None
    profile: DcpProfile = STRICT


def routes(services: Services) -> list[Route]:
    """The DID document, presentation queries of those whom we called, and what issuers bring."""

    async def did_document(_call: Call) -> Response:
        return Response(200, services.did_document(), "application/did+json")

    async def query(call: Call) -> Response:
        caller = await services.identify(call.headers.get("authorization", ""))
        if not caller.access_token:
            raise TrustError("no access token of ours")
        granted = services.access(caller.access_token, caller.did).scopes
        asked = parse_query(call.body)
        if services.profile.refuses_wider_scopes and not all(includes(granted, scope) for scope in asked):
            raise RefusedError("the access token does not grant all of these scopes")
        shown = [
            own
            for own in await services.held(caller.did)
            if covered(asked, own.credential) and covered(granted, own.credential)
        ]
        return Response(200, render_presentations(_presentations(services, caller.did, shown[:MAX_SHOWN])))

    def post(path: str, proof: Proof, handle: Handler, shape: Shape, max_bytes: int = 64 << 10) -> Route:
        return Route("POST", PATH + path, proof, handle, max_bytes, shape)

    found = [
        Route("GET", "/.well-known/did.json", Proof.NONE, did_document, shape=shapes.DID_DOCUMENT),
        post("/presentations/query", Proof.ACCESS_TOKEN, query, shapes.QUERY),
    ]
    if services.storage is not None:
        store, offer = services.storage.store, services.storage.offer
        found += [
            post("/credentials", Proof.ID_TOKEN, store, shapes.DELIVERY, 1 << 20),
            post("/offers", Proof.ID_TOKEN, offer, shapes.OFFER),
        ]
    return found


def _presentations(services: Services, reader: Did, shown: Sequence[OwnCredential]) -> tuple[str, ...]:
    """One presentation a form that something is shown in (DCP 1.0, Profiles: homogeneity)."""
    by_form = {form: tuple(o.raw for o in shown if o.credential.form is form) for form in CredentialForm}
    return tuple(
        issue_presentation(
            services.signer, services.me, reader, credentials, services.clock(), new_uuid(), form
        )
        for form, credentials in by_form.items()
        if credentials
    )
