"""The token service: self-issued tokens for the owner's own software (DCP 1.0, 4.4; OAuth 2.0, RFC 6749 4.4).

A client that the owner made shows its secret and is given a token that says who we are, to one audience;
the access token in it grants that audience what the client asked for, within what the client may grant.
**Whoever has a client's secret acts in this node's name.** There is no client until the owner makes one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from entrepot.identity import (
    ACCESS_LIFETIME,
    Access,
    Scope,
    TokenClient,
    includes,
    verify_token_client,
)
from entrepot.journal import Journal
from entrepot.protocols.dcp import shapes
from entrepot.protocols.route import Call, Proof, Response, Route
from entrepot.values import Did, MalformedError, TrustError, UtcTime, canonical
from entrepot.values.canonical import Json

STS_PATH: Final = "/dcp/sts/token"
EXPIRES_IN: Final = 300
MAX_SCOPES: Final = 16
_MOST_FIELDS: Final = 12
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a client asks for."""

    client_id: str
    client_secret: str
    audience: Did
    scopes: tuple[str, ...]
    """What the audience is to see of our credentials."""
    token: str
    """The audience's own access token, which is passed on: as verifier we show what it gave us."""


class OAuthError(MalformedError):
    """A request that the token service refuses, by the code of RFC 6749, 5.2."""

    def __init__(self, code: str, detail: str, status: int = 400) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.http_status = status


def parse_token_request(raw: bytes) -> TokenRequest:
    """Read the form of a client credentials grant; a field that comes twice is refused."""
    try:
        fields = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:
        raise OAuthError("invalid_request", "expected a form") from error
    form = dict(fields)
    if len(form) != len(fields) or any(len(v) > _LONGEST or "\x00" in v for v in form.values()):
        raise OAuthError("invalid_request", "expected each field once, and none too long")
    if form.get("grant_type") != "client_credentials":
        raise OAuthError("unsupported_grant_type", "expected client_credentials")
    audience, scopes = form.get("audience", ""), form.get("bearer_access_scope", "").split()
    if not audience.startswith("did:") or len(audience) > 500:
        raise OAuthError("invalid_request", "audience: expected the DID of whom the token is for")
    if len(scopes) > MAX_SCOPES or (scopes and form.get("token")):
        raise OAuthError("invalid_request", f"expected at most {MAX_SCOPES} scopes, or a token, not both")
    return TokenRequest(
        client_id=form.get("client_id", ""),
        client_secret=form.get("client_secret", ""),
        audience=Did(audience),
        scopes=tuple(dict.fromkeys(scopes)),
        token=form.get("token", ""),
    )


@dataclass(frozen=True, slots=True)
class TokenService:
    """What the endpoint stands on."""

    journal: Journal
    me: Did
    id_token: Callable[[Did, str], str]
    """A fresh self-issued token for this audience, with this access token in it."""
    grant: Callable[[Access], str]
    """Writes an access token of ours."""
    clock: Callable[[], UtcTime]

    def routes(self) -> list[Route]:
        return [Route("POST", STS_PATH, Proof.CLIENT_SECRET, self.token, 16 << 10, shapes.TOKEN)]

    async def token(self, call: Call) -> Response:
        """Give a client a token; what is refused is said as OAuth says it."""
        try:
            request = parse_token_request(call.body)
            client = await self._client(request)
            _check_scopes(client, request.scopes)
        except OAuthError as error:
            said = {"error": error.code, "error_description": str(error).partition(": ")[2]}
            return Response(error.http_status, canonical.encode({**said}))
        access = request.token
        if request.scopes:
            ends = self.clock() + ACCESS_LIFETIME
            access = self.grant(Access(request.audience, request.scopes, ends))
        token = self.id_token(request.audience, access)
        body: dict[str, Json] = {"access_token": token, "token_type": "Bearer", "expires_in": EXPIRES_IN}
        return Response(200, canonical.encode(body))

    async def _client(self, request: TokenRequest) -> TokenClient:
        if request.audience == self.me:
            raise OAuthError("invalid_request", "audience: expected somebody else than this node")
        name, secret = request.client_id, request.client_secret
        try:
            return await self.journal.read(lambda c: verify_token_client(c, name, secret))
        except TrustError as error:
            raise OAuthError("invalid_client", str(error), 401) from error


def check_scopes(scopes: tuple[str, ...]) -> None:
    """Refuse what is no scope, before a client is made that may grant it."""
    for text in scopes:
        Scope.parse(text)


def _check_scopes(client: TokenClient, scopes: tuple[str, ...]) -> None:
    if not all(includes(client.scopes, wanted) for wanted in scopes):
        raise OAuthError("invalid_scope", "the client may not grant all of these scopes")
