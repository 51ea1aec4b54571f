"""What nobody here knows is refused by its name, and could never evaluate to true.

Issue 5, must show 3. Known stacks drop a constraint that they do not understand; the rule then always holds.
"""

import json
from dataclasses import replace
from typing import Any

import pytest
from entrepot_policy_samples import CASES, POLICIES
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from entrepot.policy import (
    OPERANDS,
    Atom,
    Fact,
    Group,
    Junction,
    Outcome,
    Policy,
    PolicyError,
    Rule,
    Source,
    decide,
    parse_policy,
    render_policy,
)
from entrepot.protocols import unquoted
from entrepot.values import named

WEATHER = "https://other.example/ns/weather"
STRANGE = replace(OPERANDS["purpose"], name=WEATHER, iri=WEATHER)
"""As an operand of a later release would be: it parses there, and no fact of ours is about it."""
LEAVES = st.sampled_from(sorted(STRANGE.operators)).map(lambda operator: Atom(STRANGE, operator, "fair"))
FACTS = st.sampled_from([{}, {"weather": Fact("fair", Source.CLAIMED)}, {WEATHER: Fact(7, Source.OBSERVED)}])


@settings(max_examples=150)
@given(case=CASES, leaf=LEAVES, more=FACTS)
def test_a_permission_with_an_unknown_condition_permits_nothing(
    case: tuple[Policy, dict[str, Fact]], leaf: Atom, more: dict[str, Fact]
) -> None:
    """Whatever else it says, and whatever is known; under `and` as well."""
    policy, facts = case
    for condition in (leaf, Group(Junction.AND, (leaf,)), Group(Junction.OR, (leaf, leaf))):
        asking = [replace(r, constraints=(*r.constraints, condition)) for r in policy.permissions]
        decision = decide(replace(policy, permissions=tuple(asking)), facts | more)

        assert decision.outcome is Outcome.DENY


@settings(max_examples=150)
@given(case=CASES, leaf=LEAVES, more=FACTS)
def test_a_prohibition_with_an_unknown_condition_is_triggered(
    case: tuple[Policy, dict[str, Fact]], leaf: Atom, more: dict[str, Fact]
) -> None:
    """Also beside a permission without conditions: it may well be meant for this use."""
    policy, facts = case
    for condition in (leaf, Group(Junction.OR, (leaf,)), Group(Junction.XONE, (leaf, leaf))):
        forbidding = Policy((*policy.permissions, Rule("use")), (Rule("use", (condition,)),))

        assert decide(forbidding, facts | more).outcome is Outcome.DENY


@settings(max_examples=150)
@given(case=CASES, leaf=LEAVES)
def test_an_unknown_alternative_never_makes_a_group_hold(
    case: tuple[Policy, dict[str, Fact]], leaf: Atom
) -> None:
    """Where a policy permits with it under `or`, it permits without it: another alternative held."""
    policy, facts = case
    for rule in policy.permissions:
        known = Group(Junction.AND, rule.constraints) if rule.constraints else None
        assume(
            known is not None
            and not any(isinstance(c, Atom) and c.operand.everywhere for c in rule.constraints)
        )
        assert known is not None
        both = decide(Policy((Rule("use", (Group(Junction.OR, (known, leaf)),)),)), facts)
        alone = decide(Policy((Rule("use", (known,)),)), facts)

        assert both.outcome is alone.outcome


def places(document: Any) -> list[tuple[dict[str, Any], str]]:
    """Every operand, operator and action of a policy on the wire."""
    found = []
    if isinstance(document, dict):
        found = [(document, k) for k in ("leftOperand", "operator", "action") if k in document]
    children = (
        document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    )
    return found + [place for child in children for place in places(child)]


@settings(max_examples=100)
@given(
    policy=POLICIES, data=st.data(), term=st.sampled_from([WEATHER, "ex:weather", "weather", "odrl:weather"])
)
def test_an_unknown_term_anywhere_is_refused_by_its_name(
    policy: Policy, data: st.DataObject, term: str
) -> None:
    """And the name reaches the other side, where quoted words of a stranger are taken out."""
    document = json.loads(json.dumps(render_policy(policy)))
    found = places(document)
    assume(found)
    holder, key = data.draw(st.sampled_from(found))
    holder[key] = term
    with pytest.raises(PolicyError) as refused:
        parse_policy(document)

    assert term in unquoted(str(refused.value))


def test_a_key_that_nobody_knows_is_refused_by_its_name() -> None:
    """A rule with a key that is passed over would hold without what the key asks for."""
    for document in (
        {"permission": [{"action": "use", "ex:unless": "rain"}]},
        {"permission": [{"action": "use", "constraint": [{"ex:unless": "rain"}]}]},
        {"permission": [{"action": "use", "duty": [{"action": "odrl:inform", "ex:unless": "rain"}]}]},
        {"ex:unless": []},
    ):
        with pytest.raises(PolicyError) as refused:
            parse_policy(document)
        assert "ex:unless" in unquoted(str(refused.value))


def test_only_a_name_is_said_back() -> None:
    """An error text is no way to have us repeat, log or show what a stranger likes."""
    assert unquoted(named("https://a.example/ns#x-1")) == "https://a.example/ns#x-1"
    for words in ("call 555 now", "<script>", "a\nb", "x" * 300, "价格", "", '"', "a'b"):
        assert words not in unquoted(named(words)) or words == ""
