"""Transfers: which doors are open under my contracts; shutting one for now, opening it again, ending it."""

from typing import Final

from entrepot.console.house import Pages, Visit
from entrepot.console.model import Process, ProcessPage
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Moved, Shown
from entrepot.values import NotFoundError

_STEPS: Final = {
    "suspend": ("suspend", "shut"),
    "resume": ("resume", "opened"),
    "stop": ("terminate", "ended"),
}
"""By the word in the address: the owner's command, and what is said when it was given."""
STEPS_IN: Final = {
    "REQUESTED": ("stop",),
    "STARTED": ("suspend", "stop"),
    "SUSPENDED": ("resume", "stop"),
}
"""What a person can do in a state; in every other one, nothing."""


def pages(owner: Owner) -> Pages:
    transfers = _Transfers(owner)
    return {
        ("GET", "/transfers"): transfers.every,
        ("GET", "/transfers/{id}"): transfers.one,
        ("GET", "/transfers/{id}/{step}"): transfers.ask,
        ("POST", "/transfers/{id}/{step}"): transfers.act,
    }


class _Transfers:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def every(self, visit: Visit) -> Answer:
        found = await self._owner.read(ProcessPage, "/owner/processes", visit.place)
        return Shown("transfers.html", {"processes": found.rows, **visit.around("transfers", found)})

    async def one(self, visit: Visit) -> Answer:
        process = await self._process(visit)
        return Shown("transfer.html", {"process": process, "steps": STEPS_IN.get(process.state, ())})

    async def ask(self, visit: Visit) -> Answer:
        return _asked(visit, await self._process(visit))

    async def act(self, visit: Visit) -> Answer:
        """Do it once a reason was given; the other side is told that reason, so it is never left out."""
        process, step = await self._process(visit), _step(visit)
        why = visit.form.get("why", "").strip()
        if step != "resume" and not why:
            return _asked(visit, process, missing=True)
        command, done = _STEPS[step]
        body = None if step == "resume" else {"reason": why}
        await self._owner.ask("POST", f"/owner/processes/{{id}}/{command}", body, id=process.id)
        return Moved(visit.to("transfers", process.id), done)

    async def _process(self, visit: Visit) -> Process:
        return await self._owner.read(Process, "/owner/processes/{id}", id=visit.path["id"])


def _asked(visit: Visit, process: Process, *, missing: bool = False) -> Answer:
    values = {"process": process, "step": _step(visit), "missing": missing}
    return Shown("transfer-step.html", values, 422 if missing else 200)


def _step(visit: Visit) -> str:
    if visit.path["step"] not in _STEPS:
        raise NotFoundError("there is no such step")
    return visit.path["step"]
