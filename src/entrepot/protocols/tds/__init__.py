"""The messages of the trusted data space, under the national names (china-tds §6.5, §7.4)."""

from entrepot.protocols.tds.client import Client
from entrepot.protocols.tds.codec import PATH, PLATFORM, SERVICE, STATUS_LIST, MemberCard, MembershipStatus
from entrepot.protocols.tds.notices import list_with_platform, sign_end, sign_stop, tell_end, tell_stop
from entrepot.protocols.tds.party import PartyServices, party_routes, status_list_route
from entrepot.protocols.tds.platform import PlatformServices, platform_routes
from entrepot.protocols.tds.sending import Notices, Signing

__all__ = [
    "PATH",
    "PLATFORM",
    "SERVICE",
    "STATUS_LIST",
    "Client",
    "MemberCard",
    "MembershipStatus",
    "Notices",
    "PartyServices",
    "PlatformServices",
    "Signing",
    "list_with_platform",
    "party_routes",
    "platform_routes",
    "sign_end",
    "sign_stop",
    "status_list_route",
    "tell_end",
    "tell_stop",
]
