"""The reference page of policies says what the tables say."""

from pathlib import Path

from entrepot.policy import ACTIONS, ODRL, OPERANDS
from entrepot.policy.wire import MAX_DEPTH, MAX_MEMBERS, MAX_PARTS, MAX_RULES, MAX_TEXT

PAGE = (Path(__file__).parents[3] / "docs/reference/policy.md").read_text("utf-8")


def test_every_operand_is_on_the_page_with_all_it_has() -> None:
    """Who writes a policy by the page writes one that is read."""
    rows = {row.split("|")[1].strip(): row for row in PAGE.splitlines() if row.startswith("| `")}

    assert set(rows) == {f"`{name}`" for name in OPERANDS}
    for operand in OPERANDS.values():
        cells = [cell.strip() for cell in rows[f"`{operand.name}`"].split("|")]
        assert f"`{operand.iri.replace(ODRL, 'odrl:')}`" == cells[2]
        assert set(cells[5].replace("`", "").split()) == set(operand.operators)
        assert cells[6] == f"`{operand.national}`"


def test_every_action_and_bound_is_on_the_page() -> None:
    """Nothing that can be said is a secret, and nothing is promised that is refused."""
    assert all(f"`{action}`" in PAGE for action in ACTIONS)
    assert f"{MAX_RULES} rules of a kind, {MAX_MEMBERS} members" in PAGE
    assert f"{MAX_DEPTH} levels, {MAX_TEXT} characters a value, {MAX_PARTS} rules" in PAGE
