"""Uses with their proof: what was written down, how far it has come, and the evidence to take away."""

from entrepot.console.house import Pages, Visit
from entrepot.console.model import Acquisition, Proof, Sides, UsePage
from entrepot.console.naming import short
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Download, Shown


def pages(owner: Owner) -> Pages:
    uses = _Uses(owner)
    return {
        ("GET", "/uses"): uses.every,
        ("GET", "/uses/{id}"): uses.one,
        ("GET", "/uses/{id}/evidence"): uses.evidence,
        ("GET", "/uses/{id}/sides"): uses.sides,
        ("POST", "/uses/{id}/sides"): uses.ask_sides,
    }


class _Uses:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def every(self, visit: Visit) -> Answer:
        found = await self._owner.read(UsePage, "/owner/uses", visit.place)
        acquisitions = await self._owner.read(list[Acquisition], "/owner/acquisitions")
        values = {"uses": found.rows, "acquisitions": acquisitions, **visit.around("uses", found)}
        return Shown("uses.html", values)

    async def one(self, visit: Visit) -> Answer:
        proof = await self._owner.read(Proof, "/owner/uses/{id}", id=visit.path["id"])
        return Shown("use.html", {"proof": proof})

    async def sides(self, visit: Visit) -> Answer:
        """What is known here of both sides of a use, and where they differ."""
        sides = await self._owner.read(Sides, "/owner/uses/{id}/sides", id=visit.path["id"])
        return Shown("sides.html", {"sides": sides})

    async def ask_sides(self, visit: Visit) -> Answer:
        """The same, after the provider was asked for its own; it writes down that we asked."""
        reply = await self._owner.ask("POST", "/owner/uses/{id}/sides", id=visit.path["id"])
        return Shown("sides.html", {"sides": Owner.decode(reply, Sides)})

    async def evidence(self, visit: Visit) -> Answer:
        """The evidence package, as the command line exports it."""
        reply = await self._owner.ask("GET", "/owner/evidence/{id}", id=visit.path["id"])
        name = "".join(c for c in short(visit.path["id"]) if c.isalnum())
        return Download(f"evidence-{name}.tar", reply.body, reply.media_type)
