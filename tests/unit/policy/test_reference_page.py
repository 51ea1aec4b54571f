"""The reference page of policies says what the tables say."""

from pathlib import Path

from entrepot.policy import ACTIONS, ASSURANCES, ODRL, OPERANDS
from entrepot.policy.wire import MAX_DEPTH, MAX_MEMBERS, MAX_PARTS, MAX_RULES, MAX_TEXT
from entrepot.values import KindOfUse

PAGE = (Path(__file__).parents[3] / "docs/reference/policy.md").read_text("utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """The cells of the rows under one heading, by the first of them."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines()]
    return {cells[0].strip("`"): cells for cells in found if cells and cells[0].startswith("`")}


def test_every_operand_is_on_the_page_with_all_it_has() -> None:
    """Who writes a policy by the page writes one that is read."""
    table = rows("Operands")

    assert set(table) == set(OPERANDS)
    for operand in OPERANDS.values():
        _, iri, value, _, operators, national = table[operand.name]
        assert iri == f"`{operand.iri.replace(ODRL, 'odrl:')}`"
        assert set(operators.replace("`", "").split()) == set(operand.operators)
        assert national == f"`{operand.national}`"
        assert value.endswith("†") == operand.everywhere
        assert all(f"`{word}`" in value for word, _ in operand.words)


def test_every_action_is_on_the_page_with_what_it_covers() -> None:
    """Nothing that can be said is a secret, and nothing is promised that is refused."""
    table = rows("Actions")

    assert set(table) == set(ACTIONS)
    for action in ACTIONS.values():
        _, chinese, iri, national, permits, part_of = table[action.name]
        assert (chinese, iri) == (action.chinese, f"`{action.iri.replace(ODRL, 'odrl:')}`")
        assert national == f"`{action.national}`"
        for kinds, cell in ((action.permits, permits), (action.part_of, part_of)):
            assert cell == "all" or set(cell.replace("`", "").split()) == set(map(str, kinds))
            assert (cell == "all") == (len(kinds) == len(KindOfUse))


def test_the_page_says_of_every_operand_what_is_done_about_it() -> None:
    """Nobody is told that something is enforced which is only written down."""
    table = rows("What is enforced here")
    served = (KindOfUse.API, KindOfUse.DELIVERY, KindOfUse.QUERY)

    assert set(table) == set(OPERANDS)
    for name, cells in table.items():
        assert cells[1:] == [str(ASSURANCES.get((name, kind), "–")) for kind in served]


def test_the_bounds_are_on_the_page() -> None:
    """Who writes a long policy knows where it ends."""
    assert f"{MAX_RULES} rules of a kind, {MAX_MEMBERS} members" in PAGE
    assert f"{MAX_DEPTH} levels, {MAX_TEXT} characters a value, {MAX_PARTS} rules" in PAGE
