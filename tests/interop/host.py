"""A space of ours whose provider takes in guests, and what the EDC of a guest does there."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from abroad import Chamber
from edc import Door, Edc, SaidNoError
from harness import peer
from runtime import hang_up

from entrepot.identity import CredentialForm
from entrepot.node import making
from entrepot.node.settings import Guests, IdentitySettings, Settings, SpaceRules, Status
from entrepot.protocols.dcp import ProfileName
from space import Running, Space, found_space, wait_for


def found_host(folder: Path) -> Space:
    """A space whose operator lets one side file up to L2; its provider asks issuers for news each second."""
    rules = SpaceRules(place="3101", one_sided_up_to="L2")
    return found_space(folder, rules=rules, status=Status(max_age=3600, resign=600, poll=1))


def welcome(
    node: Running, chamber: Chamber, origins: Iterable[str], profile: ProfileName = ProfileName.STRICT
) -> None:
    """Let in the members of a chamber; `origins` are where their machines answer.

    EDC 0.15.1 reads presentations of the older form only: guests are shown that, members the newer.
    """
    node.ask("POST", "/owner/credential-requests", {"types": ["MembershipCredential"], "form": "vc11"})
    wait_for("the older form", lambda: _holds_older_form(node))
    settings = Settings.read(node.folder / making.SETTINGS)
    resettle(
        node,
        guests=Guests(issuers=(chamber.did,), forms=(CredentialForm.VC11,)),
        outgoing=making.allow(settings.outgoing, [chamber.url, *origins]),
        identity=IdentitySettings(profile=profile),
    )


def resettle(node: Running, **sections: object) -> None:
    """Start a node anew with other settings in these sections."""
    path = node.folder / making.SETTINGS
    making.write_settings(msgspec.structs.replace(Settings.read(path), **sections), path)
    restarted(node)


def _holds_older_form(node: Running) -> bool:
    node.ask("GET", "/owner/credential-requests")
    held = node.ask("GET", "/owner/credentials")
    return CredentialForm.VC11.value in {credential["form"] for credential in held}


@contextmanager
def differently(node: Running, **sections: object) -> Iterator[None]:
    """A node with other settings, for as long as this lasts."""
    path = node.folder / making.SETTINGS
    as_it_was = path.read_bytes()
    resettle(node, **sections)
    try:
        yield
    finally:
        path.write_bytes(as_it_was)
        restarted(node)


def restarted(node: Running) -> None:
    """Start a node anew; it asks everybody again who they are, as it would in a minute."""
    hang_up([int(node.public.rpartition(":")[2])])
    node.stop()
    node.start()
    wait_for("a node that was restarted", node.is_up)


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
    return stored(connector, key)


def stored(connector: Edc, key: str) -> Door:
    """What EDC stores of a transfer, a moment after it has started."""
    connector.reaches(f"/transferprocesses/{key}", "STARTED")

    def look() -> Door | None:
        try:
            return connector.door(key)
        except SaidNoError as no:
            if no.status != 404:
                raise
            return None

    return wait_for("its data address", look)


def ends_refused(connector: Edc, key: str) -> None:
    """Wait for the end of a transfer that our provider refuses."""
    wait_for(
        "the end of a transfer that is refused",
        lambda: connector.transfer_process(key)["state"] == "TERMINATED",
    )
