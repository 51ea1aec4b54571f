"""docs/reference/query.md lists what there is: rules, limits, tiers, roles, functions, aggregates."""

import re
from pathlib import Path

import pytest
from planted import TRIAL

from entrepot.catalogue import ColumnRole
from entrepot.use.query import Tier
from entrepot.use.query.cage.admitting import admit
from entrepot.use.query.cage.model import SENTENCES, Limits, NotAdmittedError, Role, Rule

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "query.md").read_text("utf-8")


def section(title: str) -> str:
    return re.split(r"^## ", PAGE.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def table(title: str) -> dict[str, str]:
    """The rows of a table whose first cell is one word of code."""
    return dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", section(title), re.MULTILINE))


def test_every_rule_is_listed_with_its_sentence() -> None:
    """A consumer who is refused looks the word up here."""
    assert table("Rules") == {str(rule): SENTENCES[rule] for rule in Rule}


def test_every_limit_is_listed_with_its_default() -> None:
    """A limit that nobody can read about looks like a fault."""
    found = Limits()

    assert table("Limits") == {name: str(getattr(found, name)) for name in Limits.__struct_fields__}


def test_every_tier_is_listed() -> None:
    """The word is in the record; what it means must be said."""
    assert table("Where it runs").keys() == {*map(str, Tier)}


def test_every_role_is_listed_and_a_provider_can_name_it() -> None:
    """The words of the catalogue and of the child are the same ones."""
    assert {*map(str, ColumnRole)} == {*map(str, Role)} - {"subject", "hidden"}
    assert {*map(str, Role)} <= table("What the provider says").keys()


FUNCTIONS = {
    "abs": "abs(age)", "ceil": "ceil(age)", "coalesce": "coalesce(age, 0)", "day": "day(visited)",
    "date_trunc": "date_trunc('month', visited)", "extract": "extract(year from visited)",
    "floor": "floor(age)",
    "if": "if(age > 3, 1, 2)", "length": "length(site)", "lower": "lower(site)", "month": "month(visited)",
    "nullif": "nullif(age, 3)", "quarter": "quarter(visited)", "round": "round(age, 1)",
    "substring": "substring(site, 1, 2)", "upper": "upper(site)", "year": "year(visited)",
}  # fmt: skip


@pytest.mark.parametrize(
    "name", re.findall(r"`([a-z_]+)`", section("What can be asked").split("functions\n")[1])
)
def test_every_function_that_is_listed_can_be_asked_with(name: str) -> None:
    """A list that names what is refused costs its reader a day."""
    sql = f"select {FUNCTIONS[name]}, count(*) from trial group by 1"  # noqa: S608 (read, never run)

    assert admit(sql, (TRIAL,), Limits())


@pytest.mark.parametrize(
    "aggregate",
    ["count(*)", "count(cd4)", "count(distinct person)", "sum(2 * cd4 - dose)", "avg(cd4)", "stddev(dose)",
     "stddev_samp(dose)", "stddev_pop(dose)", "variance(dose)", "var_samp(dose)", "var_pop(dose)"],
)  # fmt: skip
def test_every_aggregate_that_is_listed_can_be_asked_for(aggregate: str) -> None:
    """The same for aggregates."""
    assert f"`{aggregate.partition('(')[0]}`" in section("What can be asked")
    sql = f"select arm, {aggregate} from trial group by arm"  # noqa: S608 (read, never run)
    assert admit(sql, (TRIAL,), Limits())


@pytest.mark.parametrize("sql", re.split(r";\n", PAGE.split("```sql\n")[1].split("```")[0].strip())[:-1])
def test_what_people_ask_is_in_the_grammar(sql: str) -> None:
    """A guard that lets no question through protects an archive, not a study."""
    assert admit(sql, (TRIAL,), Limits())


@pytest.mark.parametrize("rule", [Rule.ROLE, Rule.AGGREGATE])
def test_a_refusal_says_what_would_do(rule: Rule) -> None:
    """The consumer has only this text to find out what to ask instead."""
    sql = {
        Rule.ROLE: "select cd4, count(*) from trial group by 1",
        Rule.AGGREGATE: "select max(cd4) from trial",
    }

    with pytest.raises(NotAdmittedError) as no:
        admit(sql[rule], (TRIAL,), Limits())
    assert no.value.rule is rule
    assert no.value.detail
