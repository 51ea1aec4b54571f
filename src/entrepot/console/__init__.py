"""How do people reach a node? A small web console on the owner's port.

The server renders; every view is a URL that works without script. What it shows and does goes through the
owner's API (`owner.py`), so it has no powers of its own.
"""

from collections.abc import Sequence

from entrepot.console import (
    agreements,
    asking,
    entrance,
    find,
    members,
    offers,
    overview,
    planes,
    signatures,
    transfers,
    uses,
    waiting,
    watch,
)
from entrepot.console.house import House, Pages, Section
from entrepot.console.owner import CONNECTOR, OBSERVER, PLATFORM, SIGNALING, role_of
from entrepot.console.session import Sessions
from entrepot.console.words import mark
from entrepot.node.node import Node, Part
from entrepot.node.settings import OWNER_TOKEN
from entrepot.protocols import Route

_OF_CONNECTOR = (
    Section("/waiting", mark("Waiting for me")),
    Section("/products", mark("What I offer")),
    Section("/find", mark("Find products")),
    Section("/usable", mark("What I may use")),
    Section("/contracts", mark("Contracts")),
    Section("/transfers", mark("Transfers")),
    Section("/uses", mark("Uses and proof")),
)
_OF_PLATFORM = (Section("/members", mark("Members")), Section("/register", mark("Register of contracts")))
_OF_OBSERVER = (Section("/supervision", mark("Supervision")), Section("/watch", mark("The ledger")))


def routes(node: Node, parts: Sequence[Part]) -> list[Route]:
    """Every page of the console of this node, by the roles it has."""
    connector, platform, observer = (role_of(parts, only) for only in (CONNECTOR, PLATFORM, OBSERVER))
    sections = [Section("", mark("Overview"))]
    closed: Pages = overview.pages(connector, platform, observer)
    if connector is not None:
        sections += _OF_CONNECTOR
        for subject in (waiting, signatures, offers, asking, find, agreements, transfers, uses):
            closed = {**closed, **subject.pages(connector)}
    if (signaling := role_of(parts, SIGNALING)) is not None:
        sections.append(Section("/planes", mark("Data planes")))
        closed = {**closed, **planes.pages(signaling)}
    if platform is not None:
        sections += _OF_PLATFORM
        closed = {**closed, **members.pages(platform)}
    if observer is not None:
        sections += _OF_OBSERVER
        closed = {**closed, **watch.pages(observer)}
    token = (node.folder / OWNER_TOKEN).read_bytes()
    house = House(node, Sessions(node.vault.derive, token, node.clock), sections, connector)
    return [
        *entrance.plain_routes(),
        *house.open_routes(entrance.open_pages(house)),
        *house.routes({**entrance.closed_pages(house), **closed, **entrance.last_pages()}),
    ]


__all__ = ["routes"]
