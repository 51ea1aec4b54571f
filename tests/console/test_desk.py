"""Daily work at the console: doors, signatures, a first ask, long lists, foreign planes."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect
from sitting import Sitting
from test_hands import reach
from town import ALGORITHM, Town

from space import COMMAND, wait_for

PLANE = {
    "endpoint": "https://lake.example/signaling",
    "profiles": ["http-pull"],
    "authorization": {"type": "bearer", "token": "Bearer of the lake's own", "ourToken": "Bearer of our own"},
}


def at_rest(town: Town, product: str, state: str) -> Callable[[], bool]:
    def found() -> bool:
        rows = [town.process(name, product) for name in ("provider", "consumer")]
        return [(p["state"], p["pending"]) for p in rows] == [(state, None)] * 2

    return found


def heading(page: Page) -> Any:
    return page.get_by_role("heading", level=1)


def test_a_transfer_is_shut_opened_and_stopped(at: Callable[..., Sitting], town: Town, language: str) -> None:
    """Whoever must stop a use in a hurry has only a command line; or the other side is not told why."""
    title = f"Live engines {language}"
    product = town.offer_api(title)
    ids = town.open_transfer(product)
    with at("provider") as provider, at("consumer") as consumer:
        page = provider.open("transfers")
        page.get_by_role("row", name=title).get_by_role("link").last.click()
        expect(heading(page)).to_contain_text(provider.words("is open"))
        provider.follow("shut")
        page.get_by_label(provider.words("why")).fill("repairs until Monday")
        provider.press("shut it")
        wait_for("shut on both sides", at_rest(town, product, "SUSPENDED"))
        expect(heading(page)).to_contain_text(provider.words("is shut"))

        page = consumer.open("transfers", ids["consumer"])
        expect(heading(page)).to_contain_text(consumer.words("is shut"))
        consumer.sees(title)
        consumer.sees("repairs until Monday")
        consumer.follow("open")
        consumer.press("open it")
        wait_for("open on both sides", at_rest(town, product, "STARTED"))
        expect(heading(page)).to_contain_text(consumer.words("is open"))
        consumer.follow("stop transfer")
        page.get_by_label(consumer.words("why")).fill("needed no more")
        consumer.press("stop transfer now")
        wait_for("stopped on both sides", at_rest(town, product, "TERMINATED"))

        page = provider.open("transfers", ids["provider"])
        expect(heading(page)).to_contain_text(provider.words("stopped"))
        provider.sees("needed no more")
        expect(page.get_by_role("main").get_by_role("link", name=provider.words("shut"))).to_have_count(0)


def test_a_transfer_is_shut_with_the_keyboard_and_never_without_a_reason(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """A step that needs a mouse; or the other side sees its work cut and is told nothing."""
    product = town.offer_api(f"Engines by hand {language}")
    ids = town.open_transfer(product)
    with at("consumer") as consumer:
        page = consumer.open("transfers", ids["consumer"])
        reach(page, consumer.words("shut"))
        page.keyboard.press("Enter")
        expect(page).to_have_url(consumer.address("transfers", ids["consumer"], "suspend"))
        reach(page, consumer.words("why"))
        page.keyboard.press("Enter")  # the browser itself stops an empty field
        expect(page).to_have_url(consumer.address("transfers", ids["consumer"], "suspend"))
        page.keyboard.insert_text(" ")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text(consumer.words("say why"))
        consumer.complaints[:] = [c for c in consumer.complaints if "422" not in c]  # the page's own status
        assert town.process("consumer", product)["state"] == "STARTED"
        reach(page, consumer.words("why"))
        page.keyboard.insert_text("a holiday")
        page.keyboard.press("Enter")
        wait_for("shut on both sides", at_rest(town, product, "SUSPENDED"))
        expect(heading(page)).to_contain_text(consumer.words("is shut"))


def test_a_service_party_reads_what_it_signs(at: Callable[..., Sitting], town: Town, language: str) -> None:
    """It would sign by an id alone, without the text, its algorithm or its digest before its eyes."""
    title = f"Engines, modelled {language}"
    using = town.space.begin(town.offer_served(title))
    with at("service") as service:
        page = service.open("waiting")
        service.sees(service.words("signatures"))
        row = page.get_by_role("row", name=title)
        expect(row).to_be_visible(timeout=30_000)  # the title comes from the platform, a moment later
        row.get_by_role("link").click()
        service.sees(service.words("algorithm"))
        name, _, digest = ALGORITHM.partition("#")
        service.sees(name)
        service.sees(digest)
        for tongue in ("en", "zh-Hans"):
            expect(page.locator(f"section[lang={tongue}] li").first).to_be_visible()
        service.press("sign")
        using.received()
        expect(heading(page)).to_contain_text(service.words("filed"), timeout=30_000)
        page = service.open("contracts")
        expect(page.get_by_role("row", name=title)).to_be_visible()


def test_a_service_party_refuses_and_says_why(at: Callable[..., Sitting], town: Town, language: str) -> None:
    """A refusal without a reason leaves two others with an ended negotiation that nobody can explain."""
    title = f"Engines, refused {language}"
    using = town.space.begin(town.offer_served(title))
    with at("service") as service:
        page = service.open("waiting")
        expect(page.get_by_role("row", name=title)).to_be_visible(timeout=30_000)
        page.get_by_role("row", name=title).get_by_role("link").click()
        service.follow("refuse")
        page.get_by_label(service.words("why")).fill("the model is not fit for this")
        service.press("refuse it")
        service.sees("the model is not fit for this")
    assert "the model is not fit for this" in using.ended().problem


def test_a_consumer_asks_on_other_terms(at: Callable[..., Sitting], town: Town, language: str) -> None:
    """Only who can write policies in JSON could ask for more, for longer, or for another purpose."""
    title = f"Engines to be asked for {language}"
    product, _ = town.offer(title, uses=3)
    with at("consumer") as consumer, at("provider") as provider:
        page = consumer.open("find")
        page.get_by_label(consumer.words("look for")).fill(title)
        page.get_by_role("main").get_by_role("button", name=consumer.words("find it"), exact=True).click()
        page.get_by_role("link", name=f"{consumer.words('ask for')} {title}", exact=True).click()
        uses = page.get_by_label(consumer.words("the number of uses"))
        until = page.get_by_label(consumer.words("the time of use"))
        purpose = page.get_by_label(consumer.words("the purpose of use"))
        expect(uses).to_have_value("3")
        uses.fill("none")
        until.fill("next year")
        purpose.fill("teaching")
        consumer.press("ask for it")
        consumer.sees(consumer.words("whole number"))
        consumer.sees(consumer.words("no day"))
        expect(purpose).to_have_value("teaching")
        consumer.complaints[:] = [c for c in consumer.complaints if "422" not in c]  # the page's own status
        uses.fill("12")
        until.fill("2027-06-30")
        consumer.press("ask for it")
        expect(heading(page)).to_contain_text(consumer.words("requested"))
        consumer.sees(title)
        consumer.sees("2027-06-30 23:59:59 UTC")

        page = provider.open("waiting", wait_for("the request", lambda: town.waits("provider", product)))
        provider.sees(title)
        expect(page.get_by_role("row", name=provider.words("the purpose of use"))).to_contain_text("teaching")
        provider.press("approve")
        contract = wait_for("the contract", lambda: town.contract("consumer", product))
        assert [x["limit"] for x in contract["left"]] == [12]
        consumer.open("usable")
        consumer.sees(title)


def test_terms_that_the_offer_does_not_speak_of_are_added(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """A consumer could not promise a purpose to a provider who never asked for one."""
    product = town.offer_api(f"Engines without a purpose {language}")
    with at("consumer") as consumer:
        page = consumer.open("find", product, "ask")
        page.get_by_label(consumer.words("the purpose of use")).fill("research")
        consumer.press("ask for it")
        expect(page.get_by_role("row", name=consumer.words("the purpose of use"))).to_contain_text("research")
        expect(page.get_by_role("row", name=consumer.words("the time of use"))).to_have_count(0)


def test_long_lists_are_turned_page_by_page(at: Callable[..., Sitting], town: Town, language: str) -> None:
    """With ten thousand products the page would never come, and what is on offer could not be read."""
    town.offer_many([f"Engine no. {n} {language}" for n in range(27)])
    with at("provider") as provider:
        page = provider.open("products")
        names = page.locator("tbody th")
        first = names.all_inner_texts()
        assert len(first) == 25
        reach(page, provider.words("more"))
        page.keyboard.press("Enter")
        page.wait_for_url("**after=*")
        second = names.all_inner_texts()
        assert second
        assert not {*first} & {*second}
        provider.follow("earlier")
        page.wait_for_url("**after=0")
        assert names.all_inner_texts() == first


def test_a_withdrawn_product_still_has_its_page(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """Contracts go on after a withdrawal; their product's name would lead to nothing."""
    product, _ = town.offer(f"Engines of last year {language}", uses=1)
    with at("provider") as provider:
        page = provider.open("products", product, "withdraw")
        provider.press("withdraw it")
        page = provider.open("products", product)
        expect(heading(page)).to_contain_text(provider.words("withdrawn"))


def test_foreign_planes_are_registered_by_command_and_seen(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """Nobody would know which foreign plane may have data here, or could take it away in time."""
    folder = town.nodes["consumer"].folder
    file = town.root / "lake.json"
    name = f"lake-{language}"
    file.write_text(json.dumps({**PLANE, "dataplaneId": name}))

    def command(*words: str) -> str:
        asked = [*COMMAND, "dataplane", *words, "--node", str(folder)]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    with at("consumer") as consumer:
        consumer.open("planes")
        consumer.sees(consumer.words("no plane"))
        command("register", str(file))
        page = consumer.open("planes")
        row = page.get_by_role("row", name=name)
        expect(row).to_contain_text(consumer.words("data plane"))
        expect(row).to_contain_text("https://lake.example/signaling")
        assert name in command("list")
        command("remove", name)
        consumer.open("planes")
        consumer.sees(consumer.words("no plane"))
