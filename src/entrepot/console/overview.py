"""The first page: what waits, what holds, what was used, what needs a look."""

from collections.abc import Sequence
from typing import Final

from entrepot.console.house import Pages, Visit
from entrepot.console.model import (
    Acquisition,
    Contract,
    ContractPage,
    FiledPage,
    Member,
    NegotiationPage,
    Observed,
    ProductPage,
    SignatureRequest,
    UsePage,
)
from entrepot.console.owner import WAITS, Owner
from entrepot.console.page import Answer, Shown

_LATEST: Final = 6


def pages(connector: Owner | None, platform: Owner | None, observer: Owner | None) -> Pages:
    return {("GET", ""): _Overview(connector, platform, observer).show}


class _Overview:
    def __init__(self, connector: Owner | None, platform: Owner | None, observer: Owner | None) -> None:
        self._connector = connector
        self._platform = platform
        self._observer = observer

    async def show(self, _visit: Visit) -> Answer:
        return Shown(
            "overview.html",
            {
                **await self._of_connector(),
                **await self._of_platform(),
                "observed": None
                if self._observer is None
                else await self._observer.read(Observed, "/owner/observer"),
            },
        )

    async def _of_connector(self) -> dict[str, object]:
        if self._connector is None:
            return {"connector": False}
        contracts = await self._connector.every(ContractPage, "/owner/contracts")
        uses = await self._connector.read(UsePage, "/owner/uses", {"limit": str(_LATEST)})
        acquisitions = await self._connector.read(list[Acquisition], "/owner/acquisitions")
        offered = await self._connector.read(ProductPage, "/owner/products", {"limit": "1"})
        requests = await self._connector.read(list[SignatureRequest], "/owner/requests")
        return {
            "connector": True,
            "waits": await self._connector.every(NegotiationPage, "/owner/negotiations", WAITS),
            "requests": [r for r in requests if r.waits_for_you],
            "offered": offered.total,
            "granted": _in_force(contracts, "provider"),
            "held": _in_force(contracts, "consumer"),
            "uses": uses.rows,
            "acquisitions": acquisitions[:_LATEST],
        }

    async def _of_platform(self) -> dict[str, object]:
        if self._platform is None:
            return {"platform": False}
        members = await self._platform.read(list[Member], "/owner/members")
        filed = await self._platform.every(FiledPage, "/owner/contracts")
        return {
            "platform": True,
            "applicants": [m for m in members if m.state == "applied"],
            "members": [m for m in members if m.state == "in-force"],
            "filed": [f for f in filed if f.state == "filed"],
        }


def _in_force(contracts: Sequence[Contract], role: str) -> list[Contract]:
    return [c for c in contracts if c.in_force and c.role == role]
