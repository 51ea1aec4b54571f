"""Without a mouse, without script, on a narrow screen: nobody is left outside."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sitting import Sitting
from town import Town

from space import wait_for

_MOST = 60


def reach(page: Page, name: str) -> None:
    """Press Tab until the element of this name has the focus; whatever has it on the way can be seen to."""
    page.wait_for_load_state()  # a page that is still being read has nothing to give the focus to
    for _ in range(_MOST):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => {
                const at = document.activeElement;
                const look = getComputedStyle(at);
                const box = at.getBoundingClientRect();
                const labels = at.labels ? [...at.labels].map((label) => label.innerText) : [];
                return {
                    name: [at.innerText, ...labels].join(" ").trim(),
                    seen: look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2 && box.width > 1,
                    main: at.tagName === "MAIN" || at.tagName === "BODY",
                };
            }"""
        )
        assert told["seen"] or told["main"], f"the focus cannot be seen at {told['name']!r}"
        if name in told["name"] and not told["main"]:  # the page itself holds every name
            return
    raise AssertionError(f"the keyboard does not reach {name!r}")


def test_a_contract_is_stopped_with_the_keyboard_alone(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """A task that needs a mouse shuts out whoever has none."""
    product, _ = town.offer(f"Engine tests for hands {language}", uses=5)
    town.space.use(product)
    held = wait_for("the contract", lambda: town.contract("provider", product))
    with at("provider") as provider:
        page, keys = provider.page, provider.page.keyboard
        page.goto(provider.address("contracts"))
        expect(page.get_by_label(provider.words("token"))).to_be_focused()  # nobody has to look for it
        keys.insert_text(town.token("provider"))
        keys.press("Enter")
        expect(page.get_by_role("navigation")).to_be_visible()
        reach(page, provider.words("skip"))
        keys.press("Enter")
        expect(page.get_by_role("main")).to_be_focused()
        reach(page, held["contract"][-10:])
        keys.press("Enter")
        expect(page).to_have_url(provider.address("contracts", held["agreement"]))
        reach(page, provider.words("stop"))
        keys.press("Enter")
        expect(page).to_have_url(provider.address("contracts", held["agreement"], "stop"))
        reach(page, provider.words("agreement"))
        keys.press("ArrowDown")
        expect(page.get_by_label(provider.words("breach"))).to_be_checked()
        reach(page, provider.words("stop it"))
        keys.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text(provider.words("ended"))
        reach(page, provider.words("sign out"))
        keys.press("Enter")
        expect(page.get_by_label(provider.words("token"))).to_be_visible()


def test_everything_works_without_script(at: Callable[..., Sitting], town: Town, language: str) -> None:
    """A page that needs script is no address that one can rely on."""
    product, policy = town.offer(f"Engine tests without script {language}", uses=5)
    asked = town.ask_for(product, policy, uses=9)
    with at("provider", java_script_enabled=False) as provider:
        provider.open("waiting", asked)
        provider.press("approve")
        wait_for("the contract", lambda: town.contract("provider", product))
        provider.open("waiting", asked)
        provider.sees(provider.words("filed"))


def test_a_wrong_token_is_refused_and_the_right_one_leads_on(at: Callable[..., Sitting]) -> None:
    """The owner must learn that it was the token, and must not have to look for the page again."""
    with at("consumer") as consumer:
        page = consumer.page
        page.goto(consumer.address("contracts"))
        consumer.sign_in("a guess")
        alert = page.get_by_role("alert")
        expect(alert).to_be_visible()
        expect(page.get_by_label(consumer.words("token"))).to_have_attribute("aria-invalid", "true")
        consumer.complaints[:] = [c for c in consumer.complaints if "401" not in c]  # the page's own status
        consumer.sign_in()
        expect(page).to_have_url(consumer.address("contracts") + "?done=signed-in")


@pytest.mark.parametrize("language", ["en"], indirect=True)
def test_the_language_is_changed_on_the_same_page(at: Callable[..., Sitting]) -> None:
    """Who changes the language would have to find the page again."""
    with at("provider") as provider:
        page = provider.open("contracts")
        page.get_by_role("link", name="中文").click()
        expect(page).to_have_url(provider.address("contracts").replace("/en/", "/zh/"))
        expect(page.get_by_role("heading", level=1)).to_have_text("合约")
