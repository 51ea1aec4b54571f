"""Decentralized Claims Protocol 1.0: who calls, and the credentials that say so."""

from entrepot.identity import MEMBERSHIP, Alias, Scope
from entrepot.protocols.dcp.asking import DCP_REQUEST, Asking, queue_request
from entrepot.protocols.dcp.client import Acquaintance
from entrepot.protocols.dcp.insecure import InsecureAcquaintance, InsecureIdentity, InsecurePeer
from entrepot.protocols.dcp.issuer import DCP_DELIVERY, ISSUER_PATH, Decide, Deliveries, Issuer
from entrepot.protocols.dcp.profile import (
    IDENTITY_HUB,
    INSECURE_RC6,
    PROFILES,
    STRICT,
    DcpProfile,
    ProfileName,
)
from entrepot.protocols.dcp.routes import PATH, Services, routes
from entrepot.protocols.dcp.storage import Storage
from entrepot.protocols.dcp.sts import STS_PATH, TokenService, check_scopes
from entrepot.protocols.dcp.trust import Trust

__all__ = [
    "DCP_DELIVERY",
    "DCP_REQUEST",
    "IDENTITY_HUB",
    "INSECURE_RC6",
    "ISSUER_PATH",
    "MEMBERSHIP",
    "PATH",
    "PROFILES",
    "STRICT",
    "STS_PATH",
    "Acquaintance",
    "Alias",
    "Asking",
    "DcpProfile",
    "Decide",
    "Deliveries",
    "InsecureAcquaintance",
    "InsecureIdentity",
    "InsecurePeer",
    "Issuer",
    "ProfileName",
    "Scope",
    "Services",
    "Storage",
    "TokenService",
    "Trust",
    "check_scopes",
    "queue_request",
    "routes",
]
