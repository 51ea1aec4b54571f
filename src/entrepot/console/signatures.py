"""What I am asked to sign as service party: the contract in both languages, and my word on it."""

import hmac

from entrepot.console.house import Pages, Visit
from entrepot.console.model import SignatureRequest
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Moved, Shown
from entrepot.values import ConflictError


def pages(owner: Owner) -> Pages:
    signatures = _Signatures(owner)
    return {
        ("GET", "/signatures/{id}"): signatures.one,
        ("POST", "/signatures/{id}/sign"): signatures.sign,
        ("GET", "/signatures/{id}/refuse"): signatures.ask_refuse,
        ("POST", "/signatures/{id}/refuse"): signatures.refuse,
    }


class _Signatures:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def one(self, visit: Visit) -> Answer:
        return Shown("signature.html", {"asked": await self._request(visit)})

    async def sign(self, visit: Visit) -> Answer:
        """Sign what was shown, and nothing else."""
        asked = await self._request(visit)
        if not hmac.compare_digest(visit.form.get("seen", "").encode(), asked.digest.encode()):
            raise ConflictError("this is not the contract that was shown")
        await self._owner.ask("POST", "/owner/requests/{id}/sign", id=asked.id)
        return Moved(visit.to("signatures", asked.id), "signed")

    async def ask_refuse(self, visit: Visit) -> Answer:
        return Shown("signature-refuse.html", {"asked": await self._request(visit), "missing": False})

    async def refuse(self, visit: Visit) -> Answer:
        why = visit.form.get("why", "").strip()
        if not why:
            values = {"asked": await self._request(visit), "missing": True}
            return Shown("signature-refuse.html", values, 422)
        await self._owner.ask("POST", "/owner/requests/{id}/refuse", {"reason": why}, id=visit.path["id"])
        return Moved(visit.to("signatures", visit.path["id"]), "declined-signature")

    async def _request(self, visit: Visit) -> SignatureRequest:
        return await self._owner.read(SignatureRequest, "/owner/requests/{id}", id=visit.path["id"])
