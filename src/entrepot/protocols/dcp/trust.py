"""Whom a node believes, and how a party that cannot answer differs from one that says no."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from entrepot.identity import MEMBERSHIP, Welcome
from entrepot.protocols.dcp.profile import STRICT, DcpProfile
from entrepot.protocols.route import Reply
from entrepot.values import Did, UnavailableError


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom this node believes: itself, its platform, and how old news may be."""

    me: Did
    platform: Did
    status_max_age: timedelta
    allows_http: Callable[[Did], bool]
    """Whether the document of this DID may be fetched without TLS (loopback in settings)."""
    issuers: frozenset[Did] = frozenset()
    """Whose credentials let in those who are no members of our space."""
    scopes: tuple[str, ...] = (MEMBERSHIP,)
    """What these have to show."""
    profile: DcpProfile = STRICT

    @property
    def welcome(self) -> Welcome:
        """Who is let in as guest."""
        return Welcome(self.issuers, self.scopes)

    def believes(self, issuer: Did) -> bool:
        return issuer == self.platform or issuer in self.issuers


def reached(reply: Reply) -> Reply:
    """Tell a node that is down behind its door from one that says no."""
    if reply.status >= 500:
        raise UnavailableError(f"the party cannot answer now ({reply.status})")
    return reply
