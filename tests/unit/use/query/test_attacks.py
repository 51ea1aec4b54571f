"""The written list of attacks: each line of docs/guide/query-attacks.md is made here."""

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from planted import SECRETS, TRIAL, ask

from entrepot.use.query.cage.model import NotAdmittedError, Ran, Result, Rule

LIST = Path(__file__).parents[4] / "docs" / "guide" / "query-attacks.md"
_LINE = re.compile(r"- `([a-z-]+)`((?: `[^`]+`)+)")
_TIMES = re.compile(r"«(.+?)[»«]×(\d+)")


@dataclass(frozen=True)
class Attack:
    """What is asked, and what stops the last of it."""

    stopped_by: str
    queries: tuple[str, ...]


def attacks() -> list[Attack]:
    """Read the list."""
    found = []
    for line in LIST.read_text("utf-8").splitlines():
        if line.startswith("- "):
            match = _LINE.fullmatch(line)
            assert match, line
            queries = [_TIMES.sub(lambda m: m[1] * int(m[2]), q) for q in re.findall(r"`([^`]+)`", match[2])]
            found.append(Attack(match[1], tuple(queries)))
    return found


def made(path: Path, attack: Attack) -> tuple[str, list[Ran], str]:
    """Make an attack: what stopped its last query, what was answered, what was said."""
    earlier, answered = [], []
    for query in attack.queries[:-1]:
        written, ran = ask(path, query, tuple(earlier))
        assert ran.result is not None, query
        earlier.append(written)
        answered.append(ran)
    try:
        _, ran = ask(path, attack.queries[-1], tuple(earlier))
    except NotAdmittedError as no:
        return str(no.rule), answered, no.detail
    return str(ran.refused or "groups"), [*answered, ran], ""


@pytest.mark.parametrize("attack", attacks(), ids=lambda a: a.queries[-1][:60])
def test_an_attack_is_stopped_by_the_rule_that_the_list_names(trial: Path, attack: Attack) -> None:
    """A rule that no longer stops what it stopped lets a person's values out."""
    stopped_by, answered, said = made(trial, attack)

    shown = [str(v) for ran in answered for row in (ran.result or NOTHING).rows for v in row]
    assert stopped_by == attack.stopped_by, said
    assert not [secret for secret in SECRETS if any(secret in text for text in [*shown, said])]


def test_a_table_of_another_name_over_the_same_file_has_the_same_history(trial: Path) -> None:
    """Two products of one artefact are one: what was asked of one is not asked anew of the other."""
    other = msgspec.structs.replace(TRIAL, name="visits")
    first, answered = ask(trial, "select sum(lab) from trial where visited > '2026-01-01'")
    _, ran = ask(trial, "select sum(lab) from visits where age <> 61", (first,), table=other)

    assert answered.result is not None
    assert ran.refused is Rule.DIFFERENCE


def test_the_list_has_attacks_of_every_rule() -> None:
    """A rule that nobody has tried to get around may be no rule at all."""
    tried = {attack.stopped_by for attack in attacks()}

    assert f"There are {len(attacks())} of them" in LIST.read_text("utf-8")
    # An engine that cannot answer is no rule of the text; nor is a history that is too long to compare with.
    assert tried == {*map(str, Rule), "groups"} - {str(Rule.ENGINE), str(Rule.HISTORY)}


NOTHING = Result(columns=(), rows=(), cut=False)
assert msgspec.structs.asdict(NOTHING)["rows"] == ()
