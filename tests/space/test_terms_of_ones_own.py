"""Terms that are not the catalogue's, among real nodes: offered unasked, or asked for; people decide."""

from typing import Any
from urllib.parse import quote

from space import Running, SaidNoError, Space, wait_for


def few_uses(uses: int) -> dict[str, Any]:
    counted = {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": str(uses)}
    return {"permission": [{"action": "use", "constraint": [counted]}]}


def waiting(node: Running, product: str) -> str:
    """The negotiation over a product that waits for a person here."""

    def found() -> str:
        rows = node.ask("GET", "/owner/negotiations")["negotiations"]
        return next((n["id"] for n in rows if n["product"] == product and n["waitsForYou"]), "")

    return wait_for("a negotiation that waits", found)


def say(node: Running, negotiation: str, word: str, body: Any = None) -> None:
    node.ask("POST", f"/owner/negotiations/{quote(negotiation, safe='')}/{word}", body)


def contract_over(space: Space, product: str) -> dict[str, Any]:
    """The consumer's contract over a product, once there is one."""

    def found() -> dict[str, Any] | None:
        rows = space.consumer.ask("GET", "/owner/contracts")["contracts"]
        return next((c for c in rows if c["product"] == product and c["inForce"]), None)

    return wait_for("a contract", found)


def test_a_provider_offers_a_consumer_terms_of_its_own(space: Space) -> None:
    """The consumer sees the offer waiting, approves it, and uses the product under it at once."""
    product = space.offer(b"for one of you", uses=100)
    body = {"consumer": space.consumer.did, "product": product, "policy": few_uses(2)}
    space.provider.ask("POST", "/owner/offers", body)

    offered = waiting(space.consumer, product)
    shown = space.consumer.ask("GET", f"/owner/negotiations/{quote(offered, safe='')}")
    assert shown["table"]["policy"]["permission"][0]["constraint"][0]["rightOperand"] == "2"
    say(space.consumer, offered, "approve")
    contract = contract_over(space, product)

    assert [x["limit"] for x in contract["left"]] == [2]
    assert space.use(product).agreement == contract["agreement"]


def test_an_unasked_offer_is_answered_with_other_terms(space: Space) -> None:
    """Consumer and provider each have their word, from the first offer to the contract."""
    product = space.offer(b"for another of you", uses=100)
    space.provider.ask("POST", "/owner/offers", {"consumer": space.consumer.did, "product": product})

    say(space.consumer, waiting(space.consumer, product), "counter", {"policy": few_uses(7)})
    say(space.provider, waiting(space.provider, product), "approve")

    assert [x["limit"] for x in contract_over(space, product)["left"]] == [7]


def test_a_consumer_asks_for_terms_of_its_own(space: Space) -> None:
    """The provider's rule agrees to its own terms only; these wait for a person there."""
    product = space.offer(b"for who asks", uses=1)
    space.consumer.ask("POST", "/owner/negotiations", {"product": product, "policy": few_uses(5)})

    asked = waiting(space.provider, product)
    assert space.consumer.ask("GET", "/owner/contracts")["contracts"] == [
        c for c in space.consumer.ask("GET", "/owner/contracts")["contracts"] if c["product"] != product
    ]
    say(space.provider, asked, "approve")

    assert [x["limit"] for x in contract_over(space, product)["left"]] == [5]


def test_nothing_is_offered_that_is_not_ours_or_that_we_could_not_keep(space: Space) -> None:
    """Who offers learns by name what cannot be, before anything is sent."""
    product = space.offer(b"ours", uses=1)
    unknown = {"leftOperand": "https://other.example/mood", "operator": "eq", "rightOperand": "x"}
    bodies = [
        {"consumer": space.provider.did, "product": product},
        {"consumer": space.consumer.did, "product": "no such product"},
        {
            "consumer": space.consumer.did,
            "product": product,
            "policy": {"permission": [{"action": "use", "constraint": [unknown]}]},
        },
    ]
    said = []
    for body in bodies:
        try:
            space.provider.ask("POST", "/owner/offers", body)
        except SaidNoError as error:
            said.append(str(error))

    assert len(said) == len(bodies)
    assert "https://other.example/mood" in said[2]
