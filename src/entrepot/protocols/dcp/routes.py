"""What others ask of us to find out who we are: our DID document and our credentials (DCP 1.0)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hmac import compare_digest

from entrepot.identity import Caller, Signer, issue_presentation, parse_token, read_credential
from entrepot.journal import new_uuid
from entrepot.protocols.dcp import shapes
from entrepot.protocols.dcp.codec import parse_query, render_presentations
from entrepot.protocols.dcp.scopes import covered
from entrepot.protocols.route import Call, Proof, Response, Route
from entrepot.values import Clock, Did, TrustError

PATH = "/dcp"


@dataclass(frozen=True, slots=True)
class Services:
    """What the endpoints stand on."""

    me: Did
    signer: Signer
    did_document: Callable[[], bytes]
    credential: Callable[[], Awaitable[str | None]]
    """Our membership credential; None before admission."""
    identify: Callable[[str], Awaitable[Caller]]
    """Turns an `Authorization` header into whoever sent it."""
    access_token: Callable[[Did], str]
    """The token that we gave this party with our call; with it it may ask for our credentials."""
    clock: Clock


def routes(services: Services) -> list[Route]:
    """The DID document, and presentation queries of those whom we called."""

    async def did_document(_call: Call) -> Response:
        return Response(200, services.did_document(), "application/did+json")

    async def query(call: Call) -> Response:
        caller = await services.identify(call.headers.get("authorization", ""))
        given = services.access_token(caller.did)
        if not caller.access_token or not compare_digest(caller.access_token.encode(), given.encode()):
            raise TrustError("no access token of ours")
        scopes = parse_query(call.body)
        credential = await services.credential()
        shown = (
            ()
            if credential is None or not covered(scopes, read_credential(parse_token(credential)))
            else (credential,)
        )
        presentation = issue_presentation(
            services.signer, services.me, caller.did, shown, services.clock(), new_uuid()
        )
        return Response(200, render_presentations((presentation,)))

    return [
        Route("GET", "/.well-known/did.json", Proof.NONE, did_document, shape=shapes.DID_DOCUMENT),
        Route(
            "POST",
            PATH + "/presentations/query",
            Proof.ACCESS_TOKEN,
            query,
            max_bytes=64 << 10,
            shape=shapes.QUERY,
        ),
    ]
