"""The catalogue of a space of real nodes: found by others, taken back, brought back."""

from typing import Any
from urllib.parse import urlencode

from space import Space, wait_for


def found(space: Space, words: str, at: str = "consumer", **filters: str) -> list[Any]:
    """What an owner finds from its own node."""
    query = urlencode({"words": words, **filters})
    answer = getattr(space, at).ask("GET", f"/owner/search?{query}")
    assert answer["total"] == len(answer["products"])
    products: list[Any] = answer["products"]
    return products


def test_a_product_is_found_withdrawn_and_brought_back(space: Space) -> None:
    """From the provider's word to the consumer's search, over the platform, in each direction."""
    product = space.offer(b"version one", uses=3)
    serial = space.provider.ask("GET", f"/owner/products/{product}/versions")[0]["title"]
    first = space.use(product)

    for where in ("consumer", "operator"):
        assert [(p["id"], p["version"]) for p in found(space, serial, where)] == [(product, 1)]
    assert found(space, serial, grade="L4") == []
    assert found(space, serial, provider=space.provider.did, kind="delivery")

    space.provider.ask("POST", f"/owner/products/{product}/withdraw")
    wait_for("its withdrawal", lambda: product not in {p["id"] for p in found(space, serial)})
    back = space.provider.ask("POST", f"/owner/products/{product}/rollback", {"version": 1})
    wait_for("its return", lambda: (product, 2) in {(p["id"], p["version"]) for p in found(space, serial)})

    assert back["version"] == 2
    history = space.provider.ask("GET", f"/owner/products/{product}/versions")
    assert [(v["version"], v["onOffer"]) for v in history] == [(2, True), (1, False)]
    # The first contract is over version one: it goes on, and a new use without it makes another.
    assert space.use(product, first.agreement).agreement == first.agreement
    assert space.use(product).agreement != first.agreement
