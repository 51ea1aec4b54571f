"""Planes of other products that are registered here, and the data flows at ours."""

from entrepot.console.house import Pages, Visit
from entrepot.console.model import Signaling
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Shown


def pages(owner: Owner) -> Pages:
    async def every(_visit: Visit) -> Answer:
        return Shown("planes.html", {"signaling": await owner.read(Signaling, "/owner/signaling")})

    return {("GET", "/planes"): every}
