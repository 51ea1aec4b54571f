"""Decentralized Claims Protocol 1.0: who calls, and the credentials that say so."""

from entrepot.protocols.dcp.client import Acquaintance, Guest
from entrepot.protocols.dcp.insecure import InsecureAcquaintance, InsecureIdentity, InsecurePeer
from entrepot.protocols.dcp.profile import INSECURE_RC6, STRICT, DcpProfile
from entrepot.protocols.dcp.routes import PATH, Services, routes
from entrepot.protocols.dcp.scopes import MEMBERSHIP, Alias, Scope
from entrepot.protocols.dcp.trust import Trust

__all__ = [
    "INSECURE_RC6",
    "MEMBERSHIP",
    "PATH",
    "STRICT",
    "Acquaintance",
    "Alias",
    "DcpProfile",
    "Guest",
    "InsecureAcquaintance",
    "InsecureIdentity",
    "InsecurePeer",
    "Scope",
    "Services",
    "Trust",
    "routes",
]
