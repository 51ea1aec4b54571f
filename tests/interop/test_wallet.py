"""A real EDC whose credentials are in a real IdentityHub, the wallet that connectors of Eclipse's use.

Neither keeps to DCP 1.0 in all (docs/decisions/0013): our provider takes it where its owner says so.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from abroad import Chamber
from edc import Edc, SaidNoError, by_dcp, prepared
from harness import Origin, begun, both_at, fetched, over, peer, pulled, their_process
from host import agreed, ends_refused, found_host, opened, welcome
from hub import IdentityHub, prepared_hub
from jars import DCP, IDENTITY_HUB
from runtime import hang_up
from town import differently, restarted

from entrepot.identity import CredentialForm
from entrepot.node.settings import IdentitySettings
from entrepot.protocols.dcp import ProfileName
from entrepot.values import Did
from space import Space, wait_for

pytestmark = pytest.mark.long

CONTENT = b"a line for who has a wallet\n" * 5_000
INDEX = 7


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityHub]:
    """The wallet; `host` starts it, once it knows whose it is."""
    fetched(IDENTITY_HUB)
    runtime = prepared_hub(tmp_path_factory.mktemp("hub"))
    yield runtime
    runtime.stop()


@pytest.fixture(scope="module")
def connector(hub: IdentityHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edc]:
    """The guest; `host` starts it, once it knows whom it is to believe."""
    identity = by_dcp(hub.did, hub.token_service, hub.did, hub.secret)
    runtime = prepared(tmp_path_factory.mktemp("edc-of-hub"), hub.did, DCP, identity)
    yield runtime
    runtime.stop()


@pytest.fixture(scope="module")
def host(
    chamber: Chamber, hub: IdentityHub, connector: Edc, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Space]:
    """A space whose nodes welcome the chamber's members, and take what their wallets write."""
    running = found_host(tmp_path_factory.mktemp("host-of-hub"))
    try:
        origins = [*hub.origins, connector.origin, f"http://127.0.0.1:{connector.ports['public']}"]
        for node in (running.provider, running.consumer):
            welcome(node, chamber, origins, ProfileName.IDENTITY_HUB)
        hub.settings |= {"interop.holder.connector": connector.peer.address}
        connector.settings |= {"edc.iam.trusted-issuer.space.id": running.operator.did}
        for runtime in (hub, connector):
            runtime.start()
        wait_for("an IdentityHub and an EDC", lambda: hub.is_up() and connector.is_up())
        yield running
    finally:
        hang_up(int(node.public.rpartition(":")[2]) for node in running.nodes)
        running.stop()


@pytest.fixture(scope="module")
def product(host: Space) -> str:
    return host.offer(CONTENT, uses=1_000)


@pytest.mark.parametrize("form", CredentialForm)
def test_a_guest_with_an_identity_hub_agrees_and_pulls(
    host: Space, connector: Edc, hub: IdentityHub, chamber: Chamber, product: str, form: CredentialForm
) -> None:
    """In whichever form its issuer writes, it needs nothing of ours to use data."""
    hub.holds(chamber.says(hub.did, INDEX, form=form))
    restarted(host.provider)

    agreement = agreed(host, connector, product)

    assert pulled(opened(host, connector, agreement)) == (200, CONTENT)


@pytest.mark.parametrize("way", ["HttpData-PULL", "HttpData-PUSH"])
def test_our_consumer_takes_from_a_guest_with_an_identity_hub(
    host: Space,
    connector: Edc,
    hub: IdentityHub,
    chamber: Chamber,
    origin: Origin,
    way: str,
    tmp_path: Path,
) -> None:
    """Each side proves who it is to the other, at every message."""
    hub.holds(chamber.says(hub.did, INDEX))
    restarted(host.consumer)
    origin.content["/theirs"] = CONTENT
    connector.publish(f"theirs-{way}", f"{origin.url}/theirs")
    target = tmp_path / "received"

    ended = over(host.consumer, begun(host.consumer, connector, f"theirs-{way}", target, way)["id"])

    assert (ended["state"], ended["problem"], ended["size"]) == ("received", "", len(CONTENT))
    assert target.read_bytes() == CONTENT
    theirs = their_process(connector, ended["process"])
    both_at(host.consumer, ended["process"], connector, theirs, "COMPLETED")


def test_what_its_issuer_takes_back_opens_nothing_more(
    host: Space, connector: Edc, hub: IdentityHub, chamber: Chamber, product: str
) -> None:
    """A wallet that shows it all the same changes nothing: the issuer's list is what counts."""
    hub.holds(chamber.says(hub.did, INDEX + 1))
    restarted(host.provider)
    agreement = agreed(host, connector, product)
    door = opened(host, connector, agreement)
    assert pulled(door) == (200, CONTENT)

    chamber.revoked.add(INDEX + 1)

    wait_for("a refusal", lambda: pulled(door)[0] == 403)
    ends_refused(connector, connector.transfer(peer(host.provider), agreement))


def test_a_credential_of_somebody_else_makes_no_guest(
    host: Space, connector: Edc, hub: IdentityHub, chamber: Chamber
) -> None:
    """What the profile gives up is not whose a credential is."""
    hub.holds(chamber.says(Did("did:web:somebody.example"), INDEX + 2))
    restarted(host.provider)

    with pytest.raises(SaidNoError):
        connector.catalog(peer(host.provider))


def test_a_strict_node_takes_no_wallet_that_lists_no_relations_of_keys(
    host: Space, connector: Edc, hub: IdentityHub, chamber: Chamber, product: str
) -> None:
    """A verifier MUST find `authentication` (DCP 1.0, 5.4.3); once it does, the profile has served."""
    hub.holds(chamber.says(hub.did, INDEX + 3, form=CredentialForm.VC11))
    assert not hub.document().get("authentication")

    with differently(host.provider, identity=IdentitySettings()), pytest.raises(SaidNoError):
        connector.catalog(peer(host.provider))
    assert connector.dataset(peer(host.provider), product)["@id"] == product
