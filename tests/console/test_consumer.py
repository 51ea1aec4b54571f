"""What a consumer does at its console."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from sitting import Sitting
from town import Town

from entrepot.oversight import unpack, verify, write_folder
from space import wait_for


def test_what_is_left_is_shown_and_asking_spends_nothing(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """Who asks before every use would have used up what he asked about."""
    title = f"Engine tests to be counted {language}"
    product, _ = town.offer(title, uses=5)
    used = town.space.use(product)
    with at("consumer") as consumer:
        page = consumer.open("usable")
        card = page.get_by_role("article").filter(has_text=title)
        expect(card).to_contain_text(consumer.words("left", left=4, limit=5))
        card.get_by_role("link", name=consumer.words("may")).click()
        consumer.press("ask")
        expect(page.get_by_role("heading", name=consumer.words("yes"))).to_be_visible()
        page.get_by_label(consumer.words("purpose")).fill("advertising")
        consumer.press("ask")
        expect(page.get_by_role("heading", name=consumer.words("no"))).to_be_visible()
        consumer.go("usable")
        expect(card).to_contain_text(consumer.words("left", left=4, limit=5))
        town.space.use(product, used.agreement)
        expect(card).to_contain_text(consumer.words("left", left=3, limit=5))  # without being asked again


def test_a_refused_use_says_why_in_the_readers_language(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """Whoever reads Chinese would read, or hear, in English why the other side said no."""
    title = f"Engine tests, once {language}"
    product, _ = town.offer(title, uses=1)
    used = town.space.use(product)
    again = town.space.begin(product, used.agreement).ended()
    assert again.problem == "permission[0].constraint[0]: asked count lteq 1, found 2"
    with at("consumer") as consumer:
        page = consumer.open("contracts", used.agreement)
        row = page.get_by_role("row").filter(has_text=consumer.words("refused for", problem=again.problem))
        expect(row).to_have_count(1)
        written = row.locator("bdi[lang='en']").all_inner_texts()
        assert written == ([title, again.problem] if language == "en" else [title])
        consumer.open("contracts", used.agreement, "may")
        consumer.press("ask")
        consumer.sees(consumer.words("refused for", problem=again.problem))


def test_a_product_is_found_by_words_and_within_filters(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """Who cannot find what is offered needs somebody who tells him its number."""
    product, _ = town.offer(f"Turbine vibrations {language}", uses=5)
    with at("consumer") as consumer:
        consumer.open()
        consumer.go("find")
        page = consumer.page
        page.get_by_label(consumer.words("look for")).fill(f"vibrations {language}")
        consumer.press("find it")
        consumer.sees(product)
        page.get_by_label(consumer.words("grade")).select_option("core")
        consumer.press("find it")
        consumer.sees(consumer.words("nothing"))
        expect(page.get_by_label(consumer.words("look for"))).to_have_value(f"vibrations {language}")


def test_the_proof_of_a_use_is_taken_away_and_verifies(
    at: Callable[..., Sitting], town: Town, language: str, tmp_path: Path
) -> None:
    """A package that does not verify, or that nobody can get, proves nothing."""
    product, _ = town.offer(f"Engine tests to be proved {language}", uses=5)
    used = town.space.use(product)
    with at("consumer") as consumer:
        page = consumer.open("uses")
        page.locator(f"a[href$='{used.use.rpartition(':')[2]}']").click()
        wait_for("the witness", lambda: town.witnessed(used.use, "consumer"))
        consumer.sees(consumer.words("agreed"))
        with page.expect_download() as coming:
            page.get_by_role("link", name=consumer.words("download")).click(timeout=30_000)
        file = tmp_path / coming.value.suggested_filename
        coming.value.save_as(file)
    assert file.suffix == ".tar"
    folder = tmp_path / "proof"
    write_folder(unpack(file.read_bytes()), folder)
    assert verify.main([str(folder)]) == 3  # consistent; whom to trust comes by another road


def test_both_sides_show_the_same_use(at: Callable[..., Sitting], town: Town, language: str) -> None:
    """What one side wrote down and the other did not would come out in court only."""
    product, _ = town.offer(f"Engine tests to be compared {language}", uses=5)
    used = town.space.use(product)
    for name in ("provider", "consumer"):
        with at(name) as who:
            who.open("uses", used.use)
            who.sees(product)
            who.sees(who.words("agreed"))
    wait_for("the witness", lambda: town.witnessed(used.use, "provider"))
    for name in ("provider", "consumer"):
        with at(name) as who:
            page = who.open("uses", used.use, "sides")
            if name == "consumer":
                who.press("ask provider")
            expect(page.get_by_role("heading", level=1)).to_contain_text(who.words("agreed"))
