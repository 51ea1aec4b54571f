"""A space of ours whose provider takes in guests, and what the EDC of a guest does there."""

from collections.abc import Iterable
from pathlib import Path

from abroad import Chamber
from edc import Door, Edc, SaidNoError
from harness import peer
from town import RULES, resettle

from entrepot.identity import CredentialForm
from entrepot.node import making
from entrepot.node.settings import Guests, IdentitySettings, Settings, Status
from entrepot.protocols.dcp import ProfileName
from space import Running, Space, found_space, wait_for


def found_host(folder: Path) -> Space:
    """A space whose nodes ask issuers for news each second."""
    return found_space(folder, rules=RULES, status=Status(max_age=3600, resign=600, poll=1))


def welcome(
    node: Running, chamber: Chamber, origins: Iterable[str], profile: ProfileName = ProfileName.STRICT
) -> None:
    """Let in the members of a chamber; `origins` are where their machines answer.

    EDC 0.15.1 reads presentations of the older form only: guests are shown that, members the newer.
    """
    hold_the_older_form(node)
    settings = Settings.read(node.folder / making.SETTINGS)
    resettle(
        node,
        guests=Guests(issuers=(chamber.did,), forms=(CredentialForm.VC11,)),
        outgoing=making.allow(settings.outgoing, [chamber.url, *origins]),
        identity=IdentitySettings(profile=profile),
    )


def hold_the_older_form(node: Running) -> None:
    """Have a node ask its platform for its membership in that form too."""
    node.ask("POST", "/owner/credential-requests", {"types": ["MembershipCredential"], "form": "vc11"})

    def is_here() -> bool:
        node.ask("GET", "/owner/credential-requests")
        held = node.ask("GET", "/owner/credentials")
        return CredentialForm.VC11.value in {credential["form"] for credential in held}

    wait_for("the older form", is_here)


def browses(connector: Edc, host: Space) -> bool:
    """Whether our provider shows its catalogue."""
    try:
        connector.catalog(peer(host.provider))
    except SaidNoError:
        return False
    return True


def agreed(host: Space, connector: Edc, product: str) -> str:
    """Have the EDC negotiate for a product of our provider; gives the agreement's id in the EDC."""
    us = peer(host.provider)
    return connector.agreed(connector.negotiate(us, connector.offer_of(us, product)))


def opened(host: Space, connector: Edc, agreement: str, kind: str = "HttpData-PULL") -> Door:
    """Start a transfer of our provider's, and give its door."""
    key = connector.transfer(peer(host.provider), agreement, kind)
    return connector.door(key)


def ends_refused(connector: Edc, key: str) -> None:
    """Wait for the end of a transfer that our provider refuses."""
    wait_for(
        "the end of a transfer that is refused",
        lambda: connector.transfer_process(key)["state"] == "TERMINATED",
    )
