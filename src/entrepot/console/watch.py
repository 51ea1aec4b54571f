"""For the regulator: the register of contracts, stop orders, and what its follower has of the ledger."""

from entrepot.console.house import Pages, Visit
from entrepot.console.model import Acknowledgement, Audit, Observed, Opening, Ordered, Registered
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Moved, Shown
from entrepot.values import NotFoundError


def pages(owner: Owner) -> Pages:
    watch = _Watch(owner)
    return {
        ("GET", "/supervision"): watch.register,
        ("GET", "/supervision/{id}/stop"): watch.ask_stop,
        ("POST", "/supervision/{id}/stop"): watch.stop,
        ("GET", "/orders/{id}"): watch.order,
        ("GET", "/watch"): watch.look,
        ("POST", "/watch"): watch.audit,
    }


class _Watch:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def register(self, _visit: Visit) -> Answer:
        """Every contract on file; reading the register is itself written down by the platform."""
        registered = await self._owner.read(list[Registered], "/owner/register")
        openings = await self._owner.read(list[Opening], "/owner/openings")
        return Shown("supervision.html", {"registered": registered, "openings": openings})

    async def ask_stop(self, visit: Visit) -> Answer:
        return Shown("supervision-stop.html", {"contract": await self._registered(visit)})

    async def stop(self, visit: Visit) -> Answer:
        body = {"why": visit.form.get("why", "").strip()}
        reply = await self._owner.ask("POST", "/owner/register/{id}/stop", body, id=visit.path["id"])
        return Moved(visit.to("orders", Owner.decode(reply, Ordered).order), "ordered")

    async def order(self, visit: Visit) -> Answer:
        """Who has acknowledged a stop order; nobody yet, where the platform has not got it yet."""
        order = visit.path["id"]
        try:
            parties = await self._owner.read(list[Acknowledgement], "/owner/orders/{id}", id=order)
        except NotFoundError:
            parties = []
        return Shown("order.html", {"order": order, "parties": parties})

    async def look(self, _visit: Visit) -> Answer:
        observed = await self._owner.read(Observed, "/owner/observer")
        return Shown("watch.html", {"observed": observed, "audit": None})

    async def audit(self, _visit: Visit) -> Answer:
        """Read every stored entry again and compare; nothing changes, so its page may be shown at once."""
        audit = Owner.decode(await self._owner.ask("POST", "/owner/observer/audit"), Audit)
        observed = await self._owner.read(Observed, "/owner/observer")
        return Shown("watch.html", {"observed": observed, "audit": audit})

    async def _registered(self, visit: Visit) -> Registered:
        for each in await self._owner.read(list[Registered], "/owner/register"):
            if each.contract == visit.path["id"]:
                return each
        raise NotFoundError("there is no such contract on file")
