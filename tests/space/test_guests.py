"""A guest: a member of another space, let in by a connector whose owner trusts that space's platform."""

from collections.abc import Iterator
from urllib.parse import quote

import msgspec
import pytest

from entrepot.node import making
from entrepot.node.settings import Guests, Outgoing, Settings
from entrepot.values import Did
from space import Running, SaidNoError, Space, found_space, made_bytes, wait_for


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """Another space, with a platform and members of its own."""
    running = found_space(tmp_path_factory.mktemp("abroad"))
    yield running
    running.stop()


def test_a_member_of_another_space_browses_here_for_as_long_as_it_is_one(space: Space, abroad: Space) -> None:
    """Its credential, its platform's status list and keys are verified as any verifier of the field would.

    Before the owner trusts that platform it is a stranger; when it is shut out there it is one again.
    """
    host, guest = space.provider, abroad.consumer
    as_it_was = (host.folder / making.SETTINGS).read_bytes()
    product = space.offer(made_bytes(1_000, seed=11), uses=1)
    _restarted(guest, allow=(host.origin,))
    try:
        _refused(guest, host)
        _restarted(host, allow=tuple(node.origin for node in abroad.nodes), trusts=abroad.operator.did)
        assert product in [row["product"] for row in _seen(guest, host)]

        abroad.operator.ask("POST", f"/owner/members/{quote(guest.did, safe='')}/revoke")
        _restarted(host)  # it would be asked again when news of a member is old
        _refused(guest, host)
    finally:
        (host.folder / making.SETTINGS).write_bytes(as_it_was)
        _restarted(host)


def _restarted(node: Running, allow: tuple[str, ...] = (), trusts: str = "") -> None:
    path = node.folder / making.SETTINGS
    before = Settings.read(path)
    outgoing: Outgoing = msgspec.structs.replace(
        before.outgoing, allow_private=(*before.outgoing.allow_private, *allow)
    )
    guests = Guests(issuers=(Did(trusts),)) if trusts else before.guests
    making.write_settings(msgspec.structs.replace(before, outgoing=outgoing, guests=guests), path)
    node.stop()
    node.start()
    wait_for("a node that was restarted", node.is_up)


def _seen(guest: Running, host: Running) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = guest.ask("GET", f"/owner/catalogues/{quote(host.did, safe='')}")
    return rows


def _refused(guest: Running, host: Running) -> None:
    with pytest.raises(SaidNoError, match="answered 404"):
        _seen(guest, host)
