"""For the operator: who asks to be admitted, who takes part, and the register of contracts."""

from typing import Final

from entrepot.console.house import Pages, Visit
from entrepot.console.model import FiledPage, Member
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Download, Moved, Shown
from entrepot.values import MalformedError, NotFoundError

_ROLES: Final = ("provider", "consumer", "service", "regulator")
_STEPS: Final = {
    "admit": "admitted",
    "decline": "declined",
    "suspend": "suspended",
    "resume": "resumed",
    "revoke": "revoked",
}
_REVOCATIONS: Final = ("breach", "withdrawal", "order")


def pages(owner: Owner) -> Pages:
    members = _Members(owner)
    return {
        ("GET", "/members"): members.every,
        ("GET", "/members/invite"): members.ask_invite,
        ("POST", "/members/invite"): members.invite,
        ("GET", "/members/{did:path}/{step}"): members.ask,
        ("POST", "/members/{did:path}/{step}"): members.act,
        ("GET", "/members/{did:path}"): members.one,
        ("GET", "/register"): members.register,
    }


class _Members:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def every(self, _visit: Visit) -> Answer:
        members = await self._read()
        applicants = [m for m in members if m.state == "applied"]
        others = [m for m in members if m.state != "applied"]
        return Shown("members.html", {"applicants": applicants, "members": others})

    async def one(self, visit: Visit) -> Answer:
        return Shown("member.html", {"member": await self._member(visit)})

    async def ask(self, visit: Visit) -> Answer:
        values = {"member": await self._member(visit), "step": _step(visit), "reasons": _REVOCATIONS}
        return Shown("member-step.html", values)

    async def act(self, visit: Visit) -> Answer:
        step, did = _step(visit), visit.path["did"]
        body: dict[str, str] | None = None
        if step == "revoke":
            body = {"reason": visit.form.get("reason", _REVOCATIONS[0])}
        elif step in {"decline", "suspend"}:
            body = {"why": visit.form.get("why", "").strip()}
        await self._owner.ask("POST", f"/owner/members/{{did:path}}/{step}", body, did=did)
        return Moved(visit.to("members", did), _STEPS[step])

    async def ask_invite(self, _visit: Visit) -> Answer:
        return Shown("member-invite.html", {"roles": _ROLES})

    async def invite(self, visit: Visit) -> Answer:
        """Make an invitation and hand it over as a file; it is nowhere else to be had."""
        roles = [role for role in _ROLES if f"role-{role}" in visit.form]
        try:
            days = float(visit.form.get("days", ""))
        except ValueError as error:
            raise MalformedError("expected a number of days") from error
        if not roles or not 0 < days <= 366:
            raise MalformedError("an invitation names a role at least, and holds for 1 to 366 days")
        reply = await self._owner.ask("POST", "/owner/invitations", {"roles": roles, "days": days})
        return Download("invitation.json", reply.body, "application/json")

    async def register(self, visit: Visit) -> Answer:
        found = await self._owner.read(FiledPage, "/owner/contracts", visit.place)
        names = {m.did: m.name for m in await self._read()}
        return Shown(
            "register.html", {"filed": found.rows, "names": names, **visit.around("register", found)}
        )

    async def _read(self) -> list[Member]:
        return await self._owner.read(list[Member], "/owner/members")

    async def _member(self, visit: Visit) -> Member:
        for member in await self._read():
            if member.did == visit.path["did"]:
                return member
        raise NotFoundError("there is no such member here")


def _step(visit: Visit) -> str:
    if visit.path["step"] not in _STEPS:
        raise NotFoundError("there is no such step")
    return visit.path["step"]
