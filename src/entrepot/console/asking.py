"""Asking for a contract on other terms than those offered: what for, how often, until when."""

from entrepot.console.house import Pages, Visit
from entrepot.console.model import Begun, SpaceProduct
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Moved, Shown
from entrepot.console.terms import Comparison, addable, added, changed, comparisons, typed, unreadable
from entrepot.values import MalformedError, RefusedError


def pages(owner: Owner) -> Pages:
    asking = _Asking(owner)
    return {
        ("GET", "/find/{id:path}/ask"): asking.form,
        ("POST", "/find/{id:path}/ask"): asking.ask,
    }


class _Asking:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def form(self, visit: Visit) -> Answer:
        return _form(await self._product(visit), {})

    async def ask(self, visit: Visit) -> Answer:
        """Send what was typed; what cannot be is shown beside the form, which keeps what was typed."""
        product, values = await self._product(visit), typed(visit.form)
        if wrong := unreadable(_fields(product), values):
            return _form(product, values, wrong=wrong)
        body = {"product": product.id, "policy": added(changed(product.policy, values), values)}
        try:
            reply = await self._owner.ask("POST", "/owner/negotiations", body)
        except RefusedError as error:
            return _form(product, values, faults=error.reasons)
        except MalformedError as error:
            return _form(product, values, faults=getattr(error, "faults", (str(error),)))
        return Moved(visit.to("waiting", Owner.decode(reply, Begun).id), "asked")

    async def _product(self, visit: Visit) -> SpaceProduct:
        return await self._owner.read(SpaceProduct, "/owner/search/{id:path}", id=visit.path["id"])


def _fields(product: SpaceProduct) -> list[Comparison]:
    return [*comparisons(product.policy), *addable(product.policy)]


def _form(
    product: SpaceProduct,
    values: dict[str, str],
    *,
    wrong: dict[str, str] | None = None,
    faults: tuple[str, ...] = (),
) -> Shown:
    shown = {"product": product, "fields": _fields(product), "values": values}
    status = 422 if wrong or faults else 200
    return Shown("ask.html", {**shown, "wrong": wrong or {}, "faults": faults}, status)
