"""Our own data space beside a real EDC: nodes of ours as in tests/space, and runtimes that they know.

An EDC has no membership here and no `tds`: it comes under the insecure test identity, its contracts are
filed by our side alone, and the space allows that up to a grade.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from edc import Edc
from runtime import hang_up

from entrepot.node import making
from entrepot.node.settings import IdentitySettings, InsecurePeer, Settings, SpaceRules
from entrepot.protocols.dcp import InsecureIdentity
from space import Running, Space, found_space, wait_for

RULES: Final = SpaceRules(place="3101", one_sided_up_to="L2", one_sided_unregistered=True)


def found_town(root: Path) -> Space:
    return found_space(root, rules=RULES)


def acquaint(node: Running, peers: Sequence[InsecurePeer]) -> None:
    """Let a node believe these at their word, and call them; it is started anew for it."""
    settings = Settings.read(node.folder / making.SETTINGS)
    resettle(
        node,
        identity=IdentitySettings(insecure_test=InsecureIdentity.EDC_MOCK, insecure_peers=tuple(peers)),
        outgoing=making.allow(settings.outgoing, [o for peer in peers for o in peer.origins]),
    )


def resettle(node: Running, **sections: object) -> None:
    """Start a node anew with other settings in these sections."""
    path = node.folder / making.SETTINGS
    making.write_settings(msgspec.structs.replace(Settings.read(path), **sections), path)
    restarted(node)


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


def known(runtime: Edc, *more: str) -> InsecurePeer:
    """A runtime, as the settings of a node list it; `more` are other origins that it may name."""
    served = (f"http://127.0.0.1:{runtime.ports[name]}" for name in ("protocol", "public"))
    return InsecurePeer(did=runtime.id, base=runtime.peer.address, origins=(*served, *more))
