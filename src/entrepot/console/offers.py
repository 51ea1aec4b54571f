"""What I offer: products with their grade and terms, who may use them, and taking them off the shelf."""

from entrepot.console.house import Pages, Visit
from entrepot.console.model import Contract, ContractPage, Product, ProductPage
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Moved, Shown


def pages(owner: Owner) -> Pages:
    offers = _Offers(owner)
    return {
        ("GET", "/products"): offers.page,
        ("GET", "/products/{id:path}/withdraw"): offers.ask_withdraw,
        ("POST", "/products/{id:path}/withdraw"): offers.withdraw,
        ("GET", "/products/{id:path}"): offers.one,
    }


class _Offers:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def page(self, visit: Visit) -> Answer:
        place = {"after": visit.query.get("after", "") or "0", "limit": "25"}
        found = await self._owner.read(ProductPage, "/owner/products", place)
        granted = await self._granted()
        users = {p.id: [c for c in granted if c.product == p.id and c.in_force] for p in found.products}

        def address(after: int | None) -> str:
            return "" if after is None else f"{visit.to('products')}?after={after}"

        values = {
            "found": found,
            "users": users,
            "earlier": address(found.previous_after),
            "later": address(found.next_after),
        }
        return Shown("products.html", values)

    async def one(self, visit: Visit) -> Answer:
        product = await self._product(visit)
        contracts = [c for c in await self._granted() if c.product == product.id]
        return Shown("product.html", {"product": product, "contracts": contracts})

    async def ask_withdraw(self, visit: Visit) -> Answer:
        return Shown("product-withdraw.html", {"product": await self._product(visit)})

    async def withdraw(self, visit: Visit) -> Answer:
        await self._owner.ask("POST", "/owner/products/{id:path}/withdraw", id=visit.path["id"])
        return Moved(visit.to("products"), "withdrawn")

    async def _granted(self) -> list[Contract]:
        contracts = await self._owner.every(ContractPage, "/owner/contracts")
        return [c for c in contracts if c.role == "provider"]

    async def _product(self, visit: Visit) -> Product:
        return await self._owner.read(Product, "/owner/products/{id:path}", id=visit.path["id"])
