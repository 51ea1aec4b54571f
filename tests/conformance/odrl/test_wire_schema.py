"""What we write is what the Dataspace Protocol's own schema accepts, whatever the policy."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.policy import Policy, parse_policy, render_policy

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "../shared/standards/dsp-2025-1/negotiation/contract-schema.json"
SAMPLES = ROOT / "tests/unit/policy/samples.py"
FORBIDDEN = {"unit", "dataType", "remedy", "consequence", "refinement", "target"}


def any_policy() -> st.SearchStrategy[Policy]:
    """The policies of the unit tests."""
    name = "entrepot_policy_samples"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, SAMPLES)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    policies: st.SearchStrategy[Policy] = sys.modules[name].POLICIES
    return policies.filter(lambda p: bool(p.permissions or p.prohibitions))


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """The schemas of an offer in a catalogue, an offer in a message and an agreement."""
    if not SCHEMA.is_file():
        pytest.skip("the protocol's schemas are not beside the checkout")
    whole = json.loads(SCHEMA.read_text("utf-8"))
    return {
        name: jsonschema_rs.validator_for(whole | {"allOf": [{"$ref": f"#/definitions/{name}"}]})
        for name in ("Offer", "MessageOffer", "Agreement")
    }


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(policy=any_policy())
def test_every_policy_is_written_as_the_schema_wants_it(policy: Policy, schemas: dict[str, Any]) -> None:
    """No empty list, no number, no key that another connector would drop."""
    rules = render_policy(policy)
    offer = {"@id": "urn:offer", "@type": "Offer"}
    parties = {"target": "urn:product", "assigner": "did:web:a", "assignee": "did:web:b"}

    schemas["Offer"].validate(offer | rules)
    schemas["MessageOffer"].validate(offer | parties | rules)
    schemas["Agreement"].validate({"@id": "urn:agreement", "@type": "Agreement"} | parties | rules)
    assert not FORBIDDEN & keys_of(rules)
    assert parse_policy(rules) == policy


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(keys_of(v) for v in value.values()))
    if isinstance(value, list):
        assert value
        return set().union(*(keys_of(v) for v in value))
    assert isinstance(value, str)
    return set()
