"""Contracts: what they say in both languages, what is left, may I, and how one is stopped."""

from typing import Final

from entrepot.console.house import Pages, Visit
from entrepot.console.model import Acquisition, Contract, ContractPage, Explanation, ProcessPage, UsePage
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Moved, Shown
from entrepot.values import KindOfUse

_REASONS: Final = ("agreement", "breach")


def pages(owner: Owner) -> Pages:
    agreements = _Agreements(owner)
    return {
        ("GET", "/usable"): agreements.usable,
        ("GET", "/contracts"): agreements.every,
        ("GET", "/contracts/{id:path}/stop"): agreements.ask_stop,
        ("POST", "/contracts/{id:path}/stop"): agreements.stop,
        ("GET", "/contracts/{id:path}/may"): agreements.may,
        ("GET", "/contracts/{id:path}"): agreements.one,
    }


class _Agreements:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def usable(self, _visit: Visit) -> Answer:
        """What I may use: contracts in force that others granted."""
        contracts = [
            c for c in await self._owner.every(ContractPage, "/owner/contracts") if c.role == "consumer"
        ]
        acquisitions = await self._owner.read(list[Acquisition], "/owner/acquisitions")
        return Shown(
            "usable.html",
            {
                "contracts": [c for c in contracts if c.in_force],
                "over": [c for c in contracts if not c.in_force],
                "running": [a for a in acquisitions if a.state not in {"received", "failed"}],
            },
        )

    async def every(self, visit: Visit) -> Answer:
        found = await self._owner.read(ContractPage, "/owner/contracts", visit.place)
        return Shown("contracts.html", {"contracts": found.rows, **visit.around("contracts", found)})

    async def one(self, visit: Visit) -> Answer:
        contract = await self._contract(visit)
        under = {"agreement": contract.agreement}
        uses = await self._owner.read(UsePage, "/owner/uses", under)
        acquisitions = await self._owner.read(list[Acquisition], "/owner/acquisitions")
        processes = await self._owner.read(ProcessPage, "/owner/processes", under)
        return Shown(
            "contract.html",
            {
                "contract": contract,
                "uses": uses.rows,
                "more_uses": visit.onward("uses", uses, under),
                "acquisitions": [a for a in acquisitions if a.agreement == contract.agreement],
                "processes": processes.rows,
                "more_processes": visit.onward("transfers", processes, under),
            },
        )

    async def may(self, visit: Visit) -> Answer:
        """Whether a use would be allowed, and why, without spending it."""
        contract = await self._contract(visit)
        kind, purpose = visit.query.get("kind", ""), visit.query.get("purpose", "").strip()
        explanation = None
        if kind in tuple(KindOfUse):
            body = {"agreement": contract.agreement, "purpose": purpose or None, "kind": kind}
            reply = await self._owner.ask("POST", "/owner/policy/explain", body)
            explanation = Owner.decode(reply, Explanation)
        values = {
            "contract": contract,
            "kinds": list(KindOfUse),
            "kind": kind or KindOfUse.DELIVERY,
            "purpose": purpose,
            "explanation": explanation,
        }
        return Shown("may.html", values)

    async def ask_stop(self, visit: Visit) -> Answer:
        return Shown("contract-stop.html", {"contract": await self._contract(visit), "reasons": _REASONS})

    async def stop(self, visit: Visit) -> Answer:
        reason = visit.form.get("reason", "")
        body = {"reason": reason if reason in _REASONS else _REASONS[0]}
        await self._owner.ask("POST", "/owner/contracts/{id:path}/end", body, id=visit.path["id"])
        return Moved(visit.to("contracts", visit.path["id"]), "stopped")

    async def _contract(self, visit: Visit) -> Contract:
        return await self._owner.read(Contract, "/owner/contracts/{id:path}", id=visit.path["id"])
