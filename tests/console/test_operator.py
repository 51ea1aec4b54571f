"""What an operator and a regulator do at their consoles."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sitting import Sitting
from town import Town

from space import wait_for


def test_an_applicant_is_admitted_suspended_and_resumed(at: Callable[..., Sitting], town: Town) -> None:
    """Who is let in by mistake, or cannot be shut out, is everybody's trouble."""
    did = town.nodes["applicant"].did

    def state() -> str:
        return str((town.member(did) or {}).get("state"))

    with at("operator") as operator:
        page = operator.open("members")
        page.get_by_role("link", name="港口实验室").first.click()
        if state() == "applied":  # the first language admits it, the second finds it admitted
            operator.follow("admit")
            operator.press("admit it")
        wait_for("the ledger's word", lambda: state() == "in-force" or None)
        expect(page.get_by_role("heading", level=1)).to_contain_text("港口实验室")
        operator.open("members", did)
        operator.sees(operator.words("member"))
        operator.follow("suspend")
        page.get_by_label(operator.words("why")).fill("invoices")
        operator.press("suspend it")
        operator.sees(operator.words("suspended"))
        assert state() == "suspended"
        operator.follow("resume")
        operator.press("resume it")
        operator.sees(operator.words("member"))
        assert state() == "in-force"


def test_an_invitation_is_handed_over_as_a_file(at: Callable[..., Sitting], tmp_path: Path) -> None:
    """What is nowhere else to be had must not be lost on the way."""
    with at("operator") as operator:
        page = operator.open("members")
        operator.follow("invite")
        page.get_by_label(operator.words("consumer"), exact=True).check()
        with page.expect_download() as coming:
            operator.press("make")
        file = tmp_path / "invitation.json"
        coming.value.save_as(file)
    invitation = json.loads(file.read_bytes())
    assert invitation["roles"] == ["consumer"]
    assert invitation["code"]


def test_a_regulator_orders_a_stop_and_sees_it_acknowledged(
    at: Callable[..., Sitting], town: Town, language: str
) -> None:
    """An order that nobody acknowledges, or that stops nothing, protects nobody."""
    product, _ = town.offer(f"Engine tests to be forbidden {language}", uses=5)
    town.space.use(product)
    contract = wait_for("the contract", lambda: town.contract("provider", product))
    with at("regulator") as regulator:
        page = regulator.open("supervision")
        row = page.get_by_role("row").filter(has_text=contract["contract"])
        row.get_by_role("link", name=regulator.words("order")).click()
        page.get_by_label(regulator.words("reason")).fill("complaint of a data subject")
        regulator.press("order it")
        expect(page.get_by_text(regulator.words("acknowledged"))).to_have_count(2, timeout=30_000)
    wait_for("the end", lambda: town.contract("provider", product) is None or None)


@pytest.mark.parametrize("language", ["zh"], indirect=True)
def test_a_regulator_reads_the_ledger_again(at: Callable[..., Sitting]) -> None:
    """A changed entry would be found by nobody."""
    with at("regulator") as regulator:
        page = regulator.open("watch")
        regulator.press("read again")
        expect(page.get_by_role("status")).to_be_visible()
