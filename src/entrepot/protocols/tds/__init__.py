"""The messages of the trusted data space, under the national names (china-tds §6.5, §7.4)."""

from entrepot.protocols.tds.client import Client
from entrepot.protocols.tds.codec import PATH, PLATFORM, SERVICE, STATUS_LIST, MemberCard, MembershipStatus
from entrepot.protocols.tds.ending import Ends
from entrepot.protocols.tds.finding import SEARCH, Unacceptable, judged, search_route
from entrepot.protocols.tds.notices import (
    list_with_platform,
    sign_end,
    sign_stop,
    tell_end,
    tell_stop,
    withdraw_from_platform,
)
from entrepot.protocols.tds.party import PartyServices, party_routes, status_list_route
from entrepot.protocols.tds.platform import PlatformServices, Receipts, platform_routes
from entrepot.protocols.tds.sending import Notices, Signing
from entrepot.protocols.tds.supervision import (
    Acknowledgements,
    OpeningsServices,
    Register,
    RegisterEntry,
    openings_route,
    register_routes,
    sign_openings_request,
)

__all__ = [
    "PATH",
    "PLATFORM",
    "SEARCH",
    "SERVICE",
    "STATUS_LIST",
    "Acknowledgements",
    "Client",
    "Ends",
    "MemberCard",
    "MembershipStatus",
    "Notices",
    "OpeningsServices",
    "PartyServices",
    "PlatformServices",
    "Receipts",
    "Register",
    "RegisterEntry",
    "Signing",
    "Unacceptable",
    "judged",
    "list_with_platform",
    "openings_route",
    "party_routes",
    "platform_routes",
    "register_routes",
    "search_route",
    "sign_end",
    "sign_openings_request",
    "sign_stop",
    "status_list_route",
    "tell_end",
    "tell_stop",
    "withdraw_from_platform",
]
