"""Test identities that prove nothing: the mock identity of an Eclipse connector (EDC), and fixed tokens.

**Whoever can reach the port is whom it says it is.** They exist so that a connector of another make can be
tried against ours before its identities are set up. A party is let in only where the settings list it,
with the origins that it may name; a node uses them only where every listener is on loopback, and says so.
Members of our own space prove who they are all the same.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from entrepot.identity import DidDocument, Signer
from entrepot.journal import Journal
from entrepot.protocols.dcp.client import Acquaintance
from entrepot.protocols.dcp.trust import Trust
from entrepot.protocols.route import Outgoing
from entrepot.values import Clock, Did, TrustError, canonical

_REGION: Final = "eu"
_MOST: Final = 4096


class InsecureIdentity(StrEnum):
    """What a listed party says who it is by."""

    EDC_MOCK = "edc-mock"
    """One line of JSON, as EDC's module `iam-mock` sends and wants it."""
    STATIC_TOKEN = "static-token"  # noqa: S105 (the name of a kind)
    """One bearer token for a party, the same in both directions and for ever."""


@dataclass(frozen=True, slots=True)
class InsecurePeer:
    """A party that is let in without a proof."""

    did: Did
    base: str
    """The base address of its Dataspace Protocol."""
    origins: tuple[str, ...] = ()
    """Where else it may want callbacks and data."""
    token: str = ""


class InsecureAcquaintance(Acquaintance):
    """An acquaintance that believes some, who are listed, at their word."""

    def __init__(
        self,
        journal: Journal,
        outgoing: Outgoing,
        trust: Trust,
        signer: Signer,
        clock: Clock,
        access_token: Callable[[Did], str],
        kind: InsecureIdentity,
        peers: Sequence[InsecurePeer],
    ) -> None:
        super().__init__(journal, outgoing, trust, signer, clock, access_token)
        self._kind = kind
        self._peers: Mapping[Did, InsecurePeer] = {peer.did: peer for peer in peers}
        self._me = trust.me

    async def authorization(self, peer: Did) -> str:
        listed = self._peers.get(peer)
        if listed is None:
            return await super().authorization(peer)
        if self._kind is InsecureIdentity.STATIC_TOKEN:
            return f"Bearer {listed.token}"
        mock: canonical.Json = {"audience": listed.base, "clientId": self._me, "region": _REGION}
        return canonical.encode(mock).decode()

    async def authenticate(self, authorization: str) -> Did:
        listed = self._listed(authorization)
        return await super().authenticate(authorization) if listed is None else listed

    async def document(self, did: Did) -> DidDocument:
        """Of a listed party, what the settings say of it; it has no keys."""
        listed = self._peers.get(did)
        if listed is None:
            return await super().document(did)
        named = {f"origin {number}": origin for number, origin in enumerate(listed.origins)}
        services = {"DataService": listed.base, "CatalogService": listed.base, **named}
        return DidDocument(did, {}, {}, services)

    def _listed(self, authorization: str) -> Did | None:
        """Who of those listed sends this; None where it is for the others to say who they are."""
        if self._kind is InsecureIdentity.STATIC_TOKEN:
            sent = authorization.removeprefix("Bearer ").encode()
            return next(
                (p.did for p in self._peers.values() if hmac.compare_digest(p.token.encode(), sent)), None
            )
        if not authorization.startswith("{"):
            return None
        said = _mock(authorization)
        if said not in self._peers:
            raise TrustError("the settings list no such party for the insecure test identity")
        return said


class _Mock(msgspec.Struct, frozen=True):
    """What EDC's mock identity sends; whom it is meant for is not looked at there either."""

    clientId: str  # noqa: N815 (its name on the wire)
    region: str


def _mock(authorization: str) -> Did:
    if len(authorization) > _MOST:
        raise TrustError(f"a mock identity of more than {_MOST} characters")
    try:
        return Did(msgspec.json.decode(authorization, type=_Mock).clientId)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise TrustError("a mock identity names clientId and region") from error
