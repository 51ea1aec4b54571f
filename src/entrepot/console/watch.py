"""For the regulator: what its follower has of the ledger, and reading the ledger again."""

from entrepot.console.house import Pages, Visit
from entrepot.console.model import Audit, Observed
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Shown


def pages(owner: Owner) -> Pages:
    watch = _Watch(owner)
    return {("GET", "/watch"): watch.look, ("POST", "/watch"): watch.audit}


class _Watch:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def look(self, _visit: Visit) -> Answer:
        observed = await self._owner.read(Observed, "/owner/observer")
        return Shown("watch.html", {"observed": observed, "audit": None})

    async def audit(self, _visit: Visit) -> Answer:
        """Read every stored entry again and compare; nothing changes, so its page may be shown at once."""
        audit = Owner.decode(await self._owner.ask("POST", "/owner/observer/audit"), Audit)
        observed = await self._owner.read(Observed, "/owner/observer")
        return Shown("watch.html", {"observed": observed, "audit": audit})
