"""What waits for me: terms that only a person can agree to, refuse, or answer with others; what is owed."""

import hmac

from entrepot.console.house import Pages, Visit
from entrepot.console.model import Due, NegotiationPage, SignatureRequest, Talk
from entrepot.console.owner import WAITS, Owner
from entrepot.console.page import Answer, Moved, Shown
from entrepot.console.terms import changed, compare, comparisons, typed, unreadable
from entrepot.values import ConflictError, MalformedError, RefusedError, canonical, sha256


def pages(owner: Owner) -> Pages:
    waiting = _Waiting(owner)
    return {
        ("GET", "/waiting"): waiting.every,
        ("POST", "/waiting/duties"): waiting.perform,
        ("GET", "/waiting/{id}"): waiting.one,
        ("POST", "/waiting/{id}/approve"): waiting.approve,
        ("GET", "/waiting/{id}/refuse"): waiting.ask_refuse,
        ("POST", "/waiting/{id}/refuse"): waiting.refuse,
        ("GET", "/waiting/{id}/counter"): waiting.ask_counter,
        ("POST", "/waiting/{id}/counter"): waiting.counter,
    }


class _Waiting:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def every(self, visit: Visit) -> Answer:
        waits = await self._owner.every(NegotiationPage, "/owner/negotiations", WAITS)
        found = await self._owner.read(NegotiationPage, "/owner/negotiations", visit.place)
        requests = await self._owner.read(list[SignatureRequest], "/owner/requests")
        duties = await self._owner.read(list[Due], "/owner/duties")
        return Shown(
            "waiting.html",
            {
                "duties": duties,
                "waits": waits,
                "others": [t for t in found.rows if not t.waits_for_you],
                "requests": [r for r in requests if r.waits_for_you],
                "answered": [r for r in requests if not r.waits_for_you],
                **visit.around("waiting", found),
            },
        )

    async def perform(self, visit: Visit) -> Answer:
        """Write down that a duty was performed; of several uses, after the earliest that owes it."""
        agreement, duty = (visit.form.get(name, "") for name in ("agreement", "duty"))
        body = {"duty": duty}
        await self._owner.ask("POST", "/owner/contracts/{id:path}/duties", body, id=agreement)
        return Moved(visit.to("waiting"), "performed")

    async def one(self, visit: Visit) -> Answer:
        talk = await self._talk(visit)
        compared = compare(talk.ours.policy, talk.table.policy)
        return Shown("negotiation.html", {"talk": talk, "compared": compared, "seen": _seen(talk)})

    async def approve(self, visit: Visit) -> Answer:
        """Approve what was shown, and nothing that took its place meanwhile."""
        talk = await self._talk(visit)
        if not hmac.compare_digest(visit.form.get("seen", "").encode(), _seen(talk).encode()):
            raise ConflictError("the terms on the table are not those that were shown")
        await self._owner.ask("POST", "/owner/negotiations/{id}/approve", id=talk.id)
        return Moved(visit.to("waiting", talk.id), "approved")

    async def ask_refuse(self, visit: Visit) -> Answer:
        return Shown("negotiation-refuse.html", {"talk": await self._talk(visit)})

    async def refuse(self, visit: Visit) -> Answer:
        await self._owner.ask("POST", "/owner/negotiations/{id}/reject", id=visit.path["id"])
        return Moved(visit.to("waiting"), "refused")

    async def ask_counter(self, visit: Visit) -> Answer:
        talk = await self._talk(visit)
        return _counter_form(talk, {}, ())

    async def counter(self, visit: Visit) -> Answer:
        """Answer with other values; what cannot be is shown beside the form, which keeps what was typed."""
        talk = await self._talk(visit)
        values = typed(visit.form)
        if wrong := unreadable(comparisons(talk.table.policy), values):
            return _counter_form(talk, values, (), wrong)
        body = {"policy": changed(talk.table.policy, values)}
        try:
            await self._owner.ask("POST", "/owner/negotiations/{id}/counter", body, id=talk.id)
        except RefusedError as error:
            return _counter_form(talk, values, error.reasons)
        except MalformedError as error:
            return _counter_form(talk, values, getattr(error, "faults", (str(error),)))
        return Moved(visit.to("waiting", talk.id), "countered")

    async def _talk(self, visit: Visit) -> Talk:
        return await self._owner.read(Talk, "/owner/negotiations/{id}", id=visit.path["id"])


def _counter_form(
    talk: Talk, values: dict[str, str], faults: tuple[str, ...], wrong: dict[str, str] | None = None
) -> Shown:
    ours = {c.place: c.value for c in comparisons(talk.ours.policy)}
    shown = {"talk": talk, "fields": comparisons(talk.table.policy), "ours": ours, "wrong": wrong or {}}
    status = 422 if faults or wrong else 200
    return Shown("negotiation-counter.html", {**shown, "values": values, "faults": faults}, status)


def _seen(talk: Talk) -> str:
    """The digest of the terms that a page shows."""
    return sha256(canonical.encode(talk.table.policy)).hex()
