"""What a provider does at its console."""

from collections.abc import Callable

from playwright.sync_api import expect
from sitting import Sitting
from town import Town

from space import wait_for


def test_a_counter_offer_is_answered_and_approved(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """Who asks for other terms gets other terms, until a person has approved what is on the table."""
    product, policy = town.offer(f"Engine tests {language}", uses=20)
    asked = town.ask_for(product, policy, uses=50)
    with at("provider") as provider:
        page = provider.open("waiting")
        page.locator(f"a[href$='{asked.rpartition(':')[2]}']").click()
        expect(page.get_by_role("row", name=provider.words("the number of uses"))).to_contain_text("50")
        provider.sees(provider.words("changed"))
        provider.follow("counter")
        page.get_by_label(provider.words("the number of uses")).fill("30")
        provider.press("send")
        with at("consumer") as consumer:
            waits = wait_for("the counter-offer", lambda: town.waits("consumer", product))
            page = consumer.open("waiting", waits)
            expect(page.get_by_role("row", name=consumer.words("the number of uses"))).to_contain_text("30")
            consumer.follow("counter")
            page.get_by_label(consumer.words("the number of uses")).fill("40")
            consumer.press("send")
        again = wait_for("the second request", lambda: town.waits("provider", product))
        page = provider.open("waiting", again)
        expect(page.get_by_role("row", name=provider.words("the number of uses"))).to_contain_text("40")
        provider.press("approve")
        contract = wait_for("the contract", lambda: town.contract("consumer", product))
        assert [x["limit"] for x in contract["left"]] == [40]
        provider.open("waiting", again)
        provider.sees(provider.words("filed"))


def test_terms_that_cannot_be_are_shown_beside_the_form(at: Callable[..., Sitting], town: Town) -> None:
    """A mistake costs what was typed, or goes out to the other side."""
    product, policy = town.offer("Engine tests, mistaken", uses=3)
    asked = town.ask_for(product, policy, uses=9)
    with at("provider") as provider:
        page = provider.open("waiting", asked, "counter")
        field = page.get_by_label(provider.words("the number of uses"))
        field.fill("many")
        provider.press("send")
        expect(page.get_by_role("alert")).to_be_visible()
        provider.sees(provider.words("whole number"))
        expect(field).to_have_value("many")
        provider.complaints[:] = [c for c in provider.complaints if "422" not in c]  # the page's own status
        provider.open("waiting", asked, "refuse")
        provider.press("refuse it")
        wait_for("the refusal", lambda: town.waits("provider", product) is None or None)


def test_a_contract_is_stopped(at: Callable[..., Sitting], town: Town, language: str) -> None:
    """Stopped by mistake, or not stopped at all: the other side would go on using."""
    product, _ = town.offer(f"Engine tests to be stopped {language}", uses=5)
    town.space.use(product)
    held = wait_for("the contract", lambda: town.contract("consumer", product))
    with at("provider") as provider:
        page = provider.open("contracts", held["agreement"])
        provider.follow("stop")
        page.get_by_label(provider.words("breach")).check()
        provider.press("stop it")
        expect(page.get_by_role("heading", level=1)).to_contain_text(provider.words("ended"))
        provider.sees(provider.words("breach"))
        expect(page.get_by_role("link", name=provider.words("stop"))).to_have_count(0)
    wait_for("the news", lambda: town.contract("consumer", product) is None or None)
    with at("consumer") as consumer:
        page = consumer.open("contracts", held["agreement"])
        expect(page.get_by_role("heading", level=1)).to_contain_text(consumer.words("ended"))


def test_a_product_is_withdrawn_and_its_contracts_go_on(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """Somebody would go on offering what is gone, or lose what was promised."""
    title = f"Engine tests to be withdrawn {language}"
    product, _ = town.offer(title, uses=5)
    town.space.use(product)
    with at("provider") as provider:
        page = provider.open("products")
        page.get_by_role("link", name=title).click()
        provider.follow("withdraw")
        provider.press("withdraw it")
        expect(page.get_by_role("link", name=title)).to_have_count(0)
    assert town.contract("provider", product) is not None
